"""What is made with Docker for Xen: kernel and initrd, the nested host's disk, and each role's image as a disk.

All of it is made in a container, so that this machine needs neither root nor a tool for it; the results are kept, named
by what went in.
"""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import socket
import tarfile
import threading
from contextlib import closing
from typing import IO, TYPE_CHECKING, cast

from lab import assets, engine, paths
from lab.building import base_image, builder
from lab.building.stock import Kept
from lab.drafts import drafted
from lab.errors import BackendError
from lab.names import LABEL
from lab.recipes import Recipe
from lab.recipes.recipe import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    import docker
    from typing_extensions import Buffer

FAMILY = "debian"  # the kernel of every domain, of both families
GUEST, HOST = "xen-guest", "xen-host"
PARTS = {GUEST: ("kernel", "guest"), HOST: ("kernel", "host")}
BLOCK = 1 << 20
DIGITS = 16  # of an image's digest, in the name of its disk
_ONE_MAKER = threading.Lock()
MAKE_SECONDS = 300
UNPACK = "tar --numeric-owner --xattrs --xattrs-include='*' -xp -C /tree"
MAKE_DISK = (
    "rm -rf /tree/.dockerenv /tree/dev /tree/proc /tree/sys && mkdir /tree/dev /tree/proc /tree/sys &&"
    # No journal and no checksums: it is only ever read.
    " mke2fs -q -t ext4 -O ^has_journal,^metadata_csum -m 0 -d /tree /disk.ext4"
    ' "$(($(du -sm /tree | cut -f 1) * 11 / 10 + 32))M"'
)


def recipe(kind: str) -> Recipe:
    """The recipe of what is made from `xen/`: its content names it."""
    folder = assets.xen()
    context = {}
    for part in PARTS[kind]:
        for path in sorted((folder / part).rglob("*")):
            if path.is_file() and path.name != "Dockerfile":
                content = path.read_bytes()
                mode = 0o755 if content.startswith(b"#!") else 0o644
                context[str(path.relative_to(folder))] = Entry(content, mode)
    text = (folder / PARTS[kind][1] / "Dockerfile").read_text(encoding="utf-8")
    parent = base_image.tag(FAMILY)
    return Recipe(kind, FAMILY, parent, text.replace("ARG ORIGIN\nFROM $ORIGIN", f"FROM {parent}"), context)


def outputs(kind: str, names: Iterable[str], report: Callable[[str, str], None]) -> dict[str, Path]:
    """Files that the build of `xen-guest` or `xen-host` leaves in /out; built and taken out unless they are kept."""
    source = recipe(kind)
    files = {name: paths.disks() / f"{kind}-{source.digest}-{name}" for name in names}
    missing = {name: path for name, path in files.items() if not path.is_file()}
    if missing:
        with engine.connected(MAKE_SECONDS) as api, engine.asking(f"reading {kind}"):
            builder.build(api, [source], report)
            container = api.create_container(source.tag, ["true"], labels=_mark(kind))["Id"]
            try:
                for name, path in missing.items():
                    report(kind, f"keeping {name}")
                    _take_out(api, container, f"/out/{name}", path)
            finally:
                api.remove_container(container, force=True)
    return files


def disk(api: docker.APIClient, image: str, role: str, report: Callable[[str, str], None]) -> Path:
    """A role's image as an ext4 disk, named by the image's own digest; made unless it is kept."""
    existing = _stored_disk(api, image, role)
    if existing:
        return existing
    # Never the same name twice: a host that has read the old file need not notice that there is a new one.
    path = paths.disks() / f"{_stem(api, image, role)}-{secrets.token_hex(3)}.ext4"
    report(role, "making a disk of its image")
    with _ONE_MAKER:  # its outputs may be kept when it is not: 'lab images prune' removes an image alone
        builder.build(api, [recipe(GUEST)], report)
    with engine.asking(f"making a disk of {image}"), engine.connected(MAKE_SECONDS) as client:
        source = client.create_container(image, ["true"], labels=_mark(role))["Id"]
        host = client.create_host_config(tmpfs={"/tree": "size=8g"})
        maker = client.create_container(
            recipe(GUEST).tag, ["sleep", str(MAKE_SECONDS)], labels=_mark(role), host_config=host
        )["Id"]
        try:
            client.start(maker)
            _run(client, maker, UNPACK, client.export(source))
            _run(client, maker, MAKE_DISK)
            _take_out(client, maker, "/disk.ext4", path)
        finally:
            client.remove_container(source, force=True)
            client.remove_container(maker, force=True)
    report(role, f"disk made: {path.stat().st_size >> 20} MiB")
    return path


def disk_name(api: docker.APIClient, image: str, role: str) -> str:
    """What an image's disk is called.

    Raises:
        BackendError: the image, or its disk, is missing.
    """
    existing = _stored_disk(api, image, role)
    if existing is None:
        raise BackendError(f"there is no disk of {image}", next_step="'lab up' makes it")
    return existing.name


def tool_images() -> frozenset[str]:
    """The full names of the images that kernel, initrd and nested host are built as."""
    return frozenset(recipe(kind).tag for kind in PARTS)


def stored(digests: frozenset[str], *, all_of_use: bool) -> list[Kept]:
    """All that is kept of images, by name; of use is what is of an image with these digests, or of this version."""
    stems = {digest[:DIGITS] for digest in digests} | {recipe(kind).digest for kind in PARTS}
    items = []
    for path in sorted(path for path in paths.disks().iterdir() if path.is_file()):
        of_use = all_of_use or any(f"-{stem}-" in path.name for stem in stems)
        with contextlib.suppress(FileNotFoundError):  # removed meanwhile
            items.append(Kept(path.name, (), path.stat().st_size, "for Xen domains" if of_use else "", str(path)))
    return items


def _stored_disk(api: docker.APIClient, image: str, role: str) -> Path | None:
    return next(iter(sorted(paths.disks().glob(f"{_stem(api, image, role)}-*.ext4"))), None)


def _stem(api: docker.APIClient, image: str, role: str) -> str:
    with engine.asking(f"looking at {image}"):
        inspected = api.inspect_image(image)  # type: ignore[no-untyped-call]
    return f"{role}-{inspected['Id'].removeprefix('sha256:')[:DIGITS]}"


def _mark(what: str) -> dict[str, str]:
    """The label of a container that lives for one task."""
    return {f"{LABEL}.tool": what}


def _run(api: docker.APIClient, container: str, script: str, stdin: Iterable[bytes] = ()) -> None:
    """A command in a container, fed with `stdin`: several times as fast as the engine's own way to copy many files."""
    instance = api.exec_create(container, ["sh", "-c", script], stdin=True)["Id"]
    answer = cast("io.RawIOBase", api.exec_start(instance, socket=True))
    connection = cast("socket.socket", getattr(answer, "_sock", answer))
    # The SDK hands out the inside of its answer: the answer has to be closed first, the connection then.
    with connection, closing(getattr(answer, "_response", answer)):
        for chunk in stdin:
            connection.sendall(chunk)
        connection.shutdown(socket.SHUT_WR)
        output = b"".join(iter(lambda: answer.read(BLOCK), b""))
    if api.exec_inspect(instance)["ExitCode"]:
        raise BackendError(f"making a disk failed: {output.decode(errors='replace').strip()[-600:]}")


def _take_out(api: docker.APIClient, container: str, inside: str, path: Path) -> None:
    """A file of a container, whole or not at all; empty blocks take no space."""
    stream, _ = api.get_archive(container, inside, chunk_size=BLOCK)
    with drafted(path) as draft, tarfile.open(fileobj=io.BufferedReader(_Chunks(stream), BLOCK), mode="r|") as tar:
        member = tar.next()
        content = tar.extractfile(member) if member else None
        if content is None:
            raise BackendError(f"{inside} is missing")
        with draft.open("wb") as target:
            _copy(content, target)


def _copy(source: IO[bytes], target: IO[bytes]) -> None:
    empty = bytes(BLOCK)
    while block := source.read(BLOCK):
        if block == empty[: len(block)]:
            target.seek(len(block), os.SEEK_CUR)
        else:
            target.write(block)
    target.truncate()


class _Chunks(io.RawIOBase):
    """Chunks, one after the other, as a file to read from."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        super().__init__()
        self._chunks, self._rest = chunks, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        self._rest = self._rest or next(self._chunks, b"")
        view = memoryview(buffer)
        taken, self._rest = self._rest[: len(view)], self._rest[len(view) :]
        view[: len(taken)] = taken
        return len(taken)
