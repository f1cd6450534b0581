"""All kinds of faults, and their construction from JSON values."""

from __future__ import annotations

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
from lab.hints import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.faults.fault import Fault

KINDS: dict[str, type[Fault]] = {
    kind.kind: kind for kind in (Kill, Stop, Pause, Restart, Cut, Slow, Fill, SkewedClock, Freeze, Hang, Crash)
}


def kind(name: str) -> type[Fault]:
    """The class of a kind.

    Raises:
        SpecError: an unknown kind; the next step names the nearest.
    """
    if name in KINDS:
        return KINDS[name]
    raise SpecError(f"there is no kind of fault '{name}'", next_step=nearest(name, KINDS, "kinds"))


def fault(values: Mapping[str, Any]) -> Fault:
    """A fault from JSON values, as `Fault.as_dict` returns them.

    Raises:
        SpecError: unknown kind or setting.
    """
    chosen = kind(str(values.get("kind")))
    settings = {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items() if key != "kind"
    }
    known = [field.name for field in fields(chosen)]
    unknown = sorted(settings.keys() - set(known))
    if unknown:
        raise SpecError(f"'{chosen.kind}' has no setting '{unknown[0]}'", next_step=f"settings: {', '.join(known)}")
    return chosen(**settings)
