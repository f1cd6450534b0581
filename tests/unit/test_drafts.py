"""A file that is written has its old content or its new one, whoever reads it, whatever ends the writer."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from lab.drafts import drafted, write

if TYPE_CHECKING:
    from pathlib import Path


def test_a_failure_leaves_the_file_and_no_draft(tmp_path: Path) -> None:
    file = tmp_path / "a"
    write(file, "old")
    with pytest.raises(UnicodeEncodeError), drafted(file) as draft:
        draft.write_text("half\udcff", encoding="utf-8")
    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_killed_writer_leaves_the_file(tmp_path: Path) -> None:
    file = tmp_path / "a"
    write(file, "old")
    program = (
        "import os, pathlib, sys; from lab.drafts import drafted\n"
        "with drafted(pathlib.Path(sys.argv[1])) as draft:\n    draft.write_text('half'); os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, str(file)], check=False).returncode == -9
    assert file.read_text() == "old"


def test_rights_are_there_from_the_first_moment(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with drafted(tmp_path / "secret", 0o600) as draft:
            assert draft.stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


def test_two_threads_have_a_draft_each(tmp_path: Path) -> None:
    texts = [str(number) * 100_000 for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda text: write(tmp_path / "a", text), texts))
    assert (tmp_path / "a").read_text() in texts
    assert len(list(tmp_path.iterdir())) == 1


def test_an_error_names_the_file_and_not_its_draft(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    with pytest.raises(IsADirectoryError) as error:
        write(tmp_path / "secret", "content")
    assert error.value.filename == str(tmp_path / "secret")
    with pytest.raises(FileNotFoundError) as missing:
        write(tmp_path / "missing" / "secret", "content")
    assert missing.value.filename == str(tmp_path / "missing" / "secret")
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]
