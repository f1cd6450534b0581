"""Backends of plain values with faults, and a report that records."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lab.backends.base import Capabilities
from lab.backends.memory import MemoryBackend
from lab.errors import BuildError
from lab.lifecycle.up import up
from lab.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lab.backends.base import Result
    from lab.building.trial import Trial
    from lab.recipes import Recipe
    from lab.topology import Cluster


EVERYTHING = Capabilities(
    "memory", frozenset({"nf_tables", "sch_netem", "sch_tbf"}), own_clocks=True, sized_volumes=True
)


def breakable(cluster: Cluster) -> MemoryBackend:
    """The cluster, up on an engine that supports all faults; its nodes answer no ping."""
    backend = MemoryBackend(cluster.name, EVERYTHING)
    up(cluster, backend, Silent())
    backend.answers["ping"] = (1, "")
    return backend


class CentosBreaks(MemoryBackend):
    """CentOS is to be had, and does not build."""

    def has_base_image(self, family: str, seconds: float) -> bool:
        return seconds > 0 and family in ("centos", "debian")

    def build(
        self, recipes: Sequence[Recipe], report: Callable[[str, str], None], trial: Callable[[str], Trial]
    ) -> None:
        if recipes[0].family == "centos":
            raise BuildError("the image web (centos) did not build", step="Step 2/4 : RUN dnf", log="/x.log")
        super().build(recipes, report, trial)


class NeverReady(MemoryBackend):
    """CentOS can be had and builds; no node of the families that are named becomes ready."""

    fails: tuple[str, ...] = ("centos",)

    def has_base_image(self, family: str, seconds: float) -> bool:
        return seconds > 0 and family in ("centos", "debian")

    def run(self, node: str, argv: Sequence[str], *, seconds: float = 30) -> Result:
        done = super().run(node, argv, seconds=seconds)
        family = self._nodes[node].image.partition(":")[2].partition("-")[0]
        return replace(done, rc=1) if argv[0].endswith("await") and family in self.fails else done


class Heard(Silent):
    """Remembers what was said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


class Stepped(Silent):
    """Remembers the steps, by their subjects."""

    def __init__(self) -> None:
        self.steps: dict[str, list[str]] = {}

    def step(self, subject: str, text: str, *, done: bool = False) -> None:
        del done
        self.steps.setdefault(subject, []).append(text)


class Created:
    """A Docker engine that keeps what it is asked to create."""

    api_version = "1.41"

    def __init__(self) -> None:
        self.host: dict[str, Any] = {}

    def create_host_config(self, **options: Any) -> dict[str, Any]:
        self.host = options
        return options

    def create_container(self, *_: Any, **__: Any) -> dict[str, str]:
        return {"Id": "x"}
