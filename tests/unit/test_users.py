"""People of a topology: their keys, their numbers, and changes that leave the file as a person wrote it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import HostError, NotReady, SpecError
from lab.services.users import added, change, fingerprint, public_keys, rekeyed, removed
from lab.topology import load, parse
from lab.topology.editing import Edit
from lab.topology.users import FIRST, LAST, number
from tests.unit.command import lab

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.topology import Cluster

PRIVATE = Ed25519PrivateKey.generate()
LAB = Path(sys.executable).with_name("lab")
KEY = PRIVATE.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
OTHER = (
    Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() + " me@home"
)
TOPOLOGY = """\
# what I want
storage: {count: 3}  # three of them
shell: {count: 1}
"""


def _changed(file: str, work: Callable[[dict[str, Any]], None]) -> Cluster:
    edit = change(file, work)
    with edit.drafted():
        return edit.cluster


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(TOPOLOGY)
    return path


def test_a_change_leaves_the_rest_as_it_was_written(file: Path) -> None:
    cluster = _changed(str(file), added("ann", [KEY], ["class-a"], forwarding=False))
    assert file.read_text().startswith(TOPOLOGY)
    assert cluster.read_from(file) == load(file)
    assert cluster.people["ann"].keys == [KEY]
    assert cluster.groups == {"people": 19999, "class-a": number("class-a")}
    _changed(str(file), rekeyed("ann", [OTHER], [fingerprint(KEY)]))
    assert load(file).people["ann"].keys == [OTHER]
    _changed(str(file), removed("ann"))
    assert load(file).people == {}


@pytest.mark.parametrize(
    ("work", "said"),
    [
        (added("root", [KEY], [], forwarding=False), "is a name of the system's own"),
        (added("Ann", [KEY], [], forwarding=False), "a name has lower-case letters"),
        (added("ann", [], [], forwarding=False), "at least 1 item"),
        (added("ann", ["ssh-ed25519 AAAA"], [], forwarding=False), "is not whole"),
        (added("ann", ["hello you"], [], forwarding=False), "a public key is one line"),
        (added("ann", [KEY], ["ann"], forwarding=False), "'ann' is a user"),
        (removed("bob"), "there is no user 'bob'"),
        (rekeyed("bob", [KEY], []), "there is no user 'bob'"),
    ],
)
def test_what_is_not_valid_is_said_and_not_written(file: Path, work: object, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        change(str(file), work)  # type: ignore[arg-type]
    assert file.read_text() == TOPOLOGY
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_private_key_is_never_taken(file: Path) -> None:
    secret = PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    with pytest.raises(SpecError, match="that is a private key"):
        change(str(file), added("ann", [secret], [], forwarding=False))


def test_who_is_there_is_not_added_again_and_the_last_key_is_not_taken(file: Path) -> None:
    _changed(str(file), added("ann", [KEY], [], forwarding=False))
    with pytest.raises(SpecError, match="the user 'ann' already exists"):
        change(str(file), added("ann", [OTHER], [], forwarding=False))
    with pytest.raises(SpecError, match="at least 1 item"):
        change(str(file), rekeyed("ann", [], [fingerprint(KEY)]))
    with pytest.raises(SpecError, match="has no key SHA256:nothing"):
        change(str(file), rekeyed("ann", [], ["SHA256:nothing"]))
    assert load(file).people["ann"].keys == [KEY]


def test_a_link_stays_a_link_and_a_mode_stays(file: Path) -> None:
    file.chmod(0o640)
    link = file.with_name("cluster.yaml")
    link.symlink_to(file.name)
    _changed(str(link), added("ann", [KEY], [], forwarding=False))
    assert link.is_symlink()
    assert file.stat().st_mode & 0o777 == 0o640
    assert load(file).people["ann"].keys == [KEY]


def test_a_folder_that_can_not_be_written_is_one_screen(tmp_path: Path) -> None:
    edit = Edit(tmp_path / "none" / "cluster.yaml", TOPOLOGY, parse(TOPOLOGY))
    with pytest.raises(HostError, match="can't be written: No such file or directory"), edit.drafted():
        pytest.fail("nothing may be changed before it is known that the file can be")


def test_what_did_not_work_leaves_the_file_and_no_draft(file: Path) -> None:
    edit = change(str(file), added("ann", [KEY], [], forwarding=False))
    with pytest.raises(NotReady), edit.drafted():
        raise NotReady("shell1 is not ready")
    assert file.read_text() == TOPOLOGY
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_docker_context_that_is_gone_changes_nothing(file: Path) -> None:
    said = {"DOCKER_CONTEXT": "gone", "DOCKER_CONFIG": str(file.parent / "none"), "DOCKER_HOST": ""}
    done = lab("user", "add", "--file", str(file), "--key", KEY, "ann", environment=said)
    assert done.returncode == 2
    assert "the Docker context 'gone' can't be used" in done.stderr
    assert file.read_text() == TOPOLOGY


@pytest.mark.slow("starts the command five times")
def test_five_changes_at_once_are_all_made(file: Path) -> None:
    """Each reads the file under the cluster's lock; here no engine answers, so the file is all that changes."""
    nowhere = os.environ | {"DOCKER_HOST": f"unix://{file.parent}/none.sock"}
    line = [str(LAB), "user", "add", "--file", str(file), "--key", KEY]
    begun = [
        subprocess.Popen([*line, f"p{number}"], env=nowhere, stdout=-1, stderr=-1, text=True) for number in range(5)
    ]
    said = [process.communicate(timeout=60) for process in begun]
    assert [process.returncode for process in begun] == [0] * 5, said
    assert sorted(load(file).people) == [f"p{number}" for number in range(5)]


def test_a_topology_that_ships_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cluster = _changed("stage7", added("ann", [KEY], [], forwarding=False))
    path = tmp_path / "cluster.yaml"
    assert list(load(path).people) == list(cluster.people) == ["ann"]
    with pytest.raises(SpecError, match="is a shipped topology"):
        change("stage7", added("bob", [KEY], [], forwarding=False))


def test_two_who_would_have_one_number_are_refused() -> None:
    taken = number("ann")
    text = TOPOLOGY + f"users:\n  ann: {{keys: [{KEY}]}}\n  bob: {{keys: [{KEY}], uid: {taken}}}\n"
    with pytest.raises(SpecError, match=f"'ann' and 'bob' have the same number, {taken}"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("shell:", "'shell' keeps the homes on the shared filesystem"),
        (f"web:\nusers: {{ann: {{keys: [{KEY}]}}}}", "write 'shell:' too"),
        ("storage: {volumes: [www]}\nshell:", "'shell' uses the volume 'home'"),
        (TOPOLOGY + "users: {ann: {}}", "line 4, users.ann: 'keys' is missing here"),
    ],
)
def test_a_shell_without_what_it_needs_is_refused(text: str, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse(text)
    assert said in str(caught.value)


@given(st.from_regex(r"[a-z][a-z0-9-]{0,30}", fullmatch=True))
def test_a_number_is_in_its_range_and_always_the_same(name: str) -> None:
    assert FIRST <= number(name) <= LAST
    assert number(name) == number(name)


def test_keys_come_from_files_and_from_the_command_line(tmp_path: Path) -> None:
    held = tmp_path / "id.pub"
    held.write_text(f"# mine\n{KEY}\n\n{OTHER}\n")
    assert public_keys([str(held), KEY]) == [KEY, OTHER, KEY]
    with pytest.raises(SpecError, match="No such file"):
        public_keys([str(tmp_path / "none.pub")])


def test_the_list_shows_fingerprints(file: Path) -> None:
    _changed(str(file), added("ann", [OTHER], ["class-a"], forwarding=True))
    shown = lab("user", "list", "--file", str(file))
    assert shown.returncode == 0
    for word in ("ann", str(number("ann")), "class-a", "forwarding", fingerprint(OTHER)):
        assert word in shown.stdout
