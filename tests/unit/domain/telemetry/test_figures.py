"""Figures as people read them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctx.domain.telemetry import figures

_UNITS_MS = {"µs": 1e-3, "ms": 1.0, "s": 1e3, "min": 6e4, "h": 3.6e6, "d": 8.64e7}


@pytest.mark.parametrize(
    ("ms", "shown"),
    [
        (None, "\N{EN DASH}"),
        (0, "0 ms"),
        (0.000001, "0.00100 µs"),
        (0.0123, "12.3 µs"),
        (0.9994, "999 µs"),
        (0.9996, "1.00 ms"),
        (45.64, "45.6 ms"),
        (999.4, "999 ms"),
        (999.6, "1.00 s"),
        (59_949, "59.9 s"),
        (59_951, "1 min"),
        (125_000, "2 min 5 s"),
        (3_600_000, "1 h"),
        (12_000_000, "3 h 20 min"),
        (90_000_000, "1 d 1 h"),
    ],
)
def test_durations(ms: float | None, shown: str) -> None:
    """Three significant digits and the unit that fits, also at the borders between units."""
    assert shown == figures.duration(ms)


@given(st.floats(min_value=1e-6, max_value=1e10))
def test_a_duration_is_read_back_within_its_digits(ms: float) -> None:
    """What is shown differs from the value by less than one in the third digit, or in the smaller of two units."""
    words = figures.duration(ms).replace(",", "").split()
    read_ms = sum(float(number) * _UNITS_MS[unit] for number, unit in zip(words[::2], words[1::2], strict=True))
    allowed_ms = ms * 0.006 if len(words) == 2 and words[1] in {"µs", "ms", "s"} else 3.6e6 if ms >= 8.64e7 else 6e4
    assert abs(read_ms - ms) <= allowed_ms


@pytest.mark.parametrize(
    ("rate", "shown"),
    [
        (None, "\N{EN DASH}"),
        (0.0, "0%"),
        (0.0001, "<0.1%"),
        (0.123, "12.3%"),
        (0.9999, ">99.9%"),
        (1.0, "100%"),
        (2.5, "250.0%"),
        (-0.25, "-25.0%"),
    ],
)
def test_rates(rate: float | None, shown: str) -> None:
    """A little is not nothing, and nearly all is not all."""
    assert shown == figures.percent(rate)


def test_sizes_counts_and_short_numbers() -> None:
    """Decimal units; counts have every digit."""
    assert ["\N{EN DASH}", "0 B", "999 B", "1.00 kB", "1.00 MB", "11.5 MB", "2.50 GB", "1.20 TB"] == [
        figures.size(number) for number in (None, 0, 999, 1000, 999_999, 11_534_336, 2_500_000_000, 1_200_000_000_000)
    ]
    assert ["\N{EN DASH}", "0", "1,234,567"] == [figures.count(number) for number in (None, 0, 1_234_567)]
    assert ["\N{EN DASH}", "999", "1.00 k", "-1.25 M", "3.00 G", "80.5", "0", "0"] == [
        figures.compact(number) for number in (None, 999, 999.9, -1_250_000, 3_000_000_000, 80.5, 0, 0.0)
    ]


def test_moments_are_to_the_second() -> None:
    """The part of a time that people compare."""
    assert "2025-12-29 22:06:52" == figures.moment("2025-12-29T22:06:52.060304+00:00")
    assert "\N{EN DASH}" == figures.moment(None)


def test_marks_of_an_axis_are_round() -> None:
    """No zeros after the point; those before it stay."""
    assert ["10 ms", "1 s", "100 µs", "2.5 s"] == [figures.round_duration(ms) for ms in (10.0, 1000.0, 0.1, 2500.0)]


def test_a_sparkline_never_hides_what_is_there() -> None:
    """The least above 0 is the lowest block, unknown and 0 are blank, and nothing at all is a blank line."""
    assert "▁ █ ▄" == figures.sparkline([1, 0, 1000, None, 500])
    assert "   " == figures.sparkline([0, None, 0])
    assert ".@" == figures.sparkline([1, 1000], figures.ASCII_BLOCKS)


def test_every_oddity_is_said_in_words() -> None:
    """Keys are those of the report's events."""
    assert all(re.fullmatch(r"[a-z_]+", key) and words for key, words in figures.ODDITIES)
    assert 6 == len({key for key, _words in figures.ODDITIES})


def test_what_is_counted_takes_an_s() -> None:
    """But one of it does not; a report of one segment has its name, if there is one."""
    assert ["0 runs", "1 run", "1,234 runs"] == [figures.many(number, "run") for number in (0, 1, 1234)]
    assert ["0 segments", "shop", "(no name)", "2 segments"] == [
        figures.segments(names) for names in ([], ["shop"], [""], ["shop", "shop"])
    ]


def test_what_was_counted_all_the_same_is_not_said_to_be_skipped() -> None:
    """A report reads the lines of a later version as far as it can."""
    assert ["unreadable", "too_long", "foreign"] == [key for key, words in figures.ODDITIES if "skipped" in words]
