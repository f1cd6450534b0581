"""The checks of readiness are read by the shell that asks them: none may change that one's own variables."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

IMAGES = Path(__file__).parents[2] / "images"
ASKERS = [IMAGES / "base/rootfs/usr/lib/lab" / name for name in ("asking", "await", "ready")]
CHECKS = sorted(path for folder in ("ready.d", "check.d") for path in IMAGES.glob(f"**/usr/lib/lab/{folder}/*"))
SET = re.compile(
    r"^\s*(?:local )?(\w+)=|[({;] *(?:local )?(\w+)=|\bfor (\w+) in|\bread\b((?: -\w+(?: [\d.]+)?)*)((?: \w+)+)",
    re.MULTILINE,
)
TOLD = {"because", "patience", "status", "line", "_"}
"""How a check says its reason, and what `http` of `asking` is told and answers."""


def variables(text: str) -> set[str]:
    """The names that a script sets."""
    return {name for one, two, loop, _, read in SET.findall(text) for name in (one, two, loop, *read.split()) if name}


def test_the_variables_of_a_script_are_seen() -> None:
    text = "for directory in a; do\nread -r -t 3 mode inside < x\n[ x ] || { because=1; y=2; }\nlocal wait=3\ndone"
    assert variables(text) == {"directory", "mode", "inside", "because", "y", "wait"}


@pytest.mark.parametrize("check", CHECKS, ids=lambda path: path.name)
def test_a_check_sets_no_variable_of_who_asks(check: Path) -> None:
    """`await` would go on with what the check left there."""
    own = {name for path in ASKERS for name in variables(path.read_text())}
    assert {"deadline", "check", "said"} <= own
    assert variables(check.read_text()) & own - TOLD == set()
