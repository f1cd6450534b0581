"""From a file to a `Cluster`, or to an error that names the line and the nearest valid word."""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel, ValidationError

from lab import assets, yamls
from lab.errors import SpecError
from lab.spec.cluster import Cluster
from lab.spec.placement import Placement, Xen

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

DEFAULT_FILE = Path("cluster.yaml")
SHOWN = 8  # problems on one screen

Location = tuple[str | int, ...]


def find(name: str | None) -> Path:
    """The file meant by `--file`: a path, the name of a shipped topology, or, unsaid, `cluster.yaml` or `full`.

    Raises:
        SpecError: no such file.
    """
    shipped = assets.topologies()
    if name is None:
        return DEFAULT_FILE if DEFAULT_FILE.exists() else shipped["full"]
    if name in shipped:
        return shipped[name]
    path = Path(name)
    if not path.is_file():
        raise SpecError(
            f"there is no topology file {name}",
            next_step=f"name a file, or one of the shipped topologies: {', '.join(shipped)}",
        )
    return path


def load(path: Path, **overrides: Any) -> Cluster:
    """The cluster that a file describes, with top-level `overrides` put over it (those that are None are left out).

    Raises:
        SpecError: the file can't be read or is not valid.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"the topology can't be read: {error}", where=str(path)) from error
    return parse(text, str(path), **overrides)


def parse(text: str, source: str = "<text>", **overrides: Any) -> Cluster:
    """The cluster that a YAML text describes; see `load`."""
    try:
        tree = yaml.compose(text, Loader=yamls.LOADER)
        data = yamls.read(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = error.problem or error.context or "it can't be parsed"
        raise SpecError(
            f"this is not valid YAML: {problem}",
            where=f"{source}, line {line}",
            next_step="check the indentation, the colons and the quotes near that line",
        ) from error
    except yaml.YAMLError as error:
        raise SpecError(f"this is not valid YAML: {error}", where=source) from error
    if data is None:
        raise SpecError(
            "the topology is empty", where=source, next_step="three lines are enough:\nweb:\nhttp-lb:\ntcp-lb:"
        )
    if not isinstance(data, dict):
        raise SpecError("the topology is not a mapping of keys to values", where=source, next_step="begin with 'web:'")
    lines = _lines(tree)
    _refuse_twice(tree, source)
    data |= {key: value for key, value in overrides.items() if value is not None}
    try:
        return Cluster.model_validate(data)
    except ValidationError as error:
        raise _explained(error, source, lines) from None


def name_in(path: Path) -> str | None:
    """The cluster's name in a file that may be anything: used where the topology must not matter."""
    name = _anything_in(path).get("name")
    return name if isinstance(name, str) else None


def placement(path: Path, backend: str | None, host: str | None) -> Placement:
    """Where a cluster is placed, by a file that may be anything, and what the command line puts over it.

    Raises:
        SpecError: what is said of it is not valid.
    """
    said = _anything_in(path)
    xen = said.get("xen") if isinstance(said.get("xen"), dict) else {}
    try:
        settings = Xen.model_validate({**(xen or {}), **({"host": host} if host else {})})
    except ValidationError as error:
        where = "--host" if host else str(path)
        raise SpecError(f"the Xen host is not valid: {_problem(error.errors()[0], ())}", where=where) from None
    chosen = backend or said.get("backend") or ("xen" if host else "docker")
    return Placement(str(chosen), settings)


def _anything_in(path: Path) -> dict[str, Any]:
    """The top level of a file that may be anything; empty where it is not a mapping, or not there."""
    try:
        data = yamls.read(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return data if isinstance(data, dict) else {}


def schema() -> str:
    """The JSON Schema of `cluster.yaml`, for editors."""
    made = Cluster.model_json_schema(by_alias=True)
    # A bare `web:` is null to YAML, and means the defaults.
    for field in Cluster.role_keys():
        part = made["properties"][field]
        if "anyOf" not in part:
            made["properties"][field] = {"anyOf": [{"$ref": part["$ref"]}, {"type": "null"}]}
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **made}, indent=2)


def _lines(node: yaml.Node | None, at: Location = ()) -> dict[Location, int]:
    """The line, counted from 1, of every key and item of a document."""
    found: dict[Location, int] = {}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            found[*at, key.value] = key.start_mark.line + 1
            found |= _lines(value, (*at, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            found[*at, index] = value.start_mark.line + 1
            found |= _lines(value, (*at, index))
    return found


def _refuse_twice(node: yaml.Node | None, source: str) -> None:
    """YAML lets the last of two equal keys win in silence; a person wants to know."""
    if not isinstance(node, yaml.MappingNode):
        return
    seen: dict[str, int] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if key.value in seen:
            raise SpecError(
                f"'{key.value}' stands twice",
                where=f"{source}, lines {seen[key.value]} and {line}",
                next_step="keep one of them",
            )
        seen[key.value] = line
        _refuse_twice(value, source)


def _valid_keys(at: Location) -> list[str]:
    """The keys that are valid at a place of the document."""
    model: type[BaseModel] | None = Cluster
    for step in at:
        fields = model.model_fields if model else {}
        field = next((f for key, f in fields.items() if step in (key, f.alias)), None)
        if field is None:
            # The names of single nodes are free; behind each stands an override.
            continue
        candidates = [field.annotation, *getattr(field.annotation, "__args__", ())]
        model = next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)
    return [field.alias or key for key, field in model.model_fields.items()] if model else []


def _explained(error: ValidationError, source: str, lines: dict[Location, int]) -> SpecError:
    """All problems of a document as one error; what the members of a union say of one value is one problem."""
    found: dict[Location, list[str]] = {}
    for detail in error.errors():
        at = tuple(detail["loc"])
        while at and at not in lines:
            at = at[:-1]
        found.setdefault(at, []).append(_problem(detail, at))
    problems = []
    for at, said in found.items():
        given = _given(error, at)
        place = f"line {lines[at]}, {'.'.join(map(str, at))}" if at else "the whole document"
        problems.append(f"{place}: {' or '.join(dict.fromkeys(said))}{given}")
    shown = problems[:SHOWN] + ([f"… and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else [])
    title = "the topology is not valid" if len(problems) == 1 else f"the topology has {len(problems)} problems"
    return SpecError(
        f"{title}:\n" + "\n".join(f"  - {text}" for text in shown),
        where=source,
        next_step="mend it; 'lab schema' prints what is valid, for an editor too",
    )


def _given(error: ValidationError, at: Location) -> str:
    """What stands at a place, as an end of the sentence; nothing for whole mappings and unknown keys."""
    for detail in error.errors():
        plain = not isinstance(detail["input"], dict | list) and detail["type"] not in (
            "extra_forbidden",
            "value_error",
        )
        if plain and tuple(detail["loc"][: len(at)]) == at:
            return f", not {detail['input']!r}"
    return ""


def _problem(detail: ErrorDetails, at: Location) -> str:
    """One problem in words, with the nearest valid key or what was expected."""
    kind, message = detail["type"], str(detail["msg"])
    if kind == "extra_forbidden":
        valid = _valid_keys(at[:-1])
        near = difflib.get_close_matches(str(at[-1] if at else ""), valid, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"valid here: {', '.join(valid)}"
        return f"unknown key '{detail['loc'][-1]}'; {hint}"
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    if kind in ("model_type", "model_attributes_type"):
        return f"a mapping is expected here, with keys such as {', '.join(_valid_keys(at)[:4])}"
    if detail["loc"][-1] == "name" and kind == "string_pattern_mismatch":
        return "a name has lower-case letters, digits and dashes, begins with a letter, and is at most 31 long"
    return f"{message[0].lower()}{message[1:]}"
