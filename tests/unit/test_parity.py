"""The table that compares backends: a test that stalls hid is neither held nor merely skipped."""

from __future__ import annotations

from lab.testing.parity import UNKNOWN, markdown


def test_a_promise_that_stalls_hid_is_unknown() -> None:
    table = {"test_balancers.py::test_the_vip_moves": {"docker": "passed", "xen": f"skipped: {UNKNOWN}'vip-moves'"}}
    assert "| the vip moves | holds | unknown (1) |" in markdown(table)
    assert f"1. {UNKNOWN}'vip-moves'" in markdown(table)
