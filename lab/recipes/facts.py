"""What has to be true in a built image: the family's table, and what the role's own checks say. Asked by one script."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from lab.recipes.manifest import manifest
from lab.recipes.templates import environment

if TYPE_CHECKING:
    from lab.recipes.family import Family, Software

PRELUDE = """\
set -u
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
failed=0
fact() {
    said=$(timeout 20 sh -c "$2" 2>&1)
    code=$?
    [ "$code" != 124 ] || said="did not end within 20 s"
    if [ "$code" != 0 ]; then
        failed=1
        printf '%s: %s\\n' "$1" "$(printf '%s' "${said:-not found}" | tail -n 3)"
    fi
}
said=$(bash -ec '. /usr/lib/lab/prelude' 2>&1) || { echo "what init does before the supervisor: $said"; exit 1; }
"""


def facts(role: str, table: Family) -> list[tuple[str, str]]:
    """What has to be true, and the shell command that succeeds where it is."""
    declared = manifest(role)
    of_software = [
        (f"{name}: {what}", command) for name in declared.software for what, command in _of(table.software[name], table)
    ]
    names = {key: value.model_dump() for key, value in table.software.items()}
    jinja = environment()
    return of_software + [(what, jinja.from_string(text).render(names)) for what, text in declared.checks.items()]


def script(role: str, table: Family) -> str:
    """A program for `sh` in the image: a line for each fact that is not true, and exit code 1 if there is one.

    It expects the files of a node in place, and starts no daemon.
    """
    lines = [f"fact {shlex.quote(what)} {shlex.quote(command)}" for what, command in facts(role, table)]
    return PRELUDE + "\n".join(lines) + "\nexit $failed\n"


def _of(software: Software, table: Family) -> list[tuple[str, str]]:
    checks = [(f"binary {path}", f"test -x {path}") for path in software.binaries.values()]
    checks += [(f"user {user}", f"getent passwd {user}") for user in software.users.values()]
    checks += [(f"group {group}", f"getent group {group}") for group in software.groups.values()]
    checks += [(f"file {path}", f"test -f {path}") for path in software.files.values()]
    checks += [
        (f"module {module}", f"test -f {software.modules_dir}/{module}.so -o -f {software.modules_dir}/mod_{module}.so")
        for module in software.modules
    ]
    checks += [
        (
            f"directory {entry.path} {entry.mode} {entry.owner}:{entry.group}",
            f'test "$(stat -c %a:%U:%G {entry.path})" = {entry.mode.lstrip("0")}:{entry.owner}:{entry.group}',
        )
        for entry in software.directories
    ]
    checks += [
        (f"{daemon} {has.oldest} or later", _reaches(has.oldest, table.version_command(has.package or daemon)))
        for daemon, has in software.versions.items()
    ]
    python = table.software["base"].binaries["python"]
    return checks + [(f"Python module {name}", f"{python} -c 'import {name}'") for name in software.imports]


def _reaches(oldest: str, command: str) -> str:
    """The command that prints the version from `command`, and succeeds if it is `oldest` or later, epoch aside."""
    return f"has=$({command}) && echo $has && printf '%s\\n' {oldest} \"${{has#*:}}\" | sort -VC"
