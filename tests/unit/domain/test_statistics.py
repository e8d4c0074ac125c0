"""The one percentile: rank min(floor(q * n), n - 1), in integers."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctx.domain.statistics import percentile_ns, percentile_rank


@pytest.mark.parametrize(
    ("samples", "percent", "expected"),
    [
        (range(10, 110), 50, 60),
        (range(10, 110), 95, 105),
        (range(10, 110), 0, 10),
        (range(10, 110), 100, 109),
        ([7], 50, 7),
        ([1, 2], 50, 2),
        (range(100), 29, 29),  # int(0.29 * 100) is 28
    ],
)
def test_percentile_is_the_sample_at_the_rank(samples: range | list[int], percent: int, expected: int) -> None:
    """The hand-computed table."""
    assert percentile_ns(list(samples), numerator=percent, denominator=100) == expected


@given(st.lists(st.integers(min_value=0), min_size=1), st.integers(0, 1000))
def test_percentile_is_observed_and_agrees_with_exact_arithmetic(samples: list[int], permille: int) -> None:
    """Never interpolated, and the rank is the exact floor of q * n."""
    samples.sort()
    rank = min(Fraction(permille, 1000) * len(samples) // 1, len(samples) - 1)
    assert percentile_ns(samples, numerator=permille, denominator=1000) == samples[int(rank)]


@pytest.mark.parametrize(("count", "numerator", "denominator"), [(0, 1, 2), (3, 3, 2), (3, -1, 2), (3, 0, 0)])
def test_no_samples_or_no_fraction_is_refused(count: int, numerator: int, denominator: int) -> None:
    """Nothing sensible can be answered, so nothing is."""
    with pytest.raises(ValueError, match="percentile"):
        percentile_rank(count, numerator=numerator, denominator=denominator)
