"""An append-only file of lines that many processes write at once and that rotates by size.

What it promises (docs/telemetry.md tells it to users, benchmarks/telemetry_sink.py measures it):

* a line `append` returned for is in the file or in a rotated one, whole, once; anything else raised `OSError`;
* one `write` per line, with O_APPEND; a line never continues another's torn tail;
* writers hold a shared lock around "is this still the file, and is there room" and the write; rotation holds the same
  lock file exclusively and looks again before it renames, so nobody ever writes into a file that retention removed;
* rotated names only count up, so none is overwritten and the highest is the newest.

It knows nothing of events: the telemetry and the verification records share it.
"""

from __future__ import annotations

import errno
import os
import time
from _thread import RLock
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN, flock
from os import SEEK_END, lseek, write
from time import perf_counter_ns

from .regular_file import open_regular

TYPE_CHECKING = False  # importing `typing` for it would double what this module costs at start
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROTATE_BYTES = 5_000_000
KEEP_ROTATED = 3
LOCK_PATIENCE_MS = 50

# A kill cuts a write only between two pages, so a long line is cut easily and a short one hardly ever. A writer beside
# it that had already looked at the tail would be glued to the half: long lines are therefore written alone. For short
# ones the lock stays shared, as the case needs a kill and a look within the same microsecond.
_ALONE_BYTES = 4096
# The lock is asked for again after naps that double between these two: dozens of processes asking every half
# millisecond would keep the one that has it from the processor.
_NAP_MS_MIN, _NAP_MS_MAX = 0.5, 4.0
_TOGETHER, _ALONE = LOCK_SH | LOCK_NB, LOCK_EX | LOCK_NB
# How long one look at the name serves a burst of lines. Whoever removes the folder beside a running command races with
# the write after the look in any case; rotation by another process within this time is harmless, as the file it renamed
# is kept until the rotation after the next.
_LOOK_SERVES_NS = 50_000
# macOS has no fdatasync.
_sync_data = getattr(os, "fdatasync", os.fsync)
# After a lock was not to be had, later lines wait this little for a while: a stuck holder must not slow a command down
# by 50 ms per event.
_SHORT_PATIENCE_MS = 2
_SHORT_PATIENCE_FOR_NS = 200_000_000


# Larger than any file.
_NEVER = 1 << 63


class Forks:
    """How many forks lie between this process and the one that imported the module.

    Counted by a hook instead of comparing `os.getpid()`, which would be a system call on every event.
    """

    count = 0

    @classmethod
    def add(cls) -> None:
        """Count one fork; called in the child."""
        cls.count += 1


os.register_at_fork(after_in_child=Forks.add)


class EventSink:
    """One file of lines. Constructing it opens nothing; the first `append` does.

    `make_folder` makes the directory of `path` when it is missing and may raise OSError; `keep_rotated=None` keeps all,
    `rotate_bytes=0` never rotates. `lock` is the one lock for threads: `append_locked` is for a caller that holds it.
    """

    def __init__(
        self,
        path: str,
        *,
        make_folder: Callable[[], object] | None = None,
        rotate_bytes: int = ROTATE_BYTES,
        keep_rotated: int | None = KEEP_ROTATED,
        file_mode: int = 0o644,
    ) -> None:
        self.path = path
        self.lock = RLock()
        self.appended = 0  # lines of ours that are in the file
        self._make_folder = make_folder or self._make_directory
        self._rotate_bytes = rotate_bytes
        self._keep_rotated = keep_rotated
        self._file_mode = file_mode
        self._fd = -1
        self._lock_fd = -1
        self._inode = 0
        self._end = -1  # where our last line ended; elsewhere means somebody else wrote, and the tail must be looked at
        self._rotate_at = rotate_bytes or _NEVER
        self._look_again_ns = 0
        self._impatient_until_ns = 0
        self._forks = Forks.count

    def append(self, line: bytes, *, durable: bool = False) -> None:
        """Append one line, which ends with a newline; `durable` waits until the disk has it.

        Raises:
            OSError: the line is not in the file (TimeoutError: the lock was not to be had within 50 ms).
        """
        if self._forks != Forks.count:
            self._start_anew()
        with self.lock:
            self.append_locked(line, durable=durable)

    def append_locked(self, line: bytes, *, durable: bool = False) -> None:
        """As `append`, for a caller that holds `lock` and has called `after_fork` where it must."""
        if self._fd < 0:
            self._open()
        fd, length = self._fd, len(line)
        alone = length > _ALONE_BYTES
        try:
            flock(self._lock_fd, _ALONE if alone else _TOGETHER)
        except BlockingIOError:
            self._wait_for_lock(alone=alone)
        try:
            if perf_counter_ns() >= self._look_again_ns:
                fd = self._follow_name(alone=alone)
            end = lseek(fd, 0, SEEK_END)
            if end + length > self._rotate_at and end:
                self._rotate(length, alone=alone)
                fd = self._fd
                end = lseek(fd, 0, SEEK_END)
            if end != self._end and end and os.pread(fd, 1, end - 1) != b"\n":
                fd, end = self._end_alone()
                if end and os.pread(fd, 1, end - 1) != b"\n":
                    line = b"\n" + line
                    length += 1
            if write(fd, line) != length:
                raise OSError(errno.ENOSPC, "only a part of a line could be written", self.path)
            self.appended += 1
            self._end = end + length
        except OSError:
            self._end = -1
            self._look_again_ns = 0
            raise
        finally:
            if self._lock_fd >= 0:  # the one there is now: the files may have been opened anew
                flock(self._lock_fd, LOCK_UN)
        if durable:
            # Without the lock: a slow disk must not hold the other writers back.
            self._sync()

    def after_fork(self) -> bool:
        """Forget what belongs to the parent, in a forked child, and tell whether this is one."""
        if self._forks == Forks.count:
            return False
        self._start_anew()
        return True

    def close(self) -> None:
        """Close the files once the line being written is; a later `append` opens them again."""
        if not self.after_fork():
            with self.lock:
                self._close_files()

    def _close_files(self) -> None:
        """Close the files, for who holds `lock`; without it another thread's line would go to a closed file."""
        # Forgotten first: when Ctrl-C meets the closing, the numbers may soon be another file's.
        fds = self._fd, self._lock_fd
        self._fd = self._lock_fd = self._end = -1
        for fd in fds:
            if fd >= 0:
                try:  # noqa: SIM105 - contextlib would cost 4 ms of every start
                    os.close(fd)
                except OSError:
                    pass  # never raises into a caller: a descriptor somebody else closed is closed

    def __del__(self) -> None:
        self._close_files()  # nobody else has it; after a fork its lock may be held for ever

    def _start_anew(self) -> None:
        # The parent's thread may have held the lock at the moment of the fork; nobody here would ever release it.
        self.lock = RLock()
        self._forks = Forks.count
        # Closing our copies does not release the parent's lock: it belongs to the open file both share.
        self._close_files()

    def _make_directory(self) -> None:
        os.makedirs(os.path.dirname(self.path) or ".", exist_ok=True)

    def _sync(self) -> None:
        try:
            _sync_data(self._fd)
        except OSError as error:
            # The line is written. Writing it again because the disk could not confirm it would make it two.
            if error.errno not in {errno.EINVAL, errno.ENOSYS, errno.EROFS}:
                raise SyncFailedError(error.errno, error.strerror, self.path) from error

    def _open(self) -> None:
        """Open the lock file and the file, making the folder once when it is missing."""
        flags = os.O_RDWR | os.O_CREAT
        try:
            self._lock_fd = open_regular(self.path + ".lock", flags, self._file_mode)
        except FileNotFoundError:
            self._make_folder()
            self._lock_fd = open_regular(self.path + ".lock", flags, self._file_mode)
        try:
            self._open_file()
        except OSError:
            self._close_files()
            raise

    def _open_file(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
        self._fd = open_regular(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, self._file_mode)
        found = os.fstat(self._fd)
        self._inode, self._end = found.st_ino, -1
        self._rotate_at = self._rotate_bytes or _NEVER

    def _follow_name(self, *, alone: bool) -> int:
        """Make sure that the open file is the one of our name, under the lock everybody else uses; return it."""
        if self._is_replaced():
            try:
                lock_inode = os.lstat(self.path + ".lock").st_ino
            except FileNotFoundError:
                lock_inode = -1
            if lock_inode == os.fstat(self._lock_fd).st_ino:
                self._open_file()
            else:
                # The folder was removed and perhaps made again: our lock is one nobody else holds.
                self._close_files()
                self._open()
                self._wait_for_lock(alone=alone)
        self._look_again_ns = perf_counter_ns() + _LOOK_SERVES_NS
        return self._fd

    def _end_alone(self) -> tuple[int, int]:
        """Return the file and its end once nobody else writes: a line being written, of two pages, looks torn."""
        self._wait_for_lock(alone=True)
        fd = self._follow_name(alone=True)
        return fd, lseek(fd, 0, SEEK_END)

    def _wait_for_lock(self, *, alone: bool) -> None:
        """Take the lock, or raise TimeoutError after `LOCK_PATIENCE_MS`.

        Polled, because a blocking flock has no deadline without a signal, and signals belong to the program.
        """
        patience_ms = _SHORT_PATIENCE_MS if perf_counter_ns() < self._impatient_until_ns else LOCK_PATIENCE_MS
        for napped_ms in _naps(patience_ms):
            # Half of the time for a lock of our own; then shared will do, as a long line beside others is only glued
            # when a kill hits the few microseconds between a look and a write.
            wanted = _ALONE if alone and napped_ms < patience_ms / 2 else _TOGETHER
            try:
                flock(self._lock_fd, wanted)
            except BlockingIOError:
                continue
            return
        self._impatient_until_ns = perf_counter_ns() + _SHORT_PATIENCE_FOR_NS
        raise TimeoutError(errno.ETIMEDOUT, "another process holds the lock", self.path)

    def _rotate(self, length: int, *, alone: bool) -> None:
        """Rotate, unless another process did or nobody lets us; hold the writer's lock again."""
        # Everybody who finds the file full stops writing and waits here: the shared locks drain and one gets through.
        flock(self._lock_fd, LOCK_UN)
        for _ in _naps(LOCK_PATIENCE_MS):
            try:
                flock(self._lock_fd, _ALONE)
            except BlockingIOError:
                if self._is_replaced():
                    break
            else:
                self._rotate_alone(length)
                break
        # Converts the exclusive lock, which is not atomic: hence the look at the name below.
        flock(self._lock_fd, LOCK_UN)
        self._wait_for_lock(alone=alone)
        if self._is_replaced():
            self._open_file()

    def _is_replaced(self) -> bool:
        try:
            return os.lstat(self.path).st_ino != self._inode
        except FileNotFoundError:
            return True

    def _rotate_alone(self, length: int) -> None:
        """Rename the file and remove what is beyond retention; the exclusive lock is held."""
        size = os.fstat(self._fd).st_size
        if self._is_replaced() or size + length <= self._rotate_bytes:
            return
        try:
            numbers = rotated_numbers(self.path)
            os.rename(self.path, rotated_path(self.path, (numbers[-1] if numbers else 0) + 1))
            if self._keep_rotated is not None:
                for number in numbers[: max(0, len(numbers) + 1 - max(self._keep_rotated, 1))]:
                    os.unlink(rotated_path(self.path, number))
        except OSError:
            # A file that cannot be renamed can still be written; look again when it has grown by another share.
            self._rotate_at = size + self._rotate_bytes
        else:
            self._open_file()


def _naps(patience_ms: float) -> Iterator[float]:
    """Yield how long was napped, first at once, then after each nap, until `patience_ms` were.

    Naps are counted and not the clock: on a machine so loaded that a nap lasts ten times as long, the one who has the
    lock needs ten times as long as well, and giving up would lose what waiting saves.
    """
    napped_ms, nap_ms = 0.0, _NAP_MS_MIN
    yield napped_ms
    while napped_ms < patience_ms:
        time.sleep(nap_ms / 1000)
        napped_ms += nap_ms
        nap_ms = min(nap_ms * 2, _NAP_MS_MAX)
        yield napped_ms


class SyncFailedError(OSError):
    """The line is in the file, but the disk did not confirm it."""


def rotated_path(path: str, number: int) -> str:
    """Return the name `path` gets when it is the `number`-th to be rotated: events.jsonl -> events.7.jsonl."""
    base, extension = os.path.splitext(path)
    return f"{base}.{number}{extension}"


def rotated_numbers(path: str) -> list[int]:
    """Return the numbers of the rotated files of `path`, ascending; empty when the directory is missing."""
    base, extension = os.path.splitext(os.path.basename(path))
    numbers = []
    try:
        names = os.listdir(os.path.dirname(path) or ".")
    except FileNotFoundError:
        return []
    for name in names:
        middle = name[len(base) + 1 : len(name) - len(extension)]
        if name == f"{base}.{middle}{extension}" and middle.isdecimal() and middle.isascii():
            numbers.append(int(middle))
    return sorted(numbers)
