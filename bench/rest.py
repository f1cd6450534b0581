"""What the nodes take of a processor while nobody asks for anything, by role and by program.

`python -m bench rest` takes it of `full`, `python -m bench.rest -n NAME [--runs N]` of a cluster that is up.
"""

from __future__ import annotations

import argparse
import re
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.figures import Figure, figure, show
from lab.backends import backend
from lab.evidence import until
from lab.topology import Placement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.backends.base import Backend
    from lab.testing import LabCluster

ALL_SHARE = 8.0
"""All nodes of `full` together, in % of a core."""
SETTLED_SECONDS, MEASURED_SECONDS, LOOK_SECONDS, SAMPLE_SECONDS = 15.0, 60.0, 15.0, 30.0
SMALLEST = 0.05
"""% of a core; a process that takes less is only in the sum."""
MICROSECONDS, NANOSECONDS = 1e6, 1e9
SAMPLE = """
now() {
    for file in /sys/fs/cgroup/cpuacct/cpuacct.usage /sys/fs/cgroup/cpu.stat; do
        [ -r $file ] && read -r words < $file && break
    done
    read -r now rest < /proc/uptime
    echo "$1 $now $file ${words:-none}"
}
now begin
getconf CLK_TCK | sed 's/^/ticks /'
for process in /proc/[0-9]*; do
    { read -r stat < $process/stat && command=$(tr '\\0' ' ' < $process/cmdline); } 2> /dev/null || continue
    [ -z "$command" ] || echo "process $stat | $command"
done
now end
"""


@dataclass(frozen=True)
class Sample:
    """What a node and its processes have used, in seconds of a processor.

    `begin`, `end`: when it was taken, and what all of the node had used then by its cgroup; nothing where it has none.
    What the sample itself costs lies between them.
    """

    begin: tuple[float, float | None]
    end: tuple[float, float | None]
    processes: dict[tuple[str, str], float] = field(default_factory=dict)

    def shares(self, earlier: Sample) -> dict[str, float]:
        """% of a core since an earlier sample, by program; "" is all of the node."""
        (since, before), (now, after) = earlier.end, self.begin
        found: dict[str, float] = defaultdict(float)
        for (pid, name), seconds in self.processes.items():
            found[name] += 100 * (seconds - earlier.processes.get((pid, name), seconds)) / (now - since)
        used = None if before is None or after is None else 100 * (after - before) / (now - since)
        return dict(found) | {"": sum(found.values()) if used is None else used}


def measure(cluster: LabCluster, runs: int) -> list[Figure]:
    """Of a cluster of the bench's own."""
    return look(cluster.backend, runs)


def look(made: Backend, runs: int) -> list[Figure]:
    """Of a cluster that is up; `runs`: samples of a minute each, or one that is shorter."""
    roles = {node.name: node.role for node in made.observe().nodes}
    _wait("the cluster to come to rest", SETTLED_SECONDS)
    shares: dict[tuple[str, str], list[float]] = defaultdict(list)
    sums = []
    for _ in range(runs):
        before = {name: sample(made, name) for name in roles}
        _wait("a while at rest", MEASURED_SECONDS if runs > 1 else LOOK_SECONDS)
        taken = {name: sample(made, name).shares(before[name]) for name in roles}
        sums.append(sum(one[""] for one in taken.values()))
        for name, found in taken.items():
            for program, share in found.items():
                shares[roles[name], program].append(share)
    row = figure("all nodes", "% of a core", sums, f"of 'full' ≤ {ALL_SHARE:g} %", ALL_SHARE)
    return [row, *_by_role(shares)]


def _by_role(shares: dict[tuple[str, str], list[float]]) -> Iterator[Figure]:
    for (role, program), values in sorted(shares.items()):
        if not program or max(values) >= SMALLEST:
            yield figure(f"{role}: {program}" if program else f"{role}, a node", "% of a core", values)


def sample(made: Backend, node: str) -> Sample:
    """One node, now."""
    return read(made.run(node, ["sh", "-c", SAMPLE], seconds=SAMPLE_SECONDS).stdout)


def read(text: str) -> Sample:
    """What `SAMPLE` prints: of a process by proc(5), fields 14 and 15, in clock ticks."""
    moments: dict[str, tuple[float, float | None]] = {}
    ticks, processes = 100, {}
    for line in text.splitlines():
        kind, _, said = line.partition(" ")
        if kind in ("begin", "end"):
            now, file, *words = said.split()
            scale = MICROSECONDS if file.endswith("cpu.stat") else NANOSECONDS
            moments[kind] = float(now), int(words[-1]) / scale if words[-1].isdigit() else None
        elif kind == "ticks":
            ticks = int(said)
        elif kind == "process":
            stat, _, command = said.partition(" | ")
            fields = stat.rpartition(")")[2].split()
            processes[stat.split(maxsplit=1)[0], program(command)] = (int(fields[11]) + int(fields[12])) / ticks
    return Sample(moments["begin"], moments["end"], processes)


def program(command: str) -> str:
    """The name of what a command line runs: of a program of the lab's, that, and not its interpreter."""
    own = re.search(r"lab_node\.\w+", command) or re.search(r"/usr/lib/lab/(?!run\b)([\w.-]+)", command)
    return own[0].rpartition("/")[2] if own else command.split(maxsplit=1)[0].rpartition("/")[2].rstrip(":")


def _wait(what: str, seconds: float) -> None:
    begun = time.monotonic()
    until(what, 2 * seconds, lambda: time.monotonic() - begun > seconds)


def main() -> None:
    """Shows them."""
    parser = argparse.ArgumentParser(prog="python -m bench.rest", description=__doc__)
    parser.add_argument("-n", "--name", default="www")
    parser.add_argument("--runs", type=int, default=2)
    chosen = parser.parse_args()
    show(f"At rest: {chosen.name}", look(backend(Placement(), chosen.name), chosen.runs))


if __name__ == "__main__":
    main()
