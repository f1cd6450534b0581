"""`lab xen host up|status|enter|down`: a Xen host in QEMU on this machine."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lab.backends.xen.nested.machine import Running

app = typer.Typer(help="Xen: the nested host.", no_args_is_help=True)
host = typer.Typer(help="A Xen host inside QEMU, for machines that are not Xen hosts.", no_args_is_help=True)
app.add_typer(host, name="host")


def register(root: typer.Typer) -> None:
    """Adds the verbs."""
    root.add_typer(app, name="xen")


@host.command()
def up(
    memory: Annotated[int, typer.Option(help="MiB for the host and its domains.")] = 4096,
    cpus: Annotated[
        int | None,
        typer.Option(help="Processors; no more than this machine has. Default: 1 with --icount, otherwise 2."),
    ] = None,
    disk: Annotated[int, typer.Option(help="Maximum size of its disk in GiB; used at the first boot.")] = 20,
    cpu: Annotated[str | None, typer.Option(help="QEMU's processor model. Default: one known to work.")] = None,
    icount: Annotated[
        bool | None,
        typer.Option(
            help="Count time by instructions of an emulated processor. Default: yes, where KVM does not carry Xen.",
        ),
    ] = None,
) -> None:
    """Boots the Xen host, and returns when it answers. Its disk is created at the first boot and kept."""
    from lab.backends.xen.nested import machine, qemu
    from lab.cli import screen

    with screen.report() as report:
        machine.up(qemu.Machine(memory, cpus, disk, cpu, icount), report.say, report.step)
    print("'lab up --backend xen --file five' creates a cluster there; 'lab xen host down' stops the host")


@host.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Shows whether the Xen host runs, its accelerator, and Xen's own report. Exits with 1 if it does not run."""
    from lab.backends.xen.nested import machine

    running = machine.running()
    if running is None:
        print("null" if as_json else "the nested Xen host is not running; 'lab xen host up' boots one")
        raise typer.Exit(1)
    if as_json:
        print(json.dumps(machine.described(running)))
        return
    time = ", time by instructions" if running.icount else ""
    print(
        f"pid {running.pid}, {running.cpus} processor{'s' * (running.cpus > 1)}, {running.memory} MiB, "
        f"accelerator {running.accelerator}{time}"
    )
    sys.stdout.write(
        running.link.run("xl info | grep -E '^(xen_version|xen_caps|free_memory)'; xl list", seconds=30).out
    )


@host.command()
def enter() -> None:
    """Opens a shell on the Xen host (dom0), with xl."""
    running = _running()
    running.link.connect()
    argv = running.link.command("exec bash -l", terminal=True)
    os.execvp(argv[0], argv)  # noqa: S606


@host.command()
def down() -> None:
    """Stops the domains cleanly and shuts the Xen host down. Its disk, with the clusters' data, is kept."""
    from lab.backends.xen.nested import machine

    running = machine.running()
    if running is None:
        print("the nested Xen host is not running")
        return
    machine.down(running)
    print("stopped the nested Xen host")


def _running() -> Running:
    from lab.backends.xen.nested import machine
    from lab.errors import HostError

    running = machine.running()
    if running is None:
        raise HostError("the nested Xen host is not running", next_step="'lab xen host up' boots one")
    return running
