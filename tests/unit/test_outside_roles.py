"""A role that is a folder beside `cluster.yaml`: a role like any other, and one screen where it is not valid."""

from __future__ import annotations

import json
import pickle
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest
import yaml

from lab import assets
from lab.errors import SpecError
from lab.export.compose import document
from lab.export.graph import edges, svg
from lab.lifecycle.resolve import offline
from lab.lifecycle.sizes import UNKNOWN, sizes
from lab.plan import plan
from lab.recipes import recipe, roles
from lab.topology import Cluster, load, parse, schema
from lab.topology.changes import ported, scaled
from tests.attack.entrances import ENTRANCES

if TYPE_CHECKING:
    from lab.plan import Plan

EXAMPLE = Path(__file__).parents[2] / "docs/examples/cache"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the example: a topology, and the role `memcached` beside it."""
    return shutil.copytree(EXAMPLE, tmp_path / "cache")


@pytest.fixture
def cluster(folder: Path) -> Cluster:
    """The example's topology."""
    return load(folder / "cluster.yaml")


@pytest.fixture
def made(cluster: Cluster) -> Plan:
    """Its plan."""
    return plan(*offline(cluster))


def _change(folder: Path, old: str, new: str, file: str = "role.yaml") -> None:
    path = folder / "roles/memcached" / file
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    assets.use_roles(None)


def test_it_is_planned_as_any_other(made: Plan) -> None:
    nodes = made.role("memcached")
    assert [(node.name, node.address) for node in nodes] == [("memcached1", "10.90.0.91"), ("memcached2", "10.90.0.92")]
    assert (nodes[0].limits.memory, nodes[0].limits.processes) == (128, 60)
    files = {file.path: file.text for file in nodes[0].files}
    assert files["/etc/lab/memcached.conf"] == "items=32\nconnections=1024\n"
    assert "10.90.0.91 memcached1" in files["/etc/lab/hosts"]
    assert "10.90.0.91 memcached1" in next(f.text for f in made.node("web1").files if f.path == "/etc/lab/hosts")


def test_the_balancers_lead_to_it_and_the_client_publishes_it(made: Plan) -> None:
    text = next(file.text for file in made.node("tcp-lb1").files if file.path == "/etc/lab/haproxy.cfg")
    own = text.partition("listen memcached")[2].partition("\nlisten ")[0]
    assert "bind :11211" in own
    assert "default-server check port 11211 inter" in own, "no PROXY protocol, and no HTTP: it speaks neither"
    assert "httpchk" not in own
    assert "server memcached2 10.90.0.92:11211" in own
    assert {"memcached": "memcached://localhost:11211"}.items() <= {e.name: e.url for e in made.endpoints}.items()
    assert ("tcp-lb1", "memcached1") in edges(made)
    assert "memcached1" in svg(made)
    assert "tcp dport { 11211 } accept" in next(
        f.text for f in made.node("web1").files if f.path.endswith("egress.nft")
    )


def test_options_have_types_defaults_and_bounds(folder: Path) -> None:
    path = folder / "cluster.yaml"
    path.write_text("web:\nmemcached:\n", encoding="utf-8")
    bare = load(path)
    assert bare.roles()["memcached"].count == 2
    for text, said in {
        "memcached: {items: 4}": "greater than or equal to 8",
        "memcached: {items: many}": "a whole number is expected",
        "memcached: {itmes: 64}": "did you mean 'items'?",
        "memcached: {count: 10}": "less than or equal to 9",
        "memcache: {}": "did you mean 'memcached'?",
    }.items():
        path.write_text(f"web:\n{text}\n", encoding="utf-8")
        with pytest.raises(SpecError) as caught:
            load(path)
        assert said in str(caught.value)
        assert "line 2" in str(caught.value)


def test_the_schema_the_command_line_and_compose_know_it(cluster: Cluster, made: Plan) -> None:
    known = json.loads(schema())
    jsonschema.validate({"memcached": {"items": 64}, "web": None, "ports": {"memcached": 11212}}, known)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"memcached": {"items": "x"}}, known)
    assert ported(cluster, ["memcached=off"]).ports.by_name()["memcached"] == "off"
    assert len(plan(*offline(scaled(cluster, ["memcached=3"]))).role("memcached")) == 3
    services = yaml.safe_load(document(made))["services"]
    assert services["memcached1"]["image"].endswith("/memcached:debian")


@pytest.mark.parametrize("family", ["debian", "centos"])
def test_its_image_is_a_recipe_named_by_its_content(folder: Path, cluster: Cluster, family: str) -> None:
    del cluster
    before = recipe("memcached", family)
    assert "memcached" in before.dockerfile
    assert "rootfs/usr/lib/lab/ready.d/memcached" in before.context
    _change(folder, "Does it answer?", "Does it answer now?", "rootfs/usr/lib/lab/ready.d/memcached")
    load(folder / "cluster.yaml")
    assert recipe("memcached", family).tag != before.tag


def test_what_it_takes_is_asked_for(made: Plan) -> None:
    from lab.backends.base import Existing

    memory, _ = sizes(made, Existing(), UNKNOWN)
    assert memory.nodes > 2 * 25


def test_a_topology_goes_to_another_process_with_its_role(cluster: Cluster) -> None:
    """As the nemesis does it with an `up` that it kills."""
    sent = pickle.dumps(cluster)
    assets.use_roles(None)
    there = pickle.loads(sent)  # noqa: S301  its own
    assert there.model_dump() == cluster.model_dump()
    assert there.source == cluster.source
    assert plan(*offline(there)).role("memcached")
    full = load(assets.topologies()["full"])
    assert pickle.loads(pickle.dumps(full)) == full  # noqa: S301  its own


def test_a_frontend_is_not_full_because_of_another(made: Plan) -> None:
    text = next(file.text for file in made.node("tcp-lb1").files if file.path == "/etc/lab/haproxy.cfg")
    first, *others = [int(number) for number in re.findall(r"^    maxconn (\d+)$", text, re.MULTILINE)]
    assert first > sum(others)


def test_it_is_there_for_its_own_topology_alone(cluster: Cluster) -> None:
    del cluster
    assert "memcached" in roles()
    load(assets.topologies()["stage1"])
    assert "memcached" not in roles()
    with pytest.raises(SpecError, match="unknown key 'memcached'"):
        parse("web:\nmemcached:\n")
    assert set(roles()) == ENTRANCES.keys()


BAD = {
    "a key that is none": ("summary:", "sumary:", "unknown key 'sumary'; did you mean 'summary'?"),
    "YAML that is none": ("software: [memcached]", "software: [memcached", "not valid YAML"),
    "no addresses": ("slots: [91, 99]\n", "", "it has no addresses"),
    "addresses of another role": ("slots: [91, 99]", "slots: [91, 101]", "'web' has the addresses 101 to 250"),
    "addresses of nobody": ("slots: [91, 99]", "slots: [0, 1]", "are not addresses of nodes"),
    "an option of every role": ("  items:", "  memory:", "its option 'memory' is one of every role"),
    "an option without a default": ("default: 64, ", "", "'default' is missing here"),
    "a type that is none": ("{type: int, default: 64", "{type: number, default: 64", "options.items.type"),
    "software that no family knows": (
        "software: [memcached]",
        "software: [redis]",
        "does not know its software: redis",
    ),
    "a part that is none": ("software: [memcached]", "software: [memcached]\nparts: [moun]", "a part 'moun'"),
    "a published name of another role": ("publishes:\n  memcached:", "publishes:\n  ssh:", "the name 'ssh'"),
    "a port inside that another role publishes": (
        "memcached: {port: 11211, usual",
        "memcached: {port: 80, usual",
        "the port 80 is that of the role 'web'",
    ),
    "a port of the lab's own": (
        "balanced:\n  memcached: {port: 11211",
        "balanced:\n  memcached: {port: 53",
        "the lab's own",
    ),
    "a requirement by no option": (
        "publishes:",
        "requires: [{any: [web], option: nope, says: x}]\npublishes:",
        "'nope' is none of its options",
    ),
    "a URL with an unknown place": (
        '"memcached://localhost:{}"',
        '"memcached://{host}:{}"',
        "a place that nothing fills",
    ),
    "a formula that is none": ('memory: "96 + items"', 'memory: "96 + ("', "formulas of its limits"),
    "a formula of an option that is none": ('memory: "96 + items"', 'memory: "96 + itmes"', "formulas of its limits"),
    "bounds of a text": (
        "{type: int, default: 64, least: 8",
        "{type: text, default: x, least: 8",
        "has no least or most",
    ),
    "an option that is no name": ("  items: {", "  _items: {", "or no name"),
    "an option that models have": ("  items: {", "  copy: {", "is one of every role, or no name"),
    "no such listener": ("idle: 1h, proxy", "idle: 1h, instead: nope, proxy", "none of its balanced ports"),
    "a certificate with an unknown place": (
        "publishes:",
        'certificate: ["{nope}"]\npublishes:',
        "a place that nothing fills",
    ),
    "a port of another role": (
        "balanced:\n  memcached: {port: 11211",
        "balanced:\n  cache: {port: 443",
        "the port 443 is that of the role 'http-lb'",
    ),
}


@pytest.mark.parametrize(("old", "new", "said"), BAD.values(), ids=BAD)
def test_a_role_that_is_not_valid_is_one_screen_with_its_file(folder: Path, old: str, new: str, said: str) -> None:
    _change(folder, old, new)
    with pytest.raises(SpecError) as caught:
        load(folder / "cluster.yaml")
    assert said in str(caught.value)
    assert "roles/memcached/role.yaml" in caught.value.where
    assert caught.value.next_step
    assert str(caught.value).count("\n") < 12


@pytest.mark.parametrize("name", ["web", "base", "parts", "network", "node1", "Cache"])
def test_a_name_that_is_taken_or_none_is_refused(folder: Path, name: str) -> None:
    (folder / "roles/memcached").rename(folder / "roles" / name)
    assets.use_roles(None)
    if name == "web":
        assert load_error(folder) == "", "the lab's own role comes first: the folder is not looked at"
    else:
        assert "its name is taken, or is none" in load_error(folder)


def load_error(folder: Path) -> str:
    """What is wrong with a topology that does not name the role."""
    path = folder / "cluster.yaml"
    path.write_text("web:\n", encoding="utf-8")
    try:
        load(path)
    except SpecError as error:
        return str(error)
    return ""


def test_a_table_of_software_that_is_not_valid_is_named(folder: Path) -> None:
    _change(folder, "packages: [memcached]", "packges: [memcached]", "families/debian.yaml")
    assert "families/debian.yaml" in load_error(folder)
    _change(folder, "software:\n  memcached:", "software:\n  httpd:", "families/centos.yaml")
    shutil.copy(EXAMPLE / "roles/memcached/families/debian.yaml", folder / "roles/memcached/families/debian.yaml")
    assert "the software 'httpd' has two entries" in load_error(folder)
