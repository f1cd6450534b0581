"""`Backend.run`: a command's bytes, codes and limits arrive as they are, whatever becomes of the node meanwhile."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from lab.errors import LabError
from tests.markers import WEB

if TYPE_CHECKING:
    from lab.testing import Faults, LabCluster
pytestmark = pytest.mark.smaller("the web tier is all it needs", topology=WEB)

LIMIT = 1.0
LATE_SECONDS = 10.0  # until a command is known to run, or not to


@pytest.mark.read_only
def test_words_codes_and_both_outputs_arrive(cluster: LabCluster) -> None:
    words = ["a b", "c\nd", "", "ü$'\"\\", "-n"]
    done = cluster.backend.run("web1", ["printf", "%s|", *words])
    assert (done.rc, done.stdout, done.stderr) == (0, "".join(f"{word}|" for word in words), "")
    done = cluster.backend.run("web1", ["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (done.rc, done.stdout, done.stderr) == (3, "out\n", "err\n")
    assert len(cluster.backend.run("web1", ["head", "-c", "3000000", "/dev/zero"]).stdout) == 3_000_000
    missing = cluster.backend.run("web1", ["no-such-command"])
    assert missing.rc == 127
    assert "no-such-command" in missing.stderr


@pytest.mark.read_only
def test_a_command_that_does_not_end_is_ended(cluster: LabCluster) -> None:
    begun = cluster.clock.steady()
    done = cluster.backend.run("web1", ["sh", "-c", "echo begun; trap '' TERM; sleep 60 & wait; wait"], seconds=LIMIT)
    assert (done.rc in (124, 137), done.stdout) == (True, "begun\n")
    assert cluster.clock.steady() - begun < cluster.clock.limit(LIMIT + LATE_SECONDS)


@pytest.mark.read_only
def test_what_a_command_left_running_writes_into_no_other_ones_output(cluster: LabCluster) -> None:
    cluster.run("web1", "rm -f /tmp/left; (while [ ! -e /tmp/left ]; do echo left; done) & sleep 0.1")
    try:
        for _ in range(20):
            assert cluster.backend.run("web1", ["echo", "mine"]).stdout == "mine\n"
    finally:
        cluster.run("web1", "touch /tmp/left")


@pytest.mark.read_only
def test_as_many_run_at_once_as_are_asked_for(cluster: LabCluster) -> None:
    """Ten that each wait for the last: none would end if one had to wait for another."""
    script = "touch /tmp/at-once.$1; for i in $(seq 200); do [ -e /tmp/at-once.10 ] && exit 0; sleep 0.1; done; exit 1"
    codes: dict[int, int] = {}

    def run(number: int) -> None:
        codes[number] = cluster.backend.run("web1", ["sh", "-c", script, "-", str(number)]).rc

    threads = [threading.Thread(target=run, args=(number,)) for number in range(1, 11)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cluster.run("web1", "rm -f /tmp/at-once.*")
    assert codes == dict.fromkeys(range(1, 11), 0)


def test_a_node_that_dies_ends_what_runs_in_it_and_runs_commands_when_it_is_back(
    cluster: LabCluster, faults: Faults
) -> None:
    assert cluster.run("web2", "true").ok
    ended: list[object] = []

    def run() -> None:
        try:
            ended.append(cluster.backend.run("web2", ["sh", "-c", "touch /tmp/runs; sleep 60"], seconds=60))
        except LabError as error:
            ended.append(error)

    running = threading.Thread(target=run)
    running.start()
    cluster.until("the command to run", LATE_SECONDS, lambda: cluster.run("web2", "test -e /tmp/runs").ok)
    with faults.kill("web2"):
        running.join(cluster.clock.guard(LATE_SECONDS))
        assert not running.is_alive(), "its node is dead, and it is waited for"
        assert not getattr(ended[0], "ok", False)
        with pytest.raises(LabError):
            cluster.backend.run("web2", ["true"])
    assert cluster.backend.run("web2", ["echo", "back"]).stdout == "back\n"


def test_a_paused_node_runs_nothing_and_says_so_at_once(cluster: LabCluster, faults: Faults) -> None:
    assert cluster.run("web2", "true").ok
    with faults.pause("web2"):
        begun = cluster.clock.steady()
        with pytest.raises(LabError):
            cluster.backend.run("web2", ["true"], seconds=2 * LATE_SECONDS)
        assert cluster.clock.steady() - begun < cluster.clock.limit(LATE_SECONDS)
    assert cluster.backend.run("web2", ["echo", "back"]).stdout == "back\n"


@pytest.mark.read_only
def test_a_file_in_memory_is_read_and_a_circle_of_links_is_named(cluster: LabCluster) -> None:
    """A node's `/run` and `/tmp` are memory, of which an engine that copies files sees nothing."""
    links = "ln -sfn /run/of-memory leads && ln -sfn two one && ln -sfn one two"
    assert cluster.run("web1", f"echo text > /run/of-memory && cd /var/tmp && {links}").ok
    try:
        assert cluster.backend.get("web1", "/run/of-memory") == b"text\n"
        assert cluster.backend.get("web1", "/var/tmp/leads") == b"text\n"
        assert cluster.backend.get("web1", "/run/none") is None
        if cluster.backend.name == "docker":  # on Xen the node's own `cat` finds none
            for path in ("/var/tmp/one", "/var/tmp/one/below"):
                with pytest.raises(LabError, match=f"symbolic link loop at {path}"):
                    cluster.backend.get("web1", path)
        else:
            assert cluster.backend.get("web1", "/var/tmp/one") is None
    finally:
        cluster.run("web1", "rm -f /run/of-memory /var/tmp/leads /var/tmp/one /var/tmp/two")
