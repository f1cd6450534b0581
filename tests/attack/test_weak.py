"""TLS and ssh of every entrance against Mozilla's intermediate configuration and ssh-audit's rules."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.attack.tools import tool

if TYPE_CHECKING:
    from pathlib import Path

    from lab.testing import LabCluster

pytestmark = pytest.mark.read_only

SCAN_SECONDS = 180.0
STARTTLS = {25: "smtp", 587: "smtp", 143: "imap"}
TLS = {
    "http-lb": [443],
    "mail": [25, 143, 465, 587, 993],
    "mysql": [9105],
    "storage": [24007],
    "client": [443, 587, 993],
}
"""The ports that speak TLS by role; MariaDB's and ManageSieve's own ways of beginning it are no scanner's."""


def _reach(cluster: LabCluster) -> dict[str, list[str]]:
    """Addresses that this machine reaches, by how TLS begins there: the published ports; on Docker every node's too."""
    found: dict[str, list[str]] = {}
    for entry in cluster.plan.node("client").publish:
        if entry.port in TLS["client"]:
            found.setdefault(STARTTLS.get(entry.port, ""), []).append(f"127.0.0.1:{entry.host_port}")
    if cluster.backend.name == "docker":
        for role, ports in TLS.items():
            for node in cluster.plan.role(role)[:1]:
                for port in ports:
                    found.setdefault(STARTTLS.get(port, ""), []).append(f"{node.address}:{port}")
    return found


def _found(target: dict[str, Any]) -> dict[str, set[str]]:
    """The accepted protocols and cipher suites of a target."""
    result = target["scan_result"]
    accepted: dict[str, set[str]] = {}
    for key, attempt in result.items():
        if key.endswith("_cipher_suites") and attempt["status"] == "COMPLETED":
            suites = attempt["result"]["accepted_cipher_suites"]
            if suites:
                accepted[attempt["result"]["tls_version_used"]] = {suite["cipher_suite"]["name"] for suite in suites}
    return accepted


@pytest.mark.parametrize("begun", ["", "smtp", "imap"])
def test_tls_is_mozillas_intermediate(cluster: LabCluster, tmp_path: Path, begun: str) -> None:
    targets = _reach(cluster).get(begun)
    if not targets:
        pytest.skip(f"nothing begins TLS by {begun or 'itself'} here")
    how = [f"--starttls={begun}"] if begun else []
    said = tmp_path / "said.json"
    scanned = [tool("sslyze"), "--mozilla_config=intermediate", f"--json_out={said}", *how, *targets]
    done = subprocess.run(scanned, capture_output=True, text=True, timeout=SCAN_SECONDS, check=False)
    results = json.loads(said.read_text(encoding="utf-8"))["server_scan_results"]
    assert len(results) == len(targets), done.stdout
    for one in results:
        assert one["connectivity_status"] == "COMPLETED", one["connectivity_error_trace"]
        accepted = _found(one)
        assert accepted.keys() <= {"TLS_1_2", "TLS_1_3"}, accepted
        assert accepted, f"no suite was found: {one['server_location']}"
    assert done.returncode == 0, done.stdout


def test_ssh_audit_fails_nothing(cluster: LabCluster) -> None:
    cluster.require("shell", 1)
    port = next(entry.host_port for entry in cluster.plan.node("client").publish if entry.port == 22)
    scanned = [tool("ssh-audit"), "--json", "--port", str(port), "127.0.0.1"]
    done = subprocess.run(scanned, capture_output=True, text=True, timeout=SCAN_SECONDS, check=False)
    said = json.loads(done.stdout)
    kinds = ("kex", "key", "enc", "mac")
    assert all(said[kind] for kind in kinds), done.stdout
    failed = [each["algorithm"] for kind in kinds for each in said[kind] if each.get("notes", {}).get("fail")]
    assert failed == []
