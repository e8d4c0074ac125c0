"""Opening a file at a place others can write to: never through a link, never blocking, only a regular file."""

from __future__ import annotations

import errno
import os
import stat


def open_regular(path: str, flags: int, mode: int = 0o644) -> int:
    """Open `path` and return the descriptor; O_CLOEXEC, O_NOFOLLOW and O_NONBLOCK are added to `flags`.

    O_NONBLOCK because opening a FIFO somebody put there would otherwise wait for a reader for ever.

    Raises:
        OSError: the file cannot be opened, or it is a link, a directory, a FIFO or a device.
    """
    fd = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, mode)
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    raise OSError(errno.EINVAL, "not a regular file", path)


def read_all(fd: int) -> bytes:
    """Return everything from the descriptor's position to the end of the file."""
    chunks = []
    while chunk := os.read(fd, 1 << 20):
        chunks.append(chunk)
    return b"".join(chunks)


def replace_file(path: str, data: bytes) -> None:
    """Replace `path` whole: readers see the old content or the new, never a part.

    The temporary name is fixed, so a killed process leaves one file and not one per kill; the caller holds a lock.

    Raises:
        OSError: nothing was replaced.
    """
    temporary = path + ".tmp"
    # Unlinked first: O_EXCL then makes a new file, whatever was put there.
    try:
        fd = open_regular(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    except FileExistsError:
        os.unlink(temporary)
        fd = open_regular(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
    finally:
        os.close(fd)
    os.replace(temporary, path)
