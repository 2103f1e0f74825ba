"""Charts: where the marks of a drawing stand. The numbers come as they are stored; here they become only places.

A template draws them (`charts.html`), with a title, a description, and the same numbers as a table beside it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

WIDTH, HEIGHT = 720, 240
LEFT, RIGHT, TOP, BOTTOM = 64, 8, 12, 34
WIDEST = 40.0
"""Of a bar with its gap: a month of two days is no wall."""

MOST_SERIES = 9
OTHER = "other"
_STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True)
class Mark:
    """A bar or a part of one, with what it says; `series` picks its colour and its pattern."""

    x: float
    y: float
    width: float
    height: float
    series: int
    label: str
    value: Decimal


@dataclass(frozen=True)
class Tick:
    """A line across or a word below."""

    at: float
    text: str

    @property
    def rows(self) -> tuple[str, ...]:
        """Return the text on two rows where it has several words."""
        words = self.text.split(" ")
        middle = (len(words) + 1) // 2
        return tuple(part for part in (" ".join(words[:middle]), " ".join(words[middle:])) if part)


@dataclass(frozen=True)
class Drawing:
    """A chart to be drawn: marks, lines, and the axis; plain numbers in the units of the view box."""

    marks: tuple[Mark, ...]
    lines: tuple[tuple[str, str], ...]  # (class, points)
    across: tuple[Tick, ...]
    below: tuple[Tick, ...]
    legend: tuple[str, ...]
    band: str = ""
    width: int = WIDTH
    height: int = HEIGHT
    base: float = HEIGHT - BOTTOM

    @property
    def left(self) -> int:
        """Where the drawing begins."""
        return LEFT


Rows = Sequence[tuple[str, Sequence[Decimal]]]


def stacked(rows: Rows, legend: Sequence[str], line: Sequence[Decimal] = ()) -> Drawing:
    """Return stacked bars: a row a bar, (label, a value a series). `line`: another period's totals, a value a bar.

    Below zero is drawn below the axis. Series past the ninth are to be summed as `other` by who stored them.
    """
    highest = max([*(sum(max(one, Decimal(0)) for one in values) for _, values in rows), *line, Decimal(0)], default=0)
    lowest = min([*(sum(min(one, Decimal(0)) for one in values) for _, values in rows), Decimal(0)], default=0)
    scale = _Scale(float(lowest), float(highest))
    step = min((WIDTH - LEFT - RIGHT) / max(len(rows), 1), WIDEST)
    marks: list[Mark] = []
    for place, (label, values) in enumerate(rows):
        up = down = 0.0
        for series, value in enumerate(values):
            base = up if value >= 0 else down
            top, bottom = scale.y(base + float(value)), scale.y(base)
            if value:
                marks.append(
                    Mark(
                        x=round(LEFT + place * step + step * 0.12, 2),
                        y=round(min(top, bottom), 2),
                        width=round(step * 0.76, 2),
                        height=round(abs(bottom - top), 2),
                        series=series % (MOST_SERIES + 1),
                        label=f"{label}, {legend[series]}",
                        value=value,
                    )
                )
            up, down = (base + float(value), down) if value >= 0 else (up, base + float(value))
    points = " ".join(f"{LEFT + (i + 0.5) * step:.1f},{scale.y(float(value)):.1f}" for i, value in enumerate(line))
    return Drawing(
        marks=tuple(marks),
        lines=(("before", points),) if line else (),
        across=scale.ticks(),
        below=_below([label for label, _ in rows], step),
        legend=tuple(legend),
        base=scale.y(0),
    )


def burn_down(
    rows: Sequence[tuple[str, Decimal]], straight: Sequence[Decimal], low: Sequence[Decimal] = (),
    high: Sequence[Decimal] = (),
) -> Drawing:  # fmt: skip
    """Return what was left of a pool over time, a straight line beside it, and a band for where it may go.

    `low` and `high` go on from the last row, a value a step; all values at least zero.
    """
    steps = max(len(straight), len(rows) + max(len(low) - 1, 0), 2)
    highest = max([value for _, value in rows] + [*straight, *high, Decimal(0)])
    scale = _Scale(0.0, float(highest))
    step = (WIDTH - LEFT - RIGHT) / steps

    def points(values: Sequence[Decimal], first: int = 0) -> list[str]:
        return [f"{LEFT + (first + i + 0.5) * step:.1f},{scale.y(float(value)):.1f}" for i, value in enumerate(values)]

    begins = max(len(rows) - 1, 0)
    band = " ".join([*points(high, begins), *reversed(points(low, begins))]) if low else ""
    lines = (("straight", " ".join(points(straight))), ("left", " ".join(points([value for _, value in rows]))))
    return Drawing((), lines, scale.ticks(), _below([label for label, _ in rows], step), (), band)


def sparkline(values: Sequence[Decimal]) -> str:
    """Return the points of a line of so many values, in a view box of 96 by 24."""
    if not values:
        return ""
    low, high = float(min(values)), float(max(values))
    span = (high - low) or 1.0
    step = 92 / max(len(values) - 1, 1)
    return " ".join(f"{2 + i * step:.1f},{22 - 20 * (float(value) - low) / span:.1f}" for i, value in enumerate(values))


def waterfall(rows: Sequence[tuple[str, Decimal]], first: tuple[str, Decimal], last: tuple[str, Decimal]) -> Drawing:
    """Return the way from one total to another: the first whole, each change from where the one before ended, the last.

    Where the changes are small beside the totals, the axis begins above zero. Series 0 is a total, 1 goes up, 2 goes
    down. That the changes lead to the last is for who made them to prove.
    """
    levels = [first[1]]
    for _, change in rows:
        levels.append(levels[-1] + change)
    low, high = float(min(*levels, last[1])), float(max(*levels, last[1]))
    floor = low - (high - low) if low > 0 and (high - low) * 4 < low else min(low, 0.0)
    scale = _Scale(floor, max(high, 0.0), from_zero=floor <= 0)
    step = (WIDTH - LEFT - RIGHT) / (len(rows) + 2)

    def mark(place: int, label: str, value: Decimal, start: float, end: float, series: int) -> Mark:
        top, bottom = scale.y(max(start, end)), scale.y(min(start, end))
        x = LEFT + place * step + step * 0.12
        return Mark(
            round(x, 2), round(top, 2), round(step * 0.76, 2), round(max(bottom - top, 1), 2), series, label, value
        )

    marks = [mark(0, first[0], first[1], scale.low, float(first[1]), 0)]
    marks += [
        mark(place, label, change, float(levels[place - 1]), float(levels[place]), 1 if change >= 0 else 2)
        for place, (label, change) in enumerate(rows, 1)
    ]
    marks.append(mark(len(rows) + 1, last[0], last[1], scale.low, float(last[1]), 0))
    names = [first[0], *(label for label, _ in rows), last[0]]
    return Drawing(tuple(marks), (), scale.ticks(), _below(names, step), (), base=scale.y(scale.low))


class _Scale:
    """From a value to a place, on an axis whose ticks are round numbers; it holds zero unless `from_zero` is not."""

    def __init__(self, low: float, high: float, from_zero: bool = True) -> None:
        raw = (high - low) / 4 or 1.0
        power = 10.0 ** math.floor(math.log10(raw))
        self._step = next(power * one for one in _STEPS if power * one >= raw * 0.999)
        self.low = math.floor(low / self._step) * self._step if low < 0 or not from_zero else 0.0
        self._high = self.low + self._step * max(1, math.ceil((high - self.low) / self._step - 1e-9))

    def y(self, value: float) -> float:
        """Return the height a value stands at."""
        return TOP + (HEIGHT - TOP - BOTTOM) * (self._high - value) / (self._high - self.low)

    def ticks(self) -> tuple[Tick, ...]:
        """Return the lines across."""
        count = round((self._high - self.low) / self._step)
        values = [self.low + self._step * i for i in range(count + 1)]
        return tuple(Tick(round(self.y(value), 2), _axis(value)) for value in values)


def _axis(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value / 1000:,.4g}k"
    return f"{value:.4g}"


def _below(labels: Sequence[str], step: float, middle: float = 0.5) -> tuple[Tick, ...]:
    every = max(1, -(-len(labels) // 12))
    return tuple(
        Tick(round(LEFT + (place + middle) * step, 2), label)
        for place, label in enumerate(labels)
        if place % every == 0
    )


ALL: dict[str, Callable[..., Any]] = {
    "stacked": stacked,
    "burn_down": burn_down,
    "sparkline_points": sparkline,
    "waterfall": waterfall,
}
