"""Durations, rates and shares as people write them."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator

from lab.errors import SpecError

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
_BITS = {"bit": 1, "kbit": 1000, "mbit": 1_000_000, "gbit": 1_000_000_000}
_NUMBER = re.compile(r"(-?\d+(?:\.\d+)?)\s*([a-z%]*)", re.IGNORECASE)


def seconds(text: str | float) -> float:
    """A duration such as `100ms`, `5s`, `2m` or a bare number of seconds.

    Raises:
        SpecError: it is none.
    """
    return _times(text, _SECONDS, "a duration is written 100ms, 5s, 2m or 1h")


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


def _times(text: str | float, units: dict[str, Any], how: str) -> float:
    found = _NUMBER.fullmatch(str(text).strip())
    factor = units.get(found[2].lower()) if found else None
    if found is None or factor is None:
        raise SpecError(f"'{text}' can't be read", next_step=how)
    return float(found[1]) * float(factor)


def _as_value_error(text: Any) -> float:  # noqa: ANN401  whatever stands in a file
    try:
        return seconds(text)
    except SpecError as error:
        raise ValueError(f"{error.what}; {error.next_step}") from None


Duration = Annotated[float, BeforeValidator(_as_value_error)]
"""Seconds in a model, written as a duration."""
