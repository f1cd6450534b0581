"""Plots as SVG text. Colours are classes, which the page's style sheet defines for light and dark mode."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDTH, LEFT, RIGHT, TOP = 960, 92, 14, 22
PLOT = 190  # height of a plot
ROW = 20  # height of a lane
TICKS = 10
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600)


@dataclass(frozen=True)
class Band:
    """An interval that is highlighted in all plots: a fault."""

    begun: float
    ended: float
    text: str


@dataclass(frozen=True)
class Series:
    """A line: points of time and value, None for a gap. `style` is a class of the style sheet."""

    name: str
    style: str
    points: Sequence[tuple[float, float | None]]


@dataclass(frozen=True)
class Bar:
    """An interval in a lane; `text` is its tooltip."""

    begun: float
    ended: float
    style: str
    text: str


@dataclass(frozen=True)
class Frame:
    """The time axis that all plots of a page share, and the bands through them."""

    begun: float
    ended: float
    bands: Sequence[Band]

    def x(self, at: float) -> float:
        """Horizontal position of a time."""
        inside = min(max(at, self.begun), self.ended)
        return LEFT + (inside - self.begun) / max(self.ended - self.begun, 1e-9) * (WIDTH - LEFT - RIGHT)

    def drawn(self, title: str, name: str, height: int, inner: str) -> Markup:
        """A whole plot: title, bands, time axis, and `inner`."""
        bottom = TOP + height
        parts = [
            f'<svg viewBox="0 0 {WIDTH} {bottom + 24}" role="img" aria-label="{escape(title)}" data-plot="{name}">',
            f'<text class="title" x="{LEFT}" y="14">{escape(title)}</text>',
            *(self._band(band, bottom) for band in self.bands),
            *self._times(bottom),
            inner,
            "</svg>",
        ]
        return Markup("".join(parts))  # noqa: S704  all texts in it are escaped where they are inserted

    def _band(self, band: Band, bottom: int) -> str:
        left, right = self.x(band.begun), self.x(band.ended)
        where = f'x="{left:.1f}" y="{TOP}" width="{max(2.0, right - left):.1f}" height="{bottom - TOP}"'
        return f'<rect class="band" data-fault="{escape(band.text)}" {where}><title>{escape(band.text)}</title></rect>'

    def _times(self, bottom: int) -> list[str]:
        seconds = self.ended - self.begun
        step = next((step for step in STEPS if seconds / step <= TICKS), STEPS[-1])
        parts = []
        for count in range(int(seconds / step) + 1):
            x = self.x(self.begun + count * step)
            parts.append(f'<line class="grid" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{bottom}"/>')
            parts.append(
                f'<text class="tick" x="{x:.1f}" y="{bottom + 15}" text-anchor="middle">{count * step} s</text>'
            )
        return parts


def plot(frame: Frame, title: str, name: str, series: Sequence[Series], *, log: bool = False) -> Markup:
    """Lines over time; `log`: on a logarithmic scale."""
    values = [value for line in series for _, value in line.points if value is not None]
    scale = _log(values) if log else _linear(values)
    parts = [
        f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>'
        f'<text class="tick" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_short(value)}</text>'
        for value, y in scale.ticks()
    ]
    for line in series:
        parts += [f'<path class="line {line.style}" d="{path}"/>' for path in _paths(frame, line, scale)]
    parts.append(legend([(line.name, line.style) for line in series]))
    return frame.drawn(title, name, PLOT, "".join(parts))


def stacked(frame: Frame, title: str, name: str, rows: Sequence[tuple[float, float, Mapping[str, int]]]) -> Markup:
    """Stacked counts by name over time; each row has begin, end and counts."""
    names = sorted({key for _, _, counts in rows for key in counts})
    most = max((sum(counts.values()) for _, _, counts in rows), default=0) or 1
    parts = []
    for begun, ended, counts in rows:
        y = float(TOP + PLOT)
        left, width = frame.x(begun), frame.x(ended) - frame.x(begun)
        for index, key in enumerate(names):
            height = counts.get(key, 0) / most * (PLOT - 20)
            y -= height
            if height:
                where = f'x="{left:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
                parts.append(f'<rect class="c{index % 8}" {where}/>')
    parts.append(legend([(key, f"c{index % 8}") for index, key in enumerate(names)]))
    return frame.drawn(title, name, PLOT, "".join(parts))


def lanes(frame: Frame, title: str, name: str, rows: Mapping[str, Sequence[Bar]]) -> Markup:
    """A lane of bars for each name."""
    parts = []
    for index, (label, bars) in enumerate(rows.items()):
        y = TOP + index * ROW
        parts.append(f'<text class="tick" x="{LEFT - 6}" y="{y + 14}" text-anchor="end">{escape(label)}</text>')
        for bar in bars:
            left, right = frame.x(bar.begun), frame.x(bar.ended)
            where = f'x="{left:.1f}" y="{y + 4}" width="{max(1.5, right - left):.1f}" height="{ROW - 8}"'
            parts.append(f'<rect class="{bar.style}" {where}><title>{escape(bar.text)}</title></rect>')
    return frame.drawn(title, name, max(1, len(rows)) * ROW, "".join(parts))


def legend(entries: Sequence[tuple[str, str]]) -> str:
    """Names and their colours, right-aligned in the title's line."""
    parts, x = [], float(WIDTH - RIGHT)
    for name, style in reversed(entries):
        x -= 7.2 * len(name) + 26
        parts.append(f'<rect class="key {style}" x="{x:.0f}" y="5" width="14" height="9"/>')
        parts.append(f'<text class="tick" x="{x + 18:.0f}" y="14">{escape(name)}</text>')
    return "".join(parts)


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    log: bool

    def y(self, value: float) -> float:
        share = (self._of(value) - self._of(self.low)) / (self._of(self.high) - self._of(self.low))
        return TOP + PLOT - min(1.0, max(0.0, share)) * PLOT

    def _of(self, value: float) -> float:
        return math.log10(max(value, 1e-9)) if self.log else value

    def ticks(self) -> list[tuple[float, float]]:
        if self.log:
            powers = range(round(math.log10(self.low)), round(math.log10(self.high)) + 1)
            return [(10.0**power, self.y(10.0**power)) for power in powers]
        return [(self.high * share / 4, self.y(self.high * share / 4)) for share in range(5)]


def _log(values: Sequence[float]) -> _Scale:
    above = [value for value in values if value > 0] or [1.0, 10.0]
    low, high = math.floor(math.log10(min(above))), math.ceil(math.log10(max(above)))
    return _Scale(10.0**low, 10.0 ** max(high, low + 1), log=True)


def _linear(values: Sequence[float]) -> _Scale:
    most = max(values, default=1.0) or 1.0
    power = 10.0 ** math.floor(math.log10(most))
    return _Scale(0.0, next(step * power for step in (1, 2, 4, 5, 8, 10) if step * power >= most), log=False)


def _paths(frame: Frame, line: Series, scale: _Scale) -> list[str]:
    """One path for each part without a gap."""
    segments: list[list[str]] = [[]]
    for at, value in line.points:
        if value is None:
            segments.append([])
        else:
            segments[-1].append(f"{frame.x(at):.1f} {scale.y(value):.1f}")
    return [f"M{'L'.join(points)}" if len(points) > 1 else f"M{points[0]}h2" for points in segments if points]


def _short(value: float) -> str:
    return f"{value:g}" if value < 1000 else f"{value / 1000:g}k"  # noqa: PLR2004  a thousand is k
