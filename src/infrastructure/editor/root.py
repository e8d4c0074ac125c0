"""Root: one segment that the editor works in, its threads, its index and what is told of every request.

Two threads over one session: the quick one answers what a person waits for with the cursor in place (definition,
hover), the slow one what takes long (the index, the map, uses, commands). Outlines need neither (see
`outline_features`). A job that needs the index waits for the first one, a moment on a large tree and longer on a small
one, and is then answered from its text alone.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...domain.errors import CtxError, IndexDamagedError
from ...domain.language_server import ServerQuestion
from ...domain.source_files import SourceText, display_path, os_path_of
from ..segment import repository_sha
from .protocol import CONTENT_MODIFIED, REQUEST_FAILED, AnsweredError
from .worker import Worker

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from ..services import Services
    from ..telemetry import Telemetry
    from .documents import Document
    from .session import Session

log = logging.getLogger("ctx.lsp")

LARGE_FILES_MIN = 500
"""Files that a first index has left to do from which on it is not waited for but a moment."""
WAIT_LARGE_S = 0.5
WAIT_UNKNOWN_S = 3.0
"""As long as it is not known how much is left to do: the session is being opened, or somebody else makes the index."""
WAIT_SMALL_S = 10.0
TEXTS_LOOK_S = 0.05
"""Between looks, while texts are waited for, whether anybody takes them in any more."""
LOOK_EVERY_S = 1.0
LOOK_SHARE = 20
"""A look at the files takes place once in so many times as long as it takes, and no more than each `LOOK_EVERY_S`."""
CLOSE_S = 2.0
LAST_WORDS_S = 0.4
"""As long as the end of the process waits for a record that another thread is writing."""
EVENTS_KEPT = 1_000
_NAMES_LOOKED_AT = 500
_SURE_ROLES = frozenset({"definition", "parameter", "variable"})
"""Names that stand where they are defined: whoever knows the file knows what they mean."""


class NotIndexedError(CtxError):
    """The first index is not there yet, or cannot be made."""


@dataclass(slots=True)
class Asked:
    """One request as it came: what telemetry calls it, when it was read off the wire, and whether its event is told."""

    cmd: str
    args: dict[str, Any] = field(default_factory=dict)
    arrived_ns: int = field(default_factory=time.perf_counter_ns)
    is_told: bool = False


@dataclass(slots=True)
class Answer:
    """What a request is answered with, and what telemetry is told of it.

    `server` is the status of the language server's reply, "" when none was asked.
    """

    result: Any
    told: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    server: str = ""


class Root:
    """See the module; made and called in the event loop's thread, unless said otherwise."""

    def __init__(
        self,
        segment: str,
        folder: bytes,
        uri: str,
        loop: asyncio.AbstractEventLoop,
        make_session: Callable[[], Session],
        *,
        on_progress: Callable[[Root, int, int], None],
        on_change: Callable[[Root], None],
        on_note: Callable[[Root, str], None],
    ) -> None:
        """Start nothing yet.

        `folder` is the segment as the editor spells it. The three calls are made in the loop: (done, total) files of
        the first index; when state or servers changed; what a person should know.
        """
        self.segment = segment
        self.folder = folder
        self.uri = uri
        self.is_indexed = False
        self.failure = ""
        self.servers: list[dict[str, Any]] = []
        self.has_host = False
        self.knows_servers = True
        """Off after a look at a host that did not answer; `servers` are then those of the look before."""
        self.last_server = ""
        self.tokens_handed_on = 0
        self.index_files = 0
        self._loop = loop
        self._make_session = make_session
        self._on_progress = on_progress
        self._on_change = on_change
        self._on_note = on_note
        self._quick = Worker("ctx-lsp-quick", loop)
        self._slow = Worker("ctx-lsp-slow", loop)
        self._session: Session | None = None
        self._is_open = threading.Event()
        self._telemetry: Telemetry | None = None
        self._kept_events: list[Callable[[Telemetry], None]] = []
        self._lock = threading.Lock()
        self._indexed = threading.Event()
        self._first_files = 0
        self._change: object = None
        """Another one whenever something changed; what a thread's services have seen of it is that thread's own."""
        self._seen = threading.local()
        self._looked_ns = 0
        self._look_ns = 0
        self._is_look_waiting = False
        self._texts_told = threading.Event()
        """Set when the session has every text up to the latest; each text that is told has its own."""
        self._texts_told.set()
        self._held: set[str] = set()
        """Paths whose unsaved text the session has from here; for the quick thread."""
        self._repo_sha: str | None = None
        self._warmed_up: set[str] = set()
        self._is_closed = False
        self._is_end_told = False
        self._ending = threading.Lock()
        self._started_ns = time.perf_counter_ns()

    @property
    def name(self) -> str:
        """The segment's directory name."""
        return display_path(os.fsencode(os.path.basename(self.segment)))

    @property
    def waiting(self) -> int:
        """Jobs that were not begun."""
        return self._quick.waiting + self._slow.waiting

    def start(self) -> None:
        """Open the sessions and make the first index behind this."""
        self._slow.submit(self._index, urgency=-1).add_done_callback(_told_elsewhere)

    def path_of(self, path: bytes) -> str:
        """Return an absolute path as the segment spells it, "" for one outside."""
        for folder in (self.folder, os.fsencode(self.segment)):
            if path.startswith(folder.rstrip(b"/") + b"/"):
                return display_path(os.path.normpath(path[len(folder.rstrip(b"/")) + 1 :]))
        return ""

    # ------------------------------------------------------------------ asking

    def ask(
        self,
        asked: Asked,
        work: Callable[[Services], Answer],
        *,
        otherwise: Callable[[str], Answer] | None = None,
        document: Document | None = None,
        is_slow: bool = False,
        urgency: int = 1,
    ) -> asyncio.Future[Any]:
        """Have a request answered in its thread and return the future of its result.

        `otherwise` answers from the text alone where the index cannot, and is told why. A request about a document
        that changed since is refused as stale when its turn comes.
        """
        changes = document.changes if document is not None else 0
        told = self._texts_told

        def run() -> Any:
            if is_slow:
                self._await_texts(told)
            if document is not None and document.changes != changes:
                self.tell(asked, Answer(None, {"status": "stale"}))
                raise AnsweredError(CONTENT_MODIFIED, "the document changed meanwhile")
            try:
                answer = self._answered(asked, work, otherwise, is_slow=is_slow)
            except BaseException as error:
                self.tell(asked, Answer(None, {"status": "error", "error": type(error).__name__}))
                raise
            self.tell(asked, answer)
            return answer.result

        worker = self._slow if is_slow else self._quick
        future = worker.submit(run, urgency=urgency)
        future.add_done_callback(lambda done: self.tell_cancelled(asked, done))
        if not is_slow:
            self._look_soon()
        return future

    def _answered(
        self,
        asked: Asked,
        work: Callable[[Services], Answer],
        otherwise: Callable[[str], Answer] | None,
        *,
        is_slow: bool,
    ) -> Answer:
        """Answer in the calling worker's thread."""
        try:
            services = self._ready(is_slow=is_slow)
            before = services.telemetry.bytes_read
            try:
                answer = work(services)
            except IndexDamagedError as error:
                services.rebuild_damaged(error)
                services.refresh()
                answer = work(services)
            answer.extra.setdefault("bytes_read", services.telemetry.bytes_read - before)
            if not asked.cmd.startswith("ctx.lsp."):
                answer.extra |= {"repo_sha": self._repo_sha, "dirty": None}
            if services.unsaved_paths:
                answer.extra["unsaved_files"] = len(services.unsaved_paths)
            self._say_warnings(services)
            return answer
        except CtxError as error:
            if otherwise is None:
                raise
            log.debug("%s: from the text alone: %s", asked.cmd, error)
            return otherwise(str(error))

    def _ready(self, *, is_slow: bool) -> Services:
        """Return the calling thread's services, the index up to date with what is known to have changed.

        A warm host knows at once whether it is; without one every look costs what the tree is large.

        Raises: CtxError when there is no index (yet).
        """
        if not is_slow:
            self._await_index()
        if self.failure and is_slow:
            self._index()  # whatever was wrong may be mended
            if self.failure and self._is_gone:
                raise NotIndexedError(self.failure)
        session = self._opened()
        services = session.services
        if session.joined or self._has_changed or (is_slow and self._is_look_due()):
            self._look(services)
        return services

    def _await_texts(self, told: threading.Event) -> None:
        """Wait in the slow thread for the texts that were told before a request: the quick one takes them in.

        Raises: AnsweredError when it has left them at the end.
        """
        while not told.wait(TEXTS_LOOK_S):
            if self._is_closed:
                raise AnsweredError(REQUEST_FAILED, "the folder is being closed")

    def _await_index(self) -> None:
        while not self._indexed.is_set():
            waited_s = (time.perf_counter_ns() - self._started_ns) / 1e9
            limit_s = WAIT_SMALL_S if self._first_files else WAIT_UNKNOWN_S
            if self._first_files >= LARGE_FILES_MIN:
                limit_s = WAIT_LARGE_S
            if waited_s >= limit_s:
                raise NotIndexedError("the index is not there yet")
            self._indexed.wait(0.05)
        if self.failure:
            raise NotIndexedError(self.failure)

    def _opened(self) -> Session:
        """Return the session; in the quick thread once the slow one has opened it.

        Raises: NotIndexedError when that does not happen.
        """
        if not self._is_open.wait(WAIT_SMALL_S) or self._session is None:
            raise NotIndexedError(self.failure or "the segment is not open yet")
        return self._session

    def _open(self) -> Session:
        """Open the session, in the slow thread."""
        if self._session is None:
            session = self._make_session()
            session.on_lease = lambda: self._in_loop(self._host_changed)
            session.open()
            telemetry = session.services.telemetry
            telemetry.command_start("lsp", "lsp")
            with self._lock:
                self._telemetry = telemetry
                kept, self._kept_events = self._kept_events, []
            for event in kept:
                event(telemetry)
            self._session = session
            self._is_open.set()
        return self._session

    # ------------------------------------------------------------------ the index

    def _index(self) -> None:
        """Open the slow session and bring the index up to date; in the slow thread."""
        try:
            services = self._open().services
            begun_ns = time.perf_counter_ns()
            services.refresh_again(self._progress)
            self._note_look(begun_ns)
            files = services.store.file_count()
            failure = ""
            self._say_warnings(services)
        except CtxError as error:
            files, failure = 0, str(error)
            self._looked_ns = time.perf_counter_ns()
        except Exception as error:
            log.debug("where:", exc_info=error)
            files, failure = 0, f"internal error: {type(error).__name__}: {' '.join(str(error).split())}"

        before, self.failure = self.failure, failure
        self.index_files, self.is_indexed = files, not failure
        self._is_open.set()
        self._indexed.set()

        def look() -> None:
            self._look(self._opened().services)

        def tell() -> None:
            if failure and failure != before:
                self._on_note(self, failure)
            if before and not failure:
                # The other thread's connection may be to the index of a folder that was here before.
                self._quick.submit(look, urgency=-1).add_done_callback(_told_elsewhere)
            self._on_change(self)

        self._in_loop(tell)

    def _progress(self, done: int, total: int) -> None:
        self._first_files = total
        self._in_loop(lambda: self._on_progress(self, done, total))

    @property
    def _has_changed(self) -> bool:
        """Whether the calling thread has not looked since something changed."""
        return getattr(self._seen, "change", None) is not self._change

    def _look(self, services: Services) -> None:
        self._seen.change = self._change
        begun_ns = time.perf_counter_ns()
        try:
            services.refresh_again()
        except CtxError:
            if self._is_gone:
                self._in_loop(self._look_again)
            raise
        self._note_look(begun_ns)

    def _note_look(self, begun_ns: int) -> None:
        self._repo_sha = repository_sha(self.segment)
        self._looked_ns = time.perf_counter_ns()
        self._look_ns = self._looked_ns - begun_ns

    def _is_look_due(self) -> bool:
        interval_ns = max(int(LOOK_EVERY_S * 1e9), self._look_ns * LOOK_SHARE)
        return time.perf_counter_ns() - self._looked_ns >= interval_ns

    def _look_soon(self) -> None:
        """Have the slow thread look at the files when nobody did for a while: what others change shows, too."""
        if self._is_look_waiting or not (self.is_indexed or self.failure) or not self._is_look_due():
            return
        self._is_look_waiting = True

        def look() -> None:
            if self.failure:
                self._index()
                return
            services = self._opened().services
            if self._is_look_due():
                self._look(services)

        def done(future: asyncio.Future[Any]) -> None:
            self._is_look_waiting = False
            if not future.cancelled() and (error := future.exception()) is not None:
                log.debug("looking at %s: %s", self.segment, error)

        self._slow.submit(look, urgency=5).add_done_callback(done)

    @property
    def _is_gone(self) -> bool:
        return not os.path.isdir(self.segment)

    def _look_again(self) -> None:
        """Have the slow thread find out whether the segment is there, when it went away or may be back."""

        def look() -> None:
            if bool(self.failure) != self._is_gone:
                self._index()

        if not self._is_closed:
            self._slow.submit(look).add_done_callback(_told_elsewhere)

    def _host_changed(self) -> None:
        """Find out what is served now: another host may serve another directory."""
        if not self._is_closed:
            self.mark_changed()
            self._look_again()
            self.ask_status()

    def mark_changed(self) -> None:
        """Have the next answer of each thread look at the files first."""
        self._change = object()

    # ------------------------------------------------------------------ documents and servers

    def set_unsaved(self, path: str, text: str | None) -> asyncio.Future[Any]:
        """Have a text answer in place of the file's, before anything that is asked from now on.

        One that is the file's again (undone, or loaded anew) is not unsaved.
        """

        told = self._texts_told = threading.Event()

        def put() -> None:
            try:
                session = self._opened()
                is_saved = text is not None and self._text_on_disk(path) == _comparable(text)
                self._set_unsaved(session, path, None if is_saved else text)
            finally:
                told.set()

        future = self._quick.submit(put, urgency=0)
        future.add_done_callback(_told_elsewhere)
        return future

    def _set_unsaved(self, session: Session, path: str, text: str | None) -> None:
        self._held.discard(path)
        try:
            session.set_unsaved(path, text)
            if text is not None:
                self._held.add(path)
        except CtxError as error:
            message = str(error)
            self._in_loop(lambda: self._on_note(self, message))
        finally:
            self.mark_changed()  # not before: a look meanwhile would not see the text

    def opened(self, path: str, text: str, *, is_small: bool) -> None:
        """Have the file's language server warm up; a text that is not the file's (restored by the editor) counts."""
        told = self._texts_told = threading.Event()

        def look() -> None:
            try:
                session = self._opened()
                on_disk = self._text_on_disk(path)
                if on_disk is None:
                    differs = not os.path.lexists(os.path.join(os.fsencode(self.segment), os_path_of(path)))
                else:
                    differs = on_disk != _comparable(text)
                if is_small and differs:
                    self._set_unsaved(session, path, text)
                elif path in self._held:
                    self._set_unsaved(session, path, None)
            finally:
                told.set()
            session.prepare(path)
            self._warm_up(path, text)

        self._quick.submit(look, urgency=0).add_done_callback(_told_elsewhere)
        self.ask_status()

    def _text_on_disk(self, path: str) -> str | None:
        """Return a file's text as `_comparable`; None for one that is not there or not read.

        The session's own files are no help: they may show the text that another editor holds.
        """
        from ..file_system import FileSystemAdapter
        from ..null_telemetry import NullTelemetry

        try:
            source = FileSystemAdapter(self.segment, telemetry=NullTelemetry()).read_source(os_path_of(path))
        except CtxError:
            return None
        return _comparable(source.text) if isinstance(source, SourceText) else None

    def _warm_up(self, path: str, text: str) -> None:
        """Have the file's server show that it knows the sources: it is ready by its first right answer, and not before.

        Asked once a language, in the slow thread, where nobody waits for it.
        """
        from ..ast_lsp.references import NameReader
        from ..languages import language_of

        source = text.encode("utf-8", "replace")
        language = language_of(path, source)
        if language in self._warmed_up or not source:
            return
        tree = NameReader().read(source, language)
        lines = range(1, (tree.line_count if tree is not None else 0) + 1)
        uses = (use for line in lines for use in (tree.names_on(line) if tree is not None else ()))
        first = next((use for use in itertools.islice(uses, _NAMES_LOOKED_AT) if use.role in _SURE_ROLES), None)
        if first is None:
            return
        self._warmed_up.add(language)
        question = ServerQuestion("definition", path, first.line, first.column, language, first.name)

        def ask() -> None:
            servers = self._opened().services.servers
            if servers is not None:
                servers.ask(question).result()

        def submit() -> None:
            self._slow.submit(ask, urgency=4).add_done_callback(_told_elsewhere)
            self.ask_status()

        self._in_loop(submit)

    def ask_status(self) -> None:
        """Have the state of the servers be found out."""

        def ask() -> dict[str, Any]:
            return self._opened().status()

        def take(future: asyncio.Future[Any]) -> None:
            if future.cancelled() or future.exception() is not None:
                return
            status = future.result()
            known = status["servers"]
            self.knows_servers = known is not None
            servers = [{"name": one["server"], "state": one["state"]} for one in known or ()]
            servers = servers if self.knows_servers else self.servers  # as far as anybody knows
            # What is warming up, or not known, has to be looked at again, changed or not.
            is_open = self.warming or not self.knows_servers
            if is_open or (servers, status["host"]) != (self.servers, self.has_host):
                self.servers, self.has_host = servers, status["host"]
                self._on_change(self)

        self._quick.submit(ask, urgency=4).add_done_callback(take)

    @property
    def warming(self) -> str:
        """The name of a server that is warming up, "" when none is."""
        return next((one["name"] for one in self.servers if one["state"] == "warming up"), "")

    @property
    def state(self) -> str:
        """indexing, warming, ready or fallback; docs/editor-server.md says what each means."""
        if self.failure:
            return "fallback"
        if not self.is_indexed:
            return "indexing"
        if self.warming:
            return "warming"
        return "fallback" if self.last_server in ("error", "crashed", "circuit_open") else "ready"

    # ------------------------------------------------------------------ telemetry

    def tell(self, asked: Asked, answer: Answer) -> None:
        """Write the event of a request, the first one that there is; from any thread.

        One that was cancelled while it was answered has nobody any more who takes the answer.
        """
        duration_ns = time.perf_counter_ns() - asked.arrived_ns
        state = self.state
        tokens = answer.told.get("total_tokens", 0)

        def write(telemetry: Telemetry) -> None:
            telemetry.event(
                asked.cmd,
                asked.args,
                {"status": "ok", **answer.told},
                duration_ns // 1_000_000,
                duration_ns=duration_ns,
                face="lsp",
                state=state,
                **answer.extra,
            )

        with self._lock:
            if asked.is_told:
                return
            asked.is_told = True
            self.last_server = answer.server or self.last_server
            self.tokens_handed_on += tokens
            telemetry = self._telemetry
            if telemetry is None:
                if len(self._kept_events) < EVENTS_KEPT:
                    self._kept_events.append(write)
                return
        write(telemetry)
        if self._is_end_told and answer.told.get("status") != "cancelled":  # of those there may be thousands
            self._count_late()
        if answer.server or tokens:
            self._in_loop(lambda: self._on_change(self))

    def tell_cancelled(self, asked: Asked, future: asyncio.Future[Any]) -> None:
        """Write the event of a request whose future is done, if it was cancelled."""
        if future.cancelled():
            self.tell(asked, Answer(None, {"status": "cancelled"}))

    def flush(self) -> None:
        """Write the counters."""
        telemetry = self._telemetry
        if telemetry is not None:
            self._slow.submit(lambda: telemetry.flush(is_last=False), urgency=6).add_done_callback(_told_elsewhere)

    def summary(self) -> dict[str, Any]:
        """Return what telemetry says of this process; from any thread."""
        telemetry = self._telemetry
        return telemetry.summary() if telemetry is not None else {}

    # ------------------------------------------------------------------ end

    def leave(self) -> None:
        """Let go of everything behind this: the editor goes on."""
        if not self._is_closed:
            self._close(0, wait_s=0.0)

    def close(self, exit_code: int, *, wait_s: float = CLOSE_S, is_hasty: bool = False) -> None:
        """Write the last events and let go of everything, for no longer than that; blocks the loop.

        In haste the servers are left to end with the process.
        """
        if self._is_closed:
            return
        if is_hasty:
            self._is_closed = True
            self._tell_end(exit_code)
        else:
            self._close(exit_code, wait_s=wait_s)
            self._tell_end(exit_code)  # a thread that is at something long has not come to it, and will not

    def _close(self, exit_code: int, *, wait_s: float) -> None:
        self._is_closed = True
        deadline = time.monotonic() + wait_s
        is_idle = threading.Event()
        self._quick.close(is_idle.set, wait_s=wait_s)

        def last() -> None:
            is_idle.wait()  # what the quick thread is at needs the session
            session, self._session = self._session, None
            try:
                self._tell_end(exit_code)
            finally:
                if session is not None:
                    session.close()
                    self._count_late()

        self._slow.close(last, wait_s=max(0.0, deadline - time.monotonic()))

    def _tell_end(self, exit_code: int) -> None:
        """Write the end of the run, once; who comes second waits for it, but not for ever: the process may end then."""
        telemetry = self._telemetry
        if telemetry is None or not self._ending.acquire(timeout=LAST_WORDS_S):
            return
        try:
            if not self._is_end_told:
                self._is_end_told = True
                telemetry.command_end("lsp", "lsp", exit_code, time.perf_counter_ns() - self._started_ns)
                telemetry.flush()
        finally:
            self._ending.release()

    def _count_late(self) -> None:
        """Write the counters once more: what nobody waited for, and servers that ended with the session, told of it."""
        if self._telemetry is not None:
            self._telemetry.flush()

    # ------------------------------------------------------------------ parts

    def _say_warnings(self, services: Services) -> None:
        while services.warnings:
            text = services.warnings.pop(0)
            self._in_loop(lambda text=text: self._on_note(self, text))  # type: ignore[misc]

    def _in_loop(self, call: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is there to be told
            self._loop.call_soon_threadsafe(call)


def _comparable(text: str) -> str:
    """Return a text without what editors hold in different ways: line ends and a byte order mark."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n")


def _told_elsewhere(future: asyncio.Future[Any]) -> None:
    """Take the outcome of a job that nobody awaits."""
    if not future.cancelled() and (error := future.exception()) is not None:
        log.debug("a job failed: %s: %s", type(error).__name__, error)
