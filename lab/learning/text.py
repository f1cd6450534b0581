"""The text of a lesson: an introduction, a section for each task, and what comes after them; in Markdown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADING = re.compile(r"^## +(?P<title>.+?) *\{#(?P<id>[a-z0-9-]+)\} *$", re.MULTILINE)
AFTER = ("learnt", "real-sites", "questions")
"""The ids of the sections behind the tasks."""

FOLDED = re.compile(r"<details>\s*<summary>(.*?)</summary>(.*?)</details>", re.DOTALL)


@dataclass(frozen=True)
class TextSection:
    """One section; `body` is Markdown without the heading."""

    title: str
    body: str


@dataclass(frozen=True)
class LessonText:
    """A whole text.

    Attributes:
        intro: all above the first section, the title included.
        sections: by id, in order.
    """

    intro: str
    sections: Mapping[str, TextSection]

    @classmethod
    def read(cls, text: str, where: str) -> LessonText:
        """The text of `lesson.md`.

        Raises:
            SpecError: a section is missing or there twice.
        """
        headings = list(HEADING.finditer(text))
        ends = [match.start() for match in headings[1:]] + [len(text)]
        sections: dict[str, TextSection] = {}
        for match, end in zip(headings, ends, strict=False):
            if match["id"] in sections:
                raise SpecError(f"two sections have the id '{match['id']}'", where=where)
            sections[match["id"]] = TextSection(match["title"], text[match.end() : end].strip())
        for name in AFTER:
            if name not in sections:
                raise SpecError(
                    f"the section '{name}' is missing", where=where, next_step=f"add '## ... {{#{name}}}' at the end"
                )
        return cls(text[: headings[0].start()].strip(), sections)


def folded(markdown: str, *, answers: bool = False) -> str:
    """Markdown for a terminal, which can't fold: each question, and its answer where `answers` is set."""

    def one(match: re.Match[str]) -> str:
        return f"**{match[1].strip()}**\n{match[2] if answers else ''}"

    return FOLDED.sub(one, markdown)
