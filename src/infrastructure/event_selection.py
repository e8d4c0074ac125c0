"""Which events of some sources are meant by `--last` and `--since`: a pass over them finds the last runs.

It holds names and times of at most twice as many runs as are wanted. A line's time and run are taken from its beginning
as the writer writes it; only a line that begins otherwise is decoded.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from ..domain.telemetry.moments import moment_us
from ..domain.telemetry.selection import RecentRuns, Selection, moment_since
from .event_sources import lines_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .event_sources import EventSource

_begins = re.compile(rb'\{"ts":"([^"\\]{26}\+00:00)","run_id":"([^"\\]{1,120})"').match


def selection(
    sources: Iterable[EventSource], *, last: int | None = None, since: str = "", now: datetime | None = None
) -> Selection:
    """Return what `--last` and `--since` select of the sources; of both, the last runs among the events since then.

    `now` is aware, in the user's time zone; None reads the clock.

    Raises: UsageError for a `since` that is no time, or a `last` that is no number of runs.
    """
    since_us = moment_since(since, now or datetime.now().astimezone()) if since else None
    if last is None:
        return Selection(None, since_us)
    recent = RecentRuns(last)
    for source in sources:
        for path in source.paths:
            see_runs(recent, (line for line in lines_of(path) if isinstance(line, bytes)), since_us)
    return Selection(last, since_us, recent.run_ids())


def see_runs(recent: RecentRuns, lines: Iterable[bytes], since_us: int | None = None) -> None:
    """Show the runs that lines are of to `recent`, but not what was before `since_us` or has no run or time."""
    of_run, latest = b"", b""  # lines of one run mostly follow each other
    for line in lines:
        match = _begins(line)
        if match is None:
            _show(recent, *_decoded(line), since_us)
        elif match[2] == of_run:
            latest = max(latest, match[1])  # in this form times sort as texts do
        else:
            _show(recent, str(latest, "utf-8", "replace"), str(of_run, "utf-8", "replace"), since_us)
            latest, of_run = match[1], match[2]
    _show(recent, str(latest, "utf-8", "replace"), str(of_run, "utf-8", "replace"), since_us)


def _show(recent: RecentRuns, ts: str, run_id: str, since_us: int | None) -> None:
    at_us = moment_us(ts)
    if run_id and at_us is not None and (since_us is None or at_us >= since_us):
        recent.see(run_id, at_us)


def _decoded(line: bytes) -> tuple[str, str]:
    import orjson

    try:
        event = orjson.loads(line)
    except orjson.JSONDecodeError:
        return "", ""
    ts, run_id = (event.get("ts"), event.get("run_id")) if isinstance(event, dict) else ("", "")
    return (ts, run_id) if isinstance(ts, str) and isinstance(run_id, str) else ("", "")
