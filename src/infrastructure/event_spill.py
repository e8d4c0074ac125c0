"""Critical event lines that could not be written to their segment, kept in the user's state directory until they can.

One file per run, `<state>/telemetry-spill/<segment_id>-<run_id>.jsonl`, readable by its user only; `….2.jsonl` and so
on for what the run spills while another takes up the one before. A lock on the file decides who takes it up; it is
removed after its lines are durable. A run that dies between the two leaves both, so whoever takes up a file leaves out
the lines the segment already has.
"""

from __future__ import annotations

import contextlib
import errno
import os
from fcntl import LOCK_EX, LOCK_NB, flock
from typing import TYPE_CHECKING

from .event_log import EventReader
from .event_sink import EventSink, SyncFailedError
from .regular_file import open_regular, read_all
from .state_folder import spill_dir

if TYPE_CHECKING:
    from collections.abc import Iterable

_FILE_MODE = 0o600
# A segment that can never be written must not fill the user's disk, one small file per command.
_FILES_PER_SEGMENT_MAX = 256


def spill_lines(segment_id: str, run_id: str, lines: Iterable[bytes]) -> None:
    """Append lines to the run's spill file, durably.

    Raises:
        OSError: none of them could be kept.
    """
    directory = spill_dir()
    os.makedirs(directory, mode=0o700, exist_ok=True)
    name = f"{segment_id}-{''.join(char if char.isalnum() or char in '._-' else '_' for char in run_id)}"
    others = [
        other for other in os.listdir(directory) if other.startswith(f"{segment_id}-") and other != f"{name}.jsonl"
    ]
    if len(others) >= _FILES_PER_SEGMENT_MAX:
        raise OSError(errno.EDQUOT, "too many spilled runs of this segment", directory)
    number = 1
    while True:
        path = os.path.join(directory, f"{name}.jsonl" if number == 1 else f"{name}.{number}.jsonl")
        fd = open_regular(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, _FILE_MODE)
        try:
            flock(fd, LOCK_EX | LOCK_NB)
            status = os.fstat(fd)
            if status.st_nlink == 0:
                continue  # taken up and removed between our open and our lock
            data = b"".join(lines)
            if os.write(fd, data) != len(data):
                os.ftruncate(fd, status.st_size)  # the next line would go on where this one was cut
                message = "only a part of the spilled events could be written"
                raise OSError(message)
            os.fsync(fd)
        except BlockingIOError:
            number += 1  # another run is taking it up, and may have been stopped at that
            continue
        finally:
            os.close(fd)
        return


def take_up(segment_id: str, sink: EventSink, events_dir: str) -> int:
    """Move every spilled line of the segment into `sink`, whose lock the caller holds, and return how many.

    A file another run is taking up, or one that is no file of this user, is left alone.

    Raises:
        OSError: the segment cannot be written; files not yet finished stay.
    """
    directory = spill_dir()
    try:
        names = sorted(name for name in os.listdir(directory) if name.startswith(f"{segment_id}-"))
    except OSError:
        return 0
    moved = 0
    for name in names:
        path = os.path.join(directory, name)
        try:
            fd = open_regular(path, os.O_RDONLY)
        except OSError:
            continue
        try:
            flock(fd, LOCK_EX | LOCK_NB)
            status = os.fstat(fd)
            if status.st_nlink and status.st_uid == os.geteuid():
                moved += _move_lines(fd, sink, events_dir)
                os.unlink(path)
        except BlockingIOError:
            continue
        finally:
            os.close(fd)
    return moved


def _move_lines(fd: int, sink: EventSink, events_dir: str) -> int:
    # A line without its newline was cut by a full disk; it was never promised.
    lines = [line for line in read_all(fd).splitlines(keepends=True) if line.endswith(b"\n")]
    present = {line.strip() for line in lines}.intersection(EventReader(events_dir).lines())
    moved = 0
    for line in lines:
        if line.strip() not in present:
            with contextlib.suppress(SyncFailedError):
                sink.append_locked(line, durable=True)
            moved += 1
    return moved
