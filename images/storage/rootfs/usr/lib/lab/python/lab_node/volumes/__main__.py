"""lab_node.volumes [identity | aside VOLUME PATH]: maintains this node's part of the shared volumes.

`identity` writes the identity of this node, before glusterd starts. `aside` moves a path out of this node's brick.
Without an argument it checks repeatedly; the reason of a problem is one line in /run/lab/volumes (empty: none), with
the figures beside it as JSON.

Nothing is created over existing data: the first node creates a volume once, when every peer is present and no brick of
that name has content; only an empty brick of a volume that the others know is readmitted.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from . import aside, identity, report, settings
from .agent import Agent
from .bricks import BRICKS
from .disk import Disk
from .errors import Hung, Missing
from .glusterd import Glusterd
from .report import Figures
from .rules import IDLE_SECONDS
from .unlike import Log, listed

if TYPE_CHECKING:
    from .settings import Settings

LOOK_SECONDS = 1.0


class Watcher:
    """The agent, when it looks, and what is said of it."""

    def __init__(self, config: Settings) -> None:
        self._config, self._disk, self._glusterd = config, Disk(config.node), Glusterd(config.node)
        self._agent, self._log = Agent(config, self._glusterd, self._disk), Log()
        self._missing, self._printed, self._looked = "not looked at yet", "", 0.0

    def stay(self) -> None:
        """Looks for ever: at files each second, and at glusterd seldom where nothing is missing."""
        while True:
            figures = self._figures()
            down = any(not one.brick for one in figures.values())
            if self._missing or down or time.monotonic() - self._looked > IDLE_SECONDS:
                self._missing = self._look(down=down)
                self._looked = time.monotonic()
            problem = self._missing or "all volumes are as they should be"
            if problem != self._printed:
                print(problem, flush=True)
                self._printed = problem
            waiting = [problem for name, one in figures.items() if (problem := report.worry(name, one))]
            report.tell(self._missing or self._disk.full() or ", ".join(waiting), figures)
            time.sleep(LOOK_SECONDS)

    def _look(self, *, down: bool) -> str:
        """What is missing; `down`: whether a brick of this node does not run."""
        try:
            self._agent.look(time.monotonic())
        except Hung as hung:
            if not down:  # a restarted glusterd counts its peers, and ends serving bricks while those are too few
                return str(hung)
            self._glusterd.kill()
            return f"{hung}; it is started anew"
        except (Missing, OSError, subprocess.SubprocessError) as error:
            return str(error)
        return ""

    def _figures(self) -> dict[str, Figures]:
        self._log.read()
        return {name: self._figures_of(name) for name in self._config.volumes}

    def _figures_of(self, name: str) -> Figures:
        waiting = self._agent.to_heal(name, time.monotonic())
        named = self._log.names(name, BRICKS / name, waiting) if waiting else []
        unlike = listed(named, self._agent.split.get(name, ())) if waiting else []
        return Figures(self._disk.running(name), len(waiting), unlike)


def end(*_: object) -> None:
    """A stop: ends the bricks as a shutdown of the machine would, so that their connections are closed."""
    subprocess.run(["pkill", "-TERM", "glusterfs"], check=False)  # glusterfsd and glusterfs, not glusterd
    sys.exit(0)


def main() -> None:
    """Does what is asked."""
    config = settings.read()
    if sys.argv[1:] == ["identity"]:
        identity.write(config)
        return
    if sys.argv[1:2] == ["aside"]:
        aside.set_aside(*sys.argv[2:])
        return
    signal.signal(signal.SIGTERM, end)
    Watcher(config).stay()


if __name__ == "__main__":
    main()
