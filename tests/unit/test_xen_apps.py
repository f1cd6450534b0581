"""Applications as domains, without a Xen: what the initrd is told of an image, and where commands of the lab arrive."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest

from lab import assets
from lab.backends.xen import domain
from lab.backends.xen.backend import XenBackend
from lab.backends.xen.program import SETPRIV, Program
from lab.backends.xen.settings import Xen
from lab.backends.xen.ssh import Completed
from lab.errors import SpecError
from lab.plan import MANIFEST, Plan, plan
from lab.recipes.person import Person
from lab.topology import parse
from tests.unit.test_xen_backend import Remembering, dom0

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["dom0"]

TEXT = """
name: golden
network: 10.90.0.0/24
ports: {site: 8443}
web: {count: 1}
http-lb: {count: 1}
mysql: {count: 1}
apps:
  shop: {image: 'shop:1', port: 80, count: 1, database: true, env: {A: "it's"}, writable: [/var/lib/shop]}
"""
SHOP = Person(1000, 1001, (6, 8), "/home/shop")
CONFIG = {
    "Entrypoint": ["/usr/lib/lab/run"],
    "Cmd": ["gunicorn", "--bind", "0.0.0.0:80", "it's; rm -rf $HOME\n`id`"],
    "Env": ["PATH=/opt/bin:/bin", "A=1\n2 'x' $Y", "=odd", "odd"],
    "WorkingDir": "/srv/my shop",
    "Volumes": {"/data": {}, "/my data/": {}, "/": {}, "/proc/x": {}, "/a/../../etc/lab/x": {}, "/var/lib/shop": {}},
    "StopSignal": "SIGRTMIN+3",
    "User": "shop",
}


@pytest.fixture
def made() -> Plan:
    """A cluster with an application."""
    return plan(parse(TEXT), "debian")


@pytest.fixture
def program() -> Program:
    """What its image says."""
    return Program.read(CONFIG, SHOP)


def test_what_an_image_says_is_taken_and_the_domains_own_folders_are_not_given_away(program: Program) -> None:
    assert program.places == ("/data", "/my data", "/var/lib/shop")
    assert (program.signal, program.folder) == ("RTMIN+3", "/srv/my shop")
    bare = Program.read({"Cmd": ["/x"], "Volumes": None, "Env": None, "StopSignal": "x; reboot"}, Person())
    assert (bare.argv, bare.folder, bare.places, bare.signal) == (("/x",), "/", (), "TERM")


def test_what_the_initrd_is_told_survives_its_shell(made: Plan, program: Program) -> None:
    node = made.node("shop1")
    script = (
        domain.assignments(made, node, program) + 'printf "%s|" "$ENTRYPOINT" "$BESIDE" "$PERSON" "$FOLDER" "$PLACES"'
    )
    script += '; echo; echo "$OWNED"; echo "$VOLUMES"; echo "$SIGNAL"'
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    assert said.startswith("/run/lab/bin/application|xvdp|1000:1001|/srv/my shop|/data\n/my data|\n")
    owned, volumes, signal = said.splitlines()[-3:]
    assert set(owned.split()) == {"/etc/lab/ca.crt", "/etc/lab/environment", MANIFEST}
    assert (volumes, signal) == ("xvdc:/var/lib/shop", "RTMIN+3")
    told = subprocess.run(
        ["sh", "-c", domain.assignments(made, made.node("web1")) + 'echo "$BESIDE,$SIGNAL"'],
        capture_output=True,
        check=True,
    )
    assert told.stdout == b",\n", "no other node is an application"


def test_the_program_gets_the_images_own_words_user_and_environment(made: Plan, program: Program) -> None:
    """By a real shell: `printf` in the place of what sets the user, and each word on its own."""
    script = program.script(made.node("shop1")).replace(SETPRIV, "printf '%s\\0'", 1)
    done = subprocess.run(["sh", "-c", f"{script}become"], capture_output=True, text=True, check=True)
    words = done.stdout.split("\0")[:-1]
    assert words[:7] == ["--reuid", "1000", "--regid", "1001", "--groups", "6,8", "--no-new-privs"]
    bounds = next(word for word in words if word.startswith("--bounding-set="))
    assert bounds.startswith("--bounding-set=-all,+chown")
    assert "sys_admin" not in bounds
    at = words.index("-i")
    assert words[at + 1 : -5] == ["PATH=/opt/bin:/bin", "HOME=/home/shop", "HOSTNAME=shop1", "A=1\n2 'x' $Y", "=odd"]
    assert words[-5:] == ["/usr/lib/lab/run", *CONFIG["Cmd"]]
    assert "app_shop" not in script, "secrets are in a file of the node"


def test_a_root_that_is_nobody_special(made: Plan) -> None:
    script = Program.read({"Cmd": ["/x"]}, Person()).script(made.node("shop1"))
    assert "--reuid 0 --regid 0 --clear-groups --no-new-privs" in script
    assert "HOME=/ HOSTNAME=shop1 /x" in script


def test_its_domain_has_the_base_images_disk_beside_its_own(made: Plan) -> None:
    text = domain.config(made, made.node("shop1"), Xen(), "/store", "app-shop-1.ext4", "vmlinux-1", "base-1.ext4")
    config = {key: json.loads(value) for key, _, value in (line.partition(" = ") for line in text.splitlines())}
    assert config["disk"] == [
        "format=raw,vdev=xvda,access=r,target=/store/images/app-shop-1.ext4",
        "format=raw,vdev=xvdb,access=w,target=/store/clusters/golden/shop1/own.ext4",
        "format=raw,vdev=xvdc,access=w,target=/store/volumes/golden/shop1-var-lib-shop.ext4",
        "format=raw,vdev=xvdp,access=r,target=/store/images/base-1.ext4",
    ]


def test_more_volumes_than_disks_are_refused() -> None:
    many = ", ".join(f"/data/{number}" for number in range(14))
    made = plan(parse(TEXT.replace("/var/lib/shop", many)), "debian")
    with pytest.raises(SpecError, match="shop1 has 14 volumes, a domain takes 13"):
        domain.config(made, made.node("shop1"), Xen(), "/store", "a.ext4", "vmlinux-1", "base-1.ext4")


class Asked:
    """The way into a node: remembers commands."""

    def __init__(self) -> None:
        self.commands: list[str] = []

    def run(self, command: str, **_: object) -> Completed:
        self.commands.append(command)
        return Completed(0, b"", b"")

    def connect(self) -> None:
        """Does nothing."""

    def command(self, line: str, *, terminal: bool = False) -> list[str]:
        return [line, str(terminal)]


@pytest.fixture
def xen(dom0: Remembering, made: Plan, program: Program, monkeypatch: pytest.MonkeyPatch) -> tuple[XenBackend, Asked]:
    """The backend with a node of the application and one of a role, both running."""
    backend, way = XenBackend("golden", Xen()), Asked()
    monkeypatch.setattr(backend, "_program", lambda _: program)
    monkeypatch.setattr(backend, "_disk", lambda _, role: f"{role}-1.ext4")
    monkeypatch.setattr(backend.nodes, "link", lambda *_: way)
    monkeypatch.setattr(backend.nodes, "answers", lambda _: True)
    for name in ("shop1", "web1"):
        backend.create(made, made.node(name), {MANIFEST: (b"{}", 0o600)})
        backend.start(name)
    backend.observe()
    assert dom0.metadata.keys() == {"shop1", "web1"}
    return backend, way


@pytest.mark.parametrize(
    ("node", "begins"),
    [("shop1", ["/run/lab/bin/into timeout", "timeout", "/run/lab/bin/into cat"]), ("web1", ["timeout"] * 2 + ["cat"])],
)
def test_commands_are_run_in_the_applications_files_or_beside_them(
    xen: tuple[XenBackend, Asked], node: str, begins: Sequence[str]
) -> None:
    backend, way = xen
    backend.run(node, ["/usr/lib/lab/ready"])
    backend.run_in_network(node, ["nft", "list", "ruleset"])
    backend.get(node, "/etc/lab/app")
    assert [command.startswith(begin) for command, begin in zip(way.commands, begins, strict=True)] == [True] * 3
    assert way.commands[1].endswith("nft list ruleset")


def test_files_with_secrets_stay_the_applications_and_a_shell_is_that_of_the_tools(
    xen: tuple[XenBackend, Asked],
) -> None:
    backend, way = xen
    backend.put("shop1", {"/etc/lab/ca.crt": (b"", 0o600), "/etc/lab/hosts": (b"", 0o644)})
    (command,) = way.commands
    assert 'chown "$(/run/lab/bin/stat -c %u:%g /run/lab/printed)" /etc/lab/ca.crt' in command
    assert "/etc/lab/hosts" not in command
    assert backend.shell("shop1", ["/bin/bash"], terminal=True)[0] == "/run/lab/bin/into /usr/lib/lab/bin/sh"
    assert backend.shell("web1", ["/bin/bash"], terminal=True)[0] == "/bin/bash"
    backend.put("web1", {"/etc/lab/x": (b"", 0o600)})
    assert way.commands[-1] == domain.UNPACK


def test_every_program_of_the_initrd_is_good_shell() -> None:
    guest = assets.xen() / "guest"
    for path in (guest / "init", guest / "application", *sorted((guest / "bin").iterdir())):
        subprocess.run(["sh", "-n", str(path)], check=True)


SEAL = """
set -e
bin=/usr/lib/lab/bin root=$top/mnt/root tools=$top/tools
chroot() {
    case $2 in
        */mkdir) mkdir -p "$1$4" ;;
        */readlink) echo "$4" ;;
    esac
}
mount() {
    [ "$1 $2" != "--bind $root" ] || cp -a "$top/image/." "$3"
    [ "$1" != --bind ] || printf '%s\\t%s\\n' "$2" "$3" >> "$top/mounts"
}
sync() { :; }
mkfifo() { : > "$tools/printed"; }
"""


class Guest:
    """The files of a domain in a temporary folder, put together as by init; bind mounts are recorded."""

    def __init__(self, top: Path, volumes: Sequence[str]) -> None:
        self.top = top
        self.volumes = " ".join(f"xvdc:{volume}" for volume in volumes)
        for folder in ("tools", "image/srv/site/up", "mnt/root/srv/site/up", "mnt/own"):
            (top / folder).mkdir(parents=True)
        (top / "program").touch()
        for tree in ("image", "mnt/root"):
            (top / tree / "srv/site/index").write_text("of the image")
            (top / tree / "srv/site/later").write_text("of the image")
        (top / "mnt/root/srv/site/up/photo").write_text("of the volume that init mounted here")

    def seal(self, places: Sequence[str], before: str = "") -> int:
        """Runs `seal` as a boot does, by a real shell, and returns its exit code."""
        (self.top / "mounts").unlink(missing_ok=True)
        code = (assets.xen() / "guest" / "application").read_text(encoding="utf-8")
        code = code.replace("/mnt/", f"{self.top}/mnt/").replace(" /lab/program", f" {self.top}/program")
        told = {"top": str(self.top), "VOLUMES": self.volumes, "PLACES": "\n".join(places), "FOLDER": "/"}
        told["PERSON"] = f"{os.getuid()}:{os.getgid()}"
        lines = [f"{key}={shlex.quote(value)}" for key, value in told.items()]
        script = "\n".join([*lines, SEAL, code, before, "seal"])
        return subprocess.run(["/bin/sh", "-c", script], check=False).returncode

    def source(self, path: str) -> str:
        """Where that which is written at a path of the node lies: by the last mount at it or above it."""
        mounts = [line.split("\t") for line in (self.top / "mounts").read_text(encoding="utf-8").splitlines()]
        target = f"{self.top}/mnt/root{path}"
        above = [(source, at) for source, at in mounts if f"{target}/".startswith(f"{at}/")]
        return (above[-1][0] + target.removeprefix(above[-1][1])).removeprefix(f"{self.top}/mnt")


def test_a_writable_folder_in_a_volume_of_the_image_stays_the_nodes_volume(tmp_path: Path) -> None:
    guest = Guest(tmp_path, ["/srv/site/up", "/srv/sites"])
    for _ in ("the first boot", "a later one"):
        assert guest.seal(["/srv/site"]) == 0
        assert guest.source("/srv/site/index") == "/own/places/srv/site/index"
        assert guest.source("/srv/site/up/photo") == "/volumes/srv/site/up/data/photo"
        assert (tmp_path / "mnt/own/places/srv/site/index").read_text() == "of the image"
        assert not (tmp_path / "mnt/own/places/srv/site/up/photo").exists(), "a volume's data is not copied"
    assert "/srv/sites/data" not in (tmp_path / "mounts").read_text(), "it lies beside the folder, not in it"


def test_a_volume_of_the_image_in_a_writable_folder_begins_as_in_the_image(tmp_path: Path) -> None:
    guest = Guest(tmp_path, ["/srv"])
    assert guest.seal(["/srv/site/up", "/srv/site/new"]) == 0
    assert guest.source("/srv/site/up/x") == "/own/places/srv/site/up/x"
    assert list((tmp_path / "mnt/own/places/srv/site/up").iterdir()) == []
    assert guest.source("/srv/site/new/x") == "/own/places/srv/site/new/x", "the image has no such folder"
    assert "/volumes/srv/data" not in (tmp_path / "mounts").read_text()


def test_a_folder_half_copied_by_a_domain_that_was_killed_is_copied_anew(tmp_path: Path) -> None:
    guest = Guest(tmp_path, [])
    half = """cp() {
        case $2 in */srv/site) ;; *) command cp "$@"; return ;; esac
        into=$3
        [ ! -d "$into" ] || into=$into/site
        mkdir -p "$into"
        command cp "$2/index" "$into"
        exit 9
    }"""
    assert guest.seal(["/srv/site"], half) == 9
    assert not (tmp_path / "mnt/own/places/srv/site").exists()
    assert guest.seal(["/srv/site"]) == 0
    copied = tmp_path / "mnt/own/places/srv/site"
    assert sorted(path.name for path in copied.iterdir()) == ["index", "later", "up"]
    (copied / "index").write_text("of the program")
    assert guest.seal(["/srv/site"]) == 0
    assert (copied / "index").read_text() == "of the program", "a whole one is kept"


def test_a_volume_is_mounted_before_those_in_it_on_the_disk_that_its_place_in_the_topology_gives() -> None:
    made = plan(parse(TEXT.replace("/var/lib/shop", "/data/up, /data")), "debian")
    told = domain.assignments(made, made.node("shop1"), Program(argv=("/x",))) + 'echo "$VOLUMES"'
    said = subprocess.run(["sh", "-c", told], capture_output=True, text=True, check=True).stdout
    assert said == "xvdd:/data xvdc:/data/up\n"
