"""What is committed for Docker Compose is what the templates make now, and holds no secret."""

from __future__ import annotations

from pathlib import Path

from lab.lifecycle.resolve import offline
from lab.plan import compose, plan
from lab.spec import find, load

COMMITTED = Path(__file__).parents[2] / "compose"
FRESHEN = "run: lab compose --file full --family debian > compose/compose.yaml"


def test_the_committed_document_is_fresh() -> None:
    made = plan(*offline(load(find("full")).model_copy(update={"network": compose.NETWORK, "family": "debian"})))
    assert (COMMITTED / "compose.yaml").read_text(encoding="utf-8") == compose.document(made), FRESHEN
    wanted = compose.files(made)
    there = {str(path.relative_to(COMMITTED)) for path in (COMMITTED / compose.OPEN).rglob("*") if path.is_file()}
    assert there == set(wanted), FRESHEN
    for place, text in wanted.items():
        assert (COMMITTED / place).read_text(encoding="utf-8") == text, FRESHEN


def test_nothing_secret_is_committed() -> None:
    ignored = (COMMITTED.parent / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert f"compose/{compose.CLOSED}/" in ignored
    for path in (COMMITTED / compose.OPEN).rglob("*"):
        assert not path.is_file() or "PRIVATE KEY" not in path.read_text(encoding="utf-8")
