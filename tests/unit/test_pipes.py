"""Output that is read by `head` or `grep -q`: the reader leaves first, and that is no failure of any verb."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LAB = str(Path(sys.executable).with_name("lab"))
END_SECONDS = 60


@pytest.mark.parametrize("verb", ["schema", "graph", "compose", "render web1", "--help", "user list"])
def test_a_reader_that_leaves_is_no_failure(verb: str, tmp_path: Path) -> None:
    read, written = os.pipe()
    os.close(read)
    with os.fdopen(written, "wb") as pipe:
        done = subprocess.run(
            [LAB, *verb.split()], stdout=pipe, stderr=subprocess.PIPE, text=True, check=False,
            timeout=END_SECONDS, cwd=tmp_path,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
