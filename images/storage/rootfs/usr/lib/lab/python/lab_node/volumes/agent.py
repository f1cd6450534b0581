"""Keeps this node's part of the shared volumes: that they exist as the plan says, that bricks and healers run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import rules
from .errors import Missing
from .rules import Loss

if TYPE_CHECKING:
    from .bricks import Top
    from .disk import Disk
    from .glusterd import Glusterd
    from .rules import Volume
    from .settings import Settings


class Agent:
    """What one node does for the volumes, a look at a time.

    Attributes:
        split: by volume, the paths that GlusterFS itself says are in split-brain.
        waiting: by volume, what is to heal in this node's brick, and since when it has been seen.
    """

    def __init__(self, config: Settings, glusterd: Glusterd, disk: Disk) -> None:
        self._config, self._glusterd, self._disk = config, glusterd, disk
        self._node, self._peers = config.node, config.peers
        self._tops: dict[str, Top] = {}
        self._suspected: set[str] = set()  # volumes of those bricks that seem to be emptied
        self._last_look = float("-inf")
        self.split: dict[str, set[str]] = {}
        self.waiting: dict[str, dict[str, float]] = {}

    def look(self, now: float) -> None:
        """One check; corrects deviations as far as possible.

        Args:
            now: in seconds, of a monotonic clock.

        Raises:
            Missing: a deviation remains.
        """
        connected = self._glusterd.connected()
        known = self._glusterd.volumes()
        self._forget_attempts(known)
        absent = [name for name in self._config.volumes if name not in known]
        for name in absent:
            self._make(name, connected)
        known = self._glusterd.volumes() if absent else known
        for name in self._config.volumes:
            self._settle(known[name], connected)
        for name in self._config.volumes:
            self._keep_brick(known[name], connected, now)
        self._ask_for_split(now)

    def to_heal(self, name: str, now: float) -> list[str]:
        """The entries that this node's brick has noted for others, and that have been waiting for a while."""
        self.waiting[name] = rules.noted(self.waiting.get(name, {}), self._disk.index(name), now)
        return rules.to_heal(self.waiting[name], now)

    def _forget_attempts(self, known: dict[str, Volume]) -> None:
        """Removes the marks of volumes that were not created: a node refused or died."""
        seconds = rules.attempt_seconds(self._node, self._peers)
        for name in self._disk.names():
            if name not in known and rules.forgets(self._disk.brick(name), self._disk.age(name), seconds):
                self._disk.unmark(name)

    def _make(self, name: str, connected: set[str]) -> None:
        if why := rules.not_made(name, self._node, self._peers, connected, self._disk.brick(name)):
            raise Missing(why)
        for peer in sorted(self._peers.keys() - {self._node}):
            if why := rules.not_reached(name, peer, self._peers, self._glusterd.connected(peer)):
                raise Missing(why)
        self._glusterd.create(name, list(self._peers))

    def _settle(self, volume: Volume, connected: set[str]) -> None:
        """Options and start, by the first node that is there."""
        if rules.marks(volume, self._disk.brick(volume.name)):
            self._disk.mark(volume)
        if self._node != rules.first(connected):
            if not volume.started:
                raise Missing(f"the volume {volume.name} is not started yet")
            return
        steps = rules.settling(volume, self._config.options, len(self._peers))
        if steps.options:
            self._glusterd.set_options(volume.name, dict(steps.options))
        if steps.stop:
            self._glusterd.stop(volume.name)
        if steps.start:
            self._glusterd.start(volume.name)
        if steps.whole_index:
            self._glusterd.index_whole_entries(volume.name)

    def _keep_brick(self, volume: Volume, connected: set[str], now: float) -> None:
        """Starts this node's own brick, and its self-heal daemon; an empty brick is readmitted first."""
        if why := rules.too_few(connected, self._peers):
            raise Missing(why)
        self._look_into(volume.name, now)
        brick = self._disk.brick(volume.name)
        if brick.mark != volume.id:
            if why := rules.foreign(volume, brick):
                raise Missing(why)
            self._disk.take_back(volume)
        if not self._disk.running(volume.name):
            self._glusterd.start(volume.name, force=True)
            raise Missing(f"the brick of {volume.name} was started just now")
        age = self._disk.runs_for(volume.name)
        if rules.needs_healer(len(self._peers), age, healer=self._disk.heals(volume.name)):
            self._glusterd.start(volume.name, force=True)
            raise Missing(f"the self-heal daemon of {volume.name} was started just now")

    def _look_into(self, name: str, now: float) -> None:
        """Ends a brick that was emptied while it ran; it is then readmitted as one on an empty disk, if others have it.

        Its process would serve the rest, and count as complete.
        """
        if self._disk.runs_for(name) < rules.SETTLED_SECONDS:
            return
        lost, suspected = self._disk.lost(name, self._tops.get(name, {})), name in self._suspected
        owing = lost and suspected and bool(self.to_heal(name, now))
        loss = rules.loss(len(self._peers), lost=lost, suspected=suspected, owing=owing)
        if loss is Loss.NONE:
            self._suspected.discard(name)
            self._tops[name] = self._disk.top(name)
        elif loss is Loss.SUSPECTED:
            self._suspected.add(name)
            raise Missing(f"/bricks/{name} has lost its files")
        elif loss is Loss.ALONE:
            raise Missing(f"/bricks/{name} has lost files, and no other node has them: restore {name} from a backup")
        elif loss is Loss.NEEDED:
            raise Missing(f"/bricks/{name} has lost files, and has what other nodes lack: it is left alone")
        else:
            self._disk.end(name)
            self._disk.set_aside(name)
            self._suspected.discard(name)
            self._tops.pop(name, None)

    def _ask_for_split(self, now: float) -> None:
        """Asks GlusterFS what is in split-brain, once a minute while something waits here for longer.

        Each node asks for its own: the copies that blame each other may be on any two.
        """
        stuck = rules.stuck(self.waiting, now)
        self.split = {name: paths for name, paths in self.split.items() if name in stuck}
        if not stuck or now - self._last_look < rules.STUCK_SECONDS:
            return
        for name in stuck:
            self.split[name] = {self._disk.path(name, text) for text in self._glusterd.split(name)}
        self._last_look = now
