"""The kernels of domains and of the nested host, as the tools' images prepare them."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from lab import assets

if TYPE_CHECKING:
    from pathlib import Path

LIMIT = bytes.fromhex("ba 00 00 00 08")
"""mov $0x8000000,%edx: the page numbers of 512 GiB."""

PLACE = bytes.fromhex("48 c7 05 0a 0d 26 00 02 00 00 00 48 39 d0")
"""What follows it in Debian's kernel; the address of the variable has the bytes of a new line."""


def _reserve(kernel: Path, gib: int) -> subprocess.CompletedProcess[str]:
    script = assets.xen() / "kernel" / "reserve"
    return subprocess.run([str(script), str(kernel), str(gib)], check=True, capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize(("gib", "pages"), [(1, 0x40000), (16, 0x400000)])
def test_the_limit_of_memory_is_changed_where_it_is_found_once(tmp_path: Path, gib: int, pages: int) -> None:
    """The number alone elsewhere is somebody else's."""
    kernel = tmp_path / "vmlinux"
    kernel.write_bytes(b"\x7fELF\n" + LIMIT + b"\xff\x00" + LIMIT + PLACE + b"\n\x80")
    assert _reserve(kernel, gib).stderr == ""
    changed = b"\xba" + pages.to_bytes(4, "little")
    assert kernel.read_bytes() == b"\x7fELF\n" + LIMIT + b"\xff\x00" + changed + PLACE + b"\n\x80"


@pytest.mark.parametrize("times", [0, 2])
def test_a_kernel_that_is_not_understood_is_left_as_it_is(tmp_path: Path, times: int) -> None:
    kernel = tmp_path / "vmlinux"
    content = b"\x7fELF\xfe" + (LIMIT + PLACE) * times + LIMIT
    kernel.write_bytes(content)
    assert f"found {times} times" in _reserve(kernel, 1).stderr
    assert kernel.read_bytes() == content
