"""The plot of cost against size, on logarithmic axes, as an SVG file: what grows in proportion runs parallel to the
dashed line."""

from collections.abc import Sequence
from html import escape
from math import ceil, floor, log10

from msgspec import Struct

_PANEL, _HEIGHT, _LEFT, _TOP, _BOTTOM, _GAP = 250, 260, 46, 40, 46, 44
_COLOURS = ("#c4541a", "#3b6fb6", "#4f8f4f")


class Point(Struct, frozen=True):
    """CPU of one act on something of that size."""

    series: str
    unit: str
    size: int
    cost_ms: float


def plot(points: Sequence[Point]) -> str:
    """The SVG text: a panel for each unit, a line for each series."""
    units = list(dict.fromkeys(point.unit for point in points))
    width = _LEFT + len(units) * (_PANEL + _GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{_TOP + _HEIGHT + _BOTTOM}" '
        'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#ffffff"/>',
        '<text x="12" y="22" font-size="15">ms of CPU by size; dashed: in proportion</text>',
    ]
    for place, unit in enumerate(units):
        left = _LEFT + place * (_PANEL + _GAP)
        parts += _panel([point for point in points if point.unit == unit], unit, left)
    return "\n".join([*parts, "</svg>", ""])


class _Axis:
    def __init__(self, values: Sequence[float], start: float, length: float) -> None:
        self.low, self.high = floor(log10(min(values))), max(ceil(log10(max(values))), floor(log10(min(values))) + 1)
        self._start, self._length = start, length

    def at(self, value: float) -> float:
        return self._start + (log10(value) - self.low) / (self.high - self.low) * self._length

    @property
    def decades(self) -> Sequence[float]:
        return [10.0**power for power in range(self.low, self.high + 1)]


def _panel(points: Sequence[Point], unit: str, left: float) -> list[str]:
    floor_y = _TOP + _HEIGHT
    across = _Axis([point.size for point in points], left, _PANEL)
    up = _Axis([point.cost_ms for point in points], floor_y, -_HEIGHT)
    parts = [
        f'<path d="M{across.at(value):.1f} {_TOP}V{floor_y}" stroke="#e4e4e4"/>'
        f'<text x="{across.at(value):.1f}" y="{floor_y + 16}" text-anchor="middle" fill="#555555">{value:,g}</text>'
        for value in across.decades
    ]
    parts += [
        f'<path d="M{left} {up.at(value):.1f}H{left + _PANEL}" stroke="#e4e4e4"/>'
        f'<text x="{left - 5}" y="{up.at(value) + 4:.1f}" text-anchor="end" fill="#555555">{value:g}</text>'
        for value in up.decades
    ]
    parts.append(f'<text x="{left + _PANEL / 2}" y="{floor_y + 36}" text-anchor="middle">{escape(unit)}</text>')
    parts.append(_proportional(across, up, points))
    for colour, series in zip(_COLOURS, dict.fromkeys(point.series for point in points), strict=False):
        own = [point for point in points if point.series == series]
        line = " ".join(f"{across.at(point.size):.1f},{up.at(point.cost_ms):.1f}" for point in own)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        x, y = across.at(own[-1].size), up.at(own[-1].cost_ms)
        parts.append(f'<text x="{x:.1f}" y="{y - 7:.1f}" text-anchor="end" fill="{colour}">{escape(series)}</text>')
    return parts


def _proportional(across: _Axis, up: _Axis, points: Sequence[Point]) -> str:
    """A dashed line through the largest point, as far as it is within the panel."""
    last = max(points, key=lambda point: point.cost_ms)
    least = max(last.size * 10.0**up.low / last.cost_ms, 10.0**across.low)
    start = f"{across.at(least):.1f} {up.at(last.cost_ms * least / last.size):.1f}"
    end = f"{across.at(last.size):.1f} {up.at(last.cost_ms):.1f}"
    return f'<path d="M{start}L{end}" stroke="#999999" stroke-dasharray="5 4"/>'
