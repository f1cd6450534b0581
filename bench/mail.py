"""The mail servers: messages a second through the VIP, and how long it takes until they can be read.

Of one message from its `250`; of many, from the login of who opens the mailbox.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from bench.figures import Figure, figure
from lab.backends import backend
from lab.evidence import until
from lab.lifecycle.down import down
from lab.progress import Silent
from lab.services import mail
from lab.testing import LabCluster
from lab.topology import Cluster, Mail, Mysql, Placement, Storage, TcpLb

NAME = f"labbench-{os.getpid()}-mail"
MESSAGES, FEW_MESSAGES, AT_ONCE, BYTES = 200, 60, 8, 2000
ARRIVALS, FEW = 40, 10  # few where there is one round only: a look
WAITING, FEW_WAITING = 5000, 60
OPENED_SECONDS = 10.0  # the goal; by Dovecot's own renames 5,000 took 122 s
RATE = 1_000_000  # messages that one address may send in its time: no limit
WAIT_SECONDS = 300
EACH_SECONDS = 0.5  # of a message until it is delivered, on a slow machine: two processors were seen to take 0.22
SCRIPT = "/var/tmp/arrival.py"  # noqa: S108  in the node, not here
OPENING = "/var/tmp/opening.py"  # noqa: S108


def run(runs: int) -> list[Figure]:
    """A cluster of its own, whose door takes as many messages as come."""
    made = backend(Placement(), NAME)
    spec = Cluster(name=NAME, storage=Storage(), mysql=Mysql(), mail=Mail(rate=RATE), tcp_lb=TcpLb(count=1))
    try:
        return measure(LabCluster(spec, made), runs)
    finally:
        down(made, Silent(), volumes=True)


def measure(cluster: LabCluster, runs: int) -> list[Figure]:
    """Each round takes every figure once; a mailbox with many new messages is opened once, at the end."""
    scripts = {SCRIPT: "arrival.py", OPENING: "opening.py"}
    here = {path: (Path(__file__).with_name(name).read_bytes(), 0o644) for path, name in scripts.items()}
    cluster.backend.put("client", here)
    _arrivals(cluster, 3)  # the first message of all makes the mailbox's folders
    accepted, delivered, arrivals = [], [], []
    messages = MESSAGES if runs > 1 else FEW_MESSAGES
    for _ in range(runs):
        begun = time.perf_counter()
        _send(cluster, messages)
        accepted.append(messages / (time.perf_counter() - begun))
        _drained(cluster, messages)
        delivered.append(messages / (time.perf_counter() - begun))
        arrivals += _arrivals(cluster, ARRIVALS if runs > 1 else FEW)
    arrivals.sort()
    waiting = WAITING if runs > 1 else FEW_WAITING
    opened = _opened(cluster, waiting)
    return [
        figure(f"accepted, {AT_ONCE} at once, {BYTES} bytes each", "/s", accepted),
        figure("delivered, the same ones", "/s", delivered),
        figure("from 250 to readable by IMAP", "ms", arrivals),
        figure("the same, 99th percentile", "ms", [arrivals[int(0.99 * (len(arrivals) - 1))]]),
        figure(
            f"login and first SELECT after {waiting} messages",
            "s",
            [opened],
            f"≤ {OPENED_SECONDS:g} s",
            OPENED_SECONDS,
        ),
    ]


def _send(cluster: LabCluster, messages: int) -> None:
    """As another host would: by Postfix's own source of messages, on a mail node, to the VIP."""
    sent = f"-s {AT_ONCE} -m {messages} -l {BYTES} -f bench@example.org -t evidence@{cluster.spec.domain}"
    done = cluster.run("mail1", f"smtp-source {sent} inet:{cluster.plan.vip}:25", seconds=_limit(messages))
    if not done.ok:
        raise RuntimeError(f"messages were refused: {done.last_line}")


def _limit(messages: int) -> float:
    return WAIT_SECONDS + EACH_SECONDS * messages


def _drained(cluster: LabCluster, messages: int) -> None:
    until("empty queues", _limit(messages), lambda: mail.queues(cluster.backend), lambda found: not found)


def _opened(cluster: LabCluster, messages: int) -> float:
    """Seconds that it takes to open the mailbox once the last of so many messages is delivered."""
    _send(cluster, messages)
    _drained(cluster, messages)
    done = cluster.backend.run(
        "client", ["python3", OPENING, cluster.plan.vip or "", f"evidence@{cluster.spec.domain}"], seconds=WAIT_SECONDS
    )
    if not done.ok:
        raise RuntimeError(f"the mailbox could not be opened: {done.last_line}")
    said = json.loads(done.stdout)
    if said["messages"] < messages:
        raise RuntimeError(f"{said['messages']} messages were found, {messages} were sent")
    return float(said["seconds"])


def _arrivals(cluster: LabCluster, count: int) -> list[float]:
    """Milliseconds of each of so many messages, sent one after another."""
    argv = ["python3", SCRIPT, cluster.plan.vip or "", f"evidence@{cluster.spec.domain}", str(count)]
    done = cluster.backend.run("client", argv, seconds=WAIT_SECONDS)
    if not done.ok:
        raise RuntimeError(f"messages did not arrive: {done.last_line}")
    return [float(one) for one in json.loads(done.stdout)]
