"""Which files of a node are read by which daemon, and the plans whose templates take every turn."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from lab.plan import plan
from lab.recipes import family, recipe
from lab.topology import parse
from tests.unit.conftest import WHOLE
from tests.unit.directives import formats, haproxy, postfix
from tests.unit.directives.table import table, wrong

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from lab.recipes.family import Version
    from tests.unit.directives.use import Use

_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"

PEOPLE = f"""
users:
  ann: {{keys: ['{_KEY}'], groups: [class-a]}}
  bob: {{keys: ['{_KEY}'], forwarding: true}}
"""

SITES = "sites: {blog: {writable: [files], database: true, mail: true, php: {extensions: [gd]}}, wiki: {}}\n"

APPS = "apps: {shop: {image: shop, port: 8000, sticky: true, env: {A: b}, database: true, mail: true}}\n"

PLANS = (
    WHOLE.replace("web: {count: 3}", "web: {count: 3, sticky: true, notify: ann}")
    + "shell: {count: 1}\n"
    + PEOPLE
    + SITES
    + APPS,
    WHOLE.replace("tcp-lb: {count: 2}", "tcp-lb: {count: 1, engine: ipvs}")
    .replace("mysql: {count: 3}", "mysql: {count: 3, topology: galera}")
    .replace("mail: {count: 2}", "mail: {count: 1, relayhost: '[smtp.example.org]:587'}"),
    "network: 10.90.0.0/24\nports: {site: 8443}\nweb: {count: 1}\nsites: {own: {writable: [files]}}\n",
    "network: 10.90.0.0/24\nweb: {count: 2}\nstorage: {count: 1}\nmysql: {count: 1}\nmail: {count: 1}\n",
)
"""Together they render every line of every template; a test sees to it."""


class Format(NamedTuple):
    """Who reads a file, and how; `prefix`: what the names get in the daemon's table."""

    daemon: str
    parse: Callable[[str], Iterable[Use]]
    prefix: str = ""

    def uses(self, text: str) -> list[Use]:
        """What of the daemon's table a text uses."""
        return [replace(use, name=self.prefix + use.name) for use in self.parse(text)]


FORMATS = {
    "/etc/fail2ban/*.local": Format("fail2ban", formats.sections),
    "/etc/lab/backup.cnf": Format("mariadb", formats.mariadb),
    "/etc/lab/database.cnf": Format("mariadb", formats.mariadb),
    "/etc/lab/dnsmasq.conf": Format("dnsmasq", formats.flat),
    "/etc/lab/dovecot-sql.conf": Format("dovecot", formats.flat, "sql."),
    "/etc/lab/dovecot.conf": Format("dovecot", formats.dovecot),
    "/etc/lab/haproxy.cfg": Format("haproxy", haproxy.uses),
    "/etc/lab/httpd.conf": Format("httpd", formats.angled),
    "/etc/lab/keepalived.conf": Format("keepalived", formats.keepalived),
    "/etc/lab/msmtprc": Format("msmtp", formats.flat),
    "/etc/lab/my.cnf": Format("mariadb", formats.mariadb),
    "/etc/lab/opendkim.conf": Format("opendkim", formats.flat),
    "/etc/lab/php-fpm.conf": Format("php", formats.pools),
    "/etc/lab/postfix/*.cf": Format("postfix", formats.flat, "mysql_table."),
    "/etc/lab/restore.cnf": Format("mariadb", formats.mariadb),
    "/etc/lab/services.conf": Format("supervisor", formats.sections),
    "/etc/lab/sshd_config": Format("openssh", formats.flat),
    "/etc/lab/storage.json": Format("glusterfs", formats.options),
    "/etc/lab/supervisord.conf": Format("supervisor", formats.sections),
    "/etc/lab/users.cfg": Format("haproxy", haproxy.uses),
    "/etc/my.cnf.d/lab.cnf": Format("mariadb", formats.mariadb),
    "/etc/mysql/conf.d/lab.cnf": Format("mariadb", formats.mariadb),
    "/etc/postfix/main.cf": Format("postfix", postfix.main),
    "/etc/postfix/master.cf": Format("postfix", postfix.master),
}

OTHERS = (
    *("/etc/lab/*.crt", "/etc/lab/*.pem", "/etc/lab/*key", "/etc/lab/dkim.record"),  # secrets
    *("/etc/lab/hosts", "/etc/lab/resolv.conf", "/etc/lab/limits.conf", "/etc/pam.d/sshd"),  # of glibc and PAM
    *("/etc/lab/egress.nft", "/etc/lab/accounts.sql", "/etc/postfix/authored"),  # rules, statements, patterns
    *("/etc/lab/app", "/etc/lab/environment"),  # of applications: settings of the lab's programs, variables
    *("/etc/lab/backup.json", "/etc/lab/drain.json", "/etc/lab/mysql.json", "/etc/lab/guestbook.ini"),
    *("/etc/lab/direct-routing", "/etc/lab/directories", "/etc/lab/keepalived.options", "/etc/lab/keys"),
    *("/etc/lab/known_hosts", "/etc/lab/logins", "/etc/lab/memory", "/etc/lab/mounts", "/etc/lab/passwords/*"),
    *("/etc/lab/peers", "/etc/lab/people", "/etc/lab/repository", "/etc/lab/site.env", "/etc/lab/skel/*"),
    *("/etc/lab/sites.*", "/etc/lab/storage", "/etc/lab/unknown.html", "/etc/lab/vrrp", "/etc/lab/watch"),
)
"""What has no directives, or is read by the lab's own programs, which are of the same version as it."""


def rendered(family_name: str) -> Iterator[tuple[str, str, str]]:
    """Node, path and text of every file of the plans, templates and the rest of the images' `/etc` alike."""
    for number, text in enumerate(PLANS, 1):
        made = plan(parse(text), family_name)
        for node in made.nodes:
            for file in node.files:
                yield f"{node.name} of plan {number}", file.path, file.text
            made_from = made.apps.get(node.role) or recipe(node.role, family_name)
            for name, entry in made_from.context.items():
                if name.startswith("rootfs/etc/"):
                    yield node.role, name.removeprefix("rootfs"), entry.content.decode()


def format_of(path: str) -> Format | None:
    """Who reads a file; nobody whose version matters: None.

    Raises:
        LookupError: a file of which that is not said.
    """
    for pattern, found in FORMATS.items():
        if fnmatchcase(path, pattern):
            return found
    if any(fnmatchcase(path, pattern) for pattern in OTHERS):
        return None
    raise LookupError(f"{path} is neither in FORMATS nor in OTHERS of {__name__}")


def version(family_name: str, daemon: str) -> Version:
    """The versions of a daemon that a family has.

    Raises:
        LookupError: the family's table does not say.
    """
    for software in family(family_name).software.values():
        if daemon in software.versions:
            return software.versions[daemon]
    raise LookupError(f"images/families/{family_name}.yaml has no versions of {daemon}")


def faults(family_name: str, node: str, path: str, text: str) -> Iterator[str]:
    """Where a file has a directive that not all versions of the family's daemon know."""
    found = format_of(path)
    if found:
        has = version(family_name, found.daemon)
        for line, reason in wrong(found.uses(text), table(found.daemon), has):
            yield f"{path}:{line} ({node}, {family_name}): {found.daemon}: {reason}"
