"""The nodes' programs with the oldest libraries of the families: CentOS Stream 9 has an older PyMySQL than Debian."""

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
from tests.images.single_role import SingleRole

if TYPE_CHECKING:
    from pathlib import Path

    from lab.recipes import Family

PYMYSQL = "0.10.1"
# Where a node's programs, which take nothing from the environment, look before they look where packages are installed.
FOLDERS = {
    "debian": "/usr/local/lib/python3.11/dist-packages",
    "centos": "/usr/local/lib/python3.9/site-packages",
}
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
    alone = SingleRole("mysql", table.family, plan(offline(parse(TOPOLOGY))[0], table.family))
    for name in package.namelist():
        if name.startswith("pymysql/"):
            alone.container.with_copy_into_container(package.read(name), f"{FOLDERS[table.family]}/{name}", 0o644)
    with alone as node:
        answer = until("the primary", READY_SECONDS, lambda: node.run("/usr/lib/lab/ready"), lambda got: got[0] == 0)
        assert answer[0] == 0
        assert node.run("pgrep -f lab_node.keeper")[0] == 0
        assert node.run("python3 -I -c 'import pymysql; print(pymysql.__version__)'")[1].strip() == PYMYSQL
        made = "CREATE DATABASE old; CREATE TABLE old.rows (id INT PRIMARY KEY); INSERT INTO old.rows VALUES (7)"
        assert node.run(f'mariadb -e "{made}"') == (0, "")
        assert node.run('mariadb -N -e "SELECT id FROM old.rows"')[1].strip() == "7"
        assert node.run('mariadb -N -e "SELECT epoch FROM lab.epochs"')[1].split() == ["1"]
