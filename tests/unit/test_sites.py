"""Sites: what a topology may say of them, and what becomes of it in the plan."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from lab.errors import SpecError
from lab.lifecycle.secrets import SITE, _leaves
from lab.plan import Plan, plan
from lab.recipes.family import extensions
from lab.services.sites import added, folders, removed
from lab.topology import load, parse
from lab.topology.editing import edited_section
from tests.unit.conftest import FULL
from tests.unit.test_golden import KEY

if TYPE_CHECKING:
    from pathlib import Path

SITES = f"""{FULL}
sites:
  blog: {{writable: [wp-content/uploads], php: {{upload: 64}}}}
  wiki: {{names: [docs.localhost]}}
"""


def _text(made: Plan, node: str, name: str) -> str:
    return next(file.text for file in made.node(node).files if file.path == f"/etc/lab/{name}")


def test_a_host_name_leads_to_a_pool_of_its_own() -> None:
    made = plan(parse(SITES), "debian")
    assert [(host.name, host.names) for host in made.hosts] == [
        ("blog", ("blog.golden.test", "blog.localhost")),
        ("wiki", ("wiki.golden.test", "wiki.localhost", "docs.localhost")),
    ]
    config = _text(made, "http-lb1", "haproxy.cfg")
    assert "acl site-wiki var(txn.host) -m str wiki.golden.test wiki.localhost docs.localhost\n" in config
    assert "use_backend site-wiki if site-wiki\n" in config
    assert "server web2 10.90.0.102:80 track web/web2\n" in config.partition("backend site-wiki")[2]
    assert "https://blog.localhost:8443/" in _text(made, "http-lb1", "unknown.html")


def test_the_sites_names_are_in_the_certificate_and_in_the_nodes_hosts() -> None:
    made = plan(parse(SITES), "debian")
    assert {"blog.golden.test", "blog.localhost", "docs.localhost"} <= set(_leaves(made)[SITE].names)
    assert f"{made.entry} www.golden.test blog.golden.test wiki.golden.test\n" in _text(made, "client", "hosts")


def test_without_sites_all_is_as_it_was() -> None:
    made = plan(parse(FULL), "debian")
    assert made.hosts == ()
    assert set(_leaves(made)[SITE].names) == {"www.golden.test", "localhost", "127.0.0.1", made.entry}


@pytest.mark.parametrize(
    ("sites", "said"),
    [
        ("{Blog: {}}", "is no name of a site"),
        ("{a_b: {}}", "is no name of a site"),
        ("{www: {}}", "that of the cluster itself: choose another name"),
        ("{web2: {}}", "that of the cluster itself"),
        (
            f"{{ada: {{}}}}\nshell: {{}}\nstorage: {{}}\nusers: {{site-ada: {{keys: [{KEY}]}}}}",
            "'site-ada' under 'users' is the name of a system user",
        ),
        (
            f"{{ada: {{}}}}\nshell: {{}}\nstorage: {{}}\nusers: {{bob: {{groups: [web-ada], keys: [{KEY}]}}}}",
            "'web-ada' under 'users'",
        ),
        ("{one: {names: [b.localhost]}, two: {names: [b.localhost]}}", "is that of the site 'one'"),
        ("{one: {names: [example.com]}}", "the cluster's CA speaks for no other"),
        ("{one: {owner: ann}}", "'ann', the owner of the site 'one', is no user; there are none"),
        (
            f"{{one: {{owner: anne}}}}\nshell: {{}}\nstorage: {{}}\nusers: {{ann: {{keys: [{KEY}]}}}}",
            "is no user; did you mean 'ann'?",
        ),
        ("{one: {writable: [../x]}}", "writable"),
        ("{one: {writable: [/etc]}}", "writable"),
        ("{one: {php: {extensions: [gd, imagine]}}}", "no extension 'imagine'; it has: bcmath, "),
    ],
)
def test_what_can_not_be_is_refused(sites: str, said: str) -> None:
    with pytest.raises(SpecError) as refused:
        parse(f"{FULL}sites: {sites}\n")
    assert said in str(refused.value)


def test_sites_need_web_nodes() -> None:
    with pytest.raises(SpecError, match="'sites' are on the web nodes"):
        parse("mysql: {}\ntcp-lb: {}\nsites: {one: {}}\n")


def test_what_a_site_may_ask_of_php_is_in_both_families() -> None:
    assert {"gd", "intl", "zip", "mbstring", "curl", "dom", "mysqli"} <= set(extensions())


def test_no_line_of_the_balancer_has_more_words_than_it_takes() -> None:
    many = "".join(f"  s{chr(97 + n // 26)}{chr(97 + n % 26)}: {{}}\n" for n in range(80))
    names = ", ".join(f"n{n}.localhost" for n in range(80))
    made = plan(parse(f"{FULL}sites:\n{many}  last: {{names: [{names}]}}\n"), "debian")
    config = _text(made, "http-lb1", "haproxy.cfg")
    assert max(len(line.split()) for line in config.splitlines()) <= 64
    assert "unless known or hosted\n" in config
    assert "n79.localhost" in config
    page = _text(made, "http-lb1", "unknown.html")
    assert len(page) < 12_000
    assert "<li>and 51 more</li>" in page


def test_a_site_may_use_no_database_whose_name_only_looks_like_its_own() -> None:
    """An underscore in GRANT stands for any character, where it is not escaped."""
    made = plan(parse(f"{FULL}mysql: {{}}\nsites: {{a-b: {{database: true}}, axb: {{database: true}}}}\n"), "debian")
    text = _text(made, "mysql1", "accounts.sql")
    assert "GRANT ALL PRIVILEGES ON `site\\_a\\_b`.* TO site_a_b@'%';" in text
    assert "DELETE FROM mysql.db WHERE User = 'site_a_b' AND Db = 'site_a_b';" in text  # of earlier versions
    assert "GRANT ALL PRIVILEGES ON `site\\_axb`.* TO site_axb@'%';" in text


def test_a_site_leaves_the_others_connections_to_the_database() -> None:
    def most(sites: str) -> dict[str, int]:
        made = plan(parse(f"{FULL}mysql: {{}}\nsites: {sites}\n"), "debian")
        text = _text(made, "mysql1", "accounts.sql")
        found = re.findall(r"ALTER USER site_(\w+)@.* WITH MAX_USER_CONNECTIONS (\d+);", text)
        return {name: int(number) for name, number in found}

    nodes = len(plan(parse(FULL), "debian").role("web"))
    assert most("{a: {database: true, php: {children: 4}}, b: {}}") == {"a": 4 * nodes + 2}
    many = most(f"{{{', '.join(f's{chr(97 + n)}: {{database: true, php: {{children: 40}}}}' for n in range(9))}}}")
    assert sum(many.values()) <= 140
    assert min(many.values()) >= 2


def test_a_site_is_added_and_removed_in_the_file_and_the_rest_stays(tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text("web: {count: 2}  # two\n", encoding="utf-8")
    edit = edited_section(str(file), "sites", added("blog", {"code": "./wordpress", "writable": ["files"]}))
    assert "# two" in edit.text
    assert edit.cluster.sites["blog"].writable == ["files"]
    file.write_text(edit.text, encoding="utf-8")
    with pytest.raises(SpecError, match="there is a site 'blog' already"):
        edited_section(str(file), "sites", added("blog", {}))
    with pytest.raises(SpecError, match="there is no site 'blgo'; did you mean 'blog'"):
        edited_section(str(file), "sites", removed("blgo"))
    bare = edited_section(str(file), "sites", removed("blog"))
    assert bare.cluster.sites == {}
    assert "sites" not in bare.text
    with pytest.raises(SpecError, match="is no name of a site"):
        edited_section(str(file), "sites", added("No_Name", {}))


def test_a_folder_that_is_not_there_is_named_with_its_site(tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text("web: {}\nsites: {blog: {code: ./wordpress}}\n", encoding="utf-8")
    with pytest.raises(SpecError, match="the folder of the site 'blog' was not found"):
        folders(load(file))
    (tmp_path / "wordpress").mkdir()
    assert folders(load(file)) == {"blog": tmp_path / "wordpress"}


@pytest.mark.parametrize(("option", "needs"), [("database", "mysql"), ("mail", "mail")])
def test_a_site_with_a_database_or_mail_needs_their_nodes(option: str, needs: str) -> None:
    with pytest.raises(SpecError, match=f"write '{needs}:' too"):
        parse(f"web: {{}}\nsites: {{one: {{{option}: true}}}}\n")


def test_what_all_sites_may_take_is_in_the_limits_of_the_web_nodes() -> None:
    bare, made = plan(parse(FULL), "debian").node("web1"), plan(parse(SITES), "debian").node("web1")
    assert made.limits.memory - bare.limits.memory == 2 * 8 * 128
    assert made.limits.processes > bare.limits.processes
