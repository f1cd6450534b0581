"""What every domain boots: Debian's kernel and the lab's initrd, beside the images and not in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab import assets
from lab.backends.xen import toolbox

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KERNEL, INITRD = "vmlinux", "initrd"


def files(report: Callable[[str, str], None]) -> list[Path]:
    """Kernel and initrd; built unless they are kept."""
    return list(toolbox.outputs(toolbox.GUEST, (KERNEL, INITRD), report).values())


def name(which: str) -> str:
    """What the kernel or the initrd is called, on this machine and on the host."""
    return f"{toolbox.GUEST}-{toolbox.recipe(toolbox.GUEST).digest}-{which}"


def features() -> frozenset[str]:
    """The features of the domains' kernel; the build fails if one of them is missing (xen/guest/assemble)."""
    lines = (assets.xen() / "guest" / "features").read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))
