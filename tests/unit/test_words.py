"""Error messages, docstrings and pages of the lab are plain: none has a phrase that was corrected once."""

from __future__ import annotations

import ast
import tokenize
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import assets
from lab.chaos import load
from lab.evidence.promises import promise, promises
from tests.unit import sources
from tests.unit.words import prose, quaint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


ROOT = Path(__file__).parents[2]
LAB = ROOT / "lab"
PAGES = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")})
UNREAD = {
    "CHANGELOG.md": "its entries are history",
    "docs/parity.md": "its rows are titles of tests",
}
"""Pages that are not compared, each with the reason."""
ERRORS = ("Unable", "Refused", "Taken", "Gone", "NotReady", "Locked", "Finding", "unusable")
OLD = (
    "the fault was done and does not bite",
    "ann@www.test is there already",
    "What nobody foresaw goes first, then a refusal.",
    "A context manager: the cluster is made whole again.",
    "'kill web1' is on already",
    "the machine stood still for 0.40 s",
    "'/x' is no path of the site",
    "Faults by chance: which, to whom, how often and how long",
    "Undoes what is noted, whoever did it.",
    "no mysql node takes writes just now",
    "Removes the data of a node, which is made anew.",
)


def _messages(nodes: Iterable[ast.AST]) -> Iterator[tuple[int, str]]:
    """Line and text of each docstring, and of each string in the arguments of an error."""
    for node in nodes:
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (text := ast.get_docstring(node)):
            yield node.body[0].lineno, text
        elif isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name.endswith("Error") or name in ERRORS:
                for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
                    yield from (
                        (part.lineno, part.value)
                        for part in ast.walk(argument)
                        if isinstance(part, ast.Constant) and isinstance(part.value, str)
                    )


def _comments(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of each comment."""
    for token in tokenize.generate_tokens(StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


FILES = [
    path.relative_to(ROOT).as_posix() for folder in (LAB, ROOT / "images") for path in sorted(folder.rglob("*.py"))
]


def _faults(place: str, texts: Iterable[tuple[int, str]]) -> list[str]:
    """Place, phrases and text of each that is not plain."""
    return [f"{place}:{line}: {', '.join(quaint(text))}: {text}" for line, text in texts if quaint(text)]


def test_messages_docstrings_and_comments_are_plain() -> None:
    faults: list[str] = []
    for name in FILES:
        source = (ROOT / name).read_text(encoding="utf-8")
        faults += _faults(name, [*_messages(sources.nodes(ROOT / name)), *_comments(source)])
    assert not faults, "\n".join(faults)


def test_summaries_of_scenarios_are_plain() -> None:
    faults = [
        f"{name}: {', '.join(quaint(summary))}: {summary}"
        for name, summary in ((name, load(path).summary) for name, path in assets.scenarios().items())
        if quaint(summary)
    ]
    assert not faults, "\n".join(faults)


def test_promises_are_plain() -> None:
    faults = []
    for name in promises():
        declared = promise(name).declared
        text = f"{declared.event}. {declared.says}"
        faults += [f"{name}: {', '.join(quaint(text))}: {text}"] if quaint(text) else []
    assert not faults, "\n".join(faults)


def test_pages_are_plain() -> None:
    faults: list[str] = []
    for path in PAGES:
        name = path.relative_to(ROOT).as_posix()
        if name not in UNREAD:
            lines = prose(path.read_text(encoding="utf-8")).splitlines()
            wrapped = (f"{line} {following}" for line, following in pairwise(lines))
            faults += _faults(name, enumerate(lines, 1)) or _faults(name, enumerate(wrapped, 1))
    assert not faults, "\n".join(faults)


def test_unread_pages_exist() -> None:
    assert set(UNREAD) < {path.relative_to(ROOT).as_posix() for path in PAGES}


def test_code_in_a_page_is_not_prose() -> None:
    text = "one `anew`\n```\nanew\n```\n    anew\ntwo\n"
    assert quaint(prose(text)) == []
    assert prose(text).splitlines()[-1] == "two", "lines keep their numbers"


@pytest.mark.parametrize("text", OLD)
def test_an_old_message_would_be_found(text: str) -> None:
    assert quaint(text)


def test_both_kinds_of_text_are_read() -> None:
    source = '"""Module."""\ndef f():\n    raise SpecError(f"{x} one", next_step="two")\n'
    assert [text for _, text in _messages(ast.walk(ast.parse(source)))] == ["Module.", " one", "two"]
    assert len(FILES) > 200
