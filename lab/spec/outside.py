"""Roles outside the lab, in a folder `roles` beside `cluster.yaml`: their options as models, and what is refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, create_model

from lab import assets
from lab.errors import SpecError
from lab.recipes import families, family, manifest
from lab.recipes.family import outside_roles
from lab.spec.roles import RoleOptions
from lab.spec.units import Duration

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

    from lab.recipes.declared import Option

NAME = r"[a-z]+(-[a-z]+)*"
TYPES: dict[str, Any] = {"int": int, "float": float, "bool": bool, "text": str, "duration": Duration}
STRICT = {"int", "bool"}
FREE = "2-9, 91-99 and 251-254"
"""Host numbers that no role of the lab has."""


def outside_options(taken: Container[str]) -> dict[str, type[RoleOptions]]:
    """The options of each role outside the lab, by the role's name.

    Args:
        taken: keys of `cluster.yaml` that are something else.

    Raises:
        SpecError: a role is not valid; names its file.
    """
    found = {}
    for folder in outside_roles():
        _admit(folder, taken)
        found[folder.name] = _model(folder.name)
    return found


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


def _admit(folder: Path, taken: Container[str]) -> None:
    """Refuses what would not work, before anything is planned."""
    role, where = folder.name, str(folder / "role.yaml")
    own = manifest(role).own

    def refuse(what: str, next_step: str) -> None:
        raise SpecError(f"the role '{role}' can't be used: {what}", where=where, next_step=next_step)

    if not re.fullmatch(NAME, role) or role in taken or (assets.images() / role).exists():
        refuse("its name is taken, or is none", "rename its folder: lower-case letters, and hyphens between them")
    if own.slots is None:
        refuse("it has no addresses", f"write 'slots: [91, 99]': first and last host number; {FREE} are free")
    first, last = own.slots or (0, 0)
    for other, path in assets.role_folders().items():
        theirs = manifest(other).own.slots if path != folder else None
        if theirs and first <= theirs[1] and theirs[0] <= last:
            refuse(f"'{other}' has the addresses {theirs[0]} to {theirs[1]}", f"choose other slots; {FREE} are free")
    if not 2 <= first <= last <= 254 or first <= 100 <= last:  # noqa: PLR2004  1 is the gateway, 100 the VIP
        refuse(f"slots {first} to {last} are not addresses of nodes", f"{FREE} are free")
    for name in families():
        missing = [software for software in manifest(role).software if software not in family(name).software]
        if missing:
            refuse(
                f"the family {name} does not know its software: {', '.join(missing)}",
                f"describe it in {folder / 'families' / f'{name}.yaml'}",
            )
    clash = sorted({name.replace("-", "_") for name in own.options} & RoleOptions.model_fields.keys() - {"count"})
    if clash:
        refuse(f"its option '{clash[0]}' is one of every role", "choose another name")
    _admit_names(folder)


def _admit_names(folder: Path) -> None:
    """Refuses names and ports that another role has."""
    own = manifest(folder.name).own
    for other, path in assets.role_folders().items():
        theirs = manifest(other).own
        twice = own.publishes.keys() & theirs.publishes.keys() | own.balanced.keys() & theirs.balanced.keys()
        ports = {port.port for port in own.balanced.values()} & {port.port for port in theirs.balanced.values()}
        if path != folder and (twice or ports):
            what = f"the name '{min(twice)}'" if twice else f"port {min(ports)} of the VIP"
            raise SpecError(
                f"the role '{folder.name}' can't be used: {what} is that of the role '{other}'",
                where=str(folder / "role.yaml"),
                next_step="choose another one",
            )
