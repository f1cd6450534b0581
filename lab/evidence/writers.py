"""A ledger of the user's own: the class in the user's Python file that says how one thing is written, and all are read.

    class Orders:
        def write(self, http, id):
            return http.post("/orders", data={"note": id})

        def read(self, http):
            return [order["note"] for order in http.get("/orders").json()]

What it may do and return is in docs/losses.md.
"""

from __future__ import annotations

import inspect
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from lab.errors import SpecError
from lab.hints import nearest

if TYPE_CHECKING:
    from lab.evidence.visitor import Visitor

METHODS = {"write": ("http", "id"), "read": ("http",)}
SHAPE = "it has 'def write(self, http, id)' and 'def read(self, http)': docs/losses.md"


class Writer(Protocol):
    """What such a class has."""

    def write(self, http: Visitor, id: str) -> object:  # noqa: A002  what a person calls it
        """Writes one thing that carries the id; returns the answer, or whether it was acknowledged."""

    def read(self, http: Visitor) -> object:
        """The ids of all things that are there."""


def load(said: str) -> Writer:
    """The ledger of `my_orders.py:Orders`.

    Raises:
        SpecError: there is no such file or class, or it has a mistake; names the line.
    """
    file, _, name = said.rpartition(":")
    if not file or not name:
        raise SpecError(f"'{said}' names no class of a file", where="--ledger", next_step="write my_orders.py:Orders")
    names = _run(Path(file))
    made = names.get(name)
    if isinstance(made, type):
        return instance(made)
    classes = [key for key, value in names.items() if isinstance(value, type) and value.__module__ == file]
    hint = nearest(name, classes) if classes else "the file has none"
    raise SpecError(f"there is no class '{name}'; {hint}", where=file, next_step=SHAPE)


def instance(made: type) -> Writer:
    """One of a class that has what a ledger needs.

    Raises:
        SpecError: it lacks a method, or can't be made.
    """
    for method, takes in METHODS.items():
        found = getattr(made, method, None)
        if not callable(found):
            raise SpecError(f"'{made.__name__}' has no method '{method}'", where=source(made), next_step=SHAPE)
        try:
            inspect.signature(found).bind(None, *takes)
        except TypeError:
            line = f", line {found.__code__.co_firstlineno}" if hasattr(found, "__code__") else ""
            said = f"'{made.__name__}.{method}' does not take ({', '.join(('self', *takes))})"
            raise SpecError(said, where=f"{source(made)}{line}", next_step=SHAPE) from None
    try:
        writer: Writer = made()
    except Exception as error:
        said = f"'{made.__name__}()' failed: {told(error)}"
        raise SpecError(said, where=place(error, source(made)), next_step="correct it") from error
    return writer


def source(made: type) -> str:
    """The file that a class stands in, as it was named; empty where that is not known."""
    codes = (getattr(value, "__code__", None) for value in vars(made).values())
    module = getattr(sys.modules.get(made.__module__), "__file__", None)
    return next((code.co_filename for code in codes if code), module or "")


def place(error: BaseException, file: str) -> str:
    """Where in the user's file something went wrong: its innermost line."""
    found, trace = file, error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == file:
            found = f"{file}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return found


def told(error: BaseException) -> str:
    """What went wrong, as Python says it."""
    return f"{type(error).__name__}: {error}".rstrip(": ")


def _run(path: Path) -> dict[str, Any]:
    """What a file defines; nothing is written beside it.

    Raises:
        SpecError: it can't be read or run; names the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or str(error)
        hint = "name a Python file and a class of it: my_orders.py:Orders"
        raise SpecError(f"the ledger can't be read: {said}", where=str(path), next_step=hint) from None
    module = types.ModuleType(str(path))
    module.__file__ = str(path)
    sys.modules[str(path)] = module  # where dataclasses look for it
    beside = str(path.resolve().parent)
    sys.path.insert(0, beside)  # for what it imports
    try:
        exec(compile(text, str(path), "exec"), vars(module))  # noqa: S102  the user's own file
    except SyntaxError as error:
        where = f"{error.filename}, line {error.lineno}"
        raise SpecError(f"the ledger is no valid Python: {error.msg}", where=where, next_step="correct it") from None
    except (Exception, SystemExit) as error:
        where = place(error, str(path))
        raise SpecError(f"the ledger can't be loaded: {told(error)}", where=where, next_step="correct it") from error
    finally:
        sys.path.remove(beside)
    return vars(module)
