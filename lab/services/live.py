"""What a live page shows of particular roles: the primary, entries to be healed, queues, the age of the last backup."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.backends.base import State
from lab.evidence import probes
from lab.services import backup, mail, mysql, volumes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lab.backends.base import Backend
    from lab.evidence.load_run import Row

BACKUP_STATE = "/var/lib/backup/state.json"
ASK_SECONDS = 5.0


@dataclass(frozen=True)
class Badge:
    """A fact that is shown beside a node.

    Attributes:
        kind: `primary`, `heal`, `queue` or `backup`.
        text: for a person.
        value: entries, messages, or the Unix time of the last backup; 0 for none.
        warn: whether it needs attention.
    """

    kind: str
    text: str
    value: float = 0.0
    warn: bool = False


@dataclass(frozen=True)
class BadgeQuestion:
    """A question to the nodes of a role, at intervals of `seconds`; answers with badges by node."""

    role: str
    seconds: float
    ask: Callable[[Backend], dict[str, list[Badge]]]


def judged(role: str, row: Row) -> tuple[bool, str]:
    """Whether the answer of a node to its probe shows that it serves, and why not."""
    if not probes.good(row):
        return False, _why(row)
    if role == mysql.ROLE:
        reported = _role(row)
        return reported in ("primary", "replica"), "" if reported in ("primary", "replica") else f"is {reported}"
    if "=" in row.value and not probes.members(row.value):
        return False, "no server in its pool"
    return True, ""


def _why(row: Row) -> str:
    if row.status:
        return f"answers with status {row.status}"
    return "no answer to the client" + (f": {row.error}" if row.error and "timed out" not in row.error.lower() else "")


def _role(row: Row) -> str:
    try:
        return str(json.loads(row.value)["role"])
    except (ValueError, KeyError, TypeError):
        return "unknown"


def primary(latest: Mapping[str, Row], roles: Mapping[str, str]) -> str | None:
    """The node that reports to be the primary; None without one.

    Args:
        latest: the last answer by node.
        roles: the role of each node.
    """
    primaries = [
        name
        for name, role in roles.items()
        if role == mysql.ROLE and name in latest and probes.good(latest[name]) and _role(latest[name]) == "primary"
    ]
    return primaries[0] if len(primaries) == 1 else None


def _heals(backend: Backend) -> dict[str, list[Badge]]:
    by_node = {}
    for node, of in volumes.bricks(backend).items():
        heal = sum(int(one.get("heal") or 0) for one in of.values())
        unlike = sum(len(one.get("unlike") or ()) for one in of.values())
        badges = [Badge("heal", f"{heal} to heal", heal, warn=True)] if heal else []
        badges += [Badge("heal", f"{unlike} split-brain", unlike, warn=True)] if unlike else []
        by_node[node] = badges
    return by_node


def _queues(backend: Backend) -> dict[str, list[Badge]]:
    waiting = [message.node for message in mail.queues(backend)]
    return {
        node: [Badge("queue", f"{waiting.count(node)} in queue", waiting.count(node), warn=True)]
        if node in waiting
        else []
        for node in mail.nodes(backend)
    }


def _backups(backend: Backend) -> dict[str, list[Badge]]:
    by_node = {}
    for node in backend.observe().nodes:
        if node.role == backup.ROLE and node.state is State.RUNNING and not node.fixed.by_hand:
            content = backend.run(node.name, ["cat", BACKUP_STATE], seconds=ASK_SECONDS)
            state: dict[str, Any] = json.loads(content.stdout) if content.ok else {}
            good, why = float(state.get("good") or 0), str(state.get("because") or "")
            text = f"last backup failed: {why}" if why else "backup" if good else "no backup yet"
            by_node[node.name] = [Badge("backup", text, good, warn=bool(why))]
    return by_node


QUESTIONS = (
    BadgeQuestion(volumes.ROLE, 5.0, _heals),
    BadgeQuestion(mail.ROLE, 15.0, _queues),
    BadgeQuestion(backup.ROLE, 60.0, _backups),
)
"""The questions to roles whose facts no probe shows."""


@dataclass(frozen=True)
class Switchover:
    """A planned change of the primary: its command line, and what does it; `{target}` is the node that takes over."""

    command: str
    act: Callable[[Backend, str], str]


SWITCHOVERS = {mysql.ROLE: Switchover("lab mysql switchover --to {target}", mysql.switchover)}
"""By the role that has a primary."""
