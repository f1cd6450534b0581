"""The engine that Docker's own client would use: `DOCKER_HOST`, `DOCKER_CONTEXT`, what `docker context use` chose."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from docker.tls import TLSConfig

from lab.errors import SpecError

DEFAULT = "default"
USUAL = "unix:///var/run/docker.sock"


@dataclass(frozen=True)
class EngineAddress:
    """An engine's address.

    Attributes:
        url: `unix://`, `tcp://` or `ssh://`.
        tls: how it is known and how this user is, where that is by certificates.
        options: those of the `docker` command that lead to the same engine.
    """

    url: str
    tls: TLSConfig | None = None
    options: tuple[str, ...] = ()

    @property
    def local(self) -> bool:
        """Whether ports are published on this machine: by an engine on it, also one in a virtual machine."""
        try:
            parts = urlsplit(self.url)
        except ValueError:  # no engine is there
            return True
        return parts.scheme in ("unix", "npipe") or parts.hostname in ("localhost", "127.0.0.1", "::1")


def endpoint() -> EngineAddress:
    """The engine that is meant; the usual socket, or the rootless one, where nothing says otherwise.

    Raises:
        SpecError: the chosen context was not found or can't be read, or a certificate was not found.
    """
    host = os.environ.get("DOCKER_HOST")
    if host:
        return EngineAddress(host, _tls_of_environment(), ("--host", host))
    name = os.environ.get("DOCKER_CONTEXT") or _chosen()
    if name != DEFAULT:
        return _context(name)
    rootless = Path(os.environ.get("XDG_RUNTIME_DIR", "/nonexistent")) / "docker.sock"
    there = Path(USUAL.removeprefix("unix://")).exists()
    url = f"unix://{rootless}" if rootless.exists() and not there else USUAL
    return EngineAddress(url, options=("--host", url))


def _folder() -> Path:
    """Where Docker's client keeps its configuration."""
    configured = os.environ.get("DOCKER_CONFIG")
    return Path(configured) if configured else Path(os.path.expanduser("~")) / ".docker"  # noqa: PTH111  never raises


def _chosen() -> str:
    """The context of `docker context use`; an unreadable configuration chooses none, as for Docker's client."""
    try:
        configuration = json.loads((_folder() / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return DEFAULT
    return str(configuration.get("currentContext") or DEFAULT) if isinstance(configuration, dict) else DEFAULT


def _context(name: str) -> EngineAddress:
    mark = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()
    path = _folder() / "contexts" / "meta" / mark / "meta.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))["Endpoints"]["docker"]
        url = str(data["Host"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SpecError(
            f"the Docker context '{name}' can't be used: {error if not isinstance(error, OSError) else error.strerror}",
            where=str(path),
            next_step="'docker context ls' lists what there is; 'docker context use' or DOCKER_CONTEXT chooses",
        ) from None
    keys = _folder() / "contexts" / "tls" / mark / "docker"
    return EngineAddress(url, _tls(keys, verify=not data.get("SkipTLSVerify", False)), ("--context", name))


def _tls_of_environment() -> TLSConfig | None:
    """As Docker's client does it: only where DOCKER_TLS_VERIFY is set, and never without an authority.

    Raises:
        SpecError: the authority's certificate was not found.
    """
    if not os.environ.get("DOCKER_TLS_VERIFY"):
        return None
    folder = Path(os.environ.get("DOCKER_CERT_PATH") or _folder())
    if not (folder / "ca.pem").is_file():
        raise SpecError(
            f"DOCKER_TLS_VERIFY is set, and {folder / 'ca.pem'} was not found",
            where="DOCKER_CERT_PATH",
            next_step="set DOCKER_CERT_PATH to the folder that holds ca.pem, cert.pem and key.pem, or unset both",
        )
    return _tls(folder, verify=True)


def _tls(folder: Path, *, verify: bool) -> TLSConfig | None:
    """By the certificates of a folder; None where it has none, and none is asked for by leaving verification out."""
    authority, cert, key = folder / "ca.pem", folder / "cert.pem", folder / "key.pem"
    pair = (str(cert), str(key)) if cert.is_file() and key.is_file() else None
    if verify and not authority.is_file() and pair is None:
        return None
    return TLSConfig(client_cert=pair, ca_cert=str(authority) if authority.is_file() else None, verify=verify)
