"""The nested Xen host as a process: begun, found again, ended."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
import signal
import socket
import subprocess
import time
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lab import drafts, paths, private
from lab.backends.xen import cpio, keys, toolbox
from lab.backends.xen.nested import qemu
from lab.backends.xen.nested.host_time import HostTime
from lab.backends.xen.ssh import CHECKED, Link
from lab.clock import EMULATED, GUARD, REAL, Clock
from lab.errors import BackendError, HostError, SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from lab.backends.xen.nested.qemu import Machine, Media

STORE = "/srv/lab"
ALIAS = "lab-xen-host"
WHERE = "the nested Xen host"
FIRST_LINE_SECONDS = 10  # until the hypervisor prints: after that it does not run under this accelerator
BOOT_SECONDS = {"kvm": 180, "tcg": 900}  # an emulated host needs 15 to 30 s of a processor, which may be busy
STOP_SECONDS = 90
POLL_SECONDS = 0.1
READY = "lab: the Xen host is ready"
DEAD = ("Dom0 crashed", "Panic on CPU", "FATAL TRAP", "Kernel panic", "lab: the host could not")
SHOWN = 15


@dataclass(frozen=True)
class Running:
    """A nested host that runs."""

    pid: int
    port: int
    accelerator: str
    memory: int
    cpus: int
    store: str = STORE
    icount: bool = False

    @property
    def ssh(self) -> tuple[str, ...]:
        """Ssh's arguments that lead to it."""
        folder = paths.xen_host()
        return (
            *("-F", "/dev/null", "-i", str(folder / "identity"), "-o", "IdentitiesOnly=yes"),
            *("-o", f"UserKnownHostsFile={folder / 'known-hosts'}", "-o", f"HostKeyAlias={ALIAS}"),
            *("-p", str(self.port), "root@127.0.0.1"),
        )

    @property
    def clock(self) -> Clock:
        """Its time, and its domains'."""
        if self.icount:
            return Clock(reading=_time(self))
        return EMULATED if self.accelerator == "tcg" else REAL

    @property
    def link(self) -> Link:
        """A connection to it."""
        return Link(WHERE, (*CHECKED, *self.ssh), self.clock)


@cache
def _time(host: Running) -> HostTime:
    """One reader of a host's time for all of this process."""
    return HostTime(Link(WHERE, (*CHECKED, *host.ssh), Clock(slowdown=GUARD)))


def running() -> Running | None:
    """The nested host of this user, if it lives. What a killed one left is taken away."""
    folder = paths.xen_host()
    record = folder / "machine.json"
    if not record.is_file():
        return None
    if _alive(folder / "qemu.pid"):
        return Running(**json.loads(record.read_text(encoding="utf-8")))
    record.unlink()
    return None


def up(machine: Machine, say: Callable[[str], None], report: Callable[[str, str], None]) -> Running:
    """Boots a nested host, unless one runs.

    Raises:
        UserError: it can't be as asked.
        BackendError: it did not boot; the end of its console is shown.
    """
    machine.check()
    with _only_one():
        existing = running()
        if existing:
            _same_time(machine, existing)
            say(f"{WHERE} runs already")
            return existing
        media = _media(machine, report)
        for accelerator, why in _accelerators(machine, say):
            begun = time.monotonic()
            try:
                started = _boot(machine, media, accelerator)
            except BackendError as error:
                if accelerator == "tcg":
                    raise
                say(f"Xen does not boot under {accelerator} here ({error.what.splitlines()[0]})")
                _remember_refusal()
                continue
            say(f"QEMU runs Xen by {why}; it answered after {time.monotonic() - begun:.0f} s")
            return started
    raise AssertionError("plain emulation is always tried")


def _same_time(machine: Machine, existing: Running) -> None:
    """Refuses a host that runs in another time than the wanted one.

    Raises:
        SpecError: says how to change it.
    """
    if machine.icount is not None and machine.icount != existing.icount:
        option = "--icount" if machine.icount else "--no-icount"
        kind = "by its instructions" if existing.icount else f"in real time ({existing.accelerator})"
        raise SpecError(
            f"{option}: {WHERE} runs already, {kind}",
            next_step=f"'lab xen host down' stops it with its domains; then 'lab xen host up {option}'",
        )


def down(host: Running, *, seconds: float = STOP_SECONDS) -> None:
    """Ends a nested host: its domains cleanly first; by force where it does not answer."""
    pid_file = paths.xen_host() / "qemu.pid"
    with contextlib.suppress(HostError, BackendError):
        host.link.run("kill -TERM 1", seconds=10)
        _wait_for_end(pid_file, seconds)
    host.link.close()
    if _alive(pid_file):
        os.kill(host.pid, signal.SIGKILL)
        _wait_for_end(pid_file, 10)
    (paths.xen_host() / "machine.json").unlink(missing_ok=True)


def _boot(machine: Machine, media: Media, accelerator: str) -> Running:
    """One try with one accelerator."""
    port = _free_port()
    media.serial.unlink(missing_ok=True)
    argv = qemu.arguments(machine, media, accelerator, port)
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    if done.returncode:
        raise BackendError(f"QEMU does not start: {(done.stderr or done.stdout).strip()[-600:]}")
    host = Running(
        int(media.pid.read_text()),
        port,
        accelerator,
        machine.memory,
        machine.processors(accelerator),
        icount=machine.counts(accelerator),
    )
    try:
        _wait_until_ready(media, accelerator)
        host.link.connect()
    except BaseException:
        os.kill(host.pid, signal.SIGKILL)
        _wait_for_end(media.pid, 10)
        raise
    drafts.write(media.state / "machine.json", json.dumps(asdict(host)))
    return host


def _wait_until_ready(media: Media, accelerator: str) -> None:
    """Until the host says so on its serial line.

    Raises:
        BackendError: it ended, panicked or fell silent; with the last lines.
    """
    begun = time.monotonic()
    while True:
        console = media.serial.read_text(errors="replace") if media.serial.is_file() else ""
        waited = time.monotonic() - begun
        if READY in console:
            return
        if not _alive(media.pid):
            raise _not_booted("QEMU ended", console)
        if any(sign in console for sign in DEAD):
            raise _not_booted("the host crashed", console)
        silent = accelerator != "tcg" and waited > FIRST_LINE_SECONDS and "Xen" not in console
        if waited > BOOT_SECONDS[accelerator] or silent:
            raise _not_booted(f"no more was seen after {waited:.0f} s", console)
        time.sleep(POLL_SECONDS)


def _not_booted(why: str, console: str) -> BackendError:
    tail = "".join(f"\n    | {line}" for line in console.splitlines()[-SHOWN:]) or " (nothing)"
    return BackendError(f"the nested Xen host did not boot: {why}; its console:{tail}")


def _media(machine: Machine, report: Callable[[str, str], None]) -> Media:
    """All files; the initrd is this boot's own, since it brings the keys."""
    folder = paths.xen_host()
    outputs = toolbox.outputs(toolbox.HOST, ("xen", "vmlinux", "initrd", "root.ext4"), report)
    toolbox.outputs(toolbox.GUEST, ("vmlinux", "initrd"), report)
    entries = {"host": f"ADDRESS={qemu.ADDRESS}/24\nSTORE={STORE}\n".encode(), **_keys(folder)}
    initrd = folder / "initrd"
    initrd.touch(mode=0o600)
    letter = cpio.archive({f"/lab/{name}": (content, 0o600) for name, content in entries.items()})
    initrd.write_bytes(outputs["initrd"].read_bytes() + letter)
    store = folder / "store.img"
    if not store.is_file():
        store.touch(mode=0o600)
        os.truncate(store, machine.disk << 30)
    return qemu.Media(outputs["xen"], outputs["vmlinux"], initrd, outputs["root.ext4"], store, paths.disks(), folder)


def _keys(folder: Path) -> dict[str, bytes]:
    """This boot's keys: the host's own, and the lab's for it."""
    own, host = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    for name, content in {
        "identity": keys.openssh(own),
        "known-hosts": f"{ALIAS} ".encode() + keys.public(host) + b"\n",
    }.items():
        private.write(folder / name, content)
    return {"authorized_keys": keys.public(own) + b"\n", "host_key": keys.openssh(host)}


def _accelerators(machine: Machine, say: Callable[[str], None]) -> Iterator[tuple[str, str]]:
    """What to try, in order, with words for it. Only a boot tells whether KVM carries Xen; a refusal is remembered."""
    if not machine.icount and os.access("/dev/kvm", os.R_OK | os.W_OK):
        if _refusal().is_file() and _refusal().read_text(encoding="utf-8") == platform.release():
            say("KVM was tried before on this kernel and can't carry Xen")
        else:
            yield "kvm", "KVM with nested virtualisation"
    yield "tcg", "emulation, in the time of its instructions" if machine.counts("tcg") else "emulation, in real time"


def _refusal() -> Path:
    return paths.xen_host() / "kvm-refused"


def _remember_refusal() -> None:
    _refusal().write_text(platform.release(), encoding="utf-8")


def _alive(pid_file: Path) -> bool:
    """Whether QEMU lives: it holds a lock on its pid file until it ends, however it ends."""
    try:
        with pid_file.open("r+") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _wait_for_end(pid_file: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while _alive(pid_file) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


@contextlib.contextmanager
def _only_one() -> Iterator[None]:
    """Two commands at once boot one host."""
    with paths.lock("xen-host").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def described(host: Running) -> dict[str, object]:
    """For `lab xen host status`."""
    return asdict(host)
