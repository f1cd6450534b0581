"""The daemon mariadbd: its directory, its process, its start and its end."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from .durability import sync_folder
from .relay import cut_off

if TYPE_CHECKING:
    from .settings import Settings

HOME = Path("/var/lib/mysql")
DATA = HOME / "data"
TEMPORARY = HOME / "tmp"
SOCKET = "/run/mysqld/lab.sock"
CA = Path("/run/lab/ca.crt")
TLS = Path("/run/lab/mysql.pem")
ACCOUNTS = Path("/run/lab/accounts.sql")
OLD = "data.old"  # the beginning of the name of a directory whose removal is under way
STOP_SECONDS = 20.0
KILL_SECONDS = 5.0  # for a killed mariadbd to end; one that waits for its disk may take longer
SOON_SECONDS = 10.0  # after its start


def place(path: Path) -> None:
    """Copies a file of /etc/lab, whole, to where mariadbd reads it as its own user, which may not read /etc/lab."""
    draft = path.with_suffix(".new")
    draft.touch(0o400)
    shutil.chown(draft, "mysql")
    draft.write_bytes((Path("/etc/lab") / path.name).read_bytes())
    draft.replace(path)


class Server:
    """One mariadbd, a child of this process."""

    def __init__(self, settings: Settings) -> None:
        self._binaries = settings.binaries
        self._process: subprocess.Popen[bytes] | None = None
        self._killed: subprocess.Popen[bytes] | None = None  # it executes nothing more, and has the data open
        self._began = 0.0
        self.served = False  # since its start
        self.failures = 0  # starts in a row that ended soon, or without it

    @property
    def running(self) -> bool:
        """Whether the process lives; it may not answer yet."""
        return self._process is not None and self._process.poll() is None

    def prepare(self) -> None:
        """Makes what is missing: without a data directory, a new one."""
        for path in (CA, TLS, ACCOUNTS):
            place(path)
        self._remove_old()
        shutil.chown(HOME, "mysql", "mysql")
        shutil.rmtree(TEMPORARY, ignore_errors=True)  # of a server that was killed
        # Of a state transfer that the last boot cut off: by now its number may be that of another process, whose end
        # Galera's script would wait for.
        (DATA / "wsrep_sst.pid").unlink(missing_ok=True)
        TEMPORARY.mkdir(mode=0o700)
        shutil.chown(TEMPORARY, "mysql", "mysql")
        if DATA.exists():
            return
        draft = HOME / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        install = [self._binaries["install"], "--no-defaults", "--user=mysql", f"--datadir={draft}", "--skip-test-db"]
        subprocess.run([*install, "--auth-root-authentication-method=socket"], check=True, stdout=subprocess.DEVNULL)
        draft.replace(DATA)
        sync_folder(HOME)

    def start(self, *, truncate: bool) -> None:
        """Starts mariadbd, closed to writers.

        Args:
            truncate: drop what is in the binary log and was never acknowledged. Only where another primary of a newer
                epoch is open: until then this copy may be the one that counts.
        """
        self.refuse_two()
        self._end_log()
        self.run(["--init-rpl-role=SLAVE", "--rpl-semi-sync-slave-enabled=ON"] if truncate else [])

    @staticmethod
    def _end_log() -> None:
        """Removes the group whose writing a crash cut off from the end of the binary log.

        MariaDB leaves it there, counts its number as its own, and sends a replica error 1236 at its place for ever.
        No other node has the group: one is sent when all of it is on the disk.
        """
        index = DATA / "binlog.index"
        names = index.read_text().split() if index.exists() else []
        log = DATA / names[-1] if names else index
        if not names or not log.exists() or not log.stat().st_size:
            return
        end = cut_off(log)
        if end is not None:
            print(f"{log.name}: the last group is not whole, and removed from {end} on", flush=True)
            with log.open("r+b") as file:
                file.truncate(end)
                os.fsync(file.fileno())

    def run(self, options: list[str]) -> None:
        """Starts mariadbd with some options more.

        Raises:
            OSError: a killed one has not ended.
        """
        self.refuse_two()
        self._began, self.served = time.monotonic(), False
        # It dies with this process: no unwatched server acknowledges.
        bound = ["setpriv", "--reuid=mysql", "--regid=mysql", "--clear-groups", "--pdeathsig=KILL"]
        self._process = subprocess.Popen(
            [*bound, self._binaries["mariadbd"], "--defaults-file=/etc/lab/my.cnf", *options]
        )

    def ended(self) -> bool:
        """Whether it ended by itself; counts those that did so soon, or never served."""
        if self._process is None or self._process.poll() is None:
            return False
        soon = time.monotonic() - self._began < SOON_SECONDS
        self.failures = 1 if self.served and not soon else self.failures + 1
        self._process = None
        return True

    def kill(self) -> None:
        """Ends it at once. A clean stop would tell writers that wait for a replica that all is well.

        A process that waits for its disk ends later. Until then it executes nothing, and no other one is started.
        """
        if self._process is None:
            return
        self._process.kill()
        try:
            self._process.wait(KILL_SECONDS)
        except subprocess.TimeoutExpired:
            self._killed = self._process
        self._process = None

    def refuse_two(self) -> None:
        """Refuses to start a second mariadbd on the data.

        Raises:
            OSError: a killed one has not ended.
        """
        if self._killed is not None and self._killed.poll() is None:
            raise OSError(
                f"mariadbd (process {self._killed.pid}) was killed and has not ended: its disk does not answer"
            )
        self._killed = None

    def stop(self) -> None:
        """A clean stop, for a node without waiting commits."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
            self._process = None

    def replace(self, fresh: Path) -> None:
        """Puts another data directory, whose content is durable, in the place of this one, which is no longer running.

        The replaced one is removed later: that may take minutes, and the node's lock is held here.

        Raises:
            OSError: mariadbd has not ended.
        """
        self.refuse_two()
        if DATA.exists():
            DATA.replace(HOME / f"{OLD}.{time.time_ns()}")
        fresh.replace(DATA)
        sync_folder(HOME)
        self._remove_old()

    @staticmethod
    def _remove_old() -> None:
        """Removes replaced data directories, also those of before a restart; without a thread, at the next occasion."""
        with contextlib.suppress(RuntimeError):
            threading.Thread(target=_removed, args=(list(HOME.glob(f"{OLD}*")),), daemon=True).start()


def _removed(folders: list[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
