"""What the daemons of the nodes print, in plain words; and the requests that balancers log."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Words = Callable[[str, re.Match[str]], str]

REASONS = {
    "Layer4 timeout": "no answer",
    "Layer4 connection problem": "connection refused",
    "Layer7 timeout": "connected, but no answer",
    "Layer7 wrong status": "it answered that it is not ready",
    "Layer6 timeout": "no answer to TLS",
    "Layer7 invalid response": "a broken answer",
}


def _reason(text: str) -> str:
    return next((words for key, words in REASONS.items() if text.startswith(key)), text)


def _down(node: str, match: re.Match[str]) -> str:
    return f"{node} took {match['server']} out: {_reason(match['why'])}"


def _failed(node: str, match: re.Match[str]) -> str:
    return f"{node}: check of {match['server']} failed ({match['count']}): {_reason(match['why'])}"


RULES: tuple[tuple[re.Pattern[str], Words], ...] = (
    (re.compile(r"Server \S+/(?P<server>\S+) is (?:DOWN|going DOWN).*?reason: (?P<why>[^,]+)"), _down),
    (re.compile(r"Server \S+/(?P<server>\S+) is DOWN via"), lambda node, m: f"{node} took {m['server']} out"),
    (re.compile(r"Server \S+/(?P<server>\S+) is UP"), lambda node, m: f"{node} put {m['server']} back"),
    (
        re.compile(
            r"Health check for server \S+/(?P<server>\S+) failed, reason: (?P<why>[^,]+).*?status: (?P<count>\S+) UP"
        ),
        _failed,
    ),
    (
        re.compile(r"(?:backend|proxy) '?(?P<pool>[^\s']+)'? has no server"),
        lambda node, m: f"{node}: no server left in {m['pool']}",
    ),
    (re.compile(r"Entering MASTER STATE"), lambda node, _: f"{node} took the VIP"),
    (re.compile(r"Entering BACKUP STATE"), lambda node, _: f"{node} is a standby for the VIP"),
    (re.compile(r"Entering FAULT STATE"), lambda node, _: f"{node} can't hold the VIP"),
    (
        re.compile(r"epoch (?P<epoch>\d+): elected by (?P<who>[^,]+(?:, \S+)*?), at"),
        lambda node, m: f"{node} was elected the primary by {m['who']}",
    ),
    (re.compile(r"\bprimary of epoch (?P<epoch>\d+)"), lambda node, _: f"{node} is the primary"),
    (re.compile(r"\breplica of epoch (?P<epoch>\d+)"), lambda node, _: f"{node} replicates from the primary"),
    (re.compile(r"cloning (?P<donor>[\w-]+)"), lambda node, m: f"{node} copies the data of {m['donor']}"),
    (
        re.compile(r"client-rpc-fops|client_ping_timer_expired|server (?P<where>\S+) has not responded"),
        lambda node, _: f"{node}: a storage node does not answer",
    ),
    (re.compile(r"INFO (?:exited|gave up): (?P<what>[\w-]+)"), lambda node, m: f"{node}: {m['what']} ended"),
    (re.compile(r"WARN exited: (?P<what>[\w-]+)"), lambda node, m: f"{node}: {m['what']} ended unexpectedly"),
    (
        re.compile(r"INFO success: (?P<what>[\w-]+) entered RUNNING"),
        lambda node, m: f"{node}: {m['what']} runs",
    ),
    (re.compile(r"\b(?:emerg|EMERG|FATAL|panic)\b"), lambda node, _: f"{node} reports an error"),
)  # fmt: skip
REQUEST = re.compile(r" site~? (?P<pool>\S+)/(?P<server>\S+) \S+/\S+/\S+/\S+/\S+ (?P<status>\d{3}|-1) ")


def words(node: str, line: str) -> str | None:
    """A line of a node's log in plain words; None for a line that is of no interest here."""
    for pattern, tell in RULES:
        if match := pattern.search(line):
            return tell(node, match)
    return None


def request(line: str) -> str | None:
    """The server that a balancer sent a request to, by its log line; None for any other line."""
    match = REQUEST.search(line)
    return match["server"] if match else None
