"""Record of images that failed on this machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lab import assets, paths, private
from lab.recipes import recipe

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from lab.plan import Plan


def failed(roles: Iterable[str], family: str) -> str:
    """Why an image of these roles failed here before; empty if none did."""
    known = _read()
    tags = (recipe(role, family).tag for role in ("base", *roles) if role not in assets.apps())
    return next((known[image] for image in tags if image in known), "")


def remember(images: Iterable[str], why: str) -> None:
    """Records failed images: `auto` does not retry them until they change."""
    _write(_read() | dict.fromkeys(images, why.splitlines()[0]))


def forget(plan: Plan) -> None:
    """Records that the images of this plan work."""
    known, works = _read(), {recipe("base", plan.family).tag, *(node.image for node in plan.nodes)}
    if known.keys() & works:
        _write({image: why for image, why in known.items() if image not in works})


def _path() -> Path:
    return paths.families() / "failed.json"


def _read() -> dict[str, str]:
    try:
        stored = json.loads(_path().read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return dict(stored) if isinstance(stored, dict) else {}


def _write(known: dict[str, str]) -> None:
    private.write(_path(), json.dumps(known, indent=1, sort_keys=True))
