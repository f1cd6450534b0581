"""Mail accounts (in the database), queues, and the log lines of one message."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from lab import identifiers
from lab.backends.base import State
from lab.backends.optional import logs
from lab.errors import BackendError, SpecError
from lab.lifecycle.members import of_role
from lab.services import mysql

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lab.backends.base import Backend

ROLE = "mail"
MAILBOXES = "/srv/mail"
SHORTEST_PASSWORD = 8  # characters
LONGEST_PASSWORD = 72  # bytes; bcrypt takes no more
OWN = ("evidence", "guestbook", "postmaster", "abuse")
"""Accounts and aliases that each database node makes at its start; programs log in to the first two."""
ROUNDS = 8  # bcrypt's cost, 2^8: a login, and a guess, takes about 20 ms of a node's processor
TRACED = ("postfix/", "postfix ", "dovecot ", "opendkim", "dkim ")


@dataclass(frozen=True)
class Account:
    """A mail account. `quota`: MiB, 0 for the topology's; `aliases`: further addresses."""

    address: str
    quota: int
    aliases: tuple[str, ...]


@dataclass(frozen=True)
class Queued:
    """An undelivered message of a node. `arrived`: Unix seconds; `reason`: of the last failed attempt, by recipient."""

    node: str
    id: str
    queue: str
    sender: str
    size: int
    arrived: float
    reason: Mapping[str, str]

    def json(self) -> dict[str, Any]:
        """The documented form (docs/status.md); `because` is the name of `reason` before 0.2, removed in 0.3."""
        return {**asdict(self), "because": self.reason}


def nodes(backend: Backend) -> list[str]:
    """The mail nodes.

    Raises:
        SpecError: the cluster has no mail node.
    """
    return [node.name for node in of_role(backend, ROLE)]


def accounts(backend: Backend) -> list[Account]:
    """All accounts, read from the primary."""
    rows = _ask(backend, "SELECT address, quota FROM accounts ORDER BY address")
    aliases = _ask(backend, "SELECT target, address FROM aliases ORDER BY address")
    return [Account(a, int(q), tuple(alias for to, alias in aliases if to == a)) for a, q in rows]


def add(backend: Backend, user: str, password: str, *, quota: int = 0, aliases: Sequence[str] = ()) -> str:
    """Creates an account; returns its address.

    Args:
        backend: where the cluster runs.
        user: name, with or without the cluster's domain.
        password: 8 characters to 72 bytes.
        quota: MiB of the mailbox, 0 for the topology's.
        aliases: further addresses of the account.

    Raises:
        SpecError: an invalid name, password or quota, or an address in use; nothing was changed.
    """
    address = _address(backend, user)
    others = [_address(backend, alias) for alias in aliases]
    _refuse_twice([address, *others])
    _refuse_password(password)
    _refuse_quota(backend, quota)
    known = accounts(backend)
    taken = {account.address for account in known} | {alias for account in known for alias in account.aliases}
    for one in (address, *others):
        if one in taken:
            raise SpecError(
                f"the address {one} already exists",
                next_step=f"'lab mail account list'; 'lab mail account passwd {user}'",
            )
    insert = f"INSERT INTO accounts VALUES ({_quoted(address)}, {_quoted(_hashed(password))}, {quota:d});"  # noqa: S608
    insert += "".join(f"INSERT INTO aliases VALUES ({_quoted(one)}, {_quoted(address)});" for one in others)  # noqa: S608
    _ask(backend, f"START TRANSACTION; {insert} COMMIT")
    return address


def passwd(backend: Backend, user: str, password: str) -> str:
    """Changes an account's password; open sessions stay."""
    address = _known(backend, user, refused=OWN[:2])
    _refuse_password(password)
    _ask(backend, f"UPDATE accounts SET password = {_quoted(_hashed(password))} WHERE address = {_quoted(address)}")  # noqa: S608
    return address


def remove(backend: Backend, user: str) -> str:
    """Removes an account and its aliases; its mail is kept."""
    address = _known(backend, user, refused=OWN)
    both = (("aliases", "target"), ("accounts", "address"))
    gone = " ".join(f"DELETE FROM {table} WHERE {key} = {_quoted(address)};" for table, key in both)  # noqa: S608
    _ask(backend, f"START TRANSACTION; {gone} COMMIT")
    return address


def queues(backend: Backend) -> list[Queued]:
    """Undelivered messages of all running mail nodes, oldest first."""
    messages = []
    running = {node.name for node in backend.observe().nodes if node.state is State.RUNNING}
    for node in nodes(backend):
        if node not in running:
            continue
        result = backend.run(node, ["postqueue", "-j"], seconds=10)
        if not result.ok:
            raise BackendError(f"cannot read the queue of {node}: {result.last_line}", where=node)
        for row in map(json.loads, result.stdout.splitlines()):
            reason = {to["address"]: to.get("delay_reason", "") for to in row["recipients"]}
            messages.append(
                Queued(
                    node,
                    row["queue_id"],
                    row["queue_name"],
                    row["sender"],
                    row["message_size"],
                    row["arrival_time"],
                    reason,
                )
            )
    return sorted(messages, key=lambda one: one.arrived)


def trace(backend: Backend, message_id: str) -> list[str]:
    """The log lines of a message, node by node, each prefixed by its node's name.

    Args:
        backend: where the cluster runs.
        message_id: the Message-ID header, with or without brackets.
    """
    bracketed = f"<{message_id.strip().strip('<>')}>"
    return [f"{node}  {line}" for node in nodes(backend) for line in way(logs(backend).logs(node), bracketed)]


def way(lines: Iterable[str], message_id: str) -> list[str]:
    """The log lines of a message on a node: those with its id, or with its queue id."""
    traced = [line for line in lines if any(mark in line for mark in TRACED)]
    ids = {match[1] for line in traced if message_id in line and (match := re.search(r": (\w{6,}): message-id=", line))}
    marks = (message_id, *(f" {one}:" for one in ids))
    return [line for line in traced if any(mark in line for mark in marks)]


def _ask(backend: Backend, statement: str) -> list[list[str]]:
    serving = [member.name for member in mysql.members(backend) if member.serves]
    if len(serving) != 1:
        raise BackendError(
            "there is no primary at the moment",
            where="mysql",
            next_step="'lab mysql status' shows the reason; retry afterwards",
        )
    argv = ["mariadb", "--batch", "--skip-column-names", "mail", "--execute", statement]
    done = backend.run(serving[0], argv, seconds=20)
    if not done.ok:
        raise BackendError(f"cannot read the accounts: {done.last_line}", where=serving[0])
    return [line.split("\t") for line in done.stdout.splitlines()]


def _address(backend: Backend, user: str) -> str:
    """The address of an account, validated."""
    address = _in_domain(backend, user)
    name = address.partition("@")[0]
    if not re.fullmatch(identifiers.MAILBOX, name) or len(name) > identifiers.MAILBOX_LENGTH:
        raise SpecError(
            f"{name!r} is not a valid account name",
            next_step="letters and digits with '.', '_' or '-' between them, no two dots in a row, at most "
            f"{identifiers.MAILBOX_LENGTH} characters",
        )
    return address


def _in_domain(backend: Backend, user: str) -> str:
    name, _, domain = user.lower().partition("@")
    own = f"{backend.cluster}.test"
    if domain not in ("", own):
        raise SpecError(f"{user} is not in the cluster's domain, {own}", next_step=f"use '{name}' or '{name}@{own}'")
    return f"{name}@{own}"


def _known(backend: Backend, user: str, refused: Iterable[str]) -> str:
    """The address of an existing account, except those in `refused`."""
    address = _in_domain(backend, user)
    known = [account.address for account in accounts(backend)]
    if address not in known:
        raise SpecError(f"there is no account {address}", next_step=f"the accounts are: {', '.join(known)}")
    if (name := address.partition("@")[0]) in refused:
        raise SpecError(f"{address} is the cluster's own account", next_step=f"the cluster needs '{name}' unchanged")
    return address


def _refuse_twice(addresses: Sequence[str]) -> None:
    for one in addresses:
        if addresses.count(one) > 1:
            raise SpecError(f"{one} is given twice", where="--alias", next_step="use further addresses as aliases")


def _refuse_quota(backend: Backend, quota: int) -> None:
    """Refuses a quota larger than the mailboxes' volume."""
    if not quota:
        return
    running = {node.name for node in backend.observe().nodes if node.state is State.RUNNING}
    command = ["df", "--type=fuse.glusterfs", "--output=size", "--block-size=1M", MAILBOXES]
    for node in (one for one in nodes(backend) if one in running):
        result = backend.run(node, command, seconds=10)
        if result.ok:
            size = int(result.stdout.split()[-1])
            break
    else:
        raise BackendError("no mail node reports the size of the mailboxes' volume", next_step="'lab status'")
    if quota > size:
        raise SpecError(
            f"a quota of {quota} MiB is more than the volume holds, {size} MiB",
            where="--quota",
            next_step="use a smaller quota",
        )


def _refuse_password(password: str) -> None:
    if len(password.encode()) > LONGEST_PASSWORD:
        raise SpecError(
            f"the password has {len(password.encode())} bytes; bcrypt supports at most {LONGEST_PASSWORD}",
            next_step="choose a shorter one, or omit --password-file to generate one",
        )
    if len(password) < SHORTEST_PASSWORD or not password.isprintable():
        raise SpecError(
            f"the password is shorter than {SHORTEST_PASSWORD} characters, or has control characters",
            next_step="choose another one, or omit --password-file to generate one",
        )


def _hashed(password: str) -> str:
    import bcrypt

    return "{BLF-CRYPT}" + bcrypt.hashpw(password.encode(), bcrypt.gensalt(ROUNDS)).decode()


def _quoted(text: str) -> str:
    """A quoted SQL string; the text is a validated address or a hash."""
    if "'" in text or "\\" in text:
        raise ValueError(text)
    return f"'{text}'"
