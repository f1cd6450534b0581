"""Sites: what a topology may say of them, and what becomes of it in the plan."""

from __future__ import annotations

import pytest

from lab.errors import SpecError
from lab.lifecycle.secrets import SITE, _leaves
from lab.plan import Plan, plan
from lab.recipes.family import extensions
from lab.topology import parse
from tests.unit.conftest import FULL

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
        ("{one: {names: [b.localhost]}, two: {names: [b.localhost]}}", "is that of the site 'one'"),
        ("{one: {names: [example.com]}}", "the cluster's CA speaks for no other"),
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
