"""`lab mysql`: status, switchover, re-cloning of a replica, and a shell."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from lab.cli import options
from lab.cli.enter import become

if TYPE_CHECKING:
    from lab.backends.base import Backend
    from lab.services.mysql import Member

To = Annotated[str, typer.Option("--to", help="The replica that takes over. Default: the one with the longest log.")]


def register(app: typer.Typer) -> None:
    """Adds the verbs."""
    verbs = typer.Typer(help="The MySQL cluster: status, switchover, clones, a shell.", no_args_is_help=True)
    for verb in (status, switchover, reclone, shell):
        verbs.command()(options.on_cluster(verb))
    app.add_typer(verbs, name="mysql")


def status(
    backend: Backend, as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object per node.")] = False
) -> None:
    """Shows role, epoch, position, lag and semi-sync of each node. Exits with 1 if no node is writable."""
    from lab.cli import tables

    members = _members(backend)
    if as_json:
        print(json.dumps([member.json() for member in members], indent=2))
    else:
        tables.rows(
            ("NODE", "ROLE", "EPOCH", "TRANSACTION", "LAG", "SEMI-SYNC", "REASON"), [_row(member) for member in members]
        )
    if not any(member.serves for member in members):
        raise typer.Exit(1)


def switchover(backend: Backend, to: To = "") -> None:
    """Makes another node the primary. Writes are refused for a moment; no transaction is cut off."""
    from lab.services import mysql

    _members(backend)
    chosen = mysql.switchover(backend, options.known_node(backend, to) if to else "")
    print(f"{chosen} is the primary now")


def reclone(backend: Backend, node: options.Node) -> None:
    """Replaces a replica's data by a copy of the primary's, and waits until it replicates."""
    from lab.errors import SpecError
    from lab.hints import nearest
    from lab.services import mysql

    names = [member.name for member in _members(backend)]
    if node not in names:
        raise SpecError(f"'{node}' is not a mysql node; {nearest(node, names)}")
    mysql.reclone(backend, node)
    print(f"{node} replicates, with a copy of the primary's data")


def shell(
    backend: Backend,
    node: Annotated[str, typer.Argument(help="The node. Default: the primary.")] = "",
) -> None:
    """Opens the mariadb client in a node, as root. 'lab mysql shell < FILE' runs a file."""
    from lab.backends.optional import shells

    members = _members(backend)
    serving = next((member.name for member in members if member.serves), members[0].name)
    node = options.running_node(backend, node or serving)
    become(shells(backend).shell(node, ["mariadb"], terminal=sys.stdin.isatty()))


def _members(backend: Backend) -> list[Member]:
    from lab.lifecycle.members import of_role
    from lab.services.mysql import ROLE, members

    of_role(backend, ROLE)
    return members(backend)


def _row(member: Member) -> tuple[str, ...]:
    from lab.services.mysql import EPOCH

    lag = "" if member.lag is None else f"{member.lag:.0f} s"
    role = member.role if member.role != "primary" or member.serves else "primary, closed"
    number = f"{member.position % EPOCH}" if member.position else ""
    return member.name, role, str(member.epoch or ""), number, lag, "on" if member.semi_sync else "", member.reason
