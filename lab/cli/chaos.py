"""`lab chaos run|list`: runs a scenario, and shows which promises hold."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lab.cli import options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lab.chaos import Own, Stage, every
    from lab.chaos.record import Record
    from lab.nemesis.keep import NemesisResult

SEEDS = 10_000
SHOWN = 20  # ids of writes
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
    from lab.chaos import every, load
    from lab.cli import tables
    from lab.nemesis import run as nemesis

    scenarios = [load(path) for path in assets.scenarios().values()]
    rows = [(one.name, f"{one.span:g} s", one.summary) for one in scenarios]
    tables.rows(
        ("SCENARIO", "DURATION", "SUMMARY"),
        [
            *rows,
            (every.NAME, "minutes", every.SUMMARY),
            (NEMESIS, f"{nemesis.ROUND_SECONDS:g} s per round", nemesis.SUMMARY),
        ],
    )


Without = Annotated[
    list[str] | None,
    typer.Option("--without", help="For 'mysql-nemesis': a kind of fault to exclude. May be repeated."),
]
Also = Annotated[
    list[str] | None,
    typer.Option("--also", help="For 'mysql-nemesis': a kind that Galera excludes, to see losses. May be repeated."),
]


@chaos.command()
@options.common(*options.WHERE)
def run(
    choice: options.Choice,
    scenario: Annotated[
        str,
        typer.Argument(help="A file, the name of a shipped scenario ('lab chaos list'), or 'any': all their faults."),
    ],
    seed: Annotated[
        int | None, typer.Option(help="Seed of random choices. It is printed, and kept with the run.")
    ] = None,
    runs: Runs = RUNS,
    rounds: Annotated[
        int | None, typer.Option(min=1, help="For 'mysql-nemesis': number of rounds. Default: 25.")
    ] = None,
    first: Annotated[int | None, typer.Option(min=1, help="For 'mysql-nemesis': number of the first round.")] = None,
    without: Without = None,
    also: Also = None,
    go_on: Annotated[
        bool, typer.Option("--go-on", help="For 'mysql-nemesis': continue after failed rounds, and count them.")
    ] = False,
    ledger: Annotated[
        str | None,
        typer.Option("--ledger", help="A ledger of your own, as FILE.py:CLASS: writes that are read back at the end."),
    ] = None,
    site: Annotated[
        str | None, typer.Option("--site", help="The site or application under load, over the scenario's own.")
    ] = None,
    writes: Annotated[float, typer.Option("--writes", help="Writes per second of --ledger, at most 100.")] = 5.0,
) -> None:
    """Runs a scenario on the existing cluster, or on a new one. Exits with 0 only if every promise holds."""
    if scenario == NEMESIS:
        _refuse_with_nemesis({"--ledger": ledger, "--site": site})
        chosen = secrets.randbelow(SEEDS) if seed is None else seed
        _nemesis(
            {
                "seed": chosen,
                "rounds": rounds or 25,
                "first": first or 1,
                "without": tuple(without or ()),
                "also": tuple(also or ()),
                "go_on": go_on,
            },
            runs,
            choice,
        )
        return
    options_of_nemesis = {"--rounds": rounds, "--first": first, "--without": without, "--also": also, "--go-on": go_on}
    _refuse_nemesis_options(scenario, options_of_nemesis)
    if not _play(choice, scenario, site, seed, runs, _own(ledger, writes)):
        raise typer.Exit(1)


def _play(
    choice: options.Choice, scenario: str, site: str | None, seed: int | None, runs: Path, own: Own | None
) -> bool:
    """Runs a scenario, or every fault, and prints the result; whether all of it holds."""
    from lab.chaos import Stage, every, find, load
    from lab.chaos import run as play
    from lab.cli import screen
    from lab.lifecycle.resolve import timers
    from lab.topology import DEFAULT_FILE

    if choice.file or DEFAULT_FILE.exists():
        choice.cluster()  # a scenario may name promises of its applications
    chosen_scenario = None if scenario == every.NAME else load(find(scenario, (every.NAME, NEMESIS)))
    if chosen_scenario and site:
        chosen_scenario = chosen_scenario.model_copy(update={"site": site})
    choice = choice.with_default(chosen_scenario.topology if chosen_scenario else "full")
    cluster = choice.cluster()
    chosen = secrets.randbelow(SEEDS) if seed is None else seed
    with screen.report() as report:
        target = choice.open(cluster.name)
        stage = Stage(timers(cluster, target), target, report)
        report.say(f"{chosen_scenario.name if chosen_scenario else every.NAME}, seed {chosen}")
        if chosen_scenario:
            record = play(chosen_scenario, stage, chosen, runs, own)
        else:
            rows, excluded = _every(stage, site, chosen, runs, own)
    if chosen_scenario:
        _show(record)
        return record.holds
    _show_every(rows, excluded, runs)
    return all(row.good for row in rows)


def _every(
    stage: Stage, site: str | None, seed: int, runs: Path, own: Own | None
) -> tuple[list[every.Damage], Mapping[str, str]]:
    """Runs every fault; what each did, and which are excluded for which reason."""
    from lab.chaos import every
    from lab.chaos.preflight import preflight
    from lab.services.entrances import named

    plan = preflight(stage.cluster, stage.backend, stage.report).plan
    if site:
        named(plan, site)
    scenarios, excluded = every.scenarios(plan, stage.backend, site)
    seconds = sum(stage.backend.clock.limit(one.span) for one in scenarios)
    stage.report.say(f"{len(scenarios)} faults, at least {seconds / 60:.0f} minutes")
    return list(every.play(scenarios, stage, seed, runs, own)), excluded


def _show_every(rows: Sequence[every.Damage], excluded: Mapping[str, str], runs: Path) -> None:
    """Prints failed requests, the longest outage and lost writes by fault, then the excluded faults."""
    from lab.cli import tables

    shown = [(row.fault, f"{row.failed} of {row.requests}", f"{row.outage:.2f} s", _lost(row)) for row in rows]
    tables.rows(("FAULT", "REQUESTS FAILED", "LONGEST OUTAGE", "WRITES LOST"), shown)
    for row in rows:
        if not row.good:
            print(f"a verdict is not 'holds': {row.fault}: {row.folder / 'report.html'}")
    for fault, why in excluded.items():
        print(f"excluded: {fault} ({why})")
    print(f"each fault is a run in {runs}: 'lab runs list'")


def _lost(row: every.Damage) -> str:
    """The cell of the lost writes: `3 of 94`, `3 stale of 94`, `unknown of 94`; a dash without a ledger."""
    from lab.evidence import Verdict

    if row.verdict is None:
        return "–"
    number = "unknown" if row.verdict is Verdict.UNKNOWN else str(row.bad)
    what = f" {row.verdict.value}" if row.verdict in (Verdict.DUPLICATED, Verdict.STALE) else ""
    return f"{number}{what} of {row.writes}"


def _show(record: Record) -> None:
    from lab.cli import tables

    rows = []
    for one in record.results:
        bound = "" if one.bound is None else f"{one.bound:.2f} s"
        rows.append((one.result.value, one.promise, one.figure, bound))
    tables.rows(("VERDICT", "PROMISE", "MEASURED", "BOUND"), rows)
    for one in record.results:
        if one.ids:
            more = f" and {len(one.ids) - SHOWN} more, in results.json" if len(one.ids) > SHOWN else ""
            print(f"{one.result.value}, {one.promise}: {' '.join(one.ids[:SHOWN])}{more}")
    print(f"{record.folder / 'report.html'}: open it in a browser")


def _own(ledger: str | None, writes: float) -> Own | None:
    """The ledger of the user's own, loaded before the engine is asked for anything."""
    from lab.errors import SpecError
    from lab.evidence import writers
    from lab.evidence.own import FASTEST

    if ledger is None:
        return None
    if not 0 < writes <= FASTEST:
        raise SpecError(f"--writes {writes:g} is not possible", next_step=f"use more than 0, at most {FASTEST:g}")
    from lab.chaos import Own

    return Own(writers.load(ledger), writes)


def _refuse_with_nemesis(values: Mapping[str, object]) -> None:
    from lab.errors import SpecError

    for option, value in values.items():
        if value:
            raise SpecError(f"'{NEMESIS}' has writers of its own and takes no {option}", next_step="omit it")


def _refuse_nemesis_options(scenario: str, values: Mapping[str, object]) -> None:
    from lab.errors import SpecError

    for option, value in values.items():
        if value:
            raise SpecError(f"{option} is an option of '{NEMESIS}', not of '{scenario}'", next_step="omit it")


def _nemesis(values: Mapping[str, Any], runs: Path, choice: options.Choice) -> None:
    from lab.cli import screen
    from lab.lifecycle.resolve import timers
    from lab.nemesis import run as nemesis
    from lab.nemesis.keep import NemesisOptions

    choice = choice.with_default(nemesis.TOPOLOGY)
    cluster = choice.cluster()
    chosen = NemesisOptions(**values)
    nemesis.admit(chosen, cluster)
    place = choice.place()
    with screen.report() as report:
        target = choice.open(cluster.name)
        report.say(f"{NEMESIS}, seed {chosen.seed}")
        result = nemesis.run(chosen, timers(cluster, target), target, place, report, runs)
    _rounds(result)
    if not result.holds:
        raise typer.Exit(1)


def _rounds(result: NemesisResult) -> None:
    """Prints rounds and outages by kind, then failed rounds with the command that repeats each."""
    from lab.cli import tables
    from lab.nemesis.figures import by_kind

    seconds = lambda value: "" if value is None else f"{value:.1f} s"  # noqa: E731  a cell
    titles = ("KIND", "N", "BAD", "SKIP", "UNKNOWN", "OUT", "MIN", "MEDIAN", "MAX", "ROUND")
    rows = []
    for one in by_kind(result.played):
        counts = (str(count) for count in (one.rounds, one.failed, one.skipped, one.unknown, one.outages))
        rows.append((one.kind, *counts, *map(seconds, (one.least, one.median, one.most, one.seconds))))
    tables.rows(titles, rows)
    for kind, why in result.left_out.items():
        print(f"excluded: {kind} ({why})")
    for failed in result.failed:
        print(f"round {failed.number}, {failed.did}")
        for failure in failed.failures:
            print(f"  {failure.check}: {failure.why}")
        print(f"  seed {result.options.seed}; repeat: {result.again(failed)}")
    for hidden in result.undecided:
        print(f"round {hidden.number}, {hidden.did}")
        print(f"  unknown: {hidden.unknown}")
        print(f"  seed {result.options.seed}; repeat: {result.again(hidden)}")
    print(f"{result.record.folder / 'report.html'}: open it in a browser")
