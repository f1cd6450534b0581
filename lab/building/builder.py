"""Builds recipes with the engine's classic builder: the base first, then the roles at the same time."""

from __future__ import annotations

import io
import os
import re
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from docker.errors import APIError

from lab import engine, paths
from lab.building import base_image, persons, sources, trial_container
from lab.errors import BackendError, BuildError, Gone, SpecError
from lab.recipes import apps, recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import docker

    from lab.building.trial import Trial
    from lab.recipes import Recipe

PARALLEL = max(2, os.cpu_count() or 2)
STEP_SECONDS = 900  # how long one step of a build may be silent
LAST_LINES = 8  # of a Dockerfile that failed
TRIAL = "testing the image"
STEP_WIDTH = 100
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
    trial_container.clear(api)
    with engine.asking("looking for the images"):
        missing = [each for each in recipes if not base_image.present(api, each.tag)]
    if missing:
        _base(api, missing[0].family, report)
        with ThreadPoolExecutor(PARALLEL) as pool:
            list(pool.map(lambda each: _one(each, report, trial), missing))
    for each in recipes:
        repository, _, version = each.alias.partition(":")
        with engine.asking(f"naming {each.alias}"):
            api.tag(each.tag, repository, version)


def _base(api: docker.APIClient, family: str, report: Callable[[str, str], None]) -> None:
    """Makes the image that the others of a family stand on, where it is missing."""
    base = recipe("base", family)
    with engine.asking(f"looking for {base.tag}"):
        there = base_image.present(api, base.tag)
    if not there:
        base_image.ensure(api, family, report)
        _one(base, report, None)


def _one(recipe: Recipe, report: Callable[[str, str], None], trial: Callable[[str], Trial] | None) -> None:
    """One image, each step reported as it begins; it gets its name once it has passed.

    Until then it has none, so that two builds of the same image at once do not interfere.
    """
    begun, attempt = time.monotonic(), _Attempt(recipe, report)
    try:
        with engine.connected(STEP_SECONDS) as api, engine.asking(recipe.tag):
            if recipe.app:
                attempt.adopt(api)
            image, failure = attempt.build(api)
            if not failure and trial and not recipe.app:
                failure = attempt.try_out(api, image, trial(recipe.role))
            if not failure:
                attempt.at("naming it")
                repository, _, version = recipe.tag.partition(":")
                api.tag(image, repository, version)
    except Gone:
        raise  # the image is not to blame
    except BackendError as error:  # such as a step that was silent for too long: with another family it may not be
        failure = error.what
    if failure:
        raise attempt.failed(failure)
    report(recipe.role, f"built in {time.monotonic() - begun:.0f} s")


class _Attempt:
    """One attempt at an image: its log, and the step that it is at."""

    def __init__(self, recipe: Recipe, report: Callable[[str, str], None]) -> None:
        self._recipe, self._report = recipe, report
        self._log = [recipe.dockerfile]
        self._step = ""

    def at(self, step: str) -> None:
        """A step begins."""
        self._step = step
        self._report(self._recipe.role, step)

    def adopt(self, api: docker.APIClient) -> None:
        """Builds the image of the user's own where it is missing, and takes what it runs into the recipe.

        Raises:
            SpecError: it does not build, or is not as the topology says.
        """
        recipe = self._recipe
        if recipe.folder and not base_image.present(api, recipe.parent):
            self._log.clear()
            try:
                image, failure = self.build(api, recipe.folder)
            except APIError as error:  # refused as a whole, such as for an instruction that it does not know
                image, failure = "", str(error.explanation or error)
            if failure:
                lines = [line for text in self._log for line in text.splitlines() if line.strip()]
                last = "".join(f"\n    | {line.rstrip()}" for line in lines[-LAST_LINES:])
                raise SpecError(
                    f"the Dockerfile in {recipe.folder} failed: {failure.splitlines()[0]}{last}",
                    where=f"{recipe.folder}/Dockerfile",
                    next_step=f"correct it; the whole log: {self._keep()}",
                )
            repository, _, version = recipe.parent.partition(":")
            api.tag(image, repository, version)
        facts = sources.facts(api, recipe.parent)
        if facts is None:
            raise BackendError(f"the image {recipe.parent} is gone")
        name = recipe.role.removeprefix("app-")
        apps.admit_app(name, recipe.port, facts)
        try:
            person = persons.of_image(api, recipe.parent, facts.user)
        except SpecError as error:
            error.where = error.where or f"apps.{name}"
            raise
        self._recipe = apps.complete(recipe, facts.argv, facts.user, person)

    def build(self, api: docker.APIClient, folder: str = "") -> tuple[str, str]:
        """The image's id, and what is wrong with it; of the recipe, or of a folder of the user's own."""
        image, failure = "", ""
        self.at("sending the files")
        context: dict[str, Any] = {"fileobj": io.BytesIO(self._recipe.archive()), "custom_context": True}
        stream = api.build(
            **({"path": folder} if folder else context),
            decode=True,
            rm=True,
            forcerm=True,
            buildargs={key: value for key in PROXIES if (value := os.environ.get(key))},
        )
        for event in stream:  # to its end, failed or not: the connection is the engine's until then
            text = str(event.get("stream") or event.get("status") or event.get("error") or "")
            self._log.append(text)
            failure = text.strip() if "error" in event else failure
            if text.startswith("Step "):
                self.at(textwrap.shorten(text, STEP_WIDTH, placeholder=" …"))
            if match := BUILT.search(text):
                image = match[1]
        return image, failure or ("" if image else "the engine named no image")

    def try_out(self, api: docker.APIClient, image: str, trial: Trial) -> str:
        """What the trial says is wrong; empty where nothing is."""
        self.at(TRIAL)
        failure = trial_container.tried(api, image, trial)
        self._log.append(failure)
        return failure

    def failed(self, failure: str) -> BuildError:
        """The error for it; the log is kept."""
        recipe, log = self._recipe, self._keep()
        what = "did not pass its trial" if self._step == TRIAL else "did not build"
        what = f"the image {recipe.role} ({recipe.family}) {what}: {failure}"
        return BuildError(what, step=self._step, log=log, image=recipe.tag)

    def _keep(self) -> str:
        """Where the log of all of it is kept."""
        path = paths.logs() / f"build-{self._recipe.role}-{self._recipe.family}.log"
        path.write_text("".join(self._log), encoding="utf-8")
        return str(path)
