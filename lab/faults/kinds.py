"""All kinds of faults, and the way from plain values to one of them."""

from __future__ import annotations

import difflib
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from lab.errors import SpecError
from lab.faults.clock import SkewedClock
from lab.faults.cut import Cut
from lab.faults.fill import Fill
from lab.faults.freeze import Freeze
from lab.faults.power import Kill, Pause, Restart, Stop
from lab.faults.process import Crash, Hang
from lab.faults.slow import Slow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.faults.fault import Fault

KINDS: dict[str, type[Fault]] = {
    kind.kind: kind for kind in (Kill, Stop, Pause, Restart, Cut, Slow, Fill, SkewedClock, Freeze, Hang, Crash)
}


def kind(name: str) -> type[Fault]:
    """The class of a kind.

    Raises:
        SpecError: there is none of that name; names the nearest.
    """
    if name in KINDS:
        return KINDS[name]
    near = difflib.get_close_matches(name, KINDS, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(KINDS)}"
    raise SpecError(f"there is no fault '{name}'", next_step=hint)


def fault(told: Mapping[str, Any]) -> Fault:
    """A fault from plain values, as `Fault.told` gives them.

    Raises:
        SpecError: unknown kind or setting.
    """
    made = kind(str(told.get("kind")))
    settings = {key: tuple(value) if isinstance(value, list) else value for key, value in told.items() if key != "kind"}
    known = [field.name for field in fields(made)]
    unknown = sorted(settings.keys() - set(known))
    if unknown:
        raise SpecError(f"'{made.kind}' has no setting '{unknown[0]}'", next_step=f"it has: {', '.join(known)}")
    return made(**settings)
