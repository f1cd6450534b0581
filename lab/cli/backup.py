"""`lab backup`: creates, lists, checks and restores backups, and rehearses a restore."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lab.cli import options

if TYPE_CHECKING:
    from lab.backends.base import Backend

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
At = Annotated[
    str,
    typer.Option(
        "--at",
        metavar="TIME",
        help="Restore the database to a point in time: 2026-03-01T14:05, 14:05:30 (today), or Unix seconds.",
    ),
]
Chosen = Annotated[str, typer.Option("--snapshot", metavar="ID", help="Which backup. Default: the newest.")]
Only = Annotated[
    str,
    typer.Option("--only", metavar="PART", help="Restore only mysql, one volume such as www, or a site: site:blog."),
]
KILO = 1024
SHOWN = 5


def register(app: typer.Typer) -> None:
    """Adds the verbs."""
    verbs = typer.Typer(help="Backups: databases and shared volumes.", no_args_is_help=True)
    verbs.command("list")(options.on_cluster(list_))
    for verb in (now, check, restore, drill):
        verbs.command()(options.on_cluster(verb))
    app.add_typer(verbs, name="backup")


def now(backend: Backend, as_json: Json = False) -> None:
    """Creates a backup."""
    from lab.services import backup

    result = backup.now(backend)
    if as_json:
        print(json.dumps(result, indent=2))
        return
    print(f"backup {result['id']} of {_text(result['time'])}: {_has(result['has'])}")
    print(f"{_size(result['bytes'])}, {_size(result['new_bytes'])} of them new; {result['seconds']:.1f} s")
    if result["moving"]:
        print(f"modified during the copy, and saved in the state that was read: {_some(result['moving'])}")


def list_(backend: Backend, as_json: Json = False) -> None:
    """Lists the backups, and up to which time the binary log extends each."""
    from lab.cli import tables
    from lab.services import backup

    backups = backup.backups(backend)
    if as_json:
        print(json.dumps([asdict(one) for one in backups], indent=2))
        return
    rows = [(one.id, _text(one.time), one.position, _text(one.reach) if one.reach else "") for one in backups]
    tables.rows(("ID", "TIME", "GTID", "LOG UP TO"), rows)


def check(backend: Backend) -> None:
    """Reads the whole repository. Exits with 1 if it is damaged."""
    from lab.services import backup

    result = backup.check(backend)
    print(f"{result['backups']} backups, {_size(result['bytes'])}: no damage")


def restore(
    backend: Backend,
    snapshot: Chosen = "",
    at: At = "",
    only: Only = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Replaces the cluster's data by a backup. Asks for confirmation unless --yes is given."""
    from lab.errors import SpecError
    from lab.lifecycle.lock import held
    from lab.services import backup

    moment = _moment(at)
    if not yes:
        if not sys.stdin.isatty():
            raise SpecError("the cluster's data would be lost", where="lab backup restore", next_step="add --yes")
        part = only or "all databases and volumes"
        typer.confirm(
            f"{part} of '{backend.cluster}' will be replaced; all later changes are lost. Continue?", abort=True
        )
    from lab.cli import screen

    with screen.report() as report, held(backend.cluster, "lab backup restore", report):
        result = backup.restore(backend, snapshot=snapshot, at=moment, only=only)
    print(f"restored {_restored(result)}; {result['seconds']:.1f} s")
    if result["changed"]:
        print(f"modified since the restore: {_some(result['changed'])}")


def drill(backend: Backend, snapshot: Chosen = "", at: At = "", only: Only = "", as_json: Json = False) -> None:
    """Restores into a temporary place, compares the result with the backup's checksums, and removes it."""
    from lab.services import backup

    result = backup.drill(backend, snapshot=snapshot, at=_moment(at), only=only)
    if as_json:
        print(json.dumps(result, indent=2))
        return
    points = ", ".join(f"{what} of {seconds:.0f} s ago" for what, seconds in result["recovery_point"].items())
    print(f"verified {_restored(result)}")
    print(f"recovery point: {points}; recovery time: {result['seconds']:.1f} s")


def _restored(result: dict[str, Any]) -> str:
    played = f", and {result['played']} later transactions" if result["played"] else ""
    return f"{_has(result['has'])} of backup {result['snapshot']}{played}"


def _has(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count or what == "rows")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _moment(text: str) -> float:
    from lab.topology import units

    return units.moment(text, time.time()) if text else 0.0


def _text(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < KILO:
            return f"{count:.0f} {unit}"
        count /= KILO
    return f"{count:.1f} GiB"
