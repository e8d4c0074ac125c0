"""`ctx telemetry tail`: the latest events, one line each, and those that come."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...domain.errors import NotFoundError
from ...domain.telemetry.moments import moment_us
from ...domain.telemetry.one_line import (
    duration_text,
    fact_texts,
    name_text,
    segment_text,
    time_text,
    trouble_text,
)
from ..clock import SystemClock
from ..event_sources import EventSource, default_places, source_of, sources_of
from ..event_tail import Follower, Waker, last_lines
from ..new_segments import NewSegments
from ..outgoing_events import OutgoingRedaction, decoded
from ..services import say
from ..state_folder import CTX_FOLDER
from .paint import Painter
from .runner import EXIT_OK, reading, write_to_end

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMAND = "telemetry tail"
_RUN = "run_"


@dataclass(frozen=True, slots=True)
class TailOptions:
    """What `ctx telemetry tail` was asked for."""

    places: tuple[str, ...]
    lines: int
    follow: bool
    cmd: str
    run: str
    recursive: bool


def run_tail(options: TailOptions, *, segment: str | None, as_json: bool) -> int:
    """`ctx telemetry tail`: show the last events, and with `follow` those that come until it is interrupted."""

    def write() -> int:
        _Tail(options, segment, as_json=as_json).run()
        return EXIT_OK

    return write_to_end(COMMAND, write, interrupted="")


class _Tail:
    """One run of the command."""

    def __init__(self, options: TailOptions, segment: str | None, *, as_json: bool) -> None:
        self._options = options
        self._as_json = as_json
        places = default_places(options.places, segment)
        with reading():
            self._sources = list(_sources(options, places))
        self._new = NewSegments(places, self._sources, SystemClock()) if options.recursive else None
        self._redactions = [OutgoingRedaction(source.directory) for source in self._sources]
        self._painter = Painter(sys.stdout)

    def run(self) -> None:
        """Show what is there, then what comes."""
        count = self._options.lines
        with reading():
            followers = [Follower(source) for source in self._sources] if self._options.follow else []
            last = [
                (line, number)
                for number, source in enumerate(self._sources)
                # A follower shows what is behind the place where it began.
                for line in last_lines(source, count, self._is_wanted, end=followers[number].at if followers else None)
            ]
        self._show(last, count)
        if self._options.follow:
            self._follow(followers)

    def _follow(self, followers: list[Follower]) -> None:
        waker = Waker(follower.directory for follower in followers)
        closed_fd = _fd_of_output()
        try:
            while waker.wait(closed_fd=closed_fd):
                with reading():
                    new = [] if self._new is None else self._new.look()
                    waker.add(source.directory for source in new)
                    followers += [Follower(source, is_new=True) for source in new]
                    self._sources += new
                    self._redactions += [OutgoingRedaction(source.directory) for source in new]
                    lines = [(line, number) for number, each in enumerate(followers) for line in each.new_lines()]
                self._show(lines)
        finally:
            waker.close()
            for follower in followers:
                follower.close()
        raise BrokenPipeError

    def _is_wanted(self, line: bytes) -> bool:
        return self._wanted(line) is not None

    def _wanted(self, line: bytes) -> tuple[int, dict[str, Any]] | None:
        """Return the moment and the event of a line; None for what is none, or was not asked for."""
        event = decoded(line)
        if event is None:
            return None
        moment, cmd, run_id = moment_us(event.get("ts")), event.get("cmd"), event.get("run_id")
        if moment is None or not isinstance(cmd, str) or not isinstance(run_id, str):
            return None
        wanted = self._options.run
        is_asked = cmd.startswith(self._options.cmd) and run_id.startswith((wanted, _RUN + wanted))
        return (moment, event) if is_asked else None

    def _show(self, lines: list[tuple[bytes, int]], count: int | None = None) -> None:
        """Write lines of all sources by their moments, with `count` the last so many."""
        found = [(*wanted, line, number) for line, number in lines if (wanted := self._wanted(line)) is not None]
        found.sort(key=lambda each: each[0])
        if count is not None:
            found = found[max(0, len(found) - count) :]
        if not found:
            return
        out = sys.stdout.buffer
        for _moment, event, line, number in found:
            if self._as_json:
                out.write(line + b"\n")
            elif text := self._text(event, number):
                out.write(text.encode("utf-8", "backslashreplace") + b"\n")
        out.flush()

    def _text(self, event: dict[str, Any], number: int) -> str:
        record = self._redactions[number].record(event)
        if record is None:
            return ""
        paint = self._painter
        parts = [
            paint("quiet", time_text(record)),
            paint("name", name_text(record)),
            paint("number", duration_text(record)),
        ]
        if len(self._sources) > 1:
            parts.append(paint("path", f"{segment_text(record)}:"))
        facts = fact_texts(record)
        if facts:
            parts.append(paint.safe(", ".join(facts)))
        trouble = trouble_text(record)
        if trouble:
            parts.append(paint("bad", trouble))
        return "  ".join(parts).rstrip()


def _sources(options: TailOptions, places: Sequence[str]) -> tuple[EventSource, ...]:
    """Return where events are, and when they are to be followed, where they will be.

    Raises: NotFoundError, CtxError, UsageError.
    """
    if not options.follow:
        return sources_of(places, is_recursive=options.recursive)
    if options.recursive:
        return _followed_below(places)
    sources: dict[str, EventSource] = {}
    for place in places:
        try:
            source = source_of(place)
        except NotFoundError:
            if not os.path.isdir(place):
                raise
            source = EventSource(os.path.join(os.path.abspath(place), CTX_FOLDER, "telemetry"), ())
            say("no event yet; waiting for the first one")
        sources.setdefault(source.paths[-1] if source.paths else source.directory, source)
    return tuple(sources.values())


def _followed_below(places: Sequence[str]) -> tuple[EventSource, ...]:
    try:
        return sources_of(places, is_recursive=True)
    except NotFoundError:
        if not all(map(os.path.isdir, places)):
            raise
    found: dict[str, EventSource] = {}
    for place in places:
        with contextlib.suppress(NotFoundError):
            found |= {source.directory: source for source in sources_of((place,), is_recursive=True)}
    if not found:
        say("no event yet; waiting for the first one")
    return tuple(found.values())


def _fd_of_output() -> int:
    try:
        return sys.stdout.fileno()
    except (OSError, ValueError):  # no file of the system's: nobody can close it
        return -1
