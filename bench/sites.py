"""Sites: WordPress's first page through the VIP and from a web node, its deployment, and a sync of one file."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from bench.figures import Figure, figure
from lab.backends import backend
from lab.lifecycle.down import down
from lab.progress import Silent
from lab.services import sites
from lab.services.syncing import Sync
from lab.testing import LabCluster
from lab.testing.site import LabSite
from lab.topology import Cluster, HttpLb, Mysql, Placement, Storage, TcpLb, Web
from lab.topology.sites import Php, Site

NAME, SITE = f"labbench-{os.getpid()}-sites", "press"
EXAMPLE = Path(__file__).parents[1] / "docs/examples/wordpress"
PAGES = 20  # of each run
GOAL_SECONDS, SYNC_SECONDS = 20.0, 2.0


def run(runs: int) -> list[Figure]:
    """A cluster of its own: two web nodes that share a disk and a database."""
    press = Site(database=True, writable=["wp-content/uploads"], php=Php(extensions=["gd"]))
    spec = Cluster(
        name=NAME,
        web=Web(count=2),
        http_lb=HttpLb(count=1),
        tcp_lb=TcpLb(count=1),
        storage=Storage(count=1),
        mysql=Mysql(count=1),
        sites={SITE: press},
    )
    made = backend(Placement(), NAME)
    with tempfile.TemporaryDirectory() as place:
        code = Path(place) / "wordpress"
        subprocess.run(["sh", EXAMPLE / "get-wordpress", code], check=True, capture_output=True)
        shutil.copy(EXAMPLE / "wp-config.php", code)
        try:
            return measure(LabCluster(spec, made), code, runs)
        finally:
            down(made, Silent(), volumes=True)


def measure(cluster: LabCluster, code: Path, runs: int) -> list[Figure]:
    """Takes all figures; each run deploys a release that differs from the last."""
    press, deployed, files = LabSite(cluster, SITE), [], 0
    for number in range(runs):
        (code / "number.txt").write_text(str(number), encoding="utf-8")
        done = sites.deploy(cluster.backend, SITE, code)
        deployed.append(done.seconds)
        files = done.files
    _install(press)
    led, straight = [], []
    for _ in range(runs):
        led.append(_page(cluster, f"--cacert /etc/lab/ca.crt {press.url}/"))
        direct = f"-H 'Host: {press.host}' http://{cluster.plan.node('web1').address}/"
        straight.append(_page(cluster, direct))
    synced = _synced(cluster, code, runs)
    return [
        figure(f"'lab site deploy' of {files} files", "s", deployed, f"{GOAL_SECONDS:.0f} s", GOAL_SECONDS),
        figure("saved here until every web node serves it, by 'lab site sync'", "s", synced, "2 s", SYNC_SECONDS),
        figure("WordPress's first page through the VIP", "ms", led),
        figure("the same from a web node", "ms", straight),
        figure("through the VIP / straight", "×", [one / other for one, other in zip(led, straight, strict=True)]),
    ]


def _install(press: LabSite) -> None:
    form = {"weblog_title": "Bench", "user_name": "ann", "admin_password": NAME, "admin_password2": NAME,
            "pw_weak": "on", "admin_email": "ann@example.com", "language": "", "Submit": "Install"}  # fmt: skip
    fields = [part for key, value in form.items() for part in ("--data-urlencode", f"{key}={value}")]
    if "<h1>Success!</h1>" not in press.ask("/wp-admin/install.php?step=2", *fields):
        raise RuntimeError("WordPress was not installed")


def _page(cluster: LabCluster, where: str) -> float:
    """The median time of a page, in ms, each on a connection of its own; the first is not counted."""
    asked = (
        f"for i in $(seq {PAGES + 1}); do curl -sS -o /dev/null -w '%{{http_code}} %{{time_total}}\\n' {where}; done"
    )
    rows = [line.split() for line in cluster.run("client", asked, seconds=120).stdout.splitlines()][1:]
    if {code for code, _ in rows} != {"200"}:
        raise RuntimeError(f"a page failed: {rows}")
    return sorted(1000 * float(seconds) for _, seconds in rows)[len(rows) // 2]


def _synced(cluster: LabCluster, code: Path, runs: int) -> list[float]:
    """The time from a save until every web node serves it, as the verb does it once it has seen the change."""
    sync, taken = Sync(cluster.backend, SITE, code), []
    sync.exchange()
    for number in range(runs):
        begun = time.perf_counter()
        (code / "number.txt").write_text(f"saved {number}", encoding="utf-8")
        sync.exchange()
        for node in sites.look(cluster.backend).nodes:
            page = f"curl -sS -H 'Host: {LabSite(cluster, SITE).host}' http://127.0.0.1/number.txt"
            if cluster.run(node, page).stdout != f"saved {number}":
                raise RuntimeError(f"{node} does not serve it")
        taken.append(time.perf_counter() - begun)
    return taken
