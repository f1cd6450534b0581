"""A family: what an operating system calls things. One table a family, the only place where they differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from lab import assets, reading, yamls
from lab.errors import SpecError

if TYPE_CHECKING:
    from pathlib import Path

TABLE = reading.Document(
    "table of software",
    "software: {redis: {packages: [redis-server], binaries: {redis: /usr/bin/redis-server}}}",
    "docs/roles.md says what is valid",
)


class Directory(BaseModel):
    """A directory that has to exist before the daemons start; `/run` is empty at every boot."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    path: str
    mode: str
    owner: str
    group: str


class Version(BaseModel):
    """Between which versions a daemon may be in a family: what is rendered for it is valid for all of them.

    `package`: the package with the version, if its name differs from the daemon's.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    package: str = ""
    oldest: str
    newest: str


class Software(BaseModel):
    """One piece of software in one family: its packages, and the names and paths that they bring.

    `imports`: the Python modules that programs of the lab import from it. `versions`: by the daemon's name.
    `extensions`: modules that it loads, and the package that brings each; empty where that is one of `packages`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    before: list[str] = []
    packages: list[str]
    binaries: dict[str, str] = {}
    users: dict[str, str] = {}
    groups: dict[str, str] = {}
    modules_dir: str = ""
    modules: list[str] = []
    files: dict[str, str] = {}
    imports: list[str] = []
    extensions: dict[str, str] = {}
    versions: dict[str, Version] = {}
    directories: list[Directory] = []

    @property
    def installed(self) -> list[str]:
        """All packages of it."""
        return list(dict.fromkeys([*self.packages, *filter(None, self.extensions.values())]))


class Addition(BaseModel):
    """What a role outside the lab adds to a family's table."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    software: dict[str, Software]


class Family(BaseModel):
    """One operating system: where its base comes from, how it installs, what it calls things.

    `installed`: the shell command that tells the version of `{package}`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    family: str
    title: str
    origin: str
    bootstrap: str | None
    prepare: list[str]
    install: str
    installed: str
    software: dict[str, Software]

    def install_command(self, packages: list[str]) -> str:
        """The shell command that installs `packages` and leaves no cache behind; empty for no packages."""
        return self.install.format(packages=" ".join(packages)).strip() if packages else ""

    def version_command(self, package: str) -> str:
        """The shell command that tells the version of an installed package, as the package has it."""
        return self.installed.replace("{package}", package)


def families() -> list[str]:
    """The names of all families, the primary one first."""
    names = {path.stem for path in (assets.images() / "families").glob("*.yaml")}
    return sorted(names, key=lambda name: (name != "centos", name))


@assets.cached
def family(name: str) -> Family:
    """The table of one family.

    Raises:
        SpecError: there is no such family.
    """
    path = assets.images() / "families" / f"{name}.yaml"
    if not path.is_file():
        raise SpecError(f"there is no family {name!r}", next_step=f"choose one of: auto, {', '.join(families())}")
    table = Family.model_validate(yamls.read(path.read_text(encoding="utf-8")))
    software = dict(table.software)
    for folder in outside_roles():
        added = folder / "families" / f"{name}.yaml"
        if not added.is_file():
            continue  # a role that needs its software there says so
        for key, value in reading.model(Addition, reading.text(added, TABLE), TABLE, str(added)).software.items():
            if key in software:
                raise SpecError(f"the software '{key}' has two entries", where=str(added), next_step="rename this one")
            software[key] = value
    return table.model_copy(update={"software": software})


def extensions() -> list[str]:
    """The extensions of languages that every family has, by their own names."""
    known = [{name for each in family(kind).software.values() for name in each.extensions} for kind in families()]
    return sorted(set.intersection(*known))


def outside_roles() -> list[Path]:
    """The folders of the roles that are not the lab's own."""
    return [folder for folder in assets.role_folders().values() if folder.parent == assets.outside()]
