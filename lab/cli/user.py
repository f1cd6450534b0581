"""`lab user`: logins on the shell servers. Each verb changes the topology file, and applies it to a running cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from lab.cli import options

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.backends.base import Backend, Existing
    from lab.progress import Report
    from lab.topology.editing import Edit

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
    """Changes the topology under the cluster's lock; the file is written after the running cluster has the change."""
    from lab.cli import screen
    from lab.errors import BackendError, HostError
    from lab.lifecycle.lock import held
    from lab.services import users

    cluster = choice.cluster_name
    with screen.report() as report, held(cluster, "lab user", report):
        edit = users.change(choice.file, work, choice.last)
        try:
            target = choice.open()
            existing = target.observe()
        except (HostError, BackendError) as error:
            with edit.drafted():
                print(f"{error.what}; changed {edit.target}, which the next 'lab up' applies")
            return
        if existing.nodes:
            users.admit(edit, target, existing, user)
        with edit.drafted():
            if existing.nodes:
                _applied(edit, cluster, target, existing, report)
    print(f"changed {edit.target}")
    if not existing.nodes:
        print(f"the cluster '{cluster}' does not exist; 'lab up' creates it with this change")


def _applied(edit: Edit, name: str, backend: Backend, existing: Existing, report: Report) -> None:
    """Applies the change to the running cluster, without changing its number of nodes."""
    from lab.errors import LabError
    from lab.lifecycle.expected import expected
    from lab.lifecycle.resolve import as_many
    from lab.lifecycle.up import up

    cluster = edit.cluster.model_copy(update={"name": name}).read_from(edit.target)
    try:
        up(as_many(cluster, expected(backend, existing)), backend, report)
    except LabError:
        report.say(f"{edit.target} is unchanged: the same command completes the change, 'lab up' reverts it")
        raise
