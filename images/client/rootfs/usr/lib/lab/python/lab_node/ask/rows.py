"""What is written down: a row an answer."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass

MICROSECONDS = 1_000_000


@dataclass
class Answer:
    """Of one question. `due`: when it was to be asked; `took`: seconds from then on; `status`: 0 for no answer."""

    stream: int
    number: int
    due: float
    took: float
    status: int
    value: str
    error: str


@functools.lru_cache(maxsize=1000)
def quoted(text: str) -> str:
    """A text in JSON; most are the same few."""
    return json.dumps(text)


def row(answer: Answer, begun: float) -> str:
    """Its line; `begun`: the moment from which times are counted."""
    due, took = round((answer.due - begun) * MICROSECONDS), round(answer.took * MICROSECONDS)
    numbers = f"{answer.stream},{answer.number},{due},{took},{answer.status}"
    return f"[{numbers},{quoted(answer.value)},{quoted(answer.error)}]\n"


def stall(due: float, over: float, begun: float) -> str:
    """The line of a stall: a thread that was to wake at `due` was woken so many seconds later."""
    return f"[{int((due - begun) * MICROSECONDS)},{int(over * MICROSECONDS)}]\n"
