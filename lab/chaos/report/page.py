"""The HTML report of a run: promises, plots, faults, requests, ledger, events."""

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
from lab.evidence.latency import buckets
from lab.evidence.load_run import CLIENT
from lab.evidence.stalls import HERE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lab.chaos.events import Event
    from lab.evidence.load_run import Row
    from lab.evidence.verdicts import PromiseResult, RunData

POINTS = 400  # maximum number of points of a plot
NARROWEST = 0.25  # seconds between two points
BARS = 160
STALLS = 1000  # maximum number of bars of stalls in a lane
EVENTS = 400  # shown in the page; events.jsonl has all
IDS = 200
CODE = re.compile(r"`([^`]+)`")


def page(document: Mapping[str, Any], data: RunData, results: Sequence[PromiseResult], events: Sequence[Event]) -> str:
    """The HTML page.

    Args:
        document: the content of `results.json`.
        data: the measurements.
        results: the promises.
        events: the events, in order of time.
    """
    bands = [svg.Band(fault.begun, fault.mended, fault.text) for fault in data.faults]
    frame = svg.Frame(data.begun, data.ended, bands)
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            run=document,
            results=results,
            plots=_plots(frame, data),
            events=events[:EVENTS],
            hidden=max(0, len(events) - EVENTS),
            most_ids=IDS,
            when=datetime.fromtimestamp(data.begun, tz=UTC),
            data=data,
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["words"] = lambda text: Markup(CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704  escaped
    environment.filters["seconds"] = lambda value: "–" if value is None else f"{value:.2f} s"
    environment.filters["milliseconds"] = lambda value: f"{value * 1000:.1f} ms"
    return environment


def _plots(frame: svg.Frame, data: RunData) -> list[Markup]:
    width = max(NARROWEST, (data.ended - data.begun) / POINTS)
    rows = buckets(data.answers, data.begun, data.ended, width)
    times = [
        svg.Series("slowest", "thin", [(row.at, row.slowest and row.slowest * 1000) for row in rows]),
        svg.Series("99 %", "second", [(row.at, row.p99 and row.p99 * 1000) for row in rows]),
        svg.Series("median", "first", [(row.at, row.p50 and row.p50 * 1000) for row in rows]),
    ]
    rates = [
        svg.Series("answered", "first", [(row.at, (row.count - row.failed) / width) for row in rows]),
        svg.Series("failed", "bad", [(row.at, row.failed / width) for row in rows]),
    ]
    wide = max(1.0, (data.ended - data.begun) / BARS)
    served = [(row.at, row.at + wide, row.served) for row in buckets(data.answers, data.begun, data.ended, wide)]
    return [
        svg.plot(frame, "response time in ms, counted from when each request was due", "times", times, log=True),
        svg.plot(frame, "requests a second", "rates", rates),
        svg.stacked(frame, "requests served by each node", "served", served),
        svg.lanes(frame, "answers to the client's probes", "answers", _answering(data)),
        svg.lanes(frame, "holder of the VIP", "vip", _vip(data)),
        svg.lanes(frame, "members of each pool", "pools", _pools(data)),
        svg.lanes(frame, "stalls of the machine", "stalls", _stalls(data)),
    ]


def _answering(data: RunData) -> dict[str, list[svg.Bar]]:
    """Lane of each address: answers, and outages in another colour and position."""
    lanes, late = {}, data.clock.limit(probes.LATE)
    for name, rows in data.rows.items():
        if rows:
            good = [svg.Bar(span.begun, span.ended, "up", f"{name} answers") for span in _alive(rows, late)]
            silent = probes.outages(rows, late)
            bad = [svg.Bar(o.begun, o.ended, "down", f"{name}: {o.value}, {o.seconds:.2f} s") for o in silent]
            lanes[name] = good + bad
    return lanes


def _alive(rows: Sequence[Row], late: float) -> list[probes.Span]:
    spans, begun = [], rows[0].due
    for outage in probes.outages(rows, late):
        if outage.begun > begun:
            spans.append(probes.Span(begun, outage.begun))
        begun = outage.ended
    return [*spans, probes.Span(begun, rows[-1].due)]


def _vip(data: RunData) -> dict[str, list[svg.Bar]]:
    lanes: dict[str, list[svg.Bar]] = {node.name: [] for node in data.plan.nodes if node.holds_vip}
    for span in probes.lane(data.rows.get(probes.VIP, ())):
        text = f"{span.value} holds the VIP, {span.seconds:.2f} s"
        lanes.setdefault(span.value, []).append(svg.Bar(span.begun, span.ended, "up", text))
    return lanes


def _pools(data: RunData) -> dict[str, list[svg.Bar]]:
    lanes: dict[str, list[svg.Bar]] = {}
    for node in data.plan.nodes:
        rows = [row for row in data.rows.get(node.name, ()) if "=" in row.value]
        for span in probes.lane(rows):
            for name in sorted(probes.members(span.value)):
                row = lanes.setdefault(f"{_brief(node.name)}: {_brief(name)}", [])
                text = f"{name} is in the pool of {node.name}"
                if row and span.begun - row[-1].ended < data.interval * 1.5:
                    row[-1] = svg.Bar(row[-1].begun, span.ended, "up", text)
                else:
                    row.append(svg.Bar(span.begun, span.ended, "up", text))
    return dict(sorted(lanes.items()))


def _stalls(data: RunData) -> dict[str, list[svg.Bar]]:
    """The stalls of each machine; stalls too close to be told apart in the plot are one bar."""
    lanes: dict[str, list[svg.Bar]] = {HERE: [], CLIENT: []}
    narrowest = (data.ended - data.begun) / STALLS
    for stall in sorted(data.stalls, key=lambda stall: stall.begun):
        row = lanes[stall.where]
        text = f"{stall.where} stalled for {stall.seconds:.3f} s"
        if row and stall.begun - row[-1].ended < narrowest:
            row[-1] = svg.Bar(row[-1].begun, max(row[-1].ended, stall.ended), "down", row[-1].text)
        else:
            row.append(svg.Bar(stall.begun, stall.ended, "down", text))
    return lanes


def _brief(node: str) -> str:
    """A node's name for a narrow margin: http-lb1 is http1, tcp-lb2 is tcp2; others are unchanged."""
    return node.replace("-lb", "")
