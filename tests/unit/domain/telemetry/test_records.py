"""An event line as a value with known types."""

from __future__ import annotations

from typing import Any

import pytest
from tests.event_lines import BEGIN_US, ZERO_TOKENS, ToldRun

from ctx.domain.telemetry.records import DURATION_NS_MAX, INTEGER_MAX, record_of, whole


def event(**keys: Any) -> dict[str, Any]:
    return ToldRun().tell("ctx.search", 0, took_us=1500, args={"query": "q"}, face="cli").events[0] | keys


def test_a_line_is_a_record_with_its_extra_fields_apart() -> None:
    """What every line has is a field, what only this one has stays together."""
    record = record_of(event(telemetry_dropped_since_last=2))
    assert record is not None
    assert (BEGIN_US, "ctx.search", {"query": "q"}, {"face": "cli"}) == (
        record.end_us,
        record.cmd,
        record.args,
        record.extra,
    )
    assert (1, 1_500_000, True, 2) == (record.timing_ms, record.duration_ns, record.is_timed, record.dropped_before)


@pytest.mark.parametrize(
    "keys", [{"ts": "yesterday"}, {"ts": 5}, {"run_id": None}, {"run_id": ""}, {"cmd": 7}, {"cmd": ""}]
)
def test_what_has_no_time_no_run_or_no_name_is_no_record(keys: dict[str, Any]) -> None:
    """A foreign object is told from an event by the three."""
    assert None is record_of(event(**keys))


@pytest.mark.parametrize(
    ("given", "timing_ms", "expected"),
    [
        (None, 3, (3_000_000, True)),
        (None, 0, (0, False)),
        ("5", "x", (0, False)),
        (-5, -1, (0, False)),
        (True, 2, (2_000_000, True)),
        (0, 0, (0, True)),
        (10**30, 0, (DURATION_NS_MAX, True)),
        (None, 10**30, (DURATION_NS_MAX, True)),
    ],
)
def test_a_duration_is_a_measured_number_or_the_whole_milliseconds(
    given: Any, timing_ms: Any, expected: tuple[int, bool]
) -> None:
    """Texts, truth values and negative numbers were not measured; what is beyond a year neither."""
    record = record_of(event(duration_ns=given, timing_ms=timing_ms))
    assert record is not None
    assert expected == (record.duration_ns, record.is_timed)


def test_other_types_than_expected_count_as_nothing() -> None:
    """An edited line still gives a whole record."""
    record = record_of(
        event(args=[1], result="x", tokens={"output_tokens": "9"}, warnings="w", pid="1", seq=-1, segment=3, level=None)
    )
    assert record is not None
    assert ({}, {}, ZERO_TOKENS, [], 0, 0, "", "") == (
        record.args,
        record.result,
        record.tokens,
        record.warnings,
        record.pid,
        record.seq,
        record.segment,
        record.level,
    )
    record = record_of(event(tokens=7, warnings=["a", 3]))
    assert record is not None
    assert (ZERO_TOKENS, ["a", "3"]) == (record.tokens, record.warnings)


def test_a_whole_number_fits_what_other_programs_hold() -> None:
    """From 0 to the largest of 64 bits; a truth value is no number."""
    assert [0, 5, INTEGER_MAX, 0, 0, 0] == [whole(each) for each in (-5, 5, 1 << 70, True, "5", 1.5)]
