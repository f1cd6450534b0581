"""The `lab` commands that the pages show: those of code blocks, and those of code in the text."""

from __future__ import annotations

import re
import shlex
from itertools import product
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(?:sh)?\n(.*?)^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`(lab [^`]+)`", re.DOTALL)
COMMENT = re.compile(r"(?:^|\s)#.*")
OPTIONAL = re.compile(r"\[.*")


def shown(page: Path) -> list[tuple[str, ...]]:
    """The words of each command in the code blocks of a page, comments left out."""
    lines = [line for block in BLOCK.findall(page.read_text(encoding="utf-8")) for line in block.splitlines()]
    return [tuple(shlex.split(COMMENT.sub("", line)))[1:] for line in lines if line.startswith("lab ")]


def mentioned(page: Path) -> list[tuple[str, ...]]:
    """The words of each command in the text of a page, a command for each of several verbs (`lab a|b`)."""
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    found = []
    for code in CODE.findall(text):
        plain = OPTIONAL.sub("", re.sub(r"\s+", " ", code)).replace("\\|", "|")
        found += list(product(*(word.split("|") for word in re.split(r" [<>&|] ", plain)[0].split()[1:])))
    return found
