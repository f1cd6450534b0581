"""Names the modules of `lab/` that are covered too little without a reason, and those whose reason is out of date."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

LEAST_PERCENT = 80.0
STALE_PERCENT = 90.0
"""From here on a reason is out of date; between the two a module may be on either side from run to run."""

BY_TURNS = "when it is their turn"
"""A reason with these words holds on some days: it is never out of date."""

PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def complaints(percent: Mapping[str, float], named: Mapping[str, str]) -> list[str]:
    """What does not fit, a line each.

    Args:
        percent: of each module, by its path in the project, how much of it ran.
        named: the modules that may run less than `LEAST_PERCENT`, with the reason.
    """
    low = {name: share for name, share in percent.items() if share < LEAST_PERCENT}
    unnamed = [f"{name}: {share:.1f} %, and no reason is named" for name, share in low.items() if name not in named]
    over = [
        f"{name}: named, and {share:.0f} % of it ran"
        for name, reason in named.items()
        if (share := percent.get(name, 0)) >= STALE_PERCENT and BY_TURNS not in reason
    ]
    gone = [f"{name}: named, and there is no such module" for name in named if name not in percent]
    empty = [f"{name}: named without a reason" for name, reason in named.items() if not reason.strip()]
    return sorted([*unnamed, *over, *gone, *empty])


def named() -> dict[str, str]:
    """The modules that pyproject.toml names."""
    found: dict[str, str] = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["tool"]["lab"]["coverage"]
    return found


def measured() -> dict[str, float]:
    """What `coverage combine` left, by module."""
    command = [sys.executable, "-m", "coverage", "json", "-q", "-o", "-"]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, cwd=PROJECT.parent).stdout)
    return {name: file["summary"]["percent_covered"] for name, file in told["files"].items()}


if __name__ == "__main__":
    found = complaints(measured(), named())
    sys.stdout.write("".join(f"coverage: {line} (pyproject.toml, [tool.lab.coverage])\n" for line in found))
    sys.exit(bool(found))
