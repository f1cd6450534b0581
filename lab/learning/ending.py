"""What comes after a lesson: the next one, and what removes this one's cluster; what each keeps of the progress."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.learning.library import next_number

if TYPE_CHECKING:
    from lab.learning.library import Lesson

TITLE = "What comes next"
REMOVALS = (
    "'lab learn reset' removes this cluster and the progress of this lesson; that of other lessons is kept.",
    "'lab down --volumes' removes this cluster and the progress of all lessons on it.",
)


def ending(lesson: Lesson) -> str:
    """A Markdown list, a sentence for each command."""
    number = next_number(lesson.number)
    following = (
        "This is the last lesson."
        if number is None
        else f"'lab learn start {number}' begins the next lesson: it removes this cluster, and keeps all progress."
    )
    return "\n".join(f"* {line}" for line in (following, *REMOVALS))
