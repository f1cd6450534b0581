"""A backend of plain values: what the lifecycle does, seen without an engine. A test says which command fails."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lab.backends.base import LASTING, Capabilities, Existing, Observed, Result, State, volume
from lab.clock import REAL
from lab.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from lab.building.trial import Trial
    from lab.plan import NodePlan, Plan
    from lab.recipes import Recipe


class MemoryBackend:
    """A cluster in a dictionary.

    Attributes:
        done: what was asked of the engine, in order, as `verb node`.
        modes: those of the files that were put there, by node and path.
        answers: exit code and output of a command by its first word; default: 0 and no output.
    """

    name = "memory"
    clock = REAL

    def __init__(self, cluster: str, capabilities: Capabilities | None = None) -> None:
        self.cluster = cluster
        self.done: list[str] = []
        self.answers: dict[str, tuple[int, str]] = {}
        self.files: dict[str, dict[str, bytes]] = {}
        self.modes: dict[str, dict[str, int]] = {}
        self.built: list[str] = []
        self._capabilities = capabilities or Capabilities("memory")
        self._nodes: dict[str, Observed] = {}
        self._shared = Existing()
        self._volumes: frozenset[str] = frozenset()
        self._notes: dict[str, str] = {}

    def capabilities(self) -> Capabilities:
        return self._capabilities

    def observe(self) -> Existing:
        if not self._nodes:
            return Existing(data=bool(self._volumes), volumes=self._volumes)
        shared = self._shared
        return Existing.of(
            self._nodes.values(),
            network=shared.network,
            vip=shared.vip,
            family=shared.family,
            data=bool(self._volumes),
            volumes=self._volumes,
        )

    def clusters(self) -> Mapping[str, Existing]:
        return {self.cluster: replace(self.observe(), data=False, volumes=None)} if self._nodes else {}

    def has_base_image(self, family: str, seconds: float) -> bool:
        return family == "debian" and seconds > 0

    def build(
        self, recipes: Sequence[Recipe], report: Callable[[str, str], None], trial: Callable[[str], Trial]
    ) -> None:
        del trial  # nothing is built that could fail
        for recipe in recipes:
            if recipe.tag not in self.built:
                report(recipe.role, "built")
                self.built.append(recipe.tag)

    def create(self, plan: Plan, node: NodePlan, files: Mapping[str, tuple[bytes, int]]) -> None:
        if node.name in self._nodes:
            raise BackendError(f"{node.name} exists already", where=node.name)
        self._nodes[node.name] = Observed(node.fixed, State.CREATED, node.limits)
        self._shared = Existing((), str(plan.network.cidr), plan.vip, plan.family)
        self._volumes |= {volume(node.name, key) for key in node.volumes}
        self.done.append(f"create {node.name}")
        self.put(node.name, files)

    def start(self, node: str) -> None:
        self._become(node, State.RUNNING, "start")

    def stop(self, node: str) -> None:
        self._become(node, State.STOPPED, "stop")

    def kill(self, node: str) -> None:
        self._become(node, State.STOPPED, "kill")

    def pause(self, node: str) -> None:
        self._become(node, State.PAUSED, "pause")

    def remove(self, node: str) -> None:
        self._nodes.pop(node)
        self.files.pop(node, None)
        self.modes.pop(node, None)
        self.done.append(f"remove {node}")

    def clear(self, *, volumes: bool, keep: Sequence[str] = ()) -> Sequence[str]:
        stays = not volumes or bool(keep)
        self._notes = {key: text for key, text in self._notes.items() if stays and key.startswith(LASTING)}
        if volumes:
            self._volumes = frozenset(name for name in self._volumes if name.startswith(tuple(keep)))
        self.done.append(" ".join([f"clear volumes={volumes}", *keep]))
        return ()

    def run(self, node: str, argv: Sequence[str], *, seconds: float = 30) -> Result:
        if self._nodes[node].state is not State.RUNNING:
            raise BackendError(f"{node} is not running", where=node)
        self.done.append(f"run {node} {argv[0].rpartition('/')[2]}")
        rc, output = self.answers.get(argv[0].rpartition("/")[2], (0, ""))
        return Result(node, tuple(argv), rc if seconds > 0 else 124, output, "")

    def run_in_network(self, node: str, argv: Sequence[str], *, seconds: float = 30) -> Result:
        return self.run(node, argv, seconds=seconds)

    def put(self, node: str, files: Mapping[str, tuple[bytes, int]]) -> None:
        self.files.setdefault(node, {}).update({path: content for path, (content, _) in files.items()})
        self.modes.setdefault(node, {}).update({path: mode for path, (_, mode) in files.items()})
        self.done.append(f"put {node}")

    def get(self, node: str, path: str) -> bytes | None:
        return self.files.get(node, {}).get(path)

    def note(self, key: str, text: str | None) -> None:
        self._notes.pop(key, None)
        if text is not None:
            self._notes[key] = text

    def notes(self) -> Mapping[str, str]:
        return dict(self._notes)

    def logs(self, node: str, *, follow: bool = False, tail: int | None = None) -> Iterator[str]:
        lines = [entry for entry in self.done if entry.endswith(f" {node}") and not follow]
        yield from lines if tail is None else lines[-tail:]

    def shell(self, node: str, argv: Sequence[str], *, terminal: bool) -> list[str]:
        del terminal
        return ["echo", node, *argv]

    def endpoint(self, port: int) -> str:
        return f"127.0.0.1:{port}"

    def forget(self, node: str) -> None:
        """Makes a node look as if it had been created from other settings."""
        observed = self._nodes[node]
        self._nodes[node] = replace(observed, fixed=replace(observed.fixed, sysctls={"another": "1"}))

    def prune(self, name: str) -> None:
        """Removes a volume, as a person may at the engine once no node has it."""
        self._volumes -= {name}

    def _become(self, node: str, state: State, verb: str) -> None:
        self._nodes[node] = replace(self._nodes[node], state=state)
        self.done.append(f"{verb} {node}")
