"""Builds recipes with the engine's classic builder: the base first, then the roles at the same time."""

from __future__ import annotations

import io
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

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
TRIAL = "its trial"
BUILT = re.compile(r"^Successfully built ([0-9a-f]+)", re.MULTILINE)
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
    trying.clear(api)
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
    """One image, each step reported as it begins; it gets its name once it has passed.

    Until then it has none, so that two builds of the same image at once are in nobody's way.
    """
    begun = time.monotonic()
    log: list[str] = [wanted.dockerfile]
    with engine.connected(STEP_SECONDS) as api, engine.asking(f"building {wanted.tag}"):
        step, image, failure = _built(api, wanted, report, log)
        if not failure and trial:
            step = TRIAL
            report(wanted.role, step)
            failure = trying.tried(api, image, trial(wanted.role))
            log.append(failure)
        if not failure:
            repository, _, version = wanted.tag.partition(":")
            api.tag(image, repository, version)
    if failure:
        kept = paths.logs() / f"build-{wanted.role}-{wanted.family}.log"
        kept.write_text("".join(log), encoding="utf-8")
        what = "did not pass its trial" if step == TRIAL else "did not build"
        what = f"the image {wanted.role} ({wanted.family}) {what}: {failure}"
        raise BuildError(what, step=step, log=str(kept), image=wanted.tag)
    report(wanted.role, f"built in {time.monotonic() - begun:.0f} s")


def _built(
    api: docker.APIClient, wanted: Recipe, report: Callable[[str, str], None], log: list[str]
) -> tuple[str, str, str]:
    """Builds an image; the last step, the image's id, and what is wrong with it."""
    step, image, failure = "sending the files", "", ""
    report(wanted.role, step)
    stream = api.build(
        fileobj=io.BytesIO(wanted.archive()),
        custom_context=True,
        decode=True,
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
        if found := BUILT.search(text):
            image = found[1]
    return step, image, failure or ("" if image else "the engine named no image")
