"""The front: a process with everything loaded and never a second thread, which is copied for each command.

Owns the socket, the lock that makes it the segment's only host, and the lives of its copies. It reads nothing from any
client: a copy that waits (a spare) accepts the connection itself, so a client that is slow or silent keeps that copy
busy and nobody else. SQLite is opened by the copies only: a connection must not cross a fork.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import time
from collections import deque
from typing import TYPE_CHECKING

from ... import __version__
from ...domain.errors import CtxError
from .backend import run_backend
from .child import NOTICE_BYTES, RUNS, HostFacts, serve_one
from .handover import installation
from .host_lock import HostLock
from .launch import STARTER_VARIABLE
from .places import HostPlace, can_host, is_private, places, runtime_folders
from .preload import preload
from .shared_figures import SharedFigures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import NoReturn

    from ..config import Config
    from .host_log import HostLog

SPARES = 2
"""Copies that wait: a command then does not wait for the fork, and neither does the one right after it."""
RUNNING_MAX = 48
"""Commands at once; more of them wait in the socket's queue, where they cost no memory."""
BACKLOG = 1024
BACKEND_STARTS_MAX = 5
BACKEND_STARTS_WITHIN_S = 60.0
LOOK_EVERY_S = 1.0
"""How often the front looks whether its segment and its socket are still there."""
UNUSED_S = 1.0
"""A host that was started for its faces ends this long after the last one: an editor that is restarted finds it."""
FIRST_LEASE_WAIT_S = 15.0
"""How long such a host waits for the first one, and for those that a backend which ended had."""
FINISH_WAIT_S = 10.0
"""What running commands, and then the backend, get for ending after the host was told to stop."""


def choose_place(segment: str) -> HostPlace:
    """Return where the host of a segment goes, its folder made and checked.

    Raises: CtxError when there is no folder that only this user can use.
    """
    if not can_host():
        raise CtxError("the warm host needs Linux; commands work without it")
    problems = []
    for place in places(os.stat(segment)):
        try:
            os.makedirs(os.path.dirname(place.folder), exist_ok=True)
            with contextlib.suppress(FileExistsError):
                os.mkdir(place.folder, 0o700)
            if is_private(place.folder):
                return place
            problems.append(f"{place.folder} is not a folder that is yours alone (0700)")
        except OSError as error:
            problems.append(f"{place.folder} cannot be made ({error.strerror})")
    tried = "; ".join(problems) or f"{runtime_folders()[0]} is too long for a socket's path"
    raise CtxError(f"no place for the warm host's socket: {tried}; set XDG_RUNTIME_DIR to a folder of yours")


class Front:
    """One segment's host; `serve` returns when it has ended with everything it started."""

    def __init__(
        self,
        segment: str,
        place: HostPlace,
        config: Config,
        log: HostLog,
        *,
        index_path: str,
        until_unused: bool = False,
    ) -> None:
        """Start nothing yet; `until_unused` is for a host that a face starts: it ends with its last lease."""
        self._index_path = index_path
        self._segment = segment
        self._place = place
        self._log = log
        self._idle_s = config.number("daemon.idle_minutes") * 60.0
        self._deadline_ms = config.number("lsp.deadline_ms")
        self._encoding = config.text("tokens.encoding")
        self._figures = SharedFigures()
        self._figures.set("is_kept", 0 if until_unused else 1)
        self._leased_until_s = 0.0
        self._starter_pid = int(os.environ.pop(STARTER_VARIABLE, "") or os.getppid())
        self._spares: set[int] = set()
        self._running: set[int] = set()
        self._backend_pid = 0
        self._backend_starts: deque[float] = deque()
        self._served = 0
        self._stop_reason = ""
        self._wanted_s = time.monotonic()
        """When the host was last of use."""

    def serve(self, on_ready: Callable[[], None] = lambda: None) -> str:
        """Be the segment's host until something ends it, and return what did.

        Raises: HostRunsError when there is one already; CtxError when the socket cannot be made.
        """
        self._lock = HostLock(self._place.lock)
        try:
            return self._serve(on_ready)
        finally:
            self._lock.release()

    def _listener(self, path: str) -> socket.socket:
        # We hold the lock: whoever bound this is gone.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            listener.bind(path)
            listener.listen(BACKLOG)
        except OSError as error:
            listener.close()
            raise CtxError(f"{path}: the socket cannot be made ({error.strerror})") from error
        finally:
            os.umask(before)
        listener.setblocking(False)
        return listener

    # ------------------------------------------------------------------ the loop

    def _serve(self, on_ready: Callable[[], None]) -> str:
        preload(self._encoding, _languages_of(self._index_path))
        segment_stat = os.stat(self._segment)
        self._segment_mark = (segment_stat.st_dev, segment_stat.st_ino)
        self._facts = HostFacts(
            self._segment,
            self._place.backend,
            installation(),
            self._deadline_ms,
            has_faces=lambda: self._figures.get("leases") > 0,
        )
        self._for_backend = self._listener(self._place.backend)
        with self._for_backend, self._listener(self._place.socket) as self._front:
            self._socket_mark, self._backend_mark = _mark(self._place.socket), _mark(self._place.backend)
            # Its end tells every copy that the front is gone; nobody ever writes to it.
            self._alive_r, self._alive_w = os.pipe()
            self._taken_r, self._taken_w = os.pipe()
            self._wake_r, self._wake_w = os.pipe()
            for descriptor in (self._taken_r, self._wake_r, self._wake_w):
                os.set_blocking(descriptor, False)
            self._catch_signals()
            self._figures.set("front_pid", os.getpid())
            self._figures.set("started_unix_ns", time.time_ns())
            self._figures.set("started_ns", time.monotonic_ns())
            try:
                self._start_backend()
                # The path is for the redactor, whose pattern every copy then finds in `re`'s cache: 2 ms each.
                self._log.write("front", f"serves {self._segment} with ctx {__version__}")
                self._top_up()
                on_ready()
                self._loop()
            finally:
                self._end()
        return self._stop_reason

    def _catch_signals(self) -> None:
        def stop(number: int, _frame: object) -> None:
            self._figures.set("is_told", 1)
            self._stop_reason = self._stop_reason or signal.Signals(number).name

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_w, warn_on_full_buffer=False)

    def _loop(self) -> None:
        poll = select.poll()
        poll.register(self._taken_r, select.POLLIN)
        poll.register(self._wake_r, select.POLLIN)
        while not self._stop_reason:
            poll.poll(LOOK_EVERY_S * 1000)
            for descriptor in (self._wake_r, self._taken_r):
                data = _drained(descriptor)
                if descriptor == self._taken_r:
                    self._note(data)
            self._reap()
            self._top_up()
            self._look()

    def _note(self, notices: bytes) -> None:
        """Take in what copies told (see `child.tell_front`)."""
        for at in range(0, len(notices), NOTICE_BYTES):
            what, pid = notices[at : at + 1], int.from_bytes(notices[at + 1 : at + NOTICE_BYTES], sys.byteorder)
            self._wanted_s = time.monotonic()
            if what == RUNS:
                self._served += 1
            elif pid in self._spares:
                self._spares.discard(pid)
                self._running.add(pid)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._backend_pid:
                self._backend_pid = 0
                self._log.write("front", f"the backend ended with {os.waitstatus_to_exitcode(status)}")
                if not self._stop_reason:
                    self._start_backend()
            if pid in self._running:
                self._wanted_s = time.monotonic()
            self._spares.discard(pid)
            self._running.discard(pid)

    def _top_up(self) -> None:
        while not self._stop_reason and len(self._spares) < SPARES and len(self._running) < RUNNING_MAX:
            pid = self._forked(self._be_spare)
            if pid == 0:
                break
            self._spares.add(pid)
        self._figures.set("served", self._served)
        self._figures.set("running", len(self._running))
        self._figures.set("spares", len(self._spares))

    def _look(self) -> None:
        now_s = time.monotonic()
        if not (self._backend_pid or self._stop_reason):
            self._start_backend()  # there was no room for one
        if self._running:
            self._wanted_s = now_s
        if self._figures.get("leases"):
            self._wanted_s = now_s
            self._leased_until_s = now_s + UNUSED_S
        elif self._running:
            self._leased_until_s = max(self._leased_until_s, now_s + UNUSED_S)
        elif os.getppid() != self._starter_pid:
            # Who started this host is gone and takes no lease any more; another face may still be about to.
            self._leased_until_s = min(self._leased_until_s, now_s + UNUSED_S)
        left_s = self._wanted_s + self._idle_s - now_s
        self._figures.set("idle_until_unix_ns", time.time_ns() + int(left_s * 1e9))
        if left_s <= 0:
            self._stop_reason = f"not used for {self._idle_s / 60:g} minutes"
        elif not self._figures.get("is_kept") and now_s > self._leased_until_s:
            # Said first and looked at after: whoever has it kept meanwhile is told of the end, or is seen here.
            self._figures.set("is_ending", 1)
            if self._figures.get("is_kept"):
                self._figures.set("is_ending", 0)
            else:
                self._stop_reason = "nobody uses it any more"
        elif _mark(self._segment) != self._segment_mark:
            self._stop_reason = "the segment is gone or another directory"
        elif _mark(self._place.socket) != self._socket_mark:
            self._stop_reason = "the socket is gone"

    # ------------------------------------------------------------------ copies

    def _forked(self, become: Callable[[], NoReturn]) -> int:
        """Fork; return the child's id, 0 when there is no room for one. The child never returns."""
        try:
            pid = os.fork()
        except OSError as error:
            self._log.write("front", f"no copy could be made: {error.strerror}")
            return 0
        if pid:
            return pid
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            for descriptor in (self._alive_w, self._taken_r, self._wake_r, self._wake_w, self._lock.fd):
                os.close(descriptor)
            become()
        finally:
            os._exit(1)

    def _be_spare(self) -> NoReturn:
        self._for_backend.close()
        serve_one(self._front, self._alive_r, self._taken_w, self._facts)

    def _be_backend(self) -> NoReturn:
        self._front.close()
        os.close(self._taken_w)
        run_backend(self._for_backend, self._alive_r, self._segment, self._figures, self._log)

    def _start_backend(self) -> None:
        now_s = time.monotonic()
        while self._backend_starts and now_s - self._backend_starts[0] > BACKEND_STARTS_WITHIN_S:
            self._backend_starts.popleft()
        if len(self._backend_starts) >= BACKEND_STARTS_MAX:
            # Without one the host only saves the start; what keeps ending is not worth that.
            self._stop_reason = f"the backend ended {BACKEND_STARTS_MAX} times within a minute"
            return
        self._backend_pid = self._forked(self._be_backend)
        if not self._backend_pid:
            return
        self._backend_starts.append(now_s)
        self._leased_until_s = now_s + FIRST_LEASE_WAIT_S
        self._figures.set("backend_starts", self._figures.get("backend_starts") + 1)

    def _end(self) -> None:
        """Take no more commands, let the running ones finish, end everything."""
        self._figures.set("is_ending", 1)
        self._log.write("front", f"ends: {self._stop_reason}")
        self._stop_reason = self._stop_reason or "an error"
        self._front.close()
        for path, mark in ((self._place.socket, self._socket_mark), (self._place.backend, self._backend_mark)):
            with contextlib.suppress(OSError):
                if _mark(path) == mark:  # whoever removed the folder may have started another host since
                    os.unlink(path)
        os.close(self._alive_w)  # spares and backend end by that
        self._wait_for(lambda: not (self._running or self._spares))
        self._kill([*self._running, *self._spares], signal.SIGTERM)
        self._wait_for(lambda: not (self._running or self._spares or self._backend_pid))
        if self._backend_pid:
            self._kill([self._backend_pid], signal.SIGKILL)
        self._kill([*self._running, *self._spares], signal.SIGKILL)
        self._wait_for(lambda: not (self._running or self._spares or self._backend_pid))

    def _wait_for(self, is_over: Callable[[], bool]) -> None:
        ends_s = time.monotonic() + FINISH_WAIT_S
        poll = select.poll()
        poll.register(self._wake_r, select.POLLIN)
        poll.register(self._taken_r, select.POLLIN)
        while True:
            self._note(_drained(self._taken_r))
            _drained(self._wake_r)
            self._reap()
            left_s = ends_s - time.monotonic()
            if is_over() or left_s <= 0:
                return
            poll.poll(min(left_s, 0.5) * 1000)

    def _kill(self, pids: Iterable[int], number: int) -> None:
        for pid in pids:  # not waited for yet, so the numbers are still theirs
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


def _mark(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _drained(descriptor: int) -> bytes:
    data = b""
    try:
        while part := os.read(descriptor, 5 * 1024):
            data += part
    except BlockingIOError:
        pass
    return data


def _languages_of(index_path: str) -> list[str]:
    """Return the languages of what is indexed; none without an index.

    Read by a copy that ends: SQLite's state must not be in the front, from where every later copy would have it.
    """
    if not os.path.exists(index_path):
        return []
    names_r, names_w = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            from ..index_store import IndexStore

            store = IndexStore(index_path)
            store.open()
            os.write(names_w, "\n".join(sorted({row[1] for row in store.files()})).encode())
            store.close()
        finally:
            os._exit(0)
    os.close(names_w)
    with open(names_r, encoding="utf-8") as file:
        names = file.read().split()
    os.waitpid(pid, 0)
    return names
