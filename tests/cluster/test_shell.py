"""The shell servers: people log in through the VIP by their keys, publish pages, and stay within their limits."""

from __future__ import annotations

import shlex
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import pytest

from lab.topology import Shell
from tests.cluster.school import ANN, BOB, GUEST, KEYS, LOGGED_SECONDS, MEGABYTES, PROCESSES, TRIES, logged
from tests.markers import PEOPLE

if TYPE_CHECKING:
    from lab.testing import LabCluster
    from lab.topology import Cluster
    from tests.cluster.school import School
pytestmark = pytest.mark.smaller("one node of each role that people use is all it needs", topology=PEOPLE)

FAILED_LOGIN = 255  # of ssh itself, not of what it ran
LOGIN_SECONDS = 30.0
GUESSERS, GUESS_SECONDS = 5, 5
# A shell that may start no more waits and tries again for a quarter of a minute; this one ends at once, with its own.
MANY = f"""
import subprocess
held = []
try:
    for _ in range({2 * PROCESSES}):
        held.append(subprocess.Popen(["sleep", "20"]))
finally:
    for one in held:
        one.kill()
"""


def _host_keys(cluster: LabCluster) -> set[str]:
    """The host keys of all shell nodes."""
    scans = [f"ssh-keyscan -t ed25519 {node.address} 2>/dev/null" for node in cluster.plan.role("shell")]
    return {cluster.run("client", scan).stdout.split()[-1] for scan in scans}


def _without(cluster: LabCluster, user: str) -> Cluster:
    return cluster.spec.model_copy(update={"users": {k: v for k, v in cluster.spec.users.items() if k != user}})


@pytest.mark.read_only
def test_a_key_opens_the_door_and_the_clients_address_is_known(cluster: LabCluster, school: School) -> None:
    done = school.ssh(ANN, "echo $SSH_CONNECTION; id; pwd")
    assert done.ok, done.last_line
    address, who, home = done.stdout.splitlines()
    assert address.split()[0] == cluster.plan.node("client").address
    assert f"uid={cluster.spec.people[ANN].uid}({ANN})" in who
    assert "(class-a)" in who
    assert home == f"/home/{ANN}"


@pytest.mark.parametrize(
    ("user", "key", "options"),
    [
        (ANN, "stranger", ()),
        (ANN, BOB, ()),
        ("root", ANN, ()),
        ("nobody", ANN, ()),
        (ANN, "none", ("-o", "PreferredAuthentications=password,keyboard-interactive", "-o", "BatchMode=no")),
    ],
)
@pytest.mark.read_only
def test_nobody_else_comes_in(school: School, user: str, key: str, options: tuple[str, ...]) -> None:
    refused = school.ssh(user, "true", *options, key=key)
    assert refused.rc == FAILED_LOGIN
    assert "Permission denied (publickey)" in refused.last_line


@pytest.mark.read_only
def test_people_have_their_tools_and_these_work_in_a_home(school: School) -> None:
    project = """
        rm -rf project copy && git init -q project && cd project && echo one > page && git add page
        git -c user.name=Ann -c user.email=ann@test commit -qm first && git gc -q && git --no-pager log --format=%s
        rsync -a --delete ./ ~/copy && cmp page ~/copy/page && rm -rf ~/project ~/copy
    """
    done = school.ssh(ANN, f"set -e; {project}")
    assert done.ok, done.last_line
    assert done.stdout == "first\n"
    asked = "echo text > page; less page | cat; rm page; nano --version | head -1; "
    asked += "printf ':q!\\n' | TERM=dumb vi -es new; echo $?"
    assert [line.split()[0] for line in school.ssh(ANN, asked).stdout.splitlines()] == ["text", "GNU", "0"]


@pytest.mark.read_only
def test_a_page_is_published_on_every_web_node(cluster: LabCluster, school: School) -> None:
    webs = cluster.require("web", 1)
    page = "cd public_html && echo 'made by hand' > index.html && echo '<?php echo 6*7;' > page.php && ls"
    assert school.ssh(ANN, page).ok
    for web in webs:
        site = f"http://127.0.0.1/~{ANN}/"
        assert cluster.run(web, f"curl -fsS {site}").stdout == "made by hand\n"
        assert "<?php" in cluster.run(web, f"curl -fsS {site}page.php").stdout, "a person's program is run"
        assert cluster.run(web, f"stat -c %U:%G:%u /home/{ANN}/public_html/index.html").stdout.split() == [
            f"{ANN}:{ANN}:{cluster.spec.people[ANN].uid}"
        ]
    assert cluster.ask(f"/~{ANN}", "-L") == "made by hand\n"
    assert "404" in cluster.ask("/~nobody-of-that-name/", "-o", "/dev/null", "-w", "%{http_code}")


@pytest.mark.read_only
def test_a_file_sent_by_sftp_is_whole(cluster: LabCluster, school: School) -> None:
    cluster.run("client", "dd if=/dev/urandom of=/tmp/sent bs=64k count=80 2>/dev/null")
    ssh = f"-i {KEYS}/{ANN} -o UserKnownHostsFile=/etc/lab/known_hosts -o IdentitiesOnly=yes"
    sent = cluster.run("client", f"echo 'put /tmp/sent kept' | sftp -b - {ssh} {ANN}@{school.door}", seconds=60)
    assert sent.ok, sent.last_line
    wanted = cluster.run("client", "sha256sum < /tmp/sent").stdout
    assert school.ssh(ANN, "sha256sum < kept").stdout == wanted


def test_one_users_processes_and_memory_leave_the_others_working(cluster: LabCluster, school: School) -> None:
    for user in (ANN, BOB):
        school.logs_in(user)
    greedy = "python3 -c 'import time; held = bytes([1]) * (200 << 20); time.sleep(60)'"
    bomb = school.ssh(ANN, f"python3 -c {shlex.quote(MANY)}", seconds=60)
    assert "Resource temporarily unavailable" in bomb.stderr
    eaten = school.ssh(ANN, greedy, seconds=60)
    assert not eaten.ok
    assert school.ssh(BOB, "echo here").stdout == "here\n"
    said = partial(logged, cluster, f"more than {MEGABYTES}")
    cluster.until("the reason in the log", LOGGED_SECONDS, said)


@pytest.mark.nightly("twelve seconds; at every change who guesses keeps no other out")
def test_logins_are_counted(cluster: LabCluster, school: School) -> None:
    """Also those that begin in one moment; one that was killed is none, and another user is not concerned."""
    most = cluster.options(Shell).limits.logins
    school.logs_in(ANN)
    shell = cluster.plan.role("shell")[0].name
    go = f"/home/{ANN}/go"
    with ThreadPoolExecutor(most + 6) as pool:
        asked = [
            pool.submit(school.ssh, ANN, f"until [ -e {go} ]; do sleep 0.2; done; echo in", seconds=60)
            for _ in range(most + 6)
        ]
        try:
            cluster.until("six to be refused", 30, lambda: sum(one.done() for one in asked), lambda ended: ended >= 6)
        finally:
            cluster.run(shell, f"touch {go}")
        done = [one.result() for one in asked]
    cluster.run(shell, f"rm {go}")
    assert sum(each.stdout == "in\n" for each in done) == most
    refused = [each for each in done if each.stdout != "in\n"]
    assert all("too many logins" in each.stdout + each.stderr for each in refused), refused[0]

    def counted() -> int:
        return int(cluster.run(shell, f"find /run/lab/logins/{ANN} -type f | wc -l").stdout)

    cluster.until("their logins to end", 20, counted, lambda count: count == 0)
    with ThreadPoolExecutor(most) as pool:
        held = [pool.submit(school.ssh, ANN, "sleep 60", seconds=90) for _ in range(most)]
        cluster.until("all to be in", 20, counted, lambda count: count == most)
        assert not school.ssh(ANN).ok
        assert school.ssh(BOB).ok
        cluster.run(shell, f"pkill -KILL -f 'sshd: {ANN} \\[priv\\]'")
        assert not any(each.result().ok for each in held)
    school.logs_in(ANN)


def test_what_was_left_running_ends_with_the_last_login(cluster: LabCluster, school: School) -> None:
    """However well it hid from its shell; while another login of the same user is there it goes on."""
    shell = cluster.plan.role("shell")[0].name
    number = cluster.spec.people[ANN].uid
    left = "trap '' TERM; setsid nohup sh -c 'trap \"\" TERM HUP; while :; do sleep 1; done' > /dev/null 2>&1 & sleep 1"
    go = f"/home/{ANN}/go"
    with ThreadPoolExecutor(1) as pool:
        stays = f"until [ -e {go} ]; do sleep 0.2; done; sleep 3; pgrep -fc '[w]hile :'"
        other = pool.submit(school.ssh, ANN, stays, seconds=90)
        try:
            school.logs_in(ANN)
            assert school.ssh(ANN, left).ok
        finally:
            cluster.run(shell, f"touch {go}")
        assert int(other.result().stdout) >= 1, "it ended while its user was still there"
    cluster.run(shell, f"rm {go}")
    cluster.until(
        "nothing of hers to be left",
        15,
        lambda: cluster.run(shell, f"pgrep -l --uid {number}").stdout,
        lambda running: not running,
    )


@pytest.mark.read_only
def test_nobody_sees_what_others_run(cluster: LabCluster, school: School) -> None:
    shell, go = cluster.plan.role("shell")[0].name, f"/home/{BOB}/go"
    with ThreadPoolExecutor(1) as pool:
        secret = pool.submit(school.ssh, BOB, f"sh -c 'until [ -e {go} ]; do sleep 0.2; done' --password=hunter2")
        try:
            cluster.until("it to run", 30, lambda: cluster.run(shell, "pgrep -f [h]unter2").ok)
            seen = school.ssh(ANN, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '; ps aux")
        finally:
            cluster.run(shell, f"touch {go}")
        assert secret.result().ok
    cluster.run(shell, f"rm {go}")
    assert "hunter2" not in seen.stdout
    assert "supervisord" not in seen.stdout
    assert "ps aux" in seen.stdout, "her own she sees"


@pytest.mark.read_only
def test_forwarding_is_for_those_who_were_granted_it(school: School) -> None:
    inside = "127.0.0.1:8404"
    refused = school.through(ANN, inside)
    assert not refused.ok
    assert "administratively prohibited" in refused.stderr
    assert "ready" in school.through(BOB, inside).stdout


@pytest.mark.nightly("a minute: it makes a second shell server; at every change who guesses by the published port")
def test_who_guesses_is_banned_for_a_while(cluster: LabCluster, school: School) -> None:
    """As another node would guess: the client's address is that of everybody who comes by the published port."""
    shell = cluster.options(Shell)
    cluster.room(len(cluster.plan.nodes) + max(0, 2 - shell.count))
    two = cluster.spec.model_copy(update={"shell": shell.model_copy(update={"count": max(2, shell.count)})})
    with cluster.changed(two):
        guesser, guessed = (node.name for node in cluster.plan.role("shell")[:2])
        ssh = (
            f"ssh -o BatchMode=yes -o StrictHostKeyChecking=no -o ConnectTimeout={cluster.clock.option(GUESS_SECONDS)}"
        )
        guess = partial(cluster.run, guesser, f"{ssh} nobody@{cluster.plan.node(guessed).address}", seconds=30)
        address = cluster.plan.node(guesser).address

        def banned() -> list[str]:
            listed = cluster.run(guessed, "fail2ban-client status sshd | grep 'Banned IP'").stdout
            return listed.partition(":")[2].split()

        assert len(_host_keys(cluster)) == 1
        assert "Permission denied" in guess().last_line
        try:
            with ThreadPoolExecutor(GUESSERS) as several:
                cluster.until(
                    "the ban",
                    60,
                    lambda: [*several.map(lambda _: guess(), range(GUESSERS))] and banned(),
                )
            assert banned() == [address]
            assert "Permission denied" not in guess().last_line
            assert school.ssh(ANN).ok, "a ban of one address is none of the others"
        finally:
            cluster.run(guessed, "fail2ban-client unban --all")
        assert "Permission denied" in guess().last_line


def test_who_guesses_at_the_published_port_keeps_nobody_else_out(cluster: LabCluster, school: School) -> None:
    tries = 2 * TRIES * len(cluster.plan.role("shell"))  # each node counts what it has seen
    with ThreadPoolExecutor(4) as guessers:
        said = list(guessers.map(lambda _: school.ssh(ANN, key="stranger").last_line, range(tries)))
    assert all("Permission denied" in each for each in said), said
    assert school.ssh(ANN).ok


def test_a_removed_users_sessions_end_and_files_stay(cluster: LabCluster, school: School) -> None:
    assert school.ssh(GUEST, "echo mine > note; nohup sleep 600 > /dev/null 2>&1 &").ok
    shells = [node.name for node in cluster.plan.role("shell")]
    number = cluster.spec.people[GUEST].uid
    with cluster.changed(_without(cluster, GUEST)):
        for shell in shells:
            assert not cluster.run(shell, f"pgrep --uid {number}").stdout, "a process of the removed user"
        assert "Permission denied" in school.ssh(GUEST).last_line
        assert cluster.run(shells[0], f"cat /home/{GUEST}/note").stdout == "mine\n"
        assert school.ssh(ANN).ok
    assert school.ssh(GUEST, "cat note").stdout == "mine\n"


@pytest.mark.nightly(
    "a quarter of a minute: dead nodes behind the VIP are tried with mail and the database at every change"
)
def test_another_shell_node_is_the_same_to_who_comes_back(cluster: LabCluster, school: School) -> None:
    cluster.require("tcp-lb", 1)
    cluster.room(len(cluster.plan.nodes) + 1)
    two = cluster.spec.model_copy(update={"shell": cluster.options(Shell).model_copy(update={"count": 2})})
    with cluster.changed(two):
        assert school.ssh(ANN, "echo before > kept-over; sync").ok
        assert len(_host_keys(cluster)) == 1
        for shell in ("shell1", "shell2"):
            cluster.backend.kill(shell)
            cluster.until(
                f"a login without {shell}",
                LOGIN_SECONDS,
                lambda: school.ssh(ANN, "cat kept-over").stdout == "before\n",
            )
            cluster.backend.start(shell)
            cluster.apply(two)
