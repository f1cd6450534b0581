"""What surrounds the storage agent: the node's identity, what is said of its bricks, when glusterd is started anew."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from lab_node.volumes import identity, report, rules
from lab_node.volumes.__main__ import Watcher
from lab_node.volumes.agent import Agent
from lab_node.volumes.errors import Hung, Missing
from lab_node.volumes.glusterd import Glusterd
from lab_node.volumes.report import Figures
from lab_node.volumes.settings import Settings
from tests.unit.gluster_model import Cluster
from tests.unit.gluster_node import NAME, ModelDisk, ModelGlusterd

if TYPE_CHECKING:
    from pathlib import Path

WANTED = Settings("storage1", {"storage1": "one", "storage2": "two"}, ["www"], {})


def test_a_node_and_its_peers_are_written_as_a_probe_leaves_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "STATE", tmp_path)
    identity.write(WANTED)
    own = (tmp_path / "glusterd.info").read_text().splitlines()
    assert own == ["UUID=one", f"operating-version={identity.OPERATING_VERSION}"]
    assert [path.name for path in (tmp_path / "peers").iterdir()] == ["two"]
    assert (tmp_path / "peers/two").read_text() == "uuid=two\nstate=3\nhostname1=storage2\n"


def test_what_glusterd_wrote_itself_is_kept_and_what_it_broke_off_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "STATE", tmp_path)
    (tmp_path / "glusterd.info").write_text("UUID=one\noperating-version=110000\n")
    (tmp_path / "peers").mkdir()
    (tmp_path / "peers/two").touch()
    identity.write(WANTED)
    assert "110000" in (tmp_path / "glusterd.info").read_text()
    assert "hostname1=storage2" in (tmp_path / "peers/two").read_text()


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        (Figures(brick=True, heal=0, unlike=[]), ""),
        (Figures(brick=True, heal=2, unlike=[]), "www: 2 entries to heal"),
        (
            Figures(brick=True, heal=2, unlike=["/a"]),
            "www: 2 entries to heal, and no copy of /a is known to be right ('lab volume mend www' lists and mends)",
        ),
        (
            Figures(brick=True, heal=2, unlike=["/a", "/b"]),
            (
                "www: 2 entries to heal, and no copy of /a and 1 more is known to be right"
                " ('lab volume mend www' lists and mends)"
            ),
        ),
    ],
)
def test_what_is_said_of_entries_that_wait(figures: Figures, said: str) -> None:
    assert report.worry("www", figures) == said


def test_what_is_said_is_one_line_and_figures_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "SAID", tmp_path / "volumes")
    report.tell("", {"www": Figures(brick=True, heal=1, unlike=["/a"])})
    assert (tmp_path / "volumes").read_text() == "\n"
    told = json.loads((tmp_path / "volumes.json").read_text())
    assert told == {"www": {"brick": True, "heal": 1, "unlike": ["/a"]}}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["volumes", "volumes.json"]


@pytest.mark.parametrize(
    ("error", "down", "said", "killed"),
    [
        (None, False, "", False),
        (Missing("not yet"), True, "not yet", False),
        (OSError("gone"), True, "gone", False),
        (Hung("glusterd does not answer"), False, "glusterd does not answer", False),
        (Hung("glusterd does not answer"), True, "glusterd does not answer; it is started anew", True),
    ],
)
def test_a_glusterd_that_hangs_is_ended_where_a_brick_is_off_and_nowhere_else(
    error: Exception | None,
    down: bool,  # noqa: FBT001
    said: str,
    killed: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def look(*_: object) -> None:
        if error:
            raise error

    ended: list[bool] = []
    monkeypatch.setattr(Agent, "look", look)
    monkeypatch.setattr(Glusterd, "kill", lambda _: ended.append(True))
    assert Watcher(WANTED)._look(down=down) == said  # noqa: SLF001  what stays asks once a second
    assert bool(ended) is killed


@pytest.fixture
def formed() -> Cluster:
    """Three nodes whose volume is formed and has run for a while."""
    cluster = Cluster()
    cluster.form(formed=True)
    return cluster


@pytest.mark.parametrize("stuck", [(1, 2), (0,), (2,)])
def test_each_node_asks_for_the_split_brain_that_waits_in_its_own_brick(
    formed: Cluster, stuck: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ModelGlusterd, "split", lambda *_: {"/file"})
    for index in stuck:
        formed.nodes[index].notes = {((index + 1) % 3, 0)}
    for seconds in (0.0, 1.0 + rules.STUCK_SECONDS):
        formed.tick(seconds)
        for index in range(3):
            formed.look(index)
    split = {index: node.agent.split for index, node in enumerate(formed.nodes) if node.agent.split}
    assert split == {index: {NAME: {"/file"}} for index in stuck}


def test_a_self_heal_daemon_that_died_is_started_and_that_is_said(formed: Cluster) -> None:
    node = formed.nodes[1]
    node.heals = False
    formed.look(1)
    assert "self-heal daemon of www was started" in node.said
    assert node.heals
    formed.look(1)
    assert node.said == ""


def test_a_brick_without_another_copy_that_lost_files_is_named_and_left_alone(formed: Cluster) -> None:
    node, name = formed.nodes[0], formed.names[0]
    alone = Settings(name, {name: "one"}, [NAME], {})
    node.agent = Agent(alone, ModelGlusterd(formed, 0), ModelDisk(formed, 0))
    node.lost, left = True, set(node.files)
    for _ in range(3):
        formed.look(0)
    assert node.said == "/bricks/www has lost files, and no other node has them: restore www from a backup"
    assert node.running
    assert node.files == left
    node.lost = False
    formed.look(0)
    assert node.said == ""
