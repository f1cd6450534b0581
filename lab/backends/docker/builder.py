"""Builds recipes with the engine's classic builder: the base first, then the roles at the same time."""

from __future__ import annotations

import io
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from lab import paths
from lab.backends.docker import engine, origin
from lab.errors import BuildError
from lab.recipes import recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import docker

    from lab.recipes import Recipe

PARALLEL = max(2, os.cpu_count() or 2)
STEP_SECONDS = 900  # how long one step of a build may be silent
PROXIES = ("http_proxy", "https_proxy", "no_proxy")


def build(api: docker.APIClient, recipes: Sequence[Recipe], report: Callable[[str, str], None]) -> None:
    """Makes the images that are missing, and moves each role's short name to the newest.

    Raises:
        BuildError: a step failed; the log of the whole build is kept.
    """
    missing = [wanted for wanted in recipes if not origin.here(api, wanted.tag)]
    if missing:
        base = recipe("base", missing[0].family)
        if not origin.here(api, base.tag):
            origin.ensure(api, base.family, report)
            _one(base, report)
        with ThreadPoolExecutor(PARALLEL) as pool:
            list(pool.map(lambda wanted: _one(wanted, report), missing))
    for wanted in recipes:
        repository, _, version = wanted.alias.partition(":")
        with engine.asking(f"naming {wanted.alias}"):
            api.tag(wanted.tag, repository, version)


def _one(wanted: Recipe, report: Callable[[str, str], None]) -> None:
    """One image, each step reported as it begins."""
    begun, step, failure = time.monotonic(), "sending the files", ""
    log: list[str] = [wanted.dockerfile]
    report(wanted.role, step)
    with engine.connected(STEP_SECONDS) as api, engine.asking(f"building {wanted.tag}"):
        stream = api.build(
            fileobj=io.BytesIO(wanted.archive()),
            custom_context=True,
            decode=True,
            tag=wanted.tag,
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
    if failure:
        kept = paths.logs() / f"build-{wanted.role}-{wanted.family}.log"
        kept.write_text("".join(log), encoding="utf-8")
        raise BuildError(
            f"the image {wanted.role} ({wanted.family}) did not build: {failure}", step=step, log=str(kept)
        )
    report(wanted.role, f"built in {time.monotonic() - begun:.0f} s")
