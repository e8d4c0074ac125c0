"""Reading the telemetry of any number of segments as fast as the machine allows: large input in several processes.

Files are divided into ranges of bytes, each process gets the same share of all bytes, and what they counted is put
together (see `report_tally`: in which order does not matter). Where processes cannot be started, or one is lost, this
one reads its share itself. None outlives the call, however it ends.
"""

from __future__ import annotations

import os
import pickle
import selectors
import sys
from typing import TYPE_CHECKING, Any, cast

from ..domain.telemetry.redaction import PathRedactor
from ..domain.telemetry.tally_values import figure
from .event_encoding import EventEncoder
from .event_sources import segment_of
from .metrics_file import METRICS_FILE, read_counters
from .scan_worker import MESSAGE, OUTCOME, Part, RunsJob, TallyJob, parts_given
from .secrets import redact_value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..domain.telemetry.report_tally import ReportTally
    from ..domain.telemetry.selection import RecentRuns, Selection
    from .event_sources import EventSource
    from .parse_pool import ParserProcess
    from .scan_worker import Job

    Progress = Callable[[int, int], None]

SHARE_BYTES_MIN = 16 << 20
"""Less is read sooner than a process has started (0.15 s)."""
WORKERS_MAX = 8
"""More would wait for the disk, and each holds up to a few hundred megabytes of hostile input."""
_METRICS_BYTES_MAX = 4 << 20
WORKER_COMMAND = (sys.executable, "-P", "-m", "ctx.infrastructure.scan_worker")


class EventScan:
    """The events and counters of some sources; which files there are is found out when it is made."""

    def __init__(
        self,
        sources: Sequence[EventSource],
        *,
        workers: int = 0,
        share_bytes_min: int = SHARE_BYTES_MIN,
        worker_command: Sequence[str] = WORKER_COMMAND,
    ) -> None:
        """0 workers means one per usable core, at most WORKERS_MAX."""
        self._sources = tuple(sources)
        self._workers = workers
        self._share_bytes_min = share_bytes_min
        self._command = worker_command
        self._parts = _parts_of(sources)
        self._encoder: EventEncoder | None = None

    def recent_runs(self, recent: RecentRuns, since_us: int | None, on_progress: Progress) -> RecentRuns:
        """Return `recent` after it was shown every run that was active since then."""
        for outcome in self._carried_out(RunsJob((), recent, since_us), on_progress):
            recent.merge(cast("RecentRuns", outcome))
        return recent

    def tally(self, now_us: int, selection: Selection, on_progress: Progress) -> ReportTally:
        """Return the counts of all events."""
        first, *others = self._carried_out(TallyJob((), now_us, selection), on_progress)
        tally = cast("ReportTally", first)
        for other in others:
            tally.merge(cast("ReportTally", other))
        return tally

    def counters(self) -> dict[str, int] | None:
        """Return the sums over the metrics.json of every source; None when none has one that can be read."""
        sums: dict[str, int] = {}
        for directory in dict.fromkeys(source.directory for source in self._sources):
            try:
                if os.lstat(os.path.join(directory, METRICS_FILE)).st_size > _METRICS_BYTES_MAX:
                    continue
                found = read_counters(directory)
            except OSError:
                continue
            for name, total in (found or {}).items():
                sums[name] = sums.get(name, 0) + figure(total)
        return sums or None

    def redact(self, text: str) -> str:
        """Return a text without secrets and absolute paths, by the places of all segments that are read."""
        if self._encoder is None:
            home = os.path.expanduser("~")
            homes = [home, os.path.realpath(home)] if os.path.isabs(home) else []
            segments = [segment for segment in map(segment_of, self._sources) if segment is not None]
            roots = dict.fromkeys(place for segment in segments for place in (os.path.realpath(segment), segment))
            self._encoder = EventEncoder(PathRedactor(roots, homes, secrets=redact_value))
        return self._encoder.safe(text)

    def _carried_out(self, job: Job, on_progress: Progress) -> list[ReportTally | RecentRuns]:
        """Return the outcomes of a job's shares, in the order of the bytes; of at least one."""
        total = sum(part.end - part.start for part in self._parts)
        done = 0

        def tell(read_bytes: int) -> None:
            nonlocal done
            done = min(done + read_bytes, total)
            on_progress(done, total)

        shares = shares_of(self._parts, self._share_count(total))
        if len(shares) == 1:
            return [parts_given(job, shares[0]).run(tell)]
        return _Crew([parts_given(job, share) for share in shares], self._command, tell).outcomes()

    def _share_count(self, total_bytes: int) -> int:
        from .parse_pool import usable_cores

        workers = self._workers or min(usable_cores(), WORKERS_MAX)
        return max(1, min(workers, total_bytes // max(self._share_bytes_min, 1)))


def _parts_of(sources: Sequence[EventSource]) -> tuple[Part, ...]:
    """Return one part for each file that is there, as long as it is now; one with two names is one."""
    parts: dict[tuple[int, int], Part] = {}
    for source in sources:
        for path in source.paths:
            try:
                found = os.lstat(path)
            except OSError:
                continue  # retention, just now
            identity = (found.st_dev, found.st_ino)
            parts.setdefault(identity, Part(path, identity, 0, found.st_size, len(parts)))
    return tuple(parts.values())


def shares_of(parts: Sequence[Part], count: int) -> list[tuple[Part, ...]]:
    """Divide parts into `count` shares of about as many bytes each, side by side; each of at least one part or none."""
    total = sum(part.end - part.start for part in parts)
    bounds = [total * number // count for number in range(count + 1)]
    shares: list[list[Part]] = [[] for _ in range(count)]
    before = 0
    for part in parts:
        size = part.end - part.start
        for share, low, high in zip(shares, bounds, bounds[1:], strict=False):
            start, end = max(low - before, 0), min(high - before, size)
            if start < end:
                share.append(Part(part.path, part.identity, part.start + start, part.start + end, part.file))
        before += size
    return [tuple(share) for share in shares]


class _Crew:
    """Processes that each carry out a job, until all have answered or the call is given up."""

    def __init__(self, jobs: Sequence[Job], command: Sequence[str], tell: Callable[[int], None]) -> None:
        self._jobs = jobs
        self._command = command
        self._tell = tell
        self._answers: list[Any] = [None] * len(jobs)
        self._selector = selectors.DefaultSelector()

    def outcomes(self) -> list[Any]:
        """Return the outcomes in the order of the jobs; one that a process did not give is made here."""
        members: list[_Member] = []
        try:
            self._begin(members)
            while self._selector.get_map():
                for key, _events in self._selector.select():
                    self._hear(key.data)
        finally:
            self._selector.close()
            for member in members:
                member.end()
        for number, answer in enumerate(self._answers):
            if answer is None:
                self._answers[number] = self._jobs[number].run(self._tell)
        return self._answers

    def _begin(self, members: list[_Member]) -> None:
        """Add a process for each job; where there is none, or no memory for one, those that began go on."""
        try:
            for number, job in enumerate(self._jobs):
                members.append(_Member(number, self._command))
                members[-1].begin(job)
                self._selector.register(members[-1].fd, selectors.EVENT_READ, members[-1])
        except OSError:
            pass

    def _hear(self, member: _Member) -> None:
        data = os.read(member.fd, 1 << 20)
        if not data:
            self._selector.unregister(member.fd)
            return
        for read_bytes in member.hear(data):
            self._tell(read_bytes)
        if member.has_answered:
            self._answers[member.number] = member.outcome()


class _Member:
    """One process of a crew."""

    def __init__(self, number: int, command: Sequence[str]) -> None:
        from .parse_pool import spawned

        self.number = number
        self._process: ParserProcess = spawned(command)
        self.fd = self._process.from_child.fileno()
        self._buffer = bytearray()
        self._outcome_bytes = -1

    def begin(self, job: Job) -> None:
        """Hand the job over; a process that ended already is noticed when it is listened to."""
        try:
            with self._process.to_child as pipe:
                rest = memoryview(pickle.dumps(job, pickle.HIGHEST_PROTOCOL))
                while rest:
                    rest = rest[pipe.write(rest) :]
        except BrokenPipeError:
            pass

    def hear(self, data: bytes) -> list[int]:
        """Take in what it wrote; return how many bytes it says it has read since."""
        self._buffer += data
        told = []
        while self._outcome_bytes < 0 and len(self._buffer) >= MESSAGE.size:
            kind, number = MESSAGE.unpack_from(self._buffer)
            del self._buffer[: MESSAGE.size]
            if kind == OUTCOME:
                self._outcome_bytes = number
            else:
                told.append(number)
        return told

    @property
    def has_answered(self) -> bool:
        """Tell whether the whole outcome is here."""
        return 0 < self._outcome_bytes <= len(self._buffer)

    def outcome(self) -> Any:
        """Return what it found; once, as it is not held any longer."""
        outcome = pickle.loads(self._buffer)  # noqa: S301 - from our own child's pipe
        self._buffer.clear()
        return outcome

    def end(self) -> None:
        """End it, whatever it does, and wait until it is gone."""
        self._process.kill()
        self._process.from_child.close()
        self._process.to_child.close()
        self._process.wait()
        self._process.close_stderr()
