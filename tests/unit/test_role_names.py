"""A role is declared once: Python knows none by its name but in `lab/services`, and in a short list with reasons."""

from __future__ import annotations

import ast
from pathlib import Path

from lab.recipes import roles
from tests.unit.sources import nodes

LAB = Path(__file__).parents[2] / "lab"
NAMES = set(roles()) - {"client"}
FIELDS = {name.replace("-", "_") for name in NAMES}
OF_CLUSTERS = ("cluster", "spec", "self")
KNOWN = {
    "cli/backup.py": "the verb is called so",
    "cli/mail.py": "the verb is called so",
    "cli/mysql.py": "the verb is called so",
    "cli/build.py": "the smallest topology, for a choice of family",
    "cli/load.py": "a cluster is asked that exists, without a plan: is the site spoken to by TLS?",
    "clock.py": "the timers of emulated processors (decision 029)",
    "faults/freeze.py": "the former name of a service, until 0.3",
    "lifecycle/ownership.py": "three roles whose nodes have the CA, so that not each node is asked",
    "lifecycle/resolve.py": "bricks, which a rootless engine can't have",
    "lifecycle/scaling.py": "how many nodes data was made for: copies of storage, members of mysql",
    "nemesis/actions.py": "the nemesis is one of mysql",
    "nemesis/bounds.py": "the nemesis is one of mysql",
    "nemesis/load.py": "the nemesis is one of mysql",
    "nemesis/play.py": "the nemesis is one of mysql",
    "nemesis/run.py": "the nemesis is one of mysql",
    "topology/cluster.py": "the volumes that other roles' options name",
    "topology/roles.py": "the default of a volume's name, which is a role's too",
    "testing/cluster.py": "the default of a proxy's name, which is a role's too",
}


def _named(path: Path) -> list[int]:
    """The lines of a file that name a role: as a text, or as a field of a topology."""
    found = []
    for node in nodes(path):
        if isinstance(node, ast.Constant) and node.value in NAMES:
            found.append(node.lineno)
        if isinstance(node, ast.Attribute) and node.attr in FIELDS:
            whose = node.value
            name = whose.id if isinstance(whose, ast.Name) else whose.attr if isinstance(whose, ast.Attribute) else ""
            found += [node.lineno] if name in OF_CLUSTERS else []
    return found


FILES = {path.relative_to(LAB).as_posix(): path for path in sorted(LAB.rglob("*.py"))}


def _faults(place: str, lines: list[int]) -> list[str]:
    """What is wrong with a file that names roles in these lines."""
    if place.startswith("services/"):
        return []
    if place in KNOWN:
        return [] if lines else [f"lab/{place} names no role any more: take it off the list"]
    return [f"lab/{place}:{line} names a role: declare it in role.yaml, or put it into lab/services" for line in lines]


def test_no_role_is_known_by_its_name() -> None:
    faults = [fault for place, path in FILES.items() for fault in _faults(place, _named(path))]
    assert not faults, "\n".join(faults)


def test_files_are_found() -> None:
    assert len(FILES) > 200
    assert set(KNOWN) <= set(FILES)


def test_both_faults_are_named() -> None:
    assert _faults("services/mail.py", [1]) == []
    assert _faults("clock.py", [1]) == []
    assert _faults("clock.py", []) == ["lab/clock.py names no role any more: take it off the list"]
    (fault,) = _faults("plan/x.py", [7])
    assert fault.startswith("lab/plan/x.py:7 names a role")


def test_a_name_is_found(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text('a = plan.role("mysql")\nb = cluster.http_lb\nc = "mysqld"\nd = thing.web\n', encoding="utf-8")
    assert sorted(_named(path)) == [1, 2]
