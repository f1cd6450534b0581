"""What `make bench mysql` measures first, for a second: the bench itself is run rarely."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from bench.mysql import transactions

if TYPE_CHECKING:
    from lab.testing import LabCluster

pytestmark = pytest.mark.smaller("three databases and a balancer are all it needs", topology="stage6")


@pytest.mark.nightly("twenty seconds of load for a section of 'make bench'")
def test_sysbench_makes_transactions_through_the_vip_by_tls(cluster: LabCluster) -> None:
    ((rate, percentile),) = transactions(cluster, 1, seconds=1)
    if math.isnan(rate):
        pytest.skip("this family has no sysbench")
    assert rate > 0
    assert percentile > 0
