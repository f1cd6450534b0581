"""The simple formats: a directive a line, sections in brackets, blocks in braces, blocks in angle brackets."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from tests.unit.directives.use import Use, lines, words

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


def flat(text: str) -> Iterator[Use]:
    """`Name value`, or `name=value`: sshd_config, opendkim.conf, msmtprc, dnsmasq.conf, Postfix's tables."""
    for number, line in lines(text):
        name, _, value = re.sub(r"\s*=\s*|\s+", " ", line, count=1).partition(" ")
        yield Use(name, number, words(value))


def angled(text: str) -> Iterator[Use]:
    """httpd.conf: `Name value` and `<Name value>`."""
    for number, line in lines(text):
        if not line.startswith("</"):
            name, _, value = line.rstrip(">").partition(" ")
            yield Use(f"{name}>" if name.startswith("<") else name, number, words(value.replace('"', "")))


def sections(text: str, *, comment: str = "#") -> Iterator[Use]:
    """`[section]` and `name = value`, as `section.name`; what follows a colon in a section's name is left out."""
    section = ""
    for number, line in lines(text, comment):
        if line.startswith("["):
            section = line.strip("[]").partition(":")[0]
            yield Use(f"[{section}]", number)
        else:
            name, _, value = (part.strip() for part in line.partition("="))
            yield Use(f"{section}.{name}", number, words(value))


def mariadb(text: str) -> Iterator[Use]:
    """The same, and each option of Galera's by itself."""
    for use in sections(text):
        yield use
        if use.name.endswith("wsrep-provider-options"):
            line = text.splitlines()[use.line - 1].partition('"')[2]
            yield from (Use(f"galera {name}", use.line) for name in re.findall(r"([\w.]+)=", line))


def pools(text: str) -> Iterator[Use]:
    """php-fpm.conf: `name = value`, in `[global]` or else in a pool; the name of an `env[…]` is anybody's."""
    section = ""
    for number, line in lines(text, ";"):
        if line.startswith("["):
            section = "global." if line == "[global]" else ""
        else:
            name, _, value = (part.strip() for part in line.partition("="))
            yield Use(section + re.sub(r"^env\[.*\]$", "env", name), number, words(value))


def braced(text: str, lists: Collection[str] = (), separator: str = " ") -> Iterator[Use]:
    """`name … {`, `name value` and `}`, as `block.name`; what is in one of the `lists` is values."""
    path: list[str] = []
    for number, line in lines(text):
        if line == "}":
            path.pop()
            continue
        name, _, value = (part.strip() for part in line.removesuffix("{").strip().partition(separator))
        name = name.split()[0]
        if ".".join(path) not in lists:
            yield Use(".".join([*path, name]), number, words(value))
        if line.endswith("{"):
            path.append(name)


def keepalived(text: str) -> Iterator[Use]:
    """keepalived.conf."""
    return braced(text, ("vrrp_instance.unicast_peer", "vrrp_instance.virtual_ipaddress", "vrrp_instance.track_file"))


def dovecot(text: str) -> Iterator[Use]:
    """dovecot.conf."""
    return braced(text, separator="=")


def options(text: str) -> Iterator[Use]:
    """storage.json: the volume options that it names."""
    for name in json.loads(text)["options"]:
        line = next(number for number, line in lines(text) if line.startswith(f'"{name}"'))
        yield Use(name, line)
