"""Execution of rounds: tables, faults under load, recovery, and the comparison of all copies."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from lab.errors import BackendError, LabError, NotReady
from lab.evidence.delays import Delays
from lab.evidence.ledger import Outcome
from lab.evidence.load_run import CLIENT, skew
from lab.evidence.probes import LATE, good, outages
from lab.faults import heal
from lab.nemesis import judging, statements
from lab.nemesis.actions import play
from lab.nemesis.bounds import writes_bound
from lab.nemesis.context import RoundContext
from lab.nemesis.copies import read
from lab.nemesis.figures import Played
from lab.nemesis.judging import FailedCheck
from lab.nemesis.load import BEAT, RATE, READ, SHOWN, SUM, NemesisLoad
from lab.nemesis.majority import helpless
from lab.nemesis.recovery import WHOLE_SECONDS, primary, repaired, whole
from lab.services.mysql import members

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lab.backends.base import Backend
    from lab.evidence.ledger import Operation
    from lab.evidence.load_run import Row
    from lab.evidence.probes import Span
    from lab.evidence.stalls import Stall
    from lab.evidence.verdicts import FaultEvent
    from lab.nemesis.judging import NodeCopy
    from lab.nemesis.rounds import NemesisRound
    from lab.plan import Plan
    from lab.progress import Report
    from lab.services.mysql import Member
    from lab.topology import Cluster, Placement

COMMIT_SECONDS = 10.0
POSITION_SECONDS = 30.0


@dataclass(frozen=True)
class RoundData:
    """The measurements of a round, and its result."""

    played: Played
    beats: Mapping[str, Sequence[Row]]
    operations: Sequence[Operation]
    happened: Sequence[FaultEvent]
    stalls: Sequence[Stall]
    notes: Sequence[str]


@dataclass
class Nemesis:
    """A context manager that creates the tables, runs rounds, and drops the tables.

    Attributes:
        floor: highest known value of the counter.
        digests: of each table at the end of the previous round.
        primary: the last known primary.
        spoiled: whether a check failed in the last round; the tables are kept then.
    """

    cluster: Cluster
    backend: Backend
    place: Placement
    plan: Plan
    report: Report
    floor: int = 0
    digests: dict[str, str] = field(default_factory=dict)
    primary: str = ""
    spoiled: bool = False
    _skew: float = 0.0
    _writers: int = 0  # number of the last writers: that of the round, or one more than the last ones had

    def __enter__(self) -> Self:
        self._skew = skew(self.backend)
        self.set_up()
        return self

    def __exit__(self, *error: object) -> None:
        self.backend.run(CLIENT, ["rm", "-f", self._password])
        if error[0] is None and not self.spoiled:
            self._root(statements.TAKE_DOWN)

    def set_up(self) -> None:
        """Re-creates the tables, and an account that may write into them."""
        self.primary = primary(self.backend)
        password = secrets.token_hex(16)
        self.backend.put(CLIENT, {self._password: (password.encode(), 0o600)})
        self._root(statements.SET_UP.replace("{password}", password))
        self.floor, self.digests = 0, {}

    def round(self, one: NemesisRound) -> RoundData:
        """Runs a round and its checks. One that is played again writes under another number: rows of both stay."""
        begun = self.backend.clock.steady()
        others = sorted(node.name for node in self.plan.role("mysql") if node.name != self.primary)
        at = RoundContext(self.cluster, self.backend, self.place, [self.primary, *others])
        self._writers = max(one.number, self._writers + 1)
        largest = one.number % statements.LARGEST_EVERY == 0
        load = NemesisLoad(self.backend, self.plan, self._writers, self._skew, largest=largest)
        with load:
            failures, skipped = self._done(at, one, load)
            reverted = self.backend.clock.now()
            failures += self._recovered(load, reverted)
        silences = outages(load.rows[BEAT], self.backend.clock.limit(LATE))
        late, unknown = self.judged_outages(one, silences, at.happened, load)
        failures += late + self._judged(load)
        self.spoiled = bool(failures)
        done = [operation for table in load.operations.values() for operation in table]
        played = Played(
            one.number,
            one.kind,
            "; ".join(fault.text for fault in at.happened if fault.kind != "switchover") or str(one),
            self.backend.clock.steady() - begun,
            max((span.seconds for span in silences), default=None),
            sum(operation.outcome is Outcome.ACKNOWLEDGED for operation in done),
            tuple(failures),
            skipped,
            "" if failures else unknown,
            max((part.seconds for part in judging.connected(silences, self._helpless(at.happened))), default=None),
        )
        return RoundData(played, load.rows, done, at.happened, load.stalls, at.notes)

    def _done(self, at: RoundContext, one: NemesisRound, load: NemesisLoad) -> tuple[list[FailedCheck], str]:
        """Executes the faults once writes succeed; failed checks, and why the round was skipped, if it was."""
        try:
            load.taken(0)
            play(at, one)
        except LabError as error:
            if interrupt := _interrupt(error):
                raise interrupt from error
            why = error.what.splitlines()[0]
            try:
                heal(self.backend)
            except NotReady as late:  # a node is late, or a fault is still active
                return [FailedCheck("whole", late.what.splitlines()[0])], ""
            return ([FailedCheck("whole", why)], "") if isinstance(error, NotReady) else ([], why)
        return [], ""

    def _recovered(self, load: NemesisLoad, reverted: float) -> list[FailedCheck]:
        """Waits until writes succeed and all nodes replicate; the failed checks."""
        clock, failures, served = self.backend.clock, [], [0.0]

        def current() -> list[Member]:
            nodes = members(self.backend)
            serving = [one.name for one in nodes if one.serves]
            if len(serving) == 1 and not served[0]:
                served[0] = clock.now()
            self.primary = serving[0] if len(serving) == 1 else self.primary
            return nodes

        try:
            load.taken(reverted)
        except NotReady as error:
            failures.append(FailedCheck("writes", f"after all faults were reverted: {error.what}"))
        try:
            # A primary may say for a moment that it does not serve: of each node one answer is asked for.
            recovered = lambda nodes: whole(nodes) and bool(served[0])  # noqa: E731
            clock.until("one node to serve and two to follow it", WHOLE_SECONDS, current, recovered)
        except NotReady as error:
            failures.append(FailedCheck("whole", error.what))
        return failures

    def judged_outages(
        self, one: NemesisRound, silences: Sequence[Span], happened: Sequence[FaultEvent], load: NemesisLoad
    ) -> tuple[list[FailedCheck], str]:
        """Compares the outages of writes with the bound and one interval of the probes; see `judging.written`."""
        clock = self.backend.clock
        allowed = writes_bound(one.kind, self.cluster, happened) + clock.limit(1 / RATE)
        return judging.written(silences, self._helpless(happened), allowed, Delays(load.stalls, clock))

    def _helpless(self, happened: Sequence[FaultEvent]) -> list[Span]:
        return helpless(happened, len(self.plan.role("mysql")))

    def _judged(self, load: NemesisLoad) -> list[FailedCheck]:
        """The comparison of all copies, after the writers have stopped."""
        rows = load.rows
        failures = judging.forward(self.floor, load.written(), rows[READ])
        self.floor = max([self.floor, *(value for value, row in load.written() if good(row))])
        copies, failed = self._read(self._writers)
        failures += failed
        failures += judging.summed(statements.TOTAL, copies, rows[SUM])
        failures += judging.shown(rows[SHOWN], copies)
        failures += judging.acknowledged({table: load.operations[table] for table in statements.LEDGERS}, copies)
        failures += judging.sealed(self.digests, copies)
        failures += judging.equal(copies)
        if copies:
            self.digests = dict(copies[self.primary].now)
        return failures

    def _read(self, number: int) -> tuple[Mapping[str, NodeCopy], list[FailedCheck]]:
        """All copies at one position, or the failed check."""
        names = [node.name for node in self.plan.role("mysql")]
        topology = self.cluster.mysql.topology if self.cluster.mysql else "replication"
        reading = lambda: read(self.backend, names, topology, number)  # noqa: E731  polled by `until`
        clock = self.backend.clock
        try:
            clock.until("no blocked commit", COMMIT_SECONDS, reading, lambda snapshot: not snapshot.waiting)
        except NotReady as error:
            return {}, [FailedCheck("commits", error.what)]
        try:
            snapshot = clock.until(
                "all nodes at one position", POSITION_SECONDS, reading, lambda snapshot: snapshot.together
            )
        except NotReady as error:
            return {}, [FailedCheck("whole", error.what)]
        return snapshot.copies, []

    def mend(self) -> None:
        """After a failed round: repairs the cluster, and re-creates the tables.

        Raises:
            LabError: the cluster did not recover.
        """
        repaired(self.backend, [node.name for node in self.plan.role("mysql")])
        heal(self.backend)
        self.set_up()

    def _root(self, query: str) -> None:
        """Runs statements as root on the primary."""
        done = self.backend.run(self.primary, ["mariadb", "--execute", query])
        if not done.ok:
            raise BackendError(f"cannot create the tables of the nemesis: {done.last_line}", where=self.primary)

    @property
    def _password(self) -> str:
        return f"/etc/lab/passwords/{statements.USER}"


def _interrupt(error: BaseException | None) -> BaseException | None:
    """The signal during which an error occurred: where reverting a fault fails then, the run ends all the same."""
    while error and not isinstance(error, (KeyboardInterrupt, SystemExit)):
        error = error.__context__
    return error
