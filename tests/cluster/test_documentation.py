"""What the pages show works: the test of docs/testing.md, and the commands of the README and of the guide."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lab.lifecycle.members import existing
from tests.documented import ROOT, mentioned, shown
from tests.markers import WEB

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lab.evidence import Ledger
    from lab.testing import Faults, LabCluster, Rounds

PAGE = ROOT / "docs/testing.md"
PAGES = (ROOT / "README.md", ROOT / "docs/guide.md")
LAB = str(Path(sys.executable).with_name("lab"))
COMMAND_SECONDS = 300
SHORTER = {"30s": "3s"}
"""Of the pages' durations: the command is what is tried."""

ELSEWHERE = {
    "up": "test_command.py, with topologies of its own",
    "down": "test_command.py removes a cluster of its own",
    "plan": "of the topology in the current folder: test_command.py",
    "user": "writes a cluster.yaml: test_shell.py",
    "--install-completion": "changes the configuration of the person's own shell",
    "enter": "a shell for a person",
    "logs": "'-f' ends by Ctrl-C alone; test_command.py",
    "fault": "test_faults.py injects all kinds",
    "chaos": "test_chaos.py plays scenarios",
    "runs": "tests/unit/test_runs.py, with runs of its own",
    "renew": "test_renewal.py",
    "xen": "tests/xen",
    "page": "ends by Ctrl-C alone; test_page.py",
    "learn": "makes a cluster of its own: test_lessons.py",
    "compose": "tests/compose",
    "doctor": "changes with the machine: tests/unit/test_odd_machines.py",
    "build": "tests/images",
    "images": "tests/images/test_stock.py",
    "site": "test_sites.py, test_sync.py, and docs/wordpress.md by test_wordpress.py",
    "mysql shell": "a shell for a person; test_mysql.py runs a file",
    "mysql reclone": "needs the name of a replica: test_mysql.py",
    "mail account": "creates accounts: test_mail.py",
    "mail trace": "needs the id of a message: test_mail.py",
    "volume heal-info": "needs the name of a volume: test_storage_heals.py",
    "volume mend": "needs the name of a volume: test_storage_heals.py",
    "backup restore": "asks for confirmation: test_backup.py",
    "backup drill": "takes minutes in a large cluster: test_backup.py",
}
"""Verbs that are run by other tests, or by a person."""

ROLES = {"mysql": "mysql", "volume": "storage", "mail": "mail", "backup": "backup", "load": "web"}
POWER = ("start", "stop", "restart", "kill", "pause")
NO_NODE = {(verb,) for verb in POWER}
CHANGING = {("mysql", "switchover")}
"""Of the others, what changes the cluster: it is looked at before the next command."""

PLACEHOLDER = re.compile(r"[A-Z][A-Z-]*|.*…")
NODE = re.compile(r"([a-z-]+?)[0-9]+")


@pytest.mark.smaller("web nodes are all it needs", topology=WEB)
def test_the_test_in_the_documentation_holds(
    cluster: LabCluster, faults: Faults, rounds: Rounds, ledger: Callable[..., Ledger]
) -> None:
    cluster.require("web", 2)
    text = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert text
    assert len(text[1].strip().splitlines()) <= 22
    names: dict[str, Any] = {}
    exec(compile(text[1], str(PAGE), "exec"), names)  # noqa: S102  our own documentation
    names["test_my_page_survives_a_dead_web_node"](cluster, faults, rounds, ledger)


def _commands() -> Iterator[tuple[str, ...]]:
    """The complete commands of both pages, each once, without those that other tests run."""
    seen = set()
    for page in PAGES:
        for words in (*shown(page), *mentioned(page)):
            elsewhere = not words or words[0] in ELSEWHERE or " ".join(words[:2]) in ELSEWHERE or words in NO_NODE
            if not elsewhere and not any(map(PLACEHOLDER.fullmatch, words)) and words not in seen:
                seen.add(words)
                yield words


def _lacking(words: Sequence[str], nodes: Sequence[str]) -> str:
    """The node or role of a command that the cluster lacks."""
    named = [word for word in words if NODE.fullmatch(word) and not word.startswith("eth")]
    roles = {node.rstrip("0123456789") for node in nodes}
    needed = [name for name in named if name not in nodes]
    if words[0] in ROLES and ROLES[words[0]] not in roles:
        needed.append(ROLES[words[0]])
    return ", ".join(needed)


def _works(cluster: LabCluster, words: tuple[str, ...], request: pytest.FixtureRequest) -> None:
    """Runs a command of the pages on this cluster."""
    argv = [SHORTER.get(word, word).replace("www.www.test", cluster.host) for word in words]
    host = {"LAB_HOST": where} if (where := request.config.getoption("--host")) else {}
    done = subprocess.run(
        [LAB, *argv],
        capture_output=True,
        text=True,
        check=False,
        timeout=cluster.clock.guard(COMMAND_SECONDS),
        stdin=subprocess.DEVNULL,
        env={**os.environ, "LAB_NAME": cluster.backend.cluster, "LAB_BACKEND": cluster.backend.name, **host},
    )
    assert done.returncode == 0, f"{shlex.join(argv)}: {done.stdout[-2000:]}{done.stderr[-2000:]}"


def _marked(words: tuple[str, ...]) -> object:
    """A command as a parameter."""
    return pytest.param(words, marks=[] if words in CHANGING else pytest.mark.read_only)


@pytest.mark.parametrize("words", [_marked(each) for each in _commands() if each[0] not in POWER], ids=" ".join)
def test_a_command_of_the_readme_and_the_guide_works(
    cluster: LabCluster, words: tuple[str, ...], request: pytest.FixtureRequest
) -> None:
    lacking = _lacking(words, [node.name for node in existing(cluster.backend).nodes])
    if lacking:
        pytest.skip(f"the topology has no {lacking}")
    _works(cluster, words, request)


def test_what_the_readme_and_the_guide_break_and_start_in_their_order_works(
    cluster: LabCluster, request: pytest.FixtureRequest
) -> None:
    """As a reader types it: nobody repairs anything in between."""
    nodes = [node.name for node in existing(cluster.backend).nodes]
    tried = [words for words in _commands() if words[0] in POWER and not _lacking(words, nodes)]
    if not tried:
        pytest.skip("the topology has none of their nodes")
    for words in tried:
        _works(cluster, words, request)


def test_the_pages_have_commands_to_run() -> None:
    assert {"status", "open", "kill", "start", "pause", "mysql", "volume", "backup", "load", "exec", "render"} <= {
        words[0] for words in _commands()
    }
