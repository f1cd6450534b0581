"""`lab chaos run|list`: plays a scenario, and says which promises held."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lab.cli import options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.chaos.record import Record
    from lab.nemesis.keep import NemesisResult

SEEDS = 10_000
NEMESIS = "mysql-nemesis"
RUNS = Path("runs")

Runs = Annotated[Path, typer.Option("--runs", envvar="LAB_RUNS", help="The folder of the runs.")]

chaos = typer.Typer(help="Runs scenarios: load, scheduled faults, and the promises to verify.")


def register(app: typer.Typer) -> None:
    """Adds the verbs."""
    app.add_typer(chaos, name="chaos")


@chaos.command("list")
def listed() -> None:
    """Lists the shipped scenarios."""
    from lab import assets
    from lab.chaos import load
    from lab.cli import tables
    from lab.nemesis import run as nemesis

    scenarios = [load(path) for path in assets.scenarios().values()]
    rows = [(one.name, f"{one.span:g} s", one.summary) for one in scenarios]
    tables.rows(
        ("SCENARIO", "TAKES", "WHAT"), [*rows, (NEMESIS, f"{nemesis.ROUND_SECONDS:g} s a round", nemesis.SUMMARY)]
    )


@chaos.command()
def run(
    scenario: Annotated[str, typer.Argument(help="A file, or the name of a shipped scenario ('lab chaos list').")],
    seed: Annotated[
        int | None, typer.Option(help="Seed of random choices. It is printed, and kept with the run.")
    ] = None,
    runs: Runs = RUNS,
    rounds: Annotated[
        int | None, typer.Option(min=1, help="For 'mysql-nemesis': number of rounds. Default: 25.")
    ] = None,
    first: Annotated[int | None, typer.Option(min=1, help="For 'mysql-nemesis': number of the first round.")] = None,
    without: Annotated[
        list[str] | None,
        typer.Option("--without", help="For 'mysql-nemesis': a kind of fault to exclude. May be repeated."),
    ] = None,
    go_on: Annotated[
        bool, typer.Option("--go-on", help="For 'mysql-nemesis': continue after failed rounds, and count them.")
    ] = False,
    file: options.File = None,
    name: options.Name = None,
    backend: options.BackendName = None,
    host: options.Host = None,
) -> None:
    """Runs a scenario on the existing cluster, or on a new one. Exits with 0 only if every promise holds."""
    from lab.backends import backend as make
    from lab.chaos import Stage, find, load
    from lab.chaos import run as play
    from lab.cli import screen
    from lab.lifecycle.resolve import timers
    from lab.topology.loading import DEFAULT_FILE

    if scenario == NEMESIS:
        chosen = secrets.randbelow(SEEDS) if seed is None else seed
        _nemesis(
            {
                "seed": chosen,
                "rounds": rounds or 25,
                "first": first or 1,
                "without": tuple(without or ()),
                "go_on": go_on,
            },
            runs,
            (file, name, backend, host),
        )
        return
    _only_of_the_nemesis(scenario, {"--rounds": rounds, "--first": first, "--without": without, "--go-on": go_on})
    wanted = load(find(scenario))
    topology = file or (None if DEFAULT_FILE.exists() else wanted.topology)
    cluster = options.cluster(topology, name, None, None, None)
    chosen = secrets.randbelow(SEEDS) if seed is None else seed
    with screen.report() as report:
        target = make(options.place(topology, backend, host), cluster.name)
        stage = Stage(timers(cluster, target), target, report)
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


def _only_of_the_nemesis(scenario: str, said: Mapping[str, object]) -> None:
    from lab.errors import SpecError

    for option, value in said.items():
        if value:
            raise SpecError(f"'{scenario}' has no rounds, and {option} is of '{NEMESIS}'", next_step="leave it out")


def _nemesis(said: Mapping[str, Any], runs: Path, where: tuple[str | None, ...]) -> None:
    from lab.backends import backend as make
    from lab.cli import screen
    from lab.lifecycle.resolve import timers
    from lab.nemesis import run as nemesis
    from lab.nemesis.keep import NemesisOptions
    from lab.topology.loading import DEFAULT_FILE

    file, name, backend, host = where
    topology = file or (None if DEFAULT_FILE.exists() else nemesis.TOPOLOGY)
    cluster = options.cluster(topology, name, None, None, None)
    wanted = NemesisOptions(**said)
    nemesis.admit(wanted, cluster)
    place = options.place(topology, backend, host)
    with screen.report() as report:
        target = make(place, cluster.name)
        report.say(f"{NEMESIS}, seed {wanted.seed}")
        told = nemesis.run(wanted, timers(cluster, target), target, place, report, runs)
    _rounds(told)
    if not told.holds:
        raise typer.Exit(1)


def _rounds(told: NemesisResult) -> None:
    """Rounds and outages by kind, then what failed, with the command that plays it again."""
    from lab.cli import tables
    from lab.nemesis.figures import by_kind

    seconds = lambda value: "" if value is None else f"{value:.1f} s"  # noqa: E731  a cell
    titles = ("KIND", "N", "BAD", "SKIP", "OUT", "MIN", "MEDIAN", "MAX", "ROUND")
    rows = []
    for one in by_kind(told.played):
        counts = (str(count) for count in (one.rounds, one.failed, one.skipped, one.outages))
        rows.append((one.kind, *counts, *map(seconds, (one.least, one.median, one.most, one.seconds))))
    tables.rows(titles, rows)
    for kind, why in told.left_out.items():
        print(f"left out: {kind} ({why})")
    for failed in told.failed:
        print(f"round {failed.number}, {failed.did}")
        for failure in failed.failures:
            print(f"  {failure.check}: {failure.why}")
        print(f"  seed {told.wanted.seed}; again: {told.again(failed)}")
    print(f"{told.record.folder / 'report.html'}: open it in a browser")
