"""Executes the actions of a prepared plan, in an order that never routes traffic to missing nodes."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from lab import parallel
from lab.backends.base import State
from lab.errors import BackendError, LabError, NotReady, Taken
from lab.lifecycle import hand, ready, scaling
from lab.lifecycle.endings import Endings
from lab.lifecycle.reconcile import Action, Kind
from lab.plan import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lab.backends.base import Backend
    from lab.lifecycle.prepare import Prepared
    from lab.plan import NodePlan
    from lab.progress import Report

UNSURE = ""  # digest of a file that is being copied or deleted; matches no content
ASK_SECONDS = 5.0  # limit of a readiness check
LATE_SECONDS = 5.0  # until a node that waits for its change, and has stopped serving meanwhile, is changed first
UNREADY_SECONDS = 20.0  # limit for a node that was not ready before, until the next ones are changed
RELOAD_SECONDS = 120.0  # limit of all reloads of a node; a keeper that restarts hands over first, for up to 40 s
ROLLING_SHARE = 3  # at most one in so many nodes of a role is replaced or reloaded at a time


def apply(prepared: Prepared, backend: Backend, report: Report, seconds: float) -> Endings:
    """New nodes first, then replacements and reloads in waves, removals last.

    Returns the nodes that ran, paused ones that were resumed included, and those that ended meanwhile and were started.
    """
    prepared = _resumed(prepared, backend, report)
    endings = Endings(prepared.existing, backend, report)
    by_kind = {kind: [action for action in prepared.actions if action.kind is kind] for kind in Kind}
    work = partial(_perform, prepared, endings, seconds)
    if prepared.existing.network not in (None, str(prepared.plan.network.cidr)):
        # No node can move to another subnet: all nodes are removed with their network.
        for action in (*by_kind[Kind.RECREATE], *by_kind[Kind.REMOVE]):
            backend.remove(action.node)
        if left := backend.clear(volumes=False):
            raise BackendError(f"the cluster can't move to another subnet: {left[0]}")
        parallel.for_each([action for action in prepared.actions if action.kind is not Kind.REMOVE], work)
        return endings
    # Nodes that may hold the VIP first: they take longest until they serve.
    by_kind[Kind.CREATE].sort(key=lambda action: not prepared.plan.node(action.node).holds_vip)
    asleep = [action for action in by_kind[Kind.UPDATE] if action.start]
    awake = [action for action in by_kind[Kind.UPDATE] if not action.start]
    changing = by_kind[Kind.RECREATE] or awake
    joining = scaling.joining(prepared.plan, prepared.existing) if changing else set()
    unknown = _of_new_roles(prepared) if changing else set()
    join = partial(_change_unready, prepared, endings, seconds)
    begin = partial(_perform, prepared, endings, 0)

    def first(action: Action) -> None:
        (begin if action.node in unknown else join if action.node in joining else work)(action)

    parallel.for_each(by_kind[Kind.CREATE] + by_kind[Kind.START] + asleep, first)
    _in_waves(prepared, endings, [by_kind[Kind.RECREATE], awake], seconds)
    parallel.for_each(by_kind[Kind.REMOVE], work)
    return endings


def _resumed(prepared: Prepared, backend: Backend, report: Report) -> Prepared:
    """The same with all paused nodes that are to be updated resumed: from then on they are updated as running ones."""

    def resume(action: Action) -> None:
        report.step(action.node, "resuming")
        backend.start(action.node)

    there = prepared.existing
    paused = {node.name for node in there.nodes if node.state is State.PAUSED}
    resumed = [action for action in prepared.actions if action.kind is Kind.UPDATE and action.node in paused]
    parallel.for_each(resumed, resume)
    names = {action.node for action in resumed}
    nodes = tuple(replace(node, state=State.RUNNING) if node.name in names else node for node in there.nodes)
    return replace(prepared, existing=replace(there, nodes=nodes))


def _in_waves(prepared: Prepared, endings: Endings, kinds: list[list[Action]], seconds: float) -> None:
    """Changes existing nodes. Nodes that are not ready first: they may wait for the change of another node.

    So do nodes whose last change was interrupted: a reload that goes on there may take them out of the pools yet.

    Waves do not wait for those, nor for new nodes that others must learn of, nor for the client, which serves no
    visitor and whose checks of the site and the VIP may need all changes: the caller waits for all at the end.
    """
    changed = [action.node for actions in kinds for action in actions]
    unready = _not_ready(prepared, endings.backend, changed) | _interrupted(prepared, changed) if seconds else set()
    first = [wave for actions in kinds for wave in _waves([one for one in actions if one.node in unready], prepared)]
    then = [wave for actions in kinds for wave in _waves([one for one in actions if one.node not in unready], prepared)]
    spared = unready | scaling.joining(prepared.plan, prepared.existing) | _of_new_roles(prepared)
    spared |= {node.name for node in prepared.plan.role("client")}
    names = [node.name for node in prepared.plan.nodes if node.name not in spared and not node.by_hand]
    change_unready = partial(_change_unready, prepared, endings, seconds)
    change = partial(_perform, prepared, endings, seconds)
    waves = [(wave, change_unready) for wave in first] + [(wave, change) for wave in then]
    for number, (wave, work) in enumerate(waves):
        if number and seconds and not prepared.moves:
            # The previous wave must be in the pools again, or the next one could remove the last serving node.
            awaited = (ready.READY,) if work is change_unready else prepared.awaited
            try:
                endings.nodes(names, min(seconds, LATE_SECONDS), awaited)
            except NotReady:
                rest = [action for later, _ in waves[number:] for action in later]
                if _not_ready(prepared, endings.backend, [action.node for action in rest], silent=False):
                    # A balancer may lead, until its own change, to the nodes of an interrupted `up` alone.
                    _in_waves(prepared, endings, [rest], seconds)
                    return
                endings.nodes(names, seconds, awaited)
        parallel.for_each(wave, work)


def _of_new_roles(prepared: Prepared) -> set[str]:
    """The nodes of roles that the cluster did not have.

    They may become ready only after the change of others, such as a new account of the database; no visitor awaits
    them yet. The caller waits for all at the end.
    """
    there = {node.role for node in prepared.existing.nodes}
    return {node.name for node in prepared.plan.nodes if node.role not in there}


def _change_unready(prepared: Prepared, endings: Endings, seconds: float, action: Action) -> None:
    """An action on a node that was not ready; waits briefly, since it may depend on later changes."""
    with _failure_report(endings.report, action.node):
        try:
            _attempt(prepared, endings, min(seconds, UNREADY_SECONDS), action)
        except NotReady:
            endings.report.step(action.node, "not ready yet: awaited again at the end")


def _not_ready(prepared: Prepared, backend: Backend, names: list[str], *, silent: bool = True) -> set[str]:
    """The given nodes that run and are not ready; `silent`: those that do not answer in time, too."""
    unready = set()

    def ask(name: str) -> None:
        try:
            ready_now = backend.run(name, ["/usr/lib/lab/ready"], seconds=ASK_SECONDS).ok
        except BackendError:
            ready_now = not silent
        if not ready_now:
            unready.add(name)

    there = {node.name for node in prepared.existing.nodes if node.state is State.RUNNING}
    parallel.for_each([name for name in names if name in there], ask)
    return unready


def _interrupted(prepared: Prepared, names: list[str]) -> set[str]:
    """The given nodes whose files were being copied or deleted when an `up` ended."""
    return {name for name in names if UNSURE in prepared.present.get(name, {}).values()}


def _waves(actions: list[Action], prepared: Prepared) -> list[list[Action]]:
    """At most a third of a role's nodes, and at least one, at a time; all at once when nothing is serving."""
    if not any(node.state is State.RUNNING for node in prepared.existing.nodes):
        return [actions] if actions else []
    waves: list[list[Action]] = []
    for role in prepared.plan.images:
        mine = [action for action in actions if prepared.plan.node(action.node).role == role]
        size = max(1, len(prepared.plan.role(role)) // ROLLING_SHARE)
        for number, begin in enumerate(range(0, len(mine), size)):
            waves += [[]] * (number + 1 - len(waves))
            waves[number] = waves[number] + mine[begin : begin + size]
    return waves


def _perform(prepared: Prepared, endings: Endings, seconds: float, action: Action) -> None:
    """Executes one action, until the node is ready or removed, and tells of its failure."""
    with _failure_report(endings.report, action.node):
        _attempt(prepared, endings, seconds, action)


@contextlib.contextmanager
def _failure_report(report: Report, node: str) -> Iterator[None]:
    """Tells of a failure at once: others may wait for this node until their limit."""
    try:
        yield
    except LabError as error:
        # What is taken is chosen again, where it may be: that is no failure of the command.
        verb = "refused" if isinstance(error, Taken) else "failed"
        report.step(node, f"{verb}: {error.what.splitlines()[0]}")
        raise


def _attempt(prepared: Prepared, endings: Endings, seconds: float, action: Action) -> None:
    """Executes one action; a running node that ends meanwhile is started."""
    execute = partial(_execute, prepared, endings.backend, endings.report, seconds)
    if action.kind is Kind.UPDATE:
        endings.work(action.node, partial(execute, action), partial(execute, replace(action, start=True)))
    else:
        execute(action)


def _execute(prepared: Prepared, backend: Backend, report: Report, seconds: float, action: Action) -> None:
    name = action.node
    if action.kind is Kind.REMOVE:
        report.step(name, "stopping")
        observed = prepared.existing.node(name)
        if observed and observed.state is not State.STOPPED:
            backend.stop(name)
        backend.remove(name)
        report.step(name, "removed", done=True)
        return
    node, files = prepared.plan.node(name), prepared.files[name]
    if action.kind is Kind.UPDATE:
        _update(prepared, backend, report, action)
    elif action.kind in (Kind.CREATE, Kind.RECREATE):
        _create(prepared, backend, report, node, files)
    if action.kind is not Kind.UPDATE or action.start:
        report.step(name, "starting")
        backend.start(name)
    if action.kind is Kind.UPDATE and action.start and action.stale:
        _delete(backend, action)
        backend.put(name, {MANIFEST: files[MANIFEST]})
    if node.by_hand:
        try:
            hand.booted(backend, name)
        except BackendError as error:
            report.warn(f"{error.what}\n  {error.next_step}")
        report.step(name, "by hand", done=True)
    elif seconds:
        report.step(name, "waiting until it is ready")
        ready.node(backend, name, seconds, prepared.awaited if prepared.at_once else (ready.READY,))
        report.step(name, "ready", done=True)


def _create(
    prepared: Prepared, backend: Backend, report: Report, node: NodePlan, files: Mapping[str, tuple[bytes, int]]
) -> None:
    observed = prepared.existing.node(node.name)
    if observed and prepared.existing.network == str(prepared.plan.network.cidr):
        report.step(node.name, "stopping the old one")
        if observed.state is not State.STOPPED:
            backend.stop(node.name)
        backend.remove(node.name)
    report.step(node.name, "creating")
    backend.create(prepared.plan, node, files)


def _update(prepared: Prepared, backend: Backend, report: Report, action: Action) -> None:
    """Removes changed files from the manifest, copies, reloads, and writes the new manifest.

    After an interruption the next `up` repeats it, also with the former files.
    """
    name, files = action.node, prepared.files[action.node]
    report.step(name, f"copying {len(action.files)} files")
    unsure = {**prepared.present.get(name, {}), **dict.fromkeys((*action.files, *action.stale), UNSURE)}
    backend.put(name, {MANIFEST: (json.dumps(unsure, indent=1, sort_keys=True).encode(), 0o600)})
    backend.put(name, {path: files[path] for path in action.files})
    if action.start and action.stale:
        return  # they are deleted once it runs, and remain in the manifest until then
    if not action.start:
        _delete(backend, action)
        changed = [path.rpartition("/")[2] for path in action.files]
        done = backend.run(name, ["/usr/lib/lab/reload", *changed], seconds=RELOAD_SECONDS)
        if not done.ok:
            raise BackendError(
                f"{name} rejected its new files: {done.last_line}",
                where=name,
                next_step=f"correct the topology; 'lab logs {name}' has details",
            )
    backend.put(name, {MANIFEST: files[MANIFEST]})


def _delete(backend: Backend, action: Action) -> None:
    if action.stale:
        backend.run(action.node, ["rm", "-f", *action.stale])
