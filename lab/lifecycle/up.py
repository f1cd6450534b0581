"""`up`: builds, reconciles and waits. After an interruption the next `up` continues from the engine's state."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from lab import paths
from lab.backends.base import State
from lab.backends.optional import Endpoints, Images, Notes, logs
from lab.errors import BuildError, LabError, NotReady, Taken
from lab.lifecycle import expected, families, kept, lost, origin, ownership, ready, resolve, scaling, secrets, volumes
from lab.lifecycle.apply import apply
from lab.lifecycle.down import down
from lab.lifecycle.kept import Note
from lab.lifecycle.prepare import Prepared, prepare
from lab.lifecycle.reconcile import Action, Kind
from lab.lifecycle.trial import trial
from lab.recipes import recipe
from lab.topology import AUTO

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lab.backends.base import Backend, Existing
    from lab.plan import Plan
    from lab.progress import Report
    from lab.topology import Cluster

NEVER_READY = (
    "this cluster was never ready with CentOS: if it has nothing that you need,"
    " 'lab down --volumes' and 'lab up --family debian' make it with Debian"
)
EARLIER = "in an earlier attempt"
CHOICES = 5
"""Attempts at a subnet and ports that no other cluster takes meanwhile."""


def up(
    cluster: Cluster, backend: Backend, report: Report, *, wait: bool = True, seconds: float = ready.READY_SECONDS
) -> Prepared:
    """Creates the cluster or changes it as planned, and waits until it is ready.

    If another cluster takes an automatic subnet or port between choice and use, another one is chosen.

    Raises:
        UserError: the request is not possible; nothing was created.
        BuildError: an image did not build.
        NotReady: a node did not become ready, or a promise did not hold, within `seconds`.
    """
    before = backend.observe()
    # No data exists that another family could not read, or that this attempt could lose.
    fresh = before.empty
    work = partial(_up, backend=backend, report=report, limit=seconds if wait else None, fresh=fresh)
    for _ in range(CHOICES - 1):
        try:
            return _since(before, work(cluster))
        except Taken as error:
            if error.where != "network":
                cluster = _with_other_ports(cluster, backend, error)
            report.say(f"choosing again: {error.what}")
    return _since(before, work(cluster))


def _with_other_ports(cluster: Cluster, backend: Backend, error: Taken) -> Cluster:
    """The cluster without the automatic ports that the engine refused: this machine may still see them as free.

    Raises:
        Taken: no port is automatic.
    """
    others = resolve.other_ports(cluster, backend.capabilities())
    if others == cluster:
        raise error
    return others


def _since(before: Existing, prepared: Prepared) -> Prepared:
    """The changes since then, in several attempts: the last one keeps what the ones before it have changed."""

    def whole(action: Action) -> Action:
        was, now = before.node(action.node), prepared.existing.node(action.node)
        if was is None:
            return action if action.kind is Kind.REMOVE else replace(action, kind=Kind.CREATE)
        if action.kind is not Kind.KEEP or now is None:
            return action
        if now.fixed != was.fixed:
            return replace(action, kind=Kind.RECREATE, why=EARLIER)
        return action if was.state is State.RUNNING else replace(action, kind=Kind.START, why=EARLIER, start=True)

    return replace(prepared, actions=[whole(action) for action in prepared.actions])


def _up(cluster: Cluster, backend: Backend, report: Report, limit: float | None, *, fresh: bool) -> Prepared:
    """`limit`: seconds until nodes have to be ready, None for no wait; `fresh`: whether no data is there."""

    def known(plan: Plan, restored: Mapping[str, str]) -> Mapping[str, str]:
        return secrets.ensure(plan, report.warn, restored)

    prepared = prepare(cluster, backend, report, known=known)
    for warning in cluster.warnings:
        report.warn(warning)
    if prepared.plan.by_hand:
        report.say(f"by hand, not configured and not awaited: {', '.join(prepared.plan.by_hand)}")
    try:
        build(prepared.plan, backend, report)
        if fresh and limit is not None:
            kept.keep(cluster.name, Note.UNPROVEN, prepared.plan.family)
        prepared = _bring_up(cluster, prepared, backend, report, limit)
    except (BuildError, NotReady) as error:
        if cluster.family != AUTO or prepared.plan.family != "centos":
            raise
        if not fresh:
            if kept.read(cluster.name, Note.UNPROVEN) == "centos":
                error.next_step = f"{error.next_step}\n    {NEVER_READY}".strip()
            raise
        failing = _given_up(prepared.plan, backend, report, error)
        prepared = prepare(cluster, backend, report, family="debian", known=known)
        build(prepared.plan, backend, report)
        prepared = _bring_up(cluster, prepared, backend, report, limit)
        families.remember(failing, error.what)  # not before: a failure with both families is not CentOS's
    else:
        families.forget(prepared.plan)
    return prepared


def _given_up(plan: Plan, backend: Backend, report: Report, error: BuildError | NotReady) -> set[str]:
    """Removes the attempt with a failed family, and returns the failed images."""
    if isinstance(error, BuildError):
        report.warn(f"CentOS failed here; falling back to Debian.\n{error}")
        return {error.image} if error.image else set()
    logs = keep_logs(backend, [node.name for node in plan.nodes])
    report.warn(f"CentOS did not become ready here; falling back to Debian.\n{error}\n  logs: {logs}")
    down(backend, report, volumes=True)
    return {node.image for node in plan.nodes if node.name == error.where} or {node.image for node in plan.nodes}


def _bring_up(
    cluster: Cluster, prepared: Prepared, backend: Backend, report: Report, seconds: float | None
) -> Prepared:
    """Creates and changes nodes from built images, and waits until they are ready unless `seconds` is None.

    Returns what was done: nodes that ended meanwhile were started, too.
    """
    plan, note = prepared.plan, partial(_note, prepared, cluster, backend)
    kept.keep(plan.cluster, Note.FAMILY, plan.family)
    if cluster.source:
        kept.keep(plan.cluster, Note.TOPOLOGY, cluster.source)
    note(done=False)
    endings = apply(prepared, backend, report, seconds or 0)
    volumes.keep(plan, prepared.existing)
    changed = {action.node for action in prepared.changes}
    endings.resume([node.name for node in plan.nodes if (node.by_hand or seconds is None) and node.name not in changed])
    if seconds is not None:
        report.say("waiting until the cluster's promises hold")
        held = {action.node for action in prepared.changes} if prepared.at_once else set()
        names = [node.name for node in plan.nodes if node.name not in held and not node.by_hand]
        endings.nodes(names, seconds, prepared.awaited)
        if isinstance(backend, Endpoints):
            for entry in (entry for node in plan.nodes for entry in node.publish):
                backend.endpoint(entry.port)
        kept.remove(plan.cluster, Note.UNPROVEN)
    note(done=seconds is not None)  # all nodes: a cluster that moves to another subnet loses its notes
    return _with_starts(prepared, endings.started)


def _with_starts(prepared: Prepared, started: set[str]) -> Prepared:
    """The same, with the start of nodes that were to be kept, and had ended."""
    actions = [
        replace(action, kind=Kind.START, why="ended meanwhile", start=True)
        if action.kind is Kind.KEEP and action.node in started
        else action
        for action in prepared.actions
    ]
    return replace(prepared, actions=actions)


def keep_logs(backend: Backend, names: Sequence[str]) -> Path:
    """Writes the logs of all nodes into one file, before they are removed; returns its path."""
    path = paths.logs() / f"up-{backend.cluster}.log"
    with path.open("w", encoding="utf-8") as file:
        for name in names:
            with contextlib.suppress(LabError):
                file.writelines(f"{name} | {line}\n" for line in logs(backend).logs(name))
    return path


def _note(prepared: Prepared, cluster: Cluster, backend: Backend, *, done: bool) -> None:
    """Notes in the engine what its nodes and volumes do not show."""
    if not isinstance(backend, Notes):
        return
    origin.forget_other(backend, cluster.source)
    there, plan = backend.notes(), prepared.plan
    counted = scaling.note(plan, cluster, prepared.existing, there, done=done)
    notes = ownership.note(plan.cluster) | lost.note(plan, prepared.existing, there) | expected.note(plan) | counted
    for key, text in notes.items():
        if there.get(key, "") != text:
            backend.note(key, text or None)


def build(plan: Plan, backend: Backend, report: Report) -> None:
    """Builds the missing images of a plan, for a backend whose nodes are made of images."""
    if not isinstance(backend, Images):
        return
    backend.build(
        [plan.apps.get(role) or recipe(role, plan.family) for role in plan.images],
        lambda role, text: report.step(f"image {role}", text),
        lambda role: trial(role, plan.family),
    )
