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
    from lab.lifecycle import ownership
    from lab.lifecycle.members import existing

    try:
        from lab.page.server import serve
    except ModuleNotFoundError as error:
        raise HostError(
            f"the live page needs '{error.name}', which is not installed",
            next_step="pip install 'www-cluster-lab[page]', or 'make up' in a checkout",
        ) from None
    target = choice.open()
    ownership.admit(target, existing(target), noted(target))
    serve(
        target,
        choice.cluster(),
        port=port,
        read_only=read_only,
        open_browser=browser,
        visitors=visitors,
        folder=runs,
        suffix=_suffix(choice),
    )


def _suffix(choice: options.Choice) -> str:
    """The options that say which cluster, as a person would write them."""
    import shlex

    flags = {"-f": choice.file, "-n": choice.name, "--backend": choice.backend, "--host": choice.host}
    return " ".join(f"{option} {shlex.quote(value)}" for option, value in flags.items() if value)
