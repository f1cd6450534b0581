"""An application that is added to a running cluster, and sends mail in its own name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import assets
from lab.topology.apps import App
from lab.topology.roles import Mail

if TYPE_CHECKING:
    from lab.testing import LabCluster

FOLDER = Path(__file__).parent / "topologies/apps/shop"

pytestmark = pytest.mark.smaller("mail servers and a balancer", topology="tests/cluster/topologies/sites.yaml")


def test_an_application_sends_mail_by_its_own_account(cluster: LabCluster) -> None:
    cluster.options(Mail)
    cluster.require("http-lb", 1)
    assets.use_apps({"orders"})  # as reading a topology does
    shop = App(build=str(FOLDER), port=8000, count=1, health="/healthz", mail=True)
    with cluster.changed(cluster.spec.model_copy(update={"apps": {"orders": shop}})):
        me = f"orders@{cluster.spec.domain}"
        answer = cluster.app("orders").post("/letters", data={"to": me})
        assert answer.status_code == 201, answer.text
        asked = f"doveadm -c /etc/lab/dovecot.conf fetch -u {me} hdr.from mailbox INBOX subject 'your order'"
        said = cluster.until("the message", 60, lambda: cluster.run("mail1", asked).stdout)
        assert said.split() == ["hdr.from:", me]
        assert "SMTP_URL" not in cluster.run("orders1", "cat /proc/*/cmdline").stdout
