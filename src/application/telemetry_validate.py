"""Checking telemetry: every line against the event table, the lines of a run against each other, the two summaries.

What is *wrong* breaks a promise of docs/telemetry.md. What is *odd* does not, and is worth a look: half a line at the
very end (a process was killed while it wrote, or writes now), numbers that are missing, a clock that was set, what a
later version added. Lines are read one by one; memory is bounded whatever the files hold.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..domain.telemetry.findings import Finding, Findings
from ..domain.telemetry.line_check import LineCheck
from ..domain.telemetry.redaction import truncated
from ..domain.telemetry.run_ledger import RunLedger
from ..domain.telemetry.summary_check import (
    LAST_RUN,
    METRICS,
    last_run_faults,
    last_run_novelties,
    metrics_faults,
    metrics_novelties,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..domain.telemetry.findings import Severity

    Line = tuple[int, bytes, int, bool]
    """Number from 1, content (empty when it is too long to be held), size in bytes, whether a newline ends it."""

PROGRESS_LINES = 4096
_SEGMENTS_MAX = 64
_MESSAGE_CHARS_MAX = 4096
_LINE_BEGINS = b'{"ts":"'
_NOTHING: Any = object()
"""Stands for the content of a summary that is not there: JSON's null is a content."""


@dataclass(frozen=True, slots=True)
class EventFile:
    """A file of events: how it is shown, its size, and its lines, empty ones left out."""

    name: str
    size_bytes: int
    lines: Callable[[], Iterable[Line]]


@dataclass(frozen=True, slots=True)
class SummaryFile:
    """`metrics.json` or `last_run.json`: its content, None when there is none, or why it cannot be read."""

    name: str
    content: bytes | None = None
    failure: str = ""


@dataclass(frozen=True, slots=True)
class TelemetryFiles:
    """The files of one place; `waiting` gives the lines that wait outside for a run that can write them."""

    name: str
    events: tuple[EventFile, ...]
    metrics: SummaryFile | None = None
    last_run: SummaryFile | None = None
    waiting: Callable[[Iterable[str]], list[bytes]] = lambda _segment_ids: []


@dataclass(slots=True)
class Validation:
    """What was looked at and what was found."""

    files: int = 0
    events: int = 0
    runs: int = 0
    size_bytes: int = 0
    findings: Findings = field(default_factory=Findings)

    def is_valid(self, *, is_strict: bool = False) -> bool:
        """Tell whether nothing is wrong; when strict, nothing odd either."""
        return not self.findings.total("wrong") and not (is_strict and self.findings.total("odd"))


class ValidateTelemetry:
    """Checks the files of places; `decode` reads JSON and raises ValueError where it is none."""

    def __init__(self, decode: Callable[[bytes], Any]) -> None:
        self._decode = decode
        self._check = LineCheck()

    def __call__(
        self, places: Iterable[TelemetryFiles], on_progress: Callable[[int], None] = lambda _done_bytes: None
    ) -> Validation:
        """Return what was found; `on_progress` is told how many bytes of event files have been read."""
        found = Validation()
        for place in places:
            _PlaceCheck(self._decode, self._check, found, place, on_progress).run()
        return found


class _PlaceCheck:
    """The check of one place."""

    def __init__(
        self,
        decode: Callable[[bytes], Any],
        check: LineCheck,
        found: Validation,
        place: TelemetryFiles,
        on_progress: Callable[[int], None],
    ) -> None:
        self._decode = decode
        self._check = check
        self._found = found
        self._place = place
        self._on_progress = on_progress
        self._ledger = RunLedger()
        self._segment_ids: set[str] = set()

    def run(self) -> None:
        """Check everything of the place."""
        for file in self._place.events:
            self._found.files += 1
            self._lines_of(file)
        waiting = self._place.waiting(self._segment_ids)
        for raw in waiting:
            event = self._decoded(raw)
            if self._check.is_fine(event):
                self._ledger.see(event)
        last_name = self._place.events[-1].name if self._place.events else self._place.name
        for gap in self._ledger.gaps():
            what = "1 event" if gap.missing == 1 else f"{gap.missing:,} events"
            message = f"{what} of run {gap.run_id}, process {gap.pid}, missing: no line says that they were dropped"
            self._add("odd", "gap", last_name, 0, message)
        self._found.runs += self._ledger.runs
        self._summaries(len(waiting))

    # ------------------------------------------------------------------ lines

    def _lines_of(self, file: EventFile) -> None:
        decode, is_fine, see = self._decode, self._check.is_fine, self._ledger.see
        events = done_bytes = 0
        for number, raw, size_bytes, is_ended in file.lines():
            done_bytes += size_bytes
            try:
                event = decode(raw)
            except ValueError:
                self._unreadable(file.name, number, raw, size_bytes, is_ended=is_ended)
                continue
            if is_fine(event) or self._is_valid(file.name, number, event):
                events += 1
                if event["segment_id"] not in self._segment_ids and len(self._segment_ids) < _SEGMENTS_MAX:
                    self._segment_ids.add(event["segment_id"])
                for kind, message in see(event):
                    self._add("odd" if kind == "clock_step" else "wrong", kind, file.name, number, message)
            if not number % PROGRESS_LINES:
                self._on_progress(self._found.size_bytes + done_bytes)
        self._found.events += events
        self._found.size_bytes += file.size_bytes
        self._on_progress(self._found.size_bytes)

    def _is_valid(self, place: str, number: int, event: Any) -> bool:
        """Tell whether a line that is not all as in the table is still valid, and say what it is."""
        if isinstance(event, dict) and not event.keys() & {"ts", "cmd", "run_id"}:
            self._add("wrong", "foreign", place, number, 'is no event of ctx: "ts", "cmd" and "run_id" are missing')
            return False
        faults = self._check.faults(event)
        for message in faults:
            self._add("wrong", "schema", place, number, message)
        if faults and isinstance(event, dict):
            self._ledger.note(event)
        if not faults:
            for message in self._check.novelties(event):
                self._add("odd", "new", place, number, message)
        return not faults

    def _unreadable(self, place: str, number: int, raw: bytes, size_bytes: int, *, is_ended: bool) -> None:
        if size_bytes and not raw:
            self._add("wrong", "too_long", place, number, f"has {size_bytes:,} bytes; an event has at most 1 MiB")
        elif not is_ended and raw[: len(_LINE_BEGINS)] == _LINE_BEGINS[: len(raw)]:
            message = "is half a line: a process was killed while it wrote, or writes; the next event begins a new line"
            self._add("odd", "torn_tail", place, number, message)
        elif b'}{"ts":"' in raw:
            self._add("wrong", "glued", place, number, "holds events without a line end between them")
        elif raw.startswith(_LINE_BEGINS) and not raw.endswith(b"}"):
            message = "is half a line: a process was killed, or the disk was full, or it was cut"
            self._add("wrong", "torn", place, number, message)
        else:
            self._add("wrong", "no_json", place, number, _why_no_json(raw))

    # ------------------------------------------------------------------ summaries

    def _summaries(self, waiting: int) -> None:
        metrics = self._read(self._place.metrics, METRICS)
        if metrics is not _NOTHING and self._place.metrics is not None:
            name = self._place.metrics.name
            faults = metrics_faults(metrics, waiting=waiting)
            for message in faults:
                self._add("wrong", METRICS, name, 0, message)
            for message in metrics_novelties(metrics) if isinstance(metrics, dict) else ():
                self._add("odd", "new", name, 0, message)
            metrics = None if faults else metrics
        last_run = self._read(self._place.last_run, LAST_RUN)
        if last_run is not _NOTHING and self._place.last_run is not None:
            name = self._place.last_run.name
            faults = last_run_faults(last_run)
            for message in faults:
                self._add("wrong", LAST_RUN, name, 0, message)
            counters = None if metrics is _NOTHING else metrics
            for message in last_run_novelties(last_run, counters) if not faults else ():
                self._add("odd", "new", name, 0, message)

    def _read(self, file: SummaryFile | None, kind: str) -> Any:
        """Return the content of a summary file; _NOTHING when there is none to look at."""
        if file is None:
            return _NOTHING
        if file.failure:
            self._add("wrong", kind, file.name, 0, file.failure)
        if file.content is None:
            return _NOTHING
        self._found.files += 1
        try:
            return self._decode(file.content)
        except ValueError:
            self._add("wrong", kind, file.name, 0, _why_no_json(file.content))
            return _NOTHING

    def _decoded(self, raw: bytes) -> Any:
        try:
            return self._decode(raw)
        except ValueError:
            return None

    def _add(self, severity: Severity, kind: str, place: str, number: int, message: str) -> None:
        message = truncated(message, _MESSAGE_CHARS_MAX)  # names in it are as long as whoever wrote the file wanted
        self._found.findings.add(Finding(severity, kind, place, number, message))


def _why_no_json(raw: bytes) -> str:
    if not raw:
        return "is empty"
    if raw.startswith(b"\xef\xbb\xbf"):
        return "begins with a byte order mark; save the file without one"
    if 0 in raw:
        return "holds NUL bytes: the machine went down while it was written, or it is no text"
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        return f"is not UTF-8 (byte {error.start + 1})"
    return "is no JSON"
