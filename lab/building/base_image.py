"""The image that a family's base stands on: pulled, or bootstrapped from this machine's own package sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docker.errors import ImageNotFound

from lab import engine
from lab.building import bootstrap
from lab.errors import BuildError
from lab.names import NAMESPACE
from lab.recipes import family

if TYPE_CHECKING:
    from collections.abc import Callable

    import docker

PULL_SECONDS = 120  # how long a pull may be silent


def tag(name: str) -> str:
    """The lab's own name of a family's origin."""
    return f"{NAMESPACE}/origin:{name}"


def present(api: docker.APIClient, image: str) -> bool:
    """Whether the engine has an image."""
    try:
        api.inspect_image(image)  # type: ignore[no-untyped-call]
    except ImageNotFound:
        return False
    return True


def available(api: docker.APIClient, name: str, seconds: float) -> bool:
    """Whether the origin of a family is here, or its registry knows it within `seconds`."""
    with engine.asking(f"looking for {tag(name)}"):
        return present(api, tag(name)) or obtainable(api, family(name).origin, seconds)


def obtainable(api: docker.APIClient, image: str, seconds: float) -> bool:
    """Whether an image is here, or its registry knows it within `seconds`."""
    if present(api, image):
        return True
    try:
        with engine.connected(max(1, int(seconds))) as client:
            client.inspect_distribution(image)  # type: ignore[no-untyped-call]
    except (*engine.GONE, *engine.UNASKED):
        return False
    return True


def ensure(api: docker.APIClient, name: str, report: Callable[[str, str], None]) -> None:
    """Makes the origin of a family present under the lab's own name.

    Raises:
        BuildError: it can be neither pulled nor bootstrapped.
    """
    with engine.asking(f"getting {tag(name)}"):
        _ensure(api, name, report)


def _ensure(api: docker.APIClient, name: str, report: Callable[[str, str], None]) -> None:
    table, target = family(name), tag(name)
    if present(api, target):
        return
    if not present(api, table.origin) and (why := _pulled(api, table.origin, report)):
        if table.bootstrap is None:
            raise BuildError(
                f"the base image {table.origin} can't be pulled: {why}",
                step=f"pull {table.origin}",
                log="the engine's own",
            )
        bootstrap.make(table.bootstrap, target, why, report)
        return
    repository, _, version = target.partition(":")
    api.tag(table.origin, repository, version)


def _pulled(api: docker.APIClient, image: str, report: Callable[[str, str], None]) -> str:
    """Pulls an image; returns the error, empty on success.

    A pull that breaks midway has been answered with 200: its error is in the stream.
    """
    report("base", f"pulling {image}")
    try:
        with engine.connected(PULL_SECONDS) as client:
            errors = [str(event["error"]) for event in client.pull(image, stream=True, decode=True) if "error" in event]
    except engine.TOO_LATE:
        return f"nothing came for {PULL_SECONDS} s"
    except (*engine.GONE, *engine.UNASKED) as error:
        return str(getattr(error, "explanation", None) or error)
    if errors:
        return errors[-1]
    return "" if present(api, image) else "the engine does not have it after the pull"
