"""Two people with a mailbox, for the tests that send them something."""

from __future__ import annotations

import contextlib
import json
from email import message_from_string
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.errors import BackendError
from lab.services import mail
from lab.topology import Mail

if TYPE_CHECKING:
    from lab.testing import LabCluster

SCRIPT = "/root/mail_agent.py"
PASSWORD = "correct horse"  # noqa: S105  of accounts that these tests make


class Post:
    """Their mail program, on the client."""

    def __init__(self, cluster: LabCluster) -> None:
        self._cluster = cluster
        self.domain = cluster.spec.domain
        self.door = cluster.plan.vip or cluster.plan.role("mail")[0].address
        if not cluster.run("client", f"test -e {SCRIPT}").ok:
            cluster.backend.put("client", {SCRIPT: (Path(__file__).with_name("mail_agent.py").read_bytes(), 0o644)})

    def address(self, user: str) -> str:
        return f"{user}@{self.domain}"

    def send(self, who: str, to: str, **more: Any) -> tuple[int, str]:
        """The answer's code and text; as the sender, by submission, unless said."""
        done = self._ask({"do": "send"} | self._message(who, to, more))
        return done["code"], done["said"]

    def send_each(self, who: str, to: str, *each: dict[str, Any]) -> list[tuple[int, str]]:
        """The same for several messages, by one program on the client."""
        done = self._ask({"do": "several", "messages": [self._message(who, to, more) for more in each]}, 120)
        return [(one["code"], one["said"]) for one in done["done"]]

    def _message(self, who: str, to: str, more: dict[str, Any]) -> dict[str, Any]:
        to = to if "@" in to else self.address(to)
        said = {"port": 587, "user": self.address(who), "password": PASSWORD, "sender": self.address(who)} | more
        subject = said.pop("subject", "a message")
        message = f"From: {said['sender']}\nTo: {to}\nSubject: {subject}\n\nHello.\n"
        return {"to": [to], "message": message} | said

    def read(self, user: str, port: int = 993, **more: Any) -> dict[str, Any]:
        return self._ask({"do": "read", "port": port, "user": self.address(user), "password": PASSWORD} | more)

    def enter(self, user: str) -> None:
        """Logs in, and opens no folder."""
        self._ask({"do": "enter", "user": self.address(user), "password": PASSWORD})

    def handle(self, user: str, *commands: list[str], folder: str = "INBOX") -> dict[str, Any]:
        """Does IMAP's UID commands, or `APPEND`; returns what the folder is afterwards."""
        asked = {
            "do": "handle",
            "user": self.address(user),
            "password": PASSWORD,
            "commands": list(commands),
            "folder": folder,
        }
        return self._ask(asked)

    def sift(self, user: str, script: str) -> dict[str, Any]:
        """Has a user's mail filtered by a Sieve script."""
        return self._ask({"do": "sift", "user": self.address(user), "password": PASSWORD, "script": script})

    def guess(self, user: str, times: int) -> int:
        """Tries so many wrong passwords at once; returns how many were refused for that."""
        return int(self._ask({"do": "guess", "user": self.address(user), "times": times})["refused"])

    def arrived(self, user: str, subject: str, folder: str = "INBOX") -> str:
        """Waits for a message, and returns it as it is in the mailbox."""

        def found() -> list[str]:
            messages = self.read(user, folder=folder).get("messages", [])
            return [one for one in messages if message_from_string(one)["Subject"] == subject]

        return self._cluster.until(f"{subject!r} in the mailbox of {user}", 30, found)[0]

    def arrived_with(self, user: str, words: str) -> str:
        """Waits for a message that has some words in it."""

        def found() -> list[str]:
            return [one for one in self.read(user).get("messages", []) if words in one]

        return self._cluster.until(f"{words!r} in the mailbox of {user}", 30, found)[0]

    def _ask(self, asked: dict[str, Any], seconds: float = 60) -> dict[str, Any]:
        told = json.dumps({"host": self.door} | asked)
        done = self._cluster.backend.run("client", ["python3", SCRIPT, told], seconds=seconds)
        assert done.ok, done.stderr
        return dict(json.loads(done.stdout))


def _known(cluster: LabCluster, address: str) -> bool:
    """Whether a node of the database has an account: each test asks, and a change of the cluster may have taken it."""
    node = cluster.plan.role("mysql")[0].name
    select = f"SELECT address FROM mail.accounts WHERE address = '{address}'"  # noqa: S608
    with contextlib.suppress(BackendError):  # that node may be down
        if address in cluster.backend.run(node, ["mariadb", "-N", "--execute", select]).stdout:
            return True
    return address in {account.address for account in mail.accounts(cluster.backend)}


def correspondents(cluster: LabCluster) -> Post:
    """Ann, who is also `info`, Bob, whose mailbox is small, and Carol; skips where the cluster has no mail."""
    cluster.options(Mail)
    made = Post(cluster)
    if not _known(cluster, made.address("carol")):
        mail.add(cluster.backend, "ann", PASSWORD, aliases=["info"])
        mail.add(cluster.backend, "bob", PASSWORD, quota=1)
        mail.add(cluster.backend, "carol", PASSWORD)
    return made
