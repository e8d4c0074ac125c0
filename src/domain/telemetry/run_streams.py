"""What the numbers and times of events say about losses: per process of a run, in whatever order the lines are read.

A stream is what one process wrote for one run in one segment. Its events are numbered from 1 without a gap, so a number
that is missing was lost or is in a file nobody read; one that is there twice was copied. All of it is a function of the
set of events, which is why parts of files can be read apart and put together.
"""

from __future__ import annotations

from .moments import SECOND_US

STREAMS_MAX = 25_000
"""Streams that were heard of last; as many again that have been silent longer, and as many that seem unfinished."""
SPANS_MAX = 64
"""Runs of consecutive numbers that one stream may be in pieces of; beyond it the oldest are closed."""
STEP_US = SECOND_US
"""A clock that goes back by no more than this was not set."""

Key = tuple[str, str, int]
"""Segment, run and process."""


class Span:
    """Consecutive numbers that were seen, with the times of the first and the last, and how often time went back."""

    __slots__ = ("first", "first_us", "last", "last_us", "steps")

    def __init__(self, first: int, last: int, first_us: int, last_us: int, steps: int) -> None:
        self.first = first
        self.last = last
        self.first_us = first_us
        self.last_us = last_us
        self.steps = steps

    def followed_by(self, later: Span) -> Span:
        """Return the two as one."""
        steps = self.steps + later.steps + (later.first_us < self.last_us - STEP_US)
        return Span(self.first, later.last, self.first_us, later.last_us, steps)


class _Stream:
    __slots__ = ("closed_missing", "dropped", "ended", "opened", "spans")

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.opened = 0  # commands that began, less those that ended
        self.ended = 0  # commands that ended
        self.dropped = 0  # events that lines of it say were dropped
        self.closed_missing = 0

    @property
    def is_finished(self) -> bool:
        """Tell whether it was seen from its first event to its end: then nothing more is expected of it."""
        return not self.opened and self.ended > 0 and bool(self.spans) and self.spans[0].first == 1


class RunStreams:
    """The streams of all runs, and what is known of those that were closed.

    When there are too many, those that are finished are closed first; nothing is lost by it, unless a copy of one is
    still to come, which is then not known for one.
    """

    __slots__ = ("_key", "_missing", "_quiet", "_steps", "_stream", "_streams", "_unended", "has_forgotten", "repeated")

    def __init__(self) -> None:
        self._key: Key | None = None  # the stream of the latest event, as the next is mostly of it, too
        self._stream = _Stream()
        self._streams: dict[Key, _Stream] = {}
        self._quiet: dict[Key, _Stream] = {}
        self._missing = 0
        self._steps = 0
        self._unended = 0
        self.repeated = 0
        self.has_forgotten = False

    def add(self, key: Key, seq: int, at_us: int) -> Span:
        """Take in the number, from 1, and the time of an event; return the span that it ends, or the latest one.

        What follows in that span by number, and in time, may be told to the span itself until the next call for
        another stream.
        """
        stream = self._stream if key is self._key else self._turned_to(key)
        if stream.spans:
            span = stream.spans[-1]
            if seq == span.last + 1:  # nearly always
                if at_us < span.last_us - STEP_US:
                    span.steps += 1
                span.last = seq
                span.last_us = at_us
                return span
        self._insert(stream, Span(seq, seq, at_us, at_us, 0))
        return stream.spans[-1]

    def opens(self, key: Key, commands: int) -> None:
        """Take note that a command began (1) or ended (-1)."""
        stream = self._turned_to(key)
        stream.opened += commands
        stream.ended += commands < 0

    def drops(self, key: Key, count: int) -> None:
        """Take note that a line says that events before it were dropped."""
        self._turned_to(key).dropped += count

    def merge(self, other: RunStreams) -> None:
        """Take in what another one has seen."""
        self._missing += other._missing
        self._steps += other._steps
        self._unended += other._unended
        self.repeated += other.repeated
        self.has_forgotten |= other.has_forgotten
        for streams in (other._quiet, other._streams):
            for key, theirs in streams.items():
                ours = self._turned_to(key)
                ours.opened += theirs.opened
                ours.ended += theirs.ended
                ours.dropped += theirs.dropped
                ours.closed_missing += theirs.closed_missing
                for span in theirs.spans:
                    self._insert(ours, Span(span.first, span.last, span.first_us, span.last_us, span.steps))

    def figures(self) -> tuple[int, int, int]:
        """Return missing numbers that no line says were dropped, clock steps, and commands without an end."""
        missing, steps, unended = self._missing, self._steps, self._unended
        for streams in (self._streams, self._quiet):
            for stream in streams.values():
                of_one = _figures(stream)
                missing += of_one[0]
                steps += of_one[1]
                unended += of_one[2]
        return missing, steps, unended

    def _turned_to(self, key: Key) -> _Stream:
        """Return the stream of a key, for which the next event is expected to be."""
        if key is self._key:
            return self._stream
        stream = self._streams.get(key)
        if stream is None:
            stream = self._quiet.pop(key, None) or _Stream()
            if len(self._streams) >= STREAMS_MAX:
                self._close_quiet()
            self._streams[key] = stream
        self._key, self._stream = key, stream
        return stream

    def _close_quiet(self) -> None:
        """Close the streams that have been silent longest; the others become the silent ones."""
        unfinished = [key for key, stream in self._quiet.items() if not stream.is_finished]
        kept = {key: self._quiet.pop(key) for key in unfinished[-STREAMS_MAX:]}
        self.has_forgotten |= len(unfinished) > len(kept)
        for stream in self._quiet.values():
            missing, steps, unended = _figures(stream)
            self._missing += missing
            self._steps += steps
            self._unended += unended
        self._quiet, self._streams = {**kept, **self._streams}, {}

    def _insert(self, stream: _Stream, new: Span) -> None:
        """Put a span among the others; numbers that were there already are repeated."""
        spans = stream.spans
        at = len(spans)
        while at and spans[at - 1].first > new.first:
            at -= 1
        spans.insert(at, new)
        if at and spans[at - 1].last >= new.first - 1:
            at -= 1
            self._join(spans, at)
        while at + 1 < len(spans) and spans[at].last >= spans[at + 1].first - 1:
            self._join(spans, at)
        if len(spans) > SPANS_MAX:
            self.has_forgotten = True
            # Joined over their gap: the numbers between are missing for good.
            stream.closed_missing += spans[1].first - spans[0].last - 1
            spans[:2] = [spans[0].followed_by(spans[1])]

    def _join(self, spans: list[Span], at: int) -> None:
        """Make one of two spans that touch or overlap; where they overlap, numbers are repeated."""
        one, other = spans[at], spans[at + 1]
        if other.first == one.last + 1:
            spans[at : at + 2] = [one.followed_by(other)]
            return
        self.repeated += min(one.last, other.last) - other.first + 1
        longer = one if one.last >= other.last else other
        steps = one.steps + (other.steps if longer is other else 0)
        spans[at : at + 2] = [Span(one.first, longer.last, one.first_us, longer.last_us, steps)]


def _figures(stream: _Stream) -> tuple[int, int, int]:
    missing, steps = stream.closed_missing, 0
    before: Span | None = None
    for span in stream.spans:
        steps += span.steps
        if before is not None:
            missing += span.first - before.last - 1
            steps += span.first_us < before.last_us - STEP_US
        before = span
    return max(missing - stream.dropped, 0), steps, max(stream.opened, 0)
