"""`lab up`, `down`, `status`, `--help`, beside Docker Compose v2 and beside the engine's own floor."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING

from bench import compose_v2
from bench.figures import Figure, figure, seconds
from lab.backends.docker import container
from lab.backends.docker.backend import DockerBackend
from lab.export import compose
from lab.lifecycle import secrets
from lab.lifecycle.resolve import offline
from lab.parallel import WORKERS
from lab.plan import TMPFS, Plan, plan
from lab.topology import find, load

if TYPE_CHECKING:
    from lab.testing import LabCluster

LAB = str(Path(sys.executable).with_name("lab"))
NAME = f"labbench-{os.getpid()}"
UP_RATIO, UP_ABOVE_FLOOR, STATUS_SECONDS, HELP_SECONDS, MEMORY_GIB = 1.2, 2.0, 0.5, 0.3, 2.0


def run(runs: int) -> list[Figure]:
    """Each round takes every figure once, so that a slow minute of the machine hits all of them."""
    compose_command = compose_v2.command()
    rounds: dict[str, list[float]] = {}

    def take(name: str, value: float) -> None:
        rounds.setdefault(name, []).append(value)

    with tempfile.TemporaryDirectory(prefix="lab-bench-") as scratch:
        made = _document(Path(scratch))  # and the secrets of both, before the clock runs
        for _ in range(runs):
            take("floor", _floor(made))
            take("up", seconds(lambda: _lab("up")))
            take("again", seconds(lambda: _lab("up")))
            take("status", seconds(lambda: _lab("status")))
            take("memory", _memory())
            take("down", seconds(lambda: _lab("down")))
            take("help", seconds(lambda: _lab("--help")))
            if compose_command:
                take("compose up", seconds(lambda: _compose(compose_command, scratch, "up", "-d", "--wait")))
                take("compose down", seconds(lambda: _compose(compose_command, scratch, "down", "-t", "0")))
        if compose_command:
            _compose(compose_command, scratch, "down", "-v")
    _lab("down", "--volumes")
    return _figures(rounds)


def look(cluster: LabCluster, runs: int) -> list[Figure]:
    """Of the shared cluster, which has this bench's name: without Compose and the engine's floor."""
    taken: dict[str, list[float]] = {}
    cluster.applied = None  # the command makes it the shipped topology; who comes next finds their own again
    for _ in range(runs):
        for name, argv in {"lab down": ("down",), "lab up, images built, ready": ("up",)}.items():
            taken.setdefault(name, []).append(seconds(lambda argv=argv: _lab(*argv)))  # type: ignore[misc]
        again = {"lab up again, nothing to change": "up", "lab status": "status", "lab --help": "--help"}
        for name, verb in again.items():
            taken.setdefault(name, []).append(seconds(lambda verb=verb: _lab(verb)))  # type: ignore[misc]
    rows = [figure(name, "s", values) for name, values in taken.items()]
    return [*rows, figure("memory of all nodes at rest", "GiB", [_memory()], f"≤ {MEMORY_GIB:g} GiB", MEMORY_GIB)]


def _memory() -> float:
    """GiB of all nodes together, without what the kernel would give back (inactive pages of files)."""
    engine = DockerBackend(NAME)
    total = 0
    for node in engine.observe().nodes:
        told = engine.api.stats(container.name(NAME, node.name), stream=False, one_shot=True)["memory_stats"]
        total += told["usage"] - told["stats"].get("inactive_file", 0)
    engine.api.close()
    return total / 2**30


def _figures(rounds: dict[str, list[float]]) -> list[Figure]:
    up, floor = rounds["up"], rounds["floor"]
    above = [mine - least for mine, least in zip(up, floor, strict=True)]
    rows = [
        figure("engine's floor: as many idle containers", "s", floor),
        figure("lab up, images built, ready", "s", up),
        figure("lab up above the floor", "s", above, f"≤ {UP_ABOVE_FLOOR:g} s", UP_ABOVE_FLOOR),
        figure("lab up again, nothing to change", "s", rounds["again"]),
        figure("lab down", "s", rounds["down"]),
        figure("lab status", "s", rounds["status"], f"≤ {STATUS_SECONDS:g} s", STATUS_SECONDS),
        figure("memory of all nodes at rest", "GiB", rounds["memory"], f"≤ {MEMORY_GIB:g} GiB", MEMORY_GIB),
        figure("lab --help", "s", rounds["help"], f"≤ {HELP_SECONDS:g} s", HELP_SECONDS),
    ]
    if "compose up" not in rounds:
        return rows
    ratio = [mine / theirs for mine, theirs in zip(up, rounds["compose up"], strict=True)]
    down_ratio = [mine / theirs for mine, theirs in zip(rounds["down"], rounds["compose down"], strict=True)]
    return [
        *rows,
        figure("Compose v2 up --wait", "s", rounds["compose up"]),
        figure("lab up / Compose v2 up", "×", ratio, f"≤ {UP_RATIO:g} ×", UP_RATIO),
        figure("Compose v2 down", "s", rounds["compose down"]),
        figure("lab down / Compose v2 down", "×", down_ratio, f"≤ {UP_RATIO:g} ×", UP_RATIO),
    ]


def _lab(*argv: str) -> None:
    subprocess.run(
        [LAB, *argv], check=True, capture_output=True, env={**os.environ, "LAB_NAME": NAME, "LAB_FILE": "full"}
    )


def _compose(command: list[str], folder: str, *argv: str) -> None:
    subprocess.run([*command, "-p", NAME, *argv], cwd=folder, check=True, capture_output=True, env=_ports())


@cache
def _ports() -> dict[str, str]:
    """The environment, with free ports of this machine for all that Compose publishes."""
    nodes = plan(*offline(load(find("full")))).nodes
    variables = sorted({compose.variable(entry) for node in nodes for entry in node.publish})
    with ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in variables]
        ports = [str(one.getsockname()[1]) for one in sockets]
    return {**os.environ, **dict(zip(variables, ports, strict=True))}


def _document(folder: Path) -> Plan:
    """The Compose document of the same topology with its secrets, in a scratch folder; and its plan."""
    spec = load(find("full"), name=NAME).model_copy(update={"network": _free_network(), "family": "debian"})
    made = plan(*offline(spec))
    (folder / "compose.yaml").write_text(compose.document(made), encoding="utf-8")
    for place, text in compose.files(made).items():
        _write(folder / place, text, 0o644)
    for place, text in compose.secret_files(made, secrets.ensure(made)).items():
        _write(folder / place, text, 0o600)  # sshd refuses a host key that others may read
    subprocess.run([LAB, "build", "--family", made.family], check=True, capture_output=True)
    return made


def _write(path: Path, text: str, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=mode)
    path.write_text(text, encoding="utf-8")


def _free_network() -> IPv4Network:
    """Compose's usual subnet, or the next that nobody on this engine has."""
    engine = DockerBackend(NAME)
    taken = [IPv4Network(subnet) for subnet in engine.capabilities().subnets]
    engine.api.close()
    usual = (IPv4Network(f"{'.'.join(str(compose.NETWORK).split('.')[:2])}.{third}.0/24") for third in range(256))
    return next(network for network in usual if not any(network.overlaps(other) for other in taken))


def _floor(made: Plan) -> float:
    """As many containers of the same images on a network of their own, that do nothing, started as parallel as `up`."""
    engine = DockerBackend(f"{NAME}-floor")
    api = engine.api
    network = api.create_network(f"{NAME}-floor")["Id"]
    names = [f"{NAME}-floor-{node.name}" for node in made.nodes]

    def begin(index: int) -> None:
        host = api.create_host_config(tmpfs=TMPFS, network_mode=network)
        created = api.create_container(
            made.nodes[index].image, name=names[index], host_config=host, entrypoint=["sleep", "3600"]
        )
        api.start(created["Id"])

    try:
        with ThreadPoolExecutor(WORKERS) as pool:
            return seconds(lambda: list(pool.map(begin, range(len(names)))))
    finally:
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(lambda name: api.remove_container(name, force=True), names))
        api.remove_network(network)
        api.close()
