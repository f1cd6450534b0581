"""What `lab learn` prints of a lesson: its texts, the answers of checks, and what comes next; as wide as a page."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from lab.cli.naming import named

if TYPE_CHECKING:
    from rich.console import Console

    from lab.evidence.outcomes import CheckOutcome
    from lab.learning.attempt import Attempt, Compared
    from lab.learning.lesson import Task

PAGE_WIDTH = 80


def answer(attempt: Attempt, task: Task, outcome: CheckOutcome) -> None:
    """Prints the answer of a check, with the hint for its reason where that is due."""
    from rich.text import Text

    ids = [one.id for one in attempt.lesson.data.tasks]
    style = {"green": "green bold", "red": "red bold"}.get(outcome.colour, "yellow bold")
    heading = f"task {ids.index(task.id) + 1} of {len(ids)}, {task.title}: "
    _console().print(Text.assemble(heading, (outcome.colour.value, style)))
    paragraph(outcome.says)
    for name in ("figure", "formula"):
        if (text := getattr(outcome, name)) and text not in outcome.says:
            paragraph(f"{name}: {text}")
    if not outcome.green:
        reason = attempt.shown_reason(task)
        again = outcome.colour == "unknown"
        other = "'lab learn check' makes the check again" if again else "'lab learn hint' shows where to look"
        paragraph(f"hint: {reason}" if reason else other)


def compared(file: Compared) -> None:
    """Prints a file of the person's beside the lab's own."""
    print(file.diff or f"{file.path} on {file.node} is the same as the lab's")
    for line in file.demanded:
        print(f"no difference, as the lesson asks for it: {line}")
    if file.mine:
        print(f"{file.path} on {file.node}, as it was before the solution, is kept as {file.mine}")


def all_green(attempt: Attempt) -> str:
    """What is said where no task is open: all are green, or some are not any more."""
    others = [task.id for task in attempt.not_green]
    if not others:
        return (
            f"all tasks of {attempt.lesson.name} are green; 'lab learn check TASK' checks one again,"
            " 'lab learn read' shows what comes next"
        )
    return (
        f"all tasks of {attempt.lesson.name} were green; by the last check not any more: {', '.join(others)};"
        f" 'lab learn check {others[0]}' checks it again"
    )


def following(attempt: Attempt) -> None:
    """Prints the text of the first open task; after the last one what was learnt, and what comes next."""
    from lab.learning.ending import ending

    task = attempt.next
    if task:
        section(attempt, task.id)
        paragraph("'lab learn check' checks it, 'lab learn hint' helps.")
        return
    for name in ("learnt", "real-sites", "questions"):
        section(attempt, name)
    paragraph("'lab learn read questions --answers' shows the answers.")
    paragraph(ending(attempt.lesson))


def section(attempt: Attempt, name: str, *, answers: bool = False) -> None:
    """Prints a section of the text, or `intro`."""
    from rich.markdown import Markdown

    from lab.learning.text import folded

    _console().print(Markdown(folded(named(attempt.text(name)), answers=answers)))
    print()


def paragraph(text: str) -> None:
    """A paragraph, indented, in the width of the page."""
    from rich.markdown import Markdown
    from rich.padding import Padding

    _console().print(Padding(Markdown(named(text)), (0, 0, 0, 2)))


def _console() -> Console:
    """Standard output, at most as wide as a page."""
    from rich.console import Console

    width = Console().width if sys.stdout.isatty() else PAGE_WIDTH
    return Console(width=min(width, PAGE_WIDTH), highlight=False)
