"""What is committed for Docker Compose is what the templates make now, and holds no secret."""

from __future__ import annotations

from pathlib import Path

from lab.export import compose
from lab.lifecycle import secrets
from lab.lifecycle.resolve import offline
from lab.plan import plan
from lab.topology import find, load
from tests.unit.command import lab

COMMITTED = Path(__file__).parents[2] / "compose"
FRESHEN = "run: lab compose --file full --family debian > compose/compose.yaml"


def test_the_committed_document_is_fresh() -> None:
    made = plan(*offline(load(find("full")).model_copy(update={"network": compose.NETWORK, "family": "debian"})))
    assert (COMMITTED / "compose.yaml").read_text(encoding="utf-8") == compose.document(made), FRESHEN


def test_the_files_of_nodes_are_made_and_not_committed() -> None:
    ignored = (COMMITTED.parent / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {f"compose/{compose.OPEN}/", f"compose/{compose.CLOSED}/"} <= set(ignored)


def test_what_is_secret_is_nobody_elses_to_enter(tmp_path: Path) -> None:
    (tmp_path / "secrets" / "web1").mkdir(mode=0o755, parents=True)  # as an earlier version made them
    done = lab("compose", "-f", "full", "--secrets", "--dir", str(tmp_path))
    assert done.returncode == 0, done.stderr
    made = [tmp_path / "secrets", *(tmp_path / "secrets").rglob("*")]
    assert len(made) > 20
    assert {path for path in made if path.stat().st_mode & 0o077} == set()


def test_a_cluster_that_is_run_by_compose_too_keeps_its_ca() -> None:
    usual = load(find("full"))
    first = secrets.ensure(plan(*offline(usual)))
    both = secrets.ensure(plan(*offline(usual.model_copy(update={"network": compose.NETWORK}))))
    assert both["ca-certificate"] == first["ca-certificate"]
