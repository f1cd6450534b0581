"""State of the mysql nodes as their keepers report it, switchover and re-cloning."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from lab import parallel
from lab.backends.base import State
from lab.errors import BackendError, LabError, SpecError

if TYPE_CHECKING:
    from lab.backends.base import Backend, Result

ROLE, PRIMARY, GONE = "mysql", "primary", "gone"
STATE = "http://127.0.0.1:9104/state"
CONTROL = ["--unix-socket", "/run/lab/keeper.sock", "--request", "POST"]
STATE_SECONDS, CONTROL_SECONDS = 3.0, 60.0
MARGIN_SECONDS = 2.0  # of the command, above the limit of its request
RECLONE_SECONDS = 600.0
EPOCH = 10**12
"""Each epoch's transactions are numbered from its own multiple of this (docs/decisions/024)."""


@dataclass(frozen=True)
class Member:
    """A mysql node.

    Attributes:
        role: `primary`, `replica`, `promoting`, `down`; `gone` if the node or its keeper does not answer.
        serves: whether writes go to it.
        position: sequence number of the last transaction in its log.
        lag: seconds that a replica is behind the primary.
        semi_sync: whether a primary waits for acknowledgements, or a replica sends them.
        reason: why it does not serve or replicate as it should; empty where it does.
        copies: how often its data was replaced by a copy since its keeper started.
    """

    name: str
    role: str
    serves: bool = False
    epoch: int = 0
    position: int = 0
    lag: float | None = None
    semi_sync: bool = False
    reason: str = ""
    copies: int = 0

    def json(self) -> dict[str, Any]:
        """The documented form (docs/status.md); `because` is the name of `reason` before 0.2, removed in 0.3."""
        return {**asdict(self), "because": self.reason}

    @property
    def follows(self) -> bool:
        """Whether it replicates, and reports no problem."""
        return self.role == "replica" and self.lag is not None and not self.reason


def members(backend: Backend) -> list[Member]:
    """All mysql nodes of the cluster, with their current state."""
    nodes = [node for node in backend.observe().nodes if node.role == ROLE]
    by_name: dict[str, Member] = {}

    def ask(name: str) -> None:
        by_name[name] = _member(backend, name)

    parallel.for_each([node.name for node in nodes if node.state is State.RUNNING], ask)
    return [by_name.get(node.name, Member(node.name, GONE, reason=f"is {node.state.value}")) for node in nodes]


def _member(backend: Backend, name: str) -> Member:
    try:
        result = _response(backend, name, STATE_SECONDS, STATE)
        state: dict[str, Any] = json.loads(result.stdout)
    except (LabError, ValueError):
        return Member(name, GONE, reason="its keeper does not answer")
    epoch = int(state["epoch"]) or int(state["position"]) // EPOCH
    return Member(
        name,
        state["role"],
        state["serves"],
        epoch,
        state["position"],
        state["lag"],
        state["semi_sync"],
        state["because"],
        state.get("copies", 0),
    )


def _response(backend: Backend, name: str, seconds: float, *words: str) -> Result:
    """A request to a node's keeper, within `seconds` of an ordinary processor."""
    argv = ["curl", "-sS", "--max-time", backend.clock.option(seconds), *words]
    return backend.run(name, argv, seconds=seconds + MARGIN_SECONDS)


def primary(backend: Backend) -> str:
    """The primary.

    Raises:
        SpecError: there is none at the moment.
    """
    serving = _serving(backend)
    if len(serving) != 1:
        raise SpecError("there is no primary at the moment", next_step="'lab mysql status' shows the reason")
    return serving[0]


def switchover(backend: Backend, to: str) -> str:
    """Changes the primary without losing a transaction; returns the new one.

    Raises:
        BackendError: the nodes refused; carries their reason.
        SpecError: there is no primary, or `to` is the primary.
    """
    serving = primary(backend)
    if to == serving:
        raise SpecError(
            f"{to} is already the primary",
            next_step="name another node with --to, or omit it to select the replica with the longest log",
        )
    answer = _control(backend, serving, f"/switchover?to={to}")
    if not answer["done"]:
        raise BackendError(
            f"{to or 'another node'} did not take over from {serving}: {answer['because']}",
            where="mysql",
            next_step="'lab mysql status' shows the primary",
        )
    return str(answer["primary"])


def reclone(backend: Backend, name: str) -> None:
    """Replaces a replica's data by a copy of the primary's; returns when the node replicates.

    Raises:
        BackendError: the node refused, or was elected the primary; carries the reason.
        NotReady: the node did not replicate in time.
        SpecError: the node is the primary.
    """
    before = request_copy(backend, name)
    last = before

    def copied() -> Member:
        nonlocal before, last
        now = _member(backend, name)
        if now.role != GONE:
            if now.copies < last:  # its keeper restarted and counts from 0; the request is lost
                before = request_copy(backend, name)
            last = now.copies
        return now

    now = backend.clock.until(
        f"{name} to follow with a new copy ('lab mysql status' says how far it is)",
        RECLONE_SECONDS,
        copied,
        lambda now: now.role == PRIMARY or (now.follows and now.copies > before),
    )
    if now.role == PRIMARY:  # it has forgotten the request
        raise BackendError(f"{name} is not cloned: it was elected the primary", where=name, next_step=_next_step(name))


def request_copy(backend: Backend, name: str) -> int:
    """Requests a copy of the primary's data for a node; returns its number of earlier copies.

    Raises:
        BackendError: the node refused; carries its reason.
        SpecError: the node is the primary.
    """
    if name in _serving(backend):
        raise SpecError(
            f"{name} is the primary, which is the source of copies",
            next_step=_next_step(name),
        )
    answer = _control(backend, name, "/reclone")
    if not answer["done"]:
        raise BackendError(f"{name} is not cloned: {answer['because']}", where=name)
    return int(answer["copies"])


def _next_step(name: str) -> str:
    """After a refusal to copy the primary."""
    return f"run 'lab mysql switchover', then 'lab mysql reclone {name}'"


def _serving(backend: Backend) -> list[str]:
    return [member.name for member in members(backend) if member.serves]


def _control(backend: Backend, name: str, path: str) -> dict[str, Any]:
    next_step = f"'lab status' shows whether {name} runs; 'lab start {name}' starts or resumes it"
    try:
        result = _response(backend, name, CONTROL_SECONDS, *CONTROL, f"http://keeper{path}")
    except BackendError as error:
        raise BackendError(f"{name} can't be asked: {error.what}", where=name, next_step=next_step) from error
    if not result.ok:
        raise BackendError(f"the keeper of {name} does not answer: {result.last_line}", where=name, next_step=next_step)
    return dict(json.loads(result.stdout))
