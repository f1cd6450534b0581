"""TLS and ssh of every entrance against Mozilla's intermediate configuration and ssh-audit's rules."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from lab.lifecycle import authority, secrets
from tests.attack.tools import tool

if TYPE_CHECKING:
    from pathlib import Path

    from lab.testing import LabCluster

pytestmark = pytest.mark.read_only

SCAN_SECONDS = 180.0
STARTTLS = {25: "smtp", 587: "smtp", 143: "imap"}
PUBLISHED = (443, 587, 993)
BALANCED = (143, 443, 993)
DIRECT = (25, 465, 587)
"""The ports that speak TLS. MariaDB's and ManageSieve's own ways of beginning it are no scanner's."""

BRICK = "ss -Hlnt | awk '{print $4}' | sed 's/.*://' | sort -n | awk '$1 >= 49152' | head -n 1"
UNSCANNED = {
    "mysql, of the database": ("mysql", "echo 3306", "-starttls mysql"),
    "mysql, of the keepers": ("mysql", "echo 9105", ""),
    "storage, of glusterd": ("storage", "echo 24007", ""),
    "storage, of a brick": ("storage", BRICK, ""),
}
"""By name: the role, a command that prints the port, and how TLS begins there. Some want a certificate of who calls,
which a scanner has not; sslyze has no words for the others."""

WEAK = "aNULL:eNULL:EXPORT:DES:RC4:3DES:MD5:PSK:SEED:IDEA"


def _reach(cluster: LabCluster) -> dict[str, list[str]]:
    """Addresses that this machine reaches, by how TLS begins there: the published ports; on Docker nodes' own too."""
    plan = cluster.plan
    doors = [
        (entry.port, f"localhost:{entry.host_port}{{127.0.0.1}}")
        for entry in plan.node("client").publish
        if entry.port in PUBLISHED
    ]
    if cluster.backend.name == "docker":
        doors += [(port, f"{plan.vip}:{port}") for port in BALANCED if plan.vip]
        doors += [(port, f"{node.address}:{port}") for node in plan.role("mail")[:1] for port in DIRECT]
    found: dict[str, list[str]] = {}
    for port, door in doors:
        found.setdefault(STARTTLS.get(port, ""), []).append(door)
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


def _unanswered(target: dict[str, Any]) -> bool:
    """Whether a part of the scan has no result: sslyze's patience is fixed, and by STARTTLS it calls that its bug."""
    attempts = (target["scan_result"] or {}).values()
    failed = any(each.get("error_reason") for each in attempts if isinstance(each, dict))
    return failed or target["connectivity_status"] != "COMPLETED"


@pytest.mark.parametrize("begun", ["", "smtp", "imap"])
def test_tls_is_mozillas_intermediate(cluster: LabCluster, tmp_path: Path, begun: str) -> None:
    targets = _reach(cluster).get(begun)
    if not targets:
        pytest.skip(f"nothing begins TLS by {begun or 'itself'} here")
    how = [f"--starttls={begun}"] if begun else []
    said = tmp_path / "said.json"
    trusted = tmp_path / "ca.crt"
    trusted.write_text(authority.trusted(secrets.folder(cluster.plan.cluster)), encoding="utf-8")
    rules = ["--mozilla_config=intermediate", "--certinfo", f"--certinfo_ca_file={trusted}"]
    scanned = [tool("sslyze"), *rules, f"--json_out={said}", *how, *targets]
    for slowly in ([], ["--slow_connection"]):  # a busy machine answers so many connections at once too late
        done = subprocess.run([*scanned, *slowly], capture_output=True, text=True, timeout=SCAN_SECONDS, check=False)
        results = json.loads(said.read_text(encoding="utf-8"))["server_scan_results"]
        if not any(_unanswered(one) for one in results):
            break
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
    scanned = [tool("ssh-audit"), "--json", "--skip-rate-test", "--port", str(port), "127.0.0.1"]
    again = "fail2ban-client reload --restart --unban sshd"  # it begins to log in more often than a person may
    assert cluster.run("shell1", again).ok
    done = subprocess.run(scanned, capture_output=True, text=True, timeout=SCAN_SECONDS, check=False)
    assert cluster.run("shell1", again).ok
    said = json.loads(done.stdout.splitlines()[0])
    kinds = ("kex", "key", "enc", "mac")
    assert all(said[kind] for kind in kinds), done.stdout
    failed = [each["algorithm"] for kind in kinds for each in said[kind] if each.get("notes", {}).get("fail")]
    assert failed == []


@pytest.mark.parametrize("name", UNSCANNED)
def test_no_old_tls_and_no_weak_cipher_is_spoken(cluster: LabCluster, name: str) -> None:
    role, which, begun = UNSCANNED[name]
    node = cluster.require(role, 1)[0]
    port = cluster.run(node, which).stdout.strip()

    def spoken(*how: str) -> bool:
        asked = f"echo | openssl s_client {begun} {' '.join(how)} -connect {node}:{port} 2>&1"
        said = cluster.run("client", asked).stdout
        return "BEGIN CERTIFICATE" in said and "Cipher is (NONE)" not in said

    anything = "-cipher 'ALL:@SECLEVEL=0'"
    assert spoken("-tls1_3")
    assert not [version for version in ("-tls1", "-tls1_1") if spoken(version, anything)]
    assert not spoken("-tls1_2", f"-cipher '{WEAK}:@SECLEVEL=0'")
