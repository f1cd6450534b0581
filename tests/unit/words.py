"""Words and phrases that no screen, error message, docstring or page has: docs/glossary.md has the plain ones."""

from __future__ import annotations

import re

BANNED = (
    r"unsaid", r"unless said", r"anew", r"whatever", r"whoever", r"whomever", r"way round", r"half-way", r"bites?",
    r"whole again", r"(made|make|makes|becomes?) whole", r"taken? back", r"takes back", r"is not there",
    r"(is|are) there already", r"what is there", r"nobody foresaw", r"by chance", r"c[ao]me about",
    r"(is|are) on already", r"half (done|made)", r"(stood|stands?) still", r"just now", r"takes writes already",
    r"nobody", r"anybody", r"somebody", r"makes one", r"is no path", r"forgives", r"be had", r"what asks",
    r"what became", r"faults? are on", r"something is not well", r"be it",
)  # fmt: skip
ANY = re.compile(rf"\b({'|'.join(BANNED)})\b")


def quaint(text: str) -> list[str]:
    """The banned phrases of a text."""
    words = " ".join(re.sub(r"[^a-z' -]", " ", text.lower()).split())
    return [phrase for phrase in BANNED if re.search(rf"\b{phrase}\b", words)] if ANY.search(words) else []


def prose(page: str) -> str:
    """A Markdown page without its code: spans, fenced blocks and indented blocks; with the same lines."""
    fenced, lines = False, []
    for line in page.splitlines():
        fence = line.lstrip().startswith("```")
        lines.append("" if fenced or fence or line.startswith("    ") else re.sub(r"`[^`]*`", "", line))
        fenced = fenced != fence
    return "\n".join(lines)
