"""`lab page`: the live page of a cluster."""

from __future__ import annotations

from typing import Annotated

import typer

from lab.cli import options
from lab.cli.chaos import RUNS, Runs


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command()(page)


@options.common(*options.WHERE)
def page(
    choice: options.Choice,
    context: typer.Context,
    browser: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    read_only: Annotated[bool, typer.Option("--read-only", help="Show everything, change nothing.")] = False,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of 127.0.0.1. Default: the first free one from 8710 on.")
    ] = None,
    visitors: Annotated[bool, typer.Option(help="Send a gentle load to the site while the page is open.")] = True,
    runs: Runs = RUNS,
) -> None:
    """Serves a live page of the cluster on this machine, until Ctrl-C; prints its address (docs/page.md)."""
    from lab.backends.optional import noted
    from lab.errors import HostError
    from lab.lifecycle import origin, ownership
    from lab.lifecycle.members import existing

    try:
        from lab.page.server import serve
    except ModuleNotFoundError as error:
        raise HostError(
            f"the live page needs '{error.name}', which is not installed",
            next_step="pip install 'www-cluster-lab[page]', or 'make up' in a checkout",
        ) from None
    target = choice.open()
    notes = noted(target)
    ownership.admit(target, existing(target), notes)
    panel = None
    if origin.lesson(notes):
        from lab.learning.panel import LessonPanel

        panel = LessonPanel(target, choice.where, choice.naming(context))
    serve(
        target,
        choice.cluster(),
        panel=panel,
        port=port,
        read_only=read_only,
        open_browser=browser,
        visitors=visitors,
        folder=runs,
        suffix=choice.where,
        named=choice.naming(context).text,
    )
