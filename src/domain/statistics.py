"""The product's one definition of a percentile.

Everything that prints a p50, a p95 or a p99 calls this function, so two reports over the same samples cannot disagree.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing `typing` for it would double what this module costs at start
if TYPE_CHECKING:
    from collections.abc import Sequence


def percentile_rank(count: int, *, numerator: int, denominator: int) -> int:
    """Return the 0-based rank `min(floor(q * count), count - 1)` for q = numerator / denominator.

    Integers throughout: `int(0.95 * 100)` is 95 but `int(0.29 * 100)` is 28, and a rank must not depend on that.

    Raises:
        ValueError: `count` is not positive, or the fraction is outside 0..1.
    """
    if count < 1:
        message = f"a percentile needs at least one sample, found {count}"
        raise ValueError(message)
    if denominator < 1 or not 0 <= numerator <= denominator:
        message = f"a percentile's fraction must lie in 0..1, found {numerator}/{denominator}"
        raise ValueError(message)
    return min(numerator * count // denominator, count - 1)


def percentile_ns(sorted_ns: Sequence[int], *, numerator: int, denominator: int) -> int:
    """Return the sample at the percentile's rank: an observed value, never interpolated.

    `sorted_ns` is ascending; the order is the caller's promise and is not checked.
    For 100 samples 10..109 the median is 60 and p95 is 105.

    Raises:
        ValueError: no samples, or the fraction is outside 0..1.
    """
    return sorted_ns[percentile_rank(len(sorted_ns), numerator=numerator, denominator=denominator)]
