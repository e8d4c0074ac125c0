"""Reading ranges of event files into a tally: in the process that wants it, or in one of its own beside others.

`python -m ctx.infrastructure.scan_worker` takes one pickled `Job` on standard input and writes to standard output how
many bytes it has read, again and again, and at the end the pickled outcome. Both ends are ctx itself.
"""

from __future__ import annotations

import gc
import os
import pickle
import struct
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import orjson

from ..domain.telemetry.report_tally import ReportTally
from .event_selection import see_runs
from .event_sources import READ_BYTES, LongLine, batches_in, opened
from .outgoing_events import decoded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO

    from ..domain.telemetry.selection import RecentRuns, Selection
    from .event_sources import Batch

MESSAGE = struct.Struct("<cQ")
"""PROGRESS and bytes read since the last, or OUTCOME and the length of the pickle that follows."""
PROGRESS, OUTCOME = b"P", b"O"
TELL_BYTES = 2 << 20


@dataclass(frozen=True, slots=True)
class Part:
    """A range of a file, which is known by its identity: rotation may rename it while others are read."""

    path: str
    identity: tuple[int, int]
    start: int
    end: int
    file: int


@dataclass(frozen=True, slots=True)
class TallyJob:
    """Count what a report needs."""

    parts: tuple[Part, ...]
    now_us: int
    selection: Selection

    def run(self, tell: Callable[[int], None]) -> ReportTally:
        """Return the counts of all parts."""
        tally = ReportTally(self.now_us, self.selection)
        has_gc = gc.isenabled()
        gc.disable()  # a fifth of the time: millions of objects come and go, and none is in a cycle
        try:
            for part in self.parts:
                for batch in _batches(part, tell):
                    lines, events = _decoded(batch, tally)
                    tally.add_all(events, map(len, lines), part.file)
        finally:
            if has_gc:
                gc.enable()
        return tally


@dataclass(frozen=True, slots=True)
class RunsJob:
    """Find the last runs."""

    parts: tuple[Part, ...]
    recent: RecentRuns
    since_us: int | None

    def run(self, tell: Callable[[int], None]) -> RecentRuns:
        """Return `recent`, which was shown all runs of all parts."""
        for part in self.parts:
            for batch in _batches(part, tell):
                see_runs(self.recent, (line for line in batch if isinstance(line, bytes)), self.since_us)
        return self.recent


Job = TallyJob | RunsJob


def parts_given(job: Job, parts: tuple[Part, ...]) -> Job:
    """Return the same job for other parts."""
    return replace(job, parts=parts)


def _decoded(batch: Batch, tally: ReportTally) -> tuple[Sequence[bytes], list[Any]]:
    """Return the lines that are JSON, and what they hold; the others are counted."""
    try:
        whole = cast("list[bytes]", batch)  # what stands for a long line is refused as well
        return whole, list(map(orjson.loads, whole))
    except ValueError:
        pass
    lines, events = [], []
    for line in batch:
        if isinstance(line, LongLine):
            tally.too_long += 1
        elif (event := decoded(line)) is not None:
            lines.append(line)
            events.append(event)
        elif line.strip():
            tally.unreadable += 1
    return lines, events


def _batches(part: Part, tell: Callable[[int], None]) -> Iterator[Batch]:
    """Yield the lines of a part, many at once, and tell how many bytes they were; none of a file that is gone."""
    fd = opened(part.path, part.identity)
    told = 0
    if fd is not None:
        with open(fd, "rb", buffering=READ_BYTES) as file:
            for batch, size in batches_in(file, part.start, part.end):
                tell(size)
                told += size
                yield batch
    tell(part.end - part.start - told)


def serve(commands: BinaryIO, answers: BinaryIO) -> None:
    """Do the one job that is asked for."""
    job: Job = pickle.load(commands)  # noqa: S301 - from the process that started this one

    untold = 0

    def tell(read_bytes: int) -> None:
        nonlocal untold
        untold += read_bytes
        if untold >= TELL_BYTES:
            answers.write(MESSAGE.pack(PROGRESS, untold))
            answers.flush()
            untold = 0

    outcome = pickle.dumps(job.run(tell), pickle.HIGHEST_PROTOCOL)
    answers.write(MESSAGE.pack(PROGRESS, max(untold, 0)))
    answers.write(MESSAGE.pack(OUTCOME, len(outcome)))
    answers.write(outcome)
    answers.flush()


def main() -> int:
    """Serve; a reader that is gone ends it without a word."""
    try:
        serve(sys.stdin.buffer, sys.stdout.buffer)
    except BrokenPipeError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
