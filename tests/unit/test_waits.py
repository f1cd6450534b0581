"""Waits of the command that Ctrl-C ends: as short ones, one after the other."""

from __future__ import annotations

import itertools
import re
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lab import clock

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).parents[2]


def test_a_wait_has_many_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal that comes while the interpreter begins a wait is handled at its end: each is short."""
    waits: list[float] = []
    usual_wait, usual_time, mine = threading.Event.wait, time.monotonic, threading.get_ident()

    def counted(event: threading.Event, timeout: float | None = None) -> bool:
        if threading.get_ident() != mine:  # a thread that an earlier test left waits as it did
            return usual_wait(event, timeout)
        assert timeout is not None
        waits.append(timeout)
        return usual_wait(event, 0)

    moments = itertools.count(0.0, 1.0)
    monkeypatch.setattr(threading.Event, "wait", counted)
    monkeypatch.setattr(time, "monotonic", lambda: next(moments) if threading.get_ident() == mine else usual_time())
    clock.wait(600)
    assert len(waits) == 599
    assert max(waits) <= clock.SLICE_SECONDS


def test_a_wait_ends_with_its_event_or_its_time() -> None:
    ended = threading.Event()
    ended.set()
    begun = time.monotonic()
    clock.wait(600, ended)
    assert time.monotonic() - begun < 600
    clock.wait(0.2)
    assert time.monotonic() - begun >= 0.2
    clock.wait(-1)


def test_no_other_module_waits_for_long_at_a_stretch() -> None:
    """A wait whose length is not named as a short one is `lab.clock.wait`."""
    short = re.compile(r"^[A-Z_]*(POLL|INTERVAL|WATCH|LOOK|REPEAT|GRACE)[A-Z_]*")
    found = []
    for path in sorted((ROOT / "lab").rglob("*.py")):
        if path.name == "clock.py":
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            call = re.search(r"(?:threading\.Event\(\)\.wait|time\.sleep)\((.*)", line)
            if call and not short.match(re.sub(r"^(?:max|min)\(", "", call[1])) and not re.match(r"0\.\d", call[1]):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert found == []
