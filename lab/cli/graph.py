"""`lab graph`."""

from __future__ import annotations

from typing import Annotated

import typer

from lab.cli import options


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command()(graph)


@options.common("file", "name", "scale")
def graph(
    choice: options.Choice,
    form: Annotated[str, typer.Option("--format", help="Output format: mermaid, dot or svg.")] = "mermaid",
) -> None:
    """Prints a picture of the topology. Needs no engine."""
    from lab.errors import SpecError
    from lab.export.graph import FORMATS
    from lab.hints import nearest
    from lab.lifecycle.resolve import offline
    from lab.plan import plan

    if form not in FORMATS:
        raise SpecError(f"--format {form}: there is no such format; {nearest(form, list(FORMATS))}")
    print(FORMATS[form](plan(*offline(choice.cluster()))))
