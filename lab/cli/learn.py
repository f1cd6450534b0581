"""`lab learn`: lessons on a running cluster."""

from __future__ import annotations

import json
import sys
import textwrap
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lab.cli import lesson_screen, options, screen
from lab.cli.editor import edited
from lab.cli.lesson_report import report
from lab.cli.naming import named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.backends.base import Backend
    from lab.learning.attempt import Attempt
    from lab.learning.lesson import Task

WATCH_SECONDS = 2.0
TaskName = Annotated[str | None, typer.Argument(help="The task, by its id or number. Default: the first open one.")]


def register(app: typer.Typer) -> None:
    """Adds the verbs."""
    verbs = typer.Typer(invoke_without_command=True)
    verbs.callback()(options.common(*options.WHERE)(learn))
    verbs.command("list")(options.on_cluster(listed))
    verbs.command()(options.common("name", "family", "port", "backend", "host")(start))
    for verb in (read, edit, check, hint, solve, compare, reset):
        verbs.command()(options.on_cluster(verb))
    verbs.command("catch-up")(options.on_cluster(catch_up))
    verbs.command()(options.common(*options.WHERE)(report))
    app.add_typer(verbs, name="learn")


def learn(
    choice: options.Choice,
    context: typer.Context,
    browser: Annotated[bool, typer.Option("--web", help="Show the started lesson in a browser, until Ctrl-C.")] = False,
) -> None:
    """Lessons: the series by hand, on real nodes, with checks."""
    if context.invoked_subcommand:
        return
    if not browser:
        print(context.get_help())
        return
    from lab.learning import attempt, page
    from lab.learning.panel import LessonPanel

    target = choice.open()
    current = attempt.opened(target)
    try:
        from lab.page.server import serve
    except ModuleNotFoundError as error:
        where = page.written(current).as_uri()
        print(where)
        print(f"for the lesson beside the live picture '{error.name}' is missing: pip install 'www-cluster-lab[page]'")
        typer.launch(where)
        return
    suffix = choice.where
    serve(
        target,
        current.scene.cluster,
        panel=LessonPanel(target, suffix, choice.naming(context)),
        open_browser=True,
        visitors=False,  # their requests would be in the logs that a lesson looks at
        suffix=suffix,
        named=choice.naming(context).text,
    )


def listed(backend: Backend, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Lists the lessons, and how many of their tasks are green."""
    from lab.cli import tables
    from lab.learning import progress
    from lab.learning.library import lessons
    from lab.learning.listing import rows

    lines = rows(lessons(), progress.all_of(backend), progress.current(backend))
    if as_json:
        print(json.dumps(lines, indent=2))
        return
    shown = [
        (
            f"{row['number']}",
            f"{row['title']}{' (started)' if row['started'] else ''}",
            row["kind"],
            f"{row['minutes']} min",
            f"{row['nodes']}",
            _green(row),
        )
        for row in lines
    ]
    tables.rows(("N", "LESSON", "KIND", "TIME", "NODES", "GREEN"), shown)
    print(named("'lab learn start N' begins one"))


def _green(row: Mapping[str, Any]) -> str:
    """How many tasks of a lesson were green, and which of them the last check found otherwise."""
    others = [task["id"] for task in row["tasks"] if task["was_green"]]
    return f"{row['green']} of {len(row['tasks'])}" + (f"; not green now: {', '.join(others)}" if others else "")


def start(
    choice: options.Choice, lesson: Annotated[str, typer.Argument(help="The lesson's number, or its name.")]
) -> None:
    """Creates the cluster of a lesson, and shows the first task. The cluster of another lesson is removed."""
    from lab.learning import starting
    from lab.learning.library import lesson as find
    from lab.lifecycle.lock import held
    from lab.topology.changes import ported

    chosen, target = find(lesson), choice.open()
    cluster = ported(chosen.cluster(target.cluster, family=choice.family), choice.port or [])
    with screen.report() as hears, held(target.cluster, "lab learn start", hears):
        attempt = starting.start(chosen, target, hears, cluster)
    lesson_screen.section(attempt, "intro")
    lesson_screen.following(attempt)


def read(
    backend: Backend,
    task: TaskName = None,
    answers: Annotated[bool, typer.Option("--answers", help="Show the answers to the questions too.")] = False,
) -> None:
    """Shows the text of a task again; 'intro', 'learnt', 'real-sites' and 'questions' are sections too."""
    from lab.learning.attempt import opened

    attempt = opened(backend)
    if task in ("intro", *attempt.lesson.text.sections):
        lesson_screen.section(attempt, str(task), answers=answers)
    elif task:
        lesson_screen.section(attempt, attempt.lesson.task(task).id)
    else:
        lesson_screen.following(attempt)


def check(
    backend: Backend,
    task: TaskName = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Repeat until the task is green, or Ctrl-C.")] = False,
) -> None:
    """Checks a task on the running cluster. Exits with 1 unless it is green."""
    from lab.learning.attempt import PATIENCE, opened

    attempt = opened(backend)
    one = _open_task(attempt, task)
    if one is None:
        return
    limit = min(one.within, PATIENCE)
    with screen.looking():
        is_green = _checked(attempt, one, limit)
        while watch and not is_green:
            sys.stdout.flush()
            time.sleep(WATCH_SECONDS)
            is_green = _checked(attempt, one, limit, repeated=True)
    if not is_green:
        raise typer.Exit(1)
    if task is None:
        lesson_screen.following(attempt)


def edit(
    backend: Backend,
    node: options.Node,
    path: Annotated[str, typer.Argument(help="The file, such as /etc/lab/httpd.conf.")],
) -> None:
    """Opens a file of a node in your own editor ($EDITOR), and puts it back when it was changed."""
    from lab.errors import SpecError
    from lab.learning import nodefile

    if not path.startswith("/"):
        raise SpecError(f"'{path}' is not a path of a node: it begins with '/'", where=path)
    options.known_node(backend, node)
    file = nodefile.read(backend, node, path)
    after = edited(file.text, path.rpartition("/")[2])
    if after == file.text:
        print(f"{path} of {node} is unchanged")
        return
    file.write(after)
    print(f"{path} of {node} is written; its daemon has to be told")


def hint(backend: Backend, task: TaskName = None) -> None:
    """Shows the next hint of a task: where to look, what to look for, then the command."""
    from lab.learning.attempt import opened

    attempt = opened(backend)
    one = _open_task(attempt, task)
    if one is None:
        return
    all_shown = attempt.all_hinted(one)
    for number, text in enumerate(attempt.hint(one), 1):
        lesson_screen.paragraph(f"{number}. {text}")
    if reason := attempt.shown_reason(one):
        lesson_screen.paragraph(f"by the last check: {reason}")
    if all_shown:
        lesson_screen.paragraph("there are no more hints; 'lab learn solve' does it for you")


def solve(backend: Backend, task: TaskName = None) -> None:
    """Carries out the lab's own solution of a task, and checks it."""
    from lab.learning.attempt import opened
    from lab.lifecycle.lock import held

    attempt = opened(backend)
    one = _open_task(attempt, task)
    if one is None:
        return
    with screen.report() as hears, held(backend.cluster, "lab learn solve", hears):
        attempt.solve(one, hears)
    if not _checked(attempt, one):
        raise typer.Exit(1)
    if others := ", ".join(task.id for task in attempt.also_solved(one)):
        print(f"other tasks have a file of this solution in theirs, and will count as solved too: {others}")
    if one.has_files:
        print(named(f"'lab learn compare {one.id}' shows the files"))


def compare(backend: Backend, task: TaskName = None) -> None:
    """Shows your files of a task beside the lab's own, once the task is green."""
    from lab.learning.attempt import opened

    attempt = opened(backend)
    done = attempt.progress
    green = [one for one in attempt.lesson.data.tasks if done.of(one.id).green and one.has_files]
    one = attempt.lesson.task(task) if task else (green or attempt.lesson.data.tasks)[-1]
    files = attempt.compare(one)
    for file in files:
        lesson_screen.compared(file)
    if not files:
        print(f"the lab renders no file for the task '{one.id}': its own solution is a script")
        for node, text in attempt.scripts(one):
            print(f"on {node}:\n{textwrap.indent(text, '    ')}")


def catch_up(
    backend: Backend, number: Annotated[int, typer.Argument(min=1, help="The lesson that you want to begin next.")]
) -> None:
    """Creates the cluster as it is after the lesson before, for those who missed it."""
    from lab.learning import starting
    from lab.lifecycle.lock import held

    with screen.report() as hears, held(backend.cluster, "lab learn catch-up", hears):
        last = starting.catch_up(number, backend, hears)
    left = f"the cluster is as the lesson {last.name} leaves it; 'lab learn start {number}' begins the next one"
    print(named(left))


def reset(
    backend: Backend,
    node: Annotated[str | None, typer.Argument(help="One node. Default: the whole lesson.")] = None,
) -> None:
    """Creates a node again without what was written on it; without NODE removes the lesson's cluster and progress."""
    from lab.learning import starting
    from lab.lifecycle.lock import held

    with screen.report() as hears, held(backend.cluster, "lab learn reset", hears):
        if node:
            again = [task.id for task in starting.reset_node(node, backend, hears)]
            open_again = f"; open again: {', '.join(again)}; 'lab learn check' checks the first" if again else ""
            print(named(f"{node}: created again, without what was written on it{open_again}"))
        else:
            name = starting.reset(backend, hears)
            print(named(f"{name}: removed; 'lab learn start {int(name[:2])}' begins it again"))


def _task(attempt: Attempt, name: str | None) -> Task | None:
    return attempt.lesson.task(name) if name else attempt.next


def _open_task(attempt: Attempt, name: str | None) -> Task | None:
    """The task that is meant; None where all are green and none is named, which is said."""
    one = _task(attempt, name)
    if one is None:
        print(named(lesson_screen.all_green(attempt)))
    return one


def _checked(attempt: Attempt, task: Task, within: float | None = None, *, repeated: bool = False) -> bool:
    """Checks a task and prints the answer; whether it is green. `within`, `repeated`: as of `Attempt.check`."""
    outcome = attempt.check(task, within, repeated=repeated)
    lesson_screen.answer(attempt, task, outcome)
    return outcome.green
