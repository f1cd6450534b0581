"""Whether this Python reads the lab's programs, which are the same in all families: part of the trial of an image."""

from __future__ import annotations

import ast
from pathlib import Path

PROGRAMS = Path("/usr/lib/lab")


def main() -> None:
    """Parses them all.

    Raises:
        SyntaxError: one can't be.
    """
    for path in sorted(PROGRAMS.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            if path.suffix == ".py" or content.startswith(b"#!/usr/bin/python3"):
                ast.parse(content, str(path))


if __name__ == "__main__":
    main()
