"""`lab chaos run|list`: plays a scenario, and says which promises held."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.cli import options

if TYPE_CHECKING:
    from lab.chaos.record import Record

SEEDS = 10_000
RUNS = Path("runs")

Runs = Annotated[Path, typer.Option("--runs", envvar="LAB_RUNS", help="The folder that runs are kept in.")]

chaos = typer.Typer(help="Plays scenarios: load, faults on a schedule, and the promises that have to hold.")


def register(app: typer.Typer) -> None:
    """Adds the verbs."""
    app.add_typer(chaos, name="chaos")


@chaos.command("list")
def listed() -> None:
    """Shows the scenarios that ship."""
    from lab import assets
    from lab.chaos import load
    from lab.cli import tables

    made = [load(path) for path in assets.scenarios().values()]
    tables.rows(("SCENARIO", "TAKES", "WHAT"), [(one.name, f"{one.span:g} s", one.summary) for one in made])


@chaos.command()
def run(
    scenario: Annotated[str, typer.Argument(help="A file, or the name of one that ships ('lab chaos list').")],
    seed: Annotated[int | None, typer.Option(help="What chance decides by; printed, and kept with the run.")] = None,
    runs: Runs = RUNS,
    file: options.File = None,
    name: options.Name = None,
    backend: options.BackendName = None,
    host: options.Host = None,
) -> None:
    """Plays a scenario on the cluster that is there, or makes one. Exits 0 only when every promise holds."""
    from lab.backends import backend as make
    from lab.chaos import Stage, find, load
    from lab.chaos import run as play
    from lab.cli import screen
    from lab.lifecycle.resolve import timers
    from lab.spec.loading import DEFAULT_FILE

    wanted = load(find(scenario))
    topology = file or (None if DEFAULT_FILE.exists() else wanted.topology)
    cluster = options.cluster(topology, name, None, None, None)
    chosen = secrets.randbelow(SEEDS) if seed is None else seed
    with screen.report() as report:
        made = make(options.place(topology, backend, host), cluster.name)
        stage = Stage(timers(cluster, made), made, report)
        report.say(f"{wanted.name}, seed {chosen}")
        kept = play(wanted, stage, chosen, runs)
    _shown(kept)
    if not kept.holds:
        raise typer.Exit(1)


def _shown(kept: Record) -> None:
    from lab.cli import tables

    rows = []
    for one in kept.results:
        bound = "" if one.bound is None else f"{one.bound:.2f} s"
        rows.append((one.result.value, one.promise, one.figure, bound))
    tables.rows(("VERDICT", "PROMISE", "SEEN", "FORMULA"), rows)
    print(f"{kept.folder / 'report.html'}: open it in a browser")
