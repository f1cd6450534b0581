"""A ledger of the user's own: the class of a Python file that writes one record, and reads all of them.

    class Orders:
        def write(self, http, id):
            return http.post("/orders", data={"note": id})

        def read(self, http):
            return [order["note"] for order in http.get("/orders").json()]

docs/losses.md says what its methods may do and return.
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
    """The methods of such a class."""

    def write(self, http: Visitor, id: str) -> object:  # noqa: A002  the name of the page
        """Writes one record that carries the id; returns the response, or whether it was acknowledged."""

    def read(self, http: Visitor) -> object:
        """The ids of all records."""


def load(reference: str) -> Writer:
    """The ledger of `my_orders.py:Orders`.

    Raises:
        SpecError: there is no such file or class, or it has a mistake; names the line.
    """
    file, _, name = reference.rpartition(":")
    if not file or not name:
        raise SpecError(
            f"'{reference}' names no class of a file", where="--ledger", next_step="write my_orders.py:Orders"
        )
    names = _run(Path(file))
    writer = names.get(name)
    if isinstance(writer, type):
        return instance(writer)
    classes = [key for key, value in names.items() if isinstance(value, type) and value.__module__ == file]
    hint = nearest(name, classes) if classes else "the file has none"
    raise SpecError(f"there is no class '{name}'; {hint}", where=file, next_step=SHAPE)


def instance(kind: type) -> Writer:
    """An instance of a ledger's class.

    Raises:
        SpecError: the class lacks a method, or its constructor fails.
    """
    for method, parameters in METHODS.items():
        function = getattr(kind, method, None)
        if not callable(function):
            raise SpecError(f"'{kind.__name__}' has no method '{method}'", where=source(kind), next_step=SHAPE)
        try:
            inspect.signature(function).bind(None, *parameters)
        except TypeError:
            line = f", line {function.__code__.co_firstlineno}" if hasattr(function, "__code__") else ""
            problem = f"'{kind.__name__}.{method}' does not take ({', '.join(('self', *parameters))})"
            raise SpecError(problem, where=f"{source(kind)}{line}", next_step=SHAPE) from None
    try:
        writer: Writer = kind()
    except Exception as error:
        problem = f"'{kind.__name__}()' failed: {description(error)}"
        raise SpecError(problem, where=place(error, source(kind)), next_step="correct it") from error
    return writer


def source(kind: type) -> str:
    """The file of a class, as it was named; empty if unknown."""
    codes = (getattr(value, "__code__", None) for value in vars(kind).values())
    module = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return next((code.co_filename for code in codes if code), module or "")


def place(error: BaseException, file: str) -> str:
    """The line of the user's file in which an error occurred: the innermost one."""
    position, trace = file, error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == file:
            position = f"{file}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return position


def description(error: BaseException) -> str:
    """An error as Python prints it: its type and its message."""
    return f"{type(error).__name__}: {error}".rstrip(": ")


def _run(path: Path) -> dict[str, Any]:
    """The names that a file defines; writes no files beside it.

    Raises:
        SpecError: it can't be read or run; names the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        hint = "name a Python file and a class of it: my_orders.py:Orders"
        raise SpecError(f"the ledger can't be read: {reason}", where=str(path), next_step=hint) from None
    module = types.ModuleType(str(path))
    module.__file__ = str(path)
    sys.modules[str(path)] = module  # dataclasses look there for it
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)  # for its imports
    try:
        exec(compile(text, str(path), "exec"), vars(module))  # noqa: S102  the user's own file
    except SyntaxError as error:
        where = f"{error.filename}, line {error.lineno}"
        raise SpecError(f"the ledger is no valid Python: {error.msg}", where=where, next_step="correct it") from None
    except (Exception, SystemExit) as error:
        where = place(error, str(path))
        raise SpecError(
            f"the ledger can't be loaded: {description(error)}", where=where, next_step="correct it"
        ) from error
    finally:
        sys.path.remove(folder)
    return vars(module)
