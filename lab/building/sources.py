"""Images of the user's own: what the engine knows of one, and what a folder with a Dockerfile is named by."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from docker.errors import APIError, NotFound
from docker.utils.build import exclude_paths

from lab import engine
from lab.backends.optional import ImageFacts
from lab.errors import SpecError

if TYPE_CHECKING:
    from pathlib import Path

    import docker

DOCKERFILE = "Dockerfile"


def facts(api: docker.APIClient, reference: str) -> ImageFacts | None:
    """An image that the engine has; None where it has not."""
    with engine.asking(f"looking for the image {reference}"):
        try:
            inspected: dict[str, Any] = api.inspect_image(reference)  # type: ignore[no-untyped-call]
        except NotFound:
            return None
        except APIError as error:
            if error.status_code == 400:  # noqa: PLR2004  no valid name
                return None
            raise
    config = inspected.get("Config") or {}
    argv = [*(config.get("Entrypoint") or []), *(config.get("Cmd") or [])]
    ports = [int(port.partition("/")[0]) for port in config.get("ExposedPorts") or {} if port.endswith("/tcp")]
    labels = tuple(sorted(config.get("Labels") or ()))
    return ImageFacts(str(inspected["Id"]), tuple(sorted(ports)), tuple(argv), str(config.get("User") or ""), labels)


def digest(folder: Path) -> str:
    """Twelve hexadecimal digits over all files of a folder but those that its .dockerignore leaves out.

    Raises:
        SpecError: it is no folder with a Dockerfile.
    """
    if not (folder / DOCKERFILE).is_file():
        missing = "has no Dockerfile" if folder.is_dir() else "is not there"
        raise SpecError(f"the folder {folder} {missing}", where=str(folder), next_step="'build' is beside the topology")
    sha = hashlib.sha256()
    try:
        for name in sorted(exclude_paths(str(folder), _ignored(folder))):
            path = folder / name
            if path.is_symlink():
                sha.update(f"\0{name}\0link {path.readlink()}".encode(errors="surrogateescape"))
            elif path.is_file():
                sha.update(f"\0{name}\0{path.stat().st_mode & 0o111:o}\0".encode(errors="surrogateescape"))
                sha.update(path.read_bytes())
    except OSError as error:
        raise SpecError(f"{error.filename} can't be read: {error.strerror}", where=str(folder)) from None
    return sha.hexdigest()[:12]


def _ignored(folder: Path) -> list[str]:
    file = folder / ".dockerignore"
    lines = file.read_text(encoding="utf-8", errors="surrogateescape").splitlines() if file.is_file() else []
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]
