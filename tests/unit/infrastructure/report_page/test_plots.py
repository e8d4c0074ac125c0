"""Plots as they are drawn."""

from __future__ import annotations

import re
from typing import Any

from ctx.domain.telemetry import figures
from ctx.domain.telemetry.log_axis import LogAxis
from ctx.infrastructure.report_page.markup import joined, tag
from ctx.infrastructure.report_page.plots import (
    WIDTH,
    Bar,
    Part,
    Series,
    all_of,
    bars,
    distribution,
    figure,
    legend,
    small_distribution,
    trend,
)
from ctx.infrastructure.report_page.values import Value

LATENCY: dict[str, Any] = {
    "count": 10,
    "p50_ms": 3.0,
    "p95_ms": 900.0,
    "max_ms": 990.0,
    "hist": {"edges_ms": [1.0, 10.0, 100.0, 1000.0], "counts": [8, 0, 2]},
}
AXIS = LogAxis(1, 1000)


def _rects(markup: str, class_: str) -> list[dict[str, float]]:
    found = re.findall(rf'<rect class="{class_}"([^>]*?)/?>', markup)
    return [{key: float(value) for key, value in re.findall(r'(\w+)="([\d.]+)"', rect)} for rect in found]


def test_a_distribution_draws_bins_by_their_samples() -> None:
    """Heights are in proportion, empty bins are not there, every mark says its bin and stays in the picture."""
    drawing, _height = distribution(Value(LATENCY), AXIS)
    low, high = _rects(joined(drawing), "bar")
    assert (4, True) == (round(low["height"] / high["height"]), low["x"] < high["x"])
    assert high["x"] + high["width"] <= WIDTH
    assert ["1.00 ms to 10.0 ms: 8", "100 ms to 1.00 s: 2"] == re.findall(r"<title>(.*?)</title>", joined(drawing))


def test_labels_of_percentiles_turn_at_the_ends() -> None:
    """p50 near the left end is written after its line, p95 near the right end before it."""
    near_ends = re.findall(r'text-anchor="(\w+)" class="(p\d\d)"', joined(distribution(Value(LATENCY), AXIS)[0]))
    assert [("end", "p95"), ("start", "p50")] == near_ends
    middle = LATENCY | {"p50_ms": 31.0, "p95_ms": 32.0}
    in_middle = re.findall(r'text-anchor="(\w+)" class="(p\d\d)"', joined(distribution(Value(middle), AXIS)[0]))
    assert [("start", "p95"), ("end", "p50")] == in_middle


def test_a_small_distribution_has_a_name() -> None:
    """It is an image of its own; without samples there is none."""
    found = small_distribution("ctx.<get>", Value(LATENCY), AXIS)
    assert 'role="img" aria-label="Latency distribution of ctx.&lt;get&gt;, p50 3.00 ms"' in found
    assert 2 == len(_rects(found, "bar"))
    assert "" == small_distribution("ctx.get", Value({"hist": None}), AXIS)


def test_bars_share_a_scale_and_nothing_is_negative() -> None:
    """The longest fills the width; parts stand side by side; what is not above 0 is not drawn."""
    rows = [
        Bar("a", "", (Part("x", 30, "c1"), Part("y", 10, "c2"), Part("z", 0, "c3"), Part("w", -5, "c4"))),
        Bar("a name that is longer than there is room", "", (Part("x", 10, "c1"),), whole=20),
    ]
    drawing, height = bars(rows, str)
    markup = joined(drawing)
    (first, second), (other,), (track,) = _rects(markup, "c1"), _rects(markup, "c2"), _rects(markup, "track")
    assert (3, 2) == (round(first["width"] / second["width"]), round(track["width"] / second["width"]))
    assert other["x"] > first["x"] + first["width"]
    assert [] == _rects(markup, "c3") + _rects(markup, "c4")
    assert "a name that is longer…" in markup
    assert "a, y: 10" in markup
    assert 76 == height
    assert ([], 38) == bars([], str)


def _buckets(*values: float | None) -> Value:
    return Value([{"start": f"2026-03-14T{at:02}:00:00+00:00", "n": value} for at, value in enumerate(values)])


def test_columns_of_a_trend() -> None:
    """One for each value above 0, one place to point at for each bucket, times at both ends."""
    markup = joined(trend(_buckets(1, 0, None, 4), 3600, (Series("n", "things", "c1"),), figures.compact)[0])
    low, high = _rects(markup, "c1")
    assert 4 == round(high["height"] / low["height"])
    assert ["03-14 00:00: things 1", "03-14 01:00: things 0"] == re.findall(r"<title>(.*?)</title>", markup)[:2]
    assert [">03-14 00:00</text>", ">03-14 03:00</text>"] == re.findall(r">03-14 \d\d:00</text>", markup)
    assert high["x"] + high["width"] <= WIDTH


def test_a_line_is_not_drawn_over_what_is_not_known() -> None:
    """Neighbours are joined, a value that stands alone is a dot."""
    series = (Series("n", "p50", "p50"),)
    markup = joined(trend(_buckets(1, 2, None, 3, None), 3600, series, figures.duration, is_line=True)[0])
    assert (1, 1) == (markup.count("<polyline"), markup.count("<circle"))


def test_one_bucket_of_a_day() -> None:
    """Its day is said once; nothing but zeros is a trend, too."""
    markup = joined(trend(_buckets(0), 86400, (Series("n", "things", "c1"),), figures.compact)[0])
    assert 1 == len(re.findall(r">2026-03-14</text>", markup))
    assert [] == _rects(markup, "c1")


def test_a_figure_is_an_image_with_words() -> None:
    """Name and description by id, focus by keyboard, what the colours mean, and the values."""
    found = figure(
        "f", "T<", "note", height=10, says="S", drawing=[], legend=legend([("a", "c1")]), values=tag("p", "v")
    )
    assert (
        '<svg viewBox="0 0 360 10" role="img" tabindex="0" aria-labelledby="f-title" aria-describedby="f-text">'
        in found
    )
    assert '<title id="f-title">T&lt;</title><desc id="f-text">S</desc>' in found
    assert '<rect class="c1" width="10" height="10" rx="2"/></svg><bdi>a</bdi></li></ul><p>v</p></figure>' in found


def test_panels_or_a_sentence() -> None:
    """An empty grid would be a hole."""
    assert '<div class="panels"><b></b></div>' == all_of([tag("b")], "nothing")
    assert '<p class="quiet">nothing</p>' == all_of([], "nothing")
