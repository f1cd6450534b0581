"""The supervisor's own additions, beside a supervisor of plain values."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from lab_node import supervisord

BEHIND = """
import io, sys, types
from lab_node import supervisord

sys.modules["supervisor"] = types.ModuleType("supervisor")
supervisord.stand_in()
import http.client, xmlrpc.client, xml.etree.ElementTree
from html import escape
import html.entities as entities
from xml.etree.ElementTree import iterparse

assert not {"_decimal", "email", "ssl"} & set(sys.modules)
question = xmlrpc.client.dumps(("httpd", 7), "supervisor.stopProcess")
assert [each.text for _, each in iterparse(io.StringIO(question)) if each.tag == "string"] == ["httpd"]
assert escape("<") == "&lt;"
assert entities.name2codepoint["lt"] == 60
assert http.client.HTTPSConnection.default_port == 443
"""
"""What the supervisor asks of some of the modules that it has stand-ins for."""


class Poller:
    """What the supervisor has to wait with: notes how long."""

    waits: tuple[float, ...] = ()

    def poll(self, seconds: float) -> None:
        Poller.waits += (seconds,)


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
    _begin(tmp_path, monkeypatch)
    receiver = Receiver()
    receiver.receive(number, None)
    assert receiver.kept == [number]
    assert (tmp_path / "stopping").exists() is stops


def test_services_are_started_without_a_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The supervisor waits a second before it looks at its services: not the first time."""
    monkeypatch.setattr(Poller, "waits", ())
    _begin(tmp_path, monkeypatch)
    for _ in range(3):
        Poller().poll(1)
    assert Poller.waits == (0, 1, 1)


def test_what_is_imported_later_works_when_it_is_used() -> None:
    """An interpreter of its own: stand-ins are in the places of modules."""
    node = Path(supervisord.__file__).parents[1]
    program = f"import sys; sys.path.insert(0, {str(node)!r})" + BEHIND
    done = subprocess.run([sys.executable, "-I", "-c", program], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def _begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has `main` change what the supervisor has."""
    package = ModuleType("supervisor")
    vars(package).update(
        options=SimpleNamespace(SignalReceiver=Receiver),
        poller=SimpleNamespace(Poller=Poller),
        supervisord=SimpleNamespace(main=lambda: None),
    )
    monkeypatch.setitem(sys.modules, "supervisor", package)
    monkeypatch.setattr(supervisord, "stand_in", lambda: None)
    monkeypatch.setattr(supervisord, "STOPPING", str(tmp_path / "stopping"))
    monkeypatch.setattr(Receiver, "receive", Receiver.receive)
    monkeypatch.setattr(Poller, "poll", Poller.poll)
    supervisord.main()
