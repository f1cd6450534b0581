"""The family's table told true: every binary, user, group, module, file and directory is in the image that needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.evidence import until
from lab.recipes import manifest, roles
from tests.images.alone import Alone

if TYPE_CHECKING:
    from lab.recipes import Family

START_SECONDS = 30


@pytest.mark.parametrize("role", roles())
def test_what_the_table_names_is_there(role: str, table: Family) -> None:
    with Alone(role, table.family) as node:
        # The last thing that init does before it becomes the supervisor's parent.
        until("the node to have booted", START_SECONDS, lambda: node.run("test -S /run/supervisor.sock")[0] == 0)
        missing = [
            f"{name}: {what}"
            for name in manifest(role).software
            for what, command in _questions(table, name)
            if node.run(command)[0] != 0
        ]
    assert not missing


def _questions(table: Family, name: str) -> list[tuple[str, str]]:
    """What to ask of the image about one piece of software, and how."""
    software = table.software[name]
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
