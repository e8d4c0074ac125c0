"""When a server that keeps failing is left alone, and for how long.

The pattern is the circuit breaker of M. Nygard, *Release It!*.
"""

from __future__ import annotations

FAILURES_MAX = 3
"""In a row: of starts, initializations, lives."""
TIMEOUTS_MAX = 5
"""In a row, of questions to a server that was ready: one slow question never marks it."""
OPEN_FIRST_S = 15.0
OPEN_MAX_S = 480.0

_SECOND_NS = 1_000_000_000


class CircuitBreaker:
    """Counts what went wrong in a row; open, it lets nothing through until its time is over, then one try.

    Times are those of a monotonic clock in nanoseconds. Each opening without a success in between lasts twice as long.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._timeouts = 0
        self._open_until_ns: int | None = None
        self._opened_ns: int | None = None
        self.openings = 0
        self.reason = ""

    def record_failure(self, now_ns: int, reason: str) -> None:
        """Count a start that failed, a protocol that was broken, a death."""
        self._failures += 1
        self.reason = reason
        # The one try after an opening decides alone.
        if self._failures >= FAILURES_MAX or self.openings:
            self._open(now_ns)

    def record_timeout(self, now_ns: int, *, asked_ns: int) -> None:
        """Count a question to a ready server that passed its deadline.

        One that was on its way when it opened is part of what opened it, and not the one try.
        """
        if self._opened_ns is not None and asked_ns <= self._opened_ns:
            return
        self._timeouts += 1
        if self._timeouts >= TIMEOUTS_MAX or self.openings:
            self.reason = f"{self._timeouts} questions in a row were not answered in time"
            self._open(now_ns)

    def record_success(self) -> None:
        """Close it: an answer came, in time or late."""
        self._failures = self._timeouts = self.openings = 0
        self._open_until_ns = None
        self.reason = ""

    def is_open(self, now_ns: int) -> bool:
        """Tell whether nothing is let through now."""
        return self._open_until_ns is not None and now_ns < self._open_until_ns

    def describe(self, now_ns: int) -> str:
        """Return what it does at the moment, for people; "" when it is closed and nothing went wrong."""
        if self._open_until_ns is not None and now_ns < self._open_until_ns:
            left_s = (self._open_until_ns - now_ns) / _SECOND_NS
            return f"left alone for {left_s:.0f} s more: {self.reason}"
        return f"{self._failures} failures in a row: {self.reason}" if self._failures else ""

    def _open(self, now_ns: int) -> None:
        lasts_s = min(OPEN_FIRST_S * 2**self.openings, OPEN_MAX_S)
        self.openings += 1
        self._failures = self._timeouts = 0
        self._opened_ns = now_ns
        self._open_until_ns = now_ns + int(lasts_s * _SECOND_NS)
