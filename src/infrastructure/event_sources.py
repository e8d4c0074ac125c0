"""Where telemetry is read from: which files a place stands for, and their lines in order, within bounded memory.

A place is a segment, a telemetry folder, or one file of events (a live or rotated one, or one taken away). What a line
says is for others; here a line is bytes.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..domain.errors import NotFoundError
from ..domain.source_files import display_path
from .event_log import EVENTS_FILE, event_files
from .event_sink import rotated_numbers
from .regular_file import open_regular
from .state_folder import CTX_FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LINE_BYTES_MAX = 4 << 20
"""Four times what a writer writes at most: what is longer is no event and is not held in memory."""
_READ_BYTES = 1 << 20
# Never descended into when folders are searched: nothing of theirs is a segment of the user's.
_SKIPPED_FOLDERS = frozenset({".git", "node_modules", ".venv", "venv", "__pycache__", ".cache"})


@dataclass(frozen=True, slots=True)
class EventSource:
    """The event files of one place, oldest first, the live one last; `directory` is the telemetry folder, absolute."""

    directory: str
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LongLine:
    """What stands for a line of more than LINE_BYTES_MAX bytes: its length."""

    size_bytes: int


def source_of(place: str) -> EventSource:
    """Return the event files of a segment, a telemetry folder or a file.

    Raises: NotFoundError when there is nothing of that name, or no event file in it.
    """
    shown = display_path(os.fsencode(place))
    path = os.path.abspath(place)
    if os.path.isfile(path):
        return EventSource(os.path.dirname(path), (path,))
    if not os.path.isdir(path):
        raise NotFoundError(f"{shown}: does not exist; give a segment, a telemetry folder or an events file")
    for folder in (os.path.join(path, CTX_FOLDER, "telemetry"), path):
        found = tuple(each for each in event_files(folder) if os.path.isfile(each))
        if found:
            return EventSource(folder, found)
    raise NotFoundError(
        f"{shown}: no {EVENTS_FILE} in it or in its {CTX_FOLDER}/telemetry; run a ctx command there first"
    )


def sources_below(folder: str) -> tuple[EventSource, ...]:
    """Return the event files of every segment in a folder and below it, by path; links are not followed.

    Raises: NotFoundError when the folder is none or no segment in it has events.
    """
    shown = display_path(os.fsencode(folder))
    if not os.path.isdir(folder):
        raise NotFoundError(f"{shown}: is not a directory; give one that has segments below it")
    found = []
    for path, names, _files in os.walk(os.path.abspath(folder)):
        if CTX_FOLDER in names:
            telemetry = os.path.join(path, CTX_FOLDER, "telemetry")
            live = os.path.join(telemetry, EVENTS_FILE)
            if os.path.isfile(live) or rotated_numbers(live):
                found.append(source_of(telemetry))
        names[:] = sorted(name for name in names if name not in _SKIPPED_FOLDERS and name != CTX_FOLDER)
    if not found:
        raise NotFoundError(f"{shown}: no segment below it has telemetry; run a ctx command in one first")
    return tuple(found)


def sources_of(places: Sequence[str], *, is_recursive: bool = False) -> tuple[EventSource, ...]:
    """Return the sources of all places in their order, each telemetry folder or file once.

    Raises: NotFoundError for a place without events.
    """
    sources: dict[tuple[str, ...], EventSource] = {}
    for place in places:
        for source in sources_below(place) if is_recursive else (source_of(place),):
            sources.setdefault(source.paths, source)
    return tuple(sources.values())


def lines_of(path: str, start: int = 0, end: int | None = None) -> Iterator[bytes | LongLine]:
    """Yield the non-empty lines of a file that begin at bytes `start` to `end`, without their newlines.

    A line that begins before `end` is read whole. `start` must be where a line begins, or in a line that is skipped.
    A file that is gone, no regular file or a link yields nothing: retention may remove it at any time.
    """
    try:
        fd = open_regular(path, os.O_RDONLY)
    except OSError:
        return
    with open(fd, "rb", buffering=0) as file:
        at = start  # of the first byte of `rest`
        if start:
            file.seek(start - 1)
            at = start - 1
        rest = b""
        skipped = 0  # bytes of a long line that are no longer held
        is_first = bool(start)
        while block := file.read(_READ_BYTES):
            lines = (rest + block).split(b"\n")
            rest = lines.pop()
            for line in lines:
                size, begins = skipped + len(line), at
                at += size + 1
                skipped = 0
                if is_first:
                    is_first = False
                    continue
                if end is not None and begins >= end:
                    return
                if size > LINE_BYTES_MAX:
                    yield LongLine(size)
                elif line := line.strip():
                    yield line
            if skipped or len(rest) > LINE_BYTES_MAX:
                skipped += len(rest)
                rest = b""
        if rest or skipped:
            if is_first or (end is not None and at >= end):
                return
            size = skipped + len(rest)
            if size > LINE_BYTES_MAX:
                yield LongLine(size)
            elif rest := rest.strip():
                yield rest
