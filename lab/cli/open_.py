"""`lab open`."""

from __future__ import annotations

from typing import Annotated

import typer

from lab.cli import options


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command("open")(addresses)


@options.common(*options.WHERE)
def addresses(
    choice: options.Choice,
    ca: Annotated[bool, typer.Option("--ca", help="Print the CA certificate to trust, in PEM.")] = False,
) -> None:
    """Prints the addresses of the cluster on this machine, and the password of the statistics page."""
    from lab.backends.optional import noted
    from lab.errors import SpecError
    from lab.lifecycle import ownership, secrets
    from lab.lifecycle.status import endpoints

    target = choice.open()
    cluster, existing = target.cluster, target.observe()
    ownership.admit(target, existing, noted(target))
    if ca:
        certificate = secrets.known(cluster, "ca-certificate")
        if certificate is None:
            raise SpecError(f"the cluster '{cluster}' has no CA yet", next_step="'lab up' creates it")
        print(certificate)
        return
    entries = endpoints(existing)
    if not entries:
        raise SpecError(f"there is no cluster '{cluster}', or it publishes no port", next_step="run 'lab up'")
    for entry in entries:
        print(f"{entry['name']:<10} {entry['url']}")
    password = secrets.known(cluster, "stats-password")
    if password and any(entry["name"] == "stats" for entry in entries):
        print(f"{'':<10} (stats: user 'lab', password '{password}')")
