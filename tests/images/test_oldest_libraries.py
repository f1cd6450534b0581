"""The nodes' programs with the oldest libraries of the families: PyMySQL 0.10.1 is CentOS Stream 9's, Debian's is newer."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from lab.evidence import until
from lab.lifecycle.resolve import offline
from lab.plan import plan
from lab.topology import parse
from tests.images.alone import Alone

if TYPE_CHECKING:
    from pathlib import Path

    from lab.recipes import Family

PYMYSQL, FOLDER = "0.10.1", "/opt/oldest"
TOPOLOGY = f"name: labtest-{os.getpid()}-oldest\nmysql: {{count: 1}}\n"
READY_SECONDS, DOWNLOAD_SECONDS = 60, 60


@pytest.fixture
def package(tmp_path: Path) -> zipfile.ZipFile:
    """The library's own archive, from the index that this machine uses."""
    argv = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(tmp_path)]
    done = subprocess.run([*argv, f"PyMySQL=={PYMYSQL}"], check=False, capture_output=True, timeout=DOWNLOAD_SECONDS)
    found = list(tmp_path.glob("*.whl"))
    if not found:
        pytest.skip(f"PyMySQL {PYMYSQL} can't be had: {done.stderr.decode(errors='replace').strip()[-200:]}")
    return zipfile.ZipFile(found[0])


def test_a_database_is_led_with_the_oldest_client_library(table: Family, package: zipfile.ZipFile) -> None:
    """Its keeper makes the data, is elected, begins its epoch and takes writes: most of what it asks of the library."""
    alone = Alone("mysql", table.family, plan(offline(parse(TOPOLOGY))[0], table.family))
    alone.container.with_env("PYTHONPATH", FOLDER)
    for name in package.namelist():
        if name.startswith("pymysql/"):
            alone.container.with_copy_into_container(package.read(name), f"{FOLDER}/{name}", 0o644)
    with alone as node:
        answer = until("the primary", READY_SECONDS, lambda: node.run("/usr/lib/lab/ready"), lambda got: got[0] == 0)
        assert answer[0] == 0
        used = node.run("tr '\\0' '\\n' < /proc/$(pgrep -f keeper/main.py | head -n 1)/environ | grep PYTHONPATH")[1]
        assert FOLDER in used
        assert node.run(f"PYTHONPATH={FOLDER} python3 -c 'import pymysql; print(pymysql.__version__)'")[1].strip() == PYMYSQL
        made = "CREATE DATABASE old; CREATE TABLE old.rows (id INT PRIMARY KEY); INSERT INTO old.rows VALUES (7)"
        assert node.run(f'mariadb -e "{made}"') == (0, "")
        assert node.run('mariadb -N -e "SELECT id FROM old.rows"')[1].strip() == "7"
        assert node.run('mariadb -N -e "SELECT epoch FROM lab.epochs"')[1].split() == ["1"]
