"""`lab site`: sites of the user's own on the web nodes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lab.cli import naming, options
from lab.cli.sync import SiteName, sync

if TYPE_CHECKING:
    from lab.backends.base import Backend
    from lab.progress import Report
    from lab.topology.editing import Edit

Code = Annotated[Path | None, typer.Option("--code", help="A folder on this machine with the site's files.")]
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
    verbs.command()(options.on_cluster(sync))
    verbs.command("exec", context_settings=PASSED)(options.on_cluster(execute))
    verbs.command()(logs)
    verbs.command("open")(options.on_cluster(addresses))
    app.add_typer(verbs, name="site")


def list_(backend: Backend, as_json: Json = False) -> None:
    """Lists the sites of the running cluster, with their addresses and releases."""
    from lab.cli import tables
    from lab.services import sites

    rows: list[dict[str, Any]] = []
    for name in sites.look(backend).names:
        stored = sites.releases(backend, name)
        current = next((release.release for release in stored if release.current), "")
        rows.append({"site": name, "release": current, "releases": len(stored), "urls": _urls(backend, name)})
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    cells = [(row["site"], row["release"] or "none yet", str(row["releases"]), row["urls"][-1]) for row in rows]
    tables.rows(("SITE", "RELEASE", "KEPT", "ADDRESS"), cells)


@options.common(*options.WHERE)
def add(
    choice: options.Choice,
    site: SiteName,
    code: Code = None,
    writable: Annotated[
        list[str] | None,
        typer.Option("--writable", help="Folders that the site's PHP may write: data,conf. May be repeated."),
    ] = None,
    database: Annotated[bool, typer.Option("--database", help="Create a database and its user.")] = False,
    mail: Annotated[bool, typer.Option("--mail", help="Create a mailbox, from whose address the site sends.")] = False,
    extension: Annotated[
        list[str] | None, typer.Option("--extension", help="A PHP extension that the site needs. May be repeated.")
    ] = None,
    public: Annotated[str, typer.Option("--public", help="The folder of the code that is served. Default: all.")] = "",
    owner: Annotated[str, typer.Option("--owner", help="A user, who may change the code at ~/sites/SITE.")] = "",
) -> None:
    """Adds a site to the topology, and deploys its folder if one is given."""
    from lab.cli.changing import changed
    from lab.services import packing, sites

    settings: dict[str, Any] = {}
    if code:
        packing.packed(code)  # refused before anything is changed
        settings["code"] = _beside(code, choice.topology())
    folders = [folder for listed in writable or [] for folder in listed.split(",") if folder]
    settings |= {"writable": folders} if folders else {}
    settings |= {"database": True} if database else {}
    settings |= sites.mailing() if mail else {}
    settings |= {"public": public} if public else {}
    settings |= {"php": {"extensions": extension}} if extension else {}
    settings |= {"owner": owner} if owner else {}

    def deploy_code(_: Edit, backend: Backend, report: Report) -> None:
        if code:
            report.say(f"deploying {code}")
            print(_summary(site, sites.deploy(backend, site, code)))

    changed("lab site", "sites", sites.added(site, settings), choice, site, deploy_code)


@options.common(*options.WHERE)
def remove(
    choice: options.Choice,
    site: SiteName,
) -> None:
    """Removes a site from the topology. Its releases, files and database are kept."""
    from lab.cli.changing import changed
    from lab.services import sites

    changed("lab site", "sites", sites.removed(site), choice, site)


def deploy(
    backend: Backend,
    site: SiteName,
    folder: Annotated[Path, typer.Argument(help="A folder on this machine with the site's files.")],
) -> None:
    """Deploys a folder as a new release. Visitors get the former release or this one, never a part of it."""
    from lab.cli import screen
    from lab.lifecycle.lock import held
    from lab.services import sites

    with screen.report() as report, held(backend.cluster, "lab site deploy", report):
        deployed = sites.deploy(backend, site, folder)
    print(_summary(site, deployed))
    _lacking(backend)


def rollback(
    backend: Backend,
    site: SiteName,
    release: Annotated[str, typer.Option("--release", help="The release. Default: the one before.")] = "",
) -> None:
    """Serves an earlier release again."""
    from lab.cli import screen
    from lab.lifecycle.lock import held
    from lab.services import sites

    with screen.report() as report, held(backend.cluster, "lab site rollback", report):
        served = sites.rollback(backend, site, release)
    print(f"{site}: serves the release {served}")
    _lacking(backend)


def releases(backend: Backend, site: SiteName, as_json: Json = False) -> None:
    """Lists the releases that are kept, oldest first."""
    from dataclasses import asdict

    from lab.cli import tables
    from lab.services import sites

    stored = sites.releases(backend, site)
    if as_json:
        print(json.dumps([asdict(release) for release in stored], indent=2))
        return
    rows = [
        (release.release, f"{release.bytes / MEBI:.1f} MiB", "current" if release.current else "") for release in stored
    ]
    tables.rows(("RELEASE", "SIZE", ""), rows)


def env(backend: Backend, site: SiteName) -> None:
    """Prints the environment of the site's PHP, its passwords included."""
    from lab.services import sites

    for key, value in sites.environment(backend, site).items():
        print(f"{key}={value}")


def execute(
    backend: Backend,
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
    running = sites.look(backend)
    running.admit(site)
    become(shells(backend).shell(running.nodes[0], sites.command(site, argv), terminal=False))


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

    backend = choice.open()
    running = sites.look(backend)
    running.admit(site)
    with screen.looking():
        for line in merged(backend, list(running.nodes), follow=follow):
            if sites.concerns(site, line):
                typer.echo(line)


def addresses(backend: Backend, site: SiteName) -> None:
    """Prints the site's addresses: inside the cluster, and on this machine."""
    from lab.services import sites

    sites.look(backend).admit(site)
    print("\n".join(_urls(backend, site)))


def _urls(backend: Backend, site: str) -> list[str]:
    """The addresses of a site: inside first; on this machine where a port is published."""
    from lab.services import sites

    return sites.urls(backend, site)


def _lacking(backend: Backend) -> None:
    """Names the nodes that were not there, and have a store of their own."""
    from lab.services import sites

    for node in sites.look(backend).away:
        print(
            naming.named(f"{node} is down and serves its former release once it is started: 'lab up' brings this one")
        )


def _beside(folder: Path, topology: Path) -> str:
    """The path of a folder, relative to the topology's file."""
    from lab import assets
    from lab.topology import DEFAULT_FILE

    target = DEFAULT_FILE if topology in assets.topologies().values() else topology
    path = os.path.relpath(folder.expanduser().resolve(), target.resolve().parent)
    return path if path.startswith("..") else f"./{path}"


def _summary(site: str, deployed: Any) -> str:  # noqa: ANN401  lab.services is imported late
    if not deployed.changed:
        return f"{site}: the release {deployed.release} has the same files already"
    return f"{site}: serves the release {deployed.release}, {deployed.files} files; {deployed.seconds:.1f} s"
