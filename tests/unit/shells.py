"""A backend whose nodes run the scripts of checks on this machine, with programs that a test writes."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from lab.backends.base import Result
from lab.backends.memory import MemoryBackend
from lab.evidence.outcomes import Scene, question
from lab.learning.attempt import attempt
from lab.learning.library import lesson
from lab.learning.values import filled

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lab.evidence.outcomes import CheckOutcome


class Shell(MemoryBackend):
    """Runs the scripts of checks on this machine; `programs` are those that they call, as shell scripts."""

    def __init__(self, folder: Path, **programs: str) -> None:
        super().__init__("golden")
        self.folder = folder
        for name, text in programs.items():
            (folder / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
            (folder / name).chmod(0o755)

    def run(self, node: str, argv: Sequence[str], *, seconds: float = 30) -> Result:
        where = os.environ | {"PATH": f"{self.folder}:{os.environ['PATH']}"}
        done = subprocess.run(argv, env=where, capture_output=True, text=True, check=False, timeout=seconds)
        return Result(node, tuple(argv), done.returncode, done.stdout, done.stderr)


def asked(number: int, task: str, index: int, backend: Shell) -> CheckOutcome:
    """The answer of one check of a task, made by the programs of a backend."""
    made = attempt(lesson(number), MemoryBackend("www"))
    kind, parameters = made.lesson.task(task).checks[index]
    told = {**filled(parameters, made.known), "steady": 0}
    return question(kind, told).ask(Scene(backend, made.scene.cluster, made.scene.plan))
