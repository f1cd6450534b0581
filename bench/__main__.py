"""The command: `python -m bench [SECTION …] [--quick] [--runs N]`."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench import lifecycle, mail
from bench.figures import Result, show
from bench.sections import SECTIONS, Section
from lab.backends import backend
from lab.errors import LabError
from lab.lifecycle.down import down
from lab.progress import Silent
from lab.testing import LabCluster
from lab.topology import Mail, Placement, find, load

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.figures import Figure

QUICK = "a quick look: one run of each figure, on one shared cluster; no figures to quote"
QUICK_SECONDS = 280.0
"""For a quick look, the making of its cluster included; what would take longer is left out, and said to be."""
TAIL_LINES = 12
HERE = str(Path(__file__).parent)


def main(argv: Sequence[str] | None = None) -> int:
    """Takes, shows and keeps the figures of the chosen sections; one that fails leaves the others theirs.

    Returns 1 when a section failed or, other than in a quick look, a goal was missed.
    """
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("sections", nargs="*", choices=[[], *SECTIONS], default=[], help="all of them unless said")
    parser.add_argument("--runs", type=int, default=0, help="runs of each figure; each section has its own number")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK}; without Xen and the fresh clone")
    chosen = parser.parse_args(argv)
    names = chosen.sections or [name for name, one in SECTIONS.items() if one.look or not chosen.quick]
    result = Result(quick=chosen.quick, until=time.monotonic() + QUICK_SECONDS if chosen.quick else float("inf"))
    if chosen.quick:
        print(QUICK)

    def runs(section: Section) -> int:
        return int(chosen.runs) or (1 if chosen.quick else section.runs)

    for name in names:
        section = SECTIONS[name]
        if section.alone and not section.on_shared(quick=chosen.quick):
            _take(result, name, lambda section=section: section.alone(runs(section)))  # type: ignore[misc]
    together = [name for name in names if SECTIONS[name].on_shared(quick=chosen.quick)]
    if together:
        _on_one_cluster(result, together, runs)
    print(f"kept in {result.path}" + (f" ({QUICK})" if chosen.quick else ""))
    if result.left_out:
        print(f"left out, as a quick look ends within five minutes: {', '.join(result.left_out)}")
    for name, because in result.failed.items():
        print(f"failed: {name}: {because.splitlines()[0]}")
    missed = any(entry.held is False for rows in result.taken.values() for entry in rows)
    return int(bool(result.failed) or (missed and not chosen.quick))


def _on_one_cluster(result: Result, names: Sequence[str], runs: Callable[[Section], int]) -> None:
    """The sections that share a cluster, each on a whole one."""
    made = backend(Placement(), lifecycle.NAME)
    spec = load(find("full"), name=lifecycle.NAME)
    spec = spec.model_copy(update={"mail": (spec.mail or Mail()).model_copy(update={"rate": mail.RATE})})
    try:
        try:
            cluster = LabCluster(spec, made)
        except LabError as error:
            result.failed |= dict.fromkeys(names, f"no cluster to take it on: {error}")
            print(f"failed: {', '.join(names)}\n{error}", file=sys.stderr)
            return
        for name in names:

            def take(name: str = name) -> list[Figure]:
                cluster.heal()
                section = SECTIONS[name]
                return section.shared(cluster, runs(section)) if section.shared else []

            _take(result, name, take)
    finally:
        down(made, Silent(), volumes=True)


def _take(result: Result, name: str, work: Callable[[], list[Figure]]) -> None:
    """Takes a section and keeps what it brought, or why it failed."""
    title = SECTIONS[name].title
    if time.monotonic() + SECTIONS[name].takes > result.until:
        result.left_out.append(name)
        result.keep()
        return
    print(f"taking: {title} …", file=sys.stderr)
    begun = time.monotonic()
    try:
        rows = work()
    except (Exception, pytest.skip.Exception) as error:  # noqa: BLE001  whatever it is, the other sections go on
        result.failed[name] = reason(error)
        print(f"failed: {title}\n{result.failed[name]}", file=sys.stderr)
    else:
        result.taken[name] = rows
        show(f"{title} ({time.monotonic() - begun:.0f} s)", rows)
    result.seconds[name] = time.monotonic() - begun
    result.keep()


def reason(error: BaseException) -> str:
    """What went wrong, where, and the last that was said: on one screen."""
    frame = next(
        (one for one in reversed(traceback.extract_tb(error.__traceback__)) if one.filename.startswith(HERE)), None
    )
    lines = [f"{type(error).__name__}: {error}"]
    if frame:
        lines.append(f"  where: {frame.filename.rpartition('/')[2]}:{frame.lineno}, {frame.line}")
    if isinstance(error, (subprocess.CalledProcessError, subprocess.TimeoutExpired)):
        for said in (error.stdout, error.stderr):
            text = said.decode(errors="replace") if isinstance(said, bytes) else said or ""
            lines += [f"  | {line}" for line in text.strip().splitlines()[-TAIL_LINES:]]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
