"""Coverage: a module that is covered too little is named with a reason, and no other is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import covered


@pytest.mark.parametrize(
    ("percent", "named", "said"),
    [
        ({"a.py": 80.0, "b.py": 100.0}, {}, []),
        ({"a.py": 79.9}, {}, ["a.py: 79.9 %, and no reason is named"]),
        ({"a.py": 12.0}, {"a.py": "needs a Xen of somebody's"}, []),
        ({"a.py": 91.0}, {"a.py": "once it was so"}, ["a.py: named, and 91 % of it ran"]),
        ({"a.py": 91.0}, {"a.py": "lessons, when it is their turn"}, []),
        ({}, {"a.py": "it went"}, ["a.py: named, and there is no such module"]),
        ({"a.py": 12.0}, {"a.py": " "}, ["a.py: named without a reason"]),
    ],
)
def test_what_does_not_fit_is_said(percent: dict[str, float], named: dict[str, str], said: list[str]) -> None:
    assert covered.complaints(percent, named) == said


def test_every_named_module_is_there() -> None:
    missing = [name for name in covered.named() if not (Path(covered.PROJECT).parent / name).is_file()]
    assert missing == []
