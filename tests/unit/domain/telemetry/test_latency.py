"""Latency samples: exact while few, within 1/64 when many."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctx.domain.statistics import percentile_ns
from ctx.domain.telemetry import latency
from ctx.domain.telemetry.latency import EXACT_SAMPLES_MAX, LatencySamples, bucket_middle_ns, bucket_of


@given(st.integers(0, 1 << 62))
def test_bucket_answers_within_one_part_in_64(value_ns: int) -> None:
    """The middle of a value's bucket is at most 1/64 of the value away."""
    assert 64 * abs(bucket_middle_ns(bucket_of(value_ns)) - value_ns) <= value_ns


@given(st.integers(0, 1 << 62), st.integers(0, 1 << 62))
def test_buckets_sort_as_their_values(one: int, other: int) -> None:
    """A larger value is never in a smaller bucket."""
    small, large = sorted((one, other))
    assert bucket_of(small) <= bucket_of(large)


def test_many_samples_stay_near_the_exact_percentile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit the memory no longer grows, count and maximum are exact, percentiles within 1.6 %."""
    monkeypatch.setattr(latency, "EXACT_SAMPLES_MAX", 1000)
    values = [(i * 7919) % 5_000_011 for i in range(5000)]
    samples = LatencySamples()
    for value in values:
        samples.add(value)
    exact = percentile_ns(sorted(values), numerator=95, denominator=100)
    assert abs(samples.percentile_ns(numerator=95, denominator=100) - exact) * 64 <= exact
    assert (samples.count, samples.max_ns) == (5000, max(values))
    assert samples.percentile_ns(numerator=1, denominator=1) <= samples.max_ns


def test_samples_are_exact_up_to_the_limit() -> None:
    """100,000 samples of one command are still observed values."""
    samples = LatencySamples()
    for value in range(EXACT_SAMPLES_MAX):
        samples.add(value)
    assert samples.percentile_ns(numerator=50, denominator=100) == EXACT_SAMPLES_MAX // 2
    samples.add(EXACT_SAMPLES_MAX)
    assert samples.summary()["count"] == EXACT_SAMPLES_MAX + 1


def test_negative_sample_counts_as_zero() -> None:
    """A caller's mistake does not make a negative latency."""
    samples = LatencySamples()
    samples.add(-5)
    assert samples.summary() == {"count": 1, "p50_ms": 0.0, "p95_ms": 0.0, "max_ms": 0.0}


@given(st.lists(st.integers(0, 1 << 40)), st.lists(st.integers(0, 1 << 40)))
def test_samples_put_together_are_as_if_added_one_by_one(one: list[int], other: list[int]) -> None:
    """Exact while few, in buckets when many, by the number of all of them."""
    whole, merged, rest = (LatencySamples(20) for _ in range(3))
    for value in one + other:
        whole.add(value)
    for value in one:
        merged.add(value)
    for value in other:
        rest.add(value)
    merged.merge(rest)
    assert (whole.count, whole.sum_ns, whole.max_ns) == (merged.count, merged.sum_ns, merged.max_ns)
    assert whole.buckets() == merged.buckets()
    if one or other:
        assert whole.summary() == merged.summary()


@given(st.lists(st.lists(st.integers(0, 1 << 40), max_size=30), max_size=5))
def test_samples_added_at_once_are_as_if_added_one_by_one(parts: list[list[int]]) -> None:
    """Whether they are few or many, and when they become many."""
    one_by_one, at_once = LatencySamples(20), LatencySamples(20)
    for part in parts:
        at_once.add_all(part)
        for value in part:
            one_by_one.add(value)
    assert (one_by_one.count, one_by_one.sum_ns, one_by_one.max_ns) == (at_once.count, at_once.sum_ns, at_once.max_ns)
    assert one_by_one.buckets() == at_once.buckets()
