"""What to write instead of a word that is not valid."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def nearest(name: str, valid: Iterable[str], otherwise: str = "valid here") -> str:
    """A hint: the nearest valid word; where none is near, all of them behind `otherwise`."""
    words = list(valid)
    near = difflib.get_close_matches(name, words, n=1)
    return f"did you mean '{near[0]}'?" if near else f"{otherwise}: {', '.join(words)}"
