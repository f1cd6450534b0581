"""What of a role outside the lab would not work, found before anything is planned."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lab import assets
from lab.recipes.family import families, family
from lab.recipes.manifest import manifest

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping
    from pathlib import Path

    from lab.recipes.declared import Balanced, Fragment, Published

NAME = r"[a-z]+(-[a-z]+)*"
BOUNDED = ("int", "float", "duration")
RESERVED = {53, 8404, 8405}
"""Ports of the balancers and the client: DNS, and HAProxy's own state."""

FREE = "2-9, 91-99 and 251-254"
"""Host numbers that no role of the lab has."""

GATEWAY, VIP, LAST = 1, 100, 254
Problem = tuple[str, str]
"""What is wrong, and the next step."""


def problems(folder: Path, taken: Container[str], common: Container[str]) -> Iterator[Problem]:
    """The problems of a role.

    Args:
        folder: the role's, called as the role.
        taken: keys of `cluster.yaml` that are something else.
        common: the options that every role has.
    """
    own = manifest(folder.name).own
    if not re.fullmatch(NAME, folder.name) or folder.name in taken or (assets.images() / folder.name).exists():
        yield "its name is taken, or is none", "rename its folder: lower-case letters, and hyphens between them"
    yield from _slots(folder, own.slots)
    yield from _software(folder)
    yield from _options(own, common)
    yield from _references(own, common)
    yield from _texts(own)
    yield from _ports(folder, own)


def _slots(folder: Path, slots: tuple[int, int] | None) -> Iterator[Problem]:
    if slots is None:
        yield "it has no addresses", f"write 'slots: [91, 99]': first and last host number; {FREE} are free"
        return
    first, last = slots
    for other, path in assets.role_folders().items():
        theirs = manifest(other).own.slots if path != folder else None
        if theirs and first <= theirs[1] and theirs[0] <= last:
            yield f"'{other}' has the addresses {theirs[0]} to {theirs[1]}", f"choose other slots; {FREE} are free"
    if not GATEWAY < first <= last <= LAST or first <= VIP <= last:
        yield f"slots {first} to {last} are not addresses of nodes", f"{FREE} are free"


def _software(folder: Path) -> Iterator[Problem]:
    for name in families():
        missing = [software for software in manifest(folder.name).software if software not in family(name).software]
        if missing:
            place = folder / "families" / f"{name}.yaml"
            yield f"the family {name} does not know its software: {', '.join(missing)}", f"describe it in {place}"


def _options(own: Fragment, common: Container[str]) -> Iterator[Problem]:
    for name, option in own.options.items():
        if name != "count" and (not re.fullmatch(NAME, name) or name.replace("-", "_") in common):
            yield f"its option '{name}' is one of every role, or no name", "choose another name"
        if option.type not in BOUNDED and (option.least, option.most) != (None, None):
            yield f"its option '{name}' is a {option.type}, and has no least or most", "leave them out"


def _references(own: Fragment, common: Container[str]) -> Iterator[Problem]:
    options = [*(need.option for need in own.requires), *(feature.option for feature in own.kernel.values())]
    for option in options:
        if option and option not in own.options and option not in common:
            yield f"'{option}' is none of its options", f"its options: {', '.join(own.options) or 'none'}"
    for port in own.balanced.values():
        if port.instead and port.instead not in own.balanced:
            yield f"'{port.instead}' is none of its balanced ports", f"its balanced ports: {', '.join(own.balanced)}"


def _texts(own: Fragment) -> Iterator[Problem]:
    """Texts with places to fill."""
    texts = [*((port.url, (1,)) for port in own.publishes.values()), *((name, ()) for name in own.certificate or [])]
    for text, values in texts:
        try:
            text.format(*values, domain="example")
        except (KeyError, IndexError, ValueError):
            yield f"'{text}' has a place that nothing fills", "a url has '{}' for the port, a name has '{domain}'"


def _ports(folder: Path, own: Fragment) -> Iterator[Problem]:
    """Names and ports that another role has, or the lab itself."""
    balanced, published = _numbers(own.balanced), _numbers(own.publishes)
    for port in sorted((balanced | published) & RESERVED):
        yield f"the port {port} is one of the lab's own", "choose another one"
    for other, path in assets.role_folders().items():
        theirs = manifest(other).own
        twice = own.publishes.keys() & theirs.publishes.keys() | own.balanced.keys() & theirs.balanced.keys()
        ports = balanced & _numbers(theirs.balanced) | published & _numbers(theirs.publishes)
        if path != folder and (twice or ports):
            what = f"the name '{min(twice)}'" if twice else f"the port {min(ports)}"
            yield f"{what} is that of the role '{other}'", "choose another one"


def _numbers(declared: Mapping[str, Balanced] | Mapping[str, Published]) -> set[int]:
    return {entry.port for entry in declared.values()}
