"""The trial of a built image: its facts, with the files of a node of the smallest cluster of its role."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lab.building.trial import Trial
from lab.lifecycle import secrets
from lab.lifecycle.resolve import offline
from lab.plan import plan
from lab.recipes import family, manifest
from lab.recipes.facts import script
from lab.topology import parse

if TYPE_CHECKING:
    from lab.plan import Plan


def smallest(role: str, family_name: str, name: str) -> Plan:
    """The plan of the smallest cluster that has a role, under a name."""
    beside = manifest(role).own.checked_beside
    roles = beside if role == "client" else [*beside, role]  # every cluster has one
    topology = "".join(f"{entry}: {{}}\n" for entry in roles)
    return plan(offline(parse(f"name: {name}\n{topology}"))[0], family_name)


def trial(role: str, family_name: str) -> Trial:
    """Script and files of the trial of a role's image; its secrets are temporary."""
    name = f"trial-{os.getpid()}-{role}"
    node = smallest(role, family_name, name)
    try:
        files = node.role(role)[0].reveal(secrets.ensure(node))
    finally:
        secrets.forget(name)
    return Trial(node.role(role)[0], files, script(role, family(family_name)))
