"""From a YAML text to a model, or to an error that names the line and the nearest valid word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from lab import yamls
from lab.errors import SpecError
from lab.hints import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pydantic_core import ErrorDetails

EXPECTED = (
    dict.fromkeys(("bool_parsing", "bool_type"), "true or false")
    | dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number")
    | dict.fromkeys(("float_type", "float_parsing"), "a number")
)
"""What pydantic's kinds of problems expect, in plain words."""

SHOWN = 8  # maximum number of problems in a message

Location = tuple[str | int, ...]
T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True)
class Document:
    """A kind of file: its noun, its shortest example, and its reference."""

    noun: str
    shortest: str
    valid: str


def text(path: Path, kind: Document) -> str:
    """The text of a file.

    Raises:
        SpecError: it cannot be read.
    """
    if path.exists() and not path.is_file():
        raise SpecError(f"cannot read the {kind.noun}: not a file", where=str(path))
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"cannot read the {kind.noun}: {error}", where=str(path)) from error


def model(
    model_type: type[T], content: str, kind: Document, source: str, overrides: Mapping[str, Any] | None = None
) -> T:
    """The model of a YAML text, with top-level `overrides`, except those that are None.

    Raises:
        SpecError: it is not valid.
    """
    data, tree = _mapping(content, kind, source)
    data |= {key: value for key, value in (overrides or {}).items() if value is not None}
    try:
        return model_type.model_validate(data)
    except ValidationError as error:
        raise _explained(model_type, error, kind, source, _lines(tree)) from None


def _mapping(content: str, kind: Document, source: str) -> tuple[dict[str, Any], yaml.Node | None]:
    """The values of a document, and their line numbers."""
    try:
        tree = yaml.compose(content, Loader=yamls.LOADER)
        data = yamls.read(content)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        tabs = content.splitlines()[line - 1 : line]
        if tabs and "\t" in tabs[0][: len(tabs[0]) - len(tabs[0].lstrip())]:
            raise SpecError(
                "a line starts with a tab; YAML allows only spaces there",
                where=f"{source}, line {line}",
                next_step="replace the tab by spaces",
            ) from error
        raise SpecError(
            f"this is not valid YAML: {error.problem or error.context or 'parse error'}",
            where=f"{source}, line {line}",
            next_step="check the indentation, the colons and the quotes near that line",
        ) from error
    except yaml.YAMLError as error:
        raise SpecError(f"this is not valid YAML: {error}", where=source) from error
    if data is None:
        raise SpecError(f"the {kind.noun} is empty", where=source, next_step=kind.shortest)
    if not isinstance(data, dict):
        raise SpecError(
            f"the {kind.noun} is not a mapping of keys to values",
            where=source,
            next_step=f"for example: {kind.shortest}",
        )
    try:
        _refuse_twice(tree, source)
    except RecursionError:
        raise SpecError(
            "an alias refers to a node that contains it", where=source, next_step="replace it by its content"
        ) from None
    return data, tree


def _lines(node: yaml.Node | None, at: Location = ()) -> dict[Location, int]:
    """The line, counted from 1, of every key and item of a document."""
    lines: dict[Location, int] = {}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            lines[*at, key.value] = key.start_mark.line + 1
            lines |= _lines(value, (*at, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[*at, index] = value.start_mark.line + 1
            lines |= _lines(value, (*at, index))
    return lines


def _refuse_twice(node: yaml.Node | None, source: str) -> None:
    """Refuses duplicate keys, of which YAML silently uses the last."""
    if not isinstance(node, yaml.MappingNode):
        return
    first_lines: dict[str, int] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if key.value in first_lines:
            raise SpecError(
                f"the key '{key.value}' is duplicate",
                where=f"{source}, lines {first_lines[key.value]} and {line}",
                next_step="remove one of them",
            )
        first_lines[key.value] = line
        _refuse_twice(value, source)


def _valid_keys(root: type[BaseModel], at: Location) -> list[str]:
    """The valid keys at a place of the document."""
    model: type[BaseModel] | None = root
    for step in at:
        fields = model.model_fields if model else {}
        field = next((f for key, f in fields.items() if step in (key, f.alias)), None)
        if field is None:
            # Names of single nodes are arbitrary; their values are overrides.
            continue
        candidates = [field.annotation, *getattr(field.annotation, "__args__", ())]
        model = next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)
    return [field.alias or key for key, field in model.model_fields.items()] if model else []


def _explained(
    model_type: type[BaseModel], error: ValidationError, kind: Document, source: str, lines: dict[Location, int]
) -> SpecError:
    """All problems of a document as one error; problems of a union's members with one value are one problem."""
    messages: dict[Location, list[str]] = {}
    for detail in error.errors():
        at = tuple(detail["loc"])
        while at and at not in lines:
            at = at[:-1]
        messages.setdefault(at, []).append(_problem(detail, model_type, at))
    problems = []
    for at, texts in messages.items():
        value = _value_of(error, at)
        place = f"line {lines[at]}, {'.'.join(map(str, at))}" if at else "the whole document"
        problems.append(f"{place}: {' or '.join(dict.fromkeys(texts))}{value}")
    shown = problems[:SHOWN] + ([f"… and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else [])
    title = f"the {kind.noun} is not valid" if len(problems) == 1 else f"the {kind.noun} has {len(problems)} problems"
    return SpecError(
        f"{title}:\n" + "\n".join(f"  - {text}" for text in shown),
        where=source,
        next_step=f"correct it; {kind.valid}",
    )


def _value_of(error: ValidationError, at: Location) -> str:
    """The value at a place, as the end of the sentence; empty for mappings and unknown keys."""
    for detail in error.errors():
        plain = not isinstance(detail["input"], dict | list) and detail["type"] not in (
            "extra_forbidden",
            "value_error",
        )
        if plain and tuple(detail["loc"][: len(at)]) == at:
            return f", not {detail['input']!r}"
    return ""


def problem(detail: ErrorDetails) -> str:
    """One problem of a model outside a document, as a sentence."""
    return _problem(detail, BaseModel, ())


def _problem(detail: ErrorDetails, model_type: type[BaseModel], at: Location) -> str:
    """One problem as a sentence, with the nearest valid key or the expected value."""
    kind = detail["type"]
    if kind == "extra_forbidden":
        valid = _valid_keys(model_type, at[:-1])
        return f"unknown key '{detail['loc'][-1]}'; {nearest(str(at[-1] if at else ''), valid)}"
    if kind in ("model_type", "model_attributes_type"):
        return f"a mapping is expected here, with keys such as {', '.join(_valid_keys(model_type, at)[:4])}"
    return f"{EXPECTED[kind]} is expected" if kind in EXPECTED else _message(detail)


def _message(detail: ErrorDetails) -> str:
    """The message of pydantic, or a plainer one."""
    kind, message = detail["type"], str(detail["msg"])
    if kind == "missing":
        return f"'{detail['loc'][-1]}' is missing here"
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    if detail["loc"][-1] in ("name", "[key]") and kind == "string_pattern_mismatch":
        return "a name has lower-case letters, digits and dashes, begins with a letter, and is at most 31 long"
    return f"{message[0].lower()}{message[1:]}"
