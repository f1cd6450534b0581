"""How far a person is, for a teacher: JUnit, JSON, CSV, and a page that prints."""

from __future__ import annotations

import csv
import html
import io
import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from lab.evidence.outcomes import Colour
from lab.learning.progress import OPEN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lab.learning.lesson import Task
    from lab.learning.library import Lesson
    from lab.learning.progress import LessonProgress, TaskProgress

FORMATS = ("table", "json", "csv", "junit", "page")
STATES = ("green", "solved", "red", "unknown", "open")
COLUMNS = (
    "cluster",
    "lesson",
    "task",
    "state",
    "tries",
    "hints",
    "solved",
    "green",
    "reason",
    "says",
    "colour",
    "was_green",
    "minutes",
)
STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:52em;margin:1em auto;padding:0 1em}"
    "table{border-collapse:collapse;width:100%}td,th{border:1px solid #999;padding:.2em .5em;text-align:left}"
    "tr.red td:nth-child(2){background:#fbd5d5}tr.green td:nth-child(2){background:#d5f0e3}"
    ".wide{overflow-x:auto}h1,h2{overflow-wrap:anywhere}"
    "tr.unknown td:nth-child(2){background:#fdf0c8}"
)


def state(done: TaskProgress) -> str:
    """By the last check, one of `STATES`: `solved` is green after the lab's solution, `open` is without a check."""
    return "solved" if done.last == Colour.GREEN and done.solved else str(done.last)


def colour(done: TaskProgress) -> str:
    """The colour of the last check; empty without one."""
    return "" if done.last == OPEN else done.last


def was_green(done: TaskProgress) -> str:
    """The UTC time at which a task was green first, where its last check is not green; else empty."""
    return _utc(done.was_green)


def shown(done: TaskProgress) -> str:
    """The state for a person, and when it was green first where its last check is not."""
    return _joined(state(done), was_green(done))


def _joined(text: str, was: str) -> str:
    when = f"was green at {datetime.fromisoformat(was):%Y-%m-%d %H:%M} UTC" if was else ""
    return "; ".join(filter(None, (text, when)))


def _utc(at: int | None) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds") if at else ""


def rows(cluster: str, lessons: Sequence[tuple[Lesson, LessonProgress]]) -> list[dict[str, Any]]:
    """A row for each task of each lesson, by the names of `COLUMNS`."""
    return [
        _row(cluster, lesson, task, done.of(task.id)) | {"minutes": done.minutes.get(task.id)}
        for lesson, done in lessons
        for task in lesson.data.tasks
    ]


def _row(cluster: str, lesson: Lesson, task: Task, done: TaskProgress) -> dict[str, Any]:
    fields = {key: value for key, value in asdict(done).items() if key in COLUMNS}
    named = {"cluster": cluster, "lesson": lesson.name, "task": task.id, "state": state(done)}
    return named | fields | {"green": _utc(done.green), "colour": colour(done), "was_green": was_green(done)}


def of_class(table: Sequence[Mapping[str, Any]]) -> bool:
    """Whether rows are of more than one cluster."""
    return len({row["cluster"] for row in table}) > 1


def written(kind: str, table: Sequence[Mapping[str, Any]]) -> str:
    """The report in one of `FORMATS` but `table`; its rows, of one cluster or several, are those of `rows`."""
    return {"json": _json, "csv": _csv, "junit": _junit, "page": _page}[kind](table)


def _json(table: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps(table, indent=2)


def _csv(table: Sequence[Mapping[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _plain(row[key]) for key in COLUMNS} for row in table)
    return out.getvalue().rstrip("\n")


def _plain(value: object) -> object:
    """A value that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value


def _junit(table: Sequence[Mapping[str, Any]]) -> str:
    root = ET.Element("testsuites")
    for cluster, name in _parts(table):
        mine = _part(table, cluster, name)
        counts = {
            "tests": len(mine),
            "failures": sum(row["state"] == "red" for row in mine),
            "skipped": sum(row["state"] in ("open", "unknown") for row in mine),
        }
        title = f"{cluster}.{name}" if of_class(table) else name
        suite = ET.SubElement(root, "testsuite", {"name": title} | {key: str(n) for key, n in counts.items()})
        for row in mine:
            case = ET.SubElement(suite, "testcase", classname=f"{cluster}.{name}", name=row["task"])
            if row["minutes"] is not None:
                case.set("time", f"{row['minutes'] * 60:.0f}")
            if row["state"] == "red":
                ET.SubElement(case, "failure", type=row["reason"], message=row["says"])
            if row["state"] == "open":
                ET.SubElement(case, "skipped")
            if row["state"] == "unknown":  # no answer of the learner's that is wrong
                ET.SubElement(case, "skipped", message=row["says"])
            summary = f"tries {row['tries']}, hints {row['hints']}, solved by the lab: {row['solved']}"
            ET.SubElement(case, "system-out").text = _joined(summary, row["was_green"])
    ET.indent(root)
    return ET.tostring(root, encoding="unicode")


def cell(row: Mapping[str, Any], name: str) -> str:
    """A cell for a person; the state says when a task was green whose last check is not."""
    text = "" if row[name] is None else str(row[name])
    return _joined(text, row["was_green"] if name == "state" else "")


def _parts(table: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """The lessons of each cluster, in order: cluster and lesson."""
    return list(dict.fromkeys((row["cluster"], row["lesson"]) for row in table))


def _part(table: Sequence[Mapping[str, Any]], cluster: str, lesson: str) -> list[Mapping[str, Any]]:
    """The rows of one lesson on one cluster."""
    return [row for row in table if (row["cluster"], row["lesson"]) == (cluster, lesson)]


def _page(table: Sequence[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(row["cluster"] for row in table))
    title = f"Lessons on {', '.join(names)}" if names else "Lessons"
    overview = _overview(table) if of_class(table) else ""
    details = "".join(
        (f"<h2>{html.escape(name)}</h2>" if of_class(table) else "")
        + _details([row for row in table if row["cluster"] == name])
        for name in names
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style><h1>{html.escape(title)}</h1>"
        f"{overview}{details}</html>"
    )


def _overview(table: Sequence[Mapping[str, Any]]) -> str:
    """How many tasks of each lesson on each cluster are in each state, and the minutes of those that were green."""
    lines = []
    for cluster, lesson in _parts(table):
        mine = _part(table, cluster, lesson)
        minutes = [row["minutes"] for row in mine if row["minutes"] is not None]
        counts = [str(sum(row["state"] == state for row in mine)) for state in STATES]
        lines.append([cluster, lesson, *counts, f"{sum(minutes):.1f}" if minutes else ""])
    return _rendered(("cluster", "lesson", *STATES, "minutes"), [("", line) for line in lines])


def _details(table: Sequence[Mapping[str, Any]]) -> str:
    """A row for each task."""
    columns = ("lesson", "state", "task", "tries", "hints", "green", "minutes", "says")
    return _rendered(columns, [(row["state"], [cell(row, name) for name in columns]) for row in table])


def _rendered(columns: Sequence[str], lines: Sequence[tuple[str, Sequence[str]]]) -> str:
    """A table; its lines are class and cells."""
    head = "".join(f"<th>{name}</th>" for name in columns)
    body = "".join(
        f'<tr class="{kind}">' + "".join(f"<td>{html.escape(text)}</td>" for text in line) + "</tr>"
        for kind, line in lines
    )
    return f'<div class="wide" tabindex="0"><table><tr>{head}</tr>{body}</table></div>'
