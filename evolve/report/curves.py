"""The curves of a comparison as one SVG: a panel for each problem, a line with its band for each strategy.

Colours are those of Okabe & Ito (2008), which the colour-blind tell apart; dashes tell them apart in print.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

from evolve.comparing.figures import Comparison, Row
from evolve.text import amid, brief

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8c6d00")
DASHES = ("", "7 3", "2 3", "9 3 2 3", "12 4", "4 2", "1 2", "6 2 1 2")

_WIDTH, _HEIGHT = 460, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 16, 34, 48
_COLUMNS = 2
_LEGEND_ROW, _ENTRY = 20, 230
_TICKS = 5
_EARLY = 0.1  # of the evaluations
_FONT = 'font-family="Helvetica, Arial, sans-serif"'


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where a panel's values lie on the page."""

    x: float
    y: float
    most: float  # evaluations
    low: float
    high: float

    def across(self, evaluations: float) -> float:
        return self.x + _LEFT + (_WIDTH - _LEFT - _RIGHT) * evaluations / self.most

    def down(self, score: float) -> float:
        span = _HEIGHT - _TOP - _BOTTOM
        return self.y + _TOP + span * (self.high - max(score, self.low)) / (self.high - self.low)


def svg(comparison: Comparison) -> str:
    """Returns the page as text."""
    panels = [list(rows) for _, rows in groupby(comparison.rows, lambda row: row.problem)]
    names = list(dict.fromkeys(row.strategy for row in comparison.rows))
    columns = min(_COLUMNS, len(panels))
    width, lines = columns * _WIDTH, math.ceil(len(panels) / columns)
    legend = _legend(names, width)
    entries_high = _LEGEND_ROW * math.ceil(len(names) / max(1, width // _ENTRY)) + 10
    height = lines * _HEIGHT + entries_high
    body = [
        part
        for index, rows in enumerate(panels)
        for part in _panel(comparison, rows, names, index % columns * _WIDTH, entries_high + index // columns * _HEIGHT)
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'{_FONT} font-size="12">'
    )
    return "\n".join([head, '<rect width="100%" height="100%" fill="#fff"/>', *legend, *body, "</svg>", ""])


def _legend(names: Sequence[str], width: int) -> Iterator[str]:
    a_row = max(1, width // _ENTRY)
    for index, name in enumerate(names):
        x, y = 14 + index % a_row * _ENTRY, 18 + index // a_row * _LEGEND_ROW
        yield f'<path d="M{x} {y - 4}h30" {_stroke(index)}/>'
        yield f'<text x="{x + 36}" y="{y}">{escape(amid(name, 30))}</text>'


def _panel(comparison: Comparison, rows: Sequence[Row], names: Sequence[str], x: float, y: float) -> Iterator[str]:
    shown = [row for row in rows if row.curve]
    frame = _frame(comparison, shown, x, y)
    title = f"{brief(rows[0].problem, 40)}, {brief(comparison.cases, 20)} cases"
    yield f'<text x="{x + _LEFT}" y="{y + 22}" font-weight="bold">{escape(title)}</text>'
    yield from _axes(comparison, frame)
    for row in shown:
        yield _band(row, frame, COLOURS[names.index(row.strategy) % len(COLOURS)])
    for row in shown:
        points = " ".join(
            f"{frame.across(point.evaluations):.1f},{frame.down(point.best.mean):.1f}" for point in row.curve
        )
        yield f'<polyline points="{points}" {_stroke(names.index(row.strategy))}/>'
    if not shown:
        yield f'<text x="{x + _WIDTH / 2}" y="{y + _HEIGHT / 2}" text-anchor="middle">no run has ended</text>'


def _frame(comparison: Comparison, rows: Sequence[Row], x: float, y: float) -> _Frame:
    """Returns a frame for all but the first steps, which are so large that nothing else could be told apart."""
    early = comparison.evaluations * _EARLY
    points = [point for row in rows for point in row.curve if point.evaluations >= early]
    values = [value for point in points for value in (point.best.low, point.best.high)] or [1.0]
    low, high = min(values), max(values)
    room = 0.05 * (high - low) or 0.05 * high  # a flat line lies in the middle
    return _Frame(x, y, comparison.evaluations, low - room, high + room)


def _axes(comparison: Comparison, frame: _Frame) -> Iterator[str]:
    left, right = frame.across(0), frame.across(comparison.evaluations)
    bottom, top = frame.down(frame.low), frame.down(frame.high)
    step = _step(frame.high - frame.low)
    digits = max(2, -math.floor(math.log10(step)))
    for tick in range(math.ceil(frame.low / step), math.floor(frame.high / step) + 1):
        score = tick * step
        height = frame.down(score)
        yield f'<path d="M{left:.1f} {height:.1f}H{right:.1f}" stroke="#ddd"/>'
        yield f'<text x="{left - 6:.1f}" y="{height + 4:.1f}" text-anchor="end">{score:.{digits}f}</text>'
    for tick in range(5):
        count = round(comparison.evaluations * tick / 4)
        yield f'<text x="{frame.across(count):.1f}" y="{bottom + 16:.1f}" text-anchor="middle">{count:,}</text>'
    yield f'<path d="M{left:.1f} {top:.1f}V{bottom:.1f}H{right:.1f}" fill="none" stroke="#333"/>'
    middle, across = (top + bottom) / 2, frame.x + 13
    centre = f'x="{(left + right) / 2:.1f}" y="{bottom + 34:.1f}" text-anchor="middle"'
    yield f"<text {centre}>evaluations (policies judged)</text>"
    yield (
        f'<text transform="translate({across:.1f} {middle:.1f}) rotate(-90)" text-anchor="middle">'
        "best so far (times the reference)</text>"
    )


def _step(span: float) -> float:
    """Returns a round number, of which three to ten fit into a span."""
    least = span / (2 * _TICKS)
    unit = 10.0 ** math.floor(math.log10(least))
    return next(factor * unit for factor in (2, 5, 10, 20) if factor * unit >= 1.01 * least)


def _band(row: Row, frame: _Frame, colour: str) -> str:
    upper = [(point.evaluations, point.best.high) for point in row.curve]
    lower = [(point.evaluations, point.best.low) for point in reversed(row.curve)]
    points = " ".join(f"{frame.across(count):.1f},{frame.down(score):.1f}" for count, score in [*upper, *lower])
    return f'<polygon points="{points}" fill="{colour}" fill-opacity="0.14"/>'


def _stroke(index: int) -> str:
    dash = DASHES[index % len(DASHES)]
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return f'fill="none" stroke="{COLOURS[index % len(COLOURS)]}" stroke-width="2"{dashed}'
