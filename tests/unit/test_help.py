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


@pytest.mark.parametrize("of", TEXTS)
def test_a_help_text_is_plain(of: str) -> None:
    text = TEXTS[of]
    assert text, "each verb and option says what it does"
    assert text.endswith("."), text
    assert text[0].isupper() or text[0] in "-/1", text
    first = text.partition("\n")[0]
    assert len(first) <= LONGEST, first
    assert quaint(text) == []


def test_a_quaint_one_would_be_found() -> None:
    assert quaint("unsaid: all") == ["unsaid"]
    assert len(TEXTS) > 200
