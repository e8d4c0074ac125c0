"""The machine's clocks behind the `Clock` port; the only place that reads them for telemetry."""

from __future__ import annotations

from datetime import UTC, datetime
from time import perf_counter_ns, time_ns


class SystemClock:
    """Real time: `perf_counter_ns` for intervals, `now` for dates."""

    def __init__(self) -> None:
        self._second: tuple[int, bytes] = (-1, b"")

    def perf_counter_ns(self) -> int:
        """Return a monotonic reading in nanoseconds."""
        return perf_counter_ns()

    def now(self) -> datetime:
        """Return the wall-clock time, aware, in UTC."""
        return datetime.now(UTC)

    def timestamp(self) -> bytes:
        """Return the wall-clock time as RFC 3339 in UTC with microseconds.

        What `now().isoformat(timespec="microseconds")` says in a quarter of its time, which every event pays: the part
        down to the second is formatted once a second.
        """
        second, nanosecond = divmod(time_ns(), 1_000_000_000)
        known, prefix = self._second
        if second != known:
            prefix = datetime.fromtimestamp(second, UTC).isoformat()[:19].encode()
            self._second = (second, prefix)
        return b"%b.%06d+00:00" % (prefix, nanosecond // 1000)
