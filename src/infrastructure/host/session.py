"""HostSession: how a long-lived face (an editor's server, an agent's) works in one segment, with a warm host or alone.

Owns the lease on the segment's host: joining one that runs, starting one that lives as long as anybody uses it,
joining again when it died, and what is done meanwhile. docs/daemon.md says what a host does for a face.

Threads: everything here may be called from any thread. The `Services` that `services` gives are the calling thread's
own (an index connection is used by one thread at a time), made at its first question and closed with the session.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from typing import TYPE_CHECKING, Any

from ...domain.errors import CtxError, UsageError
from ...domain.language_server import ServerReply
from ..services import Services
from ..warm_host import HostLook
from .alone import AloneHost
from .backend_link import STOPPED, BackendLink, LinkBrokenError
from .handover import installation
from .host_access import HostAccess
from .launch import running_host, spawn_host
from .places import can_host, is_private, is_switched_on, places
from .unsaved_overlay import OverlayClosedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...domain.language_server import ServerQuestion
    from ...domain.ports import LanguageServers, PendingReply
    from ...domain.source_files import OsPath
    from ..config import Config
    from ..telemetry import Telemetry
    from .remote_servers import RemoteServers

OPEN_WAIT_S = 1.5
"""The longest that `open` lets its caller wait for a host; it comes later all the same."""
LEASE_WAIT_S = 5.0
SET_WAIT_S = 2.0
RETRY_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Between looks for a host to join, while there is none; the last one over and over."""
GONE_RETRY_S = 1.0
"""Between looks for the segment's folder, while it is not there."""
START_PATIENCE_S = 15.0
"""A host that was started and has not answered for so long is not waited for any more."""
STARTS_MAX = 5
STARTS_WITHIN_S = 120.0
"""Hosts that keep dying are not started without end."""
LOOKS_MAX = 4
"""A host that comes or goes during a look makes it void."""
CLOSE_S = 5.0
_HOST_FIGURES = ("front_pid", "backend_pid", "faces", "unsaved", "servers", "index", "is_kept")
"""What a face tells of its host's status; None where the host does not answer."""


class HostSession:
    """One face's work in one segment. `open` it first; every `open` needs its `close`, and the last one ends it.

    `config` is the segment's with what the face itself sets; `telemetry` the face's one record, else that of the first
    services made. A host of other settings than `config` is not used.

    A host belongs to a directory, not to its path: one that is moved away or replaced takes its host along, and the
    lease is given up. What stands at the path later gets a host of its own, and the texts.
    """

    def __init__(
        self, segment: str, *, face: str, config: Config | None = None, telemetry: Telemetry | None = None
    ) -> None:
        """Start and read nothing yet."""
        self.segment = os.path.realpath(segment)
        self.face = face
        self.on_lease: Callable[[], None] = _nothing
        """Called when a lease was obtained or lost, from any thread; must not wait."""
        self._config = config
        self._telemetry = telemetry
        self._lock = threading.RLock()
        self._opened = 0
        self._own = threading.local()
        self._made: list[Services] = []
        self._alone: AloneHost | None = None
        self._leaving: list[threading.Thread] = []
        self._first: Services | None = None
        self._settings_mark = ""
        self._texts: dict[str, str] = {}
        self._lease: BackendLink | None = None
        self._lease_number = 0
        self._lease_mark: tuple[int, int] | None = None
        """The directory that the lease's host serves."""
        self._leasing = threading.Lock()
        self._backend_path = ""
        self._refused = ""
        self._child = 0
        self._starts: list[float] = []
        self._may_start = True
        self._is_starting = False
        self._wake = threading.Event()
        self._is_settled = threading.Event()
        self._is_closing = False
        self._keeper: threading.Thread | None = None
        self._wake_fds = (-1, -1)

    # ------------------------------------------------------------------ what faces call

    def open(self, *, wait_s: float = OPEN_WAIT_S) -> None:
        """Join the segment's host, or start one and work alone until it answers; waits at most `wait_s` for it.

        Raises: CtxError when the segment's settings are none.
        """
        with self._lock:
            self._opened += 1
            if self._opened > 1:
                return
            try:
                services = self._first = Services(self.segment, config=self._config)
            except BaseException:
                self._opened = 0
                raise
            self._config = services.config
            self._telemetry = self._telemetry or services.telemetry
            services.telemetry = self._telemetry
            self._alone = AloneHost(
                self.segment, services.config, self._telemetry, services.clock, index_path=services.index_path
            )
            self._settings_mark = services.settings_mark
            self._is_closing = False
            if not (can_host() and is_switched_on()):
                self._is_settled.set()
                return
            self._wake_fds = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            self._keeper = threading.Thread(target=self._keep, name="host-session", daemon=True)
            self._keeper.start()
        self._is_settled.wait(wait_s)

    @property
    def services(self) -> Services:
        """The calling thread's services, wired to the host while there is one."""
        found: Services | None = getattr(self._own, "services", None)
        if found is None or found not in self._made:
            found = Services(self.segment, config=self._config, host=_ThreadHost(self))
            with self._lock:
                if self._telemetry is not None:
                    found.telemetry = self._telemetry
                self._made.append(found)
            self._own.services = found
        return found

    def set_unsaved(self, path: str, text: str | None) -> None:
        """Have this text answer in place of the file's, for every face and command on the segment; None: no more.

        `path` is from the segment, as ctx prints it. What is asked after this returned sees the text.

        Raises: CtxError for a path outside of the segment, a secrets file, or a text larger than what is indexed.
        """
        if text is not None:
            text = text.encode("utf-8", "replace").decode("utf-8")  # half a surrogate pair is no text
            self._check_size(path, text)
        with self._lock:
            if text is None:
                self._texts.pop(path, None)
            else:
                self._texts[path] = text
            try:
                if not self._send(path, text):
                    self._by_itself.set_unsaved(path, text)
            except CtxError:
                self._texts.pop(path, None)
                raise

    def prepare(self, path: str) -> None:
        """Start the language server that a file's questions go to; it warms up behind this."""
        self.services.prepare_server(path)

    def status(self) -> dict[str, Any]:
        """Return who works on the segment.

        `host` tells whether a warm host does, `state` is "joined", "starting" or "alone" with its `reason`; `servers`,
        `faces` and `unsaved` are those that this face's questions meet. Of a host that does not answer they are this
        face's own, and what its servers do is None.
        """
        joined = self.joined
        found: dict[str, Any] = {"host": False, "state": "starting" if self._is_starting else "alone"}
        if joined:
            link = BackendLink(joined)
            try:
                known = link.call("status", {}, wait_s=SET_WAIT_S)
                return {"host": True, "state": "joined", **{name: known.get(name) for name in _HOST_FIGURES}}
            except LinkBrokenError as error:
                if self.lease_number():  # else it has ended, and what we gave it is here again
                    found = {"host": True, "state": "joined", **dict.fromkeys(_HOST_FIGURES), "reason": str(error)}
                    us = {"face": self.face, "pid": os.getpid()}
                    return found | {"faces": [us], "unsaved": sorted(self._texts)}
            finally:
                link.close()
        alone = self._alone
        return found | {
            "reason": self._refused,
            "faces": [{"face": self.face, "pid": os.getpid()}],
            "unsaved": alone.unsaved_paths() if alone is not None else [],
            "servers": alone.server_status() if alone is not None else [],
        }

    def close(self) -> None:
        """Release the host and end what is this process's own, with the last `close`; nothing may be asked any more."""
        with self._lock:
            self._opened -= 1
            if self._opened:
                return
            self._is_closing = True
            keeper, self._keeper = self._keeper, None
            self._poke()
        if keeper is not None:
            keeper.join(CLOSE_S)
        with self._lock:
            made, self._made = self._made, []
            alone, self._alone = self._alone, None
            first, self._first = self._first, None
            leaving, self._leaving = self._leaving, []
            self._let_go(self._lease)
        for services in made:
            services.__exit__()
        if alone is not None:
            alone.close()
        for thread in leaving:
            thread.join(CLOSE_S)
        if first is not None:
            first.__exit__()

    # ------------------------------------------------------------------ what the services of its threads ask

    @property
    def joined(self) -> str:
        """The backend's socket while there is a lease on it, else ""."""
        return self._backend_path if self._lease is not None else ""

    @property
    def backend_path(self) -> str:
        """The socket of the backend that there is or was a lease on."""
        return self._backend_path

    @property
    def own_backend(self) -> AloneHost:
        """What answers without a host."""
        return self._by_itself

    @property
    def deadline_ms(self) -> int:
        """What a question to a language server has."""
        assert self._config is not None
        return self._config.number("lsp.deadline_ms")

    @property
    def has_servers(self) -> bool:
        """Whether language servers are switched on."""
        return self._config is not None and self._config.flag("lsp.enabled")

    @property
    def may_come(self) -> bool:
        """Whether a host was started and is waited for."""
        return self._is_starting

    def lease_number(self) -> int:
        """Return which lease it is that there is now, 0 without one.

        Another backend may listen at the same path already, and it has none of our texts: looked at each time.
        """
        lease = self._lease
        if lease is None:
            return 0
        if lease.has_ended() or self._is_elsewhere:
            self._let_go(lease)
            return 0
        return self._lease_number

    def lose(self, number: int) -> None:
        """Work alone until there is another lease: this one's backend does not answer."""
        with self._lock:  # else it might be the next one by then
            if number == self._lease_number:
                self._let_go(self._lease)

    # ------------------------------------------------------------------ the lease

    @property
    def _by_itself(self) -> AloneHost:
        if self._alone is None:
            message = "the session is not open"
            raise RuntimeError(message)
        return self._alone

    def _check_size(self, path: str, text: str) -> None:
        assert self._config is not None
        limit = self._config.number("index.max_file_bytes")
        size_bytes = len(text.encode("utf-8"))
        if size_bytes > limit:
            with contextlib.suppress(CtxError):
                self.set_unsaved(path, None)
            raise UsageError(
                f"{path}: an unsaved text of {size_bytes} bytes, and index.max_file_bytes is {limit}; "
                "the file as it was saved answers in its place"
            )

    def _send(self, path: str, text: str | None) -> bool:
        """Give the host a text; False when there is none.

        Raises: CtxError for what it refuses.
        """
        lease = self._lease
        if lease is None:
            return False
        if self._is_elsewhere:
            self._let_go(lease)
            return False
        try:
            with self._leasing:
                said = lease.call("set_unsaved", {"path": path, "text": text}, wait_s=SET_WAIT_S)
        except LinkBrokenError:
            self._let_go(lease)
            return False
        if said.get("refused"):
            raise CtxError(str(said["refused"]))
        return True

    def _keep(self) -> None:
        """Have a lease for as long as that is possible; the session's own thread, which `close` may leave behind."""
        try:
            self._have_lease()
        finally:
            with self._lock:
                fds, self._wake_fds = self._wake_fds, (-1, -1)
            for fd in fds:
                os.close(fd)

    def _have_lease(self) -> None:
        failures = 0
        while not self._is_closing:
            try:
                has_joined = self._join()
            except (FileNotFoundError, NotADirectoryError):
                self._refused, has_joined = "the segment's folder is gone", False
                self._may_start, failures = True, RETRY_S.index(GONE_RETRY_S)
            except (CtxError, OSError) as error:
                self._refused, has_joined = str(error), False
            if has_joined:
                failures = 0
                self._is_starting = False
                self._is_settled.set()
                self._wait_for_end()
                continue
            if not self._is_starting:
                self._is_settled.set()
            self._sleep(RETRY_S[min(failures, len(RETRY_S) - 1)] if not self._is_starting else RETRY_S[0])
            failures += 1
        self._reap()

    def _join(self) -> bool:
        """Take a lease on the host that runs; start one where none does. Tell whether there is a lease."""
        mark = _mark(self.segment)
        place, _pid = running_host(self.segment)
        self._reap()
        if place is not None:
            link = BackendLink(place.backend)
            try:
                said = link.call("lease", self._introduction(), wait_s=LEASE_WAIT_S)
            except LinkBrokenError as error:
                link.close()
                self._refused = str(error)  # it is about to serve, or to end
                return False
            self._refused = str(said.get("refused", said.get("error", "")))
            if self._refused:
                link.close()
                self._is_starting = False
                return False
            self._take(link, place.backend, mark)
            return self._lease is not None
        now_s = time.monotonic()
        self._starts = [one for one in self._starts if now_s - one < STARTS_WITHIN_S]
        if self._child and now_s - self._starts[-1] > START_PATIENCE_S:
            self._is_starting = False
        if not self._child and self._may_start and len(self._starts) < STARTS_MAX and self._has_place():
            self._starts.append(now_s)
            self._child = spawn_host(self.segment, until_unused=True)
            self._is_starting = True
        elif not self._child:
            self._is_starting = False
        return False

    def _introduction(self) -> dict[str, Any]:
        return {
            "face": self.face,
            "pid": os.getpid(),
            "installation": os.fsdecode(installation()),
            "settings": self._settings_mark,
        }

    def _take(self, link: BackendLink, path: str, mark: tuple[int, int] | None) -> None:
        """Go over to a host: it gets our texts before anybody asks it."""
        with self._lock:
            if self._is_closing:
                link.close()
                return
            alone = self._by_itself
            try:
                for name, text in self._texts.items():
                    link.call("set_unsaved", {"path": name, "text": text}, wait_s=SET_WAIT_S)
                link.call("given", {}, wait_s=SET_WAIT_S)
            except LinkBrokenError as error:
                link.close()
                self._refused = str(error)
                return
            self._backend_path, self._lease_mark = path, mark
            self._lease_number += 1
            self._lease = link  # last: who finds it asks by the others, without the lock
            assert self._first is not None
            assert self._config is not None
            assert self._telemetry is not None
            first = self._first
            self._alone = AloneHost(
                self.segment, self._config, self._telemetry, first.clock, index_path=first.index_path
            )
            # In a thread: its servers may take a while to leave, and tell of their end in this session's record.
            leaving = threading.Thread(target=alone.close, daemon=True)
            self._leaving = [*(thread for thread in self._leaving if thread.is_alive()), leaving]
            leaving.start()
        self.on_lease()

    def _let_go(self, lease: BackendLink | None) -> None:
        """Give a lease up, if it is the one there is, and work alone from now on with the texts there are."""
        with self._lock:
            if lease is None or self._lease is not lease:
                return
            # What is told on purpose (`ctx daemon stop`, a memory limit) is not undone; a host whose directory was
            # moved away is no host of what is there now, even if it was told.
            with self._leasing:
                self._may_start = not lease.was_told(STOPPED) or self._is_elsewhere
            if self._is_elsewhere:
                self._refused = "the segment's folder was moved away or replaced"
            alone = None if self._is_closing else self._alone
            if alone is not None:
                # Before the lease is gone: whoever finds none asks us, and our texts have to be here by then.
                for path, text in self._texts.items():
                    with contextlib.suppress(CtxError):
                        alone.set_unsaved(path, text)
            self._lease = None
            lease.close()
            self._poke()
            if alone is None:
                return
        self.on_lease()

    @property
    def _is_elsewhere(self) -> bool:
        """Whether the path is not that of the directory any more that the lease's host serves."""
        return _mark(self.segment) != self._lease_mark

    def _wait_for_end(self) -> None:
        """Wait until the host ends or the session does, and let go of the lease."""
        lease = self._lease
        descriptor = lease.fileno() if lease is not None else -1
        if lease is None or descriptor < 0:  # a thread that asked found it broken and let it go
            return
        poll = select.poll()
        poll.register(descriptor, select.POLLRDHUP | select.POLLHUP | select.POLLERR)
        poll.register(self._wake_fds[0], select.POLLIN)
        ended = False
        while not (ended or self._is_closing or self._lease is not lease):
            events = dict(poll.poll())
            if self._wake_fds[0] in events:
                self._drain()
            ended = descriptor in events
        if ended:
            self._let_go(lease)

    def _sleep(self, wait_s: float) -> None:
        poll = select.poll()
        poll.register(self._wake_fds[0], select.POLLIN)
        if poll.poll(wait_s * 1000):
            self._drain()

    def _poke(self) -> None:
        if self._wake_fds[1] >= 0:
            with contextlib.suppress(BlockingIOError):
                os.write(self._wake_fds[1], b"\0")

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_fds[0], 4096)

    def _reap(self) -> None:
        if self._child:
            with contextlib.suppress(ChildProcessError):
                if not os.waitpid(self._child, os.WNOHANG)[0]:
                    return
            self._child = 0

    def _has_place(self) -> bool:
        """Tell whether a host would find a folder for its socket."""
        for place in places(os.stat(self.segment)):
            if is_private(place.folder) or not os.path.lexists(place.folder):
                return True
        return False


def _mark(segment: str) -> tuple[int, int] | None:
    """Return what a directory is told by, None for one that is not there."""
    try:
        found = os.stat(segment)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _nothing() -> None:
    pass


class _ThreadHost:
    """Implements `WarmHost` for one thread of a session: the host while there is a lease, else the process's own."""

    def __init__(self, session: HostSession) -> None:
        self._session = session
        self._access: HostAccess | None = None
        self._servers: RemoteServers | None = None
        self._number = 0
        """The lease that these connections belong to."""

    def look(self, settings_mark: str) -> HostLook:
        for _ in range(LOOKS_MAX):
            access, alone = self._who_answers()
            number = self._number
            try:
                found = access.try_look(settings_mark) if access is not None else alone.look()
            except LinkBrokenError:
                self.close()
                self._session.lose(number)
            except OverlayClosedError:  # our own one, as a host has come
                pass
            else:
                if self._session.lease_number() == number:
                    return found
        return HostLook(is_unknown=True)

    def has_texts_of(self, version: int, settings_mark: str) -> bool:
        access, alone = self._who_answers()
        if access is not None:
            return access.has_texts_of(version, settings_mark)
        return alone.has_texts_of(version)

    def unsaved_data(self, os_path: OsPath) -> bytes | None:
        access, alone = self._who_answers()
        return access.unsaved_data(os_path) if access is not None else alone.unsaved_data(os_path)

    def renew_unsaved(self) -> None:
        access, alone = self._who_answers()
        if access is not None:
            access.renew_unsaved()
        else:
            alone.renew_unsaved()

    def servers(self) -> LanguageServers | None:
        return _SessionServers(self) if self._session.has_servers else None

    def prepare(self, language: str, path: str) -> None:
        access, alone = self._who_answers()
        if access is not None:
            access.prepare(language, path)
        elif not self._session.may_come:  # servers of our own would only have to leave again
            pool = alone.servers()
            if pool is not None:
                pool.prepare(language, path)

    def ask(self, question: ServerQuestion) -> PendingReply:
        """Ask whoever answers now."""
        for _ in range(LOOKS_MAX):
            access, alone = self._who_answers()
            if access is not None:
                if self._servers is None:
                    self._servers = access.servers()
                return self._servers.ask(question)
            pool = alone.servers()
            if pool is not None:  # else a host has come
                return pool.ask(question)
        return _NobodyReply(self._session.deadline_ms)

    def close(self) -> None:
        for link in (self._access, self._servers):
            if link is not None:
                link.close()
        self._access = self._servers = None

    def _who_answers(self) -> tuple[HostAccess | None, AloneHost]:
        """Return the host while there is a lease, and who answers without one.

        The latter is looked up first: what stands there from the next lease on has no text until that is lost.
        """
        alone = self._session.own_backend
        return self._host(), alone

    def _host(self) -> HostAccess | None:
        number = self._session.lease_number()
        if number != self._number:
            self.close()
            self._number = number
        if number and self._access is None:
            self._access = HostAccess(self._session.backend_path, self._session.deadline_ms, clean_wait_s=SET_WAIT_S)
        return self._access


class _SessionServers:
    """The language servers of a session, whoever has them at the moment of a question."""

    def __init__(self, host: _ThreadHost) -> None:
        self._host = host

    def ask(self, question: ServerQuestion) -> PendingReply:
        return self._host.ask(question)


class _NobodyReply:
    """The reply of nobody: the session is closed."""

    def __init__(self, deadline_ms: int) -> None:
        self._deadline_ms = deadline_ms

    def result(self) -> ServerReply:
        return ServerReply("", "crashed", deadline_ms=self._deadline_ms, detail="the session is closed")

    def is_there(self) -> bool:
        return True
