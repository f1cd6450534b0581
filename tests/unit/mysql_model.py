"""A model of the MySQL cluster, as a state machine; `mysql_walks` has random walks of it.

It has logs, promises on a disk, replication one transaction at a time, and votes that arrive late or never. Nodes die,
come back, and come back with an empty disk; each may be told of other members at any time, as by an interrupted
'lab up'. The rules are those of the nodes (lab_node/keeper/rules.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from lab_node.keeper import rules
from lab_node.keeper.membership import Members
from lab_node.keeper.rules import Role

SIZE = 3
NODES = st.integers(0, SIZE - 1)
EVERYBODY = frozenset(range(SIZE))
NAMES: tuple[str, ...] = tuple(f"mysql{index + 1}" for index in range(SIZE))
# Whom a node hears: mostly everybody, else all but one of the three.
HEARD = st.sampled_from([EVERYBODY] * 4 + [EVERYBODY - {index} for index in range(SIZE)])


@dataclass
class Node:
    """A node of the model. `log`, `promised`, `member` are on its disk; the rest is gone with its power."""

    name: str
    log: list[int] = field(default_factory=list)
    promised: int = 0
    member: bool = False
    role: Role = Role.REPLICA
    epoch: int = 0
    follows: int | None = None  # the index of a primary, while replication runs
    following_epoch: int = 0
    history: tuple[tuple[int, int], ...] = ()
    waiting: set[int] = field(default_factory=set)  # of a primary: written, and not acknowledged
    written: bool = False  # of a node in promotion: its epoch is in its log
    owes: int = 0  # on its disk: how long its log was when a copy took its place
    members: Members = field(default_factory=lambda: Members(0, NAMES))  # on its disk
    configured: tuple[str, ...] = NAMES  # the members that it is told of
    copy: tuple[int, int, list[int]] | None = None  # on its way: whose, of which epoch, and what is in it

    @property
    def position(self) -> int:
        return self.log[-1] if self.log else 0

    @property
    def peers(self) -> frozenset[int]:
        """Whom it asks, itself among them."""
        return frozenset(NAMES.index(name) for names in self.memberships for name in names)

    @property
    def memberships(self) -> list[set[str]]:
        return self.members.memberships(self.configured)


@dataclass
class Candidacy:
    """An election that is under way.

    Attributes:
        candidate: the index of its node.
        promised: what that node had promised when it began.
        asks: those that are still to be asked for their votes.
        voters: those that gave them; empty until the candidate has promised the epoch itself.
    """

    candidate: int
    epoch: int
    promised: int
    asks: list[int]
    voters: list[rules.View] = field(default_factory=list)


class Cluster(RuleBasedStateMachine):
    """Three nodes; `acknowledged` is what clients were told."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes = [Node(f"mysql{number + 1}") for number in range(SIZE)]
        self.acknowledged: set[int] = set()
        self.opened: dict[int, str] = {}
        self.history: list[tuple[int, int]] = []

    @initialize(formed=st.booleans())
    def begin(self, formed: bool) -> None:  # noqa: FBT001
        """Three new disks, or a cluster that has formed and whose replicas follow."""
        if formed:
            self.stand(0, EVERYBODY)
            self.follow(1, EVERYBODY)
            self.follow(2, EVERYBODY)
            self.begin_epoch(0)
            for _ in range(2):
                for index in (1, 2):
                    self.follow(index, EVERYBODY)
                    self.receive(index, 1)
                    self.join(index, EVERYBODY)
            self.receive(1, 1)

    def view(self, node: Node) -> rules.View:
        owing = node.member and rules.owing(node.position, node.owes)
        return rules.View(
            node.name, node.role, node.promised, node.position, node.member and not owing, node.epoch, node.history,
            members=node.members, owes=node.owes if owing else 0,
        )  # fmt: skip

    def others(self, node: Node, heard: frozenset[int]) -> list[rules.View]:
        """The views of those that are up, heard, and asked."""
        return [
            self.view(one)
            for i, one in enumerate(self.nodes)
            if one is not node and i in heard & node.peers and one.role != Role.DOWN
        ]

    # -- elections --

    @rule(candidate=NODES, heard=HEARD)
    def stand(self, candidate: int, heard: frozenset[int]) -> None:
        """A node stands at any time, however impatient: only votes make a primary."""
        me = self.nodes[candidate]
        if me.role is not Role.REPLICA:
            return
        one = self.candidacy(candidate, heard)
        self.promise_itself(one)
        while one.asks:
            self.ask(one)
        self.count(one)

    def candidacy(self, candidate: int, heard: frozenset[int]) -> Candidacy:
        """An election that begins: nothing is promised yet."""
        me = self.nodes[candidate]
        epoch = rules.next_epoch([self.view(me), *self.others(me, heard)])
        return Candidacy(candidate, epoch, me.promised, sorted(heard & me.peers - {candidate}))

    def promise_itself(self, one: Candidacy) -> bool:
        """A candidate promises its epoch, and receives no more; not if it gave its vote meanwhile."""
        me = self.nodes[one.candidate]
        if me.role is not Role.REPLICA or me.promised != one.promised:
            return False
        me.promised, me.follows = one.epoch, None
        one.voters = [self.view(me)]
        return True

    def ask(self, one: Candidacy) -> None:
        """The next node is asked for its vote."""
        me, voter = self.nodes[one.candidate], self.nodes[one.asks.pop(0)]
        if voter.role is not Role.REPLICA or one.epoch <= voter.promised:
            return
        if not voter.members.admits(me.members, me.configured):
            return
        before, voter.promised, voter.follows = voter.promised, one.epoch, None
        if rules.grants(one.epoch, one.voters[0].position, before, voter.position):
            one.voters.append(rules.counted(self.view(voter), one.voters[0].position))
            voter.members = voter.members.voted(me.members, me.configured, one.epoch)

    def count(self, one: Candidacy) -> None:
        """A candidate that has a majority is elected, unless it gave its vote meanwhile."""
        me, epoch = self.nodes[one.candidate], one.epoch
        if me.role is Role.REPLICA and me.promised == epoch and rules.chosen(one.voters, me.memberships):
            missing = self.acknowledged - set(me.log)
            assert not missing, f"{me.name} is elected for epoch {epoch} without {missing}"
            me.members = me.members.elected(me.configured, epoch)
            me.member, me.role, me.epoch = True, Role.PROMOTING, epoch
            self.history = [*self.known(me), (epoch, me.position)]
            me.history = tuple(self.history)
            me.written = False

    @rule(index=NODES, heard=HEARD)
    def learn(self, index: int, heard: frozenset[int]) -> None:
        """A replica hears what the others know of the members."""
        me = self.nodes[index]
        if me.role is Role.REPLICA:
            for view in self.others(me, heard):
                me.members = me.members.heard(view.members)

    @rule(index=NODES)
    def begin_epoch(self, index: int) -> None:
        """Whoever was elected writes its epoch when somebody can take it: a member that follows, or everybody."""
        me = self.nodes[index]
        following = [one for one in self.nodes if one.follows == index and one.following_epoch == me.epoch]
        if me.role is not Role.PROMOTING or me.written:
            return
        if any(one.member for one in following) or len(following) >= len(me.configured) - 1:
            me.log.append(me.epoch * rules.SPAN)
            me.waiting, me.written = {me.log[-1]}, True
            self.alone(me)

    def alone(self, primary: Node) -> None:
        """A primary without replicas waits for none."""
        if len(primary.configured) == 1:
            self.answered(primary, primary.position)

    def known(self, node: Node) -> list[tuple[int, int]]:
        """The epochs in a node's log: each with what was before it."""
        begun = [i for i, number in enumerate(node.log) if number % rules.SPAN == 0]
        return [(rules.epoch_of(node.log[i]), node.log[i - 1] if i else 0) for i in begun]

    @rule(index=NODES, heard=HEARD)
    def notice(self, index: int, heard: frozenset[int]) -> None:
        """A primary that hears of a newer epoch ends, whenever it hears of it."""
        me = self.nodes[index]
        if me.role in (Role.PRIMARY, Role.PROMOTING) and rules.outdated(self.view(me), self.others(me, heard)):
            self.die(index)
            me.role = Role.REPLICA

    @rule(index=NODES)
    def give_up(self, index: int) -> None:
        """One in promotion that nobody has taken goes on as a replica, whenever it does."""
        me = self.nodes[index]
        if me.role is Role.PROMOTING and not me.written:
            me.role, me.epoch, me.history = Role.REPLICA, 0, ()

    # -- replication --

    @rule(index=NODES, heard=HEARD)
    def follow(self, index: int, heard: frozenset[int]) -> None:
        """A replica follows the newest primary that it hears of; a log that has diverged is made anew."""
        me = self.nodes[index]
        if me.role is not Role.REPLICA:
            return
        found = rules.leader(self.view(me), self.others(me, heard))
        if found is None:
            return
        leader = next(i for i, node in enumerate(self.nodes) if node.name == found.name)
        me.promised, me.follows = max(me.promised, found.epoch), None
        me.members = me.members.following(self.nodes[leader].members, found.epoch)
        if rules.diverged(me.position, found.history):
            # A copy of what it leads with, and of what is committed: not while its first transaction waits.
            if not self.nodes[leader].waiting or found.role is Role.PRIMARY:
                me.log = list(self.nodes[leader].log)
            return
        me.follows, me.following_epoch = leader, found.epoch

    @rule(index=NODES, count=st.integers(1, 3), lost=st.booleans())
    def receive(self, index: int, count: int, lost: bool = False) -> None:  # noqa: FBT001
        """Transactions arrive at a replica; a member says so, what may be lost, and that is what a writer waits for."""
        me = self.nodes[index]
        if me.role is not Role.REPLICA or me.follows is None:
            return
        primary = self.nodes[me.follows]
        if primary.epoch != me.following_epoch or primary.role not in (Role.PRIMARY, Role.PROMOTING):
            me.follows = None
            return
        assert me.log == primary.log[: len(me.log)], (
            "a replica follows a log that is not the beginning of its primary's"
        )
        me.log += primary.log[len(me.log) : len(me.log) + count]
        if me.member and not lost:
            self.answered(primary, me.position)

    def answered(self, primary: Node, position: int) -> None:
        done = {number for number in primary.waiting if number <= position}
        primary.waiting -= done
        if primary.role is Role.PROMOTING and primary.written and not primary.waiting:
            primary.role = Role.PRIMARY
            assert primary.epoch not in self.opened, "two primaries of one epoch"
            self.opened[primary.epoch] = primary.name
            missing = self.acknowledged - set(primary.log)
            assert not missing, f"{primary.name} opens epoch {primary.epoch} without {missing}"
        self.acknowledged |= {number for number in done if number % rules.SPAN}

    @rule(index=NODES)
    def fetch(self, index: int) -> None:
        """A copy of the primary's data is begun, for whatever reason; the replica goes on with what it does."""
        me = self.nodes[index]
        primary = next((i for i, node in enumerate(self.nodes) if node.role is Role.PRIMARY), None)
        if me.role is Role.REPLICA and primary is not None and self.nodes[primary].epoch >= me.promised:
            me.copy = primary, self.nodes[primary].epoch, list(self.nodes[primary].log)

    @rule(index=NODES)
    def replace(self, index: int) -> None:
        """The copy takes the place of the log, if that primary still leads."""
        me = self.nodes[index]
        if me.role is not Role.REPLICA or me.copy is None:
            return
        primary, epoch, log = me.copy
        me.copy = None
        donor = self.nodes[primary]
        if donor.role is Role.PRIMARY and donor.epoch == epoch >= me.promised:
            me.owes, me.log, me.follows, me.promised = max(me.owes, me.position), log, None, epoch

    @rule(index=NODES, heard=HEARD)
    def join(self, index: int, heard: frozenset[int]) -> None:
        """A node whose disk was new counts from now on, if it may."""
        me = self.nodes[index]
        if me.role is not Role.REPLICA or me.member or me.follows is None:
            return
        primary = self.nodes[me.follows]
        if primary.epoch != me.following_epoch or primary.role not in (Role.PRIMARY, Role.PROMOTING):
            return
        views = [view for view in self.others(me, heard) if view.name in me.configured]
        me.member = rules.joins(self.view(me), self.view(primary), views, len(me.configured))

    # -- life --

    @rule(index=NODES)
    @precondition(lambda self: any(node.role is Role.PRIMARY for node in self.nodes))
    def write(self, index: int) -> None:
        """A client writes to whoever calls itself primary, be it the newest one or one that hung and woke."""
        primaries = [node for node in self.nodes if node.role is Role.PRIMARY]
        me = primaries[index % len(primaries)]
        me.log.append(me.position + 1)
        me.waiting.add(me.position)
        self.alone(me)

    @rule(index=NODES)
    def die(self, index: int) -> None:
        """The power goes: what waited for an answer stays in the log, and nobody was told."""
        me = self.nodes[index]
        me.role, me.epoch, me.follows, me.waiting, me.history, me.copy = Role.DOWN, 0, None, set(), (), None

    @rule(index=NODES, truncated=st.booleans())
    def boot(self, index: int, truncated: bool) -> None:  # noqa: FBT001
        """It comes back as a replica. Where a newer primary is open, it may have dropped what nobody answered."""
        me = self.nodes[index]
        if me.role is Role.DOWN:
            me.role = Role.REPLICA
            newer = [node for node in self.nodes if node.role is Role.PRIMARY and node.epoch > me.promised]
            if truncated and newer:
                me.log = [number for number in me.log if number in newer[0].log]

    @rule(index=NODES)
    def acknowledge_again(self, index: int) -> None:
        """An acknowledgement that was lost is said again, by whoever still follows: all that it has received."""
        me = self.nodes[index]
        if me.role is not Role.REPLICA or me.follows is None or not me.member:
            return
        primary = self.nodes[me.follows]
        if primary.epoch == me.following_epoch and primary.role in (Role.PRIMARY, Role.PROMOTING):
            self.answered(primary, me.position)

    @rule(index=NODES)
    def lose_disk(self, index: int) -> None:
        """One disk at a time is replaced, while the others have theirs: nobody stands the loss of two of three.

        What a copy has taken the place of is such a loss, until it has come back.
        """
        members = max((node.members for node in self.nodes), key=lambda known: known.since).names
        others = [node for i, node in enumerate(self.nodes) if node.name in members and i != index]
        if any(node.members.names != members or node.members.changing(node.configured) for node in self.nodes):
            return  # a change of the members is under way
        if not others or not all(node.member and node.position >= node.owes for node in others):
            return
        self.die(index)
        me = self.nodes[index]
        me.log, me.promised, me.member, me.owes, me.members = [], 0, False, 0, Members(0, me.configured)

    @rule(index=NODES, members=st.sets(NODES, min_size=1).map(frozenset))
    def configure(self, index: int, members: frozenset[int]) -> None:
        """A node is told of other members, which it learns when its keeper starts."""
        me = self.nodes[index]
        if index in members:
            names = tuple(NAMES[each] for each in sorted(members))
            runs = me.role is not Role.DOWN
            self.die(index)
            me.configured = names
            if runs:
                self.boot(index, False)  # noqa: FBT003

    def led(self, heard: frozenset[int]) -> bool:
        """Whether a node takes writes, in the newest epoch that any of these has promised."""
        nodes = [self.nodes[index] for index in heard]
        newest = max(node.promised for node in nodes)
        return any(node.role is Role.PRIMARY and node.epoch >= newest for node in nodes)

    def whole(self) -> bool:
        """Whether a node leads, and the others are members that have its log."""
        ends = {node.position for node in self.nodes}
        return self.led(EVERYBODY) and len(ends) == 1 and all(node.member for node in self.nodes)

    @invariant()
    def what_was_acknowledged_is_on_a_disk(self) -> None:
        for number in self.acknowledged:
            assert any(number in node.log for node in self.nodes), number
