"""Where telemetry is read from: which files a place stands for, and their lines in order, within bounded memory.

A place is a segment, a telemetry folder, or one file of events (a live or rotated one, or one taken away). What a line
says is for others; here a line is bytes. Nothing here writes, or makes a folder.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..domain.errors import CtxError, NotFoundError
from ..domain.source_files import display_path
from .event_log import EVENTS_FILE, event_files
from .regular_file import open_regular
from .segment import find_segment
from .state_folder import CTX_FOLDER, cache_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

LINE_BYTES_MAX = 4 << 20
"""Four times what a writer writes at most: what is longer is no event and is not held in memory."""
READ_BYTES = 1 << 17
"""What is read at once: with what is made of it, it fits into a processor's cache."""
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


Batch = list[bytes | LongLine]
Identity = tuple[int, int]
"""Device and number of a file."""


def default_places(places: Sequence[str], segment: str | None) -> tuple[str, ...]:
    """Return the places given, else the one where the telemetry of `segment` lies (None: the one around here).

    Raises: UsageError, CtxError as `find_segment` does.
    """
    if places:
        return tuple(places)
    found = find_segment(os.environ.get("CTX_SEGMENT") or None if segment is None else segment)
    # Of a segment that cannot be written; asked second, since it may have been once.
    elsewhere = os.path.join(cache_folder(found), "telemetry")
    is_there = event_paths(os.path.join(found, CTX_FOLDER, "telemetry")) or not event_paths(elsewhere)
    return (found if is_there else elsewhere,)


def event_paths(folder: str) -> tuple[str, ...]:
    """Return the event files that a telemetry folder really has, oldest first; links and other things are none."""
    return tuple(path for path in event_files(folder) if os.path.isfile(path) and not os.path.islink(path))


def source_of(place: str) -> EventSource:
    """Return the event files of a segment, a telemetry folder or a file.

    Raises: NotFoundError when there is nothing of that name, or no event file in it; CtxError when it cannot be read.
    """
    shown = display_path(os.fsencode(place))
    path = os.path.abspath(place)
    if os.path.isfile(path):
        path = os.path.realpath(path)  # a link somebody names is meant; those in a folder are not followed
        return _readable(shown, EventSource(os.path.dirname(path), (path,)))
    if os.path.exists(path) and not os.path.isdir(path):
        raise CtxError(f"{shown}: is neither a directory nor a regular file; write it to a file first")
    if not os.path.isdir(path):
        raise NotFoundError(f"{shown}: does not exist; give a segment, a telemetry folder or an events file")
    for folder in (os.path.join(path, CTX_FOLDER, "telemetry"), path):
        if found := event_paths(folder):
            return _readable(shown, EventSource(folder, found))
    raise NotFoundError(
        f"{shown}: no {EVENTS_FILE} in it or in its {CTX_FOLDER}/telemetry; run a ctx command there first"
    )


def _readable(shown: str, source: EventSource) -> EventSource:
    for path in source.paths:
        try:
            os.close(open_regular(path, os.O_RDONLY))
        except FileNotFoundError:
            continue  # retention, just now
        except OSError as error:
            name = display_path(os.fsencode(os.path.basename(path)))
            raise CtxError(f"{shown}: {name} cannot be read ({error.strerror}); check its permissions") from error
    return source


def sources_below(folder: str) -> tuple[EventSource, ...]:
    """Return the event files of every segment in a folder and below it, by path; links are not followed.

    Raises: NotFoundError when the folder is none or no segment in it has events.
    """
    shown = display_path(os.fsencode(folder))
    if not os.path.isdir(folder):
        raise NotFoundError(f"{shown}: is not a directory; give one that has segments below it")
    found = [source_of(telemetry) for telemetry in telemetry_folders(folder) if telemetry and event_paths(telemetry)]
    if not found:
        raise NotFoundError(f"{shown}: no segment below it has telemetry; run a ctx command in one first")
    return tuple(found)


def telemetry_folders(folder: str) -> Iterator[str]:
    """Yield for a folder and each one below it where its telemetry would be, "" where none is; links stay links."""
    for path, names, _files in os.walk(os.path.abspath(folder)):
        yield os.path.join(path, CTX_FOLDER, "telemetry") if CTX_FOLDER in names else ""
        names[:] = sorted(name for name in names if name not in _SKIPPED_FOLDERS and name != CTX_FOLDER)


def sources_of(places: Sequence[str], *, is_recursive: bool = False) -> tuple[EventSource, ...]:
    """Return the sources of all places in their order, each telemetry folder or file once, also under two names.

    Raises: NotFoundError for a place without events.
    """
    sources: dict[tuple[str, ...], EventSource] = {}
    for place in places:
        for source in sources_below(place) if is_recursive else (source_of(place),):
            sources.setdefault(tuple(map(os.path.realpath, source.paths)), source)
    return tuple(sources.values())


def segment_of(source: EventSource) -> str | None:
    """Return the segment whose telemetry folder a source is of; None for files that were taken elsewhere."""
    folder, name = os.path.split(source.directory)
    segment, ctx_folder = os.path.split(folder)
    return segment if (ctx_folder, name) == (CTX_FOLDER, "telemetry") else None


def identity_of(path: str) -> Identity | None:
    """Return what a file is known by whatever its name will be; None when there is none."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def opened(path: str, identity: Identity | None) -> int | None:
    """Open an event file, also when rotation has given it another name since; None when retention removed it.

    What was no file when its identity was asked for is none.
    """
    if identity is None:
        return None
    for name in (path, *event_files(os.path.dirname(path))):
        try:
            fd = open_regular(name, os.O_RDONLY)
        except OSError:
            continue
        found = os.fstat(fd)
        if (found.st_dev, found.st_ino) == identity:
            return fd
        os.close(fd)
    return None


def lines_of(path: str, start: int = 0, end: int | None = None) -> Iterator[bytes | LongLine]:
    """Yield the lines of a file as `lines_in` does.

    A file that is gone, no regular file or a link yields nothing: retention may remove it at any time.
    """
    yield from lines_of_file(path, identity_of(path), start, end)


def lines_of_file(
    path: str, identity: Identity | None, start: int = 0, end: int | None = None
) -> Iterator[bytes | LongLine]:
    """Yield the lines of the file that had this name and identity, as `lines_of` does."""
    fd = opened(path, identity)
    if fd is not None:
        with open(fd, "rb", buffering=READ_BYTES) as file:
            yield from lines_in(file, start, end)


def lines_in(file: BinaryIO, start: int = 0, end: int | None = None) -> Iterator[bytes | LongLine]:
    """Yield the lines that `batches_in` gives one by one, without white space around them, empty ones left out."""
    for batch, _size in batches_in(file, start, end):
        for line in batch:
            if isinstance(line, LongLine):
                yield line
            elif stripped := line.strip():
                yield stripped


def batches_in(file: BinaryIO, start: int = 0, end: int | None = None) -> Iterator[tuple[Batch, int]]:
    """Yield the lines of a file that begin at bytes `start` to `end`, many at a time, and how many bytes they took.

    A line that begins before `end` is read whole. A `start` within a line begins with the next one, so that ranges side
    by side give every line once. Lines have no newline and are not empty.
    """
    at = _line_begin(file, start, end) if start else 0
    rest = b""  # what was read of the line that begins at `at`
    while end is None or at < end:
        block = file.read(READ_BYTES) or b""  # a device that has nothing just now gives None
        data = rest + block
        if not block:
            yield [data] if data else [], len(data)
            return
        lines = data.split(b"\n")
        rest = lines.pop()
        size = len(data) - len(rest)
        if end is not None and at + size > end:
            size = _cut(lines, end - at)
        batch: Batch = list(filter(None, lines))  # a billion empty ones take seconds
        if batch and len(lines[0]) > LINE_BYTES_MAX:  # only this one may have begun before the block
            batch[0] = LongLine(len(lines[0]) + 1)
        if len(rest) > LINE_BYTES_MAX and (end is None or at + size < end):
            long = LongLine(len(rest) + pass_rest_of_line(file, None))
            batch.append(long)
            size += long.size_bytes
            rest = b""
        yield batch, size
        at += size


def _cut(lines: list[bytes], size_max: int) -> int:
    """Leave only lines that begin within `size_max` bytes and return the size of those."""
    size = 0
    for number, line in enumerate(lines):
        if size >= size_max:
            del lines[number:]
            break
        size += len(line) + 1
    return size


def _line_begin(file: BinaryIO, start: int, end: int | None) -> int:
    """Go to the first line that begins at `start` or later and return where that is; past `end`, it may be anywhere."""
    file.seek(start - 1)
    return start - 1 + pass_rest_of_line(file, end)


def pass_rest_of_line(file: BinaryIO, end: int | None) -> int:
    """Go behind the next newline, or to a place at or behind `end`, and return how far that was."""
    began = file.tell()
    while end is None or file.tell() < end:
        part = file.readline(READ_BYTES)
        if not part or part[-1:] == b"\n":
            break
        # A hole of a sparse file holds no newline: 100 GB of it are one step.
        file.seek(_next_data(file.fileno(), file.tell()))
    return file.tell() - began


def _next_data(fd: int, at: int) -> int:
    """Return where the next bytes outside of a hole begin, at `at` or later; the file's end when there are none."""
    before = os.lseek(fd, 0, os.SEEK_CUR)
    try:
        return os.lseek(fd, at, os.SEEK_DATA)
    except OSError as error:
        return os.fstat(fd).st_size if error.errno == errno.ENXIO else at
    finally:
        os.lseek(fd, before, os.SEEK_SET)
