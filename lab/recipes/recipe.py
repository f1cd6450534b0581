"""A recipe: the Dockerfile and build context of one role in one family, named by its content.

The tag is a digest of everything that goes in, so an image is rebuilt exactly when an input changed.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lab import assets
from lab.names import LABEL, NAMESPACE
from lab.recipes.family import Directory, Family, family
from lab.recipes.manifest import Manifest, manifest
from lab.recipes.templates import environment


@dataclass(frozen=True)
class Entry:
    """A file of a build context."""

    content: bytes
    mode: int


@dataclass(frozen=True)
class Recipe:
    """What an engine needs to build one image.

    Attributes:
        folder: where the Dockerfile of the parent lies, for one of the user's own that may have to be built first.
        port: the port that the parent has to listen on; 0 for no check.
        app: whether it is made from an image of the user's own.
        writable: the folders that it may write.
    """

    role: str
    family: str
    parent: str
    dockerfile: str
    context: dict[str, Entry]
    folder: str = ""
    port: int = 0
    app: bool = False
    writable: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        """Twelve hexadecimal digits over all inputs."""
        sha = hashlib.sha256(self.dockerfile.encode())
        for name, entry in sorted(self.context.items()):
            sha.update(f"\0{name}\0{entry.mode:o}\0".encode() + entry.content)
        return sha.hexdigest()[:12]

    @property
    def tag(self) -> str:
        """The image's full name, such as `www-cluster-lab/web:debian-0123456789ab`."""
        return f"{NAMESPACE}/{self.role}:{self.family}-{self.digest}"

    @property
    def alias(self) -> str:
        """The moving name of the newest build, such as `www-cluster-lab/web:debian`."""
        return f"{NAMESPACE}/{self.role}:{self.family}"

    def archive(self) -> bytes:
        """The build context as a tar archive, byte for byte the same for the same inputs."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            dockerfile = Entry(self.dockerfile.encode(), 0o644)
            for name, entry in sorted({**self.context, "Dockerfile": dockerfile}.items()):
                info = tarfile.TarInfo(name)
                info.mode = entry.mode
                info.size = len(entry.content)
                tar.addfile(info, io.BytesIO(entry.content))
        return buffer.getvalue()


def directories(role: Manifest, table: Family) -> list[Directory]:
    """The directories that a node of this role makes at boot, with the family's owners."""
    entries = [entry for name in role.software for entry in table.software[name].directories]
    names = {key: value.model_dump() for key, value in table.software.items()}
    jinja = environment()
    for layer in role.layers:
        for entry in layer.directories:
            filled = {key: jinja.from_string(value).render(names) for key, value in entry.model_dump().items()}
            entries.append(Directory(**filled))
    return entries


def _lines(directories: list[Directory]) -> str:
    """Directories as init reads them, those with the same mode and owner in one line: one command makes them."""
    paths: dict[tuple[str, str, str], list[str]] = {}
    for one in directories:
        paths.setdefault((one.mode, one.owner, one.group), []).append(one.path)
    return "".join(f"{' '.join(key)} {' '.join(dict.fromkeys(names))}\n" for key, names in paths.items())


RETRIES, RETRIES_BY_HAND = 1000, 3
"""How often the supervisor starts a daemon that ends at once; by hand, its person corrects the file and starts it."""


def services(role: Manifest, table: Family, *, by_hand: bool = False) -> str:
    """The supervisor's program sections of a role, or of a node of it that is by hand."""
    names = {key: value.model_dump() for key, value in table.software.items()}
    setpriv = table.software["base"].binaries["setpriv"]
    sections = []
    retries, programs = RETRIES, role.services
    if by_hand:
        remaining = {name: service for name, service in programs.items() if name not in role.by_hand.services}
        retries, programs = RETRIES_BY_HAND, remaining | role.by_hand.runs
    for name, service in sorted(programs.items()):
        command = environment().from_string(service.command).render(names)
        bounds = ",".join(["-all", *(f"+{name.lower()}" for name in role.capabilities_of(name))])
        sections.append(
            f"[program:{name}]\n"
            f"command = /usr/lib/lab/prefixed {name} {setpriv} --bounding-set={bounds} {command}\n"
            f"priority = {service.order}\n"
            f"stopsignal = {service.stop_signal}\n"
            f"stopwaitsecs = {service.stop_seconds}\n"
            f"autorestart = true\nstartretries = {retries}\nstdout_logfile = NONE\nstderr_logfile = NONE\n"
        )
    return "\n".join(sections)


def rootfs(folder: Path) -> dict[str, Entry]:
    """The static files of a layer; templates (`*.j2`) belong to the plan, not to the image."""
    files = {}
    for path in sorted((folder / "rootfs").rglob("*")):
        name = f"rootfs/{path.relative_to(folder / 'rootfs')}"
        if path.is_file() and path.suffix != ".j2" and path.parent.name != "__pycache__":
            content = path.read_bytes()
            # By content, not by the file's own mode: the same image from a checkout, a wheel and an archive.
            files[name] = Entry(content, 0o755 if content.startswith(b"#!") else 0o644)
    return files


@assets.cached
def recipe(role: str, family_name: str) -> Recipe:
    """The recipe of a role (or of `base`) in a family."""
    table, declared = family(family_name), manifest(role)
    base = role == "base"
    parent = f"{NAMESPACE}/origin:{family_name}" if base else recipe("base", family_name).tag
    own_software = [name for name in declared.software if base or name not in manifest("base").software]
    packages = sorted({package for name in own_software for package in table.software[name].installed})
    packages += declared.own.packages.get(family_name, [])
    before = [*(table.prepare if base else []), *(c for name in own_software for c in table.software[name].before)]
    dockerfile = (
        environment(str(assets.images()))
        .get_template("Dockerfile.j2")
        .render(
            parent=parent,
            before=before,
            install=table.install_command(packages),
            label=LABEL,
            role=role,
            family=family_name,
            copies=not base,
            python=table.software["base"].binaries["python"],
            entrypoint="" if base else manifest("base").own.entrypoint,
        )
    )
    if base:
        return Recipe(role, family_name, parent, dockerfile, {})
    context: dict[str, Entry] = {}
    for folder in declared.folders:
        context |= rootfs(Path(folder))
    context["rootfs/etc/lab/directories"] = Entry(_lines(directories(declared, table)).encode(), 0o644)
    context["rootfs/etc/lab/services.conf"] = Entry(services(declared, table).encode(), 0o644)
    return Recipe(role, family_name, parent, dockerfile, context)
