"""What backups do not have: each volume is kept, or listed as not kept; who leaves data out is warned."""

from __future__ import annotations

import pytest

from lab.recipes import manifest
from lab.recipes.manifest import roles
from lab.topology import parse

KEPT = {
    "mysql": {"data"},  # by dumps, and by the log
    "storage": {"bricks"},  # by the shared volumes' files
    "backup": {"backups"},  # they are the backups
}
BACKUP = "backup:\n"
SITE = "sites: {blog: {}}\n"
SHOP = "http-lb:\ntcp-lb:\napps: {shop: {image: shop, port: 80, writable: [/data, /more]}}\n"


@pytest.mark.parametrize("role", roles())
def test_each_volume_of_a_role_is_kept_or_listed_as_not_kept(role: str) -> None:
    own = manifest(role)
    volumes, unkept = set(own.merged("volumes")), {each.volume for each in own.own.unkept}
    assert volumes - KEPT.get(role, set()) == unkept


@pytest.mark.parametrize("role", roles())
def test_what_is_not_kept_names_roles_and_sections_that_exist(role: str) -> None:
    for each in manifest(role).own.unkept:
        assert each.unless in ("", *roles())
        assert each.asks in ("", "sites")


def _warnings(text: str) -> list[str]:
    return [line for line in parse(text).warnings if "in no backup" in line]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("web:\nmysql:\nstorage: {count: 3}\n" + BACKUP, []),
        ("web:\nmysql:\n", []),
        ("web:\nmysql:\n" + BACKUP, ["pictures of the guest book"]),
        ("web:\nmysql:\n" + SITE + BACKUP, ["pictures of the guest book", "files of sites"]),
        ("web:\nstorage:\n" + BACKUP, ["entries of the guest book"]),
        ("web:\nmysql:\nstorage:\n" + SHOP + BACKUP, ["'shop' writes to /data, /more"]),
        ("web:\nmysql:\nstorage:\n" + SHOP, []),
    ],
)
def test_a_topology_whose_data_is_in_no_backup_is_warned_of(text: str, parts: list[str]) -> None:
    warnings = _warnings(text)
    assert len(warnings) == len(parts)
    assert all(part in line for part, line in zip(parts, warnings, strict=True))
