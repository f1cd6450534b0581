"""From a file to a `Cluster`, or to an error that names the line and the nearest valid word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from lab import assets, reading, yamls
from lab.backends import kinds
from lab.errors import SpecError
from lab.topology.cluster import Cluster, admit_backend, cluster_model
from lab.topology.placement import Placement

DEFAULT_FILE = Path("cluster.yaml")
ROLES = "roles"
"""The folder, beside a topology, of roles that are not the lab's own."""

TOPOLOGY = reading.Document(
    "topology",
    "three lines are enough:\nweb:\nhttp-lb:\ntcp-lb:",
    "'lab schema' prints what is valid, for an editor too",
)


def find(name: str | None, last: str = "") -> Path:
    """The file meant by `--file`: a path, or the name of a shipped topology.

    Args:
        name: the option; without it `cluster.yaml` here, else `last`, else the shipped topology `full`.
        last: what the cluster was made from, as `Cluster.source` has it.

    Raises:
        SpecError: no such file.
    """
    shipped = assets.topologies()
    if name is None:
        if DEFAULT_FILE.exists() or DEFAULT_FILE.is_symlink():  # a link that leads nowhere is a mistake
            return DEFAULT_FILE
        name = last or "full"
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
    assets.use_roles(path.parent / ROLES)
    return parse(reading.text(path, TOPOLOGY), str(path), **overrides).read_from(path)


def reloaded(cluster: Cluster) -> Cluster:
    """The topology as its file is now, under the same name; the same one where it was read from no file.

    Raises:
        SpecError: the file was removed, or is not valid any more.
    """
    return load(find(cluster.source), name=cluster.name) if cluster.source else cluster


def parse(text: str, source: str = "<text>", **overrides: Any) -> Cluster:
    """The cluster that a YAML text describes; see `load`."""
    return reading.model(cluster_model(), text, TOPOLOGY, source, overrides)


def name_in(path: Path) -> str | None:
    """The cluster's name in a file that may be anything: used where the topology must not matter."""
    name = _anything_in(path).get("name")
    return name if isinstance(name, str) else None


def placement(path: Path | None, backend: str | None, host: str | None) -> Placement:
    """Where a cluster is placed, by a file that may be anything, and by the command line, which has precedence.

    Args:
        path: the topology; None: no file is read, and the roles in use are kept.
        backend: the option `--backend`.
        host: the option `--host`.

    Raises:
        SpecError: the backend or a setting of it is not valid.
    """
    if path:
        assets.use_roles(path.parent / ROLES)
    data = _anything_in(path) if path else {}
    chosen = str(backend or data.get("backend") or (kinds.by_host() if host else kinds.DEFAULT))
    admit_backend(chosen)
    model = kinds.kind(chosen).settings
    section = data.get(chosen)
    values = dict(section) if isinstance(section, dict) else {}
    if host and "host" in model.model_fields:
        values["host"] = host
    try:
        return Placement(chosen, model.model_validate(values) if model.model_fields else None)
    except ValidationError as error:
        detail = error.errors()[0]
        key = ".".join(map(str, (chosen, *detail["loc"])))
        where = "--host" if host and detail["loc"] == ("host",) else str(path or key)
        next_step = f"'lab schema' has the settings of '{chosen}'"
        raise SpecError(f"'{key}' is not valid: {reading.problem(detail)}", where=where, next_step=next_step) from None


def _anything_in(path: Path) -> dict[str, Any]:
    """The top level of a file that may be anything; empty where it is not a mapping, or not there."""
    try:
        data = yamls.read(path.read_text(encoding="utf-8")) if path.is_file() else None
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return data if isinstance(data, dict) else {}


def schema() -> str:
    """The JSON Schema of `cluster.yaml`, for editors."""
    model = cluster_model()
    document = model.model_json_schema(by_alias=True)
    # A bare `web:` is null to YAML, and means the defaults.
    for field in model.role_keys():
        part = document["properties"][field]
        if "anyOf" not in part:
            document["properties"][field] = {"anyOf": [{"$ref": part["$ref"]}, {"type": "null"}]}
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **document}, indent=2)
