"""`lab runs list|show|compare`: results of earlier runs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from lab.cli.chaos import RUNS, Runs

runs = typer.Typer(help="Shows and compares finished runs.", no_args_is_help=True)
Which = Annotated[str, typer.Argument(help="A run's folder, the beginning or end of its name, or 'last'.")]


def register(app: typer.Typer) -> None:
    """Adds the verbs."""
    app.add_typer(runs, name="runs")


@runs.command("list")
def listed(folder: Runs = RUNS) -> None:
    """Lists the runs, newest last."""
    from lab.cli import tables

    rows = []
    for path in _folders(folder):
        results = _results(path)
        verdict = "not finished" if results is None else "holds" if results["holds"] else "does not hold"
        failed = "" if results is None else f"{results['requests']['failed']} of {results['requests']['count']} failed"
        rows.append((path.name, verdict, failed))
    tables.rows(("RUN", "VERDICT", "REQUESTS"), rows)


@runs.command()
def show(which: Which = "last", folder: Runs = RUNS) -> None:
    """Shows the result of each promise in a run."""
    from lab.cli import tables

    path = _find(folder, which)
    results = _whole(path)
    when = datetime.fromtimestamp(results["begun"], tz=UTC)
    print(
        f"{results['name']} on {results['versions']['backend']}, {when:%Y-%m-%d %H:%M:%S} UTC, seed {results['seed']}"
    )
    rows = [(one["result"], one["promise"], one["figure"]) for one in results["promises"]]
    tables.rows(("VERDICT", "PROMISE", "MEASURED"), rows)
    print(f"{path / 'report.html'}: open it in a browser")


@runs.command()
def compare(first: Which, second: Which, folder: Runs = RUNS) -> None:
    """Compares two runs: promises, figures, response times."""
    from lab.cli import tables

    paths = _find(folder, first), _find(folder, second)
    one, other = (_whole(path) for path in paths)
    verdicts = [{p["promise"]: p for p in run["promises"]} for run in (one, other)]
    names = dict.fromkeys([*verdicts[0], *verdicts[1]])
    rows = [(name, *(_figure(run.get(name)) for run in verdicts)) for name in names]
    rows.append(("requests failed", *(f"{t['requests']['failed']} of {t['requests']['count']}" for t in (one, other))))
    shares = one["requests"]["percentiles"]
    rows += [(f"{share} % answered in", *(_within(run, share) for run in (one, other))) for share in shares]
    tables.rows(("", *(path.name for path in paths)), rows)


def _within(results: dict[str, Any], share: str) -> str:
    time = results["requests"]["percentiles"].get(share)
    return "" if time is None else f"{time * 1000:.1f} ms"


def _figure(promise: dict[str, Any] | None) -> str:
    return "not tested" if promise is None else f"{promise['result']}: {promise['figure']}"


def _folders(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob("*/run.json"))


def _find(folder: Path, which: str) -> Path:
    from lab.errors import SpecError

    if (Path(which) / "run.json").is_file():
        return Path(which)
    folders = _folders(folder)
    if not folders:
        raise SpecError("there is no run", where=str(folder), next_step="'lab chaos run web-node-dies' creates one")
    if which == "last":
        return folders[-1]
    matches = [
        path for path in folders if path.name == which or path.name.startswith(which) or path.name.endswith(which)
    ]
    if len(matches) != 1:
        raise SpecError(
            f"{len(matches)} runs match '{which}'", where=str(folder), next_step="'lab runs list' shows all"
        )
    return matches[0]


def _results(path: Path) -> dict[str, Any] | None:
    file = path / "results.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def _whole(path: Path) -> dict[str, Any]:
    from lab.errors import SpecError

    results = _results(path)
    if results is None:
        raise SpecError("the run was not completed", where=str(path), next_step="run its scenario again")
    return results
