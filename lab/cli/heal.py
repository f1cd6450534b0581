"""`lab heal`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lab.cli import naming, options

if TYPE_CHECKING:
    from lab.backends.base import Backend


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command()(options.on_cluster(heal))


def heal(
    backend: Backend,
    marks: Annotated[list[str] | None, typer.Argument(help="Marks of the faults. Default: all.")] = None,
) -> None:
    """Reverts active faults, including those of other commands, and verifies that. Changes nothing else."""
    from lab.backends.base import State
    from lab.faults import heal as undo
    from lab.faults import present

    healed = undo(backend, marks or ())
    for injected in healed:
        print(f"{injected.mark} {injected.fault}: reverted")
    if not healed:
        print("no active faults")
    faulty = {name for injected in present(backend) for name in injected.fault.nodes}
    stopped = [node.name for node in backend.observe().nodes if node.state is not State.RUNNING]
    if down := [name for name in stopped if name not in faulty]:
        print(
            naming.named(
                f"not running, and no fault of 'lab fault': {', '.join(down)}; 'lab start {' '.join(down)}' starts them"
            )
        )
