"""Scenarios: a cluster, load, scheduled faults, and the promises to verify."""

from lab.chaos.run import Own, Stage, run
from lab.chaos.scenario import Scenario, find, load
from lab.chaos.schedule import Planned, schedule

__all__ = ["Own", "Planned", "Scenario", "Stage", "find", "load", "run", "schedule"]
