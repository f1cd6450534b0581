"""What is rendered for a family is valid for every version of the daemons that it may have, by tables of directives.

A directive that is in no table: look up which version brought it, and add it to `tests/unit/directives/DAEMON.yaml`.
"""

from __future__ import annotations

import re
from functools import cache

import pytest

from lab import assets
from lab.recipes import families
from lab.recipes.family import Version
from tests.unit.directives.files import FORMATS, faults, format_of, rendered
from tests.unit.directives.table import table, wrong

DAEMONS = sorted({found.daemon for found in FORMATS.values()})
NEVER = "nonsense"


@cache
def _all(family: str) -> list[tuple[str, str, str]]:
    return list(rendered(family))


def _judged(path: str, text: str, oldest: str, newest: str = "") -> list[str]:
    found = format_of(path)
    assert found
    has = Version(oldest=oldest, newest=newest or oldest)
    return [reason for _, reason in wrong(found.uses(text), table(found.daemon), has)]


@pytest.mark.parametrize("family", families())
def test_every_version_of_a_family_reads_what_is_rendered_for_it(family: str) -> None:
    said = sorted({fault for node, path, text in _all(family) for fault in faults(family, node, path, text)})
    assert not said, "\n".join(said)


@pytest.mark.parametrize("daemon", DAEMONS)
def test_a_table_has_only_what_is_used(daemon: str) -> None:
    used = set()
    for family in families():
        for _, path, text in _all(family):
            found = format_of(path)
            if found and found.daemon == daemon:
                for use in found.uses(text):
                    used |= {use.name, *(f"{use.name}={value}" for value in use.values)}
    unused = sorted(set(table(daemon)) - used)
    assert not unused


def test_the_plans_render_every_line_of_the_templates() -> None:
    """What a line begins with, up to its first expression, is somewhere in what was rendered."""
    told = "\n".join(text for family in families() for _, path, text in _all(family) if format_of(path))
    lines = {line.strip() for line in told.splitlines()}
    missing = []
    for template in assets.images().rglob("*.j2"):
        lands = f"/{template.as_posix().partition('/rootfs/')[2].removesuffix('.j2')}"
        if template.parent.name == "templates" or (lands != "/" and format_of(lands)):
            text = re.sub(r"\{#.*?#\}", "", template.read_text(encoding="utf-8"), flags=re.DOTALL)
            for line in text.splitlines():
                begins = re.split(r"\{[{%]", line)[0].strip()
                if begins and not any(other.startswith(begins) for other in lines):
                    missing.append(f"{template}: {begins}")
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/etc/fail2ban/jail.d/lab.local", f"{NEVER} = 1"),
        ("/etc/lab/dnsmasq.conf", f"{NEVER}=1"),
        ("/etc/lab/dovecot-sql.conf", f"{NEVER} = 1"),
        ("/etc/lab/dovecot.conf", f"service imap-login {{\n  inet_listener imaps {{\n    {NEVER} = yes\n  }}\n}}"),
        ("/etc/lab/haproxy.cfg", f"    option {NEVER}"),
        ("/etc/lab/haproxy.cfg", f"    server a 10.0.0.1:80 check {NEVER}"),
        ("/etc/lab/haproxy.cfg", f"    bind :1 ssl {NEVER} on"),
        ("/etc/lab/haproxy.cfg", f"    http-request {NEVER} if {{ src 10.0.0.1 }}"),
        ("/etc/lab/haproxy.cfg", f"    http-request deny if !{{ {NEVER} 1 }}"),
        ("/etc/lab/haproxy.cfg", f"    http-request set-header A %[req.hdr(a),{NEVER}(1)]"),
        ("/etc/lab/haproxy.cfg", f'    log-format "%ci %{NEVER}"'),
        ("/etc/lab/httpd.conf", f"<{NEVER} /srv>\n</{NEVER}>"),
        ("/etc/lab/httpd.conf", f"    {NEVER} on"),
        ("/etc/lab/keepalived.conf", f"vrrp_instance other {{\n    {NEVER}\n}}"),
        ("/etc/lab/my.cnf", f"{NEVER} = ON"),
        ("/etc/lab/my.cnf", f'[mariadbd]\nwsrep-provider-options = "pc.recovery=false; pc.{NEVER}=1"'),
        ("/etc/lab/msmtprc", f"{NEVER} on"),
        ("/etc/lab/opendkim.conf", f"{NEVER} yes"),
        ("/etc/lab/php-fpm.conf", f"pm.{NEVER} = 1"),
        ("/etc/lab/postfix/domains.cf", f"{NEVER} = 1"),
        ("/etc/lab/services.conf", f"{NEVER} = 1"),
        ("/etc/lab/sshd_config", f"    {NEVER} no"),
        ("/etc/postfix/main.cf", f"{NEVER} = 1"),
        ("/etc/postfix/main.cf", f"smtpd_client_restrictions = reject_{NEVER}"),
        ("/etc/postfix/main.cf", f"alias_maps = {NEVER}:/etc/aliases"),
        ("/etc/postfix/master.cf", f"127.0.0.1:1 inet n - n - - {NEVER}"),
        ("/etc/postfix/master.cf", f"    -o {{ {NEVER} = 1 }}"),
    ],
)
def test_a_directive_that_is_in_no_table_is_named_with_its_place(path: str, line: str) -> None:
    text = next(text for _, there, text in _all("centos") if there == path).rstrip("\n")
    assert not list(faults("centos", "some node", path, text))
    (said,) = faults("centos", "some node", path, f"{text}\n{line}\n")
    place = next(number for number, one in enumerate(f"{text}\n{line}".splitlines(), 1) if NEVER in one)
    assert said.startswith(f"{path}:{place} (some node, centos): ")
    assert said.endswith("is not in the table")
    assert NEVER in said


def test_a_directive_that_is_newer_than_the_oldest_version() -> None:
    line = "frontend a\n    option idle-close-on-response\n"
    assert _judged("/etc/lab/haproxy.cfg", line, "2.4", "2.8") == [
        "'option idle-close-on-response' came with 2.6, and 2.4 has to read it"
    ]
    assert not _judged("/etc/lab/haproxy.cfg", line, "2.6.12")


def test_what_asks_the_daemon_for_its_version_is_judged_by_that() -> None:
    asked = "frontend a\n.if version_atleast({})\n    option idle-close-on-response\n.endif\n{}"
    assert not _judged("/etc/lab/haproxy.cfg", asked.format("2.6", ""), "2.4")
    assert len(_judged("/etc/lab/haproxy.cfg", asked.format("2.5", ""), "2.4")) == 1
    assert len(_judged("/etc/lab/haproxy.cfg", asked.format("2.6", "    option idle-close-on-response\n"), "2.4")) == 1


@pytest.mark.parametrize(
    ("release", "refused"),
    [("3.5.23", 1), ("3.5.24", 0), ("3.6.13", 1), ("3.7.9", 1), ("3.7.10", 0), ("3.9", 0), ("3.10", 0), ("3.5.9", 2)],
)
def test_what_came_into_older_branches_too(release: str, refused: int) -> None:
    """With 3.5.9 (EL 9.0) the parameter itself is unknown, with 3.5.23 its value."""
    assert len(_judged("/etc/postfix/main.cf", "smtpd_forbid_bare_newline = reject\n", release)) == refused


def test_what_an_older_branch_got_and_the_newest_version_lacks() -> None:
    line = "smtpd_forbid_bare_newline = reject\n"
    assert len(_judged("/etc/postfix/main.cf", line, "3.5.24", "3.7.9")) == 1
    assert not _judged("/etc/postfix/main.cf", line, "3.5.24", "3.7.10")


def test_a_value_that_came_later_than_its_directive() -> None:
    line = "KexAlgorithms curve25519-sha256,mlkem768x25519-sha256\n"
    assert _judged("/etc/lab/sshd_config", line, "8.7") == ["'KexAlgorithms=mlkem768x25519-sha256' is not in the table"]


def test_a_directive_that_the_newest_version_has_no_more() -> None:
    line = "mail_location = maildir:~/Maildir\n"
    assert _judged("/etc/lab/dovecot.conf", line, "2.3.16", "2.4.1") == [
        "'mail_location' went with 2.4, and 2.4.1 has to read it"
    ]
    assert not _judged("/etc/lab/dovecot.conf", line, "2.3.16", "2.3.21")


def test_a_file_that_nobody_is_said_to_read() -> None:
    with pytest.raises(LookupError, match=r"/etc/lab/new\.conf is neither in FORMATS nor in OTHERS"):
        list(faults("debian", "web1", "/etc/lab/new.conf", "a b\n"))
