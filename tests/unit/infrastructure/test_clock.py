"""The machine's clocks."""

from __future__ import annotations

from datetime import UTC

from ctx.infrastructure.clock import SystemClock


def test_clock_is_monotonic_and_utc() -> None:
    """Intervals never shrink; dates carry UTC and agree with the integer form."""
    clock = SystemClock()
    assert clock.perf_counter_ns() <= clock.perf_counter_ns()
    before, now, after = clock.time_ns(), clock.now(), clock.time_ns()
    assert now.tzinfo is UTC
    # A date has microseconds, the integer nanoseconds.
    assert before // 1000 <= round(now.timestamp() * 1e6) <= after // 1000 + 1
