"""A logarithmic axis of times, shared by the distributions that are to be compared with each other."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, log10, sqrt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

SHORTEST_MS = 1e-6
"""A nanosecond: what is shorter, zero included, stands at it."""


@dataclass(frozen=True, slots=True)
class LogAxis:
    """The span from `lower_ms` to `upper_ms`, both above zero and apart."""

    lower_ms: float
    upper_ms: float

    def __post_init__(self) -> None:
        if not 0 < self.lower_ms < self.upper_ms:
            message = f"an axis needs 0 < lower < upper, found {self.lower_ms} and {self.upper_ms}"
            raise ValueError(message)

    @classmethod
    def around(cls, histograms: Iterable[Mapping[str, Any]]) -> LogAxis:
        """Return the axis that holds every bin with a sample in it; 1 ms to 1 s when there is none."""
        lower, upper = float("inf"), 0.0
        for histogram in histograms:
            for at, samples in enumerate(histogram["counts"]):
                if samples:
                    lower = min(lower, max(histogram["edges_ms"][at], SHORTEST_MS))
                    upper = max(upper, histogram["edges_ms"][at + 1], SHORTEST_MS)
        if not upper:
            return cls(1.0, 1000.0)
        return cls(lower, upper) if upper > lower * 1.01 else cls(lower / 2, max(upper, lower) * 2)

    def position(self, ms: float) -> float:
        """Return where a time stands, 0 at the lower end and 1 at the upper; what is outside stands at the end."""
        inside = min(max(ms, self.lower_ms), self.upper_ms)
        return log10(inside / self.lower_ms) / log10(self.upper_ms / self.lower_ms)

    def ticks_ms(self, count_max: int) -> tuple[float, ...]:
        """Return at most `count_max` round times on the axis: powers of ten, between few of them 2 and 5 times those.

        Both ends of the axis when it holds fewer than two round times.
        """
        first, last = floor(log10(self.lower_ms)), ceil(log10(self.upper_ms))
        for factors in ((1, 2, 5), (1, 3), (1,)):
            found = [factor * 10.0**power for power in range(first, last + 1) for factor in factors]
            inside = [ms for ms in found if self.lower_ms * (1 - 1e-9) <= ms <= self.upper_ms * (1 + 1e-9)]
            if 2 <= len(inside) <= count_max:
                return tuple(inside)
        return tuple(inside[:: ceil(len(inside) / count_max)]) if len(inside) > 1 else (self.lower_ms, self.upper_ms)

    def rebinned(self, edges_ms: Sequence[float], counts: Sequence[int], columns: int) -> list[int]:
        """Return the samples by columns of equal width; a bin falls into the column of its (geometric) middle."""
        found = [0] * columns
        for at, samples in enumerate(counts):
            lower, upper = max(edges_ms[at], SHORTEST_MS), max(edges_ms[at + 1], SHORTEST_MS)
            found[min(int(self.position(sqrt(lower * upper)) * columns), columns - 1)] += samples
        return found
