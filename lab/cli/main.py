"""Entry point of the command: all verbs, and the only place where errors become messages and exit codes."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core

from lab import __version__
from lab.cli import (
    INTERRUPTED,
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
    learn,
    load,
    logs,
    mail,
    mysql,
    naming,
    open_,
    page,
    plan,
    power,
    render,
    renew,
    runs,
    schema,
    screen,
    site,
    status,
    up,
    user,
    volume,
    xen,
)
from lab.errors import LabError, unusable

SIGNALLED = 128
ENDING = (signal.SIGTERM, signal.SIGHUP)
UNWRITABLE = (errno.ENOSPC, errno.EIO, errno.EBADF, errno.EDQUOT)


class _Verbs(typer.core.TyperGroup):
    """All verbs. Typer turns Ctrl-C into an exit code and loses its notes; an `Abort` with this cause is passed on."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401  Typer has a copy of click, or uses it
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise typer.Abort from error


app = typer.Typer(
    name="lab",
    cls=_Verbs,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "LAB"},
)
EVERY_DAY = (up, down, status, plan, enter, logs, power, fault, heal, load, chaos, runs, page, learn)
PARTS = (site, mysql, volume, mail, user, backup, open_, renew)
BENEATH = (render, build, images, graph, doctor, schema, compose, xen)


def _version(flag: bool) -> None:  # noqa: FBT001  the signature is Typer's
    if flag:
        print(__version__)
        raise typer.Exit


@app.callback()
def common(
    _: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version and exit.",
            callback=_version,
            is_eager=True,
            envvar=[],
            show_envvar=False,
        ),
    ] = False,
) -> None:
    """Runs a web cluster on this machine. 'lab up' creates it, 'lab down' removes it."""


for module in EVERY_DAY + PARTS + BENEATH:
    module.register(app)


def _printed(error: Exception) -> int:
    """Prints an error of Typer or of the operating system; returns the exit code.

    Raises:
        Exception: any other error.
    """
    show = getattr(error, "show", None)
    if show is not None:
        show()
        return int(getattr(error, "exit_code", 2))
    if isinstance(error, OSError) and error.errno in UNWRITABLE and error.filename is None:
        ended = error.__context__
        if isinstance(ended, SystemExit) and isinstance(ended.code, int):
            return ended.code  # closed terminal
        print(f"lab: cannot write the output: {error.strerror}", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    if not isinstance(error, OSError) or error.filename is None:
        raise error
    shown = unusable(error.filename, error, "use another path, or make this one readable and writable for this user")
    print(f"lab: {shown}", file=sys.stderr)
    return shown.exit_code


def _nothing(_number: int, _frame: object) -> None:
    """Ignores a second signal, since the first one is being handled."""


def _terminated(number: int, _: object) -> None:
    """SIGTERM and SIGHUP end a verb as Ctrl-C does, including the cleanup.

    Only once: a shell and the kernel may both send SIGHUP, and the second must not interrupt the cleanup.
    """
    for each in ENDING:
        signal.signal(each, _nothing)  # SIG_IGN would make Python report a pending signal
    raise SystemExit(SIGNALLED + number)


def _outputs() -> int:
    """Opens standard streams that were closed at the start; returns a copy of standard output, which Rich redirects."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number
    nowhere = Path(os.devnull)
    sys.stdout = sys.stdout or nowhere.open("w", encoding="utf-8")
    sys.stderr = sys.stderr or nowhere.open("w", encoding="utf-8")
    return os.dup(1)


def main() -> None:
    """Runs the command. Exit codes: 0 success, 1 failure, 2 invalid request, 130 interrupted."""
    out = _outputs()
    screen.any_encoding()
    for number in ENDING:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _terminated)
    try:
        code = _ran(out)
    except KeyboardInterrupt as error:
        code = _interrupted(error)
    if code > SIGNALLED:
        after = "'lab up' continues from here, 'lab heal' reverts faults, 'lab down' removes the cluster"
        try:
            with contextlib.suppress(OSError):  # the terminal may be closed
                print(f"lab: interrupted; {naming.named(after)}", file=sys.stderr)
                sys.stdout.flush()
        finally:
            os._exit(code)  # threads that still wait for the engine must not block the exit
    sys.exit(code)


def _interrupted(error: BaseException, code: int = INTERRUPTED) -> int:
    """Prints what an interrupted verb could not revert; returns the exit code."""
    with contextlib.suppress(OSError):
        for left in getattr(error, "__notes__", ()):
            print(f"lab: {naming.named(left)}", file=sys.stderr)
    return code


def _ran(out: int) -> int:
    """The exit code; `out` is a copy of standard output."""
    try:
        code = app(standalone_mode=False) or 0
        sys.stdout.flush()  # a closed pipe is no error
    except LabError as error:
        print(f"lab: {naming.named(str(error))}", file=sys.stderr)
        return error.exit_code
    except typer.Abort as error:
        return _interrupted(error.__cause__ or error)
    except (BrokenPipeError, SystemExit) as error:  # Typer and Rich raise the latter
        if isinstance(error, SystemExit) and isinstance(error.code, int) and error.code > SIGNALLED:
            return _interrupted(error, error.code)
        if not screen.reader_gone(out):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader has left
        return 0
    except Exception as error:  # noqa: BLE001  an unexpected error is raised again there
        return _printed(error)
    return int(code)
