"""A check of files on a shared filesystem: a node writes them one after the other, with or without a fault."""

from __future__ import annotations

import dataclasses
import shlex
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from lab.errors import NotReady
from lab.evidence import written
from lab.evidence.delays import Delays, judged_red
from lab.evidence.load_run import skew
from lab.evidence.outcomes import CheckInput, green, kind, red, unknown
from lab.evidence.pages import broken
from lab.evidence.stalls import Meter
from lab.evidence.written import WrittenValue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.evidence.outcomes import CheckOutcome, Scene
    from lab.evidence.stalls import Stall

WRITE_SECONDS = 20
STOP_SECONDS = 60.0
REMOVE_SECONDS = 10.0
COPY_SECONDS = 60.0
PROGRAM = r"""
import hashlib, os, sys, time
folder, notes = sys.argv[1:]
os.makedirs(folder)
number, longest, failed, at = 0, 0.0, 0, 0.0
with open(notes, "a", buffering=1) as sums:
    while not os.path.exists(notes + ".stop"):
        number, begun, unix = number + 1, time.monotonic(), time.time()
        data = os.urandom(5000)
        try:
            with open(f"{folder}/{number}", "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            sums.write(f"{hashlib.sha256(data).hexdigest()}  {number}\n")
        except OSError:
            failed += 1
        longest, at = max((longest, at), (time.monotonic() - begun, unix))
        time.sleep(0.05)
open(notes + ".end", "w").write(f"{longest:.3f} {at:.3f} {failed}")
"""


class FileWritesCheck(CheckInput):
    """Files of a node, each flushed to the disks, before, during and after a fault.

    Attributes:
        folder: where on the node, such as `/srv/shared`.
        fault: its kind; empty for none.
        target: the nodes of the fault, as `lab fault` takes them.
        asks: the longest time that one write may take, in seconds.
        seconds: how long the fault lasts, or without one the writes.
        copies: nodes that have each file afterwards, below `brick`.
        formula: the bound by the person's own values, an expression over the names of `reads`.
    """

    node: str
    folder: str
    fault: str = "pause"
    target: str = ""
    seconds: float = Field(15, ge=1, le=60)
    asks: float = Field(gt=0)
    copies: list[str] = Field([], description="nodes")
    brick: str = ""
    formula: str = ""
    reads: dict[str, WrittenValue] = Field({}, description="values by name")


@kind(
    "file-writes", FileWritesCheck, ("not-mounted", "refused", "slow", "failed-writes", "lost", "no-copy"), breaks=True
)
def file_writes(scene: Scene, request: FileWritesCheck) -> CheckOutcome:
    """Writes, injects the fault, reverts it, and compares what is stored with what was written."""
    with Meter(scene.backend.clock) as meter:
        return _written(scene, request, meter.stalls)


def _written(scene: Scene, request: FileWritesCheck, stalls: Sequence[Stall]) -> CheckOutcome:
    """The same; `stalls` grow meanwhile."""
    writer = FileWriter(scene, request.node, request.folder)
    if not scene.run(request.node, ["mountpoint", "-q", request.folder]).ok:
        return red("not-mounted", f"nothing is mounted at {request.folder} of {request.node}")
    if problem := writer.start():
        return red("refused", f"{request.node} can't write to {request.folder}: {problem}")
    try:
        injected = broken(scene, request.fault, request.target) if request.fault else None
        try:
            scene.backend.clock.wait(scene.backend.clock.limit(request.seconds))
        finally:
            if injected:
                injected.heal()
        figures = writer.stop()
        if figures is None:
            since = f"after {request.target} was back" if request.fault else "later"
            now = scene.backend.clock.now()
            excuse = _delays(scene, stalls).preventing(now - scene.backend.clock.limit(STOP_SECONDS), now)
            return judged_red("slow", f"a write had not ended {STOP_SECONDS:g} s {since}", excuse=excuse)
        return judged_writes(scene, request, writer, figures, stalls)
    finally:
        writer.remove()


@dataclass(frozen=True)
class WriteFigures:
    """What a program measured that wrote files.

    Attributes:
        longest: seconds of the longest write.
        failed: how many failed.
        written: how many succeeded.
        begun: start of the longest write (Unix seconds of the nodes).
    """

    longest: float
    failed: int
    written: int
    begun: float = 0.0


@dataclass(frozen=True)
class FileWriter:
    """A program on a node that writes files into a folder of its own until it is stopped."""

    scene: Scene
    node: str
    folder: str
    name: str = dataclasses.field(default_factory=lambda: f"writes-{uuid.uuid4().hex[:8]}")

    @property
    def place(self) -> str:
        """The folder of the files."""
        return f"{self.folder.rstrip('/')}/{self.name}"

    @property
    def notes(self) -> str:
        """Where it notes the sums, on the node's own disk."""
        return f"/var/tmp/{self.name}"  # noqa: S108  in the node, not here

    def run(self, script: str, node: str = "") -> tuple[bool, str]:
        """A shell script in the node, or another one: whether it succeeded, and its output."""
        result = self.scene.run(node or self.node, ["sh", "-c", script], WRITE_SECONDS)
        return result.ok, (result.stdout or result.last_line).strip()

    def start(self) -> str:
        """Starts it, and waits for the first files; returns the problem, empty where there is none."""
        program, words = shlex.quote(PROGRAM), f"{shlex.quote(self.place)} {self.notes}"
        self.run(f"setsid python3 -c {program} {words} > {self.notes}.err 2>&1 &")
        try:
            self.scene.backend.clock.until(
                "the first files",
                WRITE_SECONDS,
                lambda: self.run(f"test -s {self.notes}"),
                lambda answer: answer[0],
            )
        except NotReady:
            return self.run(f"tail -n 1 {self.notes}.err")[1] or "a write does not end"
        return ""

    def stop(self) -> WriteFigures | None:
        """Stops it, and returns what it measured; None where it does not end."""
        try:
            _, output = self.scene.backend.clock.until(
                "the last write",
                STOP_SECONDS,
                lambda: self.run(f"touch {self.notes}.stop; cat {self.notes}.end 2> /dev/null"),
                lambda answer: answer[0],
            )
        except NotReady:
            return None
        longest, at, failed = output.split()
        written_files = int(self.run(f"wc -l < {self.notes}")[1])
        begun = float(at) - skew(self.scene.backend, self.node)
        return WriteFigures(float(longest), int(failed), written_files, begun)

    def complete(self, node: str, place: str) -> bool:
        """Waits until a node has each file as it was written; whether it did."""
        sums = self.scene.backend.get(self.node, self.notes) or b""
        self.scene.backend.put(node, {f"{self.notes}.sums": (sums, 0o600)})
        script = f"cd {shlex.quote(place)} && sha256sum --check --quiet {self.notes}.sums > /dev/null 2>&1"
        try:
            self.scene.backend.clock.until(f"the files on {node}", COPY_SECONDS, lambda: self.run(script, node)[0])
        except NotReady:
            return False
        finally:
            self.scene.run(node, ["rm", "-f", f"{self.notes}.sums"])
        return True

    def remove(self) -> None:
        """Ends it, and removes what it has written."""
        place, notes = shlex.quote(self.place), self.notes
        limit = self.scene.backend.clock.option(REMOVE_SECONDS)
        self.run(f"touch {notes}.stop; timeout {limit} rm -rf {place}; [ ! -e {notes}.end ] || rm -f {notes} {notes}.*")


def judged_writes(
    scene: Scene, request: FileWritesCheck, writer: FileWriter, figures: WriteFigures, stalls: Sequence[Stall] = ()
) -> CheckOutcome:
    """The answer by the longest write, how many failed, and what is stored.

    `stalls`: of this machine; what fails only because of them is unknown.
    """
    count, delays = figures.written, _delays(scene, stalls)
    values = written.read(scene.backend, request.reads)
    bound = written.allowed(request.formula, values)
    formula = f"{request.formula} = {bound:g} s, with {written.shown(values)}" if bound is not None else ""
    figure = f"the longest write took {figures.longest:.2f} s, {figures.failed} of {count + figures.failed} failed"
    if not count:
        return unknown("nothing was written", figure=figure)
    if figures.longest > request.asks:
        excuse = delays.hiding(figures.begun, figures.longest, request.asks)
        says = f"{figure}; the lesson asks for at most {request.asks:g} s"
        return judged_red("slow", says, f"{figures.longest:.2f} s", formula, excuse=excuse)
    if figures.failed:
        return red("failed-writes", f"{figure}; none may", figure, formula)
    if lost := _incomplete(scene, request, writer, count, delays):
        return dataclasses.replace(lost, figure=figure, formula=formula)
    if bound is not None and bound > request.asks:
        # A hang of another length would have cost more.
        return red("slow", f"{figure}; the lesson asks for at most {request.asks:g} s in any case", figure, formula)
    return green(f"{figure}, and each node has all files", figure, formula)


def _incomplete(
    scene: Scene, request: FileWritesCheck, writer: FileWriter, count: int, delays: Delays
) -> CheckOutcome | None:
    """The answer where a file was lost or is not on a node that has copies; None where none is missing."""
    if not writer.complete(request.node, writer.place):
        return red("lost", f"{request.node} does not have each of {count} files as it was written")
    for node in request.copies:
        clock = scene.backend.clock
        begun = clock.now()
        if not writer.complete(node, f"{request.brick}/{writer.name}"):
            missing = f"{node} does not have all of {count} files after {COPY_SECONDS:g} s"
            return judged_red("no-copy", missing, "", "", excuse=delays.preventing(begun, clock.now()))
    return None


def _delays(scene: Scene, stalls: Sequence[Stall]) -> Delays:
    return Delays(stalls, scene.backend.clock)
