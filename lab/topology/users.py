"""People with a login, and their numbers: the same on every node that has their files."""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import Annotated

from pydantic import AfterValidator, Field

from lab.models import Model

FIRST, LAST = 20000, 59999
"""The numbers of people and of their groups; `images/parts/users` leaves all others alone."""

PEOPLE, PEOPLE_NUMBER = "people", 19999
"""The group that all of them are in."""

KINDS = (
    "ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com",
)  # fmt: skip

TAKEN = """
root daemon bin sys sync games man lp mail news uucp proxy www-data apache backup list irc nobody nogroup adm dbus ftp
halt operator shutdown systemd tty disk users staff sudo wheel ssh sshd haproxy mysql gluster postfix postdrop dovecot
dovenull opendkim vmail people kmem dialout fax voice cdrom floppy tape audio dip src shadow utmp video sasl plugdev
input kvm render sgx netdev crontab messagebus polkitd chrony mem lock utempter tss nscd dnsmasq keepalived dumb-init
ssl-cert redis memcache unbound
"""
"""Names that belong to the systems themselves or to their daemons, users and groups."""

SYSTEM = "systemd-"
"""How more of them begin."""


def _key(text: str) -> str:
    """A public key as `ssh-keygen` writes it: kind, base64, comment."""
    if "PRIVATE KEY" in text:
        raise ValueError("that is a private key, which stays where it is; write what is in the file that ends in .pub")
    kind, _, rest = text.strip().partition(" ")
    body = rest.split(" ")[0]
    if kind not in KINDS or "\n" in text.strip():
        raise ValueError(f"a public key is one line that begins with one of: {', '.join(KINDS)}")
    try:
        held = base64.b64decode(body, validate=True)
    except binascii.Error:
        held = b""
    if not held.startswith(len(kind).to_bytes(4, "big") + kind.encode()):
        raise ValueError(f"the key behind '{kind}' is not whole: copy all of its line")
    return text.strip()


def _free(name: str) -> str:
    if name in TAKEN.split() or name.startswith(SYSTEM):
        raise ValueError(f"'{name}' is a name of the system's own; choose another")
    return name


UserName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$"), AfterValidator(_free)]
PublicKey = Annotated[str, AfterValidator(_key)]


class User(Model):
    """A person with a login on the shell servers, and pages at `/~name/`."""

    keys: list[PublicKey] = Field(min_length=1, description="public keys, as in the files that end in .pub")
    groups: list[UserName] = Field([], description="groups besides the person's own; made where they are named")
    uid: Annotated[int, Field(ge=FIRST, le=LAST, strict=True)] | None = Field(
        None, description="the number on every node; default: computed from the name"
    )
    forwarding: bool = Field(default=False, description="may forward ports and the agent")


def number(name: str) -> int:
    """The number of a name: a pure function of it (CRC-32, folded), independent of other users."""
    return FIRST + zlib.crc32(name.encode()) % (LAST - FIRST + 1)


def numbered(users: dict[str, User]) -> dict[str, User]:
    """The users with their numbers.

    Raises:
        ValueError: two have the same.
    """
    by_name = {name: user.model_copy(update={"uid": user.uid or number(name)}) for name, user in sorted(users.items())}
    names: dict[int | None, str] = {}
    for name, user in by_name.items():
        if user.uid in names:
            raise ValueError(f"'{names[user.uid]}' and '{name}' have the same number, {user.uid}: give one a 'uid'")
        names[user.uid] = name
    return by_name


def groups_of(users: dict[str, User]) -> dict[str, int]:
    """All groups that are named, with their numbers.

    Raises:
        ValueError: a group is called as a user is, or two have the same number.
    """
    named = sorted({group for user in users.values() for group in user.groups})
    held = {user.uid: name for name, user in numbered(users).items()}
    for group in named:
        if group in users:
            raise ValueError(f"'{group}' is a user; every user has a group of that name already")
        if number(group) in held:
            raise ValueError(f"the group '{group}' would have the number of '{held[number(group)]}': call it otherwise")
        held[number(group)] = group
    return ({PEOPLE: PEOPLE_NUMBER} if users else {}) | {group: number(group) for group in named}
