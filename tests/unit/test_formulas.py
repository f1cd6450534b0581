"""A bound has one source, the formula in `role.yaml`: no copy of it, and every number in the documents follows it."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.errors import SpecError
from lab.evidence.promises import Promise, promise, promises
from lab.recipes.declared import Fragment
from lab.topology import HealthCheck, HttpLb, Mysql, Storage, TcpLb, parse
from tests.unit.conftest import WHOLE
from tests.unit.sources import nodes

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
WITH_FORMULA = {name: one for name, one in promises().items() if one.declared.formula}
GALERA = WHOLE.replace("mysql: {count: 3", "mysql: {topology: galera, count: 3")
TIMERS = {"inter", "fastinter", "fall", "rise", "advert_int", "patience", "ping_timeout", "answer_timeout"}
DOCUMENTS = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]


def _bound(one: Promise, topology: str = WHOLE) -> float:
    bound = one.bound(parse(topology))
    assert bound is not None
    return bound


@pytest.mark.parametrize("one", WITH_FORMULA.values(), ids=WITH_FORMULA.keys())
def test_a_formula_is_no_number(one: Promise) -> None:
    """Other options give another bound: a number in the place of a formula would not."""
    other = WHOLE
    slow = "check: {inter: 1, fastinter: 0.7, timeout: 3}"
    for role, options in {
        "http-lb: {count: 2": f"{slow}, answer-timeout: 9",
        "tcp-lb: {count: 2": f"{slow}, advert-int: 1",
        "storage: {count: 3": "ping-timeout: 20",
        "mysql: {count: 3": "patience: 9",
    }.items():
        assert role in other
        other = other.replace(role, f"{role}, {options}")
    assert _bound(one, other) > _bound(one)


def test_pools_are_left_and_entered_by_one_formula() -> None:
    """The same daemon watches web nodes and balancers."""
    for one, same in (("web-node-leaves", "http-lb-leaves"), ("web-node-returns", "http-lb-returns")):
        assert promise(one).formula == promise(same).formula
    assert promise("http-lb-dies").formula == promise("http-lb-leaves").formula
    assert promise("mysql-fails-over").declared.where["silent"] == promise("http-lb-leaves").formula


def _copies(path: Path) -> Iterator[str]:
    for node in nodes(path):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
            for side in (node.left, node.right):
                if isinstance(side, ast.Attribute) and side.attr in TIMERS:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}"


def test_no_formula_is_copied() -> None:
    """Timers are multiplied nowhere but in `role.yaml`: whoever wants a bound asks the promise for it."""
    files = [path for folder in ("lab", "bench", "tests") for path in sorted((ROOT / folder).rglob("*.py"))]
    assert [copy for path in files for copy in _copies(path)] == []


def test_the_writable_node_is_replaced_in_ten_seconds_as_shipped() -> None:
    assert _bound(promise("mysql-fails-over")) <= 10
    galera = WHOLE.replace("mysql: {count: 3}", "mysql: {count: 3, topology: galera}")
    assert _bound(promise("mysql-fails-over"), galera) <= 10


def test_who_is_slow_to_leave_the_pool_holds_up_the_new_writable_node() -> None:
    """Where the balancers check more slowly than the nodes elect, no election is won before their checks are over."""
    slow = WHOLE.replace("tcp-lb: {count: 2}", "tcp-lb: {count: 2, check: {inter: 20, timeout: 5}}")
    check = 20 + 3 * 5 + 2 * 0.1
    silence, rest = check + 2 * 0.2, 2 / 2 + 2 + 5 * 0.2 + 0.1
    assert _bound(promise("mysql-fails-over"), slow) == pytest.approx(silence + rest)


def test_the_table_of_promises_has_each_formula_and_its_value() -> None:
    text = (ROOT / "docs/promises.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([a-z-]+)` \|(.*)$", text, re.MULTILINE))
    for name, one in promises().items():
        stated = f"`{one.declared.formula}` = {_bound(one):.2f} s" if name in WITH_FORMULA else "|  |"
        assert stated in rows[name], f"{name}: {stated}"
        for part, expression in one.declared.where.items():
            assert f"`{part}` = `{expression}`" in text, f"{name}: {part}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_formula_in_a_document_has_its_value(path: Path) -> None:
    """Wherever a document gives a promise's value, it says `name`: N s; and it gives none in another form."""
    text = path.read_text(encoding="utf-8")
    for name, value, galera in re.findall(r"`([a-z-]+)`: ([\d.]+) s(?:, with Galera ([\d.]+) s)?", text):
        assert f"{_bound(promise(name)):.2f}" == value, f"{path.name}: {name}"
        assert galera in {"", f"{_bound(promise(name), GALERA):.2f}"}, f"{path.name}: {name} with Galera"
    assert not re.findall(r"formula:? [\d.]+ s", text)


def test_the_options_that_the_formulas_are_shown_with_are_those_that_ship() -> None:
    text = (ROOT / "docs/promises.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"As shipped: (.*?)\n\n", text, re.DOTALL)
    check, balancer = HealthCheck(), TcpLb().check
    wanted = {
        "inter": check.inter, "fastinter": check.fastinter, "timeout": check.timeout, "advert_int": TcpLb().advert_int,
        "answer_timeout": HttpLb().answer_timeout, "ping_timeout": Storage().ping_timeout, "patience": Mysql().patience,
    }  # fmt: skip
    assert {name: float(value) for name, value in re.findall(r"`(\w+)` ([\d.]+) s", shown)} == wanted
    assert f"`fall` {check.fall} (web nodes) or {balancer.fall} (servers behind the TCP balancers)" in shown
    assert f"`rise` {check.rise}" in shown
    assert (balancer.inter, balancer.fastinter, balancer.timeout) == (check.inter, check.fastinter, check.timeout)


def test_every_key_of_a_manifest_is_explained() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text.partition("| key of role.yaml")[2].partition("\n\n")[0]
    explained = {key for row in table.splitlines()[2:] for key in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert explained == set(Fragment.model_fields)


def test_a_name_that_two_places_give_is_refused() -> None:
    """`count` is an option of every role: which one a formula means must not depend on the order of the places."""
    declared = promise("vip-moves").declared.model_copy(update={"of": "tcp-lb mysql"})
    with pytest.raises(SpecError, match="reads 'count' ambiguously: tcp-lb mysql"):
        Promise("vip-moves", "tcp-lb", declared).bound(parse(WHOLE))
