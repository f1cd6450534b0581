"""What is said of this node's bricks: one line that `ready` reads, and the figures that `lab volume status` shows."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

SAID = Path("/run/lab/volumes")


@dataclass(frozen=True)
class Figures:
    """Of one volume: whether its brick runs here, how many entries wait to be healed, the paths that never will be."""

    brick: bool
    heal: int
    unlike: list[str]


def worry(name: str, figures: Figures) -> str:
    """What is to be said of a volume's entries that wait; empty where none does."""
    if not figures.heal:
        return ""
    text = f"{name}: {figures.heal} entries to heal"
    if not figures.unlike:
        return text
    first, *more = figures.unlike
    others = f" and {len(more)} more" if more else ""
    return f"{text}, and no copy of {first}{others} is known to be right ('lab volume mend {name}' lists and mends)"


def tell(missing: str, figures: dict[str, Figures]) -> None:
    """Whole or not at all: what is read elsewhere without a lock."""
    data = {name: asdict(one) for name, one in figures.items()}
    for path, text in ((SAID, missing), (SAID.with_suffix(".json"), json.dumps(data))):
        draft = path.with_name(f".{path.name}")
        draft.write_text(text + "\n")
        draft.replace(path)
