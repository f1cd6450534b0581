"""Roles outside the lab, in a folder `roles` beside `cluster.yaml`: their options, as models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, create_model

from lab import formulas
from lab.errors import SpecError
from lab.recipes import manifest
from lab.recipes.admission import problems
from lab.recipes.family import outside_roles
from lab.topology.roles import RoleOptions
from lab.topology.units import Duration

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

    from lab.recipes.declared import Option

TYPES: dict[str, Any] = {"int": int, "float": float, "bool": bool, "text": str, "duration": Duration}
STRICT = {"int", "bool"}


def outside_options(taken: Container[str]) -> dict[str, type[RoleOptions]]:
    """The options of each role outside the lab, by the role's name.

    Args:
        taken: keys of `cluster.yaml` that are something else.

    Raises:
        SpecError: a role is not valid; names its file.
    """
    return {folder.name: _admitted(folder, taken) for folder in outside_roles()}


def _admitted(folder: Path, taken: Container[str]) -> type[RoleOptions]:
    for what, next_step in problems(folder, taken, set(dir(RoleOptions)) | set(RoleOptions.model_fields)):
        raise _refused(folder, what, next_step)
    options_type = _model(folder.name)
    try:
        names = formulas.names(options_type())
        for text in manifest(folder.name).limits.model_dump().values():
            if isinstance(text, str):
                float(formulas.evaluated(text, names))
    except Exception as error:
        problem = f"its defaults or the formulas of its limits are not valid: {error}"
        raise _refused(folder, problem, "a formula reads its options by name") from error
    return options_type


def _refused(folder: Path, what: str, next_step: str) -> SpecError:
    where = str(folder / "role.yaml")
    return SpecError(f"the role '{folder.name}' can't be used: {what}", where=where, next_step=next_step)


def _model(role: str) -> type[RoleOptions]:
    own = manifest(role).own
    fields: dict[str, Any] = {name.replace("-", "_"): _field(option) for name, option in own.options.items()}
    return create_model(f"Role_{role.replace('-', '_')}", __base__=RoleOptions, __doc__=own.summary, **fields)


def _field(option: Option) -> tuple[Any, Any]:
    """Type and default of an option, for pydantic."""
    if option.choices:
        return Literal[tuple(option.choices)], Field(option.default, description=option.description)
    limits: dict[str, Any] = {"ge": option.least, "le": option.most}
    limits = {key: value for key, value in limits.items() if value is not None}
    if option.type in STRICT:
        limits["strict"] = True
    kind: Any = Annotated[TYPES[option.type], Field(**limits)]
    return kind, Field(option.default, description=option.description, validate_default=True)
