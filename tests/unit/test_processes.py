"""A verb is called in the process of the tests (`command.lab`): a new one takes a second while coverage is measured."""

from __future__ import annotations

from pathlib import Path

UNIT = Path(__file__).parent
STARTS = ('with_name("lab")', "import main; main()")
"""How a file starts the command."""

NEEDED = {
    "test_odd_machines.py": "signals, closed streams, a full device, a terminal that goes, an interrupt of the import",
    "test_pipes.py": "a pipe whose reader has left, a terminal",
    "test_screens.py": "the encoding that a process finds at its start",
    "stranger.py": "the entry point of an installed package",
    "test_users.py": "five commands at once",
}
"""The files that start it, each with what only a process shows."""


def test_the_command_is_started_only_where_its_process_is_tried() -> None:
    texts = {path.name: path.read_text(encoding="utf-8") for path in UNIT.glob("*.py") if path != Path(__file__)}
    assert {name for name, text in texts.items() if any(start in text for start in STARTS)} == NEEDED.keys()
