"""The links of a release: httpd follows them, and runs the programs behind them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import ContentError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .site import Site


def paths(root: Path) -> Iterator[Path]:
    """Everything below a folder, no link followed."""
    for at, folders, files in os.walk(root):
        for name in (*folders, *files):
            yield Path(at) / name


def symlinks(root: Path) -> Iterator[Path]:
    """All links below a folder, none followed; no file is asked for more than its folder says."""
    waiting = [str(root)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_symlink():
                    yield Path(entry.path)
                elif entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)


def led(site: Site, root: Path) -> set[str]:
    """The folders of an unpacked release that lead into the store."""
    data = site.store / "data"
    return {str(path.relative_to(root)) for path in symlinks(root) if data in path.readlink().parents}


def look_at(site: Site, root: Path) -> None:
    """Refuses links that lead out of a release by way of others, or to what the site writes, which is never run."""
    top = os.path.realpath(root)

    def real(path: Path) -> str:
        relative = os.path.relpath(os.path.realpath(path), top)
        if relative.split("/")[0] == "..":
            raise ContentError(f"'{path.relative_to(root)}' leads out of the site, by way of several links")
        return "" if relative == "." else f"{relative}/"

    places = {f"{real((root / each).parent)}{Path(each).name}/": each for each in site.writable}
    for place in places:
        if (root / place.rstrip("/")).is_symlink():
            (root / place.rstrip("/")).unlink()  # `release.lead` puts its own there
    for path in symlinks(root):
        leads = real(path)
        for place, each in places.items():
            if leads.startswith(place) or place.startswith(leads):
                raise ContentError(
                    f"the link '{path.relative_to(root)}' leads to the writable folder '{each}', of which"
                    " nothing is run: leave it out, and have the site write where the link is"
                )
