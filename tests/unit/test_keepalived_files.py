"""What keepalived is told, by how many balancers there are."""

from __future__ import annotations

import pytest

from lab.plan import plan
from lab.topology import parse


@pytest.mark.parametrize(("count", "peers"), [(1, 0), (2, 1), (3, 2)])
def test_a_balancer_names_its_peers_and_no_empty_list(count: int, peers: int) -> None:
    """An empty one is refused by `keepalived --config-test`, which is asked before a reload."""
    made = plan(
        parse(f"network: 10.90.0.0/24\nweb: {{count: 1}}\nhttp-lb: {{count: 1}}\ntcp-lb: {{count: {count}}}\n"),
        "debian",
    )
    (told,) = [file.masked for file in made.node("tcp-lb1").files if file.path.endswith("keepalived.conf")]
    listed = told.partition("unicast_peer {")[2].partition("}")[0].split()
    assert len(listed) == peers
    assert ("unicast" in told) == (peers > 0)
