"""Secrets that a cluster has and the folder lacks: read from the cluster's nodes, or refused, and never made again.

Another one would be put over the first: backups could not be read, members of a database would refuse each other.
A person may change any other than those that seal data (`sealing` in `role.yaml`): nodes take the new one.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from lab.backends.base import LASTING, volume
from lab.backends.optional import noted
from lab.errors import HostError
from lab.lifecycle import secrets
from lab.recipes import manifest, roles

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

    from lab.backends.base import Backend, Existing
    from lab.plan import Plan
    from lab.plan.model import File

NOTE, SEALS = f"{LASTING}secret-names", f"{LASTING}seals"
DIGITS = 16
"""Of the digest of a secret of 144 random bits, which tells it from another one and gives nothing away."""


def note(plan: Plan, existing: Existing, notes: Mapping[str, str]) -> dict[str, str]:
    """The names of all secrets that the cluster ever had, and digests of those that seal data; empty for none.

    With a role that was removed its data stays. Notes of a cluster without nodes and data are of data that was removed
    by hand, or never made: they do not count, nor do digests where the volumes of their role were removed.
    """
    former = {} if existing.empty else notes
    names = {*former.get(NOTE, "").split(), *secrets.lasting(plan)}
    seals = _digests(plan) | _noted_seals(former, plan, existing)
    return {NOTE: " ".join(sorted(names)), SEALS: " ".join(f"{name}={seals[name]}" for name in sorted(seals))}


def restored(
    plan: Plan, backend: Backend, existing: Existing, present: Mapping[str, Mapping[str, str]]
) -> dict[str, str]:
    """The missing secrets that nodes have. Those of a role that is new to the cluster are left to be made.

    Args:
        plan: the planned cluster.
        backend: of the cluster; where an earlier version left no note of names, what is on no node counts as new.
        existing: its nodes.
        present: the digests in each node's manifest, by path: a file that is another one by now is no source.

    Raises:
        HostError: one that the cluster had is on no node, or one that seals data is another one; names it.
    """
    _admit_seals(plan, backend, existing)
    missing = [] if existing.empty else secrets.missing(plan)
    if not missing:
        return {}
    sources = []
    for node, file in _holders(plan, existing, missing):
        content = backend.get(node, file.path) or b""
        if hashlib.sha256(content).hexdigest() == present.get(node, {}).get(file.path):
            sources.append((file, content.decode()))
    values = _values(plan, missing, sources)
    differing = {name for name, several in values.items() if len(several) > 1}
    unknown = differing | (_had(backend) - values.keys())
    _admit(plan, existing, [name for name in missing if name in unknown])
    return {name: min(only) for name, only in values.items()}


def written(plan: Plan, sources: Iterable[tuple[File, str]]) -> dict[str, str]:
    """The missing secrets that are in files written earlier, such as those for Compose.

    Args:
        plan: the cluster.
        sources: files of the plan, each with what it contains now.
    """
    values = _values(plan, secrets.missing(plan), sources)
    return {name: min(several) for name, several in values.items() if len(several) == 1}


def admit(plan: Plan, backend: Backend, restored: Container[str]) -> None:
    """Refuses to make a secret that the cluster has, where it runs on an engine; `restored`: those that are not made.

    Raises:
        HostError: names those that are missing, or are not the cluster's.
    """
    existing = backend.observe()
    _admit_seals(plan, backend, existing)
    if not existing.empty:
        had = _had(backend)
        _admit(plan, existing, [name for name in secrets.missing(plan) if name in had and name not in restored])


def _digests(plan: Plan) -> dict[str, str]:
    """The digests of the stored secrets that seal data, by name."""
    names = {name for role in plan.images for name in _sealing(role)}
    stored = {name: secrets.known(plan.cluster, name) for name in names & set(plan.secrets)}
    return {name: hashlib.sha256(value.encode()).hexdigest()[:DIGITS] for name, value in stored.items() if value}


def _sealing(role: str) -> list[str]:
    return manifest(role).own.sealing if role in roles() else []


def _noted_seals(notes: Mapping[str, str], plan: Plan, existing: Existing) -> dict[str, str]:
    """The noted digests of the secrets that seal data which exists, by name."""
    gone = {name for role in plan.images if _emptied(plan, existing, role) for name in _sealing(role)}
    seals = dict(seal.split("=", 1) for seal in notes.get(SEALS, "").split())
    return {name: digest for name, digest in seals.items() if name not in gone}


def _emptied(plan: Plan, existing: Existing, role: str) -> bool:
    """Whether no node of a planned role exists, and no volume of one."""
    if existing.volumes is None or any(node.role == role for node in existing.nodes):
        return False
    return existing.volumes.isdisjoint(volume(node.name, key) for node in plan.role(role) for key in node.volumes)


def _admit_seals(plan: Plan, backend: Backend, existing: Existing) -> None:
    """Refuses a secret that is not the one by which the cluster's data was sealed."""
    if existing.empty:
        return
    seals, stored = _noted_seals(noted(backend), plan, existing), _digests(plan)
    if others := sorted(name for name, digest in stored.items() if seals.get(name, digest) != digest):
        folder = secrets.folder(plan.cluster)
        raise HostError(
            f"a secret in {folder} is not that of the cluster '{plan.cluster}', whose data cannot be read with it:"
            f" {', '.join(others)}",
            where=str(folder / others[0]),
            next_step=f"restore it from {_sources(plan, existing, others)}; 'lab down --volumes' removes the cluster"
            " with its data",
        )


def _sources(plan: Plan, existing: Existing, names: Sequence[str]) -> str:
    """Where a person may find these secrets."""
    places = [f"{file.path} of {node}" for node, file in _holders(plan, existing, names)]
    return f"a copy, or from {places[0]}" if places else "a copy"


def _had(backend: Backend) -> set[str]:
    """The names of the secrets that the cluster ever had."""
    return set(noted(backend).get(NOTE, "").split())


def _values(plan: Plan, names: Sequence[str], sources: Iterable[tuple[File, str]]) -> dict[str, set[str]]:
    """The values of secrets that files have, by name; only of those that one has at least."""
    known = {name: value for name in secrets.lasting(plan) if (value := secrets.known(plan.cluster, name))}
    values: dict[str, set[str]] = {}
    for file, content in sources:
        for name, value in file.hidden(content, known).items():
            if name in names:
                values.setdefault(name, set()).add(value)
    return values


def _holders(plan: Plan, existing: Existing, names: Sequence[str]) -> Iterator[tuple[str, File]]:
    """The files that have one of these secrets, on nodes that exist."""
    there = {node.name for node in existing.nodes}
    for node in plan.nodes:
        if node.name in there:
            yield from ((node.name, file) for file in node.files if set(names) & set(file.secrets))


def _admit(plan: Plan, existing: Existing, lost: Sequence[str]) -> None:
    """Refuses to go on without these secrets."""
    if not lost:
        return
    folder = secrets.folder(plan.cluster)
    raise HostError(
        f"the cluster '{plan.cluster}' has secrets that are missing or empty in {folder}: {', '.join(lost)}",
        where=str(folder / lost[0]),
        next_step=f"restore them from {_sources(plan, existing, lost)}; 'lab down --volumes' removes the cluster"
        " with its data",
    )
