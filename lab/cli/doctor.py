"""`lab doctor`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from lab.cli import options


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command()(doctor)


def doctor(
    backend: options.BackendName = None,
    host: options.Host = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Install and start what is missing, where that is possible.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print nothing while all that is vital is here.")
    ] = False,
) -> None:
    """Looks at what this machine has and lacks; each with the reason and the way round."""
    from lab.backends import backend as make
    from lab.errors import LabError
    from lab.lifecycle import doctor as findings

    place = options.place(None, backend, host)
    if fix:
        from lab.backends.docker.install import ensure

        ensure(lambda line: print(line, file=sys.stderr))
    found = findings.host()
    if place.backend == "xen":
        from lab.nested import tools

        if fix:
            tools.ensure(lambda line: print(line, file=sys.stderr))
        found += tools.findings()
    try:
        found += findings.engine(make(place, options.DEFAULT_NAME).capabilities())
    except LabError as error:
        # A nested Xen host that is not booted yet is nothing that is lacking.
        found.append(findings.missing_engine(error, vital=place.backend != "xen" or place.xen.host is not None))
    lacking = any(finding.vital and not finding.good for finding in found)
    if lacking or not quiet:
        from lab.cli import tables

        tables.findings(found)
    if lacking:
        raise typer.Exit(2)
