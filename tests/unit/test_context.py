"""The engine that is meant is the one that Docker's own client would use."""

from __future__ import annotations

import hashlib
import json
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest
import requests
from docker.credentials.errors import StoreError
from docker.errors import DockerException

from lab import engine
from lab.building import builder
from lab.engine.context import EngineAddress, endpoint
from lab.errors import BackendError, BuildError, Gone, SpecError
from lab.recipes import recipe

if TYPE_CHECKING:
    from pathlib import Path


def _context(folder: Path, name: str, host: str) -> None:
    path = folder / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    path.mkdir(parents=True)
    told = {"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": False}}}
    (path / "meta.json").write_text(json.dumps(told))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration of Docker's client with two contexts, of which one is chosen."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": "chosen"}))
    _context(tmp_path, "chosen", "ssh://me@chosen.example")
    _context(tmp_path, "said", "tcp://said.example:2376")
    return tmp_path


def test_the_order_is_that_of_dockers_client(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (endpoint().url, endpoint().options) == ("ssh://me@chosen.example", ("--context", "chosen"))
    monkeypatch.setenv("DOCKER_CONTEXT", "said")
    assert (endpoint().url, endpoint().options) == ("tcp://said.example:2376", ("--context", "said"))
    monkeypatch.setenv("DOCKER_CONTEXT", "default")
    assert endpoint().url == "unix:///var/run/docker.sock"
    monkeypatch.setenv("DOCKER_HOST", "unix:///mine.sock")
    assert (endpoint().url, endpoint().options) == ("unix:///mine.sock", ("--host", "unix:///mine.sock"))
    (folder / "config.json").write_text("[]")
    monkeypatch.delenv("DOCKER_HOST")
    monkeypatch.delenv("DOCKER_CONTEXT")
    assert endpoint().url == "unix:///var/run/docker.sock"


def test_a_home_that_can_not_be_found_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/nonexistent")
    assert endpoint().url.startswith("unix://")


@pytest.mark.parametrize("content", [None, "", "{}", '{"Endpoints": {"kubernetes": {}}}', "[]"])
def test_a_context_that_is_gone_or_broken_is_one_screen(
    folder: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "gone")
    if content is not None:
        _context(folder, "gone", "")
        (folder / "contexts" / "meta" / hashlib.sha256(b"gone").hexdigest() / "meta.json").write_text(content)
    with pytest.raises(SpecError, match="the Docker context 'gone' can't be used") as caught:
        engine.connect()
    assert "docker context ls" in caught.value.next_step


def test_certificates_of_a_context_and_of_the_environment_are_used(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = folder / "contexts" / "tls" / hashlib.sha256(b"said").hexdigest() / "docker"
    keys.mkdir(parents=True)
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (keys / name).touch()
    monkeypatch.setenv("DOCKER_CONTEXT", "said")
    tls = endpoint().tls
    assert tls
    assert (tls.ca_cert, tls.cert, tls.verify) == (
        str(keys / "ca.pem"), (str(keys / "cert.pem"), str(keys / "key.pem")), True
    )  # fmt: skip
    monkeypatch.setenv("DOCKER_HOST", "tcp://there.example:2376")
    assert endpoint().tls is None
    monkeypatch.setenv("DOCKER_CERT_PATH", str(keys))
    assert endpoint().tls is None, "Docker's client uses certificates where DOCKER_TLS_VERIFY is set"
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    tls = endpoint().tls
    assert tls
    assert tls.ca_cert == str(keys / "ca.pem")
    (keys / "ca.pem").unlink()
    with pytest.raises(SpecError, match=r"DOCKER_TLS_VERIFY is set, and .*ca.pem was not found"):
        endpoint()


def test_a_context_that_skips_verification_has_tls_still(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "said")
    assert endpoint().tls is None
    path = folder / "contexts" / "meta" / hashlib.sha256(b"said").hexdigest() / "meta.json"
    path.write_text(path.read_text().replace('"SkipTLSVerify": false', '"SkipTLSVerify": true'))
    tls = endpoint().tls
    assert tls
    assert not tls.verify


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("unix:///var/run/docker.sock", True),
        ("tcp://127.0.0.1:2375", True),
        ("tcp://10.1.2.3:2376", False),
        ("ssh://ann@far", False),
    ],
)
def test_where_ports_are_published(url: str, *, local: bool) -> None:
    """An engine in a virtual machine of this one publishes on this one."""
    assert EngineAddress(url).local is local


def test_a_credential_helper_that_is_missing_is_one_screen() -> None:
    with pytest.raises(BackendError, match="docker-credential-none") as caught, engine.asking("pulling"):
        raise StoreError("docker-credential-none not installed or not available in PATH")
    assert "credsStore" in caught.value.next_step


@pytest.mark.parametrize(
    ("raised", "seen"), [(requests.exceptions.ConnectionError("gone"), Gone), (DockerException("refused"), BuildError)]
)
def test_an_image_is_not_to_blame_for_an_engine_that_is_gone(
    monkeypatch: pytest.MonkeyPatch, raised: Exception, seen: type[Exception]
) -> None:
    class Api:
        def build(self, **_: object) -> None:
            raise raised

    monkeypatch.setattr(engine, "connected", lambda _: nullcontext(Api()))
    with pytest.raises(BackendError) as caught:
        builder._one(recipe("base", "debian"), lambda *_: None, None)  # noqa: SLF001  no engine is there
    assert type(caught.value) is seen
