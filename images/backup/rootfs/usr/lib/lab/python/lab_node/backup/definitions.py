"""What databases have besides tables: events, routines, triggers, views, other servers, accounts and their grants."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .mark import Entry
    from .session import Session

NOT = "NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys')"
SYSTEM_USERS = {"", "root", "mysql", "mariadb.sys"}
EVERYBODY = "PUBLIC"
"""The role that nobody makes; of MariaDB 10.11."""
ON_TABLE = re.compile(r" ON `((?:[^`]|``)*)`\.`((?:[^`]|``)*)` TO ")
OWN_ACCOUNTS = "lab.accounts"
"""The accounts that every node makes for itself (images/mysql: accounts.sql); no backup brings them back."""
ROLE = "CREATE OR REPLACE ROLE"
SERVER_OPTIONS = ("HOST", "DATABASE", "USER", "PASSWORD", "SOCKET", "OWNER")

ELSEWHERE = "SLAVESIDE_DISABLED"
"""What a replica says of every event, also as the primary: whether it is to run, only its author's node knows."""

QUERIES = {
    "database": f"""SELECT schema_name, SHA2(CONCAT_WS('|', default_character_set_name, default_collation_name), 256), 0
        FROM information_schema.schemata WHERE schema_name {NOT}""",
    "routine": f"""SELECT CONCAT(db, '.', name), SHA2(CONCAT_WS('|', type, language, sql_data_access, is_deterministic,
        security_type, param_list, returns, body, definer, sql_mode, comment, character_set_client,
        collation_connection,
        db_collation, aggregate), 256), 0 FROM mysql.proc WHERE db {NOT}""",
    "event": f"""SELECT CONCAT(db, '.', name), SHA2(CONCAT_WS('|', body, definer, IFNULL(execute_at, ''),
        IFNULL(interval_value, ''), IFNULL(interval_field, ''), IFNULL(starts, ''), IFNULL(ends, ''), on_completion,
        sql_mode,
        comment, time_zone, character_set_client, collation_connection, db_collation), 256),
        IFNULL(TIMESTAMPDIFF(SECOND, '1970-01-01', IFNULL(execute_at, ends)), 0), on_completion
        FROM mysql.event WHERE db {NOT}""",
    "trigger": f"""SELECT CONCAT(trigger_schema, '.', trigger_name), SHA2(CONCAT_WS('|', event_manipulation,
        event_object_table, action_order, action_statement, action_timing, sql_mode, definer, character_set_client,
        collation_connection, database_collation), 256), 0 FROM information_schema.triggers
        WHERE trigger_schema {NOT}""",
    "view": f"""SELECT CONCAT(table_schema, '.', table_name), SHA2(CONCAT_WS('|', view_definition, check_option,
        definer,
        security_type, character_set_client, collation_connection, algorithm), 256), 0
        FROM information_schema.views WHERE table_schema {NOT}""",
}


def read(session: Session, known: dict[str, str] | None = None) -> dict[str, Entry]:
    """All definitions of a server and the accounts that people made, by name.

    Args:
        session: of the server.
        known: see `states`, where other nodes know more of the events.
    """
    entries: dict[str, Entry] = {}
    for kind, query in QUERIES.items():
        for name, digest, until, *completion in session.rows(query):
            entry: Entry = {"digest": digest} | ({"until": float(until)} if float(until) else {})
            entries[f"{kind} {name}"] = entry | ({"preserved": completion == ["PRESERVE"]} if completion else {})
    for name, state in {**states(session), **(known or {})}.items():
        if f"event {name}" in entries:
            entries[f"event {name}"]["state"] = state
    for name, statements in accounts(session, own=False).items():
        entries[f"account {name}"] = {"digest": hashlib.sha256("\n".join(statements).encode()).hexdigest()}
    for name, statement in servers(session).items():
        entries[f"server {name}"] = {"digest": hashlib.sha256(statement.encode()).hexdigest()}
    return entries


def servers(session: Session) -> dict[str, str]:
    """The statements that make each of the servers that FEDERATED and Spider tables refer to (`CREATE SERVER`)."""
    columns = "server_name, wrapper, port, host, db, username, password, socket, owner"
    return {
        name: f"CREATE OR REPLACE SERVER {_quoted(name)} FOREIGN DATA WRAPPER {_quoted(wrapper)} OPTIONS (PORT {port}, "
        + ", ".join(f"{option} {_text(value)}" for option, value in zip(SERVER_OPTIONS, values))
        + ")"
        for name, wrapper, port, *values in session.rows(f"SELECT {columns} FROM mysql.servers ORDER BY 1")
    }


def loadable(session: Session) -> list[str]:
    """The functions of a server that are in a library of its own (`CREATE FUNCTION ... SONAME`), with that."""
    return [f"{name} ({library})" for name, library in session.rows("SELECT name, dl FROM mysql.func ORDER BY 1")]


def states(session: Session) -> dict[str, str]:
    """Which events are to run (`ENABLED`) and which are not (`DISABLED`), of those of which this server knows."""
    return {
        name: state
        for name, state in session.rows("SELECT CONCAT(db, '.', name), status FROM mysql.event")
        if state != ELSEWHERE
    }


def stated(session: Session, known: dict[str, str]) -> str:
    """The statements that enable or disable the events of a replica's dump as on the primary; unknown ones are enabled.

    ALTER EVENT sets the SQL mode, the character set and the collation of the session.
    """
    columns = "db, name, definer, sql_mode, character_set_client, collation_connection"
    lines = []
    for database, name, definer, *session_of in session.rows(
        f"SELECT {columns} FROM mysql.event WHERE status = '{ELSEWHERE}'"
    ):
        user, _, host = definer.rpartition("@")
        do = "DISABLE" if known.get(f"{database}.{name}") == "DISABLED" else "ENABLE"
        where = f"WHERE db = {_text(database)} AND name = {_text(name)}"
        # The time of some is over when this is run, and they are not made.
        event = f"{_quoted(database)}.{_quoted(name)}"
        changed = _text(f"ALTER DEFINER = {_quoted(user)}@{_quoted(host)} EVENT {event} {do}")
        lines += [
            f"SELECT IF(EXISTS (SELECT 1 FROM mysql.event {where}), {changed}, 'DO 0') INTO @statement",
            _session(*map(_text, session_of)),
            "EXECUTE IMMEDIATE @statement",
            _session("@mode", "@client", "@collation"),
        ]
    own = "SET @mode = @@sql_mode, @client = @@character_set_client, @collation = @@collation_connection"
    return "".join(f"{line};\n" for line in [own, *lines])


def _session(mode: str, client: str, collation: str) -> str:
    return f"SET sql_mode = {mode}, character_set_client = {client}, collation_connection = {collation}"


def lasting(entries: dict[str, Entry], now: float) -> dict[str, Entry]:
    """The definitions that a server creates from these.

    Of the events whose time is over only those with ON COMPLETION PRESERVE, disabled.
    """
    remaining = {name: of for name, of in entries.items() if of.get("until", now) >= now or of["preserved"]}
    return {name: {**of, "state": "DISABLED"} if of.get("until", now) < now else of for name, of in remaining.items()}


def accounts(session: Session, *, own: bool) -> dict[str, list[str]]:
    """The statements that make each account and role as it is: first all that make one, then what it may do.

    Args:
        session: of the server.
        own: with those that every node makes for itself.

    A grant outlives its table, and no server takes one of a table that it has not: those are left out.
    """
    there = {tuple(row) for row in session.rows("SELECT table_schema, table_name FROM information_schema.tables")}
    skipped = (
        set()
        if own or not _registered(session)
        else {row[0] for row in session.rows(f"SELECT name FROM {OWN_ACCOUNTS}")}
    )
    if not own and not _registered(session):
        return {}
    statements = {}
    for user, host, is_role in session.rows(
        "SELECT user, host, is_role FROM mysql.user ORDER BY is_role DESC, user, host"
    ):
        if user in SYSTEM_USERS or (host == "%" and user in skipped):
            continue
        name = _quoted(user) if is_role == "Y" else f"{_quoted(user)}@{_quoted(host)}"
        if user == EVERYBODY:
            name = EVERYBODY
            statement = f"GRANT USAGE ON *.* TO {name}; REVOKE ALL PRIVILEGES, GRANT OPTION FROM {name}"
        elif is_role == "Y":
            statement = f"{ROLE} {name}"
        else:
            statement = "CREATE OR REPLACE USER" + session.rows(f"SHOW CREATE USER {name}")[0][0][len("CREATE USER") :]
        statements[user if is_role == "Y" else f"{user}@{host}"] = [statement, *_grants(session, name, there)]
    return statements


def _grants(session: Session, name: str, there: set[tuple[str, ...]]) -> list[str]:
    """What one may do, on tables that are there."""
    lines = sorted(row[0] for row in session.rows(f"SHOW GRANTS FOR {name}"))
    on = [(line, ON_TABLE.search(line)) for line in lines]
    return [
        line for line, match in on if not match or tuple(part.replace("``", "`") for part in match.groups()) in there
    ]


def script(statements: dict[str, list[str]], servers: dict[str, str], leaving: str = "") -> str:
    """The statements as a file: other servers, then roles before the accounts that they are granted to.

    Only a role's administrator may grant it; its creator is the first one. Afterwards root is, on every node.

    Args:
        statements: see `accounts`.
        servers: see `servers`.
        leaving: the account that is removed as the roles' administrator by the last line.
    """
    makers, grants = [one[0] for one in statements.values()], [line for one in statements.values() for line in one[1:]]
    roles = [line[len(ROLE) + 1 :] for line in makers if line.startswith(ROLE)]
    defaults = [line for line in grants if line.startswith("SET DEFAULT ROLE")]
    ordered = [*makers, *(line for line in grants if line not in defaults), *defaults]
    ordered += [f"GRANT {role} TO `root`@`localhost` WITH ADMIN OPTION" for role in roles]
    ordered += [f"REVOKE {role} FROM {leaving}" for role in roles if leaving]
    return "".join(f"{line};\n" for line in [*servers.values(), *ordered])


def _registered(session: Session) -> bool:
    database, table = OWN_ACCOUNTS.split(".")
    where = f"table_schema = '{database}' AND table_name = '{table}'"
    return bool(session.rows(f"SELECT 1 FROM information_schema.tables WHERE {where}"))


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _text(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
