"""Applications in a topology: what is refused, what becomes of them in the plan, and what they promise."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from docker.errors import NotFound

from lab.backends.docker import owned
from lab.backends.memory import MemoryBackend
from lab.backends.optional import ImageFacts
from lab.building.sources import digest
from lab.errors import SpecError, Unable
from lab.evidence.promises import promise, promises
from lab.export import compose
from lab.export.graph import edges
from lab.faults.targets import FUNCTIONS
from lab.lifecycle import resolve
from lab.names import LABEL
from lab.plan import plan
from lab.recipes.apps import admit_app, app_recipe, complete
from lab.recipes.person import Person, person
from lab.topology import parse
from lab.topology.apps import TARGETS
from lab.topology.changes import scaled

if TYPE_CHECKING:
    from pathlib import Path

BASE = "network: 10.90.0.0/24\nports: {site: 8443}\nweb: {count: 1}\nhttp-lb: {count: 1}\n"
SHOP = "apps:\n  shop: {image: 'shop:1', port: 8000, count: 3, health: /healthz, env: {A: \"it's\"}%s}\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            f"{BASE}apps: {{shop: {{port: 80}}}}",
            "line 5, apps.shop: an application has an 'image' or a folder to 'build'",
        ),
        (f"{BASE}apps: {{shop: {{image: a, build: b, port: 80}}}}", "one of them"),
        (f"{BASE}apps: {{shop: {{image: a}}}}", "'port' is missing here"),
        (f"{BASE}apps: {{web: {{image: a, port: 80}}}}", "'web' is the name of a role"),
        (f"{BASE}apps: {{shop2: {{image: a, port: 80}}}}", "no digit at the end"),
        (f"{BASE}apps: {{shop: {{image: a, port: 80, health: healthz}}}}", "apps.shop.health"),
        (f"{BASE}apps: {{shop: {{image: a, port: 80, env: {{DATABASE_URL: x}}}}}}", "is given by the cluster"),
        (f"{BASE}apps: {{shop: {{image: a, port: 80, nmaes: [x]}}}}", "did you mean 'names'?"),
        (f"{BASE}apps: {{shop: {{image: a, port: 80, database: true}}}}", "write 'mysql:' too"),
        ("web:\napps: {shop: {image: a, port: 80}}", "write 'http-lb:' too"),
        (
            f"{BASE}apps:\n" + "".join(f"  {c}: {{image: a, port: 80, names: [x.localhost]}}\n" for c in "ab"),
            "the host x.localhost of the application 'b' is that of the application 'a'",
        ),
        (f"{BASE}sites: {{shop: {{}}}}\napps: {{shop: {{image: a, port: 80}}}}", "is that of the site 'shop'"),
        (
            f"{BASE}mail: {{}}\nmysql: {{}}\nstorage: {{}}\napps: {{abuse: {{image: a, port: 80, mail: true}}}}",
            "the mailbox abuse@www.test is the cluster's own",
        ),
        (f"{BASE}apps: {{shop: {{image: a, port: 80, writable: [/usr/lib/lab/x]}}}}", "would cover /usr/lib/lab"),
        (f"{BASE}apps: {{shop: {{image: a, port: 80, writable: [/etc]}}}}", "would cover /etc/lab"),
        (f"{BASE}apps: {{shop: {{image: a, port: 80, writable: [/srv/../etc]}}}}", "no whole path"),
        (f"{BASE}apps: {{shop: {{image: a, port: 80, writable: [/a/b, /a-b]}}}}", "would be the same volume"),
        (f"{BASE}apps: {{www: {{image: a, port: 80}}}}", "is that of the cluster itself"),
        (f"{BASE}apps: {{shop: {{image: a, port: 80, names: [shop.example.org]}}}}", "speaks for no other"),
        (f"{BASE}apps: {{{', '.join(f'{c}: {{image: a, port: 80}}' for c in 'abcdef')}}}", "more than the 5"),
    ],
)
def test_what_is_refused(text: str, says: str) -> None:
    with pytest.raises(SpecError) as refused:
        parse(text)
    assert says in str(refused.value)


def test_no_application_has_the_name_of_a_target() -> None:
    assert {target.partition(":")[0] for target in FUNCTIONS} == TARGETS
    with pytest.raises(SpecError, match="where faults are named"):
        parse(f"{BASE}apps: {{all: {{image: a, port: 80}}}}")


def test_what_the_plan_makes_of_one() -> None:
    cluster = parse(BASE + SHOP % ", sticky: true, writable: [/var/lib/shop]")
    made = plan(cluster, "debian")
    assert [(node.name, node.address) for node in made.role("shop")] == [
        ("shop1", "10.90.0.201"),
        ("shop2", "10.90.0.202"),
        ("shop3", "10.90.0.203"),
    ]
    (host,) = made.hosts
    assert host.names == ("shop.www.test", "shop.localhost")
    assert (host.pool.name, host.pool.port, host.pool.health, host.pool.sticky) == ("app-shop", 8000, "/healthz", True)
    node = made.node("shop1")
    assert node.volumes == {"var-lib-shop": "/var/lib/shop"}
    files = {file.path: file.text for file in node.files}
    assert files["/etc/lab/environment"] == "export A='it'\\''s'\n"
    balancer = next(f.text for f in made.node("http-lb1").files if f.path.endswith("haproxy.cfg"))
    assert "server shop3 10.90.0.203:8000 cookie shop3" in balancer
    assert "uri /healthz ver HTTP/1.1" in balancer
    assert "nbsrv(app-shop) ge 3" in balancer


def test_what_it_reads_at_its_start_and_its_image_make_its_nodes_new_and_no_others() -> None:
    fixed, files = {}, {}
    for name, text in {
        "as it was": SHOP % "",
        "another variable": (SHOP % "").replace("it's", "its"),
        "another image": (SHOP % "").replace("shop:1", "shop:2"),
        "another number": (SHOP % "").replace("count: 3", "count: 4"),
        "another web node": SHOP % "",
    }.items():
        base = BASE.replace("web: {count: 1}", "web: {count: 2}") if name == "another web node" else BASE
        made = plan(parse(base + text), "debian")
        fixed[name] = {node.name: node.fixed for node in made.nodes}
        files[name] = {file.path: file.text for file in made.node("shop1").files}
    first = fixed["as it was"]
    for name in ("another variable", "another image"):
        changed = {node for node in first if fixed[name][node] != first[node]}
        assert changed == {"shop1", "shop2", "shop3"}, name
    for name in ("another number", "another web node"):
        assert all(fixed[name][node] == first[node] for node in first if node in fixed[name]), name
        assert files[name] == files["as it was"], f"{name}: what can't be changed in a node that runs"
    assert "sealed" not in first["web1"].values


def test_secrets_are_in_its_environment_alone() -> None:
    made = plan(parse(f"{BASE}mysql: {{count: 1}}\n" + SHOP % ", database: true"), "debian")
    node = made.node("shop1")
    holding = [file.path for file in node.files if "mysql-app-shop" in file.secrets]
    assert holding == ["/etc/lab/environment"]
    assert "secret" not in node.fixed.text


def test_it_is_given_what_it_asks_for() -> None:
    whole = f"{BASE}mysql: {{count: 1}}\nstorage: {{count: 1}}\nmail: {{count: 1}}\ntcp-lb: {{count: 1}}\n"
    made = plan(parse(whole + SHOP % ", database: true, mail: true"), "debian")
    text = next(file.masked for file in made.node("shop1").files if file.path == "/etc/lab/environment")
    user, where = "app_shop:<secret mysql-app-shop>", "10.90.0.100"
    assert f"DATABASE_URL='mysql://{user}@{where}:3306/app_shop'" in text
    assert f"DATABASE_READ_URL='mysql://{user}@{where}:3307/app_shop'" in text
    assert f"SMTP_URL='smtp://shop%40www.test:<secret mail-app-shop>@{where}:587'" in text
    accounts = next(file.masked for file in made.node("mysql1").files if file.path.endswith("accounts.sql"))
    assert "CREATE DATABASE IF NOT EXISTS app_shop;" in accounts
    assert (
        "SELECT 'shop@www.test', CONCAT('{SHA512.hex}', SHA2('<secret mail-app-shop>', 512)) FROM lab.mailboxes"
        in accounts
    )


def test_balancers_are_ready_as_long_as_anybody_can_answer() -> None:
    made = plan(parse(BASE + SHOP % ""), "debian")
    text = next(f.text for f in made.node("http-lb1").files if f.path.endswith("haproxy.cfg"))
    assert "if { path /ready } !{ nbsrv(web) ge 1 } !{ nbsrv(app-shop) ge 1 }" in text


def test_the_promises_of_web_nodes_hold_under_its_own_name() -> None:
    cluster = parse(BASE + SHOP % "")
    for key in ("dies", "leaves", "returns", "hangs"):
        mine, theirs = promise(f"shop-{key}"), promise(f"web-node-{key}")
        assert (mine.role, mine.formula, mine.bound(cluster)) == ("shop", theirs.formula, theirs.bound(cluster))
        assert "node of shop" in mine.declared.event
    assert not any(name.startswith("shop-") for name in promises())


def test_it_can_be_scaled() -> None:
    cluster = scaled(parse(BASE + SHOP % ""), ["shop=5"])
    assert len(plan(cluster, "debian").role("shop")) == 5


def test_a_backend_that_runs_no_images_refuses_them() -> None:
    with pytest.raises(Unable, match="runs no images of your own"):
        resolve.apps(parse(BASE + SHOP % ""), MemoryBackend("www"))


def test_compose_runs_the_same_image_read_only_with_secrets_in_files_alone() -> None:
    made = plan(parse(f"{BASE}mysql: {{count: 1}}\n" + SHOP % ", database: true, writable: [/var/lib/shop]"), "debian")
    text = compose.document(made)
    service = yaml.safe_load(text)["services"]["shop1"]
    assert service["image"] == "www-cluster-lab/app-shop:debian"
    assert service["read_only"] is True
    assert {"entrypoint", "command", "environment", "labels", "user"}.isdisjoint(service)
    assert "shop1-var-lib-shop:/var/lib/shop" in service["volumes"]
    assert "./secrets/shop1/etc/lab/environment:/etc/lab/environment:ro" in service["volumes"]
    assert service["extra_hosts"] == {"www.www.test": made.entry, "shop.www.test": made.entry}
    assert "read_only" not in yaml.safe_load(text)["services"]["web1"]
    modes = {place: compose.mode(made, place) for place in compose.secret_files(made, dict.fromkeys(made.secrets, "s"))}
    assert modes["secrets/shop1/etc/lab/environment"] == 0o644, "for whoever the image's user is"
    assert {mode for place, mode in modes.items() if "/shop" not in place} == {0o600}


def test_the_picture_has_an_arrow_from_each_balancer_to_each_node() -> None:
    drawn = edges(plan(parse(BASE.replace("http-lb: {count: 1}", "http-lb: {count: 2}") + SHOP % ""), "debian"))
    assert {(f"http-lb{left}", f"shop{right}") for left in (1, 2) for right in (1, 2, 3)} <= set(drawn)
    assert ("http-lb1", "web1") in drawn


def test_its_health_is_asked_by_its_own_host_name() -> None:
    made = plan(parse(BASE + SHOP % ""), "debian")
    balancer = next(f.text for f in made.node("http-lb1").files if f.path.endswith("haproxy.cfg"))
    assert "uri /healthz ver HTTP/1.1 hdr Host shop.www.test" in balancer
    own = next(file.text for file in made.node("shop1").files if file.path == "/etc/lab/app")
    assert "host=shop.www.test\n" in own


def test_folders_that_it_may_write_are_made_in_its_image_for_its_user() -> None:
    wanted = app_recipe("shop", "debian", "shop:1", writable=["/var/lib/shop"])
    text = complete(wanted, ["/shop"], "shop", Person(1000, 1001)).dockerfile
    assert 'USER 0\nRUN ["/usr/lib/lab/folders", "1000:1001", "/var/lib/shop"]\nUSER shop\n' in text
    bare = complete(app_recipe("shop", "debian", "shop:1"), ["/shop"], "a$b", Person(1000)).dockerfile
    assert 'RUN ["/usr/lib/lab/folders", "1000:0"]\nUSER a\\$b\n' in bare
    assert bare.count("USER") == 2
    root = complete(app_recipe("shop", "debian", "shop:1"), ["/shop"]).dockerfile
    assert root.count("USER") == 1, "root it was, and root it stays"
    assert wanted.tag != app_recipe("shop", "debian", "shop:1").tag


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (ImageFacts("x", (8080, 9090), ("/shop",)), "listens on 8080, 9090, as it declares, and not on 8000"),
        (ImageFacts("x"), "runs nothing"),
        (ImageFacts("x", (), ("/shop",), labels=(f"{LABEL}.cluster",)), f"has the label '{LABEL}.cluster'"),
    ],
)
def test_an_image_that_can_not_be_it(found: ImageFacts, says: str) -> None:
    admit_app("shop", 8000, ImageFacts("x", (8000,), ("/shop",), labels=(f"{LABEL}.family", "maintainer")))
    admit_app("shop", 8000, ImageFacts("x", (), ("/shop",)))
    with pytest.raises(SpecError, match=says):
        admit_app("shop", 8000, found)


USERS = "root:x:0:0:root:/root:/bin/sh\nshop:x:1000:1001:,,,:/home/shop:/bin/false\nbroken\nodd:x:one:1:::\n"
GROUPS = "root:x:0:\nshop:x:1001:\ndisk:x:6:shop,other\nmail:x:8:other\n"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("", Person(0, 0, (), "/root")),
        ("shop", Person(1000, 1001, (6,), "/home/shop")),
        ("1000", Person(1000, 1001, (6,), "/home/shop")),
        ("1000:0", Person(1000, 0, (), "/home/shop")),
        ("shop:mail", Person(1000, 8, (), "/home/shop")),
        ("4711", Person(4711, 0, (), "/")),
        ("4711:4712", Person(4711, 4712, (), "/")),
    ],
)
def test_the_user_of_an_image_by_number_as_an_engine_finds_it(said: str, expected: Person) -> None:
    assert person(said, USERS, GROUPS) == expected


@pytest.mark.parametrize(
    ("said", "says"), [("nobody", "user 'nobody'"), ("odd", "user 'odd'"), ("shop:none", "group 'none'"), ("²", "'²'")]
)
def test_a_user_that_an_image_does_not_have(said: str, says: str) -> None:
    with pytest.raises(SpecError, match=says):
        person(said, USERS, GROUPS)
    assert person("", "", "") == Person()


def test_a_folder_is_named_by_its_content(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="has no Dockerfile"):
        digest(tmp_path)
    (tmp_path / "Dockerfile").write_text("FROM scratch\n", encoding="utf-8")
    (tmp_path / "a").write_text("1", encoding="utf-8")
    (tmp_path / ".dockerignore").write_text("*.log\n", encoding="utf-8")
    first = digest(tmp_path)
    (tmp_path / "b.log").write_text("left out", encoding="utf-8")
    assert digest(tmp_path) == first
    (tmp_path / "a").write_text("2", encoding="utf-8")
    assert digest(tmp_path) != first


class _Engine:
    """Notes what is sent, by the owner's number."""

    def __init__(self) -> None:
        self.owners: dict[str, int] = {}

    def inspect_container(self, _: str) -> dict[str, Any]:
        return {"Config": {"User": "1000"}}

    def get_archive(self, _: str, __: str) -> Any:  # noqa: ANN401
        raise NotFound("it has no files of users")

    def put_archive(self, _: str, __: str, data: bytes) -> None:
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            self.owners |= {entry.name: entry.uid for entry in tar}


def test_what_the_labs_programs_read_as_root_is_not_the_applications_to_change() -> None:
    engine = _Engine()
    files = {"/etc/lab/app": (b"port=80", 0o644), "/etc/lab/environment": (b"export A=1", 0o600)}
    owned.put(engine, "shop1", files)  # type: ignore[arg-type]
    assert engine.owners == {"app": 0, "environment": 1000}
