"""The machine's clocks behind the `Clock` port; the only place that reads them for telemetry."""

from __future__ import annotations

from datetime import UTC, datetime
from time import perf_counter_ns, time_ns


class SystemClock:
    """Real time: `perf_counter_ns` for intervals, `now` for dates."""

    def perf_counter_ns(self) -> int:
        """Return a monotonic reading in nanoseconds."""
        return perf_counter_ns()

    def now(self) -> datetime:
        """Return the wall-clock time, aware, in UTC."""
        return datetime.now(UTC)

    # Wall-clock nanoseconds since 1970, for who formats dates by the thousand; not wrapped, a call costs as much again.
    time_ns = staticmethod(time_ns)
