"""Times of event lines, in and out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctx.domain.telemetry.moments import EARLIEST_US, LATEST_US, moment_text, moment_us


@given(st.integers(EARLIEST_US, LATEST_US))
def test_a_moment_survives_its_text(us: int) -> None:
    """Every microsecond between the years 1 and 9999 comes back from what is written for it."""
    assert moment_us(moment_text(us)) == us


@pytest.mark.parametrize(
    ("ts", "us"),
    [
        ("1970-01-01T00:00:01.000002+00:00", 1_000_002),
        ("1970-01-01T00:00:01Z", 1_000_000),
        ("1970-01-01T02:00:01.5+02:00", 1_500_000),
        ("0001-01-01T00:00:00+14:00", EARLIEST_US),
        ("9999-12-31T23:59:59.999999-14:00", LATEST_US),
    ],
)
def test_other_spellings_of_a_time_are_read(ts: str, us: int) -> None:
    """Offsets and fractions of any length; what lies outside of the calendar is its edge."""
    assert moment_us(ts) == us


@pytest.mark.parametrize(
    "ts",
    [
        None,
        7,
        1e308,
        "",
        "yesterday",
        "2025-12-29T22:06:52.060304",
        "2025-12-29T22:06:52.+60304+00:00",
        "2025-12-29T22:06:52.06_304+00:00",
        "2025-12-29T22:06:52.06030²+00:00",
        "2025-02-30T22:06:52.060304+00:00",
        "2025-12-29T22:06:52.060304+00:00" * 1000,
    ],
)
def test_what_is_no_time_is_none(ts: object) -> None:
    """Other types, no offset, digits that are none, days that never were."""
    assert moment_us(ts) is None
