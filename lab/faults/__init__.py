"""Faults: each is verified and always reverted, by the backend protocol alone."""

from lab.faults.clock import SkewedClock
from lab.faults.cut import Cut
from lab.faults.fault import Fault, ProbeResult
from lab.faults.fill import Fill
from lab.faults.freeze import Freeze
from lab.faults.injection import Injected, heal, inject, present
from lab.faults.kinds import KINDS, fault
from lab.faults.power import Kill, Pause, Restart, Stop
from lab.faults.process import Crash, Hang
from lab.faults.slow import Slow
from lab.faults.targets import targets

__all__ = [
    "KINDS",
    "Crash",
    "Cut",
    "Fault",
    "Fill",
    "Freeze",
    "Hang",
    "Injected",
    "Kill",
    "Pause",
    "ProbeResult",
    "Restart",
    "SkewedClock",
    "Slow",
    "Stop",
    "fault",
    "heal",
    "inject",
    "present",
    "targets",
]  # fmt: skip
