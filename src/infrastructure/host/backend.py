"""The host's backend: the one process of a host that may have threads. It owns the language servers and the watch.

Running commands ask it two things: whether the index is known to equal the tree (then they need not look), and
questions to language servers. It also answers for the host: status. It ends with the front, whose pipe it listens to,
and takes the language servers along.
"""

from __future__ import annotations

import contextlib
import os
import queue
import select
import signal
import socket
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

from ... import __version__
from ...domain.errors import CtxError
from ...domain.source_files import display_path
from ..config import host_settings
from ..warm_host import HostLook
from .backend_link import STOPPED, UNASKED, LinkBrokenError, framed, frames_in
from .handover import installation, peer_of
from .host_access import look_document
from .leases import Leases
from .memory import proportional_bytes
from .powers import powers_of
from .remote_servers import question_of, reply_document
from .unsaved_overlay import OverlayClosedError, UnsavedOverlay, remove_left_overlays
from .unsaved_texts import UnsavedTexts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ...domain.language_server import ServerQuestion
    from ...domain.ports import PendingReply
    from ...domain.source_files import FileStat
    from ..ast_lsp.language_servers import LanguageServerPool
    from ..services import Services
    from .host_log import HostLog
    from .segment_watch import SegmentWatch
    from .shared_figures import SharedFigures

FLUSH_EVERY_S = 30.0
MEMORY_LOOK_EVERY_S = 5.0
SILENT_CLIENT_S = 3600.0
"""As long as a running command may keep its connection without a word."""
_CLOSED = None


def run_backend(listener: socket.socket, alive_fd: int, segment: str, figures: SharedFigures, log: HostLog) -> NoReturn:
    """Serve until the front is gone or says so (SIGTERM), then end the process."""
    exit_code = 1
    try:
        backend = Backend(listener, segment, figures, log)
        exit_code = backend.run(alive_fd)
    except BaseException as error:  # noqa: BLE001 - the rim of a process; the front starts another one
        log.write("backend", f"ended: {type(error).__name__}: {error}")
    finally:
        os._exit(exit_code)


class Backend:
    """State and threads of the backend."""

    def __init__(self, listener: socket.socket, segment: str, figures: SharedFigures, log: HostLog) -> None:
        """Start nothing yet."""
        self.leases = Leases(figures)
        self._powers = powers_of("self")
        self._texts: UnsavedTexts | None = None
        self._overlay: UnsavedOverlay | None = None
        self._listener = listener
        self._segment = segment
        self._figures = figures
        self._log = log
        self._lock = threading.Lock()
        self._telling = threading.Lock()
        self._services: Services | None = None
        self._watch: SegmentWatch | None = None
        self._pool: LanguageServerPool | None = None
        self._is_closing = False
        self._asked = 0
        self._settings_mark = ""
        self._host_settings: dict[str, Any] = {}

    def run(self, alive_fd: int) -> int:
        """Work until the front's pipe ends or SIGTERM comes."""
        from ..services import Services

        wake_r, wake_w = os.pipe()
        os.set_blocking(wake_w, False)
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the front, which then ends us
        signal.set_wakeup_fd(wake_w, warn_on_full_buffer=False)
        with Services(self._segment) as services:
            self._services = services
            self._settings_mark = services.settings_mark
            self._host_settings = host_settings(services.config)
            remove_left_overlays(self._segment)
            self._texts = UnsavedTexts(self._segment, services.config.number("index.max_file_bytes"))
            self._overlay = UnsavedOverlay(
                self._segment,
                self._texts,
                config=services.config,
                index_path=services.index_path,
                clean_mark=lambda: self.clean_mark(self._settings_mark),
                on_note=lambda text: self._log.write("backend", text),
            )
            started_ns = time.perf_counter_ns()
            services.telemetry.command_start("daemon", "daemon")
            try:
                self._start_watch()
                self._loop(alive_fd, wake_r)
            finally:
                self._close()
                services.telemetry.command_end("daemon", "daemon", 0, time.perf_counter_ns() - started_ns)
                services.telemetry.close()
        return 0

    # ------------------------------------------------------------------ parts

    def _loop(self, alive_fd: int, wake_fd: int) -> None:
        self._listener.setblocking(False)
        poll = select.poll()
        for descriptor in (self._listener.fileno(), alive_fd, wake_fd):
            poll.register(descriptor, select.POLLIN)
        flushed_s = looked_s = time.monotonic()
        while True:
            ready = {descriptor for descriptor, _event in poll.poll(MEMORY_LOOK_EVERY_S * 1000)}
            if alive_fd in ready or wake_fd in ready:
                return
            if self._listener.fileno() in ready:
                self._accept()
            now_s = time.monotonic()
            if now_s - looked_s >= MEMORY_LOOK_EVERY_S:
                looked_s = now_s
                self.leases.awaits_texts()  # the front counts those that are awaited, too
                self._keep_within_memory()
            if now_s - flushed_s >= FLUSH_EVERY_S and self._services is not None:
                flushed_s = now_s
                self._services.telemetry.flush(is_last=False)

    def _accept(self) -> None:
        try:
            connection, _address = self._listener.accept()
        except OSError:
            return
        if peer_of(connection)[1] != os.geteuid():
            connection.close()
            return
        threading.Thread(target=_Connection(self, connection).serve, daemon=True).start()

    def _start_watch(self) -> None:
        from .segment_watch import SegmentWatch

        self._watch = SegmentWatch(self._services_of_watch, on_note=lambda text: self._log.write("watch", text))
        self._watch.start()

    def _services_of_watch(self) -> Services:
        """Return services for the watch's thread: its own connection to the index, but the backend's one record."""
        from ..services import Services

        assert self._services is not None
        services = Services(self._segment, config=self._services.config)
        services.telemetry = self._services.telemetry
        return services

    def _close(self) -> None:
        with self._lock:
            self._is_closing = True
            pool = self._pool
        self.leases.end()
        if self._figures.get("is_told"):
            for holder in self.leases.holders():
                holder.tell({"id": UNASKED, "event": STOPPED})
        for part in (pool, self._watch, self._overlay):
            if part is not None:
                try:
                    part.close()
                except Exception as error:  # noqa: BLE001 - the other one has to end, too
                    self._log.write("backend", f"ending: {type(error).__name__}: {error}")

    def servers(self) -> LanguageServerPool:
        """Return the language servers, made by the first question; at the end, those that are closed."""
        from ..ast_lsp.language_servers import LanguageServerPool

        assert self._services is not None
        services = self._services
        with self._lock:
            if self._pool is None:
                self._pool = LanguageServerPool(
                    self._segment,
                    services.config,
                    services.telemetry,
                    services.clock,
                    is_host=True,
                    listing=self._listing,
                )
                for os_path, text in self._texts.current.texts.items() if self._texts is not None else ():
                    self._pool.set_unsaved(display_path(os_path), text.text)
                if self._is_closing:
                    self._pool.close()
            return self._pool

    def _listing(self) -> Iterable[FileStat]:
        """Return what the index knows of the files: the state that questions are asked about is the index's."""
        from ..index_store import IndexStore

        assert self._services is not None
        # An index that was removed is not made here: an empty one would be the news that every file is gone.
        with IndexStore(self._services.index_path, makes=False) as store:
            return store.stats() if store.meta("complete") == "1" else ()

    def clean_mark(self, settings_mark: str) -> str:
        """Return the generation of the index that equals the tree at this moment, "" when that is not known.

        An index of other settings is another index, and nothing is known of that.
        """
        if self._watch is None or settings_mark != self._settings_mark:
            return ""
        return self._watch.is_clean()

    def look(self, settings_mark: str) -> HostLook:
        """Return the index over the unsaved texts; it is of this backend's settings only.

        Raises: OverlayClosedError when it is gone already, because the backend ends.
        """
        if self._overlay is None or settings_mark != self._settings_mark:
            return HostLook()
        awaits = self.awaits_texts(settings_mark)  # asked first: a text that comes meanwhile is in the look
        found = self._overlay.look()
        found = replace(found, is_unknown=True) if awaits else found
        return found if found.unsaved is not None else replace(found, mark=self.clean_mark(settings_mark))

    def awaits_texts(self, settings_mark: str) -> bool:
        """Tell whether there may be unsaved texts that this backend has not got yet, in place of one that died."""
        return settings_mark == self._settings_mark and self.leases.awaits_texts()

    def unsaved_version(self, settings_mark: str) -> int | None:
        """Return which unsaved texts there are; None for none, and where no index of this backend's settings is asked.

        Only such an index can hold them.
        """
        if self._texts is None or settings_mark != self._settings_mark:
            return None
        current = self._texts.current
        return current.version if current.texts else None

    def text_of(self, os_path: bytes) -> str | None:
        """Return an unsaved text."""
        text = self._texts.current.texts.get(os_path) if self._texts is not None else None
        return text.text if text is not None else None

    def renew_unsaved(self) -> None:
        """Have the index over unsaved texts made anew."""
        if self._overlay is not None:
            self._overlay.renew()

    def lease(self, holder: _Connection, request: dict[str, Any], peer_pid: int) -> str:
        """Take a face in and return ""; or why it is not served."""
        if request.get("installation") != os.fsdecode(installation()):
            return "another ctx"
        if request.get("settings") != self._settings_mark:
            return "other settings"
        try:
            if powers_of(peer_pid) != self._powers:
                return "other powers"
        except OSError:
            return "a process that cannot be seen"
        self.leases.take(holder, str(request.get("face", "")), peer_pid)
        if self._figures.get("is_told"):
            holder.tell({"id": UNASKED, "event": STOPPED})  # the others may have been told already
        return ""

    def release(self, holder: _Connection) -> None:
        """Let a face go with all its texts.

        At the end they stay: who goes then has them and goes on with them, and others must not hear of none.
        """
        is_closing = self._is_closing
        self.leases.release(holder)
        if not is_closing and self._texts is not None and self._overlay is not None:
            dropped = self._texts.drop(holder)
            for os_path in dropped:
                self._tell_servers(os_path)
            if dropped:
                self._overlay.hurry()

    def set_unsaved(self, holder: _Connection, path: str, text: str | None) -> None:
        """Take in what a face has for a file.

        Raises: CtxError for what is refused; see `UnsavedTexts.put`.
        """
        if self._texts is None or self._overlay is None or not self.leases.has(holder):
            raise CtxError("only who has a lease may set unsaved texts")
        before = self._texts.current
        try:
            self._texts.put(holder, path, text)
        finally:
            now = self._texts.current
            for os_path in before.texts.keys() | now.texts.keys():
                if before.texts.get(os_path) is not now.texts.get(os_path):
                    self._tell_servers(os_path)
            self._overlay.hurry()

    def _tell_servers(self, os_path: bytes) -> None:
        """Have the servers know what counts for a file now."""
        with self._lock:
            pool = self._pool
        if pool is not None:
            with self._telling:  # what is read last is told last
                pool.set_unsaved(display_path(os_path), self.text_of(os_path))

    def keep(self) -> None:
        """Be a host that lives without a lease from now on.

        Raises: CtxError when it ends already.
        """
        self._figures.set("is_kept", 1)
        if self._figures.get("is_ending"):
            raise CtxError("it is about to end")

    def prepare(self, language: str, path: str) -> None:
        """Have a server started."""
        self.servers().prepare(language, path)

    def ask(self, question: ServerQuestion) -> PendingReply:
        """Pass a question on."""
        self._asked += 1
        return self.servers().ask(question)

    def status(self) -> dict[str, Any]:
        """Return what there is to know of the host."""
        figures, pool = self._figures, self._pool
        front_pid = figures.get("front_pid")
        host_bytes = proportional_bytes(front_pid) + proportional_bytes(os.getpid())
        return {
            "version": __version__,
            "installation": os.fsdecode(installation()),
            "settings": self._host_settings,
            "front_pid": front_pid,
            "backend_pid": os.getpid(),
            "backend_starts": figures.get("backend_starts"),
            "started_unix_ns": figures.get("started_unix_ns"),
            "served": figures.get("served"),
            "running": figures.get("running"),
            "spares": figures.get("spares"),
            "idle_until_unix_ns": figures.get("idle_until_unix_ns"),
            "uptime_s": round((time.monotonic_ns() - figures.get("started_ns")) / 1e9, 3),
            "questions": self._asked,
            "is_kept": figures.get("is_kept") == 1,
            "faces": self.leases.status(),
            "unsaved": sorted(map(display_path, self._texts.current.texts)) if self._texts is not None else [],
            "host_memory_bytes": host_bytes,
            "servers_memory_bytes": sum(pool.memory_bytes().values()) if pool is not None else 0,
            "index": self._index_status(),
            "servers": pool.status() if pool is not None else [],
        }

    def _index_status(self) -> dict[str, Any]:
        if self._watch is None:
            return {}
        state = self._watch.state
        return {
            "is_clean": self.clean_mark(self._settings_mark) != "",
            "generation": state.generation,
            "is_exact": state.is_exact,
            "folders": state.folders,
            "updates": state.updates,
            "ended": state.ended,
        }

    def _keep_within_memory(self) -> None:
        assert self._services is not None
        limit_bytes = self._services.config.number("daemon.memory_mib") << 20
        pool = self._pool
        servers = pool.memory_bytes() if pool is not None else {}
        if pool is not None:
            for key, size_bytes in list(servers.items()):
                share_bytes = pool.memory_limit_bytes(key)
                if share_bytes and size_bytes > share_bytes:
                    self._log.write("backend", f"{key} takes {size_bytes >> 20} MiB of {share_bytes >> 20}: restarted")
                    pool.restart(key)
                    servers[key] = 0
        host_bytes = proportional_bytes(os.getppid()) + proportional_bytes(os.getpid())
        total_bytes = host_bytes + sum(servers.values())
        if total_bytes > limit_bytes:
            self._log.write(
                "backend", f"host and servers take {total_bytes >> 20} MiB of {limit_bytes >> 20}: the host ends"
            )
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._figures.get("front_pid"), signal.SIGTERM)


class _Connection:
    """A running command's or a face's connection: one thread reads; one waits for servers once there is a question."""

    def __init__(self, backend: Backend, connection: socket.socket) -> None:
        self._backend = backend
        self._socket = connection
        self._sending = threading.Lock()
        self._pending: queue.SimpleQueue[tuple[int, PendingReply] | None] = queue.SimpleQueue()
        self._answerer: threading.Thread | None = None
        self._verbs: dict[str, Callable[[dict[str, Any]], dict[str, Any] | None]] = {
            "clean": self._clean,
            "unsaved": self._unsaved,
            "text": self._text,
            "renew": self._renew,
            "lease": self._lease,
            "set_unsaved": self._set_unsaved,
            "given": self._given,
            "keep": self._keep,
            "prepare": self._prepare,
            "status": self._status,
            "ask": self._ask,
            "kept": self._kept,
        }

    def tell(self, content: dict[str, Any]) -> None:
        """Say something that was not asked."""
        self._send(content)

    def serve(self) -> None:
        buffer = bytearray()
        try:
            self._socket.settimeout(SILENT_CLIENT_S)
            while part := self._socket.recv(1 << 16):
                buffer += part
                for request in frames_in(buffer):
                    self._take(request)
        except (OSError, LinkBrokenError, OverlayClosedError):
            pass  # the last one: whoever asked finds the connection ended, as the backend is about to
        finally:
            self._backend.release(self)
            if self._answerer is not None:
                self._pending.put(_CLOSED)
                self._answerer.join()
            self._socket.close()

    def _take(self, request: dict[str, Any]) -> None:
        number = request["id"]
        verb = str(request.get("verb"))
        answer = self._verbs.get(verb)
        try:
            said = answer(request) if answer is not None else {"error": f"no such verb: {verb}"}
        except (LookupError, TypeError, ValueError, CtxError) as error:
            said = {"error": str(error)}
        if said is not None:
            self._send({"id": number, **said})

    def _clean(self, request: dict[str, Any]) -> dict[str, Any]:
        settings = str(request.get("settings", ""))
        awaits = self._backend.awaits_texts(settings)
        version = self._backend.unsaved_version(settings)
        if version is not None:
            return {"has_unsaved": True, "version": version}
        return {"mark": self._backend.clean_mark(settings), "is_unknown": awaits}

    def _unsaved(self, request: dict[str, Any]) -> dict[str, Any]:
        return look_document(self._backend.look(str(request.get("settings", ""))))

    def _text(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"text": self._backend.text_of(bytes.fromhex(request["path"]))}

    def _renew(self, _request: dict[str, Any]) -> dict[str, Any]:
        self._backend.renew_unsaved()
        return {}

    def _lease(self, request: dict[str, Any]) -> dict[str, Any]:
        refused = self._backend.lease(self, request, peer_of(self._socket)[0])
        # A face may have nothing to say for days; what it asks comes on other connections.
        self._socket.settimeout(SILENT_CLIENT_S if refused else None)
        return {"refused": refused}

    def _set_unsaved(self, request: dict[str, Any]) -> dict[str, Any]:
        text = request["text"]
        try:
            self._backend.set_unsaved(self, str(request["path"]), None if text is None else str(text))
        except CtxError as error:
            return {"refused": str(error)}
        return {}

    def _given(self, _request: dict[str, Any]) -> dict[str, Any]:
        self._backend.leases.note_given(self)
        return {}

    def _keep(self, _request: dict[str, Any]) -> dict[str, Any]:
        self._backend.keep()
        return {}

    def _prepare(self, request: dict[str, Any]) -> dict[str, Any]:
        self._backend.prepare(str(request["language"]), str(request["path"]))
        return {}

    def _status(self, _request: dict[str, Any]) -> dict[str, Any]:
        return self._backend.status()

    def _ask(self, request: dict[str, Any]) -> None:
        pending = self._backend.ask(question_of(request))
        if self._answerer is None:
            self._answerer = threading.Thread(target=self._answer, daemon=True)
            self._answerer.start()
        self._pending.put((request["id"], pending))

    def _kept(self, request: dict[str, Any]) -> dict[str, Any]:
        kept = self._backend.servers().kept(question_of(request))
        return {"reply": reply_document(kept) if kept is not None else None}

    def _answer(self) -> None:
        while (item := self._pending.get()) is not _CLOSED:
            number, pending = item
            self._send({"id": number, "reply": reply_document(pending.result())})

    def _send(self, content: dict[str, Any]) -> None:
        with self._sending, contextlib.suppress(OSError):
            self._socket.sendall(framed(content))
