"""The table of a daemon: its directives, the version that brought each, and where that is written.

```yaml
- brought: "2.4"          # or earlier: the source shows that this version has it
  source: doc/configuration.txt, tag v2.4.0
  names: [maxconn, "timeout check"]
- brought: "3.9"
  backported: ["3.5.24"]  # this release of an older branch, and those after it, have it too
  removed: "4.0"          # if one did
  source: …
  names: [smtpd_forbid_bare_newline]
```

`name=value` is a value of a directive that came on its own: where a table has one of a directive, it has all of them.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, TypeAdapter

from lab import yamls

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lab.recipes.family import Version
    from tests.unit.directives.use import Use

FOLDER = Path(__file__).parent


class Fact(BaseModel):
    """Directives of which the same is known."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    brought: str
    backported: list[str] = []
    removed: str = ""
    source: str
    names: list[str]

    def reaches(self, version: str) -> bool:
        """Whether a version has them, as far as it matters when they came."""
        branch = number(version)[:2]
        return any(
            number(release) <= number(version)
            for release in (self.brought, *self.backported)
            if release == self.brought or number(release)[:2] == branch
        )


@cache
def table(daemon: str) -> dict[str, Fact]:
    """What is known of each directive of a daemon.

    Raises:
        ValueError: a directive is named twice.
    """
    path = FOLDER / f"{daemon}.yaml"
    facts = TypeAdapter(list[Fact]).validate_python(yamls.read(path.read_text(encoding="utf-8")))
    known: dict[str, Fact] = {}
    for fact in facts:
        for name in fact.names:
            if name in known:
                raise ValueError(f"{path.name} names {name!r} twice")
            known[name] = fact
    return known


def wrong(uses: Iterable[Use], known: dict[str, Fact], has: Version) -> Iterator[tuple[int, str]]:
    """The line and the reason of each use that not all versions of a family would take."""
    valued = {name.partition("=")[0] for name in known if "=" in name}
    for use in uses:
        names = [use.name] + [f"{use.name}={value}" for value in use.values if use.name in valued]
        for name in names:
            fact = known.get(name)
            oldest, newest = (max(one, use.since, key=number) for one in (has.oldest, has.newest))
            if fact is None:
                yield use.line, f"'{name}' is not in the table"
            elif missing := next((one for one in (oldest, newest) if not fact.reaches(one)), None):
                yield use.line, f"'{name}' came with {fact.brought}, and {missing} has to read it"
            elif fact.removed and number(fact.removed) <= number(has.newest):
                yield use.line, f"'{name}' went with {fact.removed}, and {has.newest} has to read it"


def number(version: str) -> tuple[int, ...]:
    """A version as it is compared: `9.2p1` is 9, 2, 1."""
    return tuple(map(int, re.findall(r"\d+", version)))
