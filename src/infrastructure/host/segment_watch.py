"""SegmentWatch: keeps the index of a segment up to date and knows at any moment whether that is so.

Owns the thread that looks and the proof that lets a command go without a look of its own. When to look is
`application.watch_index`; which folders are watched how is `watched_folders`. Why it is done like this and what it
cannot see: docs/decisions/012-host-watching.md.

The proof. `is_clean` gives a generation G only when all of this holds:

1. every folder of the index was watched, by the watch it is known by, before the last look began;
2. that look found nothing to do, and the generation was G before it and after it;
3. nothing that matters was in the queue of events from before the look began until now. The kernel queues an event
   before the call that caused it returns, so a change made before the question is in the queue when it is read;
4. what has no watch is what the look compared it with, looked at now;
5. the generation is G now, in the file that is at the index's path now.

By 1 and 3 the files are as the look of 2 found them, or changed by a call that has not returned yet; by 2 and 5 so is
the index. A change that another process has stored since is a generation other than G. The events of 3 are judged by
the paths that the index of generation G knows, never by older ones: until a look is over, they wait in the queue.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from ...domain.errors import CtxError
from ...domain.file_events import FileEvents
from ...domain.index_records import PACK_PREFIX
from ..index_store import IndexPeek
from .watched_folders import WatchedFolders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    from ...application.watch_index import Update, WatchIndex
    from ...domain.ports import FileWatcher, IndexPort
    from ...domain.source_files import OsPath

QUIET_S = 0.05
"""A look begins when nothing came for this long: whoever writes several files is let finish."""
DEBOUNCE_S = 0.5
"""Changes that keep coming are looked at after this long all the same."""
CLOSE_S = 10.0
"""A look that is under way ends at its next file; only one that waits for another process's lock may take longer."""
_SLICE_S = 0.5
_CLOSED_NOTE = "a folder of indexed files cannot be listed any more; commands look at every file themselves"
_NOT_LINUX_NOTE = "this system has no inotify; commands look at every file themselves"


class WatchedServices(Protocol):
    """What a watch needs of the services of its segment; `Services` is the adapter."""

    @property
    def root(self) -> str:
        """The segment's absolute path with its links resolved."""
        ...

    @property
    def index_path(self) -> str:
        """Where the index is."""
        ...

    def watch_index(
        self, watcher: FileWatcher | None = None, *, on_progress: Callable[[int, int], None] = ...
    ) -> WatchIndex:
        """Return the use case that looks, with this watcher or the system's."""
        ...


@dataclass(frozen=True, slots=True)
class WatchState:
    """What there is to say of a watch: `generation` is that of the last look, `ended` why it ended, "" while it runs.

    `is_exact` tells whether `is_clean` can ever answer.
    """

    generation: str
    is_exact: bool
    folders: int
    updates: int
    ended: str


class SegmentWatch:
    """One thread that keeps one index up to date; every method may be called from any thread."""

    def __init__(
        self,
        services: Callable[[], AbstractContextManager[WatchedServices]],
        *,
        on_note: Callable[[str], None] = lambda _text: None,
        on_update: Callable[[Update], None] = lambda _update: None,
        has_inotify: bool = sys.platform.startswith("linux"),
    ) -> None:
        """Take what opens the services, which happens in the thread and is for it alone; nothing is started yet.

        Both are called in the thread: `on_note` with what a person should know, once each, and last with why the watch
        ended; `on_update` after every look that changed the index.
        """
        self._services = services
        self._on_note = on_note
        self._on_update = on_update
        self._has_inotify = has_inotify
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._mark: _CleanMark | None = None
        self._updates = 0
        self._ended = ""
        self._told: set[str] = set()

    def start(self) -> None:
        """Start the thread; the first look begins at once."""
        assert self._thread is None
        self._thread = threading.Thread(target=self._run, name="segment-watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread and wait for it; safe to call twice, and without a start."""
        self._closing.set()
        mark = self._mark
        if mark is not None:
            mark.wake()
        if self._thread is not None:
            self._thread.join(CLOSE_S)

    def is_clean(self) -> str:
        """Return the generation for which the index is what the files are right now, "" when that is not known.

        Never waits for a look. Whatever was written before this was called, by any process, counts: see the proof.
        """
        mark = self._mark
        return mark.ask() if mark is not None else ""

    @property
    def state(self) -> WatchState:
        """What there is to say of the watch now."""
        mark = self._mark
        if mark is None:
            return WatchState("", False, 0, self._updates, self._ended)
        return WatchState(mark.last_generation, mark.is_exact, mark.folders_count, self._updates, self._ended)

    def _run(self) -> None:
        try:
            with self._services() as services:
                self._follow(services)
        except _ClosedError:
            self._ended = "closed"
        except CtxError as error:
            self._ended = str(error)
        except Exception as error:  # noqa: BLE001 - the rim of a thread; it reports
            self._ended = f"{type(error).__name__}: {error}"
        if self._ended != "closed":
            self._tell(f"the index is no longer kept up to date: {self._ended}")

    def _follow(self, services: WatchedServices) -> None:
        if not self._has_inotify:
            self._tell(_NOT_LINUX_NOTE)
            watch = services.watch_index(on_progress=self._stop_if_closing)
            watch = replace(watch, watcher=_SlicedWatcher(watch.watcher, self._stop_if_closing))
            for update in watch.updates(self._tell):
                self._updated(update)
            return
        mark = _CleanMark(services.root, services.index_path, self._stop_if_closing, self._tell)
        try:
            self._mark = mark
            watch = services.watch_index(mark, on_progress=self._stop_if_closing)
            for update in watch.updates(
                self._tell, on_look=mark.begin_look, on_settled=lambda: mark.settle(watch.index)
            ):
                self._updated(update)
        finally:
            self._mark = None
            mark.close()

    def _updated(self, update: Update) -> None:
        self._updates += 1
        self._on_update(update)

    def _stop_if_closing(self, _done: int = 0, _total: int = 0) -> None:
        if self._closing.is_set():
            raise _ClosedError

    def _tell(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._on_note(text)


@dataclass(frozen=True, slots=True)
class _Paths:
    """What the index of one state knows: files and folders, and the folders that hold files."""

    of: tuple[int, int, str] | None = None
    known: frozenset[OsPath] = frozenset()
    parents: frozenset[OsPath] = frozenset()


class _ClosedError(Exception):
    """Takes the thread out of whatever it does."""


class _CleanMark:
    """The generation that is clean, if any, and the watcher that goes with it.

    `ask` and `wake` are for any thread, everything else is for the one that looks. The lock guards the watches and the
    mark; while there is no mark, nobody but the looking thread touches the watches.
    """

    def __init__(
        self,
        root: str,
        index_path: str,
        stop_if_closing: Callable[[], None],
        tell: Callable[[str], None],
    ) -> None:
        self._root = os.fsencode(root)
        self._stop_if_closing = stop_if_closing
        self._tell = tell
        self._lock = threading.Lock()
        self._folders = WatchedFolders(self._root)
        self._peek = IndexPeek(index_path)
        self._compared: tuple[int, int, str] | None = None
        self._wake_fds = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._clean = ""
        self._known: frozenset[OsPath] | None = None
        self._paths = _Paths()
        self._alone: list[tuple[bytes, int]] = []
        self._root_identity: tuple[int, int] | None = None
        self._is_due = False

    @property
    def last_generation(self) -> str:
        return self._compared[2] if self._compared is not None else ""

    @property
    def is_exact(self) -> bool:
        return self._folders.is_exact

    @property
    def folders_count(self) -> int:
        return len(self._folders)

    # --- for every thread --------------------------------------------------------------------------------------------

    def ask(self) -> str:
        if not self._clean:
            return ""  # without the lock: the looking thread may hold it for as long as placing watches takes
        with self._lock:
            if not self._clean:
                return ""
            if self._folders.has_news(self._known) or self._has_strayed():
                # What is out of the queue cannot wake the looking thread any more.
                self._doubt()
                self._wake()
            return self._clean

    def wake(self) -> None:
        """End the looking thread's wait."""
        with self._lock:
            self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full of calls that it has not answered yet, or closed
            os.write(self._wake_fds[1], b"\0")

    def _has_strayed(self) -> bool:
        """Tell whether anything that has no watch is not what it was."""
        try:
            # Of what is above the segment nothing is watched: a folder there may be renamed and another take its place.
            if _identity_of(self._root) != self._root_identity:
                return True
            if any(os.stat(path).st_mtime_ns != mtime_ns for path, mtime_ns in self._alone):
                return True
        except OSError:
            return True
        return self._peek.mark() != self._compared

    def _doubt(self) -> None:
        self._clean = ""
        self._is_due = True

    # --- for the looking thread --------------------------------------------------------------------------------------

    def begin_look(self) -> None:
        """Take the mark away and forget the events that are in the queue: the look that follows sees what they tell."""
        self._stop_if_closing()
        with self._lock:
            self._clean = ""
            self._known = None
            self._is_due = False
        # Taken before the watches are placed and the look opens it: another one by then shows at the next question.
        root_identity = _identity_of(self._root)
        self._folders.is_doubtful |= root_identity != self._root_identity
        self._root_identity = root_identity
        self._folders.has_news(None)
        if self._folders.is_doubtful and (note := self._folders.place()):
            self._tell(note)

    def settle(self, index: Callable[[], IndexPort]) -> bool:
        """Set the mark after a look that left nothing to do; False when another look is needed for it.

        A change that comes now needs one, too, but not at once: `wait` lets whoever writes finish.
        """
        mark = self._peek.mark()
        if mark is None or mark != self._compared:
            # This look stored something, or another process did meanwhile: which state it compared is not known.
            self._compared = mark
            if self._folders.has_news(None):
                self._is_due = True  # whoever writes without end would have looks without end
            return mark is None or self._is_due
        if not self._folders.is_exact:
            return True
        try:
            directories = dict(index().directories())
            if mark != self._paths.of:
                files = [path for path, _size, _mtime in index().stats() if not path.startswith(PACK_PREFIX)]
                parents = frozenset(path.rpartition(b"/")[0] for path in files)
                self._paths = _Paths(mark, frozenset((*files, *directories)), parents)
        except CtxError:
            return False  # the look will find out what is wrong
        if not self._paths.parents.isdisjoint(self._folders.alone):
            self._tell(_CLOSED_NOTE)
            return True
        alone = [(os.path.join(self._root, path), directories.get(path, -1)) for path in self._folders.alone]
        with self._lock:
            if self._folders.has_news(self._paths.known):
                self._doubt()
            else:
                self._known = self._paths.known
                self._alone = alone
                self._clean = mark[2]
        return True

    def watch(self, folders: Iterable[bytes]) -> str:
        """Watch these folders in place of those before; see `FileWatcher`."""
        return self._folders.watch(folders)

    def wait(self, timeout_s: float) -> FileEvents:
        """Wait for a reason to look, for no longer than the timeout; see `FileWatcher`."""
        deadline = time.monotonic() + timeout_s
        while not self._hears():
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return FileEvents()
            # Somebody writes a log: its events wait, which costs nothing, and merge.
            if not self._sleep(min(QUIET_S, left_s), is_for_events=False):
                self._sleep(max(0.0, deadline - time.monotonic()))
        latest = time.monotonic() + DEBOUNCE_S
        while time.monotonic() < latest:
            self._sleep(QUIET_S, is_for_events=False)
            if not self._has_news():
                break
        return FileEvents(other=True)

    def _hears(self) -> bool:
        self._has_news()
        return self._is_due

    def _has_news(self) -> bool:
        self._stop_if_closing()
        with self._lock:
            has_news = self._folders.has_news(self._known)
            if has_news:
                self._doubt()
            return has_news

    def _sleep(self, timeout_s: float, *, is_for_events: bool = True) -> bool:
        """Sleep until an event is in the queue, if asked for, or somebody calls; tell whether there was either."""
        poll = select.poll()
        poll.register(self._wake_fds[0], select.POLLIN)
        if is_for_events and self._folders.fileno() >= 0:
            poll.register(self._folders.fileno(), select.POLLIN)
        found = poll.poll(timeout_s * 1000)
        if any(fd == self._wake_fds[0] for fd, _mask in found):
            os.read(self._wake_fds[0], 4096)
        self._stop_if_closing()
        return bool(found)

    def close(self) -> None:
        with self._lock:
            self._clean = ""
            self._folders.close()
            self._peek.close()
            for fd in self._wake_fds:
                os.close(fd)
            self._wake_fds = (-1, -1)


class _SlicedWatcher:
    """Another watcher whose waits can be ended."""

    def __init__(self, watcher: FileWatcher, stop_if_closing: Callable[[], None]) -> None:
        self._watcher = watcher
        self._stop_if_closing = stop_if_closing

    def watch(self, folders: Iterable[bytes]) -> str:
        return self._watcher.watch(folders)

    def wait(self, timeout_s: float) -> FileEvents:
        deadline = time.monotonic() + timeout_s
        while True:
            self._stop_if_closing()
            left_s = deadline - time.monotonic()
            events = self._watcher.wait(max(0.0, min(_SLICE_S, left_s)))
            if events or left_s <= _SLICE_S:
                return events


def _identity_of(root: bytes) -> tuple[int, int] | None:
    try:
        found = os.stat(root)
    except OSError:
        return None
    return found.st_dev, found.st_ino
