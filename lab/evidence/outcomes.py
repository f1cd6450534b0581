"""What a check of a running cluster answers, and the one list of the kinds of checks: pytest and lessons use it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import Field, ValidationError

from lab import reading
from lab.errors import BackendError, SpecError
from lab.hints import nearest
from lab.models import Model

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lab.backends.base import Backend, Result
    from lab.plan import Plan
    from lab.topology import Cluster


class Colour(StrEnum):
    """What a check says: `unknown` is no answer, and never counts as green."""

    GREEN = "green"
    RED = "red"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class CheckOutcome:
    """The answer of one check.

    Attributes:
        reason: the kind of problem, one word such as `no-answer`; hints and wrong answers name it. Empty when green.
        says: one sentence for a person: what was observed.
        figure: the observed value, such as `3.62 s`.
        formula: what the figure is compared with, such as `3 * advert_int + ... = 3.60 s`.
        excused: whether it is unknown only because a machine was stalled; the check can be made again.
    """

    colour: Colour
    says: str
    reason: str = ""
    figure: str = ""
    formula: str = ""
    excused: bool = False

    @property
    def green(self) -> bool:
        """Whether the check was made, and is passed."""
        return self.colour is Colour.GREEN


def green(says: str, figure: str = "", formula: str = "") -> CheckOutcome:
    """The answer of a check that is passed."""
    return CheckOutcome(Colour.GREEN, says, "", figure, formula)


def red(reason: str, says: str, figure: str = "", formula: str = "") -> CheckOutcome:
    """The answer of a check that is not passed."""
    return CheckOutcome(Colour.RED, says, reason, figure, formula)


def unknown(says: str, reason: str = "unknown", figure: str = "", formula: str = "") -> CheckOutcome:
    """The answer of a check that could not be made."""
    return CheckOutcome(Colour.UNKNOWN, says, reason, figure, formula)


@dataclass(frozen=True)
class Scene:
    """A running cluster, as a check sees it.

    Attributes:
        cluster: its topology, with everything chosen.
        plan: what that became.
    """

    backend: Backend
    cluster: Cluster
    plan: Plan

    def run(self, node: str, argv: list[str], seconds: float = 20) -> Result:
        """A command in a node; bounded as `Backend.run` is."""
        return self.backend.run(node, argv, seconds=seconds)


class CheckInput(Model):
    """The base of the parameters of a kind of check.

    Attributes:
        steady: seconds for which it has to be green without a break, such as a thread that starts, and then fails.
        renamed: other words for reasons of the kind, where two checks of a task would give the same one.
    """

    steady: float = Field(0, ge=0, le=30)
    renamed: dict[str, str] = Field({}, description="other words for its reasons")

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes that it names."""
        return tuple(getattr(self, name) for name in ("node", "at") if getattr(self, name, None))

    @property
    def own_reasons(self) -> tuple[str, ...]:
        """The reasons that it gives by its parameters; a lesson has a hint for each."""
        return ()


@dataclass(frozen=True)
class CheckKind:
    """A kind of check.

    Attributes:
        model: its parameters.
        ask: makes the check.
        reasons: the words that its red answers carry.
        breaks: whether it breaks something meanwhile, which it heals.
    """

    name: str
    model: type[CheckInput]
    ask: Callable[[Scene, Any], CheckOutcome]
    reasons: tuple[str, ...]
    breaks: bool = False


KINDS: dict[str, CheckKind] = {}
"""All kinds of checks, by name; `kinds()` has those of services too."""

Asked = TypeVar("Asked", bound="Callable[[Scene, Any], CheckOutcome]")


def kind(
    name: str, model: type[CheckInput], reasons: tuple[str, ...], *, breaks: bool = False
) -> Callable[[Asked], Asked]:
    """Adds a kind of check to the list."""

    def add(ask: Asked) -> Asked:
        KINDS[name] = CheckKind(name, model, ask, reasons, breaks)
        return ask

    return add


@dataclass(frozen=True)
class Question:
    """One check with its parameters."""

    kind: CheckKind
    parameters: CheckInput

    @property
    def reasons(self) -> tuple[str, ...]:
        """The words that its red answers may carry."""
        return tuple(dict.fromkeys(map(self._word, (*self.kind.reasons, *self.parameters.own_reasons))))

    @property
    def own_reasons(self) -> tuple[str, ...]:
        """Those of them that its parameters determine."""
        renamed = self.parameters.renamed
        return tuple(dict.fromkeys((*map(self._word, self.parameters.own_reasons), *renamed.values())))

    def _word(self, reason: str) -> str:
        return self.parameters.renamed.get(reason, reason)

    def ask(self, scene: Scene) -> CheckOutcome:
        """Makes the check; an engine that fails, or a node that does not run, makes it `unknown`.

        With `steady` it is made again and again for that long: the first answer that is not green counts.
        """
        try:
            ask = partial(self.kind.ask, scene, self.parameters)
            outcome = scene.backend.clock.through(self.parameters.steady, ask, lambda outcome: outcome.green)
            return replace(outcome, reason=self._word(outcome.reason))
        except BackendError as error:
            return unknown(error.what)


def question(name: str, parameters: Mapping[str, Any], where: str = "") -> Question:
    """A check by the name of its kind.

    Args:
        name: of the kind.
        parameters: its input, by key.
        where: for the message.

    Raises:
        SpecError: there is no such kind, or its parameters are not valid.
    """
    known = kinds()
    if name not in known:
        raise SpecError(f"there is no kind of check '{name}'; {nearest(name, known)}", where=where)
    if known[name].breaks and parameters.get("steady"):
        raise SpecError(f"'{name}.steady': '{name}' breaks something, and is made once", where=where)
    try:
        result = Question(known[name], known[name].model.model_validate(dict(parameters)))
    except ValidationError as error:
        detail = error.errors()[0]
        key = ".".join(map(str, (name, *detail["loc"])))
        valid = ", ".join(known[name].model.model_fields)
        raise SpecError(
            f"'{key}': {reading.problem(detail)}", where=where, next_step=f"'{name}' takes: {valid}"
        ) from None
    reasons = {*result.kind.reasons, *result.parameters.own_reasons}
    for reason in result.parameters.renamed.keys() - reasons:
        hint = nearest(reason, sorted(reasons), "its reasons")
        raise SpecError(f"'{name}.renamed': '{name}' gives no '{reason}'; {hint}", where=where)
    return result


def kinds() -> Mapping[str, CheckKind]:
    """All kinds of checks by name, those of services included."""
    from importlib import import_module

    for module in MODULES:
        import_module(module)
    return KINDS


MODULES = (
    "lab.evidence.effects",
    "lab.evidence.file_writes",
    "lab.evidence.pages",
    "lab.services.effects",
    "lab.services.origin",
    "lab.services.trials",
)
"""Where kinds of checks are declared."""
