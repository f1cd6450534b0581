"""A file that HAProxy reads is in use after a reload: each has a script in `reload.d`."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from lab.lifecycle.resolve import offline
from lab.plan import Plan, plan
from lab.recipes import recipe
from lab.topology import find, load

ROOT = Path(__file__).parents[2]
CONFIGURATION = "/etc/lab/haproxy.cfg"
READ = re.compile(r"/etc/lab/([\w.-]+)")


@pytest.fixture(scope="module")
def full() -> Plan:
    return plan(*offline(load(find("full"), family="debian")))


@pytest.mark.parametrize("role", ["http-lb", "tcp-lb", "client"])
def test_each_file_that_haproxy_reads_is_reloaded(full: Plan, role: str) -> None:
    files = {file.path: file.text for file in full.role(role)[0].files}
    read = {name for name in READ.findall(files[CONFIGURATION]) if f"/etc/lab/{name}" in files} | {"haproxy.cfg"}
    there = recipe(role, "debian").context
    scripts = {name.rpartition("/")[2] for name in there if "/usr/lib/lab/reload.d/" in name}
    assert read <= scripts


RESTART = re.compile(r"supervisorctl\b.* restart ")
BASE = ROOT / "images/base/rootfs/usr/lib/lab"


def test_what_restarts_a_service_is_not_cut_off_between_stop_and_start() -> None:
    """A limit that ended `supervisorctl` left a keeper stopped for good, and `lab up` failed."""
    scripts = [path for path in ROOT.glob("images/**/reload.d/*") if path.is_file()]
    assert len(scripts) > 20
    assert [str(path) for path in scripts if RESTART.search(path.read_text(encoding="utf-8"))] == []
    assert "exec setsid -w supervisorctl" in (BASE / "restart").read_text(encoding="utf-8")


def test_files_with_equal_scripts_share_one_run(tmp_path: Path) -> None:
    """The keeper restarted twice where its two files had changed."""
    for name, word in {"a.cnf": "keeper", "b.json": "keeper", "c.pem": "pem"}.items():
        script = tmp_path / name
        script.write_text(f"#!/bin/sh\necho {word}\n", encoding="utf-8")
        script.chmod(0o755)
    text = (BASE / "reload").read_text(encoding="utf-8").replace("/usr/lib/lab/reload.d", str(tmp_path))
    argv = ["sh", "-c", text, "reload", "a.cnf", "c.pem", "b.json", "none.txt"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["keeper", "pem"]
    keepers = [ROOT / "images/mysql/rootfs/usr/lib/lab/reload.d" / name for name in ("my.cnf", "mysql.json")]
    assert len({path.read_bytes() for path in keepers}) == 1
