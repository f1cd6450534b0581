"""A file that HAProxy reads is in use after a reload: each has a script in `reload.d`."""

from __future__ import annotations

import re

import pytest

from lab.lifecycle.resolve import offline
from lab.plan import Plan, plan
from lab.recipes import recipe
from lab.topology import find, load

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
