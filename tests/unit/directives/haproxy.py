"""haproxy.cfg: keywords, their options, and the samples, converters and variables in conditions and formats."""

from __future__ import annotations

import re
import shlex
from itertools import pairwise
from typing import TYPE_CHECKING

from tests.unit.directives.use import Use, lines

if TYPE_CHECKING:
    from collections.abc import Iterator

SECTIONS = ("global", "defaults", "frontend", "listen", "backend", "userlist")

LONG = {
    "http-after-response": 2, "http-check": 2, "http-request": 2, "http-response": 2, "no": 2, "option": 2, "stats": 2,
    "tcp-check": 2, "tcp-request": 3, "timeout": 2,
}  # fmt: skip
"""How many words of a line are its keyword, where it is more than one."""

POSITIONS = {
    "acl": 1, "balance": 0, "bind": 1, "cookie": 1, "default-server": 0, "global log": 1, "global stats socket": 1,
    "http-check expect": 0, "http-check send": 0, "http-request auth": 0, "http-request redirect": 0,
    "http-request return": 0, "http-request set-timeout": 0, "http-request use-service": 0,
    "http-request wait-for-body": 0, "mode": 0, "retry-on": 0, "server": 2, "source": 1, "stats http-request": 0,
    "stick-table": 0, "tcp-check connect": 0, "tcp-check expect": 0, "tcp-request connection expect-proxy": 0,
    "userlist user": 1,
}  # fmt: skip
"""How many words are between a keyword and its options, for the keywords that have options."""

FLAGS = {
    "balance": None, "bind ssl": 0, "cookie": None, "default-server check": 0, "default-server send-proxy-v2": 0,
    "http-check send hdr": 2, "http-request use-service": None, "mode": None, "retry-on": None, "server check": 0,
    "server send-proxy": 0, "stats http-request auth": 0, "tcp-check connect send-proxy": 0,
    "tcp-request connection expect-proxy layer4": 0,
}  # fmt: skip
"""How many values an option has, where it is not one. None: all that follows the keyword is options without any."""

SAMPLED = {"http-request set-var": 0, "tcp-request session track-sc0": 0, "acl": 1}
"""Where a sample stands as it is: after so many words."""


def uses(text: str) -> Iterator[Use]:
    """All that a HAProxy has to know to read the file; `.if version_atleast(…)` is heeded."""
    section, since = "", ""
    for number, line in lines(text):
        tokens = shlex.split(line, comments=True)
        if tokens[0] == ".if":
            yield Use(f".if {tokens[1].partition('(')[0]}", number)
            since = tokens[1].partition("(")[2].rstrip(")")
        elif tokens[0] == ".endif":
            yield Use(".endif", number)
            since = ""
        else:
            section = tokens[0] if tokens[0] in SECTIONS else section
            yield from (Use(name, number, since=since) for name in _names(section, tokens))


def _names(section: str, tokens: list[str]) -> Iterator[str]:
    if tokens[0] in SECTIONS:
        yield tokens[0]
        return
    length = LONG.get(tokens[0], 1)
    keyword = " ".join(token.partition("(")[0] for token in tokens[:length])
    if section in ("global", "userlist"):
        keyword = f"{section} {keyword}"
    yield keyword
    rest, condition = _split(tokens[length:])
    if keyword in POSITIONS and keyword not in SAMPLED:
        yield from _options(keyword, rest[POSITIONS[keyword] :])
    if keyword in SAMPLED:
        yield from _sample(rest[SAMPLED[keyword] :])
    for token in rest:
        yield from _format(token)
    yield from _anonymous(condition)


def _split(tokens: list[str]) -> tuple[list[str], list[str]]:
    """What stands before `if` or `unless`, and the condition."""
    for place, token in enumerate(tokens):
        if token in ("if", "unless"):
            return tokens[:place], tokens[place + 1 :]
    return tokens, []


def _options(keyword: str, tokens: list[str]) -> Iterator[str]:
    place = 0
    while place < len(tokens):
        option = f"{keyword} {tokens[place]}"
        yield option
        values = 0 if FLAGS.get(keyword, 1) is None else FLAGS.get(option, 1)
        place += 1 + (values or 0)


def _sample(tokens: list[str]) -> Iterator[str]:
    """A fetch and its converters, such as `req.hdr(host),field(1,:),lower`, and the flags of the match behind it."""
    fetch, *converters = re.sub(r"\([^()]*\)", "", tokens[0]).split(",")
    yield f"fetch {fetch}"
    yield from (f"converter {converter}" for converter in converters)
    yield from (f"match {value}" for flag, value in pairwise(tokens) if flag == "-m")
    yield from (f"comparison {word}" for word in tokens[1:2] if word in ("eq", "ge", "gt", "le", "lt"))


def _format(token: str) -> Iterator[str]:
    for inner in re.findall(r"%\[([^\]]*)\]", token):
        yield from _sample([inner])
    yield from (f"variable %{name}" for name in re.findall(r"%(?:\{\+\w\})?([A-Za-z]+)", token))


def _anonymous(tokens: list[str]) -> Iterator[str]:
    while tokens:
        first, *tokens = tokens
        if first in ("{", "!{"):
            end = tokens.index("}")
            yield from _sample(tokens[:end])
            tokens = tokens[end + 1 :]
