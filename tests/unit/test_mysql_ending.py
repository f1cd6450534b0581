"""A thread of the keeper that ends by an error ends its process: the others would tell the last state for ever."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import lab_node.keeper.ending

FOLDER = str(Path(lab_node.keeper.ending.__file__).parents[2])
PROGRAM = """
import threading
from lab_node.keeper import ending

def fail():
    raise {error}

ending.end_with_any_thread()
thread = threading.Thread(target=fail, daemon=True)
thread.start()
thread.join()
print("goes on")
"""


def _ended(error: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(error=error)],
        env={**os.environ, "PYTHONPATH": FOLDER},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def test_an_error_of_a_thread_ends_the_process_and_is_printed() -> None:
    done = _ended("KeyError('epoch')")
    assert (done.returncode, done.stdout) == (1, "")
    assert "KeyError: 'epoch'" in done.stderr


def test_a_thread_that_ends_itself_ends_nothing_else() -> None:
    done = _ended("SystemExit")
    assert (done.returncode, done.stdout) == (0, "goes on\n")
