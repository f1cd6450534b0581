"""Families and recipes: complete, alike where they must be, and named by their content."""

from __future__ import annotations

import subprocess

import pytest

from lab.errors import SpecError
from lab.recipes import families, family, manifest, recipe, roles
from lab.recipes.facts import facts
from lab.recipes.recipe import Entry, Recipe


def test_centos_comes_first() -> None:
    assert families() == ["centos", "debian"]


def test_the_tables_of_all_families_have_the_same_entries() -> None:
    first, *others = [family(name) for name in families()]
    for other in others:
        assert set(other.software) == set(first.software)
        for key, software in first.software.items():
            twin = other.software[key]
            for field in ("users", "groups", "files", "versions"):
                assert set(getattr(twin, field)) == set(getattr(software, field)), f"{key}.{field}"
            assert bool(twin.modules_dir) == bool(software.modules_dir)
            if key != "clients":  # which load generator there is differs, and the table says why
                assert set(twin.binaries) == set(software.binaries), key


@pytest.mark.parametrize(
    ("installed", "code"),
    [("1:2.6.12-1+deb12u4", 0), ("2.6.12", 0), ("2.10.0-1", 0), ("1:2.6.9-1", 1), ("2.4.22", 1)],
)
def test_a_package_that_is_older_than_the_table_says_is_a_wrong_fact(installed: str, code: int) -> None:
    table = family("debian").model_copy(update={"installed": f"test {{package}} = haproxy && echo {installed}"})
    command = dict(facts("http-lb", table))["haproxy: haproxy 2.6.12 or later"]
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (code, f"{installed}\n"), "what is there is told, too"


@pytest.mark.parametrize("name", families())
@pytest.mark.parametrize("role", ["base", *roles()])
def test_every_recipe_can_be_made(role: str, name: str) -> None:
    made = recipe(role, name)
    table = family(name)
    assert made.tag.startswith(f"www-cluster-lab/{role}:{name}-")
    inherited = set() if role == "base" else set(manifest("base").software)
    for software in set(manifest(role).software) - inherited:
        for package in table.software[software].packages:
            assert f" {package}" in made.dockerfile
    assert "--mount" not in made.dockerfile, "the classic builder knows no BuildKit syntax"
    assert (made.context == {}) is (role == "base")


def test_every_capability_says_why() -> None:
    for role in roles():
        for name, why in manifest(role).merged("capabilities").items():
            assert len(why) > 3, f"{role}: {name}"
            # Only who keeps the shared filesystem or mounts it, and then only where there is one.
            assert name != "SYS_ADMIN" or role in ("storage", "web", "shell", "mail", "backup")
    assert "SYS_ADMIN" not in manifest("web").merged("capabilities", beside={"web"})
    assert "SYS_ADMIN" in manifest("web").merged("capabilities", beside={"web", "storage"})


def test_a_tag_changes_exactly_with_its_inputs() -> None:
    one = Recipe("web", "debian", "p", "FROM p", {"a": Entry(b"1", 0o644)})
    same = Recipe("web", "debian", "p", "FROM p", {"a": Entry(b"1", 0o644)})
    assert one.tag == same.tag
    assert one.archive() == same.archive()
    for other in (
        Recipe("web", "debian", "p", "FROM q", {"a": Entry(b"1", 0o644)}),
        Recipe("web", "debian", "p", "FROM p", {"a": Entry(b"2", 0o644)}),
        Recipe("web", "debian", "p", "FROM p", {"a": Entry(b"1", 0o755)}),
        Recipe("web", "debian", "p", "FROM p", {"b": Entry(b"1", 0o644)}),
    ):
        assert other.tag != one.tag


def test_scripts_are_executable_whatever_the_checkout_says() -> None:
    context = recipe("web", "debian").context
    assert context["rootfs/usr/lib/lab/init"].mode == 0o755
    assert context["rootfs/etc/lab/supervisord.conf"].mode == 0o644
    assert not [name for name in context if name.endswith(".j2")]


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(SpecError, match="no family 'ubuntu'") as caught:
        family("ubuntu")
    assert "centos, debian" in caught.value.next_step
    with pytest.raises(SpecError, match="no image for a role 'wbe'"):
        manifest("wbe")
