"""Applications in images of the user's own: reached, watched, replaced, given what they asked for, and found out."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lab.errors import NotReady, SpecError
from lab.evidence import Verdict
from lab.evidence.ledger import ENOUGH
from lab.lifecycle import secrets
from lab.lifecycle.prepare import choose
from lab.lifecycle.up import up
from lab.progress import Silent
from lab.topology import HttpLb
from tests.cluster.commands import completed
from tests.cluster.websocket import WebSocket

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.evidence.own import OwnLedger
    from lab.testing import Faults, LabCluster, Rounds
    from lab.topology import Cluster

TOPOLOGY = "tests/cluster/topologies/apps.yaml"
FOLDERS = Path(__file__).parent / "topologies/apps"
LAB = str(Path(sys.executable).with_name("lab"))
SHORT_SECONDS = 6.0
SERVE_SECONDS = 30
RUN_SECONDS = 200
OWN = """class Posts:
    def write(self, http, id):
        return http.post("/api/posts", data={"author": "me", "message": id})

    def read(self, http):
        return [post["message"] for post in http.get("/api/posts?author=me").json()["posts"]]
"""

pytestmark = pytest.mark.smaller("applications, two web nodes and a database", topology=TOPOLOGY)


class Orders:
    """Orders of the shop, whichever."""

    def write(self, http: Any, id: str) -> object:  # noqa: A002, ANN401
        return http.post("/orders", data={"id": id})

    def read(self, http: Any) -> object:  # noqa: ANN401
        return http.get("/orders").json()


@pytest.fixture
def apps(cluster: LabCluster) -> LabCluster:
    """The cluster, if it has applications."""
    if not cluster.spec.apps:
        pytest.skip("the topology has no applications")
    return cluster


def _with(cluster: LabCluster, name: str, **changes: object) -> Cluster:
    """The topology with another application."""
    app = cluster.spec.apps[name].model_copy(update=changes)
    return cluster.spec.model_copy(update={"apps": {**cluster.spec.apps, name: app}})


def _all_serve(apps: LabCluster) -> None:
    """Waits until new visitors reach every node of the shop: a node that has just begun gets few of them."""
    seen: set[str] = set()

    def ask() -> set[str]:
        seen.add(apps.app("shop").get("/").json()["node"])
        return seen

    apps.until("every node of the shop to serve", SERVE_SECONDS, ask, lambda found: len(found) == 3)


@pytest.mark.read_only
def test_each_is_reached_by_its_name_as_its_own_user(apps: LabCluster) -> None:
    _all_serve(apps)
    shop = apps.app("shop")
    said = shop.get("/").json()
    assert (said["note"], said["user"] > 0) == ("it's a test", True)
    assert shop.served == {said["node"]} <= {"shop1", "shop2", "shop3"}
    assert "of no distribution" in apps.app("static").get("/").text
    assert apps.run("static1", "id -u").stdout.strip() == "0", "the lab looks into it as root"
    assert apps.run("static1", "stat -c %u /proc/1").stdout.strip() == "4711"
    with apps.load(20, "/", site="static") as load:
        load.more(40)
    assert not load.failed
    assert load.served() == {"static1", "static2"}


@pytest.mark.read_only
def test_a_name_that_is_not_known_is_told_with_those_that_are(apps: LabCluster) -> None:
    with pytest.raises(SpecError, match="did you mean 'shop'"):
        apps.app("sho")
    done = subprocess.run(
        [LAB, "load", "--site", "sho", "--name", apps.spec.name], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "did you mean 'shop'" in done.stderr


@pytest.mark.read_only
def test_load_from_the_command_line(apps: LabCluster) -> None:
    asked = ["--site", "shop", "--path", "/healthz", "--for", "2s", "--name", apps.spec.name]
    done = subprocess.run([LAB, "load", *asked], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "served by shop2" in done.stdout


@pytest.mark.read_only
def test_its_image_is_read_only_and_its_credentials_are_in_its_environment_alone(apps: LabCluster) -> None:
    password = secrets.known(apps.spec.name, "mysql-app-shop")
    assert password
    assert password not in apps.run("shop1", "cat /proc/*/cmdline").stdout
    assert not apps.run("shop1", "touch /srv/x").ok
    assert apps.run("shop1", "touch /tmp/x && rm /tmp/x").ok
    assert apps.run("shop1", "stat -c %a /etc/lab/environment").stdout.strip() == "600"
    if apps.backend.name == "docker":
        name = f"{apps.spec.name}-shop1"
        own = subprocess.run(
            ["docker", "exec", name, "/usr/lib/lab/bin/cat", "/proc/1/environ"], capture_output=True, check=True
        )
        environment = own.stdout.decode().split("\0")
        assert any(line.startswith(f"DATABASE_URL=mysql://app_shop:{password}@") for line in environment)
        shown = subprocess.run(["docker", "inspect", name], capture_output=True, text=True, check=True).stdout
        assert "app_shop" not in shown
        assert password not in shown


def test_what_it_acknowledged_is_kept_and_no_request_fails_when_a_node_dies(
    apps: LabCluster, faults: Faults, rounds: Rounds, ledger: Callable[..., OwnLedger]
) -> None:
    """The promises of web nodes, under its own name."""
    for name in ("leaves", "returns"):
        assert apps.bound(f"shop-{name}") == apps.bound(f"web-node-{name}")
    for round_ in rounds("shop-dies", "shop-leaves", "shop-returns"):
        with round_, apps.load(25, "/", site="shop") as load, ledger(Orders, 10, site="shop") as book:
            book.more(ENOUGH)
            with faults.kill("shop1"):
                load.more(75)
            back = apps.clock.now()
            load.more(150)
        assert "shop1" in load.served(since=back)
        (orders,) = book.judge()
        assert orders.verdict is Verdict.HOLDS, (orders.why, orders.ids)


def test_a_program_that_forgets_what_it_acknowledged_is_found_out(
    apps: LabCluster, faults: Faults, ledger: Callable[..., OwnLedger]
) -> None:
    with ledger(Orders, 20, site="forgetful") as book:
        book.more(ENOUGH)
        kept = set(apps.app("forgetful").get("/orders").json())
        with faults.kill("forgetful1"):
            pass
        book.more(ENOUGH)
    (orders,) = book.judge()
    assert orders.verdict is Verdict.LOST
    assert {one for one in kept if one.startswith("ledger-")} <= set(orders.ids)


def test_the_guest_book_by_a_ledger_of_ones_own_while_a_web_node_is_killed(apps: LabCluster, tmp_path: Path) -> None:
    (tmp_path / "posts.py").write_text(OWN, encoding="utf-8")
    scenario = tmp_path / "own.yaml"
    scenario.write_text(
        "for: 12s\nload: {rate: 20}\nfaults:\n  - {at: 2s, for: 4s, kill: web1}\npromises: [cluster-heals]\n",
        encoding="utf-8",
    )
    argv = [LAB, "chaos", "run", str(scenario), "--ledger", f"{tmp_path / 'posts.py'}:Posts", "--writes", "10"]
    which = ["--name", apps.spec.name, "--file", TOPOLOGY, "--runs", str(tmp_path / "runs")]
    done = completed(apps.clock, [*argv, *which], RUN_SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    (kept,) = (tmp_path / "runs").iterdir()
    told = json.loads((kept / "results.json").read_text(encoding="utf-8"))
    assert {one["promise"]: one["result"] for one in told["promises"]}["Posts"] == "holds"
    assert told["ledgers"][0]["counts"]["acknowledged"] >= ENOUGH
    (tmp_path / "posts.py").write_text(OWN.replace("message", "masage"), encoding="utf-8")
    done = completed(apps.clock, [*argv, *which], RUN_SECONDS)
    assert done.returncode == 2, "its mistake is told before anything is broken"
    assert "was not acknowledged: 4" in done.stderr
    assert list((tmp_path / "runs").iterdir()) == [kept]


def test_a_websocket_is_quiet_for_longer_than_an_answer_may_take_and_ends_with_its_node(
    apps: LabCluster, faults: Faults
) -> None:
    with WebSocket(apps.app("shop"), "/echo") as talk:
        assert b" 101 " in talk.answer.splitlines()[0], talk.answer
        first = talk.ask("hello")
        assert first.startswith("hello by shop")
        threading.Event().wait(apps.options(HttpLb).answer_timeout + 2)
        assert talk.ask("still here") == first.replace("hello", "still here")
        with faults.kill(first.removeprefix("hello by ")):
            assert talk.ask("and now") == "", "it can't go on elsewhere"
            with WebSocket(apps.app("shop"), "/echo") as another:
                assert another.ask("hello") not in ("", first)


def test_a_visitor_stays_on_one_node_where_the_application_is_sticky(apps: LabCluster, faults: Faults) -> None:
    with apps.changed(_with(apps, "shop", sticky=True)):
        visitor = apps.app("shop")
        assert {visitor.get("/").json()["node"] for _ in range(9)} == visitor.served
        (own,) = visitor.served
        _all_serve(apps)  # others are not sent after them
        with faults.kill(own):
            (other,) = {visitor.get("/").json()["node"] for _ in range(6)}
            assert other != own
        assert visitor.get("/").json()["node"] == other, "a cookie moves once"


def test_a_rebuilt_image_replaces_nodes_without_a_failed_request(apps: LabCluster, tmp_path: Path) -> None:
    shutil.copytree(FOLDERS / "shop", tmp_path / "shop")
    program = tmp_path / "shop/shop.py"
    program.write_text(program.read_text(encoding="utf-8").replace('VERSION = "1"', 'VERSION = "2"'), encoding="utf-8")
    assert apps.app("shop").get("/").json()["version"] == "1"
    changed = _with(apps, "shop", build=str(tmp_path / "shop"))
    with apps.load(40, "/", site="shop") as load:
        load.more(40)
        with apps.changed(changed):
            assert {apps.app("shop").get("/").json()["version"] for _ in range(6)} == {"2"}
        load.more(40)
    assert not load.failed, load.failed[:3]
    assert load.served() == {"shop1", "shop2", "shop3"}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"image": "no-such-image:1", "build": None}, "the engine has no image 'no-such-image:1'"),
        ({"image": "not a name", "build": None}, "the engine has no image"),
        ({"port": 8001}, "listens on 8000, as it declares, and not on 8001"),
        ({"build": "./nowhere"}, "is not there"),
    ],
)
@pytest.mark.read_only
def test_what_can_not_be_is_refused_before_anything_is_made(
    apps: LabCluster, changes: dict[str, object], says: str
) -> None:
    with pytest.raises(SpecError, match=says):
        choose(_with(apps, "shop", **changes), apps.backend, Silent())


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("FORM scratch", "the Dockerfile in .* failed: .*unknown instruction: FORM"),
        ('FROM www-cluster-lab/origin:debian\nCMD ["/bin/true"]\nUSER nobodyatall', "user 'nobodyatall' is not in its"),
        (
            'FROM www-cluster-lab/origin:debian\nCMD ["/bin/true"]\nLABEL www-cluster-lab.cluster=www',
            "has the label 'www-cluster-lab.cluster'",
        ),
    ],
)
@pytest.mark.read_only
def test_an_image_that_can_not_be_an_application_changes_nothing(
    apps: LabCluster, tmp_path: Path, lines: str, says: str
) -> None:
    (tmp_path / "Dockerfile").write_text(f"{lines}\n", encoding="utf-8")
    before = apps.backend.observe()
    with pytest.raises(SpecError, match=says):
        up(_with(apps, "shop", build=str(tmp_path)), apps.backend, Silent())
    assert apps.backend.observe() == before


def test_a_folder_follows_the_user_of_the_image(apps: LabCluster, tmp_path: Path) -> None:
    """A volume outlives its node: the next image has another user, and the same files."""
    try:
        for number in (5001, 5002):
            folder = tmp_path / str(number)
            shutil.copytree(FOLDERS / "shop", folder)
            dockerfile = folder / "Dockerfile"
            text = dockerfile.read_text(encoding="utf-8").replace("USER shop", f"USER {number}")
            dockerfile.write_text(text, encoding="utf-8")
            apps.apply(_with(apps, "forgetful", build=str(folder), writable=["/var/lib/shop"]))
            visitor = apps.app("forgetful")
            assert visitor.get("/").json()["user"] == number
            assert visitor.get("/kept").text == ("" if number == 5001 else "5001")
            assert visitor.post("/kept", data=str(number)).status_code == 200, apps.logs("forgetful1", tail=5)
            assert visitor.get("/kept").text == str(number)
    finally:
        apps.apply(apps.spec)


@pytest.mark.read_only
def test_a_dockerfile_that_fails_is_told_with_its_last_lines(apps: LabCluster, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(
        'FROM www-cluster-lab/origin:debian\nRUN echo no such luck && exit 7\nCMD ["true"]\n', encoding="utf-8"
    )
    before = apps.backend.observe()
    with pytest.raises(SpecError, match="returned a non-zero code: 7") as refused:
        up(_with(apps, "shop", build=str(tmp_path)), apps.backend, Silent())
    assert "| no such luck" in str(refused.value)
    assert refused.value.exit_code == 2
    assert apps.backend.observe() == before


@pytest.mark.nightly("a quarter of a minute; at every change a Dockerfile that fails is told with its last lines")
def test_a_health_path_that_answers_500_is_the_nodes_reason_with_its_last_lines(apps: LabCluster) -> None:
    with pytest.raises(NotReady, match="GET /broken answers 500") as late:
        up(_with(apps, "forgetful", health="/broken"), apps.backend, Silent(), seconds=SHORT_SECONDS)
    assert "the shop can't say how it is" in str(late.value)
    status = next(node for node in apps.status().nodes if node.name == "forgetful1")
    assert "GET /broken answers 500" in status.reason
