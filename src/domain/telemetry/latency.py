"""Latency samples of one command: every sample while they are few, log-linear buckets when they are many.

Bucketing as in HdrHistogram (https://hdrhistogram.github.io/HdrHistogram/): 32 buckets per power of two, a bucket
answers with its middle, so a percentile is off by at most 1/64 (1.6 %). Count and maximum stay exact.
"""

from __future__ import annotations

from ..statistics import percentile_ns, percentile_rank

EXACT_SAMPLES_MAX = 100_000
_BUCKET_BITS = 6  # values below 2**6 are their own bucket; above, the top six bits name it: 32 per power of two


def bucket_of(value_ns: int) -> tuple[int, int]:
    """Return the bucket of `value_ns` as (shift, top bits); buckets sort as their values do."""
    shift = max(value_ns.bit_length() - _BUCKET_BITS, 0)
    return shift, value_ns >> shift


def bucket_middle_ns(bucket: tuple[int, int]) -> int:
    """Return the value a bucket answers with."""
    shift, top = bucket
    return (top << shift) + ((1 << shift) >> 1)


class LatencySamples:
    """The samples of one command, in nanoseconds: each while they are at most `exact_max`, buckets beyond it.

    0 stands for EXACT_SAMPLES_MAX.
    """

    __slots__ = ("_buckets", "_exact_max", "_samples_ns", "count", "max_ns", "sum_ns")

    def __init__(self, exact_max: int = 0) -> None:
        self._exact_max = exact_max or EXACT_SAMPLES_MAX
        self._samples_ns: list[int] = []
        self._buckets: dict[tuple[int, int], int] | None = None
        self.count = 0
        self.max_ns = 0
        self.sum_ns = 0

    def add(self, sample_ns: int) -> None:
        """Add one sample; a negative one counts as 0."""
        if sample_ns < 0:  # noqa: PLR1730 - `max` costs three times as much, here and below
            sample_ns = 0
        self.count += 1
        self.sum_ns += sample_ns
        if sample_ns > self.max_ns:  # noqa: PLR1730
            self.max_ns = sample_ns
        if self._buckets is not None:
            bucket = bucket_of(sample_ns)
            self._buckets[bucket] = self._buckets.get(bucket, 0) + 1
            return
        self._samples_ns.append(sample_ns)
        if len(self._samples_ns) > self._exact_max:
            self._buckets = _counted(self._samples_ns)
            self._samples_ns = []

    def add_all(self, samples_ns: list[int]) -> None:
        """Add samples, none of which is negative: the same as adding each."""
        self.count += len(samples_ns)
        self.sum_ns += sum(samples_ns)
        self.max_ns = max(self.max_ns, max(samples_ns, default=0))
        if self._buckets is None:
            self._samples_ns += samples_ns
            if len(self._samples_ns) > self._exact_max:
                self._buckets = _counted(self._samples_ns)
                self._samples_ns = []
        else:
            for bucket, count in _counted(samples_ns).items():
                self._buckets[bucket] = self._buckets.get(bucket, 0) + count

    def merge(self, other: LatencySamples) -> None:
        """Add all samples of another one: the same as if each had been added here."""
        self.count += other.count
        self.sum_ns += other.sum_ns
        self.max_ns = max(self.max_ns, other.max_ns)
        if self._buckets is None and other._buckets is None and self.count <= self._exact_max:
            self._samples_ns += other._samples_ns
            return
        buckets = self.buckets()
        for bucket, count in other.buckets().items():
            buckets[bucket] = buckets.get(bucket, 0) + count
        self._buckets = buckets
        self._samples_ns = []

    def buckets(self) -> dict[tuple[int, int], int]:
        """Return how many samples are in which bucket, a copy."""
        return _counted(self._samples_ns) if self._buckets is None else dict(self._buckets)

    def percentile_ns(self, *, numerator: int, denominator: int) -> int:
        """Return the percentile by the definition of `ctx.domain.statistics`.

        Raises:
            ValueError: no samples.
        """
        if self._buckets is None:
            return percentile_ns(sorted(self._samples_ns), numerator=numerator, denominator=denominator)
        rank = percentile_rank(self.count, numerator=numerator, denominator=denominator)
        for bucket in sorted(self._buckets):
            rank -= self._buckets[bucket]
            if rank < 0:
                # The middle of the last bucket may lie above every sample in it.
                return min(bucket_middle_ns(bucket), self.max_ns)
        return self.max_ns

    def summary(self) -> dict[str, int | float]:
        """Return count, p50_ms, p95_ms and max_ms; needs at least one sample."""
        return {
            "count": self.count,
            "p50_ms": self.percentile_ns(numerator=50, denominator=100) / 1e6,
            "p95_ms": self.percentile_ns(numerator=95, denominator=100) / 1e6,
            "max_ms": self.max_ns / 1e6,
        }


def _counted(samples_ns: list[int]) -> dict[tuple[int, int], int]:
    counts: dict[tuple[int, int], int] = {}
    for value in samples_ns:
        bucket = bucket_of(value)
        counts[bucket] = counts.get(bucket, 0) + 1
    return counts
