"""A report of a whole class: one table of several clusters, named one by one or by a pattern."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from lab.backends.memory import MemoryBackend
from lab.evidence.outcomes import green, red
from lab.learning import progress, starting
from lab.learning.library import lesson
from lab.lifecycle.up import up
from lab.progress import Silent
from lab.topology import parse
from tests.unit import command

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from subprocess import CompletedProcess

    from lab.backends.base import Existing

NAMES = ("class-01", "class-02", "class-03", "other")


class Engine(MemoryBackend):
    """A cluster of an engine with several: `others`, itself included."""

    def __init__(self, cluster: str, others: dict[str, Engine]) -> None:
        super().__init__(cluster)
        self.others = others

    def clusters(self) -> Mapping[str, Existing]:
        return {name: one.observe() for name, one in list(self.others.items()) if one.observe().nodes}


def _checked(backend: MemoryBackend, number: int, **outcomes: bool) -> None:
    """Starts a lesson on a cluster; what the checks of its tasks answered is noted."""
    done = starting.start(lesson(number), backend, Silent()).progress
    for task, is_green in outcomes.items():
        done = done.checked(task, green("good") if is_green else red("refused", f"{task} <refused>"))
    progress.keep(backend, done)


@pytest.fixture(scope="module")
def _class() -> dict[str, Engine]:
    """The clusters, each empty until the first test."""
    return {}


@pytest.fixture
def engine(_class: dict[str, Engine], monkeypatch: pytest.MonkeyPatch) -> dict[str, Engine]:
    """A class of three, one of whom has a cluster without a lesson, and a cluster of another class.

    A report changes none of them, so that they are made once for all tests.
    """
    monkeypatch.setattr("lab.backends.backend", lambda _place, name: _class.get(name) or Engine(name, _class))
    if not _class:
        _class |= {name: Engine(name, _class) for name in NAMES}
        _begin(_class)
    return _class


def _begin(made: dict[str, Engine]) -> None:
    _checked(made["class-01"], 1, php=True)
    solved = progress.read(made["class-01"], "01-web-server").changed(
        "first-page", solved=True, green=5, colour="green"
    )
    progress.keep(made["class-01"], solved)
    up(parse("name: class-02\nweb: {count: 1}\n"), made["class-02"], Silent())
    _checked(made["class-03"], 1, php=False)
    _checked(made["class-03"], 8)
    _checked(made["other"], 1, php=True)


def _report(*argv: str) -> CompletedProcess[str]:
    return command.lab("learn", "report", *argv)


def _clusters(rows: Iterable[Mapping[str, object]]) -> list[object]:
    return list(dict.fromkeys(row["cluster"] for row in rows))


@pytest.mark.usefixtures("engine")
def test_a_pattern_gives_one_table_of_the_class() -> None:
    done = _report("class-*", "--format", "csv")
    assert done.returncode == 0, done.stderr
    assert done.stderr == "class-02 is left out: no lesson was started on it\n"
    assert done.stdout.count("cluster,lesson") == 1, "one header"
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert _clusters(rows) == ["class-01", "class-03"]
    assert {row["lesson"] for row in rows} == {"01-web-server", "08-tcp-lb"}
    assert [row["state"] for row in rows if row["task"] == "php"] == ["green", "red"]


@pytest.mark.usefixtures("engine")
def test_each_format_is_of_the_class() -> None:
    assert _clusters(json.loads(_report("class-*", "--format", "json").stdout)) == ["class-01", "class-03"]
    suites = ET.fromstring(_report("class-*", "--format", "junit").stdout)  # noqa: S314  own
    assert [suite.get("name") for suite in suites] == [
        "class-01.01-web-server",
        "class-03.01-web-server",
        "class-03.08-tcp-lb",
    ]
    table = _report("class-*").stdout.splitlines()
    assert table[0].split()[:3] == ["CLUSTER", "LESSON", "TASK"]
    assert [line.split()[0] for line in table[1:]] == ["class-01"] * 5 + ["class-03"] * 10
    page = _report("class-*", "--format", "page").stdout
    assert "<h1>Lessons on class-01, class-03</h1>" in page
    cells = "".join(f"<td>{text}</td>" for text in ("class-01", "01-web-server", "1", "1", "0", "0", "3", "0.0"))
    assert cells in page, "how many tasks are green, solved, red, unknown and open"
    assert "<h2>class-03</h2>" in page
    assert "php &lt;refused&gt;" in page
    assert page.count("<!doctype html>") == 1


@pytest.mark.usefixtures("engine")
def test_clusters_are_named_one_by_one_too() -> None:
    done = _report("other", "class-01", "class-0[13]", "--format", "json")
    assert _clusters(json.loads(done.stdout)) == ["other", "class-01", "class-03"], "each once, in order"
    one = _report("class-01")
    assert one.stdout.splitlines()[0].split()[0] == "LESSON", "one cluster as without a name"
    assert one.stdout == _report("-n", "class-01").stdout
    assert _report("class-01", "--format", "junit").stdout == _report("-n", "class-01", "--format", "junit").stdout


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(
    ("argv", "what"),
    [
        (("clas*",), ""),
        (("klas-*",), "no cluster matches 'klas-*'"),
        (("class-02",), "no lesson was started on the cluster 'class-02'"),
        (("class-02", "class-99"), "no lesson was started on any of class-02, class-99"),
        (("Class 1",), "Class 1"),
        (("class-*", "--format", "pdf"), "there is no format 'pdf'"),
    ],
)
def test_what_is_not_possible_is_said(argv: tuple[str, ...], what: str) -> None:
    done = _report(*argv)
    assert (done.returncode, what in done.stderr, bool(done.stdout)) == (2 if what else 0, True, not what), done.stderr
