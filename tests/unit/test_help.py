"""Help texts: each verb and option has one, in the glossary's words, and none is quaint."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.command import verbs
from tests.unit.words import quaint

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST = 130


def _all(command: object, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    yield " ".join(path), getattr(command, "help", None) or ""
    for parameter in getattr(command, "params", []):
        text = getattr(parameter, "help", None)
        if parameter.name not in ("install_completion", "show_completion"):
            yield f"{' '.join(path)} {parameter.name}", text or ""
    for name, inner in getattr(command, "commands", {}).items():
        yield from _all(inner, (*path, name))


TEXTS = dict(_all(verbs(), ("lab",)))


def _faults(text: str) -> Iterator[str]:
    """What is wrong with a help text."""
    if not text:
        yield "it says nothing of what it does"
        return
    if not text.endswith("."):
        yield f"no full stop at its end: {text}"
    if not (text[0].isupper() or text[0] in "-/1"):
        yield f"no capital letter at its beginning: {text}"
    first = text.partition("\n")[0]
    if len(first) > LONGEST:
        yield f"its first line has {len(first)} characters, more than {LONGEST}: {first}"
    yield from (f"'{phrase}' is not plain: {text}" for phrase in quaint(text))


def test_help_texts_are_plain() -> None:
    faults = [f"{of}: {fault}" for of, text in TEXTS.items() for fault in _faults(text)]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "says nothing"),
        ("Ends a node", "no full stop"),
        ("ends a node.", "no capital letter"),
        (f"Ends {'a' * LONGEST}.\nMore.", "more than 130"),
        ("Makes it anew.", "'anew' is not plain"),
    ],
)
def test_a_text_with_a_fault_is_named(text: str, fault: str) -> None:
    (found,) = _faults(text)
    assert fault in found


def test_a_quaint_one_would_be_found() -> None:
    assert quaint("unsaid: all") == ["unsaid"]
    assert len(TEXTS) > 200
