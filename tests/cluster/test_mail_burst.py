"""Messages that arrive at once: each is judged by opendkim, which lives on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.topology import Mail
from tests.markers import PEOPLE

if TYPE_CHECKING:
    from lab.testing import LabCluster
pytestmark = pytest.mark.smaller("one node of each role that people use is all it needs", topology=PEOPLE)

AT_ONCE, MESSAGES = 8, 64
PROCESS = "supervisorctl -c /etc/lab/supervisord.conf pid opendkim"


@pytest.mark.nightly("a quarter of a minute; at every change mail from outside arrives")
def test_messages_from_outside_that_arrive_at_once_are_accepted(cluster: LabCluster) -> None:
    """A resolver's configuration that is read for each of them had ended opendkim, and most were put off (451)."""
    cluster.require("tcp-lb", 1)
    assert cluster.options(Mail).rate >= MESSAGES
    nodes = [node.name for node in cluster.plan.role("mail")]
    before = {node: cluster.run(node, PROCESS).stdout for node in nodes}
    sent = f"-s {AT_ONCE} -m {MESSAGES} -l 2000 -f stranger@example.org -t evidence@{cluster.spec.domain}"
    done = cluster.run(nodes[0], f"smtp-source {sent} inet:{cluster.plan.vip}:25", seconds=60)
    assert done.ok, done.last_line
    assert {node: cluster.run(node, PROCESS).stdout for node in nodes} == before, "an opendkim ended"
