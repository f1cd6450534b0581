"""A node as a domain: its name, its configuration for xl, what its initrd is given, and what Xen remembers of it."""

from __future__ import annotations

import json
import shlex
import uuid
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from lab.backends.archive import archive
from lab.backends.base import Existing, Observed, State
from lab.backends.xen import cpio
from lab.backends.xen.program import OTHERS, START, TOOLS
from lab.errors import SpecError
from lab.names import LABEL
from lab.plan.model import TMPFS, Fixed, Limits
from lab.recipes import manifest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.backends.xen.program import Program
    from lab.backends.xen.settings import Xen
    from lab.plan import NodePlan, Plan

PORT = 7022
DATA, VOLUME = "data", "volume "  # a line of what `observe` prints, and how one for each volume begins
"""Where a domain lets the lab in, on the cluster's own network; 22 may be a role's."""

VCPUS = 1
"""Processors of a domain, independent of its limit: the nested host emulates each of them."""

KERNEL_THREADS = 150
"""The kernel's own threads, which its limit counts with the processes: about 70 in a domain of one processor."""

STOP_SECONDS = 30
"""For a clean stop of a domain that was made before it was remembered."""

FEWER_TESTS = "cryptomgr.notests rodata=off"
"""Kernel parameters: no self-tests of ciphers, no protection of read-only memory: a quarter of the boot until /init."""

FIXED_ADDRESSES = "norandmaps"
"""For the nested host: code that is loaded elsewhere each time is translated by QEMU each time (decision 088)."""

OWN_COUNTER = "clocksource=tsc tsc=reliable"
"""For the nested host: a domain reads the time without asking Xen (decision 088)."""

DATA_DISKS = "cdefghijklmno"
BESIDE_DISK = "xvdp"
COMMAND_LINE = f"console=hvc0 quiet mitigations=off random.trust_cpu=on net.ifnames=0 panic=1 {FEWER_TESTS}"
OWN = uuid.uuid5(uuid.NAMESPACE_DNS, LABEL)
INTO = "/run/lab/bin/into"
"""Runs a command in the files of an application, where commands arrive beside them."""

SHELL = f"{TOOLS}/sh"
UNPACK = "/run/lab/bin/tar -x -o -f - -C / && sync"


def name(cluster: str, node: str) -> str:
    """The domain's name, such as `www-web1`."""
    return f"{cluster}-{node}"


def identity(cluster: str, node: str) -> str:
    """The domain's UUID: always the same for a node, and by it the domain is known to be the lab's."""
    return str(uuid.uuid5(OWN, name(cluster, node)))


def bridge(cluster: str, settings: Xen) -> str:
    """The bridge's name: as asked, or one of the cluster's own, of at most 15 characters."""
    return settings.bridge or f"lab{uuid.uuid5(OWN, cluster).hex[:10]}"


def mac(address: str) -> str:
    """The network card's address, of Xen's own range (00:16:3e), from the node's."""
    return "00:16:3e:" + ":".join(f"{int(part):02x}" for part in address.split(".")[1:])


def config(  # noqa: PLR0913, PLR0917
    plan: Plan, node: NodePlan, settings: Xen, store: str, disk: str, kernel: str, beside: str = ""
) -> str:
    """The domain's configuration; see xl.cfg(5). `beside`: the disk of the image beside an application.

    Raises:
        SpecError: it has more volumes than disks.
    """
    if len(node.volumes) > len(DATA_DISKS):
        raise SpecError(
            f"{node.name} has {len(node.volumes)} volumes, a domain takes {len(DATA_DISKS)}",
            where=f"apps.{node.role}.writable",
            next_step="name a folder that holds several of them",
        )
    home = f"{store}/clusters/{plan.cluster}/{node.name}"
    data = [f"{store}/volumes/{plan.cluster}/{node.name}-{key}.ext4" for key in node.volumes]
    disks = [("xvda", "r", f"{store}/images/{disk}"), ("xvdb", "w", f"{home}/own.ext4")]
    disks += [(f"xvd{letter}", "w", path) for letter, path in zip(DATA_DISKS, data, strict=False)]
    disks += [(BESIDE_DISK, "r", f"{store}/images/{beside}")] if beside else []
    marks = {"cluster": plan.cluster, "node": node.name, "role": node.role}
    nested = not settings.host
    line = f"{COMMAND_LINE} {FIXED_ADDRESSES} {OWN_COUNTER}" if nested else COMMAND_LINE
    extra = " ".join([line, *(f"lab.{key}={value}" for key, value in marks.items())])
    values: dict[str, object] = {
        "name": name(plan.cluster, node.name),
        "uuid": identity(plan.cluster, node.name),
        "type": "pv",
        "memory": settings.memory,
        "vcpus": VCPUS,
        "kernel": f"{store}/images/{kernel}",
        "ramdisk": f"{home}/ramdisk",
        "extra": extra,
        "disk": [f"format=raw,vdev={device},access={access},target={path}" for device, access, path in disks],
        "vif": [f"mac={mac(node.address)},bridge={bridge(plan.cluster, settings)}"],
        # Xen emulates a counter that it does not know to be steady: a trap at each look at the time.
        **({"tsc_mode": "native"} if nested else {}),
        "on_poweroff": "destroy",
        "on_reboot": "destroy",
        "on_crash": "destroy",
    }
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())


def assignments(plan: Plan, node: NodePlan, program: Program | None = None) -> str:
    """What the initrd reads about the node: assignments for its shell (xen/guest/init).

    `program`: that of an application.
    """
    volumes = [f"xvd{which}:{path}" for which, path in zip(DATA_DISKS, node.volumes.values(), strict=False)]
    volumes.sort(key=lambda volume: volume.partition(":")[2])  # a folder before those in it, which it would hide
    values = {
        "NAME": node.name,
        "ADDRESS": node.address,
        "PREFIX": plan.network.prefixlen,
        "PORT": PORT,
        "ENTRYPOINT": START if program else manifest("base").own.entrypoint,
        "BESIDE": BESIDE_DISK if program else "",
        "VOLUMES": " ".join(volumes),
        "SYSCTLS": "\n".join(f"{key}={value}" for key, value in node.sysctls.items()),
        "THREADS": node.limits.processes + KERNEL_THREADS,
        "DEVICES": " ".join(node.devices),
        "TMPFS": "\n".join(f"{path} {options}" for path, options in TMPFS.items()),
        **(program.assignments(node) if program else {}),
    }
    return "".join(f"{key}={shlex.quote(str(value))}\n" for key, value in values.items())


def payload(files: Mapping[str, tuple[bytes, int]]) -> dict[str, tuple[bytes, int]]:
    """Files for a node as they lie in its initrd, with a number by which it knows whether it took them over."""
    number = uuid.uuid4().hex.encode()
    return {f"/lab/files{path}": entry for path, entry in files.items()} | {"/lab/letter": (number, 0o600)}


def unpack(files: Mapping[str, tuple[bytes, int]]) -> str:
    """A shell command that unpacks files into an application; those with secrets belong to its user, as at its start.

    By way of the first process, whose view of the files may be written.
    """
    chroot = f"/run/lab/bin/chroot /proc/1/root {TOOLS}"
    steps = [f"{chroot}/tar -x -o -f - -C /"]
    if owned := [path for path, (_, mode) in files.items() if not mode & OTHERS]:
        steps.append(f'{chroot}/chown "$(/run/lab/bin/stat -c %u:%g /run/lab/printed)" {shlex.join(owned)}')
    return " && ".join([*steps, "sync"])


def folder(configuration: str, inbox: Mapping[str, tuple[bytes, int]]) -> bytes:
    """What lies in a node's folder on the host, as a tar archive: readable by root alone."""
    return archive({"domain.cfg": (configuration.encode(), 0o600), "inbox.cpio": (cpio.archive(inbox), 0o600)})


@dataclass(frozen=True)
class Metadata:
    """What Xen is told to remember of a node.

    Attributes:
        disk: the file of its image.
        stop: seconds that a clean stop may take.
        memory: MiB; None of a domain that was made before it was remembered.
        started: whether it ever was.
    """

    fixed: Fixed
    family: str
    network: str
    vip: str | None
    disk: str
    bridge: str
    stop: int = STOP_SECONDS
    memory: int | None = None
    started: bool = False

    @classmethod
    def read(cls, line: str) -> Metadata:
        """As `line` wrote it."""
        stored = json.loads(line)
        known = {entry.name for entry in fields(cls)}
        return cls(
            **{key: value for key, value in stored.items() if key in known} | {"fixed": Fixed.read(stored["fixed"])}
        )

    @property
    def line(self) -> str:
        """All of it as JSON on one line."""
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)} | {"fixed": self.fixed.values}
        return json.dumps(values, separators=(",", ":"), sort_keys=True)

    @property
    def limits(self) -> Limits | None:
        """What the domain may take; None for one that was made before it was remembered."""
        if self.fixed.limits is None or self.memory is None:
            return None
        return Limits(memory=self.memory, processes=self.fixed.limits.processes, processors=VCPUS)


def metadata(plan: Plan, node: NodePlan, settings: Xen, disk: str) -> Metadata:
    """What Xen is told to remember of a node that was not started yet."""
    return Metadata(
        node.fixed,
        plan.family,
        str(plan.network.cidr),
        plan.vip,
        disk,
        bridge(plan.cluster, settings),
        node.stop_seconds,
        settings.memory,
    )


def known(printed: str) -> dict[str, Metadata]:
    """What is remembered, by node, from the second half of what `observe` prints."""
    entries = (Metadata.read(line) for line in printed.partition("\n---\n")[2].splitlines() if line)
    return {metadata.fixed.name: metadata for metadata in entries}


def states(printed: str) -> dict[str, State]:
    """The state of every domain by its UUID, from `xl list -v`; see xl(1) for its letters."""
    by_uuid = {}
    for line in printed.partition("\n---")[0].splitlines()[1:]:
        columns = line.split()
        if len(columns) > 6 and "d" not in columns[4]:  # noqa: PLR2004  a dying one is no more
            by_uuid[columns[6]] = State.PAUSED if "p" in columns[4] else State.RUNNING
    return by_uuid


def existing(cluster: str, printed: str) -> Existing:
    """The cluster from what `observe` prints."""
    alive, remembered = states(printed), known(printed)
    nodes = []
    for node, stored in remembered.items():
        asleep = State.STOPPED if stored.started else State.CREATED
        nodes.append(Observed(stored.fixed, alive.get(identity(cluster, node), asleep), stored.limits))
    first = next(iter(remembered.values()), None)
    lines = printed.partition("\n---\n")[0].splitlines()  # 'xl list' prints dashes, too
    return Existing.of(
        nodes,
        network=first.network if first else None,
        vip=first.vip if first else None,
        family=first.family if first else None,
        data=DATA in lines,
        volumes=frozenset(line.removeprefix(VOLUME) for line in lines if line.startswith(VOLUME)),
    )
