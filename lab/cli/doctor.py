"""`lab doctor`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from lab.cli import options


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command()(doctor)


@options.common(*options.COMMON)
def doctor(
    choice: options.Choice,
    fix: Annotated[bool, typer.Option("--fix", help="Install and start what is missing, if possible.")] = False,
    machine: Annotated[
        bool, typer.Option("--machine", help="Check only this machine and its engine, not a topology.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing if all vital checks pass.")] = False,
) -> None:
    """Checks this machine, its engine and a topology, and says what to do about each problem."""
    from lab.backends import backend as make
    from lab.backends import kinds
    from lab.errors import LabError
    from lab.lifecycle import doctor as findings

    place, cluster = choice.place(), choice.cluster_name
    kind = kinds.kind(place.backend)
    if fix:
        kind.ensure(_say)
    results = [findings.home(), *kind.findings()]
    engine = None
    try:
        answering = make(place, cluster)
        results += findings.engine(answering.capabilities())
        engine = answering
    except LabError as error:
        results.append(
            findings.missing_engine(error, vital=kind.vital(place.settings or kinds.defaults(place.backend)))
        )
    if not machine:
        try:
            results += findings.topology(choice.cluster(), engine)
        except LabError as error:
            results.append(findings.no_topology(error))
    lacking = any(finding.vital and not finding.good for finding in results)
    if lacking or not quiet:
        from lab.cli import tables

        tables.findings(results)
    if lacking:
        raise typer.Exit(2)


def _say(line: str) -> None:
    print(line, file=sys.stderr)
