"""Files that were changed after a service had read them: by the start of its processes and the ctime of each file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.evidence.outcomes import Scene

# ctime, and not mtime: 'cp -p' and 'mv' bring an old mtime with them. A reload starts new workers below the same
# process, so the newest of all counts. A start is known by ticks, rounded down: two of them are no difference.
SCRIPT = """
import os, sys, time

root, names, *paths = sys.argv[1:]
names, ticks = set(filter(None, names.split(","))), os.sysconf("SC_CLK_TCK")
booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
children, processes = {}, {}
for pid in filter(str.isdecimal, os.listdir("/proc")):
    try:
        with open(f"/proc/{pid}/stat") as file:
            name, _, rest = file.read().partition("(")[2].rpartition(")")
    except OSError:
        continue
    fields = rest.split()
    processes[pid] = name, booted + int(fields[19]) / ticks
    children.setdefault(fields[1], []).append(pid)
own, waiting = [], [root]
while waiting:
    pid = waiting.pop()
    own.append(pid)
    waiting += children.get(pid, [])
read = [since for name, since in (processes[pid] for pid in own if pid in processes) if not names or name in names]
if root not in processes:
    sys.exit("it has ended")
for path in filter(os.path.exists, paths if read else ()):
    seconds = os.stat(path).st_ctime - max(read)
    if seconds > 2 / ticks:
        print(f"{seconds:.2f} {path}")
"""


@dataclass(frozen=True)
class ChangedFile:
    """A file that was changed after its service had started, or had been reloaded, for the last time.

    Attributes:
        seconds: how long after that.
    """

    path: str
    seconds: float


def changed(scene: Scene, node: str, pid: int, paths: Sequence[str], readers: Sequence[str] = ()) -> ChangedFile | None:
    """The first file that a service has not read since it was changed; None where there is none.

    A service whose readers have not begun yet reads the file as it is now.

    Args:
        scene: the cluster.
        node: where the service runs.
        pid: of its first process in the node.
        paths: the files that it reads; links are followed.
        readers: names of those processes that read them; empty: all that the service has.

    Raises:
        BackendError: the processes of the service can't be read.
    """
    answer = scene.run(node, ["python3", "-Ic", SCRIPT, str(pid), ",".join(readers), *paths])
    if not answer.ok:
        raise BackendError(f"the processes of a service on {node} can't be read: {answer.last_line}", where=node)
    seconds, _, path = answer.stdout.partition("\n")[0].partition(" ")
    return ChangedFile(path, float(seconds)) if path else None
