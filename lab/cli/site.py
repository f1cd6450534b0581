"""`lab site`: sites of a person's own on the web nodes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lab.cli import options

if TYPE_CHECKING:
    from lab.backends.base import Backend
    from lab.progress import Report
    from lab.topology.editing import Edit

SiteName = Annotated[str, typer.Argument(metavar="SITE", help="The site, such as blog.")]
Code = Annotated[Path | None, typer.Option("--code", help="A folder here with the site's files.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
File = Annotated[str | None, typer.Option("--file", envvar="LAB_FILE", help="The topology; '-f' is '--follow' here.")]
PASSED = {"ignore_unknown_options": True, "allow_interspersed_args": False}
MEBI = 1 << 20


def register(app: typer.Typer) -> None:
    """Adds the verbs."""
    verbs = typer.Typer(help="Sites of your own on the web nodes.", no_args_is_help=True)
    verbs.command("list")(options.on_cluster(list_))
    verbs.command()(add)
    verbs.command()(remove)
    for verb in (deploy, rollback, releases, env):
        verbs.command()(options.on_cluster(verb))
    verbs.command("exec", context_settings=PASSED)(options.on_cluster(execute))
    verbs.command()(logs)
    verbs.command("open")(options.on_cluster(addresses))
    app.add_typer(verbs, name="site")


def list_(made: Backend, as_json: Json = False) -> None:
    """Lists the sites of the running cluster, with their addresses and releases."""
    from lab.cli import tables
    from lab.services import sites

    rows: list[dict[str, Any]] = []
    for name in sites.look(made).names:
        found = sites.releases(made, name)
        current = next((one.release for one in found if one.current), "")
        rows.append({"site": name, "release": current, "releases": len(found), "urls": _urls(made, name)})
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    shown = [(row["site"], row["release"] or "none yet", str(row["releases"]), row["urls"][-1]) for row in rows]
    tables.rows(("SITE", "RELEASE", "KEPT", "ADDRESS"), shown)


@options.common(*options.WHERE)
def add(
    choice: options.Choice,
    site: SiteName,
    code: Code = None,
    writable: Annotated[
        list[str] | None, typer.Option("--writable", help="Folders that its PHP may write: data,conf. May be repeated.")
    ] = None,
    database: Annotated[bool, typer.Option("--database", help="Create a database and its user.")] = False,
    mail: Annotated[bool, typer.Option("--mail", help="Create a mailbox, in whose name the site sends.")] = False,
    extension: Annotated[
        list[str] | None, typer.Option("--extension", help="A PHP extension that it needs. May be repeated.")
    ] = None,
    public: Annotated[str, typer.Option("--public", help="The folder of the code that is served. Default: all.")] = "",
) -> None:
    """Adds a site to the topology, and deploys its folder if one is given."""
    from lab.cli.changing import changed
    from lab.services import packing, sites

    told: dict[str, Any] = {}
    if code:
        packing.packed(code)  # refused before anything is changed
        told["code"] = _beside(code, choice.topology())
    folders = [folder for given in writable or [] for folder in given.split(",") if folder]
    told |= {"writable": folders} if folders else {}
    told |= {"database": True} if database else {}
    told |= sites.mailing() if mail else {}
    told |= {"public": public} if public else {}
    told |= {"php": {"extensions": extension}} if extension else {}

    def bring(_: Edit, made: Backend, report: Report) -> None:
        if code:
            report.say(f"deploying {code}")
            print(_told(site, sites.deploy(made, site, code)))

    changed(
        "lab site",
        "sites",
        sites.added(site, told),
        choice,
        lambda edit, made, existing: sites.admit(edit, made, existing, site),
        bring,
    )


@options.common(*options.WHERE)
def remove(
    choice: options.Choice,
    site: SiteName,
) -> None:
    """Removes a site from the topology. Its releases, files and database are kept."""
    from lab.cli.changing import changed
    from lab.services import sites

    changed(
        "lab site",
        "sites",
        sites.removed(site),
        choice,
        lambda edit, made, existing: sites.admit(edit, made, existing, site),
    )


def deploy(
    made: Backend, site: SiteName, folder: Annotated[Path, typer.Argument(help="A folder with the site's files.")]
) -> None:
    """Deploys a folder as a new release. Visitors get the former release or this one, never a part of it."""
    from lab.cli import screen
    from lab.lifecycle.lock import held
    from lab.services import sites

    with screen.report() as report, held(made.cluster, "lab site deploy", report):
        done = sites.deploy(made, site, folder)
    print(_told(site, done))


def rollback(
    made: Backend,
    site: SiteName,
    release: Annotated[str, typer.Option("--release", help="Which release. Default: the one before.")] = "",
) -> None:
    """Serves an earlier release again."""
    from lab.cli import screen
    from lab.lifecycle.lock import held
    from lab.services import sites

    with screen.report() as report, held(made.cluster, "lab site rollback", report):
        now = sites.rollback(made, site, release)
    print(f"{site}: serves the release {now}")


def releases(made: Backend, site: SiteName, as_json: Json = False) -> None:
    """Lists the releases that are kept, oldest first."""
    from dataclasses import asdict

    from lab.cli import tables
    from lab.services import sites

    found = sites.releases(made, site)
    if as_json:
        print(json.dumps([asdict(one) for one in found], indent=2))
        return
    rows = [(one.release, f"{one.bytes / MEBI:.1f} MiB", "current" if one.current else "") for one in found]
    tables.rows(("RELEASE", "SIZE", ""), rows)


def env(made: Backend, site: SiteName) -> None:
    """Prints the environment of the site's PHP, its passwords included."""
    from lab.services import sites

    for key, value in sites.environment(made, site).items():
        print(f"{key}={value}")


def execute(
    made: Backend,
    site: SiteName,
    command: Annotated[list[str], typer.Argument(help="The command and its arguments.")],
) -> None:
    """Runs a command once, on one web node, as the site, in the folder of its code."""
    from lab.backends.optional import shells
    from lab.cli.enter import become
    from lab.services import sites

    argv = command[1:] if command[:1] == ["--"] else command
    if not argv:
        raise typer.BadParameter("a command is missing", param_hint="COMMAND")
    there = sites.look(made)
    there.admit(site)
    become(shells(made).shell(there.nodes[0], sites.command(site, argv), terminal=False))


@options.common("name", "backend", "host", file=File)
def logs(
    choice: options.Choice,
    site: SiteName,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Follow the output, until Ctrl-C.")] = False,
) -> None:
    """Shows the requests of a site and what its PHP printed, from all web nodes."""
    from lab.cli import screen
    from lab.cli.logs import merged
    from lab.services import sites

    made = choice.open()
    there = sites.look(made)
    there.admit(site)
    with screen.looking():
        for line in merged(made, list(there.nodes), follow=follow):
            if sites.concerns(site, line):
                typer.echo(line)


def addresses(made: Backend, site: SiteName) -> None:
    """Prints the site's addresses: inside the cluster, and on this machine."""
    from lab.services import sites

    sites.look(made).admit(site)
    print("\n".join(_urls(made, site)))


def _urls(made: Backend, site: str) -> list[str]:
    """The addresses of a site: inside first; on this machine where a port is published."""
    from lab.services import sites

    return sites.urls(made, site)


def _beside(folder: Path, topology: Path) -> str:
    """A folder as the topology is to name it: from its own place."""
    from lab import assets
    from lab.topology import DEFAULT_FILE

    target = DEFAULT_FILE if topology in assets.topologies().values() else topology
    said = os.path.relpath(folder.expanduser().resolve(), target.resolve().parent)
    return said if said.startswith("..") else f"./{said}"


def _told(site: str, done: Any) -> str:  # noqa: ANN401  lab.services is imported late
    if not done.changed:
        return f"{site}: the release {done.release} has the same files already"
    return f"{site}: serves the release {done.release}, {done.files} files; {done.seconds:.1f} s"
