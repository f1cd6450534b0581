"""Compiled templates are kept: never for another source, never where others can write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab import paths
from lab.recipes import templates

if TYPE_CHECKING:
    from pathlib import Path

    from jinja2 import Environment


pytestmark = pytest.mark.usefixtures("own_templates")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one template."""
    made = tmp_path / "templates"
    made.mkdir()
    (made / "one.j2").write_text("first {{ name }}")
    return made


def _shown(folder: Path) -> str:
    return templates.environment(str(folder)).get_template("one.j2").render(name="web1")


def _kept() -> list[Path]:
    return sorted(paths.templates().iterdir())


def test_a_template_is_compiled_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _shown(folder) == "first web1"
    assert len(_kept()) == 1
    monkeypatch.setattr("jinja2.Environment.compile", lambda *_, **__: pytest.fail("it was compiled again"))
    assert _shown(folder) == "first web1"


def test_another_source_is_compiled(folder: Path) -> None:
    _shown(folder)
    (folder / "one.j2").write_text("second {{ name }}")
    assert _shown(folder) == "second web1"


@pytest.mark.parametrize("size", [0, 1, 20, 60])
def test_a_damaged_file_is_replaced(folder: Path, size: int) -> None:
    _shown(folder)
    (kept,) = _kept()
    whole = kept.read_bytes()
    kept.write_bytes(whole[:size] + b"\xff" * 9)
    assert _shown(folder) == "first web1"
    assert _kept() == [kept]
    assert kept.stat().st_size == len(whole)


def test_where_nothing_can_be_written_templates_are_compiled_each_time(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert _cache(folder) is None
    assert _shown(folder) == "first web1"


def test_a_full_disk_keeps_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = templates.environment(str(folder))
    monkeypatch.setattr("tempfile.NamedTemporaryFile", _full)
    assert made.get_template("one.j2").render(name="web1") == "first web1"
    assert _kept() == []


def _full(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


def test_code_is_not_run_from_a_folder_of_others(folder: Path) -> None:
    paths.templates().chmod(0o777)
    assert _cache(folder) is None
    paths.templates().chmod(0o700)
    assert _cache(folder) is not None


def _cache(folder: Path) -> object:
    made: Environment = templates.environment(str(folder))
    return made.bytecode_cache
