"""The supervisor's own additions, beside a supervisor of plain values."""

from __future__ import annotations

import signal
import sys
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from lab_node import supervisord

if TYPE_CHECKING:
    from pathlib import Path


class Receiver:
    """What the supervisor has of signals: its loop reads them after its sleep."""

    def __init__(self) -> None:
        self.kept: list[int] = []

    def receive(self, number: int, _: object) -> None:
        self.kept.append(number)


@pytest.mark.parametrize(
    ("number", "stops"),
    [(signal.SIGTERM, True), (signal.SIGINT, True), (signal.SIGCHLD, False), (signal.SIGHUP, False)],
)
def test_a_node_is_stopping_from_the_signal_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, *, stops: bool
) -> None:
    """Not from when the loop looks at it, up to a second later."""
    package = ModuleType("supervisor")
    vars(package).update(
        options=SimpleNamespace(SignalReceiver=Receiver), supervisord=SimpleNamespace(main=lambda: None)
    )
    monkeypatch.setitem(sys.modules, "supervisor", package)
    monkeypatch.setitem(sys.modules, "pkg_resources", ModuleType("pkg_resources"))
    monkeypatch.setattr(supervisord, "STOPPING", tmp_path / "stopping")
    monkeypatch.setattr(Receiver, "receive", Receiver.receive)
    supervisord.main()
    receiver = Receiver()
    receiver.receive(number, None)
    assert receiver.kept == [number]
    assert supervisord.STOPPING.exists() is stops
