"""main.cf and master.cf: parameters, the restrictions and kinds of table in their values, and services."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.unit.directives.use import Use, lines, words

if TYPE_CHECKING:
    from collections.abc import Iterator

COLUMNS = 8
"""Of a service: name, type, private, unprivileged, chroot, wakeup, limit, command."""


def main(text: str) -> Iterator[Use]:
    """The parameters of main.cf."""
    for number, line in lines(text):
        yield from _parameter(line, number)


def master(text: str) -> Iterator[Use]:
    """The types and commands of services, and the parameters that `-o` gives them."""
    for number, line in lines(text):
        if line.startswith("-o {"):
            yield Use("-o { name = value }", number)
            yield from _parameter(line.removeprefix("-o {").removesuffix("}").strip(), number)
        elif line.startswith("-o "):
            yield from _parameter(line.removeprefix("-o "), number)
        else:
            columns = line.split(maxsplit=COLUMNS - 1)
            yield Use(f"type {columns[1]}", number)
            yield Use(f"command {columns[-1].split()[0]}", number)


def _parameter(line: str, number: int) -> Iterator[Use]:
    name, _, value = (part.strip() for part in line.partition("="))
    yield Use(name, number, words(value))
    if name.endswith("_restrictions"):
        yield from (Use(f"restriction {word}", number) for word in re.findall(r"(?:check|permit|reject)_\w+", value))
    yield from (Use(f"type {kind}", number) for kind in re.findall(r"\b([a-z]+):(?=[\w/{])", value))
