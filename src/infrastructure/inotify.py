"""Inotify: the kernel's queue of file system events on Linux, and which file systems put every change into it.

Owns the three system calls, the form of what they give, and the account of what is in the queue. What an event means is
for the caller. The kernel queues an event before the call that caused it returns, which is what `read` rests on.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
import sys
import termios
from typing import NamedTuple

MODIFY = 0x0000_0002
ATTRIB = 0x0000_0004
CLOSE_WRITE = 0x0000_0008
MOVED_FROM = 0x0000_0040
MOVED_TO = 0x0000_0080
CREATE = 0x0000_0100
DELETE = 0x0000_0200
DELETE_SELF = 0x0000_0400
MOVE_SELF = 0x0000_0800
UNMOUNT = 0x0000_2000
Q_OVERFLOW = 0x0000_4000
IGNORED = 0x0000_8000
ONLYDIR = 0x0100_0000
EXCL_UNLINK = 0x0400_0000
ISDIR = 0x4000_0000

_HEAD = struct.Struct("iIII")
_READ_BYTES = 64 * 1024
_STATFS_BYTES = 512
"""More than any system's `struct statfs`; its first member is the type."""

_LOCAL_FILE_SYSTEMS = {
    0x0000EF53: "ext2, ext3, ext4",
    0x58465342: "xfs",
    0x9123683E: "btrfs",
    0x01021994: "tmpfs",
    0x858458F6: "ramfs",
    0x794C7630: "overlayfs",
    0x2FC12FC1: "zfs",
    0xF2F52010: "f2fs",
    0xCA451A4E: "bcachefs",
    0x3153464A: "jfs",
    0x52654973: "reiserfs",
    0x00004D44: "vfat",
    0x2011BAB0: "exfat",
    0x7366746E: "ntfs3",
}
"""Where whoever writes goes through this kernel; on NFS, SMB, 9p, FUSE and virtiofs another machine writes, too."""


class InotifyEvent(NamedTuple):
    """One event: the number of the watch (-1 with `Q_OVERFLOW`), what happened, and the entry's name or b""."""

    watch: int
    mask: int
    name: bytes


class Inotify:
    """One queue of events; not for use by two threads at once."""

    def __init__(self) -> None:
        """Open the queue.

        Raises: OSError at the system's limit of queues; AttributeError on a system without inotify.
        """
        libc = ctypes.CDLL(None, use_errno=True)
        self._add_watch = libc.inotify_add_watch
        self._add_watch.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32)
        self._remove_watch = libc.inotify_rm_watch
        self._statfs = libc.statfs
        self._statfs_buffer = ctypes.create_string_buffer(_STATFS_BYTES)
        self._fd = _checked(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC), b"")

    def fileno(self) -> int:
        """Return the descriptor, readable while an event waits."""
        return self._fd

    def add(self, path: bytes, mask: int) -> int:
        """Watch a path and return the watch's number, the same one for the same folder whatever its path.

        Raises: OSError, with ENOSPC at the system's limit of watches and ENOTDIR for a file and `ONLYDIR`.
        """
        return _checked(self._add_watch(self._fd, path, mask), path)

    def remove(self, watch: int) -> None:
        """Take a watch away; one that went with its folder is no error. Its events that are in the queue stay there."""
        self._remove_watch(self._fd, watch)

    def read(self) -> list[InotifyEvent]:
        """Return every event that was in the queue when this was called, in order; never waits.

        So a change whose system call has returned, in any process, is in the answer: the queue is the barrier.
        """
        # Not until it is empty: somebody may write without end.
        waiting_bytes = int.from_bytes(fcntl.ioctl(self._fd, termios.FIONREAD, b"\0\0\0\0"), sys.byteorder)
        events: list[InotifyEvent] = []
        while waiting_bytes > 0:
            data = os.read(self._fd, _READ_BYTES)
            waiting_bytes -= len(data)
            at = 0
            while at < len(data):
                watch, mask, _cookie, name_bytes = _HEAD.unpack_from(data, at)
                at += _HEAD.size + name_bytes
                events.append(InotifyEvent(watch, mask, data[at - name_bytes : at].rstrip(b"\0")))
        return events

    def hears_all(self, path: bytes) -> bool:
        """Tell whether every change below this path passes through this system's kernel, as far as its type says."""
        if self._statfs(path, self._statfs_buffer) != 0:
            return False
        return ctypes.c_long.from_buffer(self._statfs_buffer).value & 0xFFFF_FFFF in _LOCAL_FILE_SYSTEMS

    def close(self) -> None:
        """Close the queue and with it every watch; safe to call twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _checked(result: int, path: bytes) -> int:
    if result < 0:
        number = ctypes.get_errno() or errno.EIO
        raise OSError(number, os.strerror(number), path)
    return result
