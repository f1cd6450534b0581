"""`lab fault …`: injects a fault, verifies it, and reverts it."""

from __future__ import annotations

import json
import secrets
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lab.cli import naming, options

if TYPE_CHECKING:
    from lab.backends.base import Backend
    from lab.faults import Fault

SEEDS = 10_000

Targets = Annotated[
    str,
    typer.Argument(
        help="Comma-separated nodes or roles, or one of: vip-holder, primary, random, random:web, minority:web, all."
    ),
]
For = Annotated[str | None, typer.Option("--for", help="Revert it after this time, such as 10s. Default: keep it.")]
Seed = Annotated[
    int | None, typer.Option("--seed", help="Seed of 'random' and 'minority'. Default: a random one, which is printed.")
]

fault = typer.Typer(
    help="Injects a fault, and verifies that it is effective; 'lab heal' reverts it.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Adds the verbs."""
    app.add_typer(fault, name="fault")


def _simple(kind: str, text: str) -> None:
    def run(
        backend: Backend,
        targets: Targets,
        span: For = None,
        seed: Seed = None,
    ) -> None:
        _do(backend, {"kind": kind}, targets, span, seed)

    fault.command(kind, help=text)(options.on_cluster(run))


_simple("kill", "Kills nodes without warning, like a power failure; 'lab heal' starts them.")
_simple("stop", "Stops nodes cleanly; 'lab heal' starts them.")
_simple("pause", "Freezes nodes: connections stay open and get no answer; 'lab heal' resumes them.")
_simple("restart", "Kills nodes and starts them again immediately.")


@fault.command()
@options.on_cluster
def cut(
    backend: Backend,
    targets: Targets,
    others: Annotated[str | None, typer.Option("--from", help="From which nodes. Default: all.")] = None,
    way: Annotated[
        str, typer.Option(help="Direction: in (drop incoming packets), out (drop outgoing packets), or both.")
    ] = "both",
    span: For = None,
    seed: Seed = None,
) -> None:
    """Isolates nodes by a packet filter. Addresses and names stay."""
    _do(backend, {"kind": "cut", "others": others, "way": way}, targets, span, seed)


@fault.command()
@options.on_cluster
def slow(
    backend: Backend,
    targets: Targets,
    delay: Annotated[str, typer.Option(help="Delay of each packet, such as 100ms.")] = "0s",
    jitter: Annotated[str, typer.Option(help="Variation of the delay, such as 20ms.")] = "0s",
    loss: Annotated[str, typer.Option(help="Share of lost packets, such as 5%.")] = "0%",
    rate: Annotated[str, typer.Option(help="Rate limit, such as 1mbit.")] = "0bit",
    span: For = None,
    seed: Seed = None,
) -> None:
    """Adds delay, loss or a rate limit to the outgoing packets of nodes."""
    from lab.topology import units

    settings = {"kind": "slow", "delay": units.seconds(delay), "jitter": units.seconds(jitter)}
    settings |= {"loss": units.percent(loss), "rate": units.bits(rate)}
    _do(backend, settings, targets, span, seed)


@fault.command()
@options.on_cluster
def fill(
    backend: Backend,
    targets: Targets,
    where: Annotated[str, typer.Option(help="The name of a volume of the node, or /tmp or /run.")] = "/tmp",  # noqa: S108
    span: For = None,
    seed: Seed = None,
) -> None:
    """Fills a volume of nodes completely. Refused where that would fill other disks too."""
    _do(backend, {"kind": "fill", "where": where}, targets, span, seed)


@fault.command()
@options.on_cluster
def clock(
    backend: Backend,
    targets: Targets,
    skew: Annotated[str, typer.Option(help="Offset, such as 60s or -60s.")] = "60s",
    span: For = None,
    seed: Seed = None,
) -> None:
    """Changes the clock of nodes that have their own."""
    from lab.topology import units

    settings = {"kind": "clock", "skew": round(units.seconds(skew))}
    _do(backend, settings, targets, span, seed)


@fault.command()
@options.on_cluster
def freeze(
    backend: Backend,
    targets: Targets,
    service: Annotated[str, typer.Argument(help="The service, such as haproxy, httpd or php-fpm.")],
    span: For = None,
    seed: Seed = None,
) -> None:
    """Stops one service with SIGSTOP inside running nodes."""
    _notice_of_a_former_name(service)
    _do(backend, {"kind": "freeze", "service": service}, targets, span, seed)


Process = Annotated[str, typer.Argument(help="A part of its command line, such as mariadbd or lab_node.keeper.")]


@fault.command()
@options.on_cluster
def hang(backend: Backend, targets: Targets, process: Process, span: For = None, seed: Seed = None) -> None:
    """Stops one process with SIGSTOP inside nodes, without its parent and children."""
    _do(backend, {"kind": "hang", "process": process}, targets, span, seed)


@fault.command()
@options.on_cluster
def crash(backend: Backend, targets: Targets, process: Process, seed: Seed = None) -> None:
    """Kills one process inside nodes; its supervisor may start it again."""
    _do(backend, {"kind": "crash", "process": process}, targets, None, seed)


@fault.command("list")
@options.on_cluster
def listed(
    backend: Backend,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Lists active faults, including those of other commands."""
    from lab.cli import tables
    from lab.faults import present

    faults = present(backend)
    if as_json:
        rows = [{"mark": one.mark, **one.fault.as_dict(), "begun": one.begun, "proof": one.proof} for one in faults]
        print(json.dumps(rows, indent=2))
    elif faults:
        now = backend.clock.now()
        tables.rows(
            ("MARK", "FAULT", "FOR", "PROOF"),
            [(o.mark, str(o.fault), f"{now - o.begun:.0f} s", o.proof) for o in faults],
        )
    else:
        print("no active faults")


def _notice_of_a_former_name(service: str) -> None:
    """Prints a notice if the service has another name since 0.2; `Freeze` accepts both."""
    from lab.faults.freeze import renamed

    if notice := renamed(service):
        print(f"lab: {notice}", file=sys.stderr)


def _do(backend: Backend, settings: dict[str, Any], text: str, span: str | None, seed: int | None) -> None:
    """Chooses the nodes, injects the fault, and reverts it after `span`, if given."""
    import random

    from lab.clock import wait
    from lab.faults import fault as build
    from lab.faults import inject, targets
    from lab.topology import units

    seconds = None if span is None else units.seconds(span)
    chosen = secrets.randbelow(SEEDS) if seed is None else seed
    rng = random.Random(chosen)  # noqa: S311  a seed makes the choice repeatable
    nodes = targets(backend, text, rng)
    if settings.get("others"):
        settings = {**settings, "others": targets(backend, settings["others"], rng)}
    injection: Fault = build({key: value for key, value in {**settings, "nodes": nodes}.items() if value is not None})
    if "random" in text or "minority" in text:
        print(f"seed {chosen}")
    if seconds is None or not injection.lasting:
        injected = inject(backend, injection)
        print(f"{injection}: {injected.proof}")
        if injection.lasting:
            print(naming.named(f"'lab heal {injected.mark}' reverts it"))
        return
    with inject(backend, injection) as injected:
        print(f"{injection}: {injected.proof}", flush=True)
        wait(seconds)
    print(f"{injection}: reverted")
