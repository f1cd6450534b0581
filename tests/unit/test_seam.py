"""The seam to engines: small, the same for all, and open: another backend is one folder and one entry point."""

from __future__ import annotations

import ast
import json
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from lab import assets, paths
from lab.backends import kinds, optional
from lab.backends.base import Backend, Capabilities
from lab.backends.memory import MemoryBackend
from lab.backends.xen import host
from lab.backends.xen.backend import XenBackend
from lab.clock import REAL
from lab.errors import SpecError, Unable
from lab.faults import kinds as faults
from lab.faults.injection import inject, present
from lab.lifecycle.down import down
from lab.lifecycle.status import status
from lab.lifecycle.up import up
from lab.progress import Silent
from lab.testing import plugin
from lab.topology import parse, placement, schema
from lab.topology.cluster import cluster_model
from tests.unit.sources import nodes
from tests.unit.stranger import NAME, Stranger, installed

if TYPE_CHECKING:
    from collections.abc import Iterator

LAB = Path(__file__).parents[2] / "lab"
ENGINE = {
    *("capabilities", "observe", "create", "start", "stop", "kill", "pause", "remove", "clear", "run", "put", "get")
}
"""What every engine does with nodes."""

OPTIONAL = ["Images", "Notes", "NetworkTools", "Logs", "Consoles", "Shells", "Endpoints"]


def _imports(path: Path) -> Iterator[str]:
    """The modules that a file imports, those of type checking too."""
    for node in nodes(path):
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{name.name}" for name in node.names)
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


def _importing(folder: str, *modules: str) -> dict[str, set[str]]:
    """The files of a folder that import one of these modules, or what is in them."""
    found = {}
    for path in sorted((LAB / folder).rglob("*.py")):
        bad = {one for one in _imports(path) if any(one == m or one.startswith(f"{m}.") for m in modules)}
        if bad:
            found[str(path.relative_to(LAB))] = bad
    return found


def test_a_backend_is_what_an_engine_does_with_nodes() -> None:
    methods = {name for name, value in vars(Backend).items() if callable(value) and not name.startswith("_")}
    assert methods == ENGINE
    assert len(methods) <= 12


def test_backends_know_nothing_of_each_other_nor_building_of_them() -> None:
    assert _importing("backends/xen", "lab.backends.docker") == {}
    assert _importing("backends/docker", "lab.backends.xen") == {}
    assert _importing("building", "lab.backends.docker", "lab.backends.xen") == {}
    assert _importing("engine", "lab.backends.docker", "lab.backends.xen", "lab.building") == {}


def test_only_the_command_line_and_its_own_folder_import_a_backend() -> None:
    own = ("backends/docker/", "backends/xen/", "cli/xen.py")
    found = _importing(".", "lab.backends.docker", "lab.backends.xen", "lab.backends.memory")
    assert {path: names for path, names in found.items() if not path.startswith(own)} == {}


def test_no_backend_knows_the_client_by_its_role() -> None:
    found = {}
    for path in sorted((LAB / "backends").rglob("*.py")):
        lines = [node.lineno for node in nodes(path) if isinstance(node, ast.Constant) and node.value == "client"]
        if lines:
            found[path.name] = lines
    assert found == {}


class Bare:
    """A backend that does what all do, and nothing else."""

    name, clock = "bare", REAL

    def __init__(self) -> None:
        self.cluster = "bare"
        inner = MemoryBackend("bare", Capabilities("bare", frozenset({"nf_tables"})))
        for verb in ENGINE:
            setattr(self, verb, getattr(inner, verb))

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...  # noqa: ANN401


def test_a_backend_without_any_optional_part_carries_a_cluster() -> None:
    bare, cluster = Bare(), parse("name: bare\nweb: {count: 2}\n")
    assert len(up(cluster, bare, Silent()).changes) == 3
    assert up(cluster, bare, Silent()).changes == []
    assert status(bare).ready
    assert present(bare) == []
    assert down(bare, Silent(), volumes=True) == 3


@pytest.mark.parametrize("part", OPTIONAL)
def test_what_a_backend_lacks_is_said_by_who_asks_for_it(part: str) -> None:
    protocol = getattr(optional, part)
    ask = getattr(optional, {"NetworkTools": "network_tools"}.get(part, part.lower()))
    with pytest.raises(Unable, match="the backend 'bare' ") as caught:
        ask(Bare())
    assert caught.value.exit_code == 2
    whole = MemoryBackend("golden")
    assert isinstance(whole, protocol) is (part != "Consoles")


def test_a_fault_needs_notes() -> None:
    bare = Bare()
    up(parse("name: bare\nweb: {count: 1}\n"), bare, Silent())
    with pytest.raises(Unable, match="keeps no notes"):
        inject(bare, faults.fault({"kind": "kill", "nodes": ["web1"]}))
    assert status(bare).ready


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[Stranger]:
    """A backend of another package, installed as long as the test takes."""
    with installed(tmp_path) as package:
        yield package


@pytest.mark.slow("starts Python in an environment of its own")
def test_a_third_backend_is_one_folder_and_one_entry_point(stranger: Stranger) -> None:
    made = stranger.process("up")
    assert made.returncode == 0, made.stderr
    assert "cluster own on chest-of-drawers, debian: ready" in made.stdout
    found = json.loads(stranger.process("status", "--json").stdout)
    assert (found["backend"], found["ready"]) == (NAME, True)
    assert [node["name"] for node in found["nodes"]] == ["client", "web1", "web2"]
    assert stranger.lab("kill", "web1").returncode == 0
    assert json.loads(stranger.lab("status", "--json").stdout)["ready"] is False
    assert "web1" in stranger.lab("plan").stdout
    assert stranger.lab("up", "--scale", "web=1").returncode == 0
    assert stranger.lab("down", "--volumes").returncode == 0
    assert json.loads(stranger.lab("status", "--json").stdout)["nodes"] == []


def test_its_settings_are_a_section_of_cluster_yaml_and_checked_as_all_are(stranger: Stranger) -> None:
    text = stranger.topology.read_text(encoding="utf-8")
    stranger.topology.write_text(text.replace("folder:", "foldr:"), encoding="utf-8")
    refused = stranger.lab("plan")
    assert refused.returncode == 2
    assert "line 3, chest-of-drawers.foldr: unknown key 'foldr'; did you mean 'folder'?" in refused.stderr
    refused = stranger.lab("status")  # needs no valid topology, and this section all the same
    assert (refused.returncode, "'chest-of-drawers.folder' is not valid" in refused.stderr) == (2, True)
    model = json.loads(stranger.lab("schema").stdout)
    assert NAME in model["properties"]
    assert model["properties"]["backend"]["enum"][:2] == ["docker", "xen"]
    assert NAME in model["properties"]["backend"]["enum"]


def test_it_is_chosen_on_the_command_line_and_looked_at_by_the_doctor(stranger: Stranger) -> None:
    text = stranger.topology.read_text(encoding="utf-8")
    stranger.topology.write_text(text.replace(f"backend: {NAME}\n", ""), encoding="utf-8")
    assert stranger.lab("plan").returncode == 2, "there is no Docker engine"
    done = stranger.lab("plan", "--backend", NAME, "--host", "ssh://anywhere")
    assert (done.returncode, "create" in done.stdout) == (0, True)
    told = stranger.lab("doctor", "--backend", NAME)
    assert "chest" in told.stdout
    assert "mmdebstrap" not in told.stdout, "its nodes are made of no images"
    stranger.topology.unlink()
    assert "'chest-of-drawers.folder' is not valid: 'folder' is missing" in stranger.lab("up", "--backend", NAME).stderr


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("broken", "the backend 'broken' can't be used: ModuleNotFoundError"),
        ("odd", "the backend 'odd' can't be used: json:JSONDecoder is no BackendKind"),
        ("chest-of-drawer", "there is no backend 'chest-of-drawer'\n  where: backend\n  what to do: did you mean"),
    ],
)
def test_a_package_that_can_not_be_used_is_named_and_in_nobodys_way(stranger: Stranger, name: str, said: str) -> None:
    refused = stranger.lab("status", "--backend", name)
    assert refused.returncode == 2
    assert said in refused.stderr
    assert stranger.lab("plan").returncode == 0


def test_a_kind_with_settings_of_another_type_is_in_nobodys_way(monkeypatch: pytest.MonkeyPatch) -> None:
    class OddKind(kinds.BackendKind):
        settings = dict  # type: ignore[assignment]

    point = SimpleNamespace(name="oddly-set", value="odd:Kind", dist=None, load=lambda: OddKind)
    monkeypatch.setattr(kinds, "_registered", lambda: {"oddly-set": point})
    with pytest.raises(SpecError, match="the 'settings' of odd:Kind are no subclass of Settings"):
        kinds.kind("oddly-set")
    assert "oddly-set" in kinds.names()
    assert "oddly-set" not in kinds.usable()


def test_a_package_with_the_name_of_a_key_is_in_nobodys_way(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    point = SimpleNamespace(name="web", value="web:Kind", dist=None, load=lambda: kinds.BackendKind)
    every = {**kinds._registered(), "web": point}  # noqa: SLF001
    monkeypatch.setattr(kinds, "_registered", lambda: every)
    cluster_model.cache_clear()  # type: ignore[attr-defined]
    try:
        assert parse("web: {count: 2}\n").web.count == 2  # type: ignore[union-attr]
        with pytest.raises(SpecError, match="can't be called 'web', which is a key") as refused:
            placement(tmp_path / "none", "web", None)
        assert "rename" in refused.value.next_step
        with pytest.raises(SpecError, match="backend"):
            parse("backend: web\nweb:\n")
    finally:
        cluster_model.cache_clear()  # type: ignore[attr-defined]
        kinds.kind.cache_clear()


def test_the_tests_of_a_backend_take_its_settings_from_their_topology(tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text("backend: docker\nxen: {host: 'ssh://a', memory: 512}\nweb:\n", encoding="utf-8")
    given = {"--backend": "xen", "--host": None, "--topology": str(file)}
    (tmp_path / "own").mkdir()
    assets.use_roles(tmp_path / "own")
    try:
        found = plugin.place(SimpleNamespace(getoption=given.get))  # type: ignore[arg-type]
        assert (found.backend, found.settings.memory, found.settings.host) == ("xen", 512, "ssh://a")  # type: ignore[union-attr]
        assert assets.outside() == tmp_path / "own", "the roles in use stay"
        given["--host"] = "ssh://b"
        assert plugin.place(SimpleNamespace(getoption=given.get)).settings.host == "ssh://b"  # type: ignore[arg-type,union-attr]
    finally:
        assets.use_roles(None)


def test_nothing_of_the_lab_names_it() -> None:
    texts = [path for path in LAB.rglob("*") if path.suffix in (".py", ".yaml")]
    assert texts
    assert not [path for path in texts if NAME in path.read_text(encoding="utf-8")]
    assert not _importing(".", "lab.backends.memory")


def test_the_labs_own_are_of_the_same_kind() -> None:
    assert list(kinds.usable())[:2] == ["docker", "xen"]
    assert all(isinstance(kinds.kind(name), kinds.BackendKind) for name in kinds.OWN)
    with pytest.raises(SpecError, match="there is no backend 'dokcer'") as caught:
        kinds.kind("dokcer")
    assert "docker" in caught.value.next_step


def test_what_xen_made_of_images_is_left_over_once_the_image_is_another() -> None:
    kind = kinds.kind("xen")
    assert {name.partition(":")[0].rpartition("/")[2] for name in kind.tool_images()} == {"xen-guest", "xen-host"}
    for digest in ("a" * 16, "b" * 16):
        (paths.disks() / f"web-{digest}-0123ab.ext4").touch()
    found = {one.name: one.why for one in kind.made_of_images(frozenset({"a" * 64}))}
    assert found == {f"web-{'a' * 16}-0123ab.ext4": "for Xen domains", f"web-{'b' * 16}-0123ab.ext4": ""}
    assert not kind.vital(kinds.defaults("xen")), "a nested host that is not booted is no defect"


def test_a_backend_that_has_to_be_told_something_says_what(monkeypatch: pytest.MonkeyPatch) -> None:
    class Needy(kinds.Settings):
        folder: str

    class NeedyKind(kinds.BackendKind):
        settings = Needy

    monkeypatch.setattr(kinds, "kind", lambda _: NeedyKind())
    with pytest.raises(SpecError, match="the backend 'needy' needs settings: folder"):
        kinds.defaults("needy")


def test_a_host_means_the_backend_that_has_one(tmp_path: Path) -> None:
    assert kinds.by_host() == "xen"
    assert placement(tmp_path / "none", None, "ssh://a").backend == "xen"
    assert placement(tmp_path / "none", "docker", "ssh://a").settings is None, "Docker's is chosen as its client does"
    assert "xen" in json.loads(schema())["properties"]


def test_many_starts_at_once_share_one_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """One semaphore, whichever thread is first."""
    xen = object.__new__(XenBackend)
    xen._starts, xen._starts_lock = None, threading.Lock()
    xen.dom0 = None  # type: ignore[assignment]
    both = threading.Barrier(8)

    def facts(_: object) -> host.Facts:
        return host.Facts("4.17", 2, 1, 1, keeps_consoles=True, routes=())

    monkeypatch.setattr(host, "facts", facts)
    found = []

    def ask() -> None:
        both.wait()
        found.append(xen._at_once())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1
