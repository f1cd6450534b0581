"""The family of a cluster: chosen, fallen back from, and remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab import assets
from lab.cli import options
from lab.errors import BuildError, NotReady, Taken
from lab.lifecycle import families, resolve, secrets
from lab.lifecycle.down import down
from lab.lifecycle.up import up
from lab.progress import Silent
from lab.topology import Cluster, load, parse
from tests.unit.backends import CentosBreaks, Heard, NeverReady

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lab.backends.base import Result
    from lab.backends.memory import MemoryBackend
    from lab.plan import NodePlan, Plan


def test_auto_falls_back_to_debian_loudly(full: Cluster) -> None:
    backend, heard = CentosBreaks("golden"), Heard()
    assert up(full, backend, heard).plan.family == "debian"
    said = "\n".join(heard.lines)
    assert "family: centos" in said
    assert "WARNING" in said
    assert "Step 2/4 : RUN dnf" in said
    assert "/x.log" in said


def test_a_first_up_that_does_not_become_ready_falls_back_and_is_remembered(full: Cluster) -> None:
    backend, heard = NeverReady("golden"), Heard()
    assert up(full, backend, heard, seconds=1).plan.family == "debian"
    assert "CentOS did not become ready here; falling back" in "\n".join(heard.lines)
    assert "clear volumes=True" in backend.done
    down(backend, Silent(), volumes=True)
    again = Heard()
    assert up(full, backend, again, seconds=1).plan.family == "debian"
    assert "CentOS failed here: " in "\n".join(again.lines)


def test_data_that_was_there_before_is_never_removed_by_a_fallback(full: Cluster) -> None:
    """Whatever this home knows of it: the engine says whether there are volumes."""
    backend = NeverReady("golden")
    backend.fails = ()
    up(full, backend, Silent())
    down(backend, Silent())
    secrets.forget("golden")  # a home that was lost, with an engine that lost its notes
    for key in list(backend.notes()):
        backend.note(key, None)
    backend.done.clear()
    backend.fails = ("centos",)
    with pytest.raises(NotReady):
        up(full, backend, Silent(), seconds=1)
    assert "clear volumes=True" not in backend.done


def test_what_fails_with_both_families_is_nobodys_fault(full: Cluster) -> None:
    backend = NeverReady("golden")
    backend.fails = ("centos", "debian")
    with pytest.raises(NotReady):
        up(full, backend, Silent(), seconds=1)
    assert families.failed(["web"], "centos") == ""


def test_an_up_that_made_nothing_chooses_no_family() -> None:
    """A subnet is taken at the first attempt, and the second one may fall back still."""

    class Both(NeverReady):
        taken = 1

        def create(self, plan: Plan, node: NodePlan, files: Mapping[str, tuple[bytes, int]]) -> None:
            if self.taken:
                self.taken -= 1
                raise Taken("creating the network: another one has the subnet")
            super().create(plan, node, files)

    few = parse("name: golden\nweb: {count: 1}\n")
    assert up(few, Both("golden"), Silent(), seconds=1).plan.family == "debian"


def test_centos_that_was_broken_off_and_never_ready_keeps_its_data_and_names_the_way(full: Cluster) -> None:
    """An `up` that was ended midway left nodes: somebody may have used them, so that nothing is removed by itself."""

    class Interrupted(NeverReady):
        """The person presses Ctrl-C while nodes are awaited."""

        patient = False

        def run(self, node: str, argv: Sequence[str], *, seconds: float = 30) -> Result:
            if argv[0].endswith("await") and not self.patient:
                raise KeyboardInterrupt
            return super().run(node, argv, seconds=seconds)

    backend = Interrupted("golden")
    with pytest.raises(KeyboardInterrupt):
        up(full, backend, Silent())
    backend.patient = True
    with pytest.raises(NotReady) as caught:
        up(full, backend, Silent())
    assert "never ready with CentOS" in caught.value.next_step
    assert "'lab down --volumes' and 'lab up --family debian'" in caught.value.next_step
    assert backend.observe().family == "centos"
    backend.fails = ()
    up(full, backend, Silent())
    backend.fails = ("centos",)
    with pytest.raises(NotReady) as later:
        up(full, backend, Silent())
    assert "never ready" not in later.value.next_step


def test_a_cluster_of_which_nothing_is_noted_is_never_called_unused(full: Cluster) -> None:
    """One of an earlier version, or one that was made with `--no-wait`."""
    backend = NeverReady("golden")
    backend.fails = ()
    up(full, backend, Silent(), wait=False)
    backend.fails = ("centos",)
    with pytest.raises(NotReady) as caught:
        up(full, backend, Silent())
    assert "never ready" not in caught.value.next_step


def test_an_explicit_centos_that_breaks_is_an_error_and_nothing_is_made(full: Cluster) -> None:
    backend = CentosBreaks("golden")
    with pytest.raises(BuildError, match="did not build"):
        up(full.model_copy(update={"family": "centos"}), backend, Silent())
    assert backend.observe().nodes == ()


def test_family_choices(full: Cluster, memory: MemoryBackend) -> None:
    heard = Heard()
    assert resolve.family(full, memory.observe(), memory, heard) == "debian"
    assert "no registry" in heard.lines[0]
    up(full, memory, Silent())
    assert resolve.family(full, memory.observe(), CentosBreaks("golden"), heard) == "debian", "what is there stays"


def test_a_fall_back_keeps_what_the_cluster_was_made_from() -> None:
    """The first attempt is removed with all that is kept of the cluster."""
    shipped = load(assets.topologies()["stage1"], name="golden")
    assert up(shipped, NeverReady("golden"), Silent(), seconds=1).plan.family == "debian"
    assert options.topology(None, "golden") == assets.topologies()["stage1"]
    down(NeverReady("golden"), Silent(), volumes=True)
    with pytest.raises(BuildError):
        up(load(assets.topologies()["stage3"], name="golden", family="centos"), CentosBreaks("golden"), Silent())
    assert options.topology(None, "golden") == assets.topologies()["full"], "it was not applied"
