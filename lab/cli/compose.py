"""`lab compose`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.cli import options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.plan import Plan


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
    from lab.lifecycle.resolve import offline
    from lab.plan import plan
    from lab.topology import AUTO

    cluster = choice.cluster()
    if cluster.network == AUTO:
        cluster = cluster.model_copy(update={"network": writer.NETWORK})
    planned = plan(*offline(cluster))
    chosen = writer.secret_files(planned, _secrets(choice, planned, folder)) if secrets else writer.files(planned)
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


def _secrets(choice: options.Choice, plan: Plan, folder: Path) -> Mapping[str, str]:
    """The secrets of the plan; a missing one is read from the files that were written before, where they have it.

    Raises:
        HostError: the cluster runs on an engine too, and has one that is missing, or another one that seals its data.
    """
    from lab.errors import BackendError, HostError
    from lab.export.compose import place
    from lab.lifecycle import lost, secrets

    restored: dict[str, str] = {}
    if secrets.missing(plan):
        files = [(file, folder / place(node, file)) for node in plan.nodes for file in node.files if file.secrets]
        restored = lost.written(plan, ((file, path.read_text("utf-8")) for file, path in files if path.is_file()))
    try:
        backend = choice.open(plan.cluster)
        backend.observe()
    except (HostError, BackendError):
        pass  # Compose may run where no engine can be asked
    else:
        lost.admit(plan, backend, restored)
    return secrets.ensure(plan, restored=restored)
