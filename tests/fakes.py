"""Small real classes that stand in for outside things; `Manual…` is moved by the test, by nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class ManualClock:
    """A clock that stands still until told: `advance_ns` moves time, `set_wall` steps only the wall clock."""

    def __init__(self, now: datetime = datetime(2025, 12, 29, 22, 6, 52, 60304, tzinfo=UTC)) -> None:
        self._now = now
        self._perf_ns = 1_000

    def perf_counter_ns(self) -> int:
        return self._perf_ns

    def now(self) -> datetime:
        return self._now

    def advance_ns(self, elapsed_ns: int) -> None:
        """Let time pass on both clocks."""
        self._perf_ns += elapsed_ns
        self._now += timedelta(microseconds=elapsed_ns / 1000)

    def set_wall(self, now: datetime) -> None:
        """Step the wall clock, as NTP or a user does; intervals must not notice."""
        self._now = now
