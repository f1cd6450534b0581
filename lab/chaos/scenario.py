"""A scenario as a person writes it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from lab import assets, reading
from lab.errors import SpecError
from lab.evidence.promises import promise
from lab.faults.kinds import KINDS, kind
from lab.services.ledgers import LEDGERS
from lab.topology import units
from lab.topology.roles import Model
from lab.topology.units import Duration

SHORTEST = "for: 20s\nfaults:\n  - {at: 5s, for: 5s, kill: web1}\npromises: [web-node-dies]"
DOCUMENT = reading.Document("scenario", SHORTEST, "docs/chaos.md says what is valid")
LONGEST_SECONDS = 3600

Rate = Annotated[float, Field(gt=0, le=5000, description="a second")]
Span = Annotated[Duration, Field(gt=0, le=LONGEST_SECONDS)]
Moment = Annotated[Duration, Field(ge=0, le=LONGEST_SECONDS)]


class ScenarioLoad(Model):
    """Visitors, at a constant rate."""

    rate: Rate = 50
    path: Annotated[str, Field(pattern="^/")] = "/whoami"
    http: Literal["1.1", "2"] = "1.1"
    keep: bool = True


class Step(Model):
    """One fault: when, for how long, of which kind, to whom, and how.

    Written as `{at: 5s, for: 5s, cut: web1, from: http-lb1}`: the kind is a key, whom it happens to is its value.
    """

    at: Moment
    span: Span | None = Field(None, alias="for")
    kind: str
    target: str
    others: str | None = Field(None, alias="from")
    way: str | None = None
    delay: str | None = None
    jitter: str | None = None
    loss: str | None = None
    rate: str | None = None
    where: str | None = None
    skew: str | None = None
    service: str | None = None
    process: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _kind_is_a_key(cls, data: Any) -> Any:  # noqa: ANN401  whatever stands in a file
        if not isinstance(data, dict) or "kind" in data:
            return data
        kinds = [key for key in data if key in KINDS]
        if len(kinds) != 1:
            valid = [field.alias or name for name, field in cls.model_fields.items()]
            unknown = [key for key in data if key not in KINDS and key not in valid]
            if unknown:
                raise ValueError(_said(lambda: kind(str(unknown[0]))))
            raise ValueError(f"a step has one fault; there are: {', '.join(KINDS)}")
        return {
            **{key: value for key, value in data.items() if key != kinds[0]},
            "kind": kinds[0],
            "target": data[kinds[0]],
        }

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if kind(self.kind).lasting and self.span is None:
            raise ValueError(f"'{self.kind}' needs an end: add 'for: 5s'")
        _said(self.settings, raising=True)
        return self

    def settings(self) -> dict[str, Any]:
        """What the kind of fault wants to know besides its nodes."""
        read = {"delay": units.seconds, "jitter": units.seconds, "loss": units.percent, "rate": units.bits}
        read["skew"] = lambda text: round(units.seconds(text))
        keys = ("way", "delay", "jitter", "loss", "rate", "where", "skew", "service", "process")
        said = {key: getattr(self, key) for key in keys}
        return {key: read.get(key, str)(value) for key, value in said.items() if value is not None}

    @property
    def end(self) -> float:
        """When it is reverted, in seconds from the beginning."""
        return self.at + (self.span or 0.0)


class Chance(Model):
    """Faults by chance: which, to whom, how often and how long; all of it follows from the seed."""

    every: Span = 6.0
    shortest: Span = 2.0
    longest: Span = 5.0
    faults: dict[str, list[str]] = Field(description="the roles that each kind may happen to; of freeze: role/service")

    @field_validator("faults")
    @classmethod
    def _known(cls, value: dict[str, list[str]]) -> dict[str, list[str]]:
        for name in value:
            _said(lambda name=name: kind(name), raising=True)
        return value


class Scenario(Model):
    """A whole scenario."""

    name: str = ""
    summary: str = ""
    topology: str = Field("full", description="the topology that is made where no cluster is")
    load: ScenarioLoad = Field(default_factory=ScenarioLoad)
    span: Span = Field(alias="for", description="how long it goes on, mending and settling not counted")
    faults: list[Step] = Field(default_factory=list)
    chance: Chance | None = Field(None, alias="random")
    ledger: dict[str, Rate] = Field(default_factory=dict, description="services that are written to, and how often")
    promises: list[str] = Field(min_length=1)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        for name in self.promises:
            _said(lambda name=name: promise(name), raising=True)
        for name in self.ledger:
            if name not in LEDGERS:
                raise ValueError(f"there is no service '{name}' to keep a ledger of; there are: {', '.join(LEDGERS)}")
        for step in self.faults:
            if step.end > self.span:
                raise ValueError(
                    f"'{step.kind} {step.target}' ends at {step.end:g} s, after the scenario ({self.span:g} s)"
                )
        self._no_fault_on_the_dead()
        if not self.faults and self.chance is None:
            raise ValueError("nothing is broken: write 'faults:' or 'random:'")
        return self

    def _no_fault_on_the_dead(self) -> None:
        for step in self.faults:
            for other in self.faults:
                meets = other is not step and other.target == step.target and other.at <= step.at < other.end
                if meets and other.kind in ("kill", "stop", "pause"):
                    raise ValueError(
                        f"'{step.kind} {step.target}' at {step.at:g} s would meet a node that '{other.kind}' has ended"
                    )


def _said(asked: Any, *, raising: bool = False) -> str:  # noqa: ANN401  any question that may be refused
    """What a refusal says, in one line; raised as a `ValueError`, which the reader turns into a screen, if asked."""
    try:
        asked()
    except SpecError as error:
        said = "; ".join(filter(None, (error.what, error.next_step)))
        if raising:
            raise ValueError(said) from None
        return said
    return ""


def find(name: str) -> Path:
    """The file of a scenario: a path, or the name of one that ships.

    Raises:
        SpecError: no such file.
    """
    shipped = assets.scenarios()
    path = Path(name)
    if path.is_file():
        return path
    if path.stem in shipped and path.parent.name in ("", "scenarios"):
        return shipped[path.stem]
    raise SpecError(f"there is no scenario {name}", next_step=f"name a file, or one that ships: {', '.join(shipped)}")


def load(path: Path) -> Scenario:
    """The scenario in a file; it is called as the file is, unless it says otherwise.

    Raises:
        SpecError: the file can't be read or is not valid.
    """
    made = reading.model(Scenario, reading.text(path, DOCUMENT), DOCUMENT, str(path))
    return made if made.name else made.model_copy(update={"name": path.stem})
