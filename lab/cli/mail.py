"""`lab mail`: accounts, undelivered messages, and the log lines of one message."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.cli import options

if TYPE_CHECKING:
    from lab.backends.base import Backend

User = Annotated[str, typer.Argument(metavar="USER", help="The account, such as ann or ann@www.test.")]
PasswordFile = Annotated[
    Path | None,
    typer.Option("--password-file", help="A file with the password ('-' for standard input)."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Adds the verbs."""
    verbs = typer.Typer(help="Mail: accounts, queues, tracing of messages.", no_args_is_help=True)
    accounts = typer.Typer(help="Mail accounts. 'lab user' is about logins on the shell servers.", no_args_is_help=True)
    accounts.command("list")(options.on_cluster(list_))
    for verb in (add, passwd, remove):
        accounts.command()(options.on_cluster(verb))
    verbs.add_typer(accounts, name="account")
    verbs.add_typer(accounts, name="user", hidden=True, callback=_renamed)
    verbs.command()(options.on_cluster(queue))
    verbs.command()(options.on_cluster(trace))
    app.add_typer(verbs, name="mail")


def _renamed() -> None:
    """Old name of 'lab mail account'."""
    print("lab: 'lab mail user' is 'lab mail account' now; 0.3 removes the old name", file=sys.stderr)


def list_(backend: Backend, as_json: Json = False) -> None:
    """Shows the accounts, with their quotas (MiB) and aliases."""
    from lab.cli import tables
    from lab.services import mail

    mail.nodes(backend)
    accounts = mail.accounts(backend)
    if as_json:
        print(json.dumps([asdict(account) for account in accounts], indent=2))
        return
    rows = [(one.address, str(one.quota or "default"), ", ".join(one.aliases)) for one in accounts]
    tables.rows(("ADDRESS", "QUOTA", "ALIASES"), rows)


def add(
    backend: Backend,
    user: User,
    password_file: PasswordFile = None,
    alias: Annotated[list[str] | None, typer.Option("--alias", help="Another address. May be repeated.")] = None,
    quota: Annotated[int, typer.Option(min=0, help="Mailbox quota in MiB; 0 for the topology's default.")] = 0,
) -> None:
    """Adds an account, ready to receive mail. Without a password, one is generated and printed."""
    from lab.services import mail

    mail.nodes(backend)
    password, shown = _password(password_file)
    print(f"created mail account {mail.add(backend, user, password, quota=quota, aliases=alias or [])}{shown}")


def passwd(backend: Backend, user: User, password_file: PasswordFile = None) -> None:
    """Changes the password of an account. Without a password, one is generated and printed."""
    from lab.services import mail

    mail.nodes(backend)
    password, shown = _password(password_file)
    print(f"changed the password of mail account {mail.passwd(backend, user, password)}{shown}")


def remove(backend: Backend, user: User) -> None:
    """Removes an account and its aliases. Its mail is kept."""
    from lab.services import mail

    mail.nodes(backend)
    print(f"removed mail account {mail.remove(backend, user)}; its mail is kept")


def queue(backend: Backend, as_json: Json = False) -> None:
    """Lists undelivered messages on all nodes, with the reason."""
    from lab.cli import tables
    from lab.services import mail

    messages = mail.queues(backend)
    if as_json:
        print(json.dumps([one.json() for one in messages], indent=2))
        return
    rows = [
        (one.node, one.id, one.queue, one.sender, ", ".join(one.reason), "; ".join(filter(None, one.reason.values())))
        for one in messages
    ]
    tables.rows(("NODE", "ID", "QUEUE", "FROM", "TO", "REASON"), rows)


def trace(
    backend: Backend, message_id: Annotated[str, typer.Argument(help="The Message-ID, with or without brackets.")]
) -> None:
    """Shows the log lines of one message from all mail nodes. Exits with 1 if there are none."""
    from lab.services import mail

    lines = mail.trace(backend, message_id)
    print("\n".join(lines) if lines else f"no mail node has logged {message_id}")
    if not lines:
        raise typer.Exit(1)


def _password(file: Path | None) -> tuple[str, str]:
    """The password, and its part of the message: a generated password is printed, a given one is not."""
    import secrets

    from lab.errors import SpecError

    if file is None:
        generated = secrets.token_urlsafe(12)
        return generated, f", password {generated}"
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"no password in {file}: {error}", where="--password-file") from None
    return (text.splitlines() or [""])[0], ""
