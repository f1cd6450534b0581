"""`lab volume`: bricks of the shared volumes, pending heals, and files whose copies contradict each other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lab.cli import naming, options

if TYPE_CHECKING:
    from lab.backends.base import Backend
    from lab.services.unlike import Copy


def register(app: typer.Typer) -> None:
    """Adds the verbs."""
    verbs = typer.Typer(help="The shared filesystem's volumes.", no_args_is_help=True)
    verbs.command()(options.on_cluster(status))
    verbs.command("heal-info")(options.on_cluster(heal_info))
    verbs.command()(options.on_cluster(mend))
    app.add_typer(verbs, name="volume")


def status(backend: Backend, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Shows the brick of each volume on each storage node, and pending heals. Exits with 1 if a problem exists."""
    from lab.cli import tables
    from lab.lifecycle.members import of_role
    from lab.services.volumes import ROLE, bricks

    nodes = [node.name for node in of_role(backend, ROLE)]
    by_node = bricks(backend)
    if as_json:
        print(json.dumps(by_node, indent=2))
    else:
        volumes = sorted({volume for of in by_node.values() for volume in of})
        cell = {(n, v): _brick(row) for n, of in by_node.items() for v, row in of.items()}
        table = [(volume, *(cell.get((node, volume), "no answer") for node in nodes)) for volume in volumes]
        tables.rows(("VOLUME", *nodes), table)
    rows = [row for of in by_node.values() for row in of.values()]
    if len(by_node) < len(nodes) or not all(row["brick"] and not row["heal"] for row in rows):
        raise typer.Exit(1)


def heal_info(backend: Backend, volume: Annotated[str, typer.Argument(help="The volume, such as www.")]) -> None:
    """Lists pending heals as reported by GlusterFS, and files of which no copy is known to be right."""
    from lab.services import unlike, volumes

    print(volumes.heal_info(backend, volume))
    _list(unlike.split_brains(backend, volume), volume)


def mend(
    backend: Backend,
    volume: Annotated[str, typer.Argument(help="The volume, such as www.")],
    paths: Annotated[list[str] | None, typer.Argument(help="The files, as listed. Default: all.")] = None,
    copy: Annotated[
        str, typer.Option(help="The storage node with the right copy, or 'latest' for the one written last.")
    ] = "",
) -> None:
    """Lists the files of which no copy is known to be right; with --copy, takes that copy on all storage nodes."""
    from lab.errors import BackendError, LabError, SpecError
    from lab.services import unlike

    copies = unlike.split_brains(backend, volume)
    if not copy:
        if paths:
            raise SpecError("no copy is chosen", next_step="add --copy NODE or --copy latest")
        _list(copies, volume)
        raise typer.Exit(1 if copies else 0)
    failed: list[LabError] = []
    for path in paths or copies:
        try:
            chosen = unlike.mend(backend, volume, path, copy)
        except LabError as error:
            failed.append(error)
            continue
        print(f"{path}: took the copy of {chosen.node}, {chosen}; the others are kept in {unlike.KEPT} of their nodes")
    if len(failed) == 1:
        raise failed[0]
    if failed:
        raise BackendError("\n".join(str(error) for error in failed), where=volume)


def _list(copies: dict[str, list[Copy]], volume: str) -> None:
    from lab.cli import tables

    if not copies:
        print(f"{volume}: no files with contradicting copies")
        return
    rows = [(path, one.node, str(one)) for path, of in copies.items() for one in of]
    rows += [(path, "none", "no node has a copy by that path") for path, of in copies.items() if not of]
    tables.rows(("FILE", "NODE", "COPY"), sorted(rows))
    text = f"'lab volume mend {volume} FILE --copy NODE' takes that node's copy, '--copy latest' the one written last"
    print(naming.named(text))


def _brick(row: dict[str, Any]) -> str:
    state = "up" if row["brick"] else "down"
    text = f"{state}, {row['heal']} to heal" if row["heal"] else state
    return f"{text}, {len(unlike)} to mend" if (unlike := row.get("unlike")) else text
