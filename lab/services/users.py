"""Users of a topology: adding, removing, changing keys. The topology file is their only record."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.errors import SpecError
from lab.hints import nearest
from lab.lifecycle.members import informed
from lab.topology.editing import edited_section

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lab.backends.base import Backend, Existing
    from lab.topology.editing import Edit

ROLE = "shell"
PEOPLE = "/etc/lab/people"


def public_keys(texts: Sequence[str]) -> list[str]:
    """Public keys from texts and files.

    Raises:
        SpecError: a file cannot be read, or has no key.
    """
    keys: list[str] = []
    for each in texts:
        if " " in each.strip():
            keys.append(each.strip())
            continue
        try:
            lines = Path(each).expanduser().read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise SpecError(
                f"no key in {each}: {getattr(error, 'strerror', None) or error}",
                where="--key",
                next_step="name a file that ends in .pub, or the key itself; 'ssh-keygen' creates one",
            ) from None
        keys += [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return keys


def fingerprint(key: str) -> str:
    """A key's fingerprint, as `ssh-keygen -l` prints it."""
    digest = hashlib.sha256(base64.b64decode(key.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def change(file: str | None, work: Callable[[dict[str, Any]], None], last: str = "") -> Edit:
    """Changes the users in a topology file; a shipped topology is copied to `cluster.yaml` first.

    Args:
        file: the option `--file`.
        work: changes the mapping of users in place.
        last: the topology that the cluster was created from, used without `file`.

    Returns:
        The change, to be written after it was applied.

    Raises:
        SpecError: the result is not valid.
    """
    return edited_section(file, "users", work, last)


def present(backend: Backend, existing: Existing) -> set[str]:
    """The users of the running cluster, by a shell server's file."""
    shell = informed(existing, ROLE)
    lines = (backend.get(shell, PEOPLE) or b"").decode().splitlines() if shell else []
    return {words[1] for words in map(str.split, lines) if words[:1] == ["user"]}


def added(name: str, keys: list[str], groups: list[str], *, forwarding: bool) -> Callable[[dict[str, Any]], None]:
    """Adds a user."""

    def work(users: dict[str, Any]) -> None:
        if name in users:
            raise SpecError(f"the user '{name}' already exists", next_step=f"'lab user keys {name}' changes the keys")
        users[name] = {"keys": keys}
        if groups:
            users[name]["groups"] = groups
        if forwarding:
            users[name]["forwarding"] = True

    return work


def removed(name: str) -> Callable[[dict[str, Any]], None]:
    """Removes a user."""

    def work(users: dict[str, Any]) -> None:
        del users[_known(name, users)]

    return work


def rekeyed(name: str, more: list[str], less: list[str]) -> Callable[[dict[str, Any]], None]:
    """Adds keys to a user, and removes others by their fingerprints."""

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
