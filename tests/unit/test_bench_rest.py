"""What a node takes at rest, read from what a node prints."""

from __future__ import annotations

import pytest

from bench import rest

TEXT = """begin {now} {file} {used}
ticks 100
process 7 (python3) S 1 7 7 0 -1 4 0 0 0 0 {mine} 50 9 9 20 0 1 | /usr/bin/python3 -I /usr/lib/lab/run lab_node.keeper
process 9 (a (b) c) S 1 7 7 0 -1 4 0 0 0 0 100 0 9 9 20 0 1 | /bin/bash /usr/lib/lab/haproxy-watchdog
end {later} {file} {used}
"""


def _sample(now: float, file: str, used: str, mine: int) -> rest.Sample:
    return rest.read(TEXT.format(now=now, later=now + 1, file=file, used=used, mine=mine))


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [("/sys/fs/cgroup/cpuacct/cpuacct.usage", "1000000000", "4000000000"),
     ("/sys/fs/cgroup/cpu.stat", "usage_usec 1000000", "usage_usec 4000000")],
)  # fmt: skip
def test_a_nodes_share_is_its_cgroups_between_two_samples(file: str, before: str, after: str) -> None:
    shares = _sample(61, file, after, 150).shares(_sample(0, file, before, 0))
    assert shares == {"": pytest.approx(5.0), "lab_node.keeper": pytest.approx(2.5), "haproxy-watchdog": 0.0}


def test_without_a_cgroup_it_is_the_sum_of_its_processes() -> None:
    nothing = "/sys/fs/cgroup/cpu.stat", "none"
    assert _sample(61, *nothing, 150).shares(_sample(0, *nothing, 0))[""] == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("/usr/bin/python3 -I /usr/lib/lab/run lab_node.supervisord --nodaemon", "lab_node.supervisord"),
        ("/bin/bash /usr/lib/lab/haproxy-watchdog", "haproxy-watchdog"),
        ("/usr/sbin/mariadbd --defaults-file=/etc/lab/my.cnf", "mariadbd"),
        ("sshd: /usr/sbin/sshd -D", "sshd"),
    ],
)
def test_a_process_is_named_for_its_program(command: str, name: str) -> None:
    assert rest.program(command) == name
