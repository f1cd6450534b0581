"""Sites: what a topology may say of them, and what becomes of it in the plan."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import socket
import tarfile
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from lab.backends.base import Result
from lab.backends.memory import MemoryBackend
from lab.errors import SpecError
from lab.lifecycle.secrets import SITE, _leaves
from lab.plan import Plan, plan
from lab.recipes.family import extensions
from lab.services import sites
from lab.services.packing import packed
from lab.services.sites import added, folders, removed
from lab.services.syncing import Sync
from lab.topology import load, parse
from lab.topology.editing import edited_section
from tests.unit.conftest import FULL
from tests.unit.test_golden import KEY

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MEBI = 1 << 20
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


def _folder(root: Path) -> Path:
    (root / "sub").mkdir(parents=True)
    (root / ".git").mkdir()
    (root / ".git" / "config").write_text("secret", encoding="utf-8")
    (root / "index.php").write_text("<?php", encoding="utf-8")
    (root / "sub" / "link").symlink_to("../index.php")
    return root


def test_the_same_files_are_the_same_archive(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "code")
    one, two = packed(folder), packed(folder)
    assert [*one.archive.parts()] == [*two.archive.parts()]
    assert one.digest == two.digest
    assert one.files == 1
    with tarfile.open(fileobj=io.BytesIO(b"".join(one.archive.parts()))) as tar:
        assert sorted(tar.getnames()) == ["index.php", "sub", "sub/link"]
        assert {entry.uid for entry in tar} == {0}
    (folder / "index.php").write_text("<?php echo 1;", encoding="utf-8")
    assert packed(folder).digest != one.digest


@pytest.mark.parametrize(
    ("target", "said"), [("/etc/passwd", "leads out of the folder"), ("../../x", "leads out of the folder")]
)
def test_a_link_that_leads_out_is_refused(tmp_path: Path, target: str, said: str) -> None:
    folder = _folder(tmp_path / "code")
    (folder / "sub" / "bad").symlink_to(target)
    with pytest.raises(SpecError, match=said):
        packed(folder)


def test_what_is_no_folder_or_empty_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="was not found"):
        packed(tmp_path / "none")
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(SpecError, match="is a file"):
        packed(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SpecError, match="has no file"):
        packed(tmp_path / "empty")


def test_a_folder_with_a_socket_is_refused(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "code")
    with socket.socket(socket.AF_UNIX) as listening, contextlib.chdir(folder):
        listening.bind("php.sock")
        with pytest.raises(SpecError, match=r"php\.sock is neither a file nor a folder nor a link"):
            packed(folder)


def test_a_folder_that_can_not_be_listed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, scan = _folder(tmp_path / "code"), os.scandir

    def refused(path: Any) -> Any:  # noqa: ANN401  as os.scandir
        if str(path).endswith("sub"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(SpecError, match="sub can't be read: Permission denied"):
        packed(folder)


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


class _Nodes(MemoryBackend):
    """Web nodes with stores of their own.

    Attributes:
        stores: the releases of each, and since when which one is served.
        bases: of revisions.
        sent: the files that were put into nodes, by their paths.
    """

    stores: dict[str, list[str]]
    since: dict[str, tuple[str, str]]
    bases: dict[str, str]
    sent: dict[str, bytes]

    def get(self, node: str, path: str) -> bytes | None:
        if path.endswith("sites.json"):
            return b'{"sites": {"blog": {"writable": ["data"]}}, "mount": ""}'
        if path.endswith(".base"):
            base = self.bases.get(path.rpartition("/")[2].removesuffix(".base"))
            return json.dumps({"base": base, "gone": []}).encode() if base else None
        return b"archive" if path.endswith(".tar.gz") else super().get(node, path)

    def put(self, node: str, files: Any) -> None:  # noqa: ANN401  as the protocol
        self.sent |= {f"{node}:{path}": content for path, (content, _) in files.items()}

    def run(self, node: str, argv: Sequence[str], **_: Any) -> Result:
        if argv[1] in ("store", "revise"):
            told = self.sent.get(f"{node}:{argv[4]}/base")
            if told:
                base = json.loads(told)["base"]
                if base not in self.stores[node]:
                    return Result(node, tuple(argv), 1, "", f"the store has no release {base} of blog")
                self.bases[argv[3]] = base
            self.stores[node].append(argv[3])
        if argv[1] in ("switch", "revise"):
            self.since[node] = (argv[-1], argv[3])
        rows = [
            {"release": one, "bytes": 1, "current": one == self.since[node][1], "base": self.bases.get(one, "")}
            for one in self.stores[node]
        ]
        said = json.dumps({"releases": rows, "switched": self.since[node][0]}) if argv[1] == "tell" else argv[3:4]
        return Result(node, tuple(argv), 0, said if isinstance(said, str) else "".join(said), "")


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> _Nodes:
    """Two web nodes; the second was down while the first got its second release."""
    made = _Nodes("golden")
    made.stores = {"web1": ["1-a", "2-b"], "web2": ["1-a"]}
    made.since = {"web1": ("", "2-b"), "web2": ("", "1-a")}
    made.bases, made.sent = {}, {}
    monkeypatch.setattr(
        sites, "look", lambda _: sites.Sites(("web1", "web2"), ("web1", "web2"), ("blog",), (), {"blog": ("data",)})
    )
    return made


TWO = "web: {count: 2}\nsites: {blog: {}}\n"


def test_a_node_that_was_down_gets_the_release_that_it_lacks(nodes: _Nodes, tmp_path: Path) -> None:
    sites.ensure(nodes, parse(TWO), {})
    assert nodes.stores == {"web1": ["1-a", "2-b"], "web2": ["1-a", "2-b"]}
    folder = _folder(tmp_path / "code")
    digest = packed(folder).digest
    nodes.stores = {"web1": [f"3-{digest}"], "web2": ["1-a"]}
    nodes.since = {"web1": ("", f"3-{digest}"), "web2": ("", "1-a")}
    assert sites.deploy(nodes, "blog", folder).changed
    assert not sites.deploy(nodes, "blog", folder).changed
    assert nodes.stores["web2"][-1].endswith(digest)


def test_a_rollback_lasts_when_a_node_that_was_down_returns(nodes: _Nodes) -> None:
    nodes.stores = {"web1": ["1-a", "2-b"], "web2": ["1-a", "2-b"]}
    nodes.since = {"web1": ("9", "1-a"), "web2": ("8", "2-b")}
    sites.ensure(nodes, parse(TWO), {})
    assert nodes.since == {"web1": ("9", "1-a"), "web2": ("9", "1-a")}


def test_a_revision_reaches_a_node_that_was_down_after_its_base(nodes: _Nodes) -> None:
    nodes.stores["web1"].append("3-c")
    nodes.since["web1"] = ("9", "3-c")
    nodes.bases["3-c"] = "2-b"
    sites.ensure(nodes, parse(TWO), {})
    assert nodes.stores["web2"] == ["1-a", "2-b", "3-c"]
    assert nodes.since["web2"] == ("9", "3-c")
    assert json.loads(nodes.sent["web2:/var/lib/sites/.inbox-3-c/base"]) == {"base": "2-b", "gone": []}


def test_what_changes_in_a_folder_is_a_revision_of_what_was_there_first(nodes: _Nodes, tmp_path: Path) -> None:
    folder = _folder(tmp_path / "code")
    (folder / "data").mkdir()
    (folder / "data" / "upload").write_text("the site's own", encoding="utf-8")
    sync = Sync(nodes, "blog", folder)
    first = sync.exchange()
    assert first
    assert sync.exchange() is None
    whole = b"".join(part for path, part in nodes.sent.items() if path.startswith("web1:") and first.release in path)
    assert _names(whole) == ["index.php", "sub", "sub/link"]
    (folder / "data" / "upload").write_text("changed", encoding="utf-8")
    assert sync.exchange() is None, "what the site writes is left alone"
    (folder / "sub" / "link").unlink()
    (folder / "index.php").rename(folder / "home.php")
    (folder / "sub" / "link").mkdir()
    done = sync.exchange()
    assert done
    assert (done.changed, done.gone) == (2, 2)
    inbox = f"web2:/var/lib/sites/.inbox-{done.release}"
    assert json.loads(nodes.sent[f"{inbox}/base"]) == {"base": first.release, "gone": ["index.php", "sub/link"]}
    assert _names(nodes.sent[f"{inbox}/part-0000"]) == ["home.php", "sub/link"]
    assert nodes.since["web1"][1] == nodes.since["web2"][1] == done.release
    del nodes.stores["web1"][nodes.stores["web1"].index(first.release)]
    (folder / "home.php").write_text("<?php echo 1;", encoding="utf-8")
    again = sync.exchange()
    assert again
    assert again.release == sync.base, "others' releases have replaced the base"


def _names(archive: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return sorted(tar.getnames())


def test_a_folder_that_has_gone_ends_a_sync(nodes: _Nodes, tmp_path: Path) -> None:
    folder = _folder(tmp_path / "code")
    sync = Sync(nodes, "blog", folder)
    sync.exchange()
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(SpecError, match="was not found"):
        sync.exchange()
    sync.site = "blgo"
    with pytest.raises(SpecError, match="was not found"):
        sync.exchange()


def test_a_large_folder_is_packed_and_sent_with_little_memory(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    with (tmp_path / "code" / "film").open("wb") as film:
        for _ in range(64):
            film.write(os.urandom(MEBI))
    tracemalloc.start()
    try:
        made = packed(tmp_path / "code")
        sent = sum(len(part) for part in made.archive.parts())
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sent == made.archive.size > 60 * MEBI
    assert most < 24 * MEBI


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
