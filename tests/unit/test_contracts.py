"""JSON contracts: documented and printed keys are the same, and renamed keys stay for one version."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lab import __version__
from lab.backends.xen.nested.machine import Running
from lab.building.stock import Kept
from lab.faults import Kill
from lab.lifecycle.status import NodeStatus, Status
from lab.services.backup import Snapshot
from lab.services.mail import Account, Queued
from lab.services.mysql import Member
from lab.services.sites import Release
from lab_node.backup import mark, repository, restore, scratch
from lab_node.volumes.report import Figures
from tests.unit.command import verbs

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[2] / "docs/status.md"
SECTIONS = dict(
    part.partition("\n")[::2] for part in re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
)
BACKUP = repository.Snapshot("4f1c", 1.0, "", "")
MEMBER = Member("mysql2", "replica", reason="its keeper does not answer")
QUEUED = Queued("mail1", "4jY7", "deferred", "ann@www.test", 100, 1.0, {"bob@example.org": "timeout"})


def _title(verb: str) -> str:
    return f"`lab {verb} --json`"


def _documented(verb: str) -> set[str]:
    rows = [line.split("|")[1] for line in SECTIONS[_title(verb)].splitlines() if line.startswith("| `")]
    return {key for row in rows for key in re.findall(r"`([a-z_]+)`", row)}


def _names(kind: type) -> set[str]:
    return {field.name for field in fields(kind)}


PRINTED = {
    "status": _names(Status) | _names(NodeStatus),
    "mysql status": set(MEMBER.json()),
    "mail queue": set(QUEUED.json()),
    "mail account list": _names(Account),
    "backup list": _names(Snapshot),
    "backup drill": {"recovery_point", *restore._summary(BACKUP, mark.Mark({}, {}, {}), scratch.Played(), 0.0)},  # noqa: SLF001
    "backup now": _names(repository.Added) | {"time", "position", "has", "moving", "seconds"},
    "site list": {"site", "release", "releases", "urls"},
    "site releases": _names(Release),
    "volume status": _names(Figures),
    "images list": _names(Kept),
    "xen host status": _names(Running),
    "fault list": {"mark", "begun", "proof", *Kill(("web1",)).as_dict()},
}


def _with_json(command: Any, words: tuple[str, ...] = ()) -> Iterator[str]:  # noqa: ANN401  typer's own copy of click
    """The verbs that print JSON, without those under an old name."""
    if any("--json" in parameter.opts for parameter in command.params):
        yield " ".join(words)
    for name, inner in getattr(command, "commands", {}).items():
        if not inner.hidden:
            yield from _with_json(inner, (*words, name))


def test_the_page_has_each_verb_that_prints_json() -> None:
    assert {_title(verb) for verb in _with_json(verbs())} - {_title("ps")} == set(SECTIONS)


@pytest.mark.parametrize("verb", PRINTED)
def test_the_page_has_each_key(verb: str) -> None:
    assert _documented(verb) == PRINTED[verb]


def test_a_renamed_key_stays_for_one_version() -> None:
    assert __version__.startswith("0.2."), "'because' is removed in 0.3"
    assert MEMBER.json()["because"] == MEMBER.json()["reason"] == "its keeper does not answer"
    assert QUEUED.json()["because"] == QUEUED.json()["reason"] == {"bob@example.org": "timeout"}


def test_the_changelog_has_a_dated_section_for_the_version() -> None:
    text = (PAGE.parents[1] / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[{re.escape(__version__)}\] - \d{{4}}-\d\d-\d\d$", text, re.MULTILINE)
    assert "## [Unreleased]" in text
