"""Charts as numbers for the templates, which draw them as SVG.

Horizontal places are percent of the width, so that a chart fits every screen and its text keeps its
size; vertical ones are pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil, floor, log, log10

from django.utils import timezone

GAP = 0.2
"""The part of a slot that stays empty between two bars."""
LABELS = 6


@dataclass(frozen=True, kw_only=True)
class Part:
    name: str
    y: float
    height: float


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A slot of time: its parts from the bottom up; ``words`` say what it shows. ``is_open``: the
    slot is not over."""

    at: datetime
    x: float
    width: float
    parts: list[Part]
    words: str
    is_open: bool


@dataclass(frozen=True, kw_only=True)
class Chart:
    """``levels`` are the lines across, as place and label; ``labels`` the times below, as place,
    words and anchor; ``most`` is the highest bar's value."""

    height: int
    bars: list[Bar]
    levels: list[tuple[float, str]]
    labels: list[tuple[float, str, str]]
    most: float


def stacked(
    times: Sequence[datetime],
    values: Mapping[datetime, Mapping[str, float]],
    *,
    names: Sequence[str],
    words: Callable[[datetime, Mapping[str, float]], str],
    height: int,
    least_top: float = 1,
) -> Chart:
    """One bar for each of ``times`` that ``values`` has; about the others nothing is known.
    ``names`` go from the bottom up. The scale reaches at least ``least_top``."""
    most = max((sum(each.values()) for each in values.values()), default=0.0)
    top = nice(max(most, least_top))
    step = 100 / len(times)
    bars = [
        Bar(
            at=at,
            x=round(number * step, 3),
            width=round(step * (1 - GAP), 3),
            parts=_parts(values[at], names, scale=height / top, height=height),
            words=words(at, values[at]),
            is_open=number == len(times) - 1,
        )
        for number, at in enumerate(times)
        if at in values
    ]
    levels = [(height - height * share, f"{top * share:,g}") for share in (1.0, 0.5)]
    return Chart(height=height, bars=bars, levels=levels, labels=_labels(times), most=most)


def nice(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, ... that is not below ``value``."""
    if value <= 1:
        return 1.0
    power = 10.0 ** floor(log10(value))
    return next(power * step for step in (1, 2, 5, 10) if power * step >= value)


def on_log_scale(value: float, *, least: float, most: float) -> float:
    """The place of ``value`` between ``least`` and ``most``, in percent."""
    if most <= least or value <= least:
        return 0.0
    return round(100 * min(1.0, log(value / least) / log(most / least)), 2)


def _parts(
    values: Mapping[str, float], names: Sequence[str], *, scale: float, height: int
) -> list[Part]:
    """Whatever happened is visible: a part is at least a pixel high."""
    parts, below = [], 0.0
    for name in names:
        if value := values.get(name):
            size = max(1.0, value * scale)
            below += size
            parts.append(Part(name=name, y=round(height - below, 1), height=round(size, 1)))
    return parts


def _labels(times: Sequence[datetime]) -> list[tuple[float, str, str]]:
    """Some of the times, as place, words and anchor."""
    every = ceil(len(times) / LABELS)
    is_long = (times[-1] - times[0]).days > 1
    shown = [(number, at) for number, at in enumerate(times) if number % every == 0]
    return [
        (
            round(100 * number / len(times), 2),
            f"{timezone.localtime(at):{'%a %H:%M' if is_long else '%H:%M'}}",
            "start" if number == 0 else "middle",
        )
        for number, at in shown
    ]
