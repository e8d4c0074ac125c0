"""The lock that makes one process the host of a segment, and the way to see who holds it without touching it.

An open file description's lock (`F_OFD_SETLK`): like `flock`'s it ends with the last process that has the descriptor,
but it can also be asked about. To find out with `flock` whether a host runs means to take the lock for a moment, and a
host that starts in that moment would believe there is another one.

The first byte's lock is that of the host. Whoever has it writes its process id and then takes the others, too: until
then the id is that of a host before it, and may be any process's by now.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct

from ...domain.errors import CtxError

_FLOCK = struct.Struct("@hhqqi0q")  # struct flock: type, whence, start, length, pid
_HOST, _WRITTEN = (0, 1), (1, 0)
"""Where a lock begins and how many bytes it is of, 0 for all that may ever follow."""
_PID_BYTES_MAX = 32


class HostRunsError(CtxError):
    """Another process is this segment's host."""


class HostLock:
    """A lock that this process holds; its file's first line is the process's id."""

    def __init__(self, path: str) -> None:
        """Take the lock.

        Raises: HostRunsError when somebody has it; CtxError when it cannot be taken.
        """
        self._path = path
        while True:
            self.fd = _opened(path)
            try:
                fcntl.fcntl(self.fd, fcntl.F_OFD_SETLK, _lock_of(_HOST))
                if _is_file(self.fd, path):
                    os.ftruncate(self.fd, 0)
                    os.pwrite(self.fd, b"%d\n" % os.getpid(), 0)
                    fcntl.fcntl(self.fd, fcntl.F_OFD_SETLK, _lock_of(_WRITTEN))
                    return
            except OSError as error:
                os.close(self.fd)
                if error.errno in {errno.EAGAIN, errno.EACCES}:
                    raise HostRunsError("this segment has a warm host already") from None
                raise CtxError(f"{path} cannot be locked or written ({error.strerror})") from error
            os.close(self.fd)  # the one before us removed it between our opening and our locking

    def release(self) -> None:
        """Remove the file, unless it is another host's by now, and let the lock go."""
        with contextlib.suppress(OSError):
            if _is_file(self.fd, self._path):
                os.unlink(self._path)
        os.close(self.fd)


def holder_of(path: str) -> int | None:
    """Return the id of the process that holds the lock, None when nobody does; 0 when it has not yet said who it is."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not _is_locked(fd, _HOST):
            return None
        if not _is_locked(fd, _WRITTEN):
            return 0
        digits = os.pread(fd, _PID_BYTES_MAX, 0).strip()
        return int(digits) if digits.isdigit() else 0
    finally:
        os.close(fd)


def _lock_of(part: tuple[int, int]) -> bytes:
    return _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, *part, 0)


def _is_locked(fd: int, part: tuple[int, int]) -> bool:
    found = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, _lock_of(part))
    return bool(_FLOCK.unpack(found)[0] != fcntl.F_UNLCK)


def _opened(path: str) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        what = "is a link" if error.errno == errno.ELOOP else f"cannot be opened ({error.strerror})"
        raise CtxError(f"{path} {what}; remove it, or set XDG_RUNTIME_DIR to another folder") from error


def _is_file(fd: int, path: str) -> bool:
    ours = os.fstat(fd)
    try:
        there = os.stat(path)
    except OSError:
        return False
    return (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino)
