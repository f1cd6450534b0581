"""Numbers of storage and mysql nodes that data does not allow are refused before any change."""

from __future__ import annotations

import pytest

from lab.backends.base import Capabilities
from lab.backends.memory import MemoryBackend
from lab.errors import BackendError, LabError, SpecError
from lab.lifecycle import scaling
from lab.lifecycle.down import down
from lab.lifecycle.up import up
from lab.plan import plan
from lab.progress import Silent
from lab.topology import parse
from tests.unit.conftest import FEW


@pytest.fixture
def storing() -> MemoryBackend:
    """An engine on which storage can run."""
    return MemoryBackend("golden", Capabilities("memory", kernel=frozenset({"fuse"})))


@pytest.mark.parametrize("state", ["running", "down", "by an earlier version", "a node removed by hand"])
@pytest.mark.parametrize(("made", "wanted"), [(3, 5), (3, 1), (1, 3)])
def test_another_number_of_storage_nodes_is_refused_before_anything_is_touched(
    storing: MemoryBackend, state: str, made: int, wanted: int
) -> None:
    text = f"{FEW}storage: {{count: %d}}\n"
    up(parse(text % made), storing, Silent())
    if state == "down":
        down(storing, Silent())
    if state == "by an earlier version":
        storing.note("kept-storage", None)
    if state == "a node removed by hand":
        storing.remove(f"storage{made}")
    kept = {name: dict(files) for name, files in storing.files.items()}
    storing.done.clear()
    with pytest.raises(SpecError, match=f"have copies on {made} storage nodes, not on {wanted}") as caught:
        up(parse(text % wanted), storing, Silent())
    assert f"count: {made}" in caught.value.next_step
    assert (storing.done, storing.files) == ([], kept)
    up(parse(text % made), storing, Silent())
    up(parse(FEW), storing, Silent())  # the role may go, and come back to its volumes
    with pytest.raises(SpecError, match="storage nodes"):
        up(parse(text % wanted), storing, Silent())


@pytest.mark.parametrize("keep_backups", [True, False])
def test_with_empty_volumes_any_number_of_storage_nodes_is_good(storing: MemoryBackend, *, keep_backups: bool) -> None:
    text = f"{FEW}storage: {{count: %d}}\n"
    up(parse(text % 3), storing, Silent())
    down(storing, Silent(), volumes=True, keep_backups=keep_backups)
    up(parse(text % 5), storing, Silent())


DATA = [
    ("storage: {count: 3}", "storage: {count: 5}", "have copies on 5"),
    ("mysql: {count: 3}", "mysql: {count: 2}", "from 2 nodes to 3"),
    ("mysql: {count: 3}", "mysql: {count: 1, topology: galera}", "made with 'topology: galera'"),
]


@pytest.mark.parametrize(("made", "wanted", "said"), DATA)
def test_data_that_was_removed_by_hand_allows_any_number(
    storing: MemoryBackend, made: str, wanted: str, said: str
) -> None:
    """The engine's notes of it stay; those of the data that takes its place count."""
    first, other = (parse(f"{FEW}{text}\n") for text in (made, wanted))
    up(first, storing, Silent())
    down(storing, Silent())
    for name in storing.observe().volumes or ():
        storing.prune(name)
    up(other, storing, Silent())
    assert up(other, storing, Silent()).changes == []
    with pytest.raises(SpecError, match=said):
        up(first, storing, Silent())


@pytest.mark.parametrize("between", [True, False])
@pytest.mark.parametrize("case", DATA)
def test_an_up_that_made_nothing_allows_any_number(
    storing: MemoryBackend, monkeypatch: pytest.MonkeyPatch, case: tuple[str, str, str], *, between: bool
) -> None:
    """`between`: the role is left out of the first `up` that made something."""

    def failing(*_: object) -> None:
        raise BackendError("the engine is full")

    first, other = (parse(f"{FEW}{text}\n") for text in case[:2])
    with monkeypatch.context() as patched:
        patched.setattr(storing, "create", failing)
        with pytest.raises(LabError, match="is full"):
            up(first, storing, Silent())
    if between:
        up(parse(FEW), storing, Silent())
    up(other, storing, Silent())
    with pytest.raises(SpecError, match=case[2]):
        up(first, storing, Silent())


@pytest.mark.parametrize("state", ["down", "stopped", "one is stopped", "one was removed", "an earlier version's"])
def test_fewer_mysql_nodes_are_refused_where_not_all_of_them_run(memory: MemoryBackend, state: str) -> None:
    text = f"{FEW}mysql: {{count: %d}}\n"
    up(parse(text % 3), memory, Silent())
    if state == "down":
        down(memory, Silent())
    elif state == "one was removed":
        memory.remove("mysql3")
    else:
        for number in range(1, 2 if state.startswith("one") else 4):
            memory.kill(f"mysql{number}")
    if state.startswith("an earlier"):
        memory.note("kept-mysql", None)
    memory.done.clear()
    with pytest.raises(SpecError, match="all are needed to change to 1"):
        up(parse(text % 1), memory, Silent())
    assert not memory.done
    up(parse(text % 3), memory, Silent())
    up(parse(text % 1), memory, Silent())
    down(memory, Silent())
    up(parse(text % 1), memory, Silent())
    up(parse(text % 3), memory, Silent())


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize(
    ("made", "wanted", "said"),
    [
        ("count: 3, topology: galera", "count: 1, topology: galera", "keeps its 3 nodes"),
        ("count: 1, topology: galera", "count: 3, topology: galera", "keeps its 1 nodes"),
        ("count: 3, topology: galera", "count: 3", "made with 'topology: galera'"),
        ("count: 3", "count: 3, topology: galera", "made with 'topology: replication'"),
    ],
)
def test_what_galera_can_not_do_is_refused_before_anything_is_touched(
    memory: MemoryBackend, made: str, wanted: str, said: str, *, running: bool
) -> None:
    up(parse(f"{FEW}mysql: {{{made}}}\n"), memory, Silent())
    if not running:
        down(memory, Silent())
    memory.done.clear()
    with pytest.raises(SpecError, match=said):
        up(parse(f"{FEW}mysql: {{{wanted}}}\n"), memory, Silent())
    assert not memory.done
    down(memory, Silent(), volumes=True)
    up(parse(f"{FEW}mysql: {{{wanted}}}\n"), memory, Silent())


@pytest.mark.parametrize(("had", "wanted"), [(3, 2), (2, 3)])
def test_mysql_goes_between_two_and_three_nodes_by_way_of_one(memory: MemoryBackend, had: int, wanted: int) -> None:
    text = f"{FEW}mysql: {{count: %d}}\n"
    up(parse(text % had), memory, Silent())
    memory.done.clear()
    with pytest.raises(SpecError, match=f"from {had} nodes to {wanted}"):
        up(parse(text % wanted), memory, Silent())
    assert not memory.done
    up(parse(text % 1), memory, Silent())
    up(parse(text % wanted), memory, Silent())


def test_a_scaling_that_was_interrupted_still_needs_those_that_were_to_go(memory: MemoryBackend) -> None:
    text = f"{FEW}mysql: {{count: %d}}\n"
    up(parse(text % 3), memory, Silent())
    memory.answers["reload"] = (1, "interrupted")
    with pytest.raises(LabError, match="interrupted"):
        up(parse(text % 1), memory, Silent())
    del memory.answers["reload"]
    down(memory, Silent())
    with pytest.raises(SpecError, match="all are needed"):
        up(parse(text % 1), memory, Silent())


def test_members_that_an_earlier_version_made_are_counted_by_the_nodes_that_are_there(memory: MemoryBackend) -> None:
    """A change to one that is interrupted: all three are needed until it is done."""
    three, one = (parse(f"{FEW}mysql: {{count: {count}}}\n") for count in (3, 1))
    up(three, memory, Silent())
    existing = memory.observe()
    assert scaling.note(plan(one, "debian"), one, existing, {}, done=False)["kept-mysql"] == "3 replication"
    assert scaling.note(plan(one, "debian"), one, existing, {}, done=True)["kept-mysql"] == "1 replication"
