"""A lesson as one static page, beside the picture of its cluster."""

from __future__ import annotations

import html
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

from lab.export.graph import svg
from lab.learning.report import shown, state
from lab.learning.text import AFTER

if TYPE_CHECKING:
    from lab.learning.attempt import Attempt

STYLE = """
body{font:16px/1.55 system-ui,sans-serif;margin:0;color:#222;background:#fff}
main{max-width:46em;margin:0 auto;padding:0 1em 3em}
aside{max-width:46em;margin:0 auto;padding:1em;overflow-x:auto}
aside svg{max-width:100%;height:auto}
pre{background:#f4f4f4;padding:.6em;overflow-x:auto}
code{background:#f4f4f4;overflow-wrap:anywhere}
pre code{overflow-wrap:normal}
table{display:block;overflow-x:auto;border-collapse:collapse}
td,th{border:1px solid #999;padding:.2em .5em;text-align:left}
li.green,li.solved{color:#176639}
li.red{color:#a11}
summary{cursor:pointer;font-weight:600}
@media(min-width:90em){body{display:flex;flex-direction:row-reverse}aside{flex:1;position:sticky;top:0;align-self:flex-start}}
@media print{aside{display:none}details>*{display:block}}
"""

SCROLLED = re.compile(r"<(pre|table)>")
FOCUSABLE = r'<\1 tabindex="0">'
"""What scrolls can be focused: a keyboard scrolls it."""


def page(attempt: Attempt) -> str:
    """The lesson's text, how far it is, and the picture, as one page that needs nothing else.

    Of a repair lesson what is behind the open task comes later.
    """
    lesson, done = attempt.lesson, attempt.progress
    rendered = MarkdownIt("commonmark", {"html": True}).enable("table")
    visible = attempt.visible_tasks(done)
    hidden = {task.id for task in lesson.data.tasks if task not in visible}
    if lesson.data.broken and attempt.next:
        hidden |= set(AFTER)
    parts = [attempt.text("intro"), *(attempt.text(name) for name in lesson.text.sections if name not in hidden)]
    tasks = "".join(
        f'<li class="{state(done.of(task.id))}">{html.escape(title)}: {shown(done.of(task.id))}</li>'
        for number, task in enumerate(lesson.data.tasks, 1)
        for title in [task.title if task in visible else f"Task {number}"]
    )
    title = html.escape(f"Part {lesson.data.part}: {lesson.data.title}")
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style>"
        f'<aside tabindex="0">{svg(attempt.scene.plan)}</aside>'
        f"<main><ol>{tasks}</ol>{SCROLLED.sub(FOCUSABLE, ''.join(map(rendered.render, parts)))}</main></html>"
    )


def written(attempt: Attempt) -> Path:
    """Writes the page into a file of this user, and returns its path."""
    handle, name = tempfile.mkstemp(prefix=f"lab-{attempt.lesson.name}-", suffix=".html")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(page(attempt))
    return Path(name)
