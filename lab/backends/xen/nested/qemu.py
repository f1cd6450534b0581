"""QEMU's command line for the nested host; what each setting is good for stands in docs/xen.md. Pure."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.backends.xen.domain import FEWER_TESTS, FIXED_ADDRESSES
from lab.errors import HostError, SpecError

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = "qemu-system-x86_64"
NAME = "lab-xen"
SUBNET, ADDRESS = "10.89.255.0/24", "10.89.255.15"
DOM0_MEMORY = 1024  # MiB
LEAST_MEMORY = DOM0_MEMORY + 512  # MiB: Xen's own, and one domain
CPU_EMULATED = "Nehalem,+svm"
"""x86-64-v2 without AVX. Measured: with AVX (`max`) emulation corrupts memory in silence; see docs/xen.md."""

XEN = (
    "console=com1 com1=115200,8n1 dom0_mem={memory}M,max:{memory}M dom0_max_vcpus=1"
    " xpti=0 spec-ctrl=no bootscrub=0 noreboot=1 watchdog=0"
)
# No comma: QEMU splits there.
LINUX = f"console=hvc0 quiet mitigations=off nokaslr random.trust_cpu=on net.ifnames=0 {FEWER_TESTS} {FIXED_ADDRESSES}"


SHIFT = 0
"""Of `-icount`: an instruction takes two to the power of it, in nanoseconds. docs/figures.md compares some."""


@dataclass(frozen=True)
class Machine:
    """What the nested host is given; memory in MiB, disk in GiB.

    Attributes:
        cpus: processors; None: one where time counts by instructions, else two.
        icount: whether an emulated processor's time counts by instructions; None: yes, unless several are asked for.
    """

    memory: int = 4096
    cpus: int | None = None
    disk: int = 20
    cpu: str | None = None
    icount: bool | None = None

    def counts(self, accelerator: str) -> bool:
        """Whether time counts by instructions with this accelerator."""
        if accelerator != "tcg":
            return False
        return (self.cpus or 1) == 1 if self.icount is None else self.icount

    def processors(self, accelerator: str) -> int:
        """How many it is given."""
        return self.cpus or (1 if self.counts(accelerator) else min(2, os.cpu_count() or 1))

    def check(self) -> None:
        """Refuses what can't work.

        Raises:
            SpecError: too little memory, more processors than this machine has, or several that count instructions.
            HostError: QEMU is missing.
        """
        if not shutil.which(PROGRAM):
            raise HostError(
                f"'{PROGRAM}' is missing",
                next_step="'lab doctor --backend xen --fix' installs it on Debian and Ubuntu as root;\n"
                "    elsewhere: Fedora: qemu-system-x86, Arch: qemu-system-x86, macOS: brew install qemu",
            )
        if self.memory < LEAST_MEMORY:
            raise SpecError(
                f"--memory {self.memory}: the host takes {DOM0_MEMORY} MiB, and domains come on top of it",
                next_step=f"give {LEAST_MEMORY} or more; 4096 holds five domains",
            )
        there = os.cpu_count() or 1
        if self.cpus is not None and not 1 <= self.cpus <= there:
            raise SpecError(f"--cpus {self.cpus}: this machine has {there}")
        if self.icount and self.cpus not in (None, 1):
            raise SpecError(
                f"--icount --cpus {self.cpus}: only one processor counts its instructions",
                next_step="leave --cpus out; or give --no-icount for more processors, in this machine's time",
            )
        if self.disk < 1:
            raise SpecError(f"--disk {self.disk}: at least 1 GiB is wanted")


@dataclass(frozen=True)
class Media:
    """Files that the machine boots from, and those that it leaves."""

    xen: Path
    vmlinux: Path
    initrd: Path
    root: Path
    store: Path
    images: Path
    state: Path

    @property
    def serial(self) -> Path:
        """What the hypervisor and the host print."""
        return self.state / "serial.log"

    @property
    def pid(self) -> Path:
        """Locked by QEMU for as long as it lives."""
        return self.state / "qemu.pid"


def arguments(machine: Machine, media: Media, accelerator: str, port: int) -> list[str]:
    """The command line; returns when the machine has begun, and leaves it in the background."""
    emulated, counts = accelerator == "tcg", machine.counts(accelerator)
    # Not sleep=off: the time of a processor with nothing to do would run away from its disks.
    time = ("-icount", f"shift={SHIFT},sleep=on", "-rtc", "base=utc,clock=vm") if counts else ()
    threads = "single" if counts else "multi"
    cpu = machine.cpu or (CPU_EMULATED if emulated else "host")
    network = f"user,id=n0,net={SUBNET},restrict=on,hostfwd=tcp:127.0.0.1:{port}-{ADDRESS}:22"
    # The host's own disk is thrown away with every boot; what domains leave stays.
    root = f"file={_escaped(media.root)},format=raw,if=none,id=root,snapshot=on,cache=unsafe"
    store = f"file={_escaped(media.store)},format=raw,if=none,id=store,cache=writeback,discard=unmap"
    return [
        *(PROGRAM, "-name", NAME, "-daemonize", "-pidfile", str(media.pid)),
        *("-machine", "q35", "-accel", f"tcg,thread={threads},tb-size=2047" if emulated else accelerator),
        *time,
        *("-cpu", cpu, "-smp", str(machine.processors(accelerator)), "-m", f"{machine.memory}M"),
        *(
            "-display",
            "none",
            "-monitor",
            f"unix:{media.state}/monitor,server=on,wait=off",
            "-nodefaults",
            "-no-reboot",
            "-serial",
            f"file:{media.serial}",
        ),
        *("-kernel", str(media.xen), "-append", XEN.format(memory=DOM0_MEMORY)),
        *("-initrd", f"{media.vmlinux} {LINUX},{media.initrd}"),
        *("-netdev", network, "-device", "virtio-net-pci,netdev=n0,romfile="),
        *("-drive", root, "-device", "virtio-blk-pci,drive=root"),
        *("-drive", store, "-device", "virtio-blk-pci,drive=store"),
        *("-fsdev", f"local,id=images,path={_escaped(media.images)},security_model=none,readonly=on"),
        *("-device", "virtio-9p-pci,fsdev=images,mount_tag=images", "-device", "virtio-rng-pci"),
    ]


def _escaped(path: Path) -> str:
    """A comma ends an option's value; two of them are one."""
    return str(path).replace(",", ",,")
