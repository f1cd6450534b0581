"""What is wrong with a lesson, found without an engine."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from lab.errors import SpecError
from lab.evidence.effects import CommandCheck
from lab.evidence.outcomes import question
from lab.evidence.promises import promise
from lab.faults import fault
from lab.learning.attempt import attempt
from lab.learning.lesson import FULL_TIME
from lab.learning.text import AFTER, FOLDED
from lab.learning.values import filled
from lab.recipes import manifest
from lab.recipes.recipe import recipe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.backends.base import Backend
    from lab.evidence.outcomes import CheckInput
    from lab.learning.attempt import Attempt
    from lab.learning.lesson import LessonStep, Task
    from lab.learning.library import Lesson

NODES = 5
"""The most that the series runs at a time, and so the most of a lesson."""

TASKS = range(4, 8)
PATH = re.compile(r"(?<![\w/.<~:-])(/(?:etc/lab|usr|srv|var/lib|run)/[\w./@+-]*[\w])")
MADE = ("/run/", "/var/lib/", "/tmp/")  # noqa: S108  in a node, where daemons make them
MOUNTS = "/etc/lab/mounts"  # a line a volume: its name, and where it is mounted
ELSEWHERE = ("/usr/lib/apache2/modules/", "/usr/lib64/httpd/modules/", "/usr/bin/", "/usr/sbin/")
"""What the families' packages bring."""

FILES = re.compile(r"(?<![\w.])/[\w./@+-]+")
MISSING = "cat: {path}: No such file or directory"
QUIET = "2> /dev/null"

POOLS = ("out-of-pool", "back-in-pool")
"""The checks of promises about each node of a pool."""

LOOP = re.compile(r"\b(?:until|while|for)\b.*?\bdo\b.*?\bdone\b", re.DOTALL)
SLEEP = re.compile(r"\bsleep [\d.]+")
GIVEN_UP = re.compile(r"\buntil\b[^\n]*\bFATAL\b|\bsupervisorctl\b[^\n]* stop [^\n]*\n?\Z")
"""Waits until the supervisor has given a daemon up, or stops the daemon at the end."""

TOLD = ("url", "says", "good")
"""Parameters of checks that say what is asked for or printed, and demand nothing."""

NOT_READ = "not-read"
AGAIN = re.compile(r"\brestart |\breload ")
"""Where a hint says how the file is read again."""

FILE_ALONE = {
    "my_print_defaults ": ("--mysqld", "reads some groups of the file alone; '--mysqld' names all that mariadbd reads"),
    "sshd -T": ("-cnewer", "reads the file, which sshd may not have read; see with 'find FILE -cnewer' of its PidFile"),
}
"""What prints a daemon's file in a check: the option with which it says what the daemon goes by, and why."""


def problems(lesson: Lesson, backend: Backend) -> list[str]:
    """All that is wrong with it, as sentences; empty where nothing is. The backend makes nothing: it only plans."""
    try:
        subject = attempt(lesson, backend)
    except SpecError as error:
        return [error.what]
    sentences = [*_size(subject), *_texts(subject)]
    for task in lesson.data.tasks:
        sentences += _task(subject, task)
    for step in lesson.data.broken:
        sentences += _step(subject, step, "broken")
    sentences += [*_spared(subject), *_sleeps(lesson), *_files_alone(lesson), *_individual(subject)]
    for answer in lesson.wrong:
        task = lesson.task(answer.task)
        if answer.hint not in task.hints.reasons:
            sentences.append(f"the wrong answer {answer.name} names the hint '{answer.hint}', which {task.id} has not")
        if answer.node not in _nodes(subject):
            sentences.append(f"the wrong answer {answer.name} is for {answer.node}, which the lesson has not")
        if answer.hint == "not-running" and not GIVEN_UP.search(answer.script):
            sentences.append(
                f"the wrong answer {answer.name}: a daemon that ends at once is 'restarting' until the supervisor "
                "gives up; wait for FATAL"
            )
    return sentences


def _nodes(subject: Attempt) -> list[str]:
    return [node.name for node in subject.scene.plan.nodes]


def _size(subject: Attempt) -> Iterator[str]:
    data = subject.lesson.data
    if len(_nodes(subject)) > NODES:
        yield f"{len(_nodes(subject))} nodes are more than {NODES}"
    if not data.broken and len(data.tasks) not in TASKS:
        yield f"{len(data.tasks)} tasks; a lesson has {TASKS.start} to {TASKS.stop - 1}"
    if data.minutes > FULL_TIME:
        yield f"{data.minutes} minutes are more than {FULL_TIME}"


def _task(subject: Attempt, task: Task) -> Iterator[str]:
    """The problems of one task."""
    if not any(answer.task == task.id for answer in subject.lesson.wrong):
        yield f"the task {task.id} has no wrong answer"
    reasons = {"unknown"}
    yield from _sentences(task)
    yield from _reads(subject, task)
    yield from _unread(task)
    for kind, parameters in task.checks:
        try:
            check = question(kind, filled(parameters, subject.known), f"task {task.id}")
        except SpecError as error:
            yield error.what
            continue
        yield from _named(task, check.parameters)
        reasons |= set(check.reasons)
        missing = [name for name in check.own_reasons if name not in task.hints.reasons]
        yield from (f"{task.id} has no hint for '{name}'" for name in missing)
        for name in check.parameters.nodes:
            if name not in _nodes(subject):
                yield f"a check of {task.id} asks {name}, which the lesson has not"
    for name in task.hints.reasons:
        if name not in reasons:
            yield f"{task.id} has a hint for '{name}', a reason that none of its checks gives"
    for step in task.solution:
        yield from _step(subject, step, task.id)
    if not re.search(r"`lab |`curl |`ss |`supervisorctl ", task.hints.command):
        yield f"the third hint of {task.id} has no command"


def _reads(subject: Attempt, task: Task) -> Iterator[str]:
    """The values of formulas that are read on some alone of the nodes whose file a person writes."""
    writable = {(node.name, file.path) for node in subject.scene.plan.nodes for file in node.withheld}
    values = [parameters.get("reads", {}) for kind, parameters in task.checks if kind == "promise"]
    for value, place in (pair for reads in values for pair in reads.items()):
        read, what = {place["node"], *place.get("also", ())}, f"'{value}' of {task.id}"
        for name in sorted(read - {*_nodes(subject)}):
            yield f"{what} is read on {name}, which the lesson has not"
        for name in sorted(name for name, path in writable if path == place["path"] and name not in read):
            yield f"{what} is not read on {name}, which has a {place['path']} too; name it in 'also'"


def _unread(task: Task) -> Iterator[str]:
    """Files of a solution that its daemon may not have read, where no check and no hint says so."""
    if NOT_READ in json.dumps(task.check) or any(AGAIN.search(hint) for hint in task.hints.reasons.values()):
        return
    for node in sorted({node for node, _ in task.files}):
        services = [of for kind, of in task.checks if kind == "service" and of["node"] == node]
        if services and not any(of.get("reads") for of in services):
            yield f"{task.id}: a file of {node} that was edited and not read again is named by no hint: add 'reads'"


def _named(task: Task, check: CheckInput) -> Iterator[str]:
    """Answers that a missing file would give too: the error names the file."""
    if not isinstance(check, CommandCheck):
        return
    for path in FILES.findall(check.run):
        if check.prints and re.search(check.prints, MISSING.format(path=path), re.MULTILINE) and QUIET not in check.run:
            yield f"a check of {task.id} is green where {path} is missing, since the error names it: add '{QUIET}'"


def _sentences(task: Task) -> Iterator[str]:
    """Answers that would say nothing: red ones without a sentence, and the one that is green at last."""
    answers = [parameters if kind in ("command", "row") else None for kind, parameters in task.checks]
    if any(one is not None and not one.get("says") for one in answers):
        yield f"a check of {task.id} has no 'says' for a red answer"
    if answers[-1] is not None and not answers[-1].get("good"):
        yield f"the last check of {task.id} has no 'good' for a green answer"
    nameless = [kind for kind, parameters in task.checks if kind in ("command", "row") and not parameters.get("reason")]
    for kind in sorted({kind for kind in nameless if nameless.count(kind) > 1}):
        yield f"checks of {task.id} have one reason for two causes: give each '{kind}' a 'reason' of its own"


def _spared(subject: Attempt) -> Iterator[str]:
    """Promises of a pool that are only ever tried with one of its nodes: what is set for that node alone would pass."""
    targets: dict[str, set[str]] = {}
    for task in subject.lesson.data.tasks:
        for kind, parameters in task.checks:
            if kind == "promise":
                targets.setdefault(parameters["promise"], set()).add(parameters["target"])
    for name, tried in targets.items():
        declared = promise(name)
        nodes = [node.name for node in subject.scene.plan.role(declared.role) if declared.declared.check in POOLS]
        if len(nodes) > 1 and len(tried) == 1 and tried <= set(nodes):
            yield f"the promise {name} is tried with {min(tried)} alone: have a check break another node"


def _sleeps(lesson: Lesson) -> Iterator[str]:
    """The scripts that wait for a fixed time: a slow machine needs longer, and a quick one waits in vain."""
    scripts = [(f"the wrong answer {answer.name}", answer.script) for answer in lesson.wrong]
    scripts += [("broken", step.run) for step in lesson.data.broken]
    for task in lesson.data.tasks:
        scripts += [(task.id, step.run) for step in task.solution]
        scripts += [(task.id, str(parameters.get("run", ""))) for _, parameters in task.checks]
    for where, script in scripts:
        if SLEEP.search(LOOP.sub("", script)):
            yield f"{where}: 'sleep' outside a loop; wait for a condition, or give a check 'steady'"


def _files_alone(lesson: Lesson) -> Iterator[str]:
    """The checks that read a file otherwise than its daemon does."""
    for task in lesson.data.tasks:
        scripts = [str(parameters.get("run", "")) for _, parameters in task.checks]
        for words, (option, why) in FILE_ALONE.items():
            if any(words in script and option not in script for script in scripts):
                yield f"a check of {task.id}: '{words.strip()}' {why}"


def _individual(subject: Attempt) -> Iterator[str]:
    """Checks that demand the same of each learner, on nodes of the same addresses: an answer could be copied."""
    values = subject.lesson.data.values
    first = {name: value.of[0] if value.of else value.least for name, value in values.items()}
    last = {name: value.of[-1] if value.of else value.most for name, value in values.items()}
    checks = [
        {name: value for name, value in parameters.items() if name not in TOLD}
        for task in subject.lesson.data.tasks
        for _, parameters in task.checks
    ]
    try:
        one, other = (filled(checks, {**subject.known, **own}) for own in (first, last))
    except SpecError:
        return  # said of the check
    if one == other:
        yield "no check demands a value that differs by learner: an answer can be copied; use one of 'values'"


def _step(subject: Attempt, step: LessonStep, what: str) -> Iterator[str]:
    """The problems of one step."""
    if step.node and step.node not in _nodes(subject):
        yield f"a step of {what} is for {step.node}, which the lesson has not"
        return
    if step.node:
        node = subject.scene.plan.node(step.node)
        rendered = {file.path for file in (*node.files, *node.withheld)}
        yield from (f"{what}: the lab renders no {path} for {node.name}" for path in step.files if path not in rendered)
    try:
        filled(step.run, subject.known)
        if step.fault:
            fault(filled(step.fault, subject.known))
    except SpecError as error:
        yield f"{what}: {error.what}"


def _texts(subject: Attempt) -> Iterator[str]:
    """Texts that can't be filled in, paths that no node has, questions without folded answers."""
    text = subject.lesson.text
    hints = [hint for task in subject.lesson.data.tasks for hint in (*task.hints.steps, *task.hints.reasons.values())]
    try:
        bodies = [subject.text(name) for name in ("intro", *text.sections)] + [
            filled(hint, subject.known) for hint in hints
        ]
    except SpecError as error:
        yield error.what
        return
    there, mounted = paths(subject), _mounts(subject)
    for path in sorted({path for body in bodies for path in PATH.findall(body)}):
        if path not in there and not f"{path}/".startswith((*MADE, *ELSEWHERE, *mounted)):
            yield f"the text names {path}, which no node of the lesson has"
    known = {task.id for task in subject.lesson.data.tasks}
    for name in text.sections:
        if name not in known and name not in AFTER:
            yield f"the section '{name}' belongs to no task"
    if not FOLDED.search(text.sections["questions"].body):
        yield "no question has an answer that is folded away (<details>)"


def _mounts(subject: Attempt) -> list[str]:
    """The folders where a shared volume is mounted on a node of the lesson."""
    files = [file for node in subject.scene.plan.nodes for file in (*node.files, *node.withheld)]
    lists = [file.text for file in files if file.path == MOUNTS]
    return [f"{line.split()[1]}/" for text in lists for line in text.splitlines() if line]


def paths(subject: Attempt) -> set[str]:
    """All paths of files that the lesson's nodes have: rendered, withheld, and of their images, with their folders."""
    all_paths: set[str] = set()
    for node in subject.scene.plan.nodes:
        files = [file.path for file in (*node.files, *node.withheld)]
        files += [name.removeprefix("rootfs") for name in recipe(node.role, subject.scene.plan.family).context]
        files += list(manifest(node.role).merged("volumes").values())
        for path in files:
            parts = path.split("/")
            all_paths |= {"/".join(parts[: count + 1]) for count in range(1, len(parts))}
    return all_paths
