"""The command's entry: all verbs, and the one place where errors become a screen and an exit code."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from lab import __version__
from lab.cli import (
    backup,
    build,
    chaos,
    compose,
    doctor,
    down,
    enter,
    fault,
    graph,
    heal,
    images,
    load,
    logs,
    mail,
    mysql,
    opened,
    plan,
    power,
    render,
    renew,
    runs,
    schema,
    screen,
    status,
    up,
    user,
    volume,
    xen,
)
from lab.errors import LabError, unusable

INTERRUPTED = 130

app = typer.Typer(
    name="lab",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "LAB"},
)
EVERY_DAY = (up, down, status, plan, enter, logs, power, fault, heal, load, chaos, runs)
PARTS = (mysql, volume, mail, user, backup, opened, renew)
BENEATH = (render, build, images, graph, doctor, schema, compose, xen)


def _version(wanted: bool) -> None:  # noqa: FBT001  the signature is Typer's
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def common(
    _: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """A whole dumb web cluster, real, on one machine. Begin with 'lab up'; 'lab down' removes it."""


for module in EVERY_DAY + PARTS + BENEATH:
    module.register(app)


def _printed(error: Exception) -> int:
    """Shows what Typer says of the command line, or of which file the system says what; returns the exit code.

    Raises:
        Exception: it is neither.
    """
    show = getattr(error, "show", None)
    if show is not None:
        show()
        return int(getattr(error, "exit_code", 2))
    if not isinstance(error, OSError) or error.filename is None:
        raise error
    shown = unusable(error.filename, error, "name another place, or make that one readable and writable for you")
    print(f"lab: {shown}", file=sys.stderr)
    return shown.exit_code


def main() -> None:
    """Runs the command. Exit codes: 0 done, 1 failed, 2 asked for something that can't be, 130 interrupted."""
    screen.any_encoding()
    out = os.dup(1)  # Rich leads the other one elsewhere when nobody reads
    try:
        code = app(standalone_mode=False) or 0
        sys.stdout.flush()  # here a closed pipe is no error yet
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        code = error.exit_code
    except typer.Abort:
        code = INTERRUPTED
    except (BrokenPipeError, SystemExit):  # Typer and Rich raise the latter
        if not screen.reader_gone(out):
            raise
        code = 0
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nobody reads on
    except Exception as error:  # noqa: BLE001  what nobody foresaw is raised again there
        code = _printed(error)
    if code == INTERRUPTED:
        after = "'lab up' goes on from here, 'lab heal' reverts faults, 'lab down' removes what was made"
        print(f"lab: interrupted; {after}", file=sys.stderr)
        # Threads that still wait for the engine must not hold the terminal.
        sys.stdout.flush()
        os._exit(code)
    sys.exit(code)
