"""What a ledger is kept of: the services that acknowledge writes, how each is written to, and read back."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Self

from lab.errors import BackendError
from lab.evidence.load_run import Stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.backends.base import Backend
    from lab.plan import Plan

READ_SECONDS = 30.0
DELIVERY_SECONDS = 90.0
"""Postfix tries again what it could not deliver after ten to forty seconds (`main.cf`)."""


class GuestBook:
    """Posts in the guest book: in the database, or, where there is none, each on the web node that took it."""

    name = "guestbook"

    def __init__(self, plan: Plan, site: str) -> None:
        self._nodes = {node.name: node.address for node in plan.role("web")}
        self._url = f"{plan.scheme}://{site}/api/posts"
        self.everywhere = bool(plan.role("mysql"))

    def stream(self, run: str, rate: float) -> Stream:
        # Each on a connection of its own: on one that was used before, a client may send a form again by itself when
        # the balancer closes without an answer, and there would be two posts where the ledger knows of one.
        return Stream(self.name, self._url, rate, keep=False, post=f"author={run}&message={run}-{{n}}")

    def replicas(self) -> Sequence[str]:
        return list(self._nodes)

    def posts(self, backend: Backend, replica: str, run: str) -> list[dict[str, str]]:
        """The posts of a run that a web node shows."""
        url = f"http://{self._nodes[replica]}/api/posts?author={run}"
        argv = ["curl", "-fsS", "--max-time", backend.clock.option(READ_SECONDS), url]
        done = backend.run("client", argv, seconds=READ_SECONDS)
        if not done.ok:
            raise BackendError(f"{replica} can't be read: {done.last_line}", where=replica)
        return list(json.loads(done.stdout)["posts"])

    def read(self, backend: Backend, replica: str, run: str) -> list[str]:
        return [post["message"] for post in self.posts(backend, replica, run)]


class Uploads(GuestBook):
    """Posts with a picture: there is a post where its picture is whole, by its name, which is its checksum."""

    name = "uploads"

    def stream(self, run: str, rate: float) -> Stream:
        return replace(super().stream(run, rate), upload="upload")

    def read(self, backend: Backend, replica: str, run: str) -> list[str]:
        settings = "sed -n 's/^uploads = \"\\(.*\\)\"/\\1/p' /etc/lab/guestbook.ini"
        done = backend.run(replica, ["sh", "-c", f'cd "$({settings})" && sha256sum *.png'], seconds=READ_SECONDS)
        lines = (line.split() for line in done.stdout.splitlines())
        whole = {file for digest, file in lines if file == f"{digest}.png"}
        return [post["message"] for post in self.posts(backend, replica, run) if post["upload"] in whole]


class MysqlLedger:
    """Rows in the database, each inserted by a new visitor through the writable address."""

    name = "mysql"
    everywhere = True

    def __init__(self, plan: Plan, site: str) -> None:
        del site
        self._nodes = [node.name for node in plan.role("mysql")]
        self._url = database(plan)

    def at(self, address: str) -> Self:
        """Written to at an address of its own, instead of at that of all clients."""
        self._url = f"mysql://evidence@{address}:3306/evidence"
        return self

    def stream(self, run: str, rate: float) -> Stream:
        insert = f"INSERT INTO ledger (run, id) VALUES ('{run}', '{run}-{{n}}')"  # noqa: S608  both are this module's
        return Stream(self.name, self._url, rate, keep=False, post=insert)

    def replicas(self) -> Sequence[str]:
        return self._nodes

    def read(self, backend: Backend, replica: str, run: str) -> list[str]:
        select = f"SELECT id FROM evidence.ledger WHERE run = '{run}'"  # noqa: S608
        done = backend.run(replica, ["mariadb", "--skip-column-names", "--execute", select], seconds=READ_SECONDS)
        if not done.ok:
            raise BackendError(f"{replica} can't be read: {done.last_line}", where=replica)
        return done.stdout.split()


def database(plan: Plan, port: int = 3306) -> str:
    """Where the client finds the database: at the VIP, or where there is none at its first node."""
    return f"mysql://evidence@{plan.vip or plan.role('mysql')[0].address}:{port}/evidence"


class MailLedger:
    """Messages, each submitted by a new visitor with a login, to the mailbox of the lab's own account."""

    name = "mail"
    everywhere = True

    def __init__(self, plan: Plan, site: str) -> None:
        del site
        self._nodes = [node.name for node in plan.role("mail")]
        self._address = f"evidence@{plan.cluster}.test"
        self._url = f"smtp://{self._address.replace('@', '%40')}@{plan.vip or plan.role('mail')[0].address}:587"

    def stream(self, run: str, rate: float) -> Stream:
        message = f"From: {self._address}\nTo: {self._address}\nSubject: {run}-{{n}}\n\nWritten down.\n"
        return Stream(self.name, self._url, rate, keep=False, post=message)

    def replicas(self) -> Sequence[str]:
        return self._nodes

    def read(self, backend: Backend, replica: str, run: str) -> list[str]:
        self._await_delivery(backend)
        command = ["doveadm", "-c", "/etc/lab/dovecot.conf", "-f", "flow", "fetch", "-u", self._address]
        argv = [*command, "hdr.subject", "mailbox", "INBOX", "subject", run]
        done = backend.run(replica, argv, seconds=READ_SECONDS)
        if not done.ok:
            raise BackendError(f"{replica} can't be read: {done.last_line}", where=replica)
        return [line.removeprefix("hdr.subject=") for line in done.stdout.split() if line.startswith("hdr.subject=")]

    def _await_delivery(self, backend: Backend) -> None:
        """What was accepted may wait in any node's queue; it is not lost, and not in the mailbox yet."""
        for node in self._nodes:
            backend.clock.until(
                f"an empty queue on {node}",
                DELIVERY_SECONDS,
                partial(backend.run, node, ["postqueue", "-j"], seconds=READ_SECONDS),
                lambda result: result.ok and not result.stdout.strip(),
            )


LEDGERS: dict[str, type[GuestBook | MysqlLedger | MailLedger]] = {
    "guestbook": GuestBook,
    "uploads": Uploads,
    "mysql": MysqlLedger,
    "mail": MailLedger,
}
"""What a ledger can be kept of, by name; a role that acknowledges writes adds one line."""
