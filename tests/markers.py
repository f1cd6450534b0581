"""The markers by which the Makefile chooses tests: each carries its reason, and `xen_smoke` the topology of its run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

REASONED = ("nightly", "xen_smoke", "galera")
SMOKE = ("five",)
"""The topologies that `make test-xen` runs; 'make nightly' runs others, whole."""


def check(items: Iterable[pytest.Item]) -> None:
    """Refuses a marker without a reason, and one of Xen whose topology no run has.

    Raises:
        pytest.UsageError: names every such test.
    """
    wrong = {
        f"{item.nodeid}: {mark.name} {problem}"
        for item in items
        for mark in item.iter_markers()
        if mark.name in REASONED and (problem := _problem(mark))
    }
    if wrong:
        raise pytest.UsageError(*sorted(wrong))


def _problem(mark: pytest.Mark) -> str:
    reason = mark.args[0] if len(mark.args) == 1 else None
    if not isinstance(reason, str) or not reason.strip():
        return "needs a reason, e.g. @pytest.mark.nightly('takes ten minutes: ...')"
    if mark.name == "xen_smoke" and mark.kwargs.get("topology") not in SMOKE:
        return f"needs the topology of its run, one of {', '.join(SMOKE)}"
    return ""
