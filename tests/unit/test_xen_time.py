"""The nested host's time: what is counted, what is refused, and how it is read."""

from __future__ import annotations

import itertools
import os
import time
from typing import TYPE_CHECKING

import pytest

from lab.backends.xen import domain
from lab.backends.xen.nested import machine, qemu
from lab.backends.xen.nested.host_time import HostTime
from lab.backends.xen.settings import Xen
from lab.backends.xen.ssh import Link
from lab.clock import GENTLE, REAL
from lab.errors import BackendError, SpecError
from lab.plan import plan
from lab.topology import parse
from tests.unit.conftest import WHOLE

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def media(tmp_path: Path) -> qemu.Media:
    """Names of files; nothing boots from them."""
    return qemu.Media(*(tmp_path / name for name in ("xen", "vmlinux", "initrd", "root", "store", "images", "state")))


@pytest.mark.parametrize(
    ("asked", "accelerator", "time", "processors", "threads"),
    [
        (qemu.Machine(), "tcg", f"shift={qemu.SHIFT},sleep=on", "1", "single"),
        (qemu.Machine(icount=True), "tcg", f"shift={qemu.SHIFT},sleep=on", "1", "single"),
        (qemu.Machine(icount=False), "tcg", None, str(min(2, os.cpu_count() or 1)), "multi"),
        (qemu.Machine(cpus=2), "tcg", None, "2", "multi"),
        (qemu.Machine(), "kvm", None, str(min(2, os.cpu_count() or 1)), None),
    ],
    ids=["default", "icount", "real time", "two processors", "kvm"],
)
def test_an_emulated_processor_counts_its_time_by_instructions(  # noqa: PLR0913, PLR0917
    asked: qemu.Machine, accelerator: str, time: str | None, processors: str, threads: str | None, media: qemu.Media
) -> None:
    argv = qemu.arguments(asked, media, accelerator, 2222)
    pairs = dict(itertools.pairwise(argv))
    assert pairs.get("-icount") == time
    assert pairs["-smp"] == processors
    assert (f"thread={threads}," in pairs["-accel"]) == (threads is not None)
    assert pairs.get("-rtc") == ("base=utc,clock=vm" if time else None)


def test_two_processors_that_count_instructions_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: "/bin/true")
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    with pytest.raises(SpecError, match="--icount --cpus 2") as caught:
        qemu.Machine(cpus=2, icount=True).check()
    assert "--no-icount" in caught.value.next_step
    qemu.Machine(cpus=2, icount=False).check()


@pytest.mark.parametrize(("asked", "runs", "option"), [(True, False, "--icount"), (False, True, "--no-icount")])
def test_a_host_that_runs_in_another_time_is_refused(
    *, asked: bool, runs: bool, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: "/bin/true")
    existing = machine.Running(1, 1, "tcg", 4096, 1, icount=runs)
    monkeypatch.setattr(machine, "running", lambda: existing)
    with pytest.raises(SpecError, match=f"{option}: the nested Xen host runs already") as caught:
        machine.up(qemu.Machine(icount=asked), print, lambda *_: None)
    assert f"'lab xen host up {option}'" in caught.value.next_step
    assert machine.up(qemu.Machine(), print, lambda *_: None) is existing
    assert machine.up(qemu.Machine(icount=runs), print, lambda *_: None) is existing


def test_domains_of_a_host_that_counts_have_ordinary_timers() -> None:
    counted, stretched = (machine.Running(1, 1, "tcg", 4096, 1, icount=icount).clock for icount in (True, False))
    assert (counted.own, counted.emulated, dict(counted.defaults)) == (True, False, {})
    assert (stretched.own, stretched.emulated, stretched.defaults) == (False, True, GENTLE)
    assert machine.Running(1, 1, "kvm", 4096, 2).clock == REAL


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Link:
    """A host that a stand-in for ssh reaches: a shell of this machine, which ends after each three answers."""
    script = f"""#!/bin/bash
case $* in
    *-f*) exit 0 ;;
    *" -O "*) exit 0 ;;
esac
echo begun >> {tmp_path}/begun
[ ! -e {tmp_path}/silent ] || exit 255
for _ in 1 2 3; do read -r _ || exit; echo "$EPOCHREALTIME 5.25"; done
"""
    (tmp_path / "ssh").write_text(script, encoding="utf-8")
    (tmp_path / "ssh").chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return Link("a host", ("root@192.0.2.1",), REAL)


def test_a_hosts_time_is_read_through_one_shell_that_is_opened_again_when_it_ends(host: Link, tmp_path: Path) -> None:
    told = HostTime(host)
    read = [told() for _ in range(7)]
    assert read == sorted(read)
    assert abs(read[-1].unix - time.time()) < 60
    assert read[-1].steady == 5.25
    assert (tmp_path / "begun").read_text(encoding="utf-8").split() == ["begun"] * 3
    told.close()


def test_a_host_that_does_not_tell_its_time_is_named(host: Link, tmp_path: Path) -> None:
    (tmp_path / "silent").touch()
    with pytest.raises(BackendError, match="a host does not tell its time") as caught:
        HostTime(host)()
    assert "lab xen host status" in caught.value.next_step


def test_only_nested_domains_have_fixed_addresses_and_the_processors_own_counter() -> None:
    """On a host of one's own addresses are random, and Xen decides how a domain's counter is read."""
    made = plan(parse(WHOLE), "debian")
    nested, own = (
        domain.config(made, made.node("web1"), Xen.model_validate(said), "/store", "web-1.ext4", "vmlinux-1")
        for said in ({}, {"host": "ssh://root@dom0"})
    )
    assert all(word in nested for word in (domain.FIXED_ADDRESSES, domain.OWN_COUNTER, "tsc_mode"))
    assert not any(word in own for word in (domain.FIXED_ADDRESSES, domain.OWN_COUNTER, "tsc_mode"))
    assert domain.FIXED_ADDRESSES in qemu.LINUX
