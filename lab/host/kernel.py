"""What this machine's kernel has, and which subnets its routes take: read from /proc, nothing is loaded or changed."""

from __future__ import annotations

import gzip
import platform
from ipaddress import IPv4Network
from pathlib import Path

from lab.backends.base import ROUTE
from lab.recipes import kernel_features

OWN = {
    "sch_netem": "CONFIG_NET_SCH_NETEM",
    "sch_tbf": "CONFIG_NET_SCH_TBF",
    "nf_tables": "CONFIG_NF_TABLES",
    "overlay": "CONFIG_OVERLAY_FS",
}
"""What faults and engines need, by the kernel's option for it."""


def known() -> dict[str, str]:
    """All features that are looked for, by module: those, and what the roles need."""
    return OWN | {module: feature.config for module, (_, feature) in kernel_features().items()}


def features() -> frozenset[str]:
    """The known features that the running kernel has built in or as modules."""
    config = _config()
    return frozenset(
        name for name, option in known().items() if f"{option}=y" in config or _module(name, option, config)
    )


def _config() -> set[str]:
    """The lines of the kernel's own configuration, where it tells."""
    running = Path("/proc/config.gz")
    if running.is_file():
        return set(gzip.decompress(running.read_bytes()).decode().splitlines())
    shipped = Path(f"/boot/config-{platform.release()}")
    return set(shipped.read_text(encoding="utf-8").splitlines()) if shipped.is_file() else set()


def _module(name: str, option: str, config: set[str]) -> bool:
    """Whether a module is loaded, or lies ready to be."""
    if Path(f"/sys/module/{name}").is_dir():
        return True
    ready = Path(f"/lib/modules/{platform.release()}/modules.dep")
    file = f"/{name}.ko"
    return (f"{option}=m" in config or not config) and ready.is_file() and file in ready.read_text(encoding="utf-8")


def routes(table: Path = Path("/proc/net/route")) -> dict[str, str]:
    """The subnets of this machine's own routes, the default route left out, and the interface of each."""
    if not table.is_file():
        return {}
    subnets = {}
    for line in table.read_text(encoding="ascii").splitlines()[1:]:
        interface, destination, *rest = line.split()
        mask = int(rest[5], 16).bit_count()
        if mask:
            base = ".".join(str(byte) for byte in int(destination, 16).to_bytes(4, "little"))
            subnets[str(IPv4Network(f"{base}/{mask}"))] = f"{ROUTE}this machine ({interface})"
    return subnets
