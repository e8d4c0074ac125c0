"""WatchedFolders: the folders of one index under inotify, and whether what happened in them matters to the index.

Owns which watch stands for which folder, and everything that makes that doubtful: folders that move, come and go,
mounts, a queue that overflowed. Keeping the index up to date is `segment_watch`.
"""

from __future__ import annotations

import errno
import os
import select
from typing import TYPE_CHECKING

from ..inotify import (
    ATTRIB,
    CLOSE_WRITE,
    CREATE,
    DELETE,
    DELETE_SELF,
    EXCL_UNLINK,
    IGNORED,
    ISDIR,
    MODIFY,
    MOVE_SELF,
    MOVED_FROM,
    MOVED_TO,
    ONLYDIR,
    Q_OVERFLOW,
    UNMOUNT,
    Inotify,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...domain.source_files import OsPath
    from ..inotify import InotifyEvent

ALONE_MAX = 64
"""What cannot be watched is looked at when the question comes; more of it would cost what the question is to save."""

_ENTRY = CREATE | DELETE | MOVED_FROM | MOVED_TO
_FOLDER_GONE = DELETE_SELF | MOVE_SELF | IGNORED
_LOST = Q_OVERFLOW | UNMOUNT
# Closing tells of what was written through a memory map, which nothing else does.
_MASK = MODIFY | ATTRIB | CLOSE_WRITE | _ENTRY | DELETE_SELF | MOVE_SELF | ONLYDIR | EXCL_UNLINK
_LIMITS = (errno.ENOSPC, errno.ENOMEM)
_LIMIT_NOTE = (
    "the system cannot watch all folders ({reason}); commands look at every file themselves "
    "(raise fs.inotify.max_user_watches or max_user_instances)"
)
_ELSEWHERE_NOTE = "{path}: a file system that others may write to unseen; commands look at every file themselves"
_MANY_NOTE = "{count} folders cannot be watched; commands look at every file themselves"
_MOUNTS = "/proc/self/mountinfo"


class WatchedFolders:
    """The watches of one segment; not for use by two threads at once."""

    def __init__(self, root: bytes) -> None:
        """Take the segment's absolute path with its links resolved; nothing is opened yet."""
        self._root = root
        self._inside = root.rstrip(b"/") + b"/"
        self._inotify: Inotify | None = None
        self._wanted: tuple[OsPath, ...] = ()
        self._folders: dict[int, tuple[OsPath, ...]] = {}
        self._alone: tuple[OsPath, ...] = ()
        self._mounts = _MountTable(self._inside)
        self.is_exact = False
        """Whether every change of what was asked for is sure to be told."""
        self.is_doubtful = False
        """Whether a folder may have another watch than the one it is known by: `place` again, then look."""

    def __len__(self) -> int:
        return len(self._folders)

    @property
    def alone(self) -> tuple[OsPath, ...]:
        """What was asked for and has no watch: files of rules, and folders closed to us; to be looked at singly."""
        return self._alone

    def fileno(self) -> int:
        """Return the descriptor to wait on, -1 without one."""
        return self._inotify.fileno() if self._inotify is not None else -1

    def watch(self, folders: Iterable[OsPath]) -> str:
        """Watch these in place of those before; return a note when that is not `is_exact`, else ""."""
        self._wanted = tuple(folders)
        return self.place()

    def place(self) -> str:
        """Give every folder the watch of what is at its path now; return as `watch` does.

        The kernel's watches stick to folders, not to paths: after a folder moved, its watch is known by the wrong path.
        """
        self.is_doubtful = False
        self._mounts.read()
        try:
            self._inotify = self._inotify or Inotify()
            note = self._place(self._inotify)
        except OSError as error:
            # Half of the watches is as good as none and takes room that others could use.
            self._drop()
            self.is_doubtful = True  # there may be room the next time
            note = _LIMIT_NOTE.format(reason=error.strerror)
        self.is_exact = not note
        return note

    def _place(self, inotify: Inotify) -> str:
        found: dict[int, tuple[OsPath, ...]] = {}
        alone: list[OsPath] = []
        refused = 0
        note = ""
        for folder in self._wanted:
            path = self._inside + folder
            try:
                watch = inotify.add(path, _MASK)
            except OSError as error:
                if error.errno in _LIMITS:
                    raise
                alone.append(folder)
                refused += error.errno != errno.ENOENT  # what went meanwhile shows at the first of them
                continue
            # One folder may have two paths, by a bind mount.
            found[watch] = (*found.get(watch, ()), folder)
            if not note and not inotify.hears_all(path):
                note = _ELSEWHERE_NOTE.format(path=os.fsdecode(path))
        for watch in self._folders.keys() - found.keys():
            inotify.remove(watch)
        self._folders = found
        self._alone = tuple(alone)
        return note or (_MANY_NOTE.format(count=refused) if refused > ALONE_MAX else "")

    def has_news(self, known: frozenset[OsPath] | None) -> bool:
        """Take everything out of the queue and tell whether any of it may matter to an index that knows these paths.

        Everything that comes, goes or is renamed does, for it changes its folder. Writing to a file does when it is
        known: a log is not. None is for an index of which nothing is known.
        """
        if self._inotify is None:
            return False
        is_news = self._mounts.have_changed()
        self.is_doubtful |= is_news
        for event in self._inotify.read():
            is_news = self._matters(event, known) or is_news  # each one, for what it says of the watches
        return is_news

    def _matters(self, event: InotifyEvent, known: frozenset[OsPath] | None) -> bool:
        watch, mask, name = event
        if mask & _LOST:
            self.is_doubtful = True
            return True
        folders = self._folders.get(watch)
        if folders is None:
            return False  # of a watch that was taken away
        if mask & _FOLDER_GONE or (mask & _ENTRY and mask & ISDIR):
            self.is_doubtful = True
            return True
        if mask & _ENTRY or known is None or not name:
            return True
        return any((folder + b"/" + name if folder else name) in known for folder in folders)

    def _drop(self) -> None:
        """Give every watch back."""
        if self._inotify is not None:
            self._inotify.close()
        self._inotify = None
        self._folders = {}
        self._alone = ()

    def close(self) -> None:
        """Stop watching; safe to call twice."""
        self._drop()
        self._mounts.close()
        self.is_exact = False


class _MountTable:
    """What is mounted inside the segment: a mount covers a folder without an event, and its watch goes on below."""

    def __init__(self, inside: bytes) -> None:
        self._inside = inside
        self._fd = -1
        self._poll = select.poll()
        self._seen: frozenset[bytes] = frozenset()

    def read(self) -> None:
        """Take the table as it is now for the known one."""
        if self._fd < 0:
            try:
                self._fd = os.open(_MOUNTS, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                return  # without /proc nobody tells
            self._poll.register(self._fd, select.POLLPRI)
        self._poll.poll(0)  # forgets what came before, and what comes while reading shows at the next one
        self._seen = self._inside_now()

    def have_changed(self) -> bool:
        """Tell whether something was mounted or unmounted inside since the last call; the kernel says when to look."""
        if self._fd < 0 or not self._poll.poll(0):
            return False
        before, self._seen = self._seen, self._inside_now()
        return before != self._seen

    def _inside_now(self) -> frozenset[bytes]:
        with open(_MOUNTS, "rb") as table:
            # The fifth field is where; blanks in it are octal escapes, so as text it is no path yet.
            lines = [line.split(b" ") for line in table.read().splitlines()]
        places = [(fields, fields[4].decode("latin-1")) for fields in lines if len(fields) > 4]
        inside = self._inside.decode("latin-1")
        return frozenset(b" ".join(fields) for fields, place in places if _unescaped(place).startswith(inside))

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            self._poll = select.poll()


def _unescaped(place: str) -> str:
    r"""Return a path as it is, from `\040` and its like."""
    head, *parts = place.split("\\")
    return head + "".join(chr(int(part[:3], 8)) + part[3:] for part in parts)
