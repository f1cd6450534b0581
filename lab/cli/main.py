"""The command's entry: all verbs, and the one place where errors become a screen and an exit code."""

from __future__ import annotations

import io
import os
import sys

import typer

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
from lab.errors import LabError, UserError

INTERRUPTED = 130

app = typer.Typer(
    name="lab",
    help="A whole dumb web cluster, real, on one machine. Begin with 'lab up'; 'lab down' removes it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "LAB"},
)
EVERY_DAY = (up, down, status, plan, enter, logs, power, fault, heal, load, chaos, runs)
PARTS = (mysql, volume, mail, user, backup, opened, renew)
BENEATH = (render, build, graph, doctor, schema, compose, xen)
for module in EVERY_DAY + PARTS + BENEATH:
    module.register(app)


def _show_what_can_be_shown() -> None:
    """On a terminal that lacks a character, another one stands for it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _told(error: Exception) -> int:
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
    print(f"lab: {error.filename} can't be used: {error.strerror}\n  where: {error.filename}", file=sys.stderr)
    return UserError.exit_code


def main() -> None:
    """Runs the command. Exit codes: 0 done, 1 failed, 2 asked for something that can't be, 130 interrupted."""
    _show_what_can_be_shown()
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
        code = _told(error)
    if code == INTERRUPTED:
        after = "'lab up' goes on from here, 'lab heal' reverts faults, 'lab down' removes what was made"
        print(f"lab: interrupted; {after}", file=sys.stderr)
        # Threads that still wait for the engine must not hold the terminal.
        sys.stdout.flush()
        os._exit(code)
    sys.exit(code)
