"""Back from the repository: into the running cluster, or, for practice, into a scratch place alone."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import archive, databases, definitions, files, mark, packets, repository, scratch
from .command import Failed

if TYPE_CHECKING:
    from pathlib import Path

    from .repository import Snapshot
    from .scratch import Played
    from .session import Session
    from .settings import Settings

MYSQL = "mysql"
SITE = "site:"
REACH_SECONDS = 30.0


@dataclass(frozen=True)
class Request:
    """What is wanted back.

    Attributes:
        snapshot: which backup; "" for the newest, or the one before `at`.
        at: the moment (Unix seconds), or 0 for the backup's own.
        only: `mysql`, a volume or `site:NAME`; "" for all.
    """

    snapshot: str = ""
    at: float = 0.0
    only: str = ""

    def site(self, config: Settings) -> dict[str, str]:
        """Volume, folder and database of the one site that is wanted; empty where more is."""
        return config.sites[self.only.removeprefix(SITE)] if self.only.startswith(SITE) else {}


def restore(config: Settings, request: Request) -> dict[str, object]:
    """Puts a backup, carried on to a moment if asked, in the place of what the cluster has."""
    began = time.monotonic()
    with repository.held():
        chosen, volumes, wants_databases = _chosen(config, request)
        site = request.site(config)
        with scratch.folder() as where:
            content = scratch.extracted(chosen, where, volumes, wants_databases=wants_databases)
            if site and site["folder"] not in content.files[site["volume"]]:
                next_step = "'lab backup list' has others"
                raise Failed(f"the backup {chosen.id} has no such site", next_step=next_step, bad_request=True)
            played = scratch.Played()
            changed: list[str] = []
            missed: list[str] = []
            if wants_databases and content.tables:
                with scratch.server(config, where) as server:
                    played = _whole(chosen, server, where, content, request.at)
                    packets.lower(config)
                    missed, changed = _put_back(databases.writable(config), server, where, site.get("database", ""))
            for volume in volumes:
                source = where / mark.FILES / volume
                expected = files.figures(source) if content.old else content.files[volume]
                if site:
                    source, expected = source / site["folder"], files.below(site["folder"], expected)
                place = f"{volume}/{site['folder']}" if site else volume
                changed += [f"{place}/{name}" for name in files.put_back(place, source, expected)]
    if missed:  # files are restored, also if a database fails
        raise Failed(f"the databases were put back, but are not what they were: {mark.shortened(missed)}")
    part = content.part(volumes, databases=wants_databases)
    return _summary(chosen, _of_site(part, site) if site else part, played, began) | {"changed": changed}


def _of_site(part: mark.Mark, site: dict[str, str]) -> mark.Mark:
    """What a mark says of one site."""
    tables = {name: of for name, of in part.tables.items() if name.startswith(f"{site['database']}.")}
    files_ = {name: of for name, of in part.files[site["volume"]].items() if name.startswith(f"{site['folder']}/")}
    return mark.Mark(tables, {}, {site["volume"]: files_}, part.old)


def _put_back(
    cluster: databases.Server, server: databases.Server, where: Path, only: str = ""
) -> tuple[list[str], list[str]]:
    """Loads the scratch server's databases and users' accounts into the cluster's, and compares them afterwards.

    Args:
        cluster: the server that is written to.
        server: the scratch server.
        where: a folder for what goes from one to the other.
        only: one database, without accounts; "" for all.

    Returns:
        The definitions and tables that are missing or not what they were, and the tables that were written to since.
    """
    names = [name for name in server.names() if name != databases.OWN and only in ("", name)]
    if only and not names:
        raise Failed(f"the backup has no database {only}", bad_request=True)
    server.dump(names, where / "restored.sql", "--add-drop-database")
    with server.session() as session:
        (where / "people.sql").write_text(
            definitions.script(
                definitions.accounts(session, own=False), definitions.servers(session), databases.RESTORER
            )
        )
        expected = definitions.read(session)
        session.rows("START TRANSACTION")
        sums = server.checksums(session)
    with cluster.session() as session:
        with packets.raised(cluster.place["host"], session):
            cluster.load(where / "restored.sql")
            if not only:
                cluster.load(where / "people.sql")
        loaded = session.rows("SELECT UNIX_TIMESTAMP()")[0][0]
        present = definitions.read(session)
        if only:
            expected = {name: of for name, of in expected.items() if name.partition(" ")[2].startswith(f"{only}.")}
            sums = {name: of for name, of in sums.items() if name.startswith(f"{only}.")}
        missed, changed = compared(cluster, session, sums, loaded)
    return _missed(expected, present) + missed, changed


def compared(
    cluster: databases.Server, session: Session, sums: dict[str, str], loaded: str
) -> tuple[list[str], list[str]]:
    """The tables that are missing or not what they were, and those that were written to since.

    A table that differs is asked for again: it was written to if it is another one by then, or if the server says so.

    Args:
        cluster: the server that was written to.
        session: of that.
        sums: what each table has to have.
        loaded: when it had been loaded, in Unix seconds of the server.
    """
    session.rows("START TRANSACTION")
    after = cluster.checksums(session)
    missing = [name for name in sums if name not in after]
    differing = [
        name for name, of in sums.items() if not name.startswith(f"{databases.OWN}.") and after.get(name, of) != of
    ]
    if not differing:
        return missing, []
    session.rows("START TRANSACTION")
    again = cluster.checksums(session)
    query = f"""SELECT CONCAT(table_schema, '.', table_name) FROM information_schema.tables
        WHERE UNIX_TIMESTAMP(update_time) > {loaded} OR UNIX_TIMESTAMP(create_time) > {loaded}"""  # noqa: S608  a number of the server
    written = {row[0] for row in session.rows(query)}
    wrong = [name for name in differing if again.get(name) == after[name] and name not in written]
    return missing + wrong, [name for name in differing if name not in wrong]


def _missed(expected: dict[str, mark.Entry], present: dict[str, mark.Entry]) -> list[str]:
    """The definitions that are missing or different; events whose time is over are none."""
    now = time.time()
    there = definitions.lasting(present, now)
    return [
        name
        for name, of in definitions.lasting(expected, now).items()
        if mark.differing({name: of}, {name: there.get(name, {"digest": ""})})
    ]


def drill(config: Settings, request: Request) -> dict[str, object]:
    """Does all of it but the last step, and says from how long ago what it got is (s), and how long it took (s)."""
    began = time.monotonic()
    with repository.held():
        chosen, volumes, wants_databases = _chosen(config, request)
        moment = request.at or (archive.reach(chosen.history) if chosen.history else 0.0)
        with scratch.folder() as where:
            content = scratch.extracted(chosen, where, volumes, wants_databases=wants_databases)
            played = scratch.Played()
            if wants_databases and content.tables:
                with scratch.server(config, where) as server:
                    played = _whole(chosen, server, where, content, moment)
    now = time.time()
    points = {"files": round(now - chosen.time, 2)} | (
        {MYSQL: round(now - max(moment, chosen.time), 2)} if content.tables else {}
    )
    return _summary(chosen, content.part(volumes, databases=wants_databases), played, began) | {
        "recovery_point": points
    }


def _whole(chosen: Snapshot, server: databases.Server, where: Path, content: mark.Mark, moment: float) -> Played:
    scratch.restored(chosen, server, where, content)
    return scratch.played(chosen, server, moment) if moment else scratch.Played()


def _summary(chosen: Snapshot, content: mark.Mark, played: Played, began: float) -> dict[str, object]:
    return {
        "snapshot": chosen.id,
        "time": chosen.time,
        "has": content.counts,
        "played": played.count,
        "last_played": played.last,
        "seconds": round(time.monotonic() - began, 2),
    }


def _chosen(config: Settings, request: Request) -> tuple[Snapshot, list[str], bool]:
    """The backup, the volumes and whether the databases, or why not."""
    repository.ensure()
    known = repository.snapshots()
    if not known:
        raise Failed("there is no backup yet", next_step="'lab backup now' makes one", bad_request=True)
    there = ([MYSQL] if config.database else []) + config.volumes
    there += [f"{SITE}{name}" for name in config.sites]
    if request.only and request.only not in there:
        raise Failed(
            f"there is no '{request.only}' to restore", next_step=f"--only takes: {', '.join(there)}", bad_request=True
        )
    chosen = (
        _named(known, request)
        if request.snapshot
        else _before(known, request.at)
        if request.at
        else repository.newest(known, time.time())
    )
    site = request.site(config)
    wants_databases = bool(config.database) and (request.only in ("", MYSQL) or bool(site.get("database")))
    if request.at and wants_databases:
        _refuse_unreachable(config, chosen, request.at)
    volumes = [volume for volume in config.volumes if request.only in ("", volume) or volume == site.get("volume")]
    return chosen, volumes, wants_databases


def _named(known: list[Snapshot], request: Request) -> Snapshot:
    matches = [one for one in known if one.id.startswith(request.snapshot)]
    if len(matches) != 1:
        what = "no backup" if not matches else "more than one backup"
        ids = ", ".join(one.id for one in known[-5:])
        raise Failed(
            f"there is {what} '{request.snapshot}'",
            next_step=f"'lab backup list' has them all; the newest: {ids}",
            bad_request=True,
        )
    return matches[0]


def _before(known: list[Snapshot], at: float) -> Snapshot:
    earlier = [one for one in known if one.time <= at]
    if not earlier:
        raise Failed(
            f"there is no backup from before {_text(at)}",
            next_step=f"the oldest is of {_text(known[0].time)}",
            bad_request=True,
        )
    return earlier[-1]


def _refuse_unreachable(config: Settings, chosen: Snapshot, at: float) -> None:
    """A moment that the log does not have: in the future, or in another life of the database."""
    if not chosen.history:
        raise Failed(
            "this cluster keeps no log of its database: only the backups' own moments can be restored", bad_request=True
        )
    if at > time.time():
        raise Failed(f"{_text(at)} is in the future", bad_request=True)
    deadline = time.monotonic() + REACH_SECONDS
    while archive.reach(chosen.history) < at:
        current = databases.history(databases.readable(config))
        if current != chosen.history or time.monotonic() > deadline:
            reach = archive.reach(chosen.history) or chosen.time
            raise Failed(
                f"the log that carries the backup {chosen.id} on ends at {_text(reach)}, before {_text(at)}",
                next_step="choose a moment up to then, or a later backup",
                bad_request=True,
            )
        time.sleep(0.5)
    archive.refuse_missing(chosen.history)


def _text(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(moment))
