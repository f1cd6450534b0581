"""The scenario file: its model and its reader."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from lab import assets, reading
from lab.errors import SpecError
from lab.evidence.promises import promise
from lab.faults.kinds import KINDS, kind
from lab.models import Model
from lab.services.ledgers import LEDGERS
from lab.topology import units
from lab.topology.units import Duration

if TYPE_CHECKING:
    from collections.abc import Iterable

SHORTEST = "for: 20s\nfaults:\n  - {at: 5s, for: 5s, kill: web1}\npromises: [web-node-dies]"
DOCUMENT = reading.Document("scenario", SHORTEST, "docs/chaos.md says what is valid")
LONGEST_SECONDS = 3600

Rate = Annotated[float, Field(gt=0, le=5000, description="a second")]
Span = Annotated[Duration, Field(gt=0, le=LONGEST_SECONDS)]
Moment = Annotated[Duration, Field(ge=0, le=LONGEST_SECONDS)]


class ScenarioLoad(Model):
    """Requests of visitors, at a constant rate."""

    rate: Rate = 50
    path: Annotated[str, Field(pattern="^/")] = "/whoami"
    http: Literal["1.1", "2"] = "1.1"
    keep: bool = True


class Step(Model):
    """One fault: time, duration, kind, targets and settings.

    Written as `{at: 5s, for: 5s, cut: web1, from: http-lb1}`: the kind is a key, the targets are its value.
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
    def _kind_is_a_key(cls, data: Any) -> Any:  # noqa: ANN401  any value of a file
        if not isinstance(data, dict) or "kind" in data:
            return data
        kinds = [key for key in data if key in KINDS]
        if len(kinds) != 1:
            valid = [field.alias or name for name, field in cls.model_fields.items()]
            unknown = [key for key in data if key not in KINDS and key not in valid]
            if unknown:
                raise ValueError(_refusal(lambda: kind(str(unknown[0]))))
            raise ValueError(f"a step needs exactly one fault; kinds: {', '.join(KINDS)}")
        return {
            **{key: value for key, value in data.items() if key != kinds[0]},
            "kind": kinds[0],
            "target": data[kinds[0]],
        }

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if kind(self.kind).lasting and self.span is None:
            raise ValueError(f"'{self.kind}' needs an end: add 'for: 5s'")
        _refusal(self.settings, raising=True)
        return self

    def settings(self) -> dict[str, Any]:
        """Settings of the fault, without its nodes."""
        parsers = {"delay": units.seconds, "jitter": units.seconds, "loss": units.percent, "rate": units.bits}
        parsers["skew"] = lambda text: round(units.seconds(text))
        keys = ("way", "delay", "jitter", "loss", "rate", "where", "skew", "service", "process")
        raw = {key: getattr(self, key) for key in keys}
        return {key: parsers.get(key, str)(value) for key, value in raw.items() if value is not None}

    @property
    def end(self) -> float:
        """Time of reverting, in seconds from the start of the run."""
        return self.at + (self.span or 0.0)


class RandomFaults(Model):
    """Random faults; kinds, nodes, times and durations follow from the seed."""

    every: Span = 6.0
    shortest: Span = 2.0
    longest: Span = 5.0
    faults: dict[str, list[str]] = Field(description="roles that each kind may affect; for freeze: role/service")

    @field_validator("faults")
    @classmethod
    def _known(cls, value: dict[str, list[str]]) -> dict[str, list[str]]:
        for name in value:
            _refusal(lambda name=name: kind(name), raising=True)
        return value


class Scenario(Model):
    """A scenario."""

    name: str = ""
    summary: str = ""
    topology: str = Field("full", description="topology of the cluster to create where none exists")
    site: str | None = Field(None, description="site or application under load; default: the guest book")
    load: ScenarioLoad = Field(default_factory=ScenarioLoad)
    span: Span = Field(alias="for", description="duration, without reverting and settling")
    faults: list[Step] = Field(default_factory=list)
    random_faults: RandomFaults | None = Field(None, alias="random")
    ledger: dict[str, Rate] = Field(default_factory=dict, description="writes per second by service")
    promises: list[str] = Field(min_length=1)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        for name in self.promises:
            _refusal(lambda name=name: promise(name), raising=True)
        for name in self.ledger:
            if name not in LEDGERS:
                raise ValueError(f"no ledger supports the service '{name}'; services: {', '.join(LEDGERS)}")
        for step in self.faults:
            if step.end > self.span:
                raise ValueError(
                    f"'{step.kind} {step.target}' ends at {step.end:g} s, after the scenario ({self.span:g} s)"
                )
        self._refuse_faults_on_stopped_nodes()
        if not self.faults and self.random_faults is None:
            raise ValueError("the scenario has no faults: add 'faults:' or 'random:'")
        return self

    def _refuse_faults_on_stopped_nodes(self) -> None:
        for step in self.faults:
            for other in self.faults:
                meets = other is not step and other.target == step.target and other.at <= step.at < other.end
                if meets and other.kind in ("kill", "stop", "pause"):
                    raise ValueError(
                        f"'{step.kind} {step.target}' at {step.at:g} s: the node is down then, by '{other.kind}'"
                    )


def _refusal(check: Any, *, raising: bool = False) -> str:  # noqa: ANN401  any callable
    """Calls `check`; its SpecError in one line, empty for none. `raising`: raises it as ValueError, for pydantic."""
    try:
        check()
    except SpecError as error:
        text = "; ".join(filter(None, (error.what, error.next_step)))
        if raising:
            raise ValueError(text) from None
        return text
    return ""


def find(name: str, others: Iterable[str] = ()) -> Path:
    """The file of a scenario: a path, or the name of a shipped one.

    Args:
        name: the path or name.
        others: names that are possible besides, for the error.

    Raises:
        SpecError: not found.
    """
    shipped = assets.scenarios()
    path = Path(name)
    if path.is_file():
        return path
    if path.stem in shipped and path.parent.name in ("", "scenarios"):
        return shipped[path.stem]
    raise SpecError(
        f"there is no scenario {name}", next_step=f"name a file, or one of: {', '.join([*shipped, *others])}"
    )


def load(path: Path) -> Scenario:
    """The scenario in a file; its default name is that of the file.

    Raises:
        SpecError: the file cannot be read or is not valid.
    """
    scenario = reading.model(Scenario, reading.text(path, DOCUMENT), DOCUMENT, str(path))
    return scenario if scenario.name else scenario.model_copy(update={"name": path.stem})
