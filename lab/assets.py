"""Paths of sources and topologies, in a checkout or in a wheel; and the folder of roles outside the lab."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from functools import _lru_cache_wrapper

_PACKAGE = Path(__file__).parent
_cached: list[_lru_cache_wrapper[object]] = []
_outside: Path | None = None
_apps: frozenset[str] = frozenset()
P = ParamSpec("P")
T = TypeVar("T")


def cached(function: Callable[P, T]) -> Callable[P, T]:
    """As `functools.cache`, for values read from the folders of roles: cleared by `use_roles`."""
    memoized = cache(function)
    _cached.append(memoized)
    return memoized  # type: ignore[return-value]


def use_roles(folder: Path | None) -> None:
    """Adds the roles of a folder to the lab's own; replaces those of a former folder.

    Args:
        folder: holds one folder a role; None, or one that does not exist, for none.
    """
    global _outside  # noqa: PLW0603  which roles there are is one thing for the whole process, as `images` is
    resolved = folder.resolve() if folder and folder.is_dir() else None
    if resolved != _outside:
        _outside = resolved
        for function in _cached:
            function.cache_clear()


def use_apps(names: Iterable[str]) -> None:
    """Has these names be applications of a topology: each is a role whose nodes run an image of the user's own."""
    global _apps  # noqa: PLW0603  as for `use_roles`
    all_names = _apps | set(names)
    if all_names != _apps:
        _apps = frozenset(all_names)
        for function in _cached:
            function.cache_clear()


def apps() -> frozenset[str]:
    """The names of all applications that topologies of this process have."""
    return _apps


def outside() -> Path | None:
    """The folder of the roles that are not the lab's own; None where there are none."""
    return _outside


@cache
def images() -> Path:
    """The folder that holds one folder a role, the families' tables and the parts that roles share."""
    packaged = _PACKAGE / "_images"
    return packaged if packaged.is_dir() else _PACKAGE.parent / "images"


@cached
def role_folders() -> dict[str, Path]:
    """The folder of each role, by its name, in the order of their names; the base is none."""
    own = {path.parent.name: path.parent for path in images().glob("*/role.yaml") if path.parent.name != "base"}
    others = {path.parent.name: path.parent for path in _outside.glob("*/role.yaml")} if _outside else {}
    return dict(sorted((others | own).items()))


@cache
def topologies() -> dict[str, Path]:
    """The topologies that ship with the lab, by name."""
    return {path.stem: path for path in sorted((_PACKAGE / "topologies").glob("*.yaml"))}


@cache
def xen() -> Path:
    """The folder of Xen's parts: kernel, initrd, verbs of the host, and the nested host."""
    packaged = _PACKAGE / "_xen"
    return packaged if packaged.is_dir() else _PACKAGE.parent / "xen"


OWN_LESSONS = Path("lessons")
"""The folder, in the current one, of lessons that are not the lab's own."""


def lessons() -> dict[str, Path]:
    """The folder of each lesson, by its name: those that ship with the lab, and those of `OWN_LESSONS`."""
    roots = (_PACKAGE / "lessons", OWN_LESSONS)
    return {path.parent.name: path.parent for root in roots for path in sorted(root.glob("[0-9][0-9]-*/lesson.yaml"))}


@cache
def scenarios() -> dict[str, Path]:
    """The scenarios that ship with the lab, by name."""
    return {path.stem: path for path in sorted((_PACKAGE / "scenarios").glob("*.yaml"))}
