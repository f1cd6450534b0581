"""That it is Xen, paravirtualized and sound; what a domain leaves on its host; what happens when one does not boot."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from lab import engine, paths
from lab.backends.base import State
from lab.backends.optional import consoles
from lab.backends.xen import domain, host
from lab.backends.xen.backend import XenBackend
from lab.errors import BackendError
from lab.lifecycle import ready, secrets
from tests.markers import LVS

if TYPE_CHECKING:
    from lab.testing import LabCluster

pytestmark = pytest.mark.xen_smoke("what only Xen has: domains, their disks, console and host", topology=LVS)
SUMMED = (
    "/usr/sbin /usr/lib/lab /usr/lib/python3.11/json /usr/lib/x86_64-linux-gnu/perl-base /usr/share/zoneinfo/Europe"
)
"""Some hundred files of different sizes that every image has, some of them megabytes."""


@pytest.mark.read_only
def test_it_is_xen_and_the_domains_are_paravirtualized(cluster: LabCluster, xen: XenBackend) -> None:
    info = xen.dom0.link.run("xl info", seconds=30).out
    print(info)
    assert re.search(r"^xen_version +: 4\.", info, re.MULTILINE)
    for node in cluster.plan.nodes:
        said = cluster.run(node.name, "cat /sys/hypervisor/type; dmesg | grep -E 'Xen PV|kernel on Xen'").stdout
        print(node.name, said)
        assert said.splitlines()[0] == "xen"
        assert "Hypervisor detected: Xen PV" in said
        assert re.search(r"Booting (paravirtualized )?kernel on Xen", said)


@pytest.mark.read_only
def test_every_file_is_what_the_image_has_and_no_kernel_complains(cluster: LabCluster, xen: XenBackend) -> None:
    """A wrong model of processor corrupts memory in silence (docs/xen.md): that would show here first."""
    assert xen.dom0.link.run("dmesg", seconds=30).out.count("segfault") == 0
    found = f"find {SUMMED} -type f ! -path '*/__pycache__/*'"  # which a node's own Python writes
    command = f"{found} 2>/dev/null | sort | xargs md5sum | md5sum; {found} | wc -l"
    for node in cluster.plan.nodes:
        inside = cluster.run(node.name, command).stdout
        assert inside == _in_a_container(node.image, command), node.name
        assert int(inside.splitlines()[1]) > 100
        complaints = r"segfault|general protection|Oops|BUG:|I/O error|EXT4-fs error|Call Trace"
        assert not re.findall(complaints, cluster.run(node.name, "dmesg").stdout), node.name


def _in_a_container(image: str, command: str) -> str:
    """What a command prints where this machine's own processor runs it."""
    with engine.connected(60) as api:
        made = api.create_container(image, ["-c", command], entrypoint="sh")["Id"]
        try:
            api.start(made)
            api.wait(made)
            return str(api.logs(made, stderr=False).decode())
        finally:
            api.remove_container(made, force=True)


@pytest.mark.read_only
def test_files_on_the_host_are_roots_alone(xen: XenBackend) -> None:
    home = f"{xen.dom0.store}/clusters/{xen.cluster}"
    listed = xen.dom0.link.run(f"find {home} -exec stat -c '%a %U %n' {{}} +", seconds=30).out.splitlines()
    names = {line.rpartition("/")[2] for line in listed}
    assert {"domain.cfg", "inbox.cpio", "own.ext4"} <= names
    assert "ramdisk" not in names, "the letter with its secrets lies on the host only as long as the boot needs it"
    for line in listed:
        mode, owner, _ = line.split(maxsplit=2)
        assert owner == "root"
        assert int(mode, 8) & 0o077 == 0, line


@pytest.mark.read_only
def test_secrets_are_in_the_node_with_their_mode_and_not_in_its_image(cluster: LabCluster) -> None:
    balancer = cluster.require("http-lb", 1)[0]
    assert cluster.run(balancer, "stat -c %a /etc/lab/site.pem").stdout.strip() in ("600", "640")
    key = secrets.known(cluster.plan.cluster, "site-certificate")
    assert (cluster.backend.get(balancer, "/etc/lab/site.pem") or b"").decode().strip() == key


@pytest.mark.read_only
def test_the_console_tells_what_the_services_do_not(xen: XenBackend) -> None:
    shown = list(xen.logs("web1"))
    assert any(line.startswith("httpd | ") for line in shown)
    assert len(list(xen.console("web1"))) >= len(shown)
    assert list(xen.logs("web1", tail=2)) == list(xen.logs("web1"))[-2:]


def test_a_clean_stop_ends_services_in_order_and_files_of_a_stopped_node_can_be_changed(cluster: LabCluster) -> None:
    backend = cluster.backend
    backend.put("web1", {"/etc/lab/mark": (b"running", 0o640)})
    backend.stop("web1")
    assert backend.observe().node("web1").state is State.STOPPED  # type: ignore[union-attr]
    log = "\n".join(consoles(backend).console("web1"))
    ended = log.rindex("received SIGTERM indicating exit request")
    assert log.index("stopped: httpd", ended) < log.index("stopped: php-fpm", ended)
    assert "the node's init has ended, as asked" in log[ended:]
    assert backend.get("web1", "/etc/lab/mark") == b"running", "out of the disk of a domain that is off"
    assert backend.get("web1", "/etc/lab/httpd.conf") is not None
    assert backend.get("web1", "/nowhere") is None
    backend.put("web1", {"/etc/lab/mark": (b"stopped", 0o600)})
    assert backend.get("web1", "/etc/lab/mark") == b"stopped"
    with pytest.raises(BackendError, match="web1 is stopped"):
        backend.run("web1", ["true"])
    backend.start("web1")
    ready.node(backend, "web1", 60)
    assert cluster.run("web1", "cat /etc/lab/mark; stat -c %a /etc/lab/mark").stdout == "stopped600\n"


@pytest.mark.nightly("a minute of emulated boots: that files are laid, and by which letter, is tried at every change")
def test_what_was_laid_once_is_not_laid_again(cluster: LabCluster) -> None:
    backend = cluster.backend
    backend.stop("web1")
    backend.put("web1", {"/etc/lab/mark": (b"stopped", 0o600)})
    backend.start("web1")
    ready.node(backend, "web1", 60)
    backend.kill("web1")
    backend.start("web1")
    assert cluster.run("web1", "cat /etc/lab/mark").stdout == "stopped"


@pytest.mark.nightly("a minute: a console is read, and a domain boots and ends, at every change")
def test_a_domain_that_does_not_boot_shows_its_console(cluster: LabCluster, xen: XenBackend) -> None:
    bad = XenBackend(f"{xen.cluster}-bad", xen.settings)
    broken = paths.disks() / f"{bad.cluster}.ext4"
    broken.write_bytes(bytes(1 << 20))
    plan = replace(cluster.plan, cluster=bad.cluster)
    node = replace(plan.node("web1"), address=str(plan.network.cidr[250]))
    try:
        host.place(bad.dom0, [broken], lambda _, step: print(step))
        bad._disks[node.image] = broken.name  # noqa: SLF001  as if the image had been made so
        bad._network = f"{plan.network.gateway}/{plan.network.prefixlen}"  # noqa: SLF001  the cluster's own holds it
        bad.settings = xen.settings.model_copy(update={"bridge": domain.bridge(xen.cluster, xen.settings)})
        bad.create(plan, node, {})
        with pytest.raises(BackendError, match="ended while it booted; its console:") as caught:
            bad.start("web1")
        assert "could not be put together" in caught.value.what
        assert bad.observe().node("web1").state is State.STOPPED  # type: ignore[union-attr]
    finally:
        broken.unlink()
        bad.remove("web1")
        bad.settings = bad.settings.model_copy(update={"bridge": "lo"})
        bad.clear(volumes=True)


@pytest.mark.read_only
def test_the_store_may_lie_elsewhere_and_images_are_copied_there(xen: XenBackend) -> None:
    """As on a host that does not see this machine's disk: what a domain boots goes there by ssh, and is the same."""
    far = replace(xen.dom0, store=f"{xen.dom0.store}/elsewhere")
    file = paths.disks() / f"{xen.cluster}-copied.ext4"
    content = bytes(3 << 20) + b"end" * 1000 + bytes(5 << 20)
    file.write_bytes(content)
    said: list[str] = []
    try:
        host.place(far, [file], lambda _, step: said.append(step))
        assert len(said) == 1
        host.place(far, [file], lambda _, step: said.append(step))
        assert len(said) == 1, "what is there is not copied again"
        there = f"{far.store}/images/{file.name}"
        answer = far.link.run(f"md5sum < {there}; md5sum < /srv/lab/images/{file.name}; du -k {there}", seconds=60).out
        sums = answer.split()
        assert sums[0] == sums[2]
        assert int(sums[4]) < 2048, "empty blocks take no space"
    finally:
        file.unlink()
        far.link.run(f"rm -rf {far.store}", seconds=30)
