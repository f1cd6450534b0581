"""One site on this node: its names, its folders, and which releases there are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from . import settings
from .errors import Failed

NOTHING = "none"
ARCHIVE = ".tar.gz"


class Site:
    """A site by its name, and what the plan says of it."""

    def __init__(self, name: str, declared: dict[str, Any], shared: dict[str, Any]) -> None:
        self.name, self.number = name, declared["number"]
        self.writable, self.public = declared["writable"], declared["public"]
        self.owner = declared.get("owner", "")
        self.user, self.visible = f"site-{name}", f"web-{name}"
        self.local, self.store = settings.LOCAL / name, Path(shared["store"]) / name
        self.httpd = shared["httpd"]

    @property
    def served(self) -> str:
        """The release that this node serves; empty where it serves none."""
        try:
            return (self.local / "current").readlink().name.replace(NOTHING, "")
        except OSError:
            return ""

    @property
    def named_release(self) -> str:
        """The release that the store names; empty where it names none."""
        return self.noted("current").strip()

    def noted(self, file: str) -> str:
        """A file of the store; empty where there is none."""
        try:
            return (self.store / file).read_text()
        except FileNotFoundError:
            return ""

    def archive(self, release: str) -> Path:
        """Where a release is kept."""
        return self.store / "releases" / f"{release}{ARCHIVE}"

    def releases(self) -> list[str]:
        """The releases in the store, oldest first."""
        return sorted(path.name[: -len(ARCHIVE)] for path in (self.store / "releases").glob(f"[0-9]*{ARCHIVE}"))

    def base(self, release: str) -> str:
        """The release of which this one is a revision; empty where its archive has all files."""
        text = self.noted(f"releases/{release}.base")
        return str(json.loads(text)["base"]) if text else ""

    def gone(self, release: str) -> list[str]:
        """What a revision has no more of its base."""
        return list(json.loads(self.noted(f"releases/{release}.base"))["gone"])

    def once_served(self) -> set[str]:
        """The releases that were served; not one that a deployment left that broke off before its end."""
        noted = self.noted("served")
        if noted:
            return set(noted.split())
        # An earlier version noted none.
        return {release for release in self.releases() if release <= self.named_release}


def all_of_them() -> dict[str, Site]:
    """The sites of this node by name."""
    values = settings.read()
    return {name: Site(name, site, values) for name, site in values["sites"].items()}


def one(name: str) -> Site:
    """A site of this node."""
    site = all_of_them().get(name)
    if site is None:
        raise Failed(f"there is no site '{name}' on this node")
    return site
