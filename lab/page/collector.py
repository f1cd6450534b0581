"""The collector: one thread for all viewers, which turns what the sources say into the state of the page.

It idles without viewers: then no probe is sent, and neither the engine nor a node is asked.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from lab.errors import LabError
from lab.evidence import probes
from lab.evidence.load_run import Stream
from lab.page import frugal, view, words
from lab.page.attention import Attention, roles_read
from lab.page.feed import ANSWER_SECONDS, CLOSE, REST, Feed, Pace, at_pace
from lab.page.judging import BEFORE_SECONDS, FaultLog, Judge
from lab.page.listening import LogFollower
from lab.page.moments import Moments
from lab.page.nodes import Checks, Proof, to_check
from lab.page.picture import picture
from lab.page.points import points
from lab.page.state import Store
from lab.page.watch import Engine, SlowFacts, planned
from lab.services.streams import roles_shown, served, streams

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from lab.backends.base import Backend
    from lab.page.judging import FaultSeen
    from lab.page.watch import Look
    from lab.plan import Plan
    from lab.topology import Cluster

TICK_SECONDS = 0.2
BEAT_SECONDS = 0.5
IDLE_SECONDS = 10.0
ENGINE_SECONDS, ENGINE_CLOSE, ENGINE_HURRIED = 0.6, 0.3, 0.1
JUDGE_SECONDS = 1.0
STALE_SECONDS = 1.5
VISITORS = 20.0  # requests a second of the gentle load
SETTLED_SECONDS = 1.5  # a second of the charts is drawn so long after its end
FLOW_SECONDS = 3.0
VISITS = "visitors"


class Collector:
    """What is shown, and the sources that it is made of.

    Attributes:
        store: the state.
        visitors: whether the gentle load is wanted.
        extra: further values of the state, by the parts of the page that act; asked at each turn.
        picture: the SVG of the cluster, and its version.
        doomed: nodes that a work kills, and since when.
        now: tells the nodes' time.
        hurried: works whose effect on the engine is awaited at this moment.
        plan, cluster: of the nodes that exist; None until they are known.
    """

    def __init__(self, backend: Backend, topology: Cluster, *, visitors: bool = True) -> None:
        self.backend, self.topology = backend, topology
        self.now = Moments(backend.clock)
        self.store, self.visitors = Store(self.now), visitors
        self.extra: list[Callable[[], Mapping[str, Any]]] = []
        self.busy: list[Callable[[], bool]] = []
        self.plan: Plan | None = None
        self.cluster: Cluster | None = None
        self.picture, self.picture_version = "", 0
        self.faults = FaultLog(backend.clock)
        self.judge: Judge | None = None
        self.engine = Engine(backend, self._poke)
        self.slow = SlowFacts(backend)
        self.checks = Checks(backend)
        self.listener = LogFollower(backend)
        self.probing = Feed(backend, "probes")
        self.visiting = Feed(backend, VISITS, patience=ANSWER_SECONDS)
        self.beaten = 0.0
        self.hurried = 0
        self.doomed: dict[str, float] = {}
        self._events: deque[dict[str, Any]] = deque()
        self.attention = Attention(backend.clock)
        self._last_view = time.monotonic()
        self._proofs: dict[str, Proof] = {}
        self._pools: dict[str, dict[str, bool]] = {}
        self._holder: str | None = None
        self._primary: str | None = None
        self._seen_nodes = False
        self._judged = self._published = 0.0
        self._flow: deque[tuple[float, dict[str, Any]]] = deque()
        self._due: set[int] = set()
        self._poked, self._ended = threading.Event(), threading.Event()
        self.thread: threading.Thread | None = None

    def start(self) -> None:
        """Starts the thread, or another one after it ended unexpectedly."""
        self.thread = threading.Thread(target=self._work, name="page collector", daemon=True)
        self.thread.start()

    def end(self) -> None:
        """Ends all threads, and the generators in the client."""
        self._ended.set()
        self._poked.set()
        for part in (self.listener, self.engine, self.slow, self.checks, self.probing, self.visiting):
            part.end()

    def wake(self) -> None:
        """Ends the idle state for a while: the page is looked at."""
        idle, self._last_view = self.idle, time.monotonic()
        if idle:
            self._poked.set()

    def attend(self, nodes: Iterable[str] | None = None) -> None:
        """Observes closely for a while what shows a fault of these nodes: something is about to happen. None: all."""
        self.attention.extend(roles_read(self.plan, nodes) if nodes is not None and self.plan else None)
        self.wake()
        self._pace()

    def close(self, seconds: float = 10.0) -> bool:
        """Waits until the probes are close, at most so many seconds; whether they are.

        A generator needs a second to begin, and several on a busy machine.
        """
        deadline = time.monotonic() + self.backend.clock.guard(seconds)
        while not self._close and not self.probing.lost and time.monotonic() < deadline:
            if self._ended.wait(0.05):
                break
        return self._close

    @property
    def _close(self) -> bool:
        pace = self.probing.paces.now
        return pace is not None and pace.rate >= CLOSE.rate and pace.includes(self._roles)

    @property
    def _roles(self) -> frozenset[str] | None:
        """The roles to observe closely; None: all."""
        return self.attention.roles(self._read(self.faults.active))

    @property
    def idle(self) -> bool:
        """Whether there is no viewer and no work."""
        looked = self.store.viewers or time.monotonic() < self._last_view + IDLE_SECONDS
        return not looked and not any(busy() for busy in self.busy)

    def say(self, node: str, kind: str, text: str, raw: str) -> None:
        """Adds an event."""
        self._events.append(words.event(self.now(), node, kind, text, raw))
        self._poke()

    def _poke(self) -> None:
        self._poked.set()

    def _work(self) -> None:
        while not self._ended.is_set():
            self._pace()
            if self.idle:
                self._poked.wait(1.0)
            else:
                self.turn()
                self._poked.wait(TICK_SECONDS)
            self._poked.clear()

    @property
    def closely(self) -> bool:
        """Whether something is broken, or was recently."""
        return bool(self.faults.active) or self.attention.on

    def _pace(self) -> None:
        """Tells the sources what is wanted of them."""
        if self.idle or self.plan is None or self.cluster is None:
            pace: Pace | None = None
        else:
            pace = replace(CLOSE, roles=self._roles) if self.closely else REST
        often = ENGINE_HURRIED if self.hurried else ENGINE_CLOSE if self.closely else ENGINE_SECONDS
        self.engine.want(None if self.idle else often)
        roles = [node.role for node in self.plan.nodes] if self.plan else []
        self.slow.want(roles, on=not self.idle)
        if self.idle:
            self.listener.rest()
        else:
            self.listener.want(view.running(self.engine.look))
        if self.plan is None or self.cluster is None or pace is None:
            self.probing.want((), None)
            self.visiting.want((), None)
            self.checks.want({})
            return
        clock = self.backend.clock
        probe_streams = served(self.plan, streams(self.plan, self.cluster.site))
        shows = partial(roles_shown, self.plan)
        self.probing.want(at_pace(probe_streams, pace, clock.rate, shows), pace)
        self.visiting.want(
            self._visits(probe_streams), Pace(VISITORS, pace.read, pace.meter) if self.visitors else None
        )
        probed = [stream.name for stream in probe_streams]
        self.checks.want(to_check(self.engine.look.existing.nodes, probed, self._proofs, fed=self._fed, clock=clock))

    def _visits(self, probe_streams: Sequence[Stream]) -> list[Stream]:
        """The requests of the gentle load: those of the probe of the site, on kept connections."""
        site = next((stream for stream in probe_streams if stream.name == probes.SITE), None)
        rate = self.backend.clock.page_rate(VISITORS)
        return [Stream(VISITS, site.url, rate)] if site and self.visitors else []

    @property
    def _fed(self) -> bool:
        heard = self.probing.answers.heard
        return heard is not None and self.now() - heard < self.backend.clock.limit(STALE_SECONDS + 1)

    def turn(self) -> None:
        """Takes what the sources have, and publishes what changed."""
        look, now = self.engine.look, self.now()
        self._follow(look)
        events = self._events_of(look, now)
        shown = self._points(now)
        values = self._values(look, now)
        while self._events:
            events.append(self._events.popleft())
        due = time.monotonic() >= self._published + BEAT_SECONDS
        if due or shown or events or values != self._before(values):
            self._published = time.monotonic()
            self.beaten = now
            self.store.publish(values, shown, events, at=now)

    def _before(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The published values, with the ages of now: they alone are no reason to publish."""
        return {**self.store.snapshot.values, "proofs": values["proofs"]}

    def _follow(self, look: Look) -> None:
        """Plans again when other nodes exist than before."""
        names = {node.name for node in look.existing.nodes}
        if not names or (self.plan is not None and {node.name for node in self.plan.nodes} == names):
            return
        if self.plan is not None and names < {node.name for node in self.plan.nodes} and names != set(look.expected):
            return  # some are missing, or being removed: the picture keeps their places
        try:
            self.cluster, self.plan = planned(self.topology, self.backend, look.existing)
        except LabError as error:
            self.say("", "page", f"the topology does not describe this cluster: {error.what}", str(error))
            return
        self.judge = Judge(self.plan, self.cluster, self.backend.clock)
        self.picture, self.picture_version = picture(self.plan), self.picture_version + 1
        frugal.trim()
        self._pace()

    def _events_of(self, look: Look, now: float) -> list[dict[str, Any]]:
        """What changed since the last turn, as events."""
        events = [words.event(at, node, "log", text, raw) for at, node, text, raw in self.listener.fetch()]
        for change, fault in self.faults.note(look.faults, view.running(look), now):
            events.append(words.of_fault(change, fault, now))
            self.attention.extend(roles_read(self.plan, fault.nodes) if self.plan else None)
        if look.at and now - look.at < self.backend.clock.limit(STALE_SECONDS):
            proofs = view.proofs(
                look,
                self.probing.answers.latest,
                self.checks.proofs,
                self.faults.active,
                now,
                dict(self.doomed),
                self.backend.clock,
            )
            by_hand = {node.name for node in look.existing.nodes if node.fixed.by_hand}
            events += words.of_nodes(self._proofs, proofs, now, by_hand)
            self._proofs = proofs
        pools = view.pools(self.plan, self.probing.answers.latest, now, self.backend.clock)
        events += words.of_pools(self._pools, pools, now)
        self._pools = {**self._pools, **pools}
        self._holders(events, now)
        events += self._promises(now)
        return events

    def _holders(self, events: list[dict[str, Any]], now: float) -> None:
        latest = self.probing.answers.latest
        if not self._fed or self.plan is None:
            return
        holder = view.holder(latest.get(probes.VIP), now, self.backend.clock)
        primary = view.primary(self.plan, latest, now, self.backend.clock)
        if self.plan.vip:
            events += words.of_holder(
                "vip", self._holder, holder, now, f"http://{self.plan.vip}:8404/node says {holder}"
            )
        events += words.of_holder("primary", self._primary, primary, now, f"its /role says primary: {primary}")
        self._holder, self._primary = holder, primary

    def _promises(self, now: float) -> list[dict[str, Any]]:
        """Judges the promises once a second while there is something to judge."""
        faults = self.faults.latest(now)
        if not faults or self.judge is None or time.monotonic() < self._judged + JUDGE_SECONDS:
            return []
        self._judged = time.monotonic()
        since = faults[0].begun - self.backend.clock.limit(BEFORE_SECONDS + 1)
        changed = self.judge.judge(
            faults,
            self.probing.answers.rows(since),
            self.visiting.answers.rows(since).get(VISITS, []),
            rate=self.probing.paces.slowest(faults[0].begun, self._read(faults)),
            stalls=self.probing.stalls(since),
            holders=[self._holder] if self._holder else [],
        )
        return [words.of_promise(name, self.judge.shown[name], now) for name in changed]

    def _read(self, faults: Iterable[FaultSeen]) -> frozenset[str]:
        return roles_read(self.plan, [node for fault in faults for node in fault.nodes]) if self.plan else frozenset()

    def _points(self, now: float) -> list[dict[str, Any]]:
        """The seconds of the charts that are complete, or have new answers."""
        self._due |= self.visiting.answers.changed() | self.probing.answers.changed()
        ready = {second for second in self._due if second + 1 + SETTLED_SECONDS <= now}
        if not ready:
            return []
        self._due -= ready
        since = min(ready)
        visits = self.visiting.answers.rows(since).get(VISITS, [])
        return points(ready, visits, self.probing.answers.rows(since), self.backend.clock.limit(probes.LATE))

    def _values(self, look: Look, now: float) -> dict[str, Any]:
        flow = self._requests(now)
        facts = view.PageFacts(
            look=look,
            plan=self.plan,
            proofs=self._proofs,
            pools=self._pools,
            holder=self._holder,
            primary=self._primary,
            faults=self.faults.active,
            badges=self.slow.badges,
            flow=flow,
            probed=self.probing.answers.heard,
            lost=self.probing.lost,
        )
        values = view.values(facts, now, backend=self.backend, stale=self.backend.clock.limit(STALE_SECONDS))
        values["picture"] = self.picture_version
        values["clusters"] = self.slow.clusters
        values["visitors"] = {"on": self.visitors, "rate": VISITORS, "why": self.visiting.lost if self.visitors else ""}
        values["streams"] = list(self.probing.answers.latest)
        values["pace"] = (self.probing.paces.now or REST).rate
        for name, figures in (self.judge.shown if self.judge else {}).items():
            values[f"promise/{name}"] = figures
        for part in self.extra:
            values |= part()
        return values

    def _requests(self, now: float) -> dict[str, dict[str, float]]:
        """Requests a second that the balancers logged, by balancer and server."""
        self._flow.append((now, {name: dict(count) for name, count in self.listener.requests().items()}))
        while self._flow and self._flow[0][0] < now - FLOW_SECONDS:
            self._flow.popleft()
        total: dict[str, dict[str, float]] = {}
        for _, one in self._flow:
            for balancer, servers in one.items():
                own = total.setdefault(balancer, {})
                for server, count in servers.items():
                    own[server] = own.get(server, 0) + count / FLOW_SECONDS
        return {balancer: {server: round(rate) for server, rate in own.items()} for balancer, own in total.items()}
