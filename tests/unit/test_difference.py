"""The difference between the lab's file and the person's leaves out what the lesson asks for, and nothing else."""

from __future__ import annotations

import pytest

from lab.learning.difference import expected, unified

ROUTER = "    virtual_router_id "
LAB = ["vrrp_instance VI {", f"{ROUTER}51", "    priority 200", "}"]


@pytest.mark.parametrize(
    ("mine", "demanded", "different"),
    [
        (LAB, [], []),
        ([LAB[0], "  virtual_router_id 75", *LAB[2:]], ["virtual_router_id 75"], []),
        (
            [LAB[0], "    virtual_router_id 76", *LAB[2:]],
            [],
            ["-    virtual_router_id 51", "+    virtual_router_id 76"],
        ),
        (
            [LAB[0], "    virtual_router_id 175", *LAB[2:]],
            [],
            ["-    virtual_router_id 51", "+    virtual_router_id 175"],
        ),
        ([*LAB, "banner islet"], ["banner islet"], []),
        ([*LAB, "banner amber"], [], ["+banner amber"]),
        ([*LAB, "banner islet", "x"], [], ["+banner islet", "+x"]),
        (
            ["# of my own", "    virtual_router_id 75", "    priority 75", "    nopreempt"],
            ["virtual_router_id 75", "priority 75"],
            ["-vrrp_instance VI {", "+# of my own", "-}", "+    nopreempt"],
        ),
        (["75"], [], [*(f"-{line}" for line in LAB), "+75"]),
    ],
)
def test_what_a_lesson_asks_for_is_no_difference(mine: list[str], demanded: list[str], different: list[str]) -> None:
    lab, adopted = expected(LAB, mine, [75, "islet"])
    assert adopted == demanded
    diff = unified(lab, mine, "/x", "web1").splitlines()
    assert [line for line in diff[2:] if line[0] in "+-"] == different
    assert diff[:1] == (["--- the lab's /x"] if different else [])


def test_a_lesson_without_values_leaves_the_file_as_it_is() -> None:
    assert expected(LAB, ["a"], []) == (LAB, [])
