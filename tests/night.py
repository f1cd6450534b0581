"""The parts of `make nightly`, each to its own end: `python -m tests.night [--again] [NAME…]`, by default all.

A part that passed at this commit is not repeated, so that a night that was broken off goes on with the next part.
A name also stands for all parts that begin with it and a dash: `xen` for `xen-five`, `xen-mail` and the others.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests import parts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FOLDER = Path("runs/night")
PARITY = "runs/parity.json"
TOPOLOGIES = "tests/cluster/topologies"
XEN = ("--backend", "xen", "--topology")
SUITES: Mapping[str, tuple[str, ...]] = {
    "unit": ("-n", "auto", "tests/unit"),
    "engines": ("tests/images", "-m", "nightly"),
    "docker": ("tests/report", "tests/compose", "tests/cluster", "tests/attack", "--parity", PARITY),
    "sites": (
        *("tests/cluster", "--topology", f"{TOPOLOGIES}/sites.yaml", "--parity", PARITY),
        *("-m", f'smaller(topology="{TOPOLOGIES}/sites.yaml")'),
    ),
    "apps": (
        *("tests/cluster", "--topology", f"{TOPOLOGIES}/apps.yaml", "--parity", PARITY),
        *("-m", f'smaller(topology="{TOPOLOGIES}/apps.yaml")'),
    ),
    "galera": ("tests/cluster/test_mysql.py", "--topology", "galera"),
    "xen-five": ("tests/xen", "tests/cluster", "tests/attack", *XEN, "five", "-m", "not lesson", "--parity", PARITY),
    "xen-lessons": ("tests/cluster", "--backend", "xen", "-m", "lesson", "--parity", PARITY),
    "xen-stage3": (
        *("tests/cluster/test_web_nodes.py", "tests/cluster/test_site.py", "tests/cluster/test_scaling.py"),
        *(*XEN, "stage3", "--parity", PARITY),
    ),
    "xen-shell": ("tests/cluster/test_shell.py", *XEN, f"{TOPOLOGIES}/shell.yaml", "--parity", PARITY),
    "xen-mail": ("tests/cluster/test_mail.py", *XEN, f"{TOPOLOGIES}/mail.yaml", "--parity", PARITY),
    "xen-backup": ("tests/cluster/test_backup.py", *XEN, f"{TOPOLOGIES}/backup.yaml", "--parity", PARITY),
    "xen-mysql": ("tests/cluster/test_mysql.py", *XEN, "stage6", "--parity", PARITY),
    "xen-apps": ("tests/cluster/test_apps_five.py", *XEN, f"{TOPOLOGIES}/apps_five.yaml", "--parity", PARITY),
}
"""The arguments of pytest, by part. A night has thorough searches of the unit tests (`HYPOTHESIS_PROFILE`)."""
AGAIN = "--again"


def chosen(names: Sequence[str], suites: Mapping[str, Sequence[str]] = SUITES) -> list[str]:
    """The parts that these names stand for, in their order; all for none.

    Raises:
        SystemExit: 2; no part has such a name.
    """
    groups = {name: [part for part in suites if part == name or part.startswith(f"{name}-")] for name in names}
    for name in (name for name, group in groups.items() if not group):
        sys.stderr.write(f"no part '{name}'; parts: {', '.join(suites)}\n")
        raise SystemExit(2)
    wanted = {part for group in groups.values() for part in group} or set(suites)
    return [part for part in suites if part in wanted]


def play(
    names: Sequence[str], notes: Path, folder: Path = FOLDER, suites: Mapping[str, Sequence[str]] = SUITES
) -> list[str]:
    """Runs those of these parts that have not passed by the notes; returns those that failed, or were interrupted.

    Args:
        names: of the parts.
        notes: the file of the notes, one for each commit.
        folder: of the JUnit files, one for each part.
        suites: the arguments of pytest, by part.
    """
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["HYPOTHESIS_PROFILE"] = "nightly"
    for name in names:
        if name not in passed(notes):
            sys.stdout.write(f"part {name}\n")
            sys.stdout.flush()
            junit = str(folder / f"{name}.xml")
            parts.run(name, [sys.executable, "-m", "pytest", *suites[name], "--junitxml", junit], notes)
    return [name for name in names if name not in passed(notes)]


def passed(notes: Path) -> set[str]:
    """The parts whose last run passed."""
    return {name for name, code in {part.name: part.code for part in parts.noted(notes)}.items() if not code}


def revision() -> str:
    """The commit; with `-dirty` where tracked files differ from it, which is never the same code twice."""
    argv = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


def main(argv: Sequence[str]) -> int:
    """The command; 1 if a part failed, 2 for an unknown one."""
    names = chosen([word for word in argv if word != AGAIN])
    code = revision()
    notes = FOLDER / f"{code}.jsonl"
    if AGAIN in argv or code.endswith("-dirty"):
        notes.unlink(missing_ok=True)
    failed = play(names, notes)
    latest = {part.name: part for part in parts.noted(notes) if part.name in names}
    sys.stdout.write(parts.table(list(latest.values()), names))
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
