"""`lab images`: images and Xen disks of the lab on this machine, and removal of unused ones."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

MEBI = 1 << 20


def register(app: typer.Typer) -> None:
    """Adds the verbs."""
    verbs = typer.Typer(help="Images and Xen disks of the lab.", no_args_is_help=True)
    verbs.command("list")(show)
    verbs.command()(prune)
    app.add_typer(verbs, name="images")


def show(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Lists images and disks with size and use."""
    from lab import engine
    from lab.building import stock
    from lab.cli import tables

    with engine.connected(engine.REQUEST_SECONDS) as api:
        images, layers = stock.stock(api), stock.layers(api)
    if as_json:
        print(json.dumps([asdict(one) for one in images], indent=2))
        return
    tables.rows(("NAME", "MiB", "USE"), [(one.name, str(one.size // MEBI), one.why or "unused") for one in images])
    unused = [one for one in images if not one.why]
    print(f"{len(images)} in total, {len(unused)} unused; the engine's layers take {layers // MEBI} MiB")
    if unused:
        print("'lab images prune' removes the unused ones")


def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would be removed.")] = False,
) -> None:
    """Removes the lab's images and disks of other versions that no node uses."""
    from lab import engine
    from lab.building import stock

    with engine.connected(engine.REQUEST_SECONDS) as api:
        if dry_run:
            for one in stock.stock(api):
                if not one.why:
                    print(one.name)
            return
        before = stock.layers(api)
        gone = stock.prune(api)
        freed = before - stock.layers(api)
    disks = sum(one.size for one in gone if not one.tags)
    print(f"removed {len(gone)}: {freed // MEBI} MiB of layers, {disks // MEBI} MiB of disks")
