"""Durations, rates and shares as people write them."""

from __future__ import annotations

import contextlib
import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from lab.errors import SpecError

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "": 1.0}
_BITS = {"bit": 1, "kbit": 1000, "mbit": 1_000_000, "gbit": 1_000_000_000}
_NUMBER = re.compile(r"(-?\d+(?:\.\d+)?)\s*([a-z%]*)", re.IGNORECASE)


def seconds(text: str | float) -> float:
    """A duration such as `100ms`, `5s`, `2m` or a bare number of seconds.

    Raises:
        SpecError: it is none.
    """
    return _times(text, _SECONDS, "a duration is written 100ms, 5s, 2m, 1h or 7d")


def bits(text: str | int) -> int:
    """A rate such as `500kbit` or `10mbit`, in bit/s.

    Raises:
        SpecError: it is none.
    """
    return round(_times(text, _BITS, "a rate is written 500kbit, 10mbit or 1gbit"))


def percent(text: str | float) -> float:
    """A share such as `5%`, in percent.

    Raises:
        SpecError: it is none.
    """
    return _times(text, {"%": 1.0, "": 1.0}, "a share is written 5%")


def moment(text: str, now: float) -> float:
    """A moment in Unix seconds, such as `2026-03-01T14:05`, `14:05:30` of the day of `now`, or a bare number.

    A time without a zone is this machine's own.

    Raises:
        SpecError: it is none.
    """
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    today = datetime.fromtimestamp(now).astimezone().date().isoformat()
    for written in (text, f"{today}T{text}"):
        with contextlib.suppress(ValueError):
            return datetime.fromisoformat(written).astimezone().timestamp()
    raise SpecError(f"'{text}' is no moment", next_step="write 2026-03-01T14:05, 14:05:30 (of today), or Unix seconds")


def _times(text: str | float, units: dict[str, Any], how: str) -> float:
    match = _NUMBER.fullmatch(str(text).strip())
    factor = units.get(match[2].lower()) if match else None
    if match is None or factor is None:
        raise SpecError(f"'{text}' can't be read", next_step=how)
    return float(match[1]) * float(factor)


def _as_value_error(text: Any) -> float:  # noqa: ANN401  any value of a file
    try:
        return seconds(text)
    except SpecError as error:
        raise ValueError(f"{error.what}; {error.next_step}") from None


Duration = Annotated[
    float, BeforeValidator(_as_value_error), WithJsonSchema({"type": ["number", "string"], "examples": ["30m"]})
]
"""Seconds in a model, written as a duration."""
