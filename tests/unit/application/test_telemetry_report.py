"""From recorded events to the document."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from tests.fakes import ManualClock
from tests.telemetry_lines import event

from ctx.application.telemetry_report import telemetry_report
from ctx.domain.errors import UsageError
from ctx.domain.telemetry.moments import moment_us
from ctx.domain.telemetry.report_tally import ReportTally

if TYPE_CHECKING:
    from collections.abc import Callable

    from ctx.domain.telemetry.selection import RecentRuns, Selection


class EventsInMemory:
    """Recorded events that are a list."""

    def __init__(self, *events: dict[str, Any]) -> None:
        self._events = events

    def recent_runs(
        self, recent: RecentRuns, since_us: int | None, on_progress: Callable[[int, int], None]
    ) -> RecentRuns:
        for each in self._events:
            at_us = moment_us(each["ts"]) or 0
            if since_us is None or at_us >= since_us:
                recent.see(each["run_id"], at_us)
        return recent

    def tally(self, now_us: int, selection: Selection, on_progress: Callable[[int, int], None]) -> ReportTally:
        tally = ReportTally(now_us, selection)
        for number, each in enumerate(self._events):
            tally.add(each, 10, 0)
            on_progress(number + 1, len(self._events))
        return tally

    def counters(self) -> dict[str, int] | None:
        return {"telemetry_events_attempted": 9}

    def redact(self, text: str) -> str:
        return text.replace("hunter2", "[REDACTED]")


EVENTS = EventsInMemory(
    event(run_id="run_1", ts="2025-12-29T20:00:00.000000+00:00"),
    event(run_id="run_2", ts="2025-12-29T21:00:00.000000+00:00"),
    event(run_id="run_hunter2", ts="2025-12-29T22:00:00.000000+00:00"),
    event(run_id="run_1", ts="2025-12-29T22:05:00.000000+00:00"),
)
CLOCK = ManualClock(datetime(2025, 12, 29, 22, 6, tzinfo=UTC))


def selected(**options: Any) -> int:
    found: int = telemetry_report(EVENTS, CLOCK, version="1", **options)["events"]["selected"]
    return found


def test_a_report_is_of_everything_unless_something_is_asked_for() -> None:
    """The last runs, the events since then, the last runs of those."""
    assert [4, 2, 3, 3, 1] == [
        selected(),
        selected(last=1),
        selected(last=2),
        selected(since="2h"),
        selected(since="3m", last=2),
    ]


def test_the_document_says_what_was_asked_for_and_when() -> None:
    """With the counters of the sources, every text redacted; progress is told."""
    told: list[tuple[int, int]] = []
    found = telemetry_report(
        EVENTS, CLOCK, version="1.2", last=2, since="1d", on_progress=lambda done, total: told.append((done, total))
    )
    assert {"last": 2, "since": "2025-12-28T22:06:00.000000+00:00"} == found["selection"]
    assert ("2025-12-29T22:06:00.000000+00:00", "1.2", 9) == (
        found["generated"],
        found["version"],
        found["telemetry"]["attempted"],
    )
    assert {"run_1", "run_[REDACTED]"} == {each["run_id"] for each in found["top_runs"]}
    assert [(1, 4), (2, 4), (3, 4), (4, 4)] == told


@pytest.mark.parametrize("options", [{"since": "soon"}, {"last": 0}])
def test_what_makes_no_sense_is_refused(options: dict[str, Any]) -> None:
    """Before anything is read."""
    with pytest.raises(UsageError):
        selected(**options)
