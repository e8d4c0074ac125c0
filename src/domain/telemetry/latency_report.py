"""Latencies as a report shows them: percentiles, maximum, sum, and a histogram with bins of about equal ratio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .latency import LatencySamples

BINS_MAX = 60
# Bins per power of two, the finest that fits is taken; a year has fewer than 60 powers.
_FINENESS = (16, 8, 4, 2, 1)


def latency_document(samples: LatencySamples) -> dict[str, Any]:
    """Return count, p50_ms, p95_ms, max_ms, sum_ms and hist; without samples sum_ms is 0 and the rest null."""
    if not samples.count:
        return {"count": 0, "p50_ms": None, "p95_ms": None, "max_ms": None, "sum_ms": 0.0, "hist": None}
    return {**samples.summary(), "sum_ms": samples.sum_ns / 1e6, "hist": histogram(samples)}


def histogram(samples: LatencySamples) -> dict[str, list[float] | list[int]]:
    """Return at most BINS_MAX counts and the edges of their bins in ms, ascending, from the first to the last sample.

    A power of two is divided evenly into 1 to 16 bins, so edges are edges of the samples' buckets. 0 ns counts as 1.
    There must be a sample, and none above a year.
    """
    low_ns: dict[int, int] = {}
    for (shift, top), count in samples.buckets().items():
        low = max(top << shift, 1)
        low_ns[low] = low_ns.get(low, 0) + count
    smallest, largest = min(low_ns), max(low_ns)
    for per_power in _FINENESS:
        first = _bin_of(smallest, per_power)
        bins = _bin_of(largest, per_power) - first + 1
        if bins <= BINS_MAX:
            break
    counts = [0] * bins
    for value, count in low_ns.items():
        counts[_bin_of(value, per_power) - first] += count
    edges_ms = [_edge_ns(first + number, per_power) / 1e6 for number in range(bins + 1)]
    return {"edges_ms": edges_ms, "counts": counts}


def _bin_of(value_ns: int, per_power: int) -> int:
    power = value_ns.bit_length() - 1
    return power * per_power + (((value_ns - (1 << power)) * per_power) >> power)


def _edge_ns(number: int, per_power: int) -> float:
    power, part = divmod(number, per_power)
    return (1 << power) * (1 + part / per_power)
