"""What the page offers to do: each with its command line, by what the backend supports."""

from __future__ import annotations

import re
import shlex
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from lab.errors import SpecError
from lab.faults.kinds import kind
from lab.hints import nearest
from lab.services.live import SWITCHOVERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.backends.base import Capabilities

SPANS = ("5s", "10s", "30s", "60s", "5m")
DEFAULT_SPAN = "10s"
PLAIN = re.compile(r"[A-Za-z0-9.,%/:_+-]{1,80}")
"""What a setting may be: no shell reads it, and the command that is shown stays one line."""


@dataclass(frozen=True)
class Setting:
    """A choice of an offer; `choices` of the page, where the first is the default. `from`: filled from the node.

    Attributes:
        source: `services`, `volumes`, `nodes` or `roles` where the choices are the node's; empty for fixed ones.
    """

    name: str
    label: str
    choices: tuple[str, ...] = ()
    source: str = ""


@dataclass(frozen=True)
class Offer:
    """Something that the page does.

    Attributes:
        command: of `lab`, with `{target}`, `{for}` and the settings by name; a part in brackets is left out where its
            setting is empty.
        timed: whether it is reverted after a time.
        on: `node`, or `role` (scale), or `primary` (of a role that has one).
        lacks: why it is not supported here; empty where it is.
    """

    name: str
    label: str
    says: str
    command: str
    timed: bool = True
    on: str = "node"
    settings: tuple[Setting, ...] = ()
    lacks: str = ""


FAULTS = (
    Offer("kill", "Kill", "without warning, like a power failure", "lab fault kill {target} --for {for}"),
    Offer("stop", "Stop", "cleanly: services end in order", "lab fault stop {target} --for {for}"),
    Offer("pause", "Pause", "a hang: connections stay open and get no answer", "lab fault pause {target} --for {for}"),
    Offer(
        "cut",
        "Cut",
        "from all others, or from one: a partition of the network",
        "lab fault cut {target}[ --from {from}] --for {for}",
        settings=(Setting("from", "from", ("",), "nodes"),),
    ),
    Offer(
        "slow",
        "Slow",
        "delay and loss of its packets",
        "lab fault slow {target} --delay {delay} --loss {loss} --for {for}",
        settings=(
            Setting("delay", "delay", ("100ms", "20ms", "500ms", "2s")),
            Setting("loss", "loss", ("0%", "5%", "20%", "50%")),
        ),
    ),
    Offer(
        "fill",
        "Fill",
        "a volume, completely",
        "lab fault fill {target} --where {where} --for {for}",
        settings=(Setting("where", "where", ("/tmp", "/run"), "volumes"),),  # noqa: S108  in the node
    ),
    Offer(
        "freeze",
        "Freeze",
        "one service, while the node runs on",
        "lab fault freeze {target} {service} --for {for}",
        settings=(Setting("service", "service", (), "services"),),
    ),
)
SAMPLES: dict[str, dict[str, Any]] = {"slow": {"delay": 0.1}}
"""Settings without which a fault is none."""

START = Offer("start", "Start", "starts or resumes it, and waits until it is ready", "lab start {target}", timed=False)
SCALE = Offer(
    "scale",
    "Scale",
    "another number of nodes of this role",
    "lab up --scale {role}={count}",
    timed=False,
    on="role",
    settings=(Setting("count", "nodes", (), "roles"),),
)


def _switchover() -> tuple[Offer, ...]:
    """The planned change of the primary, of the first role that has one."""
    return tuple(
        Offer(
            "switchover",
            "Switchover",
            "makes it the primary, without a lost write",
            one.command,
            timed=False,
            on="primary",
        )
        for one in list(SWITCHOVERS.values())[:1]
    )


def offers(can: Capabilities) -> dict[str, Offer]:
    """All offers by name, each with what the backend lacks for it."""
    faults = [_supported(one, can) for one in FAULTS]
    return {one.name: one for one in (*faults, START, *_switchover(), SCALE)}


def _supported(one: Offer, can: Capabilities) -> Offer:
    return replace(one, lacks=kind(one.name)(nodes=("any",), **SAMPLES.get(one.name, {})).needs(can))


def shown(offer: Offer) -> dict[str, Any]:
    """The offer as the page reads it."""
    return asdict(offer)


def command(offer: Offer, values: Mapping[str, str], suffix: str = "") -> str:
    """The command line of an offer with these values; `suffix` says which cluster.

    Raises:
        SpecError: a value is missing, or can't be one.
    """

    def optional(match: re.Match[str]) -> str:
        names = re.findall(r"\{(\w+)\}", match[1])
        return match[1] if all(values.get(name) for name in names) else ""

    text = re.sub(r"\[([^\]]*)\]", optional, offer.command)
    names = re.findall(r"\{(\w+)\}", text)
    for name in names:
        value = values.get(name, "")
        if not PLAIN.fullmatch(value):
            raise SpecError(
                f"'{value}' is not valid for '{name}' of '{offer.name}'", next_step="choose one of the page's"
            )
    return " ".join(filter(None, (text.format_map({name: shlex.quote(values[name]) for name in names}), suffix)))


def named(name: str, known: Mapping[str, Offer]) -> Offer:
    """The offer of a name.

    Raises:
        SpecError: there is none, or the backend does not support it.
    """
    if name not in known:
        raise SpecError(f"the page does not offer '{name}'", next_step=nearest(name, list(known)))
    if known[name].lacks:
        raise SpecError(f"'{name}' is not supported here: {known[name].lacks}")
    return known[name]
