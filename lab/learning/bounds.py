"""The options that the bounds of a lesson depend on: the lab's own solution meets what the lesson asks for by them.

A backend with slow nodes has other defaults, by which a bound in seconds could not be met: they do not apply here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.evidence.promises import promise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.learning.lesson import LessonData


def options(data: LessonData) -> list[str]:
    """The places of these options, such as `tcp-lb.advert_int`, each once.

    Raises:
        SpecError: a check names a promise that does not exist.
    """
    return list(dict.fromkeys(_options(data)))


def _options(data: LessonData) -> Iterator[str]:
    for task in data.tasks:
        for kind, parameters in task.checks:
            if kind == "promise" and parameters.get("asks") is not None:
                source = promise(parameters["promise"])
                yield from (f"{place}.{name}" for place in source.declared.of.split() for name in sorted(source.names))
