"""An engine that ends and begins again, as at a boot: the cluster is named, and made whole by `lab up`."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from lab.recipes import recipe
from tests.images import engines

if TYPE_CHECKING:
    from lab.recipes import Family

IMAGES = ("base", "client", "web")
POST = ("exec", "client", "--", "curl", "-sS", "--form-string", "message=kept", "http://web1/api/posts")
READ = ("exec", "client", "--", "curl", "-sS", "http://web1/api/posts")


@pytest.mark.nightly(
    "twenty seconds: at every change 'lab up' makes whole what lost its nodes, its network or its volumes"
    " (test_command.py, test_command_network.py)"
)
def test_a_cluster_whose_engine_was_restarted_is_made_whole(table: Family, tmp_path: Path) -> None:
    with TemporaryDirectory(prefix=f"labtest-{os.getpid()}-engine-", ignore_cleanup_errors=True) as made:
        folder = Path(made)
        with engines.memory_disk(folder / "data", "2g") as data:
            with engines.dockerd(folder, data) as url:
                lab = engines.Lab(url, tmp_path, table.family)
                engines.copied([recipe(role, table.family).tag for role in IMAGES], url)
                _good(lab, "up", "--file", "stage1")
                _good(lab, *POST)
            assert lab("status").returncode == 2, "no engine answers"
            with engines.dockerd(folder, data):
                stopped = lab("status")
                assert stopped.returncode == 1, stopped.stdout + stopped.stderr
                assert "stopped" in stopped.stdout
                assert "2 started" in _good(lab, "up", "--file", "stage1")
                assert "kept" in _good(lab, *READ)
                assert "nothing to change" in _good(lab, "up", "--file", "stage1")
                _good(lab, "down", "--volumes")


def _good(lab: engines.Lab, *arguments: str) -> str:
    done = lab(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
