"""What a user of a shell server has in memory, in whatever way, counts against the limit."""

from __future__ import annotations

import shlex
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.cluster.school import ANN, BOB, LOGGED_SECONDS, MEGABYTES, logged
from tests.markers import PEOPLE

if TYPE_CHECKING:
    from lab.testing import LabCluster
    from tests.cluster.school import School

pytestmark = pytest.mark.smaller("one node of each role that people use is all it needs", topology=PEOPLE)

HELD_SECONDS = 10  # segments, unless all that is to be seen is seen before
FILES = """
import os, sys, time
def make(number):
    if sys.argv[1] == "memfd":
        return os.memfd_create(str(number))
    path = f"{sys.argv[1]}/trial{number}"
    made = os.open(path, os.O_CREAT | os.O_RDWR)
    if sys.argv[2] == "removed":
        os.unlink(path)
    return made
held = [make(number) for number in range(10)]
for one in held:
    for _ in range(20):
        os.write(one, bytes(1 << 20))
    time.sleep(0.2)
    if sys.argv[2] == "closed":
        os.close(one)
time.sleep(20)
print("to the end")
"""


def test_shared_memory_counts_as_any_other(cluster: LabCluster, school: School) -> None:
    """By a mapping that no file has, by System V segments, and when nobody has those attached any more."""
    school.logs_in(ANN)
    mapped = (
        "import mmap, time\nheld = []\nfor _ in range(15):\n"
        "    held.append(mmap.mmap(-1, 20 << 20)); held[-1].write(b'x' * (20 << 20))\ntime.sleep(20)"
    )
    segments = (
        "import ctypes, os, time\nc = ctypes.CDLL(None); c.shmat.restype = ctypes.c_void_p\nfor _ in range(15):\n"
        "    at = c.shmat(c.shmget(0, 20 << 20, 0o1600), None, 0); ctypes.memset(at, 1, 20 << 20)\n"
        "    c.shmdt(ctypes.c_void_p(at))\n"
        f"for _ in range({HELD_SECONDS * 10}):\n    os.path.exists('go') or time.sleep(0.1)"
    )
    shell = cluster.plan.role("shell")[0].name
    assert not school.ssh(ANN, f"python3 -c {shlex.quote(mapped)}", seconds=60).ok
    with ThreadPoolExecutor(1) as pool:
        attached = pool.submit(school.ssh, ANN, f"python3 -c {shlex.quote(segments)}", seconds=60)
        said = partial(logged, cluster, "shared memory", f"more than {MEGABYTES}")
        limit = HELD_SECONDS + LOGGED_SECONDS
        try:
            cluster.until("five segments in the log", limit, said, lambda lines: len(lines) >= 5)
        finally:
            cluster.run(shell, f"touch /home/{ANN}/go")
        attached.result()
    cluster.run(shell, f"rm /home/{ANN}/go")
    cluster.until(
        "no segment to be left",
        10,
        lambda: cluster.run(shell, "wc -l < /proc/sysvipc/shm").stdout,
        lambda lines: lines.strip() == "1",
    )


@pytest.mark.parametrize(
    ("place", "how", "what"),
    [
        ("memfd", "open", "process"),
        ("/tmp", "removed", "process"),
        pytest.param(
            "/tmp",
            "closed",
            "file '/tmp/trial",
            marks=pytest.mark.nightly("twenty seconds; at every change two others"),
        ),
    ],
)
def test_a_file_in_memory_counts_as_any_other(
    cluster: LabCluster, school: School, place: str, how: str, what: str
) -> None:
    """200 MiB that are not mapped: more than the limit, less than the node's memory."""
    school.logs_in(ANN)
    before = len(logged(cluster, f"more than {MEGABYTES}", what))
    done = school.ssh(ANN, f"python3 -c {shlex.quote(FILES)} {place} {how}; rm -f {place}/trial*", seconds=60)
    cluster.until(
        "the reason in the log", LOGGED_SECONDS, lambda: len(logged(cluster, f"more than {MEGABYTES}", what)) > before
    )
    assert (done.stdout == "to the end\n") is (how == "closed"), done
    assert school.ssh(BOB, "echo here").stdout == "here\n"
