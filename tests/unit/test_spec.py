"""What a person may write, and what is said when it is wrong."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml
from jsonschema.validators import validator_for

from lab import assets
from lab.errors import SpecError
from lab.topology import Cluster, find, load, name_in, parse, schema
from lab.topology.changes import ported, scaled

if TYPE_CHECKING:
    from pathlib import Path

    from jsonschema.protocols import Validator


def test_three_lines_are_a_cluster() -> None:
    made = parse("web:\nhttp-lb:\ntcp-lb:\n")
    assert {role: options.count for role, options in made.roles().items()} == {
        "web": 3,
        "http-lb": 2,
        "tcp-lb": 2,
        "client": 1,
    }


BAD = {
    "unknown key": ("wbe: {count: 3}", "line 1, wbe: unknown key 'wbe'; did you mean 'web'?"),
    "unknown key below": (
        "web:\nhttp-lb:\n  check: {intr: 1}",
        "line 3, http-lb.check.intr: unknown key 'intr'; did you",
    ),
    "unknown option": ("web: {cuont: 3}", "did you mean 'count'?"),
    "count of zero": ("web: {count: 0}", "line 1, web.count: input should be greater than or equal to 1, not 0"),
    "count in words": ("web: {count: three}", "not 'three'"),
    "count that is no number": ("web: {count: true}", "line 1, web.count: a whole number is expected, not True"),
    "empty": ("", "the topology is empty"),
    "only a comment": ("# nothing", "the topology is empty"),
    "a list": ("- web", "not a mapping"),
    "syntax": ("web: {count: 3\nhttp-lb:", "this is not valid YAML"),
    "tab": ("web:\n\tcount: 3", "line 2"),
    "twice": ("web:\nhttp-lb:\nweb:", "the key 'web' is duplicate\n  where: cluster.yaml, lines 1 and 3"),
    "a VIP outside": (
        "network: 10.1.0.0/24\nvip: 10.2.0.1\nweb:\nhttp-lb:\ntcp-lb:",
        "vip 10.2.0.1 is outside the network 10.1",
    ),
    "host bits": ("network: 10.1.0.5/24\nweb:", "line 1, network: input is not a valid IPv4 network"),
    "family": ("family: ubuntu\nweb:", "'auto', 'centos' or 'debian', not 'ubuntu'"),
    "name": ("name: My Cluster\nweb:", "lower-case letters"),
    "port": ("web:\nports: {site: 70000}", "line 2, ports.site: input should be less than or equal to 65535"),
    "engine": ("web:\nhttp-lb:\ntcp-lb: {engine: ivps}", "'haproxy' or 'ipvs', not 'ivps'"),
    "no role": ("name: x", "the cluster has no role"),
    "a balancer for nothing": ("http-lb:", "'http-lb' needs a 'web' role"),
    "a volume that is not declared": (
        "storage: {volumes: [home]}\nweb:",
        "which 'storage.volumes' does not have: home",
    ),
    "two copies": ("storage: {count: 2}\nweb:", "2 copies have no majority"),
    "four mysql nodes": ("mysql: {count: 4}", "less than or equal to 3"),
    "tcp-lb alone": ("web:\ntcp-lb:", "'tcp-lb' needs an 'http-lb', 'mysql' or 'shell' role"),
    "a role that is a list": ("web: [3]", "a mapping is expected here, with keys such as count"),
    "two clients": ("web:\nclient: {count: 2}", "input should be 1, not 2"),
    "an address that is none": ("web:\nnodes: {web1: {address: here}}", "line 2, nodes.web1.address"),
}


@pytest.mark.parametrize(("text", "said"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_said_with_its_place(text: str, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse(text, "cluster.yaml")
    assert said in str(caught.value)
    assert caught.value.exit_code == 2
    assert "cluster.yaml" in caught.value.where
    assert str(caught.value).count("\n") < 20, "one screen"


def test_a_bare_off_is_off() -> None:
    assert parse("web:\nports: {site: off}").ports.by_name()["site"] == "off"
    with pytest.raises(SpecError, match=r"ports\.site"):
        parse("web:\nports: {site: on}")


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(SpecError, match="has 3 problems"):
        parse("web: {count: 0}\nfamily: x\nnam: y")


def test_a_missing_file_and_one_that_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"there is no topology file nowhere\.yaml") as caught:
        find("nowhere.yaml")
    assert "full" in caught.value.next_step
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match="cannot read the topology"):
        load(tmp_path / "x.yaml")


def test_which_file_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find(None) == assets.topologies()["full"]
    assert find("stage1") == assets.topologies()["stage1"]
    (tmp_path / "cluster.yaml").write_text("name: mine\nweb:")
    assert load(find(None)).name == "mine"
    assert load(find(None), name="other", family=None).name == "other"


def test_a_name_is_found_in_any_file_that_has_one(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("name: there\nnonsense: 1")
    assert name_in(path) == "there"
    path.write_text("name: [broken")
    assert name_in(path) is None
    assert name_in(tmp_path / "gone") is None


@cache
def _known() -> Validator:
    """The schema, checked and read once."""
    own = json.loads(schema())
    kind = validator_for(own)
    kind.check_schema(own)
    return kind(own)


@pytest.mark.parametrize("name", assets.topologies())
def test_shipped_topologies_are_valid_and_fit_the_schema(name: str) -> None:
    path = assets.topologies()[name]
    assert isinstance(load(path), Cluster)
    _known().validate(yaml.safe_load(path.read_text()))


def test_the_schema_knows_what_the_models_refuse() -> None:
    _known().validate({"web": None, "http-lb": {"count": 2}})
    wrong: list[dict[str, Any]] = [{"wbe": {}}, {"web": {"count": 0}}, {"family": "ubuntu"}]
    for bad in wrong:
        with pytest.raises(jsonschema.ValidationError):
            _known().validate(bad)


def test_scale(full: Cluster) -> None:
    assert scaled(full, ["web=5", "http-lb=1"]).roles()["web"].count == 5
    for change, said in {
        "wbe=5": "did you mean 'web'?",
        "web=0": "1 or more",
        "web": "a name and a number",
        "web=-1": "a name and a number",
        "client=2": "exactly 1",
    }.items():
        with pytest.raises(SpecError, match=said):
            scaled(full, [change])


@pytest.mark.parametrize("network", ["127.0.0.0/24", "224.0.0.0/24", "169.254.1.0/24", "0.0.0.0/8", "240.0.0.0/24"])
def test_a_network_in_which_no_node_can_be_is_refused(network: str) -> None:
    with pytest.raises(SpecError, match="no node can have an address of"):
        parse(f"web:\nnetwork: {network}")


def test_port(full: Cluster) -> None:
    assert ported(full, ["site=off"]).ports.by_name()["site"] == "off"
    assert ported(full, ["site=off", "site=auto"]).ports.by_name()["site"] == "auto"
    with pytest.raises(SpecError, match="a number, auto or off") as digits:
        ported(full, ["site=\uff11\uff12"])
    assert "--port site=9443" in digits.value.next_step
    assert ported(full, ["site=9443"]).ports.by_name()["site"] == 9443
    for change, said in {"sit=1": "did you mean 'site'?", "site=70000": "1 to 65535", "site=x": "a number"}.items():
        with pytest.raises(SpecError, match=said):
            ported(full, [change])
