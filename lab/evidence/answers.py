"""What a check makes of a text that a node answers: causes, each with a reason, and the sentences for a person."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pydantic import Field

from lab.evidence.outcomes import CheckInput, green, red
from lab.models import Model

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.evidence.outcomes import CheckOutcome

FIGURE_LENGTH = 120


class Cause(Model):
    """One of several causes of a red answer.

    Attributes:
        prints: a regular expression that the answer contains.
        reason: the word for it, for hints.
        says: what it means, as a sentence; `{figure}` and the named groups of `prints` are filled in.
    """

    prints: str
    reason: str
    says: str


class AnswerInput(CheckInput):
    """The base of a check of what is answered.

    Attributes:
        prints: a regular expression that the answer contains.
        reason: the word for a failure that none of `causes` explains.
        causes: the first one whose `prints` is found gives the reason and the sentence of a red answer.
        good: what a green answer means; `{figure}` and the named groups of `prints` are filled in.
        wants: what the lesson asks for, in words; a red answer without a cause ends with it.
    """

    prints: str = Field("", description="a regular expression that its output contains")
    lacks: str = Field("", description="one that its output does not contain")
    says: str = Field("", description="what a failure means, as a sentence")
    reason: str = ""
    causes: list[Cause] = Field([], description="what may be wrong, in order")
    good: str = Field("", description="what was seen where it is green, as a sentence")
    wants: str = Field("", description="what is expected, in words")

    @property
    def own_reasons(self) -> tuple[str, ...]:
        """Its reason, and those of its causes."""
        return tuple(dict.fromkeys((self.reason, *(cause.reason for cause in self.causes))))

    def refused(self, default: str, output: str, figure: str, reason: str = "") -> CheckOutcome:
        """The red answer to a text: of its cause, else of `reason`, else of the check's own reason."""
        for cause in self.causes:
            if match := re.search(cause.prints, output, re.MULTILINE):
                shown = figure if "{figure}" in cause.says else ""
                return red(cause.reason, sentence(cause.says, figure, match.groupdict()), shown)
        says = sentence(self.says, figure) if self.says and not reason else default
        ending = f"; the lesson asks for {self.wants}" if self.wants and not reason else ""
        return red(reason or self.reason, says + ending, figure)

    def passed(self, default: str, output: str, figure: str) -> CheckOutcome:
        """The green answer to a text."""
        if not self.good:
            return green(default, figure)
        match = re.search(self.prints, output, re.MULTILINE) if self.prints else None
        shown = figure if "{figure}" in self.good else ""
        return green(sentence(self.good, figure, match.groupdict() if match else {}), shown)


def sentence(template: str, figure: str, groups: Mapping[str, str | None] | None = None) -> str:
    """A sentence with the figure and the named groups filled in."""
    for name, value in {"figure": figure, **(groups or {})}.items():
        template = template.replace(f"{{{name}}}", (value or "").strip())
    return template
