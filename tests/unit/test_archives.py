"""Files on their way into a node have the present time: a server that caches a file by its time sees a change."""

from __future__ import annotations

import io
import tarfile
import time

from lab.backends.archive import archive
from lab.backends.xen import cpio

FILES = {"/etc/lab/x.conf": (b"content", 0o640)}
FEW_SECONDS = 60


def test_a_file_of_a_tar_archive_has_the_present_time() -> None:
    with tarfile.open(fileobj=io.BytesIO(archive(FILES, owner=33))) as tar:
        (entry,) = tar.getmembers()
    assert (entry.name, entry.mode, entry.uid, entry.size) == ("etc/lab/x.conf", 0o640, 33, 7)
    assert abs(entry.mtime - time.time()) < FEW_SECONDS


def test_a_file_of_a_cpio_archive_has_the_present_time() -> None:
    made = cpio.archive(FILES)
    begin = made.index(b"etc/lab/x.conf\0") - cpio.HEAD
    numbers = [int(made[begin + 6 + 8 * field : begin + 14 + 8 * field], 16) for field in range(13)]
    assert (numbers[1] & 0o777, numbers[6]) == (0o640, 7)
    assert abs(numbers[5] - time.time()) < FEW_SECONDS
