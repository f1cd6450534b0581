"""A file of a container as the engine sends it: a link at the end of its path is sent as it is."""

from __future__ import annotations

import io
import posixpath
import tarfile
from typing import TYPE_CHECKING, Any, cast

import pytest
from docker.errors import NotFound

from lab.backends.docker.container import content
from lab.errors import BackendError

if TYPE_CHECKING:
    import docker

LINK = tarfile.SYMTYPE


class _Engine:
    """Answers as the engine does; `links` and `files` by path."""

    def __init__(self, files: dict[str, bytes], links: dict[str, str]) -> None:
        self._files, self._links = files, links

    def get_archive(self, container: str, path: str) -> tuple[list[bytes], dict[str, Any]]:
        assert container == "web1"
        path = posixpath.normpath(path)
        member, body = tarfile.TarInfo(path.rpartition("/")[2]), self._files.get(path, b"")
        if path in self._links:
            member.type, member.linkname = LINK, self._links[path]
        elif path not in self._files:
            raise NotFound(path)
        member.size = len(body)
        sent = io.BytesIO()
        with tarfile.open(fileobj=sent, mode="w") as tar:
            tar.addfile(member, io.BytesIO(body))
        return [sent.getvalue()], {}


@pytest.mark.parametrize(
    ("links", "found"),
    [
        ({}, None),
        ({"/etc/a": "/srv/b"}, b"text"),
        ({"/etc/a": "c", "/etc/c": "../srv/b"}, b"text"),
        ({"/etc/a": "/run/gone"}, None),
    ],
)
def test_links_are_followed_within_the_container(links: dict[str, str], found: bytes | None) -> None:
    engine = cast("docker.APIClient", _Engine({"/srv/b": b"text"}, links))
    place, content_there = content(engine, "web1", "/etc/a", "web1")
    assert content_there == found
    assert not links or place in {"/srv/b", "/run/gone"}


@pytest.mark.parametrize("links", [{"/etc/a": "a"}, {"/etc/a": "c", "/etc/c": "/etc/a"}])
def test_links_that_lead_to_each_other_are_named(links: dict[str, str]) -> None:
    engine = cast("docker.APIClient", _Engine({}, links))
    with pytest.raises(BackendError, match="symbolic link loop at /etc/a"):
        content(engine, "web1", "/etc/a", "web1")
