"""The people of a topology: added, removed, given other keys. The file is the only place where they are kept."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab import assets
from lab.errors import SpecError
from lab.topology import find
from lab.topology.changes import nearest
from lab.topology.editing import Edit, edited
from lab.topology.loading import DEFAULT_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lab.backends.base import Backend, Existing

PEOPLE = "/etc/lab/people"


def public_keys(said: Sequence[str]) -> list[str]:
    """Keys as they were given: each the text of one, or the name of a file that holds some.

    Raises:
        SpecError: a file can't be read.
    """
    found: list[str] = []
    for each in said:
        if " " in each.strip():
            found.append(each.strip())
            continue
        try:
            lines = Path(each).expanduser().read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise SpecError(
                f"no key in {each}: {getattr(error, 'strerror', None) or error}",
                where="--key",
                next_step="name a file that ends in .pub, or write the key itself; 'ssh-keygen' makes one",
            ) from None
        found += [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return found


def fingerprint(key: str) -> str:
    """A key's fingerprint, as `ssh-keygen -l` prints it."""
    digest = hashlib.sha256(base64.b64decode(key.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def change(file: str | None, work: Callable[[dict[str, Any]], None], last: str = "") -> Edit:
    """Changes the people in the topology that is meant; one that ships is copied to `cluster.yaml` first.

    Args:
        file: as `--file` says.
        work: gets the users as the file has them, by name, and changes them in place.
        last: what the cluster was made from, where the option is left out.

    Returns:
        The change, to be written once it works.

    Raises:
        SpecError: what would come out is not valid.
    """
    path = find(file, last)
    shipped = path in assets.topologies().values()
    target = DEFAULT_FILE if shipped else path
    if shipped and file and target.exists():
        raise SpecError(
            f"'{file}' ships with the lab and is not changed, and there is a {target} here already",
            where="--file",
            next_step=f"leave --file out to change {target}, or copy {path} to a file of your own",
        )

    def users(document: Any) -> None:  # noqa: ANN401  ruamel's mapping
        if document.get("users") is None:
            document["users"] = {}
        work(document["users"])

    return edited(path, target, users)


def admit(edit: Edit, backend: Backend, existing: Existing, name: str) -> None:
    """Refuses a change by a file that lacks people who have a login on the running cluster now.

    Args:
        edit: the change.
        backend: where the cluster runs.
        existing: its nodes.
        name: the user whom the change is about, and who may go.

    Raises:
        SpecError: the file is another one than the cluster's; says whom it lacks.
    """
    shell = next((node.name for node in existing.nodes if node.role == "shell"), None)
    lines = (backend.get(shell, PEOPLE) or b"").decode().splitlines() if shell else []
    there = {words[1] for words in map(str.split, lines) if words[:1] == ["user"]}
    lost = sorted(there - {name} - set(edit.cluster.people))
    if lost:
        raise SpecError(
            f"the cluster '{backend.cluster}' has users whom {edit.target} lacks: {', '.join(lost)}",
            where=str(edit.target.resolve()),
            next_step="name the topology that it was made from with --file; 'lab up' with this one would remove them",
        )


def added(name: str, keys: list[str], groups: list[str], *, forwarding: bool) -> Callable[[dict[str, Any]], None]:
    """Adds a person."""

    def work(users: dict[str, Any]) -> None:
        if name in users:
            raise SpecError(f"there is a user '{name}' already", next_step=f"'lab user keys {name}' changes the keys")
        users[name] = {"keys": keys}
        if groups:
            users[name]["groups"] = groups
        if forwarding:
            users[name]["forwarding"] = True

    return work


def removed(name: str) -> Callable[[dict[str, Any]], None]:
    """Takes a person out."""

    def work(users: dict[str, Any]) -> None:
        del users[_known(name, users)]

    return work


def rekeyed(name: str, more: list[str], less: list[str]) -> Callable[[dict[str, Any]], None]:
    """Gives a person keys, and takes others away by their fingerprints."""

    def work(users: dict[str, Any]) -> None:
        keys = users[_known(name, users)]["keys"]
        held = {fingerprint(key): key for key in keys}
        for mark in less:
            if mark not in held:
                raise SpecError(f"'{name}' has no key {mark}; the keys are: {', '.join(held)}", where="--remove")
            keys.remove(held[mark])
        keys.extend(key for key in more if key not in keys)

    return work


def _known(name: str, users: dict[str, Any]) -> str:
    if name not in users:
        raise SpecError(f"there is no user '{name}'; {nearest(name, list(users)) if users else 'there are none'}")
    return name
