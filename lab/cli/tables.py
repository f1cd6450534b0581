"""The tables that verbs print."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from lab.cli.naming import named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.host.findings import Finding
    from lab.lifecycle.reconcile import Action
    from lab.lifecycle.status import NodeStatus, Status
    from lab.plan.model import Limits

PIPE_WIDTH = 1000
PAST = {"create": "created", "recreate": "recreated", "start": "started", "update": "updated", "remove": "removed"}


def _console() -> Console:
    """Standard output; without wrapping in a pipe."""
    return Console() if sys.stdout.isatty() else Console(width=PIPE_WIDTH)


def summary(changes: Sequence[Action]) -> None:
    """Prints the number of changed nodes by kind of change."""
    counted = Counter(PAST[change.kind.value] for change in changes)
    print(", ".join(f"{count} {word}" for word, count in counted.items()) or "nothing to change")


def status(current: Status, console: Console | None = None) -> None:
    """Prints the nodes and the published addresses."""
    (console or _console()).print(rendered(current))


def rendered(current: Status) -> Group:
    """The status as a renderable."""
    grid = Table(box=None, padding=(0, 2), header_style="bold")
    for title in ("NODE", "ROLE", "STATE", "ADDRESS", "LIMITS", "NOTE"):
        grid.add_column(title, overflow="fold", no_wrap=title in ("NODE", "ADDRESS"))
    for node in current.nodes:
        state = _state(node)
        note = Text("holds the VIP", "cyan") if node.name == current.vip_holder else Text(named(node.reason))
        if node.by_hand and state.plain != "by hand":
            note = Text.assemble("by hand", "; " if note.plain else "", note)
        grid.add_row(node.name, node.role, state, node.address, _limits(node.limits), note)
    heading = Text.assemble(
        ("cluster ", ""),
        (current.cluster, "bold"),
        f" on {current.backend}, {current.family}: ",
        ("ready", "green bold") if current.ready else ("not ready", "red bold"),
    )
    if not current.nodes:
        return Group(Text(named(f"there is no cluster '{current.cluster}'; 'lab up' creates it")))
    lines = [Text.assemble("  ", (f"{entry['name']:<12}", "bold"), entry["url"]) for entry in current.endpoints]
    return Group(heading, grid, *lines)


def _state(node: NodeStatus) -> Text:
    """Its state in one word; neutral where a person does what its services would do."""
    if node.ready:
        return Text("ready", "green")
    if node.state == "running" and node.left_services:
        return Text("by hand")
    return Text("not ready" if node.state == "running" else node.state, "yellow" if node.by_hand else "red")


def _limits(limits: Limits | None) -> str:
    """Memory, processes and processors, such as `512 MiB, 300 processes, 2 CPU`."""
    if limits is None:
        return "no limit"
    parts = (f"{limits.memory} MiB", f"{limits.processes} processes", f"{limits.processors:g} CPU")
    return ", ".join(part for part in parts if not part.startswith("0 "))


def rows(titles: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    """Prints a table of texts."""
    grid = Table(box=None, padding=(0, 2), header_style="bold")
    for place, title in enumerate(titles):
        grid.add_column(title, overflow="fold", no_wrap=place == 0)  # names are copied: never wrapped
    for row in cells:
        grid.add_row(*map(Text, row))
    _console().print(grid)


def actions(planned: Sequence[Action]) -> None:
    """Prints the actions of `up`."""
    rows(("ACTION", "NODE", "REASON"), [(action.kind.value, action.node, action.why) for action in planned])


def findings(entries: Sequence[Finding]) -> None:
    """Prints the findings of `lab doctor`."""
    grid = Table(box=None, padding=(0, 2), show_header=False)
    for _ in range(3):
        grid.add_column(overflow="fold")
    for finding in entries:
        mark = Text("✓", "green") if finding.good else Text("✗", "red bold") if finding.vital else Text("–", "yellow")
        text = finding.detail if finding.good or not finding.way_round else f"{finding.detail}\n{finding.way_round}"
        grid.add_row(mark, finding.subject, text)
    _console().print(grid)
