"""The `lab` command in the process of the tests: as it is installed, without the half second of a new Python.

What concerns the process itself is tried on a real one: signals, closed streams, terminals.
"""

from __future__ import annotations

import gc
import io
import os
import signal
import subprocess
import sys
import warnings
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
import typer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

main = import_module("lab.cli.main")  # `lab.cli` has a function of this name
NOWHERE = "unix:///nowhere/docker.sock"
"""An address at which no Docker engine answers."""


@cache
def verbs() -> Any:  # noqa: ANN401  typer's own copy of click
    """All verbs, read once: that takes longer than most tests."""
    return typer.main.get_command(main.app)


def lab(
    *argv: str, cwd: Path | None = None, encoding: str = "utf-8", environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs the command where no Docker engine answers, and returns its exit code and its output.

    An error that the command does not print is raised, where a process would end in a traceback.

    Args:
        argv: its arguments.
        cwd: the current folder; default: that of the tests.
        encoding: of its output.
        environment: variables besides those of the tests.
    """
    out, error = (io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True) for _ in range(2))
    handlers = {number: signal.getsignal(number) for number in main.ENDING}
    with pytest.MonkeyPatch.context() as patched, _as_a_process_ends():
        for name, value in {"DOCKER_HOST": NOWHERE, **(environment or {})}.items():
            patched.setenv(name, value)
        if cwd:
            patched.chdir(cwd)
        patched.setattr(sys, "argv", ["lab", *argv])
        patched.setattr(sys, "stdout", out)
        patched.setattr(sys, "stderr", error)
        patched.setattr(main, "_outputs", lambda: 1)
        patched.setattr(main, "app", verbs().main)
        patched.setattr(os, "_exit", _interrupted)
        try:
            main.main()
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
    said, complained = (stream.buffer.getvalue().decode(encoding) for stream in (out, error))
    return subprocess.CompletedProcess(argv, code, said, complained)


@contextmanager
def _as_a_process_ends() -> Iterator[None]:
    """Closes what is left open, such as the socket of a connection that was refused, which is no fault of a process."""
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        gc.freeze()  # what was there before is not looked through
        try:
            yield
        finally:
            gc.collect()
            gc.unfreeze()


def _interrupted(_code: int) -> NoReturn:
    """Whoever interrupts the tests ends them, and not their process at once."""
    raise KeyboardInterrupt
