"""The Xen backend without a Xen: what is written for xl and the initrd, what is read from them, every refusal."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from lab import assets
from lab.backends import backend
from lab.backends.base import Capabilities, Existing, State
from lab.backends.xen import cpio, dom0, domain, guest, keys, toolbox, trouble
from lab.backends.xen.nested import qemu
from lab.backends.xen.nested.machine import running
from lab.backends.xen.settings import Xen
from lab.backends.xen.ssh import Link
from lab.clock import REAL
from lab.errors import BackendError, HostError, SpecError
from lab.lifecycle import resolve
from lab.plan import Plan, plan
from lab.plan.model import Limits
from lab.topology import Cluster, Placement, load, parse, placement

if TYPE_CHECKING:
    from pathlib import Path

LISTED = """\
Name                                        ID   Mem VCPUs\tState\tTime(s)   UUID                            Reason-Code
Domain-0                                     0  1024     1     r-----      40.3 00000000-0000-0000-0000-000000000000   -
golden-web1                                  3   256     1     -b----       1.4 {web1}        -                -
golden-web2                                  4   256     1     --p---       1.4 {web2}        -                -
golden-web3                                  5   256     1     ----d-       1.4 {web3}        -                -
somebody-web1                                6   256     1     r-----       1.4 43c62560-cb8c-4257-b882-e1692f808619  -
---
"""


@pytest.fixture
def made(full: Cluster) -> Plan:
    """The default cluster's plan."""
    return plan(full, "debian")


def _settings(**said: object) -> Xen:
    return Xen.model_validate(said)


def _config(made: Plan, name: str, settings: Xen) -> dict[str, object]:
    text = domain.config(made, made.node(name), settings, "/store", "web-1.ext4", "vmlinux-1")
    return {key: json.loads(value) for key, _, value in (line.partition(" = ") for line in text.splitlines())}


def test_a_domain_is_paravirtualized_and_has_the_plans_address(made: Plan) -> None:
    config = _config(made, "web1", _settings(memory=300))
    assert config["type"] == "pv"
    assert config["name"] == "golden-web1"
    assert config["memory"] == 300
    assert config["kernel"] == "/store/images/vmlinux-1"
    assert config["vif"] == [f"mac=00:16:3e:5a:00:65,bridge={domain.bridge('golden', _settings())}"]
    assert config["disk"] == [
        "format=raw,vdev=xvda,access=r,target=/store/images/web-1.ext4",
        "format=raw,vdev=xvdb,access=w,target=/store/clusters/golden/web1/own.ext4",
        "format=raw,vdev=xvdc,access=w,target=/store/volumes/golden/web1-guestbook.ext4",
        "format=raw,vdev=xvdd,access=w,target=/store/volumes/golden/web1-sites.ext4",
    ]
    assert "lab.cluster=golden lab.node=web1 lab.role=web" in str(config["extra"])
    assert {config[f"on_{what}"] for what in ("crash", "poweroff", "reboot")} == {"destroy"}


def test_bridges_are_the_clusters_own_unless_one_is_named(made: Plan) -> None:
    own = {domain.bridge(name, _settings()) for name in ("www", "www-2", "a-name-as-long-as-a-name-may-be")}
    assert len(own) == 3
    assert all(len(name) <= 15 for name in own), "the kernel's limit"
    assert _config(made, "web1", _settings(bridge="xenbr1"))["vif"] == ["mac=00:16:3e:5a:00:65,bridge=xenbr1"]


def test_what_the_initrd_is_told_survives_its_shell(made: Plan) -> None:
    script = (
        domain.assignments(made, made.node("web1"))
        + 'echo "$NAME|$ADDRESS/$PREFIX|$VOLUMES|$ENTRYPOINT"; echo "$TMPFS"; echo "$THREADS"'
    )
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout.splitlines()
    assert said[0] == "web1|10.90.0.101/24|xvdc:/var/lib/guestbook xvdd:/var/lib/sites|/usr/lib/lab/init"
    assert [line.split()[0] for line in said[1:3]] == ["/run", "/tmp"]
    assert int(said[3]) > made.node("web1").limits.processes, "the kernel counts its own threads too"


def test_files_keep_content_and_mode_and_the_later_archive_wins() -> None:
    first = {"/lab/files/etc/lab/secret": (b"one", 0o600), "/lab/files/etc/lab/odd": (b"12345", 0o644)}
    both = cpio.archive(first) + cpio.archive({"/lab/files/etc/lab/secret": (b"two", 0o600)})
    assert cpio.files(both) == {"/lab/files/etc/lab/secret": b"two", "/lab/files/etc/lab/odd": b"12345"}
    assert b"000081800" in cpio.archive(first).replace(b"00008180", b"000081800"), "mode 0600 of a regular file"


def test_the_kernels_own_unpacker_agrees(tmp_path: Path) -> None:
    """Python's archive read by busybox's or GNU's cpio, where one is here."""
    archive = cpio.archive({"/lab/files/etc/x": (b"content", 0o600)})
    (tmp_path / "a.cpio").write_bytes(archive)
    try:
        done = subprocess.run(
            ["cpio", "-i", "-d", "--quiet"], input=archive, cwd=tmp_path, capture_output=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("no cpio here; the kernel itself reads these archives in tests/xen")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "lab/files/etc/x").read_bytes() == b"content"
    assert (tmp_path / "lab/files/etc/x").stat().st_mode & 0o777 == 0o600


def test_a_payload_has_a_number_of_its_own() -> None:
    given = {"/etc/lab/x": (b"", 0o644)}
    assert domain.payload(given)["/lab/letter"] != domain.payload(given)["/lab/letter"]


def test_what_exists_is_read_from_xen(made: Plan) -> None:
    names = ("web1", "web2", "web3", "client")
    printed = LISTED.format(**{name: domain.identity("golden", name) for name in names})
    for name in names:
        kept = domain.metadata(made, made.node(name), _settings(), "disk")
        printed += replace(kept, started=name != "client").line + "\n"
    found = domain.existing("golden", printed)
    states = {node.name: node.state for node in found.nodes}
    assert states == {
        "web1": State.RUNNING,
        "web2": State.PAUSED,
        "web3": State.STOPPED,  # dying is dead
        "client": State.CREATED,
    }
    assert found.network == "10.90.0.0/24"
    assert found.vip == "10.90.0.100"
    assert found.family == "debian"
    assert found.ports["site"] == 8443
    web1 = found.node("web1")
    assert web1
    assert web1.fixed == made.node("web1").fixed, "a node that is as planned is left alone"
    assert web1.limits == Limits(_settings().memory, made.node("web1").limits.processes, 1)
    assert domain.existing("golden", LISTED.format(web1="", web2="", web3="")) == Existing(volumes=frozenset())


def test_what_is_remembered_of_a_node_fits_into_xenstore(made: Plan) -> None:
    kept = [domain.metadata(made, node, _settings(bridge="b" * 15), "d" * 60) for node in made.nodes]
    longest = max(len(one.line) for one in kept)
    assert longest < 4096 - 100, "XENSTORE_PAYLOAD_MAX, less the path"


def test_names_that_are_equal_once_joined_are_different_domains() -> None:
    assert domain.name("www", "a-web1") == domain.name("www-a", "web1")
    with pytest.raises(HostError, match=r"www-a-web1 is not the lab's"):
        raise trouble.refused("ssh://dom0", "start web1", "lab: www-a-web1 is not the lab's")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("ssh: connect to host dom0 port 22: Connection refused", "can't be reached: ssh: connect"),
        ("ssh: Could not resolve hostname dmo0: Name or service not known", "name of ssh://dom0 is not known"),
        ("root@dom0: Permission denied (publickey).", "refuses this key or user"),
        ("No ED25519 host key is known for dom0 and you have requested strict checking.", "is not known here"),
        ("@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @", "has changed: the host was reinstalled"),
        ("", "it says nothing"),
    ],
)
def test_no_way_in_says_why(said: str, expected: str) -> None:
    error = trouble.unreachable("ssh://dom0", said)
    assert expected in error.what
    assert error.next_step
    assert error.exit_code == 2


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("observe: line 30: xl: command not found", "is not a Xen host"),
        ("xencall: error: Could not obtain handle on privileged command interface: Permission denied", "may not use"),
        (
            "xencall: error: Could not obtain handle on privileged command interface: No such file or directory",
            "did not boot under Xen",
        ),
        ("lab: no bridge xenbr7", "has no bridge 'xenbr7'"),
        ("libxl: error: libxl_dom.c: failed to free memory for the domain", "not enough memory"),
        ("dd: error writing '/srv/x': No space left on device", "the disk of ssh://dom0 is full"),
    ],
)
def test_what_a_host_lacks_is_named(said: str, expected: str) -> None:
    error = trouble.refused("ssh://dom0", "start web1", said)
    assert isinstance(error, HostError)
    assert expected in error.what
    assert error.next_step


def test_what_nobody_foresaw_is_told_as_it_was_said() -> None:
    error = trouble.refused("ssh://dom0", "start web1", "libxl: error: something new")
    assert isinstance(error, BackendError)
    assert "something new" in error.what


@pytest.mark.skipif(not shutil.which("ssh"), reason="no ssh here: apt-get install openssh-client")
def test_a_host_that_is_not_there_is_said_at_once() -> None:
    """Real ssh to a port on which nothing listens."""
    place = Placement("xen", _settings(host="ssh://root@127.0.0.1:1"))
    with pytest.raises(HostError, match=r"ssh://root@127.0.0.1:1 can't be reached.*Connection refused"):
        backend(place, "golden").observe()


def test_a_command_that_hangs_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    link = Link("dom0", ("x",), REAL)
    monkeypatch.setattr(link, "connect", lambda: None)
    monkeypatch.setattr(link, "command", lambda _: ["sleep", "60"])
    with pytest.raises(BackendError, match=r"'observe' golden: dom0 did not answer within 0 s"):
        dom0.Dom0(link, "/store", "golden").ask("observe", seconds=0.2 - dom0.MARGIN)


def test_without_a_host_the_screen_says_how_to_get_one() -> None:
    with pytest.raises(HostError, match="no Xen host is said") as caught:
        backend(Placement("xen"), "golden")
    assert "lab xen host up" in caught.value.next_step


@pytest.mark.parametrize(
    ("url", "destination", "store"),
    [
        ("ssh://root@dom0", ("root@dom0",), dom0.STORE),
        ("ssh://dom0:2222/srv/x/", ("-p", "2222", "dom0"), "/srv/x"),
    ],
)
def test_hosts_urls(url: str, destination: tuple[str, ...], store: str) -> None:
    found = dom0.address(url)
    assert (found.destination, found.store) == (destination, store)


NO_HOSTS = """
dom0 http://dom0 ssh:// ssh://dom0:port ssh://-oProxyCommand=x ssh://-oProxyCommand=x@dom0 ssh://-Vx@dom0 ssh://@dom0 ssh://a@-b
ssh://dom0:0 ssh://dom0:65536 ssh://dom0:-1 ssh://me:word@dom0 ssh://me@dom0?x ssh://me@dom0#x ssh://me@dom0/../etc ssh://a@b@c
ssh://dom0/$(id) ssh://dom0/a;b ssh://me@dom0/a'b ssh://[::1 ssh://[-x] ssh://dom0\\x
"""


@pytest.mark.parametrize("url", [*NO_HOSTS.split(), "ssh://dom0/a b", "ssh://dom0\n", "ssh://me @dom0"])
def test_bad_hosts_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"ssh://\[user@\]host"):
        placement(tmp_path / "none", "xen", url)


def test_where_a_cluster_is_comes_from_file_or_command_line(tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text("backend: xen\nxen: {host: 'ssh://a', max-domains: 3}\nweb: [broken", encoding="utf-8")
    assert placement(file, None, None) == Placement(), "of a broken file nothing is known"
    file.write_text("backend: xen\nxen: {host: 'ssh://a', max-domains: 3}\nwebb:\n", encoding="utf-8")
    assert placement(file, None, None).settings == _settings(host="ssh://a", max_domains=3)
    assert placement(file, None, "ssh://b").settings == _settings(host="ssh://b", max_domains=3)
    assert placement(file, "docker", None).backend == "docker"
    assert placement(tmp_path / "none", None, "ssh://b").backend == "xen", "a host means Xen"
    assert load(_written(file, "backend: xen\nweb:\n")).placement.backend == "xen"


def test_a_setting_that_is_not_valid_is_named_where_it_was_written(tmp_path: Path) -> None:
    file = _written(tmp_path / "cluster.yaml", "backend: xen\nxen: {memory: 3}\n")
    with pytest.raises(SpecError, match=r"xen\.memory") as caught:
        placement(file, None, "ssh://root@dom0")
    assert caught.value.where == str(file)
    with pytest.raises(SpecError, match=r"xen\.host") as caught:
        placement(_written(file, "backend: xen\n"), None, "dom0")
    assert caught.value.where == "--host"


def test_without_a_file_the_roles_in_use_stay(tmp_path: Path) -> None:
    """As in the pytest plugin, which has read a topology with roles beside it before."""
    (tmp_path / "roles").mkdir()
    assets.use_roles(tmp_path / "roles")
    try:
        assert placement(None, "xen", "ssh://b").settings == _settings(host="ssh://b")
        assert assets.outside() == tmp_path / "roles"
    finally:
        assets.use_roles(None)


def _written(file: Path, text: str) -> Path:
    file.write_text(text, encoding="utf-8")
    return file


def test_more_domains_than_the_series_ever_runs_are_refused_with_what_fits(made: Plan) -> None:
    with pytest.raises(SpecError, match="8 nodes are more than the 5") as caught:
        resolve.admit(made, Capabilities("Xen", max_nodes=5))
    assert "five, galera, stage1, stage2, stage3, stage6" in caught.value.next_step
    assert "full" not in caught.value.next_step


def test_qemus_command_line_is_the_measured_one(tmp_path: Path) -> None:
    paths = {name: tmp_path / name for name in ("xen", "vmlinux", "initrd", "root", "store", "images", "state")}
    argv = qemu.arguments(qemu.Machine(), qemu.Media(**paths), "tcg", 2222)
    pairs = dict(itertools.pairwise(argv))
    assert pairs["-cpu"] == "Nehalem,+svm"
    assert pairs["-m"] == "4096M"
    assert "restrict=on" in pairs["-netdev"]
    assert "127.0.0.1:2222-" in pairs["-netdev"]
    assert "," not in qemu.LINUX, "QEMU would split there"
    assert any("snapshot=on" in word and "root" in word for word in argv)
    assert not any("snapshot=on" in word and "file=" + str(paths["store"]) in word for word in argv)


@pytest.mark.parametrize(
    ("machine", "message"),
    [
        (qemu.Machine(memory=1024), "--memory 1024"),
        (qemu.Machine(cpus=4096), "--cpus 4096"),
        (qemu.Machine(disk=0), "--disk 0"),
    ],
)
def test_a_machine_that_can_not_work_is_refused(
    machine: qemu.Machine, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: "/bin/true")
    with pytest.raises(SpecError, match=message):
        machine.check()


def test_without_qemu_the_screen_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(HostError, match="missing") as caught:
        qemu.Machine().check()
    assert "doctor" in caught.value.next_step


def test_a_machine_that_was_killed_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.paths.xen_host", lambda: tmp_path)
    told = {"pid": 1, "port": 1, "accelerator": "tcg", "memory": 1, "cpus": 1}
    (tmp_path / "machine.json").write_text(json.dumps(told), encoding="utf-8")
    (tmp_path / "qemu.pid").write_text("1\n", encoding="utf-8")  # lives, and is no QEMU of ours: it holds no lock
    assert running() is None
    assert not (tmp_path / "machine.json").exists()


def test_keys_are_made_once_and_for_the_owner_alone() -> None:
    first = keys.keys("golden")
    assert keys.keys("golden").identity.read_bytes() == first.identity.read_bytes()
    assert {path.stat().st_mode & 0o777 for path in (first.identity, first.host)} == {0o600}
    assert first.authorized.read_bytes().startswith(b"ssh-ed25519 ")
    assert len(first.host.read_bytes()) == 4 + 11 + 4 + 64


@pytest.mark.parametrize("kind", [toolbox.GUEST, toolbox.HOST])
def test_what_is_made_is_named_by_what_goes_in(kind: str) -> None:
    recipe = toolbox.recipe(kind)
    assert recipe.dockerfile.splitlines()[1].startswith("FROM ") or "\nFROM " in recipe.dockerfile
    assert any(name.startswith("kernel/") for name in recipe.context)
    assert recipe.context[f"{kind.removeprefix('xen-')}/init"].mode == 0o755


def test_the_domains_kernel_has_what_plans_ask_for() -> None:
    assert {"ip_vs", "fuse", "nf_tables", "sch_netem"} <= guest.features()


def test_every_verb_is_good_bash() -> None:
    for path in sorted((assets.xen() / "verbs").iterdir()):
        subprocess.run(["bash", "-n", str(path)], check=True)


def test_topologies_say_where_they_run() -> None:
    made = parse("backend: xen\nxen: {host: 'ssh://root@dom0', memory: 512}\nweb:\n")
    assert made.placement == Placement("xen", _settings(host="ssh://root@dom0", memory=512))
    with pytest.raises(SpecError, match="max-domains"):
        parse("xen: {max-domians: 3}\nweb:\n")


def test_every_setting_of_the_kernel_is_made_as_the_plan_has_it(made: Plan, tmp_path: Path) -> None:
    """By the lines of the initrd's own program; one of the settings has two words."""
    node = made.node("web1")
    assert any(" " in value for value in node.sysctls.values())
    for name in node.sysctls:
        (tmp_path / "proc/sys" / name.replace(".", "/")).parent.mkdir(parents=True, exist_ok=True)
    init = (assets.xen() / "guest" / "init").read_text(encoding="utf-8")
    loop = init[init.index('echo "$SYSCTLS"') :].partition("\ndone\n")[0] + "\ndone\n"
    subprocess.run(["sh", "-euc", f"root={tmp_path}\n{domain.assignments(made, node)}{loop}"], check=True)
    found = {name: (tmp_path / "proc/sys" / name.replace(".", "/")).read_text() for name in node.sysctls}
    assert found == {name: f"{value}\n" for name, value in node.sysctls.items()}


def test_a_verb_writes_a_file_to_the_disk_before_it_gets_its_name() -> None:
    """A host that is killed keeps names of files whose content was not written: the node would not boot with it."""
    for verb in sorted((assets.xen() / "verbs").iterdir()):
        lines = [line.strip() for line in verb.read_text(encoding="utf-8").splitlines()]
        for before, line in itertools.pairwise(lines):
            if line.startswith("mv "):
                draft = line.split()[1]
                assert before.startswith(f"sync {draft}"), f"{verb.name}: {line}"
