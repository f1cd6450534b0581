"""Images and disks that are removed while they are listed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from docker.errors import NotFound

from lab import paths
from lab.backends import kinds
from lab.building import stock


class Engine:
    """Fails so many times for each question, as one does that was about to describe a removed image."""

    def __init__(self, failures: int) -> None:
        self.failures = dict.fromkeys(("images", "containers", "df"), failures)

    def _ask(self, what: str, said: Any) -> Any:  # noqa: ANN401
        if self.failures[what]:
            self.failures[what] -= 1
            raise NotFound("No such image: sha256:1")
        return said

    def images(self) -> Any:  # noqa: ANN401
        return self._ask("images", [{"Id": "sha256:2", "RepoTags": ["www-cluster-lab/web:debian-2"], "Size": 5}])

    def containers(self, **_: object) -> Any:  # noqa: ANN401
        return self._ask("containers", [])

    def df(self) -> Any:  # noqa: ANN401
        return self._ask("df", {"LayersSize": 7})


def test_a_list_is_asked_for_again_when_something_of_it_is_removed_meanwhile() -> None:
    engine = Engine(3)
    assert [one.name for one in stock.stock(engine)] == ["www-cluster-lab/web:debian-2"]  # type: ignore[arg-type]
    assert stock.layers(engine) == 7  # type: ignore[arg-type]
    assert set(engine.failures.values()) == {0}


def test_an_engine_that_never_lists_them_is_no_endless_wait() -> None:
    with pytest.raises(Exception, match="No such image"):
        stock.stock(Engine(stock.LISTINGS))  # type: ignore[arg-type]


def test_a_disk_that_is_removed_meanwhile_is_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    gone, kept = (paths.disks() / f"web-{letter * 16}-0123ab.ext4" for letter in "ab")
    for path in (gone, kept):
        path.touch()
    real, looks = Path.stat, []

    def stat(path: Path, **options: Any) -> Any:  # noqa: ANN401
        if path == gone:
            looks.append(path)
            if len(looks) > 1:  # it was a file when the folder was read
                raise FileNotFoundError(path)
        return real(path, **options)

    monkeypatch.setattr(Path, "stat", stat)
    assert [one.name for one in kinds.kind("xen").made_of_images(frozenset())] == [kept.name]
    assert len(looks) > 1
