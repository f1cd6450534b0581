"""The user of an image by number, with group, other groups and home, as engines find them in the image's own files."""

from __future__ import annotations

from dataclasses import dataclass

from lab.errors import SpecError


@dataclass(frozen=True)
class Person:
    """A user by number.

    Attributes:
        groups: other groups.
    """

    user: int = 0
    group: int = 0
    groups: tuple[int, ...] = ()
    home: str = "/"


ROOT = Person()


def person(user: str, passwd: str, group: str) -> Person:
    """The user that an image's `USER` means.

    Args:
        user: `USER`, such as `shop`, `1000` or `shop:users`; empty for root.
        passwd: the text of the image's /etc/passwd; empty where it has none.
        group: that of its /etc/group.

    Raises:
        SpecError: it names a user or a group that the image does not have.
    """
    who, _, which = user.partition(":")
    who = who or "0"
    people = [words for line in passwd.splitlines() if len(words := line.split(":")) > 5 and _numbers(words[2:4])]  # noqa: PLR2004
    rows = [words for line in group.splitlines() if len(words := line.split(":")) > 3 and _numbers(words[2:3])]  # noqa: PLR2004
    entry = next((words for words in people if who in (words[0], words[2])), None)
    if entry is None and not _numbers([who]):
        raise SpecError(
            f"the image's user '{who}' is not in its /etc/passwd",
            next_step="write USER with a number in its Dockerfile",
        )
    number = int(entry[2]) if entry else int(who)
    home = (entry[5] if entry else "") or "/"
    if not which:
        others = tuple(int(words[2]) for words in rows if entry and entry[0] in words[3].split(","))
        return Person(number, int(entry[3]) if entry else 0, others, home)
    row = next((words for words in rows if which in (words[0], words[2])), None)
    if row is None and not _numbers([which]):
        raise SpecError(
            f"the image's group '{which}' is not in its /etc/group",
            next_step="write USER with numbers in its Dockerfile",
        )
    return Person(number, int(row[2]) if row else int(which), (), home)


def _numbers(words: list[str]) -> bool:
    return all(word.isascii() and word.isdecimal() and int(word) < 1 << 32 for word in words)
