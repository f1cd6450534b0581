"""A name that a person gives leads to no folder but the lab's own, whichever way it comes."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from lab import assets, identifiers, paths
from lab.backends import backend
from lab.backends.xen.dom0 import Dom0
from lab.errors import SpecError
from lab.topology import Placement, parse
from tests.unit.command import verbs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BAD = ("..", "../victim", "/etc/passwd", "a/b", "a b", "-n", "a-", "ab--cd", "A", "é", "", "a\n", "x" * 32)


def _verbs(command: Any, *words: str) -> Iterator[tuple[tuple[str, ...], Any]]:  # noqa: ANN401  typer's own copy of click
    if hasattr(command, "commands"):
        for name, each in command.commands.items():
            yield from _verbs(each, *words, name)
    elif any("--name" in parameter.opts for parameter in command.params):
        yield words, command


VERBS = dict(_verbs(verbs()))
ASKED: dict[tuple[str, ...], list[str]] = {  # what a verb wants besides its arguments
    ("user", "add"): ["--key", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEZ2Yk1JbGh2b0x0bGdlZ1N0b3JhZ2VrZXlh"],
    ("user", "keys"): ["--remove", "SHA256:x"],
    ("backup", "restore"): ["--yes"],
}
LESSONS: dict[tuple[str, ...], str] = {("learn", "start"): "1", ("learn", "catch-up"): "3"}
"""Verbs whose argument is no node."""


def _snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose folders lie beside a file and a folder that a bad name leads to."""
    for part in ("data", "state", "cache"):
        (tmp_path / part / "victim").mkdir(parents=True)
        (tmp_path / part / "victim" / "letter").write_text("dear")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


def _line(words: tuple[str, ...], way: str) -> list[str]:
    """A verb with what it wants, and with the bad name where the command line is the way."""
    places = [parameter for parameter in VERBS[words].params if parameter.param_type_name == "argument"]
    asked = [*ASKED.get(words, []), *(LESSONS.get(words, "web1") for place in places if place.required)]
    # Before the arguments: what follows the node of `lab exec` belongs to the command that runs there.
    return [*words, *(["--name", "../victim"] if way == "option" else []), *asked]


def _fault(line: list[str]) -> str:
    """What a verb did instead of refusing the name."""
    try:
        verbs().main(line, standalone_mode=False)
    except SpecError as refusal:
        return "" if "name" in str(refusal) else f"does not speak of the name: {refusal}"
    except (Exception, SystemExit) as error:  # noqa: BLE001  whatever it is, the verb is named with it
        return f"is no refusal of what was given: {error!r}"
    return "takes it"


@pytest.mark.parametrize("way", ["option", "environment", "file"])
def test_no_verb_takes_a_name_that_is_a_path(sandbox: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    if way == "environment":
        monkeypatch.setenv("LAB_NAME", "../victim")
    elif way == "file":
        (sandbox / "here" / "cluster.yaml").write_text("name: ../victim\nweb:\n")
    before, faults = _snapshot(sandbox), []
    for words in VERBS:
        if fault := _fault(_line(words, way)):
            faults.append(f"lab {' '.join(words)}: {fault}")
        if (after := _snapshot(sandbox)) != before:
            faults.append(f"lab {' '.join(words)}: changes {sorted(dict(after.items() ^ before.items()))}")
            before = after
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_name_is_refused_at_each_door(name: str) -> None:
    with pytest.raises(SpecError):
        identifiers.cluster(name)
    with pytest.raises(SpecError):
        parse("web:\n", name=name)
    with pytest.raises(SpecError):
        backend(Placement("docker"), name)
    with pytest.raises(SpecError):
        Dom0(None, "/var/lib/lab", name)  # type: ignore[arg-type]  # refused before it is used


@pytest.mark.parametrize("name", ["..", ".", "../x", "/x", "a/b", "", "-x", "a..b", "x" * 200])
def test_a_folder_of_the_lab_is_joined_with_one_component(name: str) -> None:
    for made in (paths.secrets, paths.lock):
        with pytest.raises(SpecError):
            made(name)


@pytest.mark.parametrize(
    ("cluster", "node"), [("../../precious", ""), ("www", "../x"), ("", ""), ("a b", ""), ("www", "/x")]
)
def test_a_verb_of_dom0_removes_no_folder_outside_its_store(tmp_path: Path, cluster: str, node: str) -> None:
    (tmp_path / "store" / "clusters").mkdir(parents=True)
    (tmp_path / "precious").mkdir()
    script = "\n".join((assets.xen() / "verbs" / part).read_text(encoding="utf-8") for part in ("common", "clear"))
    told = {"STORE": str(tmp_path / "store"), "CLUSTER": cluster, "NODE": node, "UUID": "", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        ["bash", "-c", script, "clear", "nobridge", "yes", "yes"], env=told, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done
    assert "lab:" in done.stderr
    assert (tmp_path / "precious").is_dir()
