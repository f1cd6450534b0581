"""`lab learn report`: how far one learner is, or a whole class."""

from __future__ import annotations

import sys
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lab.cli import options  # noqa: TC001  the verb's annotations are read when it is registered

if TYPE_CHECKING:
    from collections.abc import Sequence

Clusters = Annotated[
    list[str] | None,
    typer.Argument(
        help="Clusters of one engine, by name or by a pattern such as 'class-*'. Default: the cluster of --name."
    ),
]


def report(
    choice: options.Choice,
    clusters: Clusters = None,
    form: Annotated[
        str, typer.Option("--format", help="One of table, json, csv, junit, or page (HTML that prints).")
    ] = "table",
) -> None:
    """Prints how far all started lessons are, for a teacher: of one cluster, or of a class as one table."""
    from lab.errors import SpecError
    from lab.hints import nearest
    from lab.learning import report as reports

    if form not in reports.FORMATS:
        raise SpecError(f"there is no format '{form}'; {nearest(form, reports.FORMATS)}", where="--format")
    names = _names(choice, clusters) if clusters else [choice.cluster_name]
    rows: list[dict[str, Any]] = []
    for name in names:
        cluster_rows = _rows(choice, name)
        if not cluster_rows and len(names) > 1:
            print(f"{name} is left out: no lesson was started on it", file=sys.stderr)
        rows += cluster_rows
    if not rows:
        subject = f"the cluster '{names[0]}'" if len(names) == 1 else f"any of {', '.join(names)}"
        raise SpecError(f"no lesson was started on {subject}", next_step="'lab learn list'")
    if form == "table":
        _table(rows)
    else:
        print(reports.written(form, rows))


def _names(choice: options.Choice, arguments: Sequence[str]) -> list[str]:
    """The clusters that are meant, each once, in the order of the arguments; those of a pattern by name.

    Raises:
        SpecError: a pattern matches no cluster, or a name can't be a cluster's.
    """
    from lab import identifiers
    from lab.backends import optional
    from lab.errors import SpecError
    from lab.hints import nearest

    names: dict[str, None] = {}
    existing: list[str] | None = None
    for one in arguments:
        if not set(one) & set("*?["):
            names[identifiers.cluster(one, "CLUSTERS")] = None
            continue
        if existing is None:
            existing = sorted(optional.clusters(choice.open()).clusters())
        matches = [name for name in existing if fnmatchcase(name, one)]
        if not matches:
            hint = nearest(one, existing, "there are") if existing else "there is none"
            raise SpecError(f"no cluster matches '{one}'; {hint}", where="CLUSTERS")
        names |= dict.fromkeys(matches)
    return list(names)


def _rows(choice: options.Choice, cluster: str) -> list[dict[str, Any]]:
    """The rows of one cluster; none where no lesson was started."""
    from lab.learning import progress
    from lab.learning import report as reports
    from lab.learning.library import lessons

    done = progress.all_of(choice.open(cluster))
    return reports.rows(cluster, [(one, done[one.name]) for one in lessons() if one.name in done])


def _table(rows: Sequence[dict[str, Any]]) -> None:
    from lab.cli import tables
    from lab.learning import report as reports

    columns = ["lesson", "task", "state", "tries", "hints", "minutes", "says"]
    if reports.of_class(rows):
        columns = ["cluster", *columns]
    cells = [[reports.cell(row, name) for name in columns] for row in rows]
    tables.rows([name.upper() for name in columns], cells)
