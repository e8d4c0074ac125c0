"""The use case behind `ctx telemetry report`: from recorded events to one document of figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..domain.telemetry.moments import moment_us
from ..domain.telemetry.report import report_document
from ..domain.telemetry.selection import RecentRuns, Selection, moment_since

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..domain.ports import Clock, RecordedEvents


def telemetry_report(
    events: RecordedEvents,
    clock: Clock,
    *,
    version: str,
    last: int | None = None,
    since: str = "",
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> dict[str, Any]:
    """Return the document; `last` and `since` select as `--last` and `--since` do, `on_progress` is told bytes.

    Raises: UsageError for a selection that makes no sense.
    """
    now = clock.now()
    now_us = moment_us(now.isoformat()) or 0
    # A date without an offset is meant in the zone of whoever typed it.
    since_us = moment_since(since, now.astimezone()) if since else None
    run_ids = None
    if last is not None:
        run_ids = events.recent_runs(RecentRuns(last), since_us, on_progress).run_ids()
    tally = events.tally(now_us, Selection(last, since_us, run_ids), on_progress)
    return report_document(
        tally, generated_us=now_us, version=version, counters=events.counters(), redact=events.redact
    )
