"""The family's table told true: every binary, user, group, module, file and directory is in the image that needs it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from lab.evidence import until
from lab.recipes import manifest
from lab.spec.users import UserName

if TYPE_CHECKING:
    from lab.recipes import Family
    from lab.recipes.family import Software
    from tests.images.alone import Alone

START_SECONDS = 30


def test_what_the_table_names_is_there(alone: Alone, table: Family) -> None:
    # The last thing that init does before it becomes the supervisor's parent.
    until("the node to have booted", START_SECONDS, lambda: alone.run("test -S /run/supervisor.sock")[0] == 0)
    missing = alone.run("\n".join(_questions(table, alone.role)))[1]
    own = set(alone.run("getent passwd; getent group")[1].splitlines())
    assert not missing
    names = {line.partition(":")[0] for line in own if ":" in line}
    assert names, "no user and no group in the image"
    if "users" in manifest(alone.role).own.parts:
        free = [name for name in names if _may_be_called(name)]
        assert not free, "a person could be called as a user or group of the system's own"


def _may_be_called(name: str) -> bool:
    try:
        TypeAdapter(UserName).validate_python(name)
    except ValidationError:
        return False
    return True


def _questions(table: Family, role: str) -> list[str]:
    """A line of shell for each thing of the role's software: it prints what is missing."""
    return [
        f"{command} > /dev/null || echo {shlex.quote(f'{name}: {what}')}"
        for name in manifest(role).software
        for what, command in _asked(table.software[name])
    ]


def _asked(software: Software) -> list[tuple[str, str]]:
    """What to ask of the image about one piece of software, and how."""
    asked = [(f"binary {path}", f"test -x {path}") for path in software.binaries.values()]
    asked += [(f"user {user}", f"getent passwd {user}") for user in software.users.values()]
    asked += [(f"group {group}", f"getent group {group}") for group in software.groups.values()]
    asked += [(f"file {path}", f"test -f {path}") for path in software.files.values()]
    asked += [
        (f"module {module}", f"test -f {software.modules_dir}/{module}.so -o -f {software.modules_dir}/mod_{module}.so")
        for module in software.modules
    ]
    asked += [
        (
            f"directory {d.path} {d.mode} {d.owner}:{d.group}",
            f'test "$(stat -c %a:%U:%G {d.path})" = {d.mode.lstrip("0")}:{d.owner}:{d.group}',
        )
        for d in software.directories
    ]
    return asked
