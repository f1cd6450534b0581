"""A cluster's secrets: whose they are, that looking makes none, and what its CA may sign, as OpenSSL judges it."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from lab import paths, private
from lab.backends.memory import MemoryBackend
from lab.errors import BuildError, HostError
from lab.lifecycle import authority, certificates, fingerprints, secrets
from lab.lifecycle.down import down
from lab.lifecycle.prepare import prepare
from lab.lifecycle.renew import renew
from lab.lifecycle.up import up
from lab.plan import plan
from lab.progress import Silent
from lab.topology import Cluster, parse
from tests.unit.conftest import FULL, WHOLE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MORE = FULL.replace("web: {count: 3}", "web: {count: 4}")


# Whose they are


@pytest.mark.parametrize("state", ["running", "stopped", "down", "an earlier version's", "down but for the backups"])
@pytest.mark.parametrize("own", ["none", "others"])
@pytest.mark.parametrize("verb", ["up", "plan", "scale"])
def test_another_home_makes_no_other_secrets(  # noqa: PLR0913, PLR0917
    full: Cluster,
    memory: MemoryBackend,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    state: str,
    own: str,
    verb: str,
) -> None:
    up(full, memory, Silent())
    first = paths.secrets("golden")
    if state == "stopped":
        for node in memory.observe().nodes:
            memory.stop(node.name)
    if state == "an earlier version's":
        memory.note("kept-secrets", None)
    if state.startswith("down"):
        keep = state.endswith("backups")
        down(memory, Silent(), volumes=keep, keep_backups=keep)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "second"))
    if own == "others":
        up(full, MemoryBackend("golden"), Silent())
    there = {path.name: path.read_bytes() for path in paths.secrets("golden").glob("*")}
    memory.done.clear()
    topology = parse(MORE) if verb == "scale" else full
    with pytest.raises(HostError, match="the cluster 'golden' has") as caught:
        (prepare if verb == "plan" else up)(topology, memory, Silent())
    assert caught.value.exit_code == 2
    assert str(paths.secrets("golden")) in str(caught.value)
    assert state == "an earlier version's" or str(first) in caught.value.where, "it says where they are"
    assert memory.done == [], "nothing was done to a node"
    assert {path.name: path.read_bytes() for path in paths.secrets("golden").glob("*")} == there
    monkeypatch.setenv("XDG_DATA_HOME", str(first.parents[1]))
    up(full, memory, Silent())


def test_a_copy_of_the_folder_is_as_good(
    full: Cluster, memory: MemoryBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    up(full, memory, Silent())
    paths.secrets("golden").parents[1].rename(tmp_path / "moved")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "moved"))
    assert up(full, memory, Silent()).changes == []
    assert str(tmp_path / "moved") in memory.notes()["kept-secrets"]


def test_when_the_data_is_gone_anybody_may_begin(
    full: Cluster, memory: MemoryBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    up(full, memory, Silent())
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "second"))
    down(memory, Silent(), volumes=True)
    up(full, memory, Silent())
    assert "second" in memory.notes()["kept-secrets"]


def test_a_plan_makes_no_secrets_and_tells_the_same_changes(full: Cluster, memory: MemoryBackend) -> None:
    assert len(prepare(full, memory, Silent()).changes) == 8
    assert not paths.secrets("golden").exists()
    up(full, memory, Silent())
    assert prepare(full, memory, Silent()).changes == []
    moved = parse(FULL + "vip: 10.90.0.99")
    kept = {path: path.read_bytes() for path in paths.secrets("golden").iterdir()}
    planned = prepare(moved, memory, Silent()).changes
    assert {path: path.read_bytes() for path in paths.secrets("golden").iterdir()} == kept
    assert planned == up(moved, memory, Silent()).changes


# What the CA may sign


def _chain(folder: Path, ca: certificates.Authority, leaf: str) -> subprocess.CompletedProcess[str]:
    (folder / "ca.pem").write_text(ca.certificate, encoding="utf-8")
    (folder / "leaf.pem").write_text(leaf, encoding="utf-8")
    argv = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", "ca.pem", "leaf.pem"]
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)


def _leaf(text: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(text[text.index("-----BEGIN CERTIFICATE") :].encode())


def _own(cluster: Cluster) -> certificates.Authority:
    secrets.ensure(plan(cluster, "debian"))
    found = authority.own(secrets.folder("golden"))
    assert found
    return found


def test_all_certificates_of_a_cluster_are_good_and_short(tmp_path: Path) -> None:
    cluster = parse(WHOLE)
    ca, made = _own(cluster), secrets.ensure(plan(cluster, "debian"))
    leaves = {name: text for name, text in made.items() if "BEGIN CERT" in text and name != secrets.TRUSTED}
    assert {"site-certificate", "certificate-mysql1", "certificate-mail2"} <= leaves.keys()
    for name, text in leaves.items():
        done = _chain(tmp_path, ca, text)
        assert done.returncode == 0, (name, done.stderr)
        held = _leaf(text)
        assert held.not_valid_after_utc - held.not_valid_before_utc <= timedelta(days=366), "Mozilla, intermediate"
    assert _leaf(made["certificate-mysql1"]).subject.rfc4514_string().startswith("CN=mysql1,")
    life = ca.parsed.not_valid_after_utc - ca.parsed.not_valid_before_utc
    assert timedelta(days=3640) < life < timedelta(days=3660)


FOREIGN = (
    "www.example.com example.com test golden.test.example.com other.test xgolden.test web1 8.8.8.8 10.91.1.1 127.0.0.2"
)


@pytest.mark.parametrize("name", FOREIGN.split())
def test_a_leaf_for_anybody_else_is_refused(full: Cluster, tmp_path: Path, name: str) -> None:
    ca = _own(full)
    done = _chain(tmp_path, ca, ca.issued([name], "golden.test"))
    assert done.returncode != 0
    assert "permitted subtree violation" in done.stderr
    assert not ca.allows([name])


def test_beside_a_good_name_a_foreign_one_is_refused_too(full: Cluster, tmp_path: Path) -> None:
    ca = _own(full)
    assert "permitted subtree" in _chain(tmp_path, ca, ca.issued(["www.golden.test", "example.com"], "x")).stderr


def test_it_makes_no_ca_below_it(full: Cluster, tmp_path: Path) -> None:
    """Whoever has the key could issue a CA with other constraints: the length of the path refuses it."""
    ca = _own(full)
    below = certificates.authority("below", ["example.com"], [])
    from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

    builder = x509.CertificateBuilder().subject_name(below.parsed.subject).issuer_name(ca.parsed.subject)
    builder = builder.public_key(below.parsed.public_key()).serial_number(7)
    builder = builder.not_valid_before(below.parsed.not_valid_before_utc).not_valid_after(
        below.parsed.not_valid_after_utc
    )
    for extension in below.parsed.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    key = load_pem_private_key(ca.key.encode(), None)
    crossed = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()  # type: ignore[arg-type]
    (tmp_path / "below.pem").write_text(crossed, encoding="utf-8")
    (tmp_path / "ca.pem").write_text(ca.certificate, encoding="utf-8")
    (tmp_path / "leaf.pem").write_text(below.issued(["example.com"], "x"), encoding="utf-8")
    argv = ["openssl", "verify", "-CAfile", "ca.pem", "-untrusted", "below.pem", "leaf.pem"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "path length constraint exceeded" in done.stderr


# When they are made anew


def test_a_certificate_is_renewed_a_month_before_it_ends(full: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    made = plan(full, "debian")
    first = secrets.ensure(made)

    def at(days: float) -> None:
        class Later(datetime):
            @classmethod
            def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
                del tz
                return datetime.now(UTC) + timedelta(days=days)

        monkeypatch.setattr(certificates, "datetime", Later)

    at(330)
    assert secrets.ensure(made) == first
    assert secrets.peek(made) == first
    at(336)
    assert secrets.peek(made)["site-certificate"] == secrets.ABSENT
    then = secrets.ensure(made)
    assert {name for name in first if then[name] != first[name]} == {"site-certificate"}
    at(3640)
    last = secrets.ensure(made)
    assert secrets.ensure(made) == last, "a leaf ends with its CA, and is not issued again and again for that"


def test_an_earlier_versions_ca_is_kept_and_its_leaves_get_short(full: Cluster) -> None:
    import trustme

    old = trustme.CA(organization_name="www cluster lab")
    where = paths.secrets("golden", make=True)
    (where / "ca-certificate").write_bytes(old.cert_pem.bytes())
    (where / "ca-key").write_bytes(old.private_key_pem.bytes())
    pem = old.issue_cert("www.golden.test", "localhost", "127.0.0.1", "10.90.0.100").private_key_and_cert_chain_pem
    (where / "site-certificate").write_bytes(pem.bytes())
    made = secrets.ensure(plan(full, "debian"))
    assert made["ca-certificate"] == old.cert_pem.bytes().decode().strip()
    leaf = _leaf(made["site-certificate"])
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc <= certificates.LEAF_LIFE
    leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(old.cert_pem.bytes()))


def test_another_network_of_ones_own_takes_another_ca_and_says_so() -> None:
    said: list[str] = []
    first = secrets.ensure(plan(parse(WHOLE), "debian"))
    secrets.ensure(plan(parse(WHOLE.replace("10.90.0", "10.90.9")), "debian"), said.append)
    assert not said, "the lab's own range"
    moved = secrets.ensure(plan(parse(WHOLE.replace("10.90.0", "10.92.0")), "debian"), said.append)
    assert moved["ca-certificate"] != first["ca-certificate"]
    assert "the CA of 'golden' is replaced: the former one is not valid for 10.92.0.0/24" in said[0]


@pytest.mark.parametrize("steps", range(4))
def test_a_ca_is_replaced_step_by_step_and_every_node_can_check_every_other(
    full: Cluster, tmp_path: Path, steps: int
) -> None:
    """Before and after each step, what nodes have of the former one is accepted by those that have the next."""
    made, where = plan(full, "debian"), paths.secrets("golden")
    states = [secrets.ensure(made)]
    for step in (
        partial(authority.announce, where, made),
        partial(authority.replace, where),
        partial(authority.retire, where),
    ):
        step()
        states.append(secrets.ensure(made))
    pairs = [(states[steps], states[steps]), *([(states[steps], states[steps + 1])] if steps < 3 else [])]
    for one, other in [*pairs, *((b, a) for a, b in pairs)]:
        (tmp_path / "ca.pem").write_text(one["ca-certificate"], encoding="utf-8")
        (tmp_path / "leaf.pem").write_text(other["site-certificate"], encoding="utf-8")
        argv = ["openssl", "verify", "-x509_strict", "-CAfile", "ca.pem", "leaf.pem"]
        assert subprocess.run(argv, cwd=tmp_path, check=False).returncode == 0
    assert states[0]["site-certificate"] == states[1]["site-certificate"] != states[2]["site-certificate"]
    former, last = (fingerprints.fingerprints(state["ca-certificate"]) for state in (states[0], states[3]))
    assert not former & last


def test_a_ca_that_an_up_replaced_which_then_failed_locks_nobody_out(
    full: Cluster, memory: MemoryBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The nodes have the former one still, and so has the note in the engine."""

    def broken(*_: object) -> None:
        raise BuildError("the image web (debian) did not build", step="Step 1/1 : RUN x", log="/x.log")

    up(full, memory, Silent())
    moved = parse(FULL.replace("10.90.0", "10.123.0"))
    with monkeypatch.context() as patched:
        patched.setattr(memory, "build", broken)
        with pytest.raises(BuildError):
            up(moved, memory, Silent())
    up(full, memory, Silent())
    up(moved, memory, Silent())


def test_a_replacement_that_was_killed_between_two_files_is_done_again(full: Cluster, memory: MemoryBackend) -> None:
    up(full, memory, Silent())
    where = paths.secrets("golden")
    first = fingerprints.known(where)
    authority.announce(where, plan(full, "debian"))
    private.write(where / fingerprints.FORMER, _own(full).certificate)  # the first half of 'replace'
    renew(full, memory, Silent(), ca=True)
    assert not fingerprints.known(where) & first
    assert not authority.replacing(where)


NAMES = ["site-certificate", "certificate-mail1", "mysql-replication", "ssh-host-key", "dkim-key"]


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_file_is_a_missing_secret(name: str) -> None:
    """As a full disk leaves it: no node gets an empty password, and no certificate is a traceback."""
    made = plan(parse(f"{WHOLE}shell: {{}}\n"), "debian")
    secrets.ensure(made)
    path = paths.secrets("golden") / name
    assert path.is_file()
    path.write_text("", encoding="utf-8")
    again = secrets.ensure(made)
    assert path.read_text(encoding="utf-8")
    assert secrets.ABSENT not in again.values()
    assert "" not in again.values()


def _raised(cluster: Cluster, backend: MemoryBackend) -> HostError | None:
    try:
        prepare(cluster, backend, Silent())
    except HostError as error:
        return error
    return None


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut off": lambda content: content[: len(content) // 2],
    "cut off late": lambda content: content[:-30],
    "bytes": lambda content: b"\xff\xfe" + content,
    "a character": lambda content: content.replace(b"M", b"!", 1),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("name", ["authority", "site-certificate", "stats-password"])
def test_a_damaged_secret_is_named_or_made_again(
    full: Cluster, memory: MemoryBackend, name: str, damage: Callable[[bytes], bytes]
) -> None:
    """Never a traceback; a CA is never made anew by itself."""
    up(full, memory, Silent())
    path = secrets.folder("golden") / name
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    raised = _raised(full, memory)
    if raised:
        assert raised.where == str(path)
        assert "is damaged" in raised.what
        assert "restore the file" in raised.next_step
    else:
        assert name != "authority"
    path.write_bytes(whole)
    assert not prepare(full, memory, Silent()).changes


def test_a_ca_that_is_gone_from_its_own_folder_is_said_so(full: Cluster, memory: MemoryBackend) -> None:
    """Not that the secrets are elsewhere."""
    up(full, memory, Silent())
    (secrets.folder("golden") / "authority").write_bytes(b"")
    with pytest.raises(HostError, match=r"is damaged|is missing in") as caught:
        prepare(full, memory, Silent())
    assert "copy that folder" not in caught.value.next_step


def test_a_fingerprint_is_that_of_the_library_that_issues() -> None:
    made = certificates.authority("golden", ["golden.test"], [IPv4Network("10.90.0.0/24")])
    parsed = x509.load_pem_x509_certificate(made.certificate.encode())
    assert fingerprints.fingerprints(made.key + made.certificate) == {parsed.fingerprint(hashes.SHA256()).hex()}
    with pytest.raises(ValueError, match=r"padding|PEM|base64"):
        fingerprints.fingerprints(made.certificate.replace("M", "", 1))
