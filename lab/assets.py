"""Where the images' sources and the topologies lie: beside the package in a checkout, inside it in a wheel."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parent


@cache
def images() -> Path:
    """The folder that holds one folder a role, the families' tables and the parts that roles share."""
    packaged = _PACKAGE / "_images"
    return packaged if packaged.is_dir() else _PACKAGE.parent / "images"


@cache
def topologies() -> dict[str, Path]:
    """The topologies that ship with the lab, by name."""
    return {path.stem: path for path in sorted((_PACKAGE / "topologies").glob("*.yaml"))}


@cache
def xen() -> Path:
    """The folder of what turns images into domains: kernel, initrd, the verbs of the host, and the nested host."""
    packaged = _PACKAGE / "_xen"
    return packaged if packaged.is_dir() else _PACKAGE.parent / "xen"


@cache
def scenarios() -> dict[str, Path]:
    """The scenarios that ship with the lab, by name."""
    return {path.stem: path for path in sorted((_PACKAGE / "scenarios").glob("*.yaml"))}
