"""Removing what telemetry recorded, beside commands that go on writing it: none of their lines is lost.

Everything is removed under the lock that its writers take: event files under the sink's, the counters under theirs, a
spilled run under its own. Links are never followed and never removed: a repository can ship them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from dataclasses import dataclass, field
from fcntl import LOCK_EX, LOCK_NB, flock
from typing import TYPE_CHECKING

from ..domain.errors import CtxError, NotFoundError, UsageError
from ..domain.source_files import display_path
from ..domain.telemetry.moments import moment_us
from ..domain.telemetry.records import record_of
from ..domain.telemetry.redaction import short_hash
from .event_log import EVENTS_FILE
from .event_sink import KEEP_ROTATED, rotated_numbers, rotated_path
from .event_sources import event_paths, lines_of, sources_below
from .metrics_file import LAST_RUN_FILE, METRICS_FILE, metrics_lock
from .outgoing_events import decoded
from .regular_file import open_regular
from .segment import find_segment
from .state_folder import CTX_FOLDER, cache_folder, spill_dir

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

TELEMETRY_FOLDER = "telemetry"
LOCK_PATIENCE_MS = 10_000
_NAP_S = 0.002
# A writer looks whether the file is still the one of its name only after this long (see `event_sink`), so a lock that
# is held for longer makes each of them look before its next line.
_LOOK_SERVES_S = 0.001
_TAIL_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class PrunePlan:
    """What is to go: of rotated files those that are not among the newest `keep` and end before `before_us`; or all."""

    keep: int = KEEP_ROTATED
    before_us: int | None = None
    is_all: bool = False
    is_dry: bool = False


@dataclass(frozen=True, slots=True)
class TelemetryFolder:
    """A telemetry folder, and the segment it is of where that is known."""

    directory: str
    segment: str | None


@dataclass(slots=True)
class Pruned:
    """What was removed (or would be): path and bytes; and what was left, with the reason."""

    removed: list[tuple[str, int]] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)

    @property
    def size_bytes(self) -> int:
        """How many bytes were removed."""
        return sum(size for _path, size in self.removed)


def folders_of(places: Sequence[str], segment: str | None, *, is_recursive: bool) -> tuple[TelemetryFolder, ...]:
    """Return the telemetry folders of places, of the segment when none is given; those that are not there are left out.

    Raises: NotFoundError for a place that does not exist; UsageError for a file, and for a folder whose files only have
    the names of ctx's; CtxError for a link.
    """
    if not places:
        found = find_segment(os.environ.get("CTX_SEGMENT") or None if segment is None else segment)
        if not is_recursive:
            elsewhere = os.path.join(cache_folder(found), TELEMETRY_FOLDER)
            own = os.path.join(found, CTX_FOLDER, TELEMETRY_FOLDER)
            return _real(TelemetryFolder(each, found) for each in (own, elsewhere))
        places = (found,)
    folders: dict[str, TelemetryFolder] = {}
    for place in places:
        for folder in _below(place) if is_recursive else _of_place(place):
            folders.setdefault(folder.directory, folder)
    return tuple(folders.values())


def prune(folder: TelemetryFolder, plan: PrunePlan, pruned: Pruned) -> None:
    """Remove what the plan says from one folder and add it to `pruned`.

    Raises: CtxError when writers do not let go of the lock, or the folder cannot be written.
    """
    live = os.path.join(folder.directory, EVENTS_FILE)
    with _sink_lock(live, is_dry=plan.is_dry):
        numbers = rotated_numbers(live)
        rotated = [rotated_path(live, number) for number in numbers]
        if not plan.is_all:
            rotated = rotated[: max(0, len(rotated) - plan.keep)]
        for path in rotated:
            if plan.before_us is None or plan.is_all or _ends_before(path, plan.before_us):
                _remove(path, plan, pruned)
        if plan.is_all:
            _remove(live, plan, pruned)
    if plan.is_all:
        with _counters_lock(folder.directory, is_dry=plan.is_dry):
            for name in _summaries(folder.directory):
                _remove(os.path.join(folder.directory, name), plan, pruned)
        if folder.segment is not None:
            _remove_spilled(short_hash(os.path.realpath(folder.segment)), plan, pruned)


# Places.


def _of_place(place: str) -> tuple[TelemetryFolder, ...]:
    shown = display_path(os.fsencode(place))
    path = os.path.abspath(place)
    if os.path.isfile(path):
        raise UsageError(f"{shown}: is a file; give a segment or a telemetry folder, or remove the file yourself")
    if not os.path.isdir(path):
        raise NotFoundError(f"{shown}: does not exist; give a segment or a telemetry folder")
    own = os.path.join(path, CTX_FOLDER, TELEMETRY_FOLDER)
    if os.path.lexists(own):
        return _real([TelemetryFolder(own, path)])
    live = os.path.join(path, EVENTS_FILE)
    if not os.path.lexists(live) and not rotated_numbers(live):
        return ()
    above, name = os.path.split(os.path.dirname(path))
    if os.path.basename(path) == TELEMETRY_FOLDER and name == CTX_FOLDER:
        return _real([TelemetryFolder(path, above)])
    for each in event_paths(path):
        if _is_foreign(each):
            file = display_path(os.fsencode(os.path.basename(each)))
            raise UsageError(f"{shown}: {file} is not of ctx's telemetry; nothing in that folder is removed")
    return _real([TelemetryFolder(path, None)])


def _is_foreign(path: str) -> bool:
    """Tell whether a file of another folder than `_ctx/telemetry` begins with anything else than an event of ctx's."""
    for line in lines_of(path):
        event = decoded(line) if isinstance(line, bytes) else None
        return event is None or record_of(event) is None
    return False


def _below(place: str) -> tuple[TelemetryFolder, ...]:
    try:
        sources = sources_below(place)
    except NotFoundError:
        if not os.path.isdir(place):
            raise
        return ()
    return tuple(folder for source in sources for folder in _of_place(source.directory))


def _real(folders: Iterator[TelemetryFolder] | list[TelemetryFolder]) -> tuple[TelemetryFolder, ...]:
    """Return the folders that are there.

    Raises: CtxError for one that is a link, or in a `_ctx` that is: what lies behind it may be anybody's.
    """
    there = []
    for folder in folders:
        for path in (os.path.dirname(folder.directory), folder.directory):
            if os.path.islink(path) and (path == folder.directory or os.path.basename(path) == CTX_FOLDER):
                raise CtxError(f"{display_path(os.fsencode(path))}: is a link; nothing behind it is removed")
        if os.path.isdir(folder.directory):
            there.append(folder)
    return tuple(there)


# Files.


def _remove(path: str, plan: PrunePlan, pruned: Pruned) -> None:
    try:
        found = os.lstat(path)
        if not stat.S_ISREG(found.st_mode):
            what = "is a link" if stat.S_ISLNK(found.st_mode) else "is no regular file"
            pruned.left.append((path, what))
            return
        if not plan.is_dry:
            os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        pruned.left.append((path, error.strerror or str(error)))
    else:
        pruned.removed.append((path, found.st_size))


def _ends_before(path: str, moment: int) -> bool:
    """Tell whether a file's last event was before a moment; one without events ends when it was last written."""
    try:
        fd = open_regular(path, os.O_RDONLY)
    except OSError:
        return True  # a link, for example: `_remove` says what it is
    with open(fd, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL_BYTES))
        for line in reversed(file.read().splitlines()):
            event = decoded(line)
            ended_us = moment_us(event.get("ts")) if event is not None else None
            if ended_us is not None:
                return ended_us < moment
        return os.fstat(fd).st_mtime_ns // 1000 < moment


def _summaries(directory: str) -> list[str]:
    """Return the names of the counters, the last summary, damaged copies, and what killed processes left of them."""
    known = {METRICS_FILE, LAST_RUN_FILE, f"{METRICS_FILE}.tmp", f"{LAST_RUN_FILE}.tmp"}
    damaged = f"{METRICS_FILE}.damaged-"
    return sorted(name for name in os.listdir(directory) if name in known or name.startswith(damaged))


def _remove_spilled(segment_id: str, plan: PrunePlan, pruned: Pruned) -> None:
    """Remove the events that wait for this segment in the user's state directory; one that is taken up now is left."""
    directory = spill_dir()
    try:
        names = sorted(name for name in os.listdir(directory) if name.startswith(f"{segment_id}-"))
    except OSError:
        return
    for name in names:
        path = os.path.join(directory, name)
        try:
            fd = open_regular(path, os.O_RDONLY)
        except OSError as error:
            pruned.left.append((path, error.strerror or str(error)))
            continue
        try:
            flock(fd, LOCK_EX | LOCK_NB)
            _remove(path, plan, pruned)
        except BlockingIOError:
            pruned.left.append((path, "another ctx is reading it"))
        finally:
            os.close(fd)


# Locks.


@contextlib.contextmanager
def _sink_lock(live: str, *, is_dry: bool) -> Iterator[None]:
    """Hold the exclusive lock of the sink, long enough that every writer looks at the file's name before its next line.

    Raises: CtxError when it cannot be had.
    """
    if is_dry:
        yield
        return
    folder = display_path(os.fsencode(os.path.dirname(live)))
    try:
        fd = open_regular(live + ".lock", os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise CtxError(f"{folder}: cannot be written ({error.strerror}); check its permissions") from error
    try:
        _wait_for(lambda: flock(fd, LOCK_EX | LOCK_NB), folder)
        time.sleep(_LOOK_SERVES_S)
        yield
    finally:
        os.close(fd)


@contextlib.contextmanager
def _counters_lock(directory: str, *, is_dry: bool) -> Iterator[None]:
    if is_dry:
        yield
        return
    try:
        with metrics_lock(directory):
            yield
    except OSError as error:
        folder = display_path(os.fsencode(directory))
        raise CtxError(f"{folder}: the counters cannot be locked ({error.strerror}); try again") from error


def _wait_for(take: Callable[[], object], folder: str) -> None:
    # Asked for again and again, as writers come one after the other; naps are counted, not the clock.
    for _nap in range(int(LOCK_PATIENCE_MS / 1000 / _NAP_S)):
        try:
            take()
        except BlockingIOError:
            time.sleep(_NAP_S)
        except OSError as error:
            if error.errno != errno.EINTR:
                raise CtxError(f"{folder}: cannot be locked ({error.strerror})") from error
        else:
            return
    raise CtxError(f"{folder}: commands write to it without a pause; try again when fewer run")
