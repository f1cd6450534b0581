"""`lab compose`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lab.cli import options


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command()(compose)


@options.common("file", "name", "family")
def compose(
    choice: options.Choice,
    folder: Annotated[
        Path, typer.Option("--dir", help="The folder of the document; the nodes' files are written there.")
    ] = Path("compose"),
    secrets: Annotated[bool, typer.Option("--secrets", help="Write only the files that contain secrets.")] = False,
) -> None:
    """Writes the topology for Docker Compose: the document to standard output, the nodes' files to a folder."""
    from lab import private
    from lab.export import compose as writer
    from lab.lifecycle import secrets as store
    from lab.lifecycle.resolve import offline
    from lab.plan import plan
    from lab.topology import AUTO

    cluster = choice.cluster()
    if cluster.network == AUTO:
        cluster = cluster.model_copy(update={"network": writer.NETWORK})
    planned = plan(*offline(cluster))
    chosen = writer.secret_files(planned, store.ensure(planned)) if secrets else writer.files(planned)
    for place, text in chosen.items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        if secrets:
            private.close(path.parent, below=folder)
        path.touch(mode=0o600 if secrets else 0o644)
        path.write_text(text, encoding="utf-8")  # in place: a running container has this file mounted
        if secrets:
            path.chmod(writer.mode(planned, place))
    if not secrets:
        print(writer.document(planned), end="")
