"""Use case: events as OTLP lines, in one pass and with bounded memory, however many there are.

A span's place is known when what holds it has ended, so the events of a run are held until the run has been quiet for
long: until `RUNS_MAX` others or `EVENTS_MAX` events were seen. A run longer than `RUN_EVENTS_MAX` (a host's, an
editor's) is told in parts, each within the command that was open.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from ..domain.errors import UsageError
from ..domain.telemetry.otlp import logs_data, traces_data
from ..domain.telemetry.otlp_metrics import Metrics
from ..domain.telemetry.spans import RunSpans

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..domain.telemetry.records import Record
    from ..domain.telemetry.spans import Span

SIGNALS = ("traces", "logs", "metrics")
RUNS_MAX = 1000
EVENTS_MAX = 20_000
RUN_EVENTS_MAX = 5000
LOGS_PER_LINE = 500


class RunsInProgress:
    """Gathers records by run and gives the spans of those that are over, as far as can be told."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[tuple[str, str], list[Record]] = OrderedDict()
        self._spans: dict[tuple[str, str], RunSpans] = {}
        self._events = 0

    def add(self, record: Record) -> Iterator[list[Span]]:
        """Take in a record and yield the spans of whatever must wait no longer."""
        key = record.segment_id, record.run_id
        waiting = self._waiting.get(key)
        if waiting is None:
            waiting = self._waiting[key] = []
        self._waiting.move_to_end(key)
        waiting.append(record)
        self._events += 1
        if len(waiting) >= RUN_EVENTS_MAX:
            yield self._take_in(key).drain()
        while self._events > EVENTS_MAX or len(self._waiting) > RUNS_MAX:
            yield self._close(next(iter(self._waiting)))

    def close(self) -> Iterator[list[Span]]:
        """Yield the spans of all that is left."""
        while self._waiting:
            yield self._close(next(iter(self._waiting)))

    def _take_in(self, key: tuple[str, str]) -> RunSpans:
        waiting = self._waiting[key]
        spans = self._spans.setdefault(key, RunSpans())
        # Lines that were spilled are written late.
        for record in sorted(waiting, key=lambda record: (record.pid, record.seq, record.end_us)):
            spans.add(record)
        self._events -= len(waiting)
        waiting.clear()
        return spans

    def _close(self, key: tuple[str, str]) -> list[Span]:
        spans = self._take_in(key)
        del self._waiting[key], self._spans[key]
        return spans.close()


def signals_of(word: str) -> tuple[str, ...]:
    """Return the signals that a word stands for.

    Raises: UsageError for any other than `all` and the three.
    """
    if word == "all":
        return SIGNALS
    if word not in SIGNALS:
        raise UsageError(f"--signal must be all, {', '.join(SIGNALS[:-1])} or {SIGNALS[-1]}, found {word[:60]!r}")
    return (word,)


def otlp_lines(records: Iterable[Record], signals: Iterable[str], version: str) -> Iterator[dict[str, Any]]:
    """Yield the objects of an OTLP file, each of one signal: traces and logs as they come, metrics at the end."""
    wanted = frozenset(signals)
    runs, metrics = RunsInProgress(), Metrics()
    logs: list[Record] = []
    for record in records:
        if "traces" in wanted:
            yield from _traces(runs.add(record), version)
        if "logs" in wanted:
            logs.append(record)
            if len(logs) >= LOGS_PER_LINE:
                yield logs_data(logs, version)
                logs.clear()
        if "metrics" in wanted:
            metrics.add(record)
    yield from _traces(runs.close(), version)
    if logs:
        yield logs_data(logs, version)
    told = metrics.data(version)
    if told is not None:
        yield told


def _traces(runs: Iterable[list[Span]], version: str) -> Iterator[dict[str, Any]]:
    for spans in runs:
        told = traces_data(spans, version)
        if told is not None:
            yield told
