"""The report of a run: what was promised, what was seen, when, and who did what."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from lab.chaos.report import svg
from lab.evidence import probes
from lab.evidence.asking import CLIENT
from lab.evidence.latency import buckets
from lab.evidence.stalls import HERE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lab.chaos.events import Event
    from lab.evidence.asking import Row
    from lab.evidence.verdicts import Judged, RunData

POINTS = 400  # stretches that a run is drawn in, at most
NARROWEST = 0.25  # seconds of one
BARS = 160
STALLS = 1000  # bars of stalls in a lane, at most
EVENTS = 400  # shown; all are in events.jsonl
IDS = 200
CODE = re.compile(r"`([^`]+)`")


def page(document: Mapping[str, Any], seen: RunData, results: Sequence[Judged], happened: Sequence[Event]) -> str:
    """The whole page.

    Args:
        document: the run's results, as `results.json` has them.
        seen: what was seen of it.
        results: the promises.
        happened: the events, in order.
    """
    bands = [svg.Band(fault.begun, fault.mended, fault.text) for fault in seen.faults]
    frame = svg.Frame(seen.begun, seen.ended, bands)
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            run=document,
            results=results,
            plots=_plots(frame, seen),
            events=happened[:EVENTS],
            hidden=max(0, len(happened) - EVENTS),
            most_ids=IDS,
            when=datetime.fromtimestamp(seen.begun, tz=UTC),
            seen=seen,
        )
    )


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["words"] = lambda text: Markup(CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704  escaped
    made.filters["seconds"] = lambda value: "–" if value is None else f"{value:.2f} s"
    made.filters["milliseconds"] = lambda value: f"{value * 1000:.1f} ms"
    return made


def _plots(frame: svg.Frame, seen: RunData) -> list[Markup]:
    width = max(NARROWEST, (seen.ended - seen.begun) / POINTS)
    rows = buckets(seen.answers, seen.begun, seen.ended, width)
    times = [
        svg.Series("slowest", "thin", [(row.at, row.slowest and row.slowest * 1000) for row in rows]),
        svg.Series("99 %", "second", [(row.at, row.p99 and row.p99 * 1000) for row in rows]),
        svg.Series("median", "first", [(row.at, row.p50 and row.p50 * 1000) for row in rows]),
    ]
    rates = [
        svg.Series("answered", "first", [(row.at, (row.count - row.failed) / width) for row in rows]),
        svg.Series("failed", "bad", [(row.at, row.failed / width) for row in rows]),
    ]
    wide = max(1.0, (seen.ended - seen.begun) / BARS)
    served = [(row.at, row.at + wide, row.served) for row in buckets(seen.answers, seen.begun, seen.ended, wide)]
    return [
        svg.plot(frame, "response time in ms, counted from when each request was due", "times", times, log=True),
        svg.plot(frame, "requests a second", "rates", rates),
        svg.stacked(frame, "who served what", "served", served),
        svg.lanes(frame, "who answers the client's probes", "answers", _answering(seen)),
        svg.lanes(frame, "who held the VIP", "vip", _vip(seen)),
        svg.lanes(frame, "who was in which pool", "pools", _pools(seen)),
        svg.lanes(frame, "when a machine stood still", "stalls", _stalls(seen)),
    ]


def _answering(seen: RunData) -> dict[str, list[svg.Bar]]:
    """Where each address answered, and in another colour and lower where it did not."""
    found, late = {}, seen.clock.limit(probes.LATE)
    for name, rows in seen.rows.items():
        if rows:
            good = [svg.Bar(span.begun, span.ended, "up", f"{name} answers") for span in _alive(rows, late)]
            silent = probes.outages(rows, late)
            bad = [svg.Bar(o.begun, o.ended, "down", f"{name}: {o.value}, {o.seconds:.2f} s") for o in silent]
            found[name] = good + bad
    return found


def _alive(rows: Sequence[Row], late: float) -> list[probes.Span]:
    found, begun = [], rows[0].due
    for outage in probes.outages(rows, late):
        if outage.begun > begun:
            found.append(probes.Span(begun, outage.begun))
        begun = outage.ended
    return [*found, probes.Span(begun, rows[-1].due)]


def _vip(seen: RunData) -> dict[str, list[svg.Bar]]:
    found: dict[str, list[svg.Bar]] = {node.name: [] for node in seen.plan.nodes if node.holds_vip}
    for span in probes.lane(seen.rows.get(probes.VIP, ())):
        text = f"{span.value} holds the VIP, {span.seconds:.2f} s"
        found.setdefault(span.value, []).append(svg.Bar(span.begun, span.ended, "up", text))
    return found


def _pools(seen: RunData) -> dict[str, list[svg.Bar]]:
    found: dict[str, list[svg.Bar]] = {}
    for node in seen.plan.nodes:
        rows = [row for row in seen.rows.get(node.name, ()) if "=" in row.value]
        for span in probes.lane(rows):
            for name in sorted(probes.members(span.value)):
                row = found.setdefault(f"{_brief(node.name)}: {_brief(name)}", [])
                text = f"{name} is in the pool of {node.name}"
                if row and span.begun - row[-1].ended < seen.interval * 1.5:
                    row[-1] = svg.Bar(row[-1].begun, span.ended, "up", text)
                else:
                    row.append(svg.Bar(span.begun, span.ended, "up", text))
    return dict(sorted(found.items()))


def _stalls(seen: RunData) -> dict[str, list[svg.Bar]]:
    """The stalls of each machine; those that are nearer to each other than the page can show are one bar."""
    found: dict[str, list[svg.Bar]] = {HERE: [], CLIENT: []}
    narrowest = (seen.ended - seen.begun) / STALLS
    for stall in sorted(seen.stalls, key=lambda stall: stall.begun):
        row = found[stall.where]
        text = f"{stall.where} stood still for {stall.seconds:.3f} s"
        if row and stall.begun - row[-1].ended < narrowest:
            row[-1] = svg.Bar(row[-1].begun, max(row[-1].ended, stall.ended), "down", row[-1].text)
        else:
            row.append(svg.Bar(stall.begun, stall.ended, "down", text))
    return found


def _brief(node: str) -> str:
    """A node's name for a narrow margin: http-lb1 is http1, tcp-lb2 is tcp2; others stay."""
    return node.replace("-lb", "")
