"""Builds recipes with the engine's classic builder: the base first, then the roles at the same time."""

from __future__ import annotations

import contextlib
import io
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from docker.errors import NotFound

from lab import paths
from lab.backends.docker import engine, origin, trying
from lab.errors import BuildError
from lab.recipes import recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import docker

    from lab.backends.base import Trial
    from lab.recipes import Recipe

PARALLEL = max(2, os.cpu_count() or 2)
STEP_SECONDS = 900  # how long one step of a build may be silent
UNTRIED = "-untried"
"""Behind the name of an image that was built and has not passed its trial yet."""
PROXIES = ("http_proxy", "https_proxy", "no_proxy")


def build(
    api: docker.APIClient,
    recipes: Sequence[Recipe],
    report: Callable[[str, str], None],
    trial: Callable[[str], Trial] | None = None,
) -> None:
    """Makes the images that are missing, and moves each role's short name to the newest.

    Args:
        api: the engine.
        recipes: what the images are made from.
        report: hears of each image's role how far it is.
        trial: what an image of a role has to pass before it gets its name; none for what is no node.

    Raises:
        BuildError: a step failed, or the trial; the log of the whole build is kept.
    """
    missing = [wanted for wanted in recipes if not origin.here(api, wanted.tag)]
    if missing:
        base = recipe("base", missing[0].family)
        if not origin.here(api, base.tag):
            origin.ensure(api, base.family, report)
            _one(base, report, None)
        with ThreadPoolExecutor(PARALLEL) as pool:
            list(pool.map(lambda wanted: _one(wanted, report, trial), missing))
    for wanted in recipes:
        repository, _, version = wanted.alias.partition(":")
        with engine.asking(f"naming {wanted.alias}"):
            api.tag(wanted.tag, repository, version)


def _one(wanted: Recipe, report: Callable[[str, str], None], trial: Callable[[str], Trial] | None) -> None:
    """One image, each step reported as it begins; it gets its name once it has passed."""
    begun = time.monotonic()
    log: list[str] = [wanted.dockerfile]
    draft = f"{wanted.tag}{UNTRIED}"
    with engine.connected(STEP_SECONDS) as api, engine.asking(f"building {wanted.tag}"):
        step, failure = _built(api, wanted, draft, report, log)
        if not failure and trial:
            step = "its trial"
            report(wanted.role, step)
            failure = trying.tried(api, draft, trial(wanted.role))
            log.append(failure)
        if not failure:
            repository, _, version = wanted.tag.partition(":")
            api.tag(draft, repository, version)
        with contextlib.suppress(NotFound):  # nothing was built
            api.remove_image(draft, noprune=not failure)
    if failure:
        kept = paths.logs() / f"build-{wanted.role}-{wanted.family}.log"
        kept.write_text("".join(log), encoding="utf-8")
        what = "did not pass its trial" if step == "its trial" else "did not build"
        what = f"the image {wanted.role} ({wanted.family}) {what}: {failure}"
        raise BuildError(what, step=step, log=str(kept), image=wanted.tag)
    report(wanted.role, f"built in {time.monotonic() - begun:.0f} s")


def _built(
    api: docker.APIClient, wanted: Recipe, name: str, report: Callable[[str, str], None], log: list[str]
) -> tuple[str, str]:
    """Builds an image under a name; the last step, and what is wrong with it."""
    step, failure = "sending the files", ""
    report(wanted.role, step)
    stream = api.build(
        fileobj=io.BytesIO(wanted.archive()),
        custom_context=True,
        decode=True,
        tag=name,
        rm=True,
        forcerm=True,
        buildargs={key: value for key in PROXIES if (value := os.environ.get(key))},
    )
    for event in stream:  # to its end, failed or not: the connection is the engine's until then
        text = str(event.get("stream") or event.get("status") or event.get("error") or "")
        log.append(text)
        failure = text.strip() if "error" in event else failure
        if text.startswith("Step "):
            step = " ".join(text.split())[:100]
            report(wanted.role, step)
    return step, failure
