"""`lab user`: logins on the shell servers. Each verb changes the topology file, and applies it to a running cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from lab.cli import options

if TYPE_CHECKING:
    from collections.abc import Callable

Name = Annotated[str, typer.Argument(metavar="USER", help="The user, such as student1.")]
Key = Annotated[
    list[str] | None, typer.Option("--key", "-k", help="A public key, or a file of public keys. May be repeated.")
]
Away = Annotated[list[str] | None, typer.Option("--remove", help="The fingerprint of a key to remove.")]
Group = Annotated[list[str] | None, typer.Option("--group", "-g", help="An additional group. May be repeated.")]
Forward = Annotated[bool, typer.Option("--forwarding", help="Allow forwarding of ports and of the agent.")]


def register(app: typer.Typer) -> None:
    """Adds the verbs."""
    verbs = typer.Typer(
        help="Logins on the shell servers. 'lab mail account' is about mailboxes.", no_args_is_help=True
    )
    verbs.command("list")(_list)
    for verb in (add, remove, keys):
        verbs.command()(verb)
    app.add_typer(verbs, name="user")


@options.common("file", "name")
def _list(choice: options.Choice) -> None:
    """Shows the users with their numbers, groups and keys."""
    from lab.cli import tables
    from lab.services.users import fingerprint

    people = choice.cluster().people
    rows = [
        (who, str(user.uid), str(len(user.keys)), ", ".join(user.groups), "forwarding" if user.forwarding else "")
        for who, user in people.items()
    ]
    tables.rows(("USER", "NUMBER", "KEYS", "GROUPS", "MAY"), rows)
    # Below the table, which might wrap a fingerprint.
    for who, user in people.items():
        for key in user.keys:
            print(f"  {who}: {fingerprint(key)} {key.partition(' ')[2].partition(' ')[2]}".rstrip())


@options.common(*options.WHERE)
def add(
    choice: options.Choice,
    user: Name,
    key: Key = None,
    group: Group = None,
    forwarding: Forward = False,
) -> None:
    """Adds a user, ready to log in. The home is created at the first login."""
    from lab.errors import SpecError
    from lab.services import users

    if not key:
        raise SpecError(
            "a user needs a key", where="--key", next_step=f"lab user add {user} --key ~/.ssh/id_ed25519.pub"
        )
    work = users.added(user, users.public_keys(key), group or [], forwarding=forwarding)
    _changed(user, work, choice)


@options.common(*options.WHERE)
def remove(
    choice: options.Choice,
    user: Name,
) -> None:
    """Removes a user. Sessions end; files are kept."""
    from lab.services import users

    _changed(user, users.removed(user), choice)


@options.common(*options.WHERE)
def keys(
    choice: options.Choice,
    user: Name,
    key: Key = None,
    away: Away = None,
) -> None:
    """Adds or removes keys of a user. Open sessions are kept."""
    from lab.errors import SpecError
    from lab.services import users

    if not key and not away:
        raise SpecError("nothing to change", next_step="--key FILE adds a key, --remove FINGERPRINT removes one")
    _changed(user, users.rekeyed(user, users.public_keys(key or []), away or []), choice)


def _changed(
    user: str,
    work: Callable[[dict[str, Any]], None],
    choice: options.Choice,
) -> None:
    from lab.cli.changing import changed

    changed("lab user", "users", work, choice, user)
