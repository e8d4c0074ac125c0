"""Latencies as a report shows them."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ctx.domain.telemetry.latency import LatencySamples
from ctx.domain.telemetry.latency_report import BINS_MAX, histogram, latency_document


def samples_of(values: list[int]) -> LatencySamples:
    samples = LatencySamples()
    for value in values:
        samples.add(value)
    return samples


@given(st.lists(st.integers(0, 1 << 55), min_size=1, max_size=200))
def test_a_histogram_holds_every_sample_in_its_bin(values: list[int]) -> None:
    """At most 60 bins, edges ascend, counts sum up, and each sample's bucket lies between the edges of one bin."""
    found = histogram(samples_of(values))
    edges, counts = found["edges_ms"], found["counts"]
    assert len(values) == sum(counts)
    assert len(edges) == len(counts) + 1 <= BINS_MAX + 1
    assert list(edges) == sorted(set(edges))
    assert counts[0] > 0
    assert counts[-1] > 0
    lows = [max((value >> shift) << shift, 1) for value in values if (shift := max(value.bit_length() - 6, 0)) >= 0]
    expected = [sum(low <= each / 1e6 < high for each in lows) for low, high in pairwise(edges)]
    assert expected == list(counts)


def test_few_alike_samples_have_fine_bins() -> None:
    """Sixteen to a power of two while they fit."""
    found = histogram(samples_of([1_000_000, 1_100_000]))
    assert {"edges_ms": [0.98304, 1.015808, 1.048576, 1.114112], "counts": [1, 0, 1]} == found


def test_a_latency_without_samples_is_all_null() -> None:
    """Nothing was measured; that is no latency of 0."""
    expected = {"count": 0, "p50_ms": None, "p95_ms": None, "max_ms": None, "sum_ms": 0.0, "hist": None}
    assert expected == latency_document(LatencySamples())


def test_a_latency_says_percentiles_maximum_and_sum() -> None:
    """In milliseconds."""
    found = latency_document(samples_of([1_000_000, 2_000_000, 9_000_000]))
    del found["hist"]
    assert {"count": 3, "p50_ms": 2.0, "p95_ms": 9.0, "max_ms": 9.0, "sum_ms": 12.0} == found
