"""Figures over time."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctx.domain.telemetry.moments import moment_us
from ctx.domain.telemetry.trends import BUCKETS_MAX, EARLIEST_US, EVENTS, WIDTHS_S, Trends

NOW_US = moment_us("2026-10-01T00:00:00Z") or 0


def trends_of(moments: list[int]) -> Trends:
    trends = Trends(NOW_US)
    for at_us in moments:
        cell = trends.cell(at_us)
        cell.figures[EVENTS] += 1
        cell.latencies.add(at_us % 1000)
    return trends


def test_every_width_is_made_of_whole_ones_before_it() -> None:
    """So buckets can be put together without looking into them."""
    assert [0] * (len(WIDTHS_S) - 1) == [wide % narrow for narrow, wide in pairwise(WIDTHS_S)]


def test_no_events_are_no_buckets() -> None:
    """And the finest width."""
    assert {"bucket_s": 60, "buckets": [], "left_out": 0} == trends_of([]).document()


@pytest.mark.parametrize(
    ("last", "width_s", "buckets"),
    [
        ("2026-09-01T00:00:59Z", 60, 1),
        ("2026-09-01T01:59:00Z", 60, 120),
        ("2026-09-01T02:00:00Z", 300, 25),
        ("2026-09-06T00:00:00Z", 3 * 3600, 41),
        ("2026-09-28T00:00:00Z", 6 * 3600, 109),
    ],
)
def test_the_width_is_the_finest_that_fits(last: str, width_s: int, buckets: int) -> None:
    """Buckets without events are there, too, with nothing in them."""
    first_us = moment_us("2026-09-01T00:00:00Z") or 0
    document = trends_of([first_us, moment_us(last) or 0]).document()
    assert (width_s, buckets) == (document["bucket_s"], len(document["buckets"]))
    assert "2026-09-01T00:00:00.000000+00:00" == document["buckets"][0]["start"]
    assert 2 == sum(bucket["events"] for bucket in document["buckets"])


def test_weeks_begin_on_mondays() -> None:
    """Buckets of days begin at midnight UTC."""
    moments = [moment_us(ts) or 0 for ts in ("2025-01-01T05:00:00Z", "2026-09-01T00:00:00Z")]
    document = trends_of(moments).document()
    assert 7 * 86_400 == document["bucket_s"]
    assert {0} == {datetime.fromisoformat(bucket["start"]).weekday() for bucket in document["buckets"]}
    assert {0} == {datetime.fromisoformat(bucket["start"]).astimezone(UTC).hour for bucket in document["buckets"]}


def test_a_bucket_without_commands_has_no_percentiles() -> None:
    """Null is not 0 ms."""
    trends = Trends(NOW_US)
    trends.cell(NOW_US).figures[EVENTS] += 1
    (bucket,) = trends.document()["buckets"]
    assert (1, None, None) == (bucket["events"], bucket["p50_ms"], bucket["p95_ms"])


def test_times_nobody_lived_through_are_left_out() -> None:
    """A clock that was not set, or set wrong, does not stretch the axis; what is left out is counted."""
    trends = trends_of([0, EARLIEST_US - 1, NOW_US, NOW_US + 2 * 86_400_000_000])
    document = trends.document()
    assert (3, 1) == (document["left_out"], len(document["buckets"]))


@given(st.lists(st.integers(EARLIEST_US, NOW_US), max_size=60), st.integers(0, 60))
def test_parts_put_together_are_the_whole(moments: list[int], cut: int) -> None:
    """Over minutes or years, in any order, wherever they are cut."""
    one = trends_of(moments[:cut])
    one.merge(trends_of(moments[cut:]))
    assert trends_of(moments).document() == one.document() == trends_of(sorted(moments)).document()
    assert len(one.document()["buckets"]) <= BUCKETS_MAX


@given(st.integers(EARLIEST_US, NOW_US), st.integers(EARLIEST_US, NOW_US))
def test_the_bounds_of_a_bucket_are_where_others_begin(first_us: int, at_us: int) -> None:
    """Up to them, moments are in the same bucket; what has no bucket has no bounds."""
    trends = trends_of([first_us, at_us])
    from_us, until_us = trends.bounds(at_us)
    assert from_us <= at_us < until_us
    assert trends.cell(from_us) is trends.cell(until_us - 1) is trends.cell(at_us)
    assert trends.bounds(from_us - 1) != (from_us, until_us)
    assert (0, 0) == trends.bounds(0)
