"""`up`: builds, reconciles and waits. Interrupted anywhere, the next `up` goes on from what the engine says exists."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING

from lab import paths
from lab.errors import BuildError, LabError, NotReady, Taken
from lab.lifecycle import expected, families, ownership, ready, resolve, scaling, secrets
from lab.lifecycle.apply import apply
from lab.lifecycle.down import down
from lab.lifecycle.prepare import Prepared, prepare
from lab.lifecycle.trial import trial
from lab.recipes import recipe

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lab.backends.base import Backend
    from lab.lifecycle.report import Report
    from lab.plan import Plan
    from lab.spec import Cluster

CHOICES = 5
"""Attempts at a subnet and ports that no other cluster takes meanwhile; the last error is raised."""


def up(
    cluster: Cluster, backend: Backend, report: Report, *, wait: bool = True, seconds: float = ready.READY_SECONDS
) -> Prepared:
    """Makes the cluster be as planned, and ready.

    A subnet or port that another cluster takes between choice and use is chosen again; one that was asked for is not.

    Raises:
        UserError: it can't be as asked; nothing was made.
        BuildError: an image did not build.
        NotReady: a node or a promise did not come within `seconds`.
    """
    for _ in range(CHOICES - 1):
        try:
            return _up(cluster, backend, report, wait=wait, seconds=seconds)
        except Taken as error:
            report.say(f"choosing again: {error.what}")
    return _up(cluster, backend, report, wait=wait, seconds=seconds)


def _up(cluster: Cluster, backend: Backend, report: Report, *, wait: bool, seconds: float) -> Prepared:
    known = partial(secrets.ensure, say=report.say)
    first = not families.has_data(cluster.name)
    prepared = prepare(cluster, backend, report, known=known)
    for warning in cluster.warnings:
        report.say(f"WARNING: {warning}")
    fallback = resolve.open_to_change(cluster, prepared.existing, prepared.plan.family)
    try:
        build(prepared.plan, backend, report)
        _bring_up(cluster, prepared, backend, report, seconds if wait else None)
    except BuildError as error:
        if not fallback:
            raise
        report.say(f"WARNING: CentOS does not work here; falling back to Debian.\n{error}")
        families.remember([error.image] if error.image else [], error.what)
    except NotReady as error:
        if not (fallback and first and not prepared.existing.nodes):
            raise
        kept = keep_logs(backend, [node.name for node in prepared.plan.nodes])
        report.say(f"WARNING: CentOS does not become ready here; falling back to Debian.\n{error}\n  logs: {kept}")
        failing = [node.image for node in prepared.plan.nodes if node.name == error.where]
        families.remember(failing or {node.image for node in prepared.plan.nodes}, error.what)
        down(backend, report, volumes=True)  # of this attempt: there was nothing before
    else:
        families.forget(prepared.plan)
        return prepared
    prepared = prepare(cluster, backend, report, family="debian", known=known)
    build(prepared.plan, backend, report)
    _bring_up(cluster, prepared, backend, report, seconds if wait else None)
    return prepared


def _bring_up(cluster: Cluster, prepared: Prepared, backend: Backend, report: Report, seconds: float | None) -> None:
    """From built images to nodes, which are ready unless `seconds` is None."""
    families.keep_of_data(prepared.plan)
    _note(prepared.plan, cluster, backend, done=False)
    apply(prepared, backend, report, seconds or 0)
    if seconds is not None:
        report.say("waiting until the cluster's promises hold")
        held = {action.node for action in prepared.changes} if prepared.at_once else set()
        ready.nodes(backend, [node.name for node in prepared.plan.nodes if node.name not in held], seconds)
        for entry in (entry for node in prepared.plan.nodes for entry in node.publish):
            backend.endpoint(entry.port)
    _note(
        prepared.plan, cluster, backend, done=seconds is not None
    )  # all: with its former subnet, a cluster loses its notes


def keep_logs(backend: Backend, names: Sequence[str]) -> Path:
    """Writes all that nodes printed into one file, before they are removed; its path."""
    path = paths.logs() / f"up-{backend.cluster}.log"
    with path.open("w", encoding="utf-8") as file:
        for name in names:
            with contextlib.suppress(LabError):
                file.writelines(f"{name} | {line}\n" for line in backend.logs(name))
    return path


def _note(made: Plan, cluster: Cluster, backend: Backend, *, done: bool) -> None:
    """Has the engine remember what can't be seen of the nodes and volumes themselves."""
    there = backend.notes()
    wanted = ownership.note(made.cluster) | expected.note(made) | scaling.note(made, cluster, there, done=done)
    for key, text in wanted.items():
        if there.get(key) != text:
            backend.note(key, text)


def build(made: Plan, backend: Backend, report: Report) -> None:
    """Builds the images of a plan that are missing."""
    backend.build(
        [recipe(role, made.family) for role in made.images],
        lambda role, text: report.step(f"image {role}", text),
        lambda role: trial(role, made.family),
    )
