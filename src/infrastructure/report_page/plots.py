"""Plots of the page as inline SVG: distributions on a shared logarithmic axis, bars of parts, trends over time.

Each plot is an image with a name and a description for who cannot see it, takes the keyboard's focus, and stands beside
a table of the values it is drawn from. A mark that has a value holds it as its `title`: that is what a pointer finds
without a script, and what the page's script reads out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ...domain.telemetry import figures
from .markup import Markup, joined, tag

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ...domain.telemetry.log_axis import LogAxis
    from .values import Value

WIDTH = 360
_LEFT, _RIGHT = 6.0, WIDTH - 6.0
_SPARK_WIDTH, _SPARK_HEIGHT = 128, 22
_SPARK_COLUMNS = 32
_TICKS_MAX = 6
_LABEL_WIDTH = 88
_DAY_S = 86400


def figure(
    ident: str,
    title: object,
    note: object,
    *,
    height: float,
    says: str,
    drawing: Sequence[Markup],
    legend: Markup | None = None,
    values: Markup | None = None,
) -> Markup:
    """Return a plot with its heading, legend and folded table; `says` is what the picture shows, in words."""
    image = tag(
        "svg",
        tag("title", title, id=f"{ident}-title"),
        tag("desc", says, id=f"{ident}-text"),
        list(drawing),
        viewBox=f"0 0 {WIDTH} {height:g}",
        role="img",
        tabindex=0,
        aria_labelledby=f"{ident}-title",
        aria_describedby=f"{ident}-text",
    )
    heading = tag("figcaption", tag("strong", tag("bdi", title)), " ", tag("span", note, class_="quiet"))
    return tag("figure", heading, image, legend, values, class_="panel plot")


def _hit(text: str, x: float, y: float, width: float, height: float) -> Markup:
    return tag("rect", tag("title", text), class_="hit", x=x, y=y, width=width, height=height)


def _label(text: str, x: float, y: float, *, anchor: str = "start", class_: str | None = None) -> Markup:
    return tag("text", text, x=x, y=y, text_anchor=anchor, class_=class_)


# ---------------------------------------------------------------------- distributions


def distribution(latency: Value, axis: LogAxis) -> tuple[list[Markup], float]:
    """Return the marks of a histogram with its p50 and p95, and the height they take."""
    top, base, height = 38.0, 114.0, 134.0
    histogram = latency["hist"].raw
    edges, counts = histogram["edges_ms"], histogram["counts"]
    most = max(counts)
    span = _RIGHT - _LEFT
    parts = [tag("line", class_="axis", x1=_LEFT, x2=_RIGHT, y1=base, y2=base)]
    for tick in axis.ticks_ms(_TICKS_MAX):
        x = _LEFT + axis.position(tick) * span
        anchor = "start" if x < _LEFT + 20 else "end" if x > _RIGHT - 20 else "middle"
        parts += [
            tag("line", class_="grid", x1=x, x2=x, y1=top - 4, y2=base + 4),
            _label(figures.round_duration(tick), x, base + 17, anchor=anchor, class_="tick"),
        ]
    for at, samples in enumerate(counts):
        if not samples:
            continue
        x = _LEFT + axis.position(max(edges[at], axis.lower_ms)) * span
        width = max(_LEFT + axis.position(edges[at + 1]) * span - x, 1.0)
        tall = max(samples / most * (base - top), 1.5)
        parts.append(tag("rect", class_="bar", x=x, y=base - tall, width=max(width - 0.6, 0.8), height=tall))
        low, high = figures.duration(edges[at]), figures.duration(edges[at + 1])
        parts.append(_hit(f"{low} to {high}: {figures.count(samples)}", x, top, width, base - top))
    lines, labels = [], []
    # p95 above p50, each to its side of its line: neither label is crossed by the other's line, but at an end.
    for key, y, room in (("p95_ms", 11.0, _RIGHT - _LABEL_WIDTH), ("p50_ms", 26.0, _LEFT + _LABEL_WIDTH)):
        value = latency[key].raw
        x = _LEFT + axis.position(value) * span
        is_after = x < room
        words = f"{key[:3]} {figures.duration(value)}"
        lines.append(tag("line", class_=f"mark {key[:3]}", x1=x, x2=x, y1=y - 9, y2=base))
        anchor = "start" if is_after else "end"
        labels.append(_label(words, x + (5 if is_after else -5), y, anchor=anchor, class_=key[:3]))
    parts += [*lines, *labels]
    x = _LEFT + axis.position(latency["max_ms"].raw) * span
    parts.append(tag("path", class_="max", d=f"M{x:.2f} {base + 1}l-4 6h8z"))
    return parts, height


def small_distribution(label: str, latency: Value, axis: LogAxis) -> Markup:
    """Return a distribution as small as a word, on the axis of all the others in its table."""
    histogram = latency["hist"].raw
    if not histogram:
        return Markup("")
    columns = axis.rebinned(histogram["edges_ms"], histogram["counts"], _SPARK_COLUMNS)
    most, width = max(columns), _SPARK_WIDTH / _SPARK_COLUMNS
    bars = []
    for at, samples in enumerate(columns):
        if samples:
            tall = max(samples / most * (_SPARK_HEIGHT - 2), 1.5)
            bars.append(tag("rect", class_="bar", x=at * width, y=_SPARK_HEIGHT - tall, width=width - 0.5, height=tall))
    marks = []
    for key in ("p50_ms", "p95_ms"):
        x = axis.position(latency[key].raw) * _SPARK_WIDTH
        marks.append(tag("line", class_=f"mark {key[:3]}", x1=x, x2=x, y1=0, y2=_SPARK_HEIGHT))
    return tag(
        "svg",
        bars,
        marks,
        class_="spark",
        viewBox=f"0 0 {_SPARK_WIDTH} {_SPARK_HEIGHT}",
        width=_SPARK_WIDTH,
        height=_SPARK_HEIGHT,
        role="img",
        aria_label=f"Latency distribution of {label}, p50 {figures.duration(latency['p50_ms'].raw)}",
    )


# ---------------------------------------------------------------------- parts of a whole


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a bar."""

    name: str
    value: float
    class_: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar with its heading; `whole` is what the pieces are a part of, drawn as a track behind them."""

    label: str
    note: str
    parts: tuple[Part, ...]
    whole: float = 0


def bars(rows: Sequence[Bar], write: Callable[[Any], str]) -> tuple[list[Markup], float]:
    """Return bars below each other on one scale, and the height they take."""
    most = max((max(bar.whole, sum(max(part.value, 0) for part in bar.parts)) for bar in rows), default=0) or 1
    span, step, marks = _RIGHT - _LEFT, 38.0, []
    for at, bar in enumerate(rows):
        y = at * step
        label = bar.label if len(bar.label) <= 22 else bar.label[:21] + "…"
        marks += [
            _label(label, _LEFT, y + 14, class_="strong"),
            _label(bar.note, _RIGHT, y + 14, anchor="end", class_="tick"),
        ]
        if bar.whole:
            width = bar.whole / most * span
            marks.append(tag("rect", class_="track", x=_LEFT, y=y + 20, width=width, height=11))
        x = _LEFT
        for part in bar.parts:
            if part.value > 0:
                width = max(part.value / most * span, 1.5)
                marks.append(tag("rect", class_=part.class_, x=x, y=y + 20, width=max(width - 1, 1), height=11))
                marks.append(_hit(f"{bar.label}, {part.name}: {write(part.value)}", x, y + 18, width, 15))
                x += width
    return marks, max(len(rows), 1) * step


def legend(entries: Sequence[tuple[str, str]]) -> Markup:
    """Return what the colours mean, as (name, class)."""
    rows = []
    for name, class_ in entries:
        square = tag("rect", class_=class_, width=10, height=10, rx=2)
        rows.append(
            tag(
                "li", tag("svg", square, viewBox="0 0 10 10", width=10, height=10, aria_hidden="true"), tag("bdi", name)
            )
        )
    return tag("ul", rows, class_="legend")


# ---------------------------------------------------------------------- trends


@dataclass(frozen=True, slots=True)
class Series:
    """A figure of each bucket."""

    key: str
    name: str
    class_: str


def trend(
    buckets: Value, bucket_s: float, series: Sequence[Series], write: Callable[[Any], str], *, is_line: bool = False
) -> tuple[list[Markup], float]:
    """Return a figure over time, as columns that stand before each other or as lines, and the height they take."""
    top, base, height = 22.0, 112.0, 134.0
    starts = [datetime.fromisoformat(bucket["start"].raw).timestamp() for bucket in buckets]
    begin, end = starts[0], starts[-1] + bucket_s
    most = max((bucket[each.key].raw or 0 for bucket in buckets for each in series), default=0) or 1
    scale = (_RIGHT - _LEFT) / (end - begin)
    width = bucket_s * scale
    marks = [
        tag("line", class_="grid", x1=_LEFT, x2=_RIGHT, y1=top, y2=top),
        tag("line", class_="axis", x1=_LEFT, x2=_RIGHT, y1=base, y2=base),
        _label(write(most), _LEFT, top - 6, class_="tick"),
        _label(_short_moment(buckets[0]["start"].raw, bucket_s), _LEFT, base + 17, class_="tick"),
    ]
    if len(starts) > 1:
        last = _short_moment(buckets[len(starts) - 1]["start"].raw, bucket_s)
        marks.append(_label(last, _RIGHT, base + 17, anchor="end", class_="tick"))
    for each in series:
        points = [
            (_LEFT + (start - begin) * scale, (base - top) * (bucket[each.key].raw or 0) / most, bucket[each.key].raw)
            for start, bucket in zip(starts, buckets, strict=True)
        ]
        marks += _lines(points, each.class_, base, width) if is_line else _columns(points, each.class_, base, width)
    for start, bucket in zip(starts, buckets, strict=True):
        words = ", ".join(f"{each.name} {write(bucket[each.key].raw)}" for each in series)
        said = f"{_short_moment(bucket['start'].raw, bucket_s)}: {words}"
        marks.append(_hit(said, _LEFT + (start - begin) * scale, top, width, base - top))
    return marks, height


_Points = list[tuple[float, float, float | None]]


def _columns(points: _Points, class_: str, base: float, width: float) -> list[Markup]:
    gap = min(1.0, width / 4)
    return [
        tag("rect", class_=class_, x=x, y=base - max(tall, 1.5), width=width - gap, height=max(tall, 1.5))
        for x, tall, value in points
        if value
    ]


def _lines(points: _Points, class_: str, base: float, width: float) -> list[Markup]:
    """Draw a line through neighbours that have a value; one that stands alone is a dot."""
    found: list[Markup] = []
    run: list[tuple[float, float]] = []
    for x, tall, value in [*points, (0.0, 0.0, None)]:
        if value is not None:
            run.append((x + width / 2, base - tall))
            continue
        if len(run) == 1:
            found.append(tag("circle", class_=f"dot {class_}", cx=run[0][0], cy=run[0][1], r=2.5))
        elif run:
            joints = " ".join(f"{x:.2f},{y:.2f}" for x, y in run)
            found.append(tag("polyline", class_=f"curve {class_}", points=joints))
        run = []
    return found


def _short_moment(ts: str, bucket_s: float) -> str:
    shown = figures.moment(ts)
    return shown[:10] if bucket_s >= _DAY_S else shown[5:16]


def all_of(parts: Sequence[Markup], empty: str) -> Markup:
    """Return panels in a grid, or a sentence when there is none."""
    return tag("div", joined(*parts), class_="panels") if parts else tag("p", empty, class_="quiet")
