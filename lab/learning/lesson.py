"""A lesson as it is written down: `lesson.yaml`. What its keys mean is in docs/teaching.md."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from lab.models import Model

Id = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=40)]
Text = Annotated[str, Field(min_length=1)]
FULL_TIME = 30


class IndividualValue(Model):
    """A value that differs by the cluster's name: one of a list, or a whole number of a range."""

    of: list[str] = Field([], description="one of these")
    least: int | None = None
    most: int | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.of) == (self.least is not None and self.most is not None):
            raise ValueError("a value has either 'of', a list, or 'least' and 'most'")
        if self.least is not None and self.most is not None and self.least > self.most:
            raise ValueError("'least' is above 'most'")
        return self


class LessonStep(Model):
    """One step on a node: of a solution, or of what a repair lesson breaks.

    Attributes:
        node: where; not needed with `fault` or `heal`.
        files: paths of files that the lab renders for this node, which are put there.
        run: a shell script, which runs afterwards as root.
        fault: a fault as scenarios write it, such as `{kind: fill, nodes: [storage1], where: /tmp}`.
        heal: whether all faults are reverted.
        seconds: the limit of `run`.
    """

    node: str = ""
    files: list[str] = Field([], description="rendered files")
    run: str = ""
    fault: dict[str, Any] = Field({}, description="as scenarios write it")
    heal: bool = False
    seconds: float = Field(60, gt=0, le=600)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if (self.files or self.run) and not self.node:
            raise ValueError("a step with 'files' or 'run' needs 'node'")
        if not (self.files or self.run or self.fault or self.heal):
            raise ValueError("a step has 'files', 'run', 'fault' or 'heal'")
        return self


class Hints(Model):
    """Three steps, each more exact than the one before, and hints for reasons that a check gives."""

    where: Text = Field(description="where to look")
    what: Text = Field(description="what to look for")
    command: Text = Field(description="the command that shows it")
    reasons: dict[str, Text] = Field(default_factory=dict, description="by the reason of a red check")

    @property
    def steps(self) -> tuple[str, str, str]:
        """The three steps in order."""
        return self.where, self.what, self.command


class Task(Model):
    """One task.

    Attributes:
        id: names its section in `lesson.md` and its wrong answers.
        title: one line.
        check: one check by its kind, or several: all have to be green.
        within: seconds that a check may need until it is green, as a balancer that has to notice something.
        solution: what makes it green, from the state that the tasks before it leave.
    """

    id: Id
    title: Annotated[str, Field(min_length=1, max_length=60)]
    check: dict[str, dict[str, Any]] | list[dict[str, dict[str, Any]]]
    within: float = Field(0, ge=0, le=120)
    hints: Hints
    solution: list[LessonStep] = Field(min_length=1)

    @property
    def files(self) -> list[tuple[str, str]]:
        """The files of its solution, each once: node and path."""
        return list(dict.fromkeys((step.node, path) for step in self.solution for path in step.files))

    @property
    def has_files(self) -> bool:
        """Whether its solution has files, which can be compared."""
        return bool(self.files)

    def concerns(self, node: str) -> bool:
        """Whether its checks name a node, or its solution changes it."""
        named = re.search(rf"(?<![\w-]){re.escape(node)}(?![\w-])", json.dumps(self.check))
        return bool(named) or node in {step.node for step in self.solution}

    @property
    def checks(self) -> list[tuple[str, dict[str, Any]]]:
        """The checks in order: kind and input."""
        entries = self.check if isinstance(self.check, list) else [self.check]
        return [pair for each in entries for pair in each.items()]


class LessonData(Model):
    """The content of `lesson.yaml`."""

    part: Annotated[int, Field(ge=1, le=8, strict=True)]
    title: Annotated[str, Field(min_length=1, max_length=60)]
    minutes: Annotated[int, Field(ge=1, le=FULL_TIME, strict=True)]
    topology: str = Field("topology.yaml", description="a file of this folder, or a topology that ships with the lab")
    values: dict[str, IndividualValue] = Field({}, description="values that differ by the cluster")
    broken: list[LessonStep] = Field([], description="what is broken before the first task, of a repair lesson")
    tasks: list[Task] = Field(min_length=1, max_length=7)

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        ids = [task.id for task in self.tasks]
        twice = sorted({name for name in ids if ids.count(name) > 1})
        if twice:
            raise ValueError(f"two tasks have the id '{twice[0]}'")
        return self

    @property
    def kind(self) -> str:
        """`build` or `repair`."""
        return "repair" if self.broken else "build"
