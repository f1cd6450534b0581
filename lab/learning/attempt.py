"""A lesson on a running cluster: its tasks are checked, solved and compared here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.errors import BackendError, LabError, NotReady, SpecError
from lab.evidence.outcomes import CheckOutcome, Colour, Scene, question, unknown
from lab.faults import fault, heal, inject
from lab.learning import difference, mine, progress
from lab.learning.admission import admit
from lab.learning.library import lesson
from lab.learning.values import filled, names
from lab.lifecycle import hand, resolve, secrets
from lab.plan import plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lab.backends.base import Backend
    from lab.evidence.outcomes import Question
    from lab.learning.lesson import LessonStep, Task
    from lab.learning.library import Lesson, WrongAnswer
    from lab.learning.progress import LessonProgress, TaskProgress
    from lab.plan import NodePlan
    from lab.plan.model import File
    from lab.progress import Report

HINT_STEPS = 3
SAME_REASON = 2
"""Red checks in a row with one reason from which on its hint is shown."""

PATIENCE = 5.0
"""Seconds that a person waits for the answer of a check, at most; the lab's own solution has all that the task says."""


@dataclass(frozen=True)
class Compared:
    """A file of the person's beside the lab's own.

    Attributes:
        diff: from the lab's to the person's, in the unified format; empty where they are equal.
        mine: the copy of what the person had before a solution replaced it; empty for none.
        demanded: the person's lines with values that the lesson asks for, which are no difference.
    """

    node: str
    path: str
    diff: str
    mine: str = ""
    demanded: tuple[str, ...] = ()


@dataclass(frozen=True)
class KeptFile:
    """A file of the person's that a solution replaced, and the path of its copy."""

    node: str
    path: str
    copy: str


@dataclass(frozen=True)
class Attempt:
    """A lesson on a cluster.

    Attributes:
        known: what texts, checks and scripts may name.
    """

    lesson: Lesson
    scene: Scene
    known: Mapping[str, Any]

    @property
    def backend(self) -> Backend:
        """Where it runs."""
        return self.scene.backend

    @property
    def progress(self) -> progress.LessonProgress:
        """How far it is."""
        return progress.read(self.backend, self.lesson.name)

    @property
    def next(self) -> Task | None:
        """The first task that is not green yet; None when all are."""
        done = self.progress
        return next((task for task in self.lesson.data.tasks if done.of(task.id).green is None), None)

    @property
    def not_green(self) -> list[Task]:
        """The tasks that were green once, and whose last check was not."""
        done = self.progress
        return [task for task in self.lesson.data.tasks if done.of(task.id).was_green]

    def visible_tasks(self, done: LessonProgress) -> list[Task]:
        """The tasks that may be shown: of a repair lesson none behind the open one, as titles tell what is broken.

        `done`: how far the lesson is.
        """
        tasks = self.lesson.data.tasks
        if not self.lesson.data.broken:
            return tasks
        before = next((number for number, task in enumerate(tasks) if done.of(task.id).green is None), len(tasks))
        return [task for number, task in enumerate(tasks) if number <= before or done.of(task.id).green is not None]

    def text(self, name: str) -> str:
        """A section of the text, or `intro`, with its names filled in."""
        text = self.lesson.text
        body = text.intro if name == "intro" else f"## {text.sections[name].title}\n\n{text.sections[name].body}"
        return str(filled(body, self.known, f"{self.lesson.name}/lesson.md"))

    def check(self, task: Task, within: float | None = None, *, repeated: bool = False) -> CheckOutcome:
        """Makes a task's checks in order; the first that is not green is the answer. Kept as progress.

        Args:
            task: one of the lesson.
            within: seconds until it has to be green, instead of the task's own.
            repeated: whether `check --watch` makes it again.

        Raises:
            SpecError: a node of the lesson does not run.
        """
        self._admit()
        outcome = self._outcome(task, task.within if within is None else within)
        progress.keep(self.backend, self.progress.checked(task.id, outcome, task.files, repeated=repeated))
        return outcome

    def _outcome(self, task: Task, within: float) -> CheckOutcome:
        outcome = unknown("no check was made")
        for kind, parameters in task.checks:
            check = question(kind, filled(parameters, self.known, f"task {task.id}"), f"task {task.id}")
            outcome = self._answer(check, 0 if check.kind.breaks else within)
            if not outcome.green:
                return outcome
        return outcome

    def _answer(self, check: Question, within: float) -> CheckOutcome:
        """The answer of one check: green at any time within the limit, else that at its end."""
        last = unknown("no check was made")

        def ask() -> CheckOutcome:
            nonlocal last
            last = check.ask(self.scene)
            return last

        try:
            if not within:
                return ask()
            return self.backend.clock.until("the check to be green", within, ask, lambda one: one.green)
        except NotReady:
            return last
        except LabError as error:
            return unknown(error.what)

    def _admit(self) -> None:
        """Refuses a check where a node does not run.

        Raises:
            SpecError: names it, with the last lines of one that is by hand.
        """
        planned = self.scene.plan
        down = hand.ended(self.backend, [node.name for node in planned.nodes])
        nodes = down if not self.lesson.data.broken else [name for name in down if name in planned.by_hand]
        if nodes:
            raise hand.does_not_run(self.backend, nodes[0])

    def hint(self, task: Task) -> list[str]:
        """The steps of a task's hints that were shown so far, and one more."""
        done = self.progress
        shown = min(done.of(task.id).hints + 1, HINT_STEPS)
        progress.keep(self.backend, done.changed(task.id, hints=shown))
        return self.hints(task)[:shown]

    def all_hinted(self, task: Task) -> bool:
        """Whether all steps of a task's hints were shown already."""
        return self.progress.of(task.id).hints >= HINT_STEPS

    def hints(self, task: Task) -> list[str]:
        """All steps of a task's hints."""
        return [str(filled(text, self.known, f"hints of {task.id}")) for text in task.hints.steps]

    def reason_hint(self, task: Task, reason: str) -> str:
        """The hint for a reason of a check; empty where there is none."""
        return str(filled(task.hints.reasons.get(reason, ""), self.known, f"hints of {task.id}"))

    def shown_reason(self, task: Task, done: TaskProgress | None = None) -> str:
        """The hint for the reason of the last check, where it is due; else empty.

        It nearly tells the answer, so a person first has the figure and may look. It is due at once where a daemon does
        not run or has not read its file, or no answer was possible; else when the same reason came again, or after all
        steps of the task's hints. `done`: how far the task is, by notes that were read.
        """
        done = done or self.progress.of(task.id)
        at_once = done.last == Colour.UNKNOWN or done.reason in self._daemon_reasons(task)
        if at_once or done.same >= SAME_REASON or done.hints >= HINT_STEPS:
            return self.reason_hint(task, done.reason)
        return ""

    def _daemon_reasons(self, task: Task) -> set[str]:
        """The reasons of a task's checks of services."""
        services = [parameters for kind, parameters in task.checks if kind == "service"]
        questions = [question("service", filled(each, self.known), f"task {task.id}") for each in services]
        return {reason for each in questions for reason in each.reasons}

    def solve(self, task: Task, report: Report | None = None) -> list[KeptFile]:
        """Carries out a task's solution; kept as progress. Returns the person's own files of which it kept copies.

        `report`: hears of each copy before the file is replaced.

        Raises:
            BackendError: a script of it failed, or a file can't be copied.
        """
        copies: list[KeptFile] = []
        for step in task.solution:
            for copy in self._copies(step):
                copies.append(copy)
                if report:
                    report.say(f"{copy.path} of {copy.node}, as it was, is kept as {copy.copy}")
            try:
                self.do(step, f"the solution of {task.id}")
            finally:
                if step.files:
                    contents = {path: self.backend.get(step.node, path) or b"" for path in step.files}
                    progress.keep(self.backend, self.progress.after_writing(step.node, contents))
        progress.keep(self.backend, self.progress.changed(task.id, solved=True))
        return copies

    def _copies(self, step: LessonStep) -> Iterator[KeptFile]:
        """Copies the files that a step replaces, but those that are empty or the lab's own."""
        own, done = self._revealed(step), self.progress
        for path in step.files:
            content = self.backend.get(step.node, path)
            if content and content != own[path][0] and not done.is_written(step.node, path, content):
                yield KeptFile(step.node, path, mine.keep(self.backend, step.node, path, content))

    def also_solved(self, task: Task) -> list[Task]:
        """Other tasks that count as solved once they are green, as their solutions have a file of this one's."""
        done = self.progress
        others = [one for one in self.lesson.data.tasks if one.id != task.id and set(one.files) & set(task.files)]
        return [one for one in others if done.of(one.id).last != Colour.GREEN and not done.of(one.id).solved]

    def do(self, step: LessonStep, what: str) -> None:
        """Carries out one step.

        Raises:
            SpecError: the node has no such file.
            BackendError: its script failed.
        """
        if step.heal:
            heal(self.backend)
        if step.fault:
            inject(self.backend, fault(filled(step.fault, self.known, what)))
        if step.files:
            self.backend.put(step.node, self._revealed(step))
        if step.run:
            self.script(step.node, step.run, what, step.seconds)

    def script(self, node: str, text: str, what: str, seconds: float = 60) -> None:
        """Runs a shell script in a node.

        Raises:
            BackendError: it failed.
        """
        done = self.backend.run(node, ["sh", "-ec", str(filled(text, self.known, what))], seconds=seconds)
        if not done.ok:
            raise BackendError(f"{what} failed on {node}: {done.last_line}", where=node)

    def give_wrong(self, answer: WrongAnswer) -> None:
        """Makes a wrong answer on its node, from the state that it starts from."""
        if answer.solved:
            for step in self.lesson.task(answer.task).solution:
                self.do(step, f"the solution of {answer.task}")
        self.script(answer.node, answer.script, f"the wrong answer {answer.name}")

    def compare(self, task: Task) -> list[Compared]:
        """The files of a task's solution beside the person's, secrets masked; none where it is a script alone.

        Raises:
            SpecError: the task is not green yet.
        """
        if self.progress.of(task.id).green is None:
            raise SpecError(
                f"the task '{task.id}' is not green yet", next_step="'lab learn check' first; 'lab learn hint' helps"
            )
        return [self._compared(node, path) for node, path in task.files]

    def scripts(self, task: Task) -> list[tuple[str, str]]:
        """The scripts of a task's solution, each with its node."""
        what = f"the solution of {task.id}"
        return [(step.node, str(filled(step.run, self.known, what)).rstrip()) for step in task.solution if step.run]

    def _compared(self, node: str, path: str) -> Compared:
        file = self._file(node, path)
        own = (self.backend.get(node, path) or b"").decode(errors="replace")
        masked = own
        for name, value in secrets.peek(self.scene.plan).items():
            masked = masked.replace(value, f"<secret {name}>") if name in file.secrets else masked
        lines = masked.splitlines()
        values = [self.known[name] for name in self.lesson.data.values]
        lab, demanded = difference.expected(file.masked.splitlines(), lines, values)
        diff = difference.unified(lab, lines, path, node)
        return Compared(node, path, diff, mine.last(self.backend, node, path), tuple(demanded))

    def _revealed(self, step: LessonStep) -> dict[str, tuple[bytes, int]]:
        known = secrets.peek(self.scene.plan)
        files = [self._file(step.node, path) for path in step.files]
        return {file.path: (file.reveal(known).encode(), file.mode) for file in files}

    def _file(self, node: str, path: str) -> File:
        planned: NodePlan = self.scene.plan.node(node)
        for file in (*planned.withheld, *planned.files):
            if file.path == path:
                return file
        raise SpecError(f"the lab renders no {path} for {node}", where=self.lesson.name)


def opened(backend: Backend) -> Attempt:
    """The lesson that a cluster was made for.

    Raises:
        SpecError: no lesson was started, no lesson made the cluster, or it was changed since.
    """
    admit(backend)
    name = progress.current(backend)
    existing = backend.observe()
    if not name or not existing.nodes:
        raise SpecError(
            f"no lesson was started on the cluster '{backend.cluster}'",
            next_step="'lab learn list' lists the lessons, 'lab learn start 1' starts the first",
        )
    current = attempt(lesson(name), backend)
    planned = {node.name: node.by_hand for node in current.scene.plan.nodes}
    actual = {node.name: node.fixed.by_hand for node in existing.nodes}
    if other := [node for node in planned if actual.get(node) != planned[node]]:
        raise SpecError(
            f"the cluster '{backend.cluster}' was changed since the lesson {name} began: {other[0]} is another one",
            where=other[0],
            next_step=f"'lab learn start {current.lesson.number}' creates the lesson's cluster again",
        )
    return current


def attempt(of: Lesson, backend: Backend) -> Attempt:
    """A lesson on the cluster of a backend, as it exists, or would.

    Raises:
        SpecError: its topology is not valid.
    """
    cluster = resolve.timers(of.cluster(backend.cluster), backend)
    placed, family = resolve.offline(cluster, backend.observe())
    planned = plan(placed, family)
    return Attempt(of, Scene(backend, placed, planned), names(of.data, of.name, placed, planned))
