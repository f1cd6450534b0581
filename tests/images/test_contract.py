"""The family's table told true: every binary, user, group, module, file and directory is in the image that needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from lab.evidence import until
from lab.recipes import manifest
from lab.recipes.facts import script
from lab.topology.users import UserName

if TYPE_CHECKING:
    from lab.recipes import Family
    from tests.images.single_role import SingleRole

START_SECONDS = 30


def test_what_the_table_names_is_there(alone: SingleRole, table: Family) -> None:
    # The last thing that init does before it becomes the supervisor's parent.
    until("the node to have booted", START_SECONDS, lambda: alone.run("test -S /run/supervisor.sock")[0] == 0)
    missing = alone.run(script(alone.role, table))[1]
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
