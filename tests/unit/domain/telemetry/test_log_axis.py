"""The axis that distributions share."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctx.domain.telemetry.log_axis import SHORTEST_MS, LogAxis


def _histogram(edges_ms: list[float], counts: list[int]) -> dict[str, Any]:
    return {"edges_ms": edges_ms, "counts": counts}


def test_it_holds_every_bin_with_a_sample() -> None:
    """Empty bins at the ends do not stretch it."""
    one = _histogram([1, 10, 100, 1000], [0, 3, 0])
    other = _histogram([20, 40, 4000], [1, 1])
    assert LogAxis(10, 4000) == LogAxis.around([one, other])


@pytest.mark.parametrize(
    ("histograms", "expected"),
    [
        ([], LogAxis(1.0, 1000.0)),
        ([_histogram([5, 6], [0])], LogAxis(1.0, 1000.0)),
        ([_histogram([10, 10], [4])], LogAxis(5, 20)),
        ([_histogram([0, 0], [4])], LogAxis(SHORTEST_MS / 2, SHORTEST_MS * 2)),
        ([_histogram([0, 1], [4])], LogAxis(SHORTEST_MS, 1)),
    ],
)
def test_nothing_one_value_and_zero(histograms: list[dict[str, Any]], expected: LogAxis) -> None:
    """There is always an axis with a length."""
    found = LogAxis.around(histograms)
    assert expected == found or (expected.lower_ms, expected.upper_ms) == pytest.approx(
        (found.lower_ms, found.upper_ms)
    )


@pytest.mark.parametrize("ends", [(0, 1), (1, 1), (2, 1), (-1, 1)])
def test_an_axis_without_length_is_refused(ends: tuple[float, float]) -> None:
    """A logarithm needs something above 0."""
    with pytest.raises(ValueError, match="0 < lower < upper"):
        LogAxis(*ends)


def test_positions_are_by_factors() -> None:
    """Equal factors are equal distances; what lies outside stands at the end."""
    axis = LogAxis(1, 10_000)
    assert [0, 0, 0.25, 0.5, 1, 1] == pytest.approx([axis.position(ms) for ms in (0, 1, 10, 100, 10_000, 1e9)])


@pytest.mark.parametrize(
    ("axis", "expected"),
    [
        (LogAxis(1, 10_000), (1, 10, 100, 1000, 10_000)),
        (LogAxis(4, 400), (5, 10, 20, 50, 100, 200)),
        (LogAxis(4, 4000), (10, 30, 100, 300, 1000, 3000)),
        (LogAxis(5.5, 9), (5.5, 9)),
        (LogAxis(1e-3, 1e6), (1e-3, 1e-1, 1e1, 1e3, 1e5)),
    ],
)
def test_ticks_are_round_and_few(axis: LogAxis, expected: tuple[float, ...]) -> None:
    """As many round times as there is room for."""
    assert expected == pytest.approx(axis.ticks_ms(6))


@given(
    st.lists(st.integers(0, 1000), min_size=1, max_size=60).filter(any),
    st.floats(1e-6, 1e3),
    st.integers(1, 64),
)
def test_no_sample_is_lost_in_columns(counts: list[int], lowest_ms: float, columns: int) -> None:
    """Whatever the bins, the columns add up to the samples."""
    edges = [lowest_ms * 1.3**at for at in range(len(counts) + 1)]
    axis = LogAxis.around([_histogram(edges, counts)])
    found = axis.rebinned(edges, counts, columns)
    assert (columns, sum(counts)) == (len(found), sum(found))
