"""LSPClient: one language server, asked within a deadline.

Owns the protocol's life cycle, what READY means, documents, what the server asks of us, and what happens when it is
slow, wrong or dead. Streams and processes are `lsp_process`, which server is asked for what is `language_servers`.

A server is READY when it is initialized and has shown that it knows the sources: by a first right definition (not
empty, and the line it points to holds the name that was asked for), by its first published diagnostics, or by its first
answer to a pull for them, for servers that publish none. Until then its answers are provisional: what it is asked is
asked again.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ...domain.circuit_breaker import CircuitBreaker
from ...domain.file_uris import uri_of_path
from ...domain.language_server import (
    Cold,
    Failed,
    Ready,
    ServerReply,
    Stopped,
    Warming,
)
from ...domain.source_files import display_path, os_path_of
from ...domain.text_positions import DEFAULT_ENCODING, to_server
from .lsp_answers import PlaceReader, client_capabilities, hover_text, setting_of
from .lsp_documents import OpenDocuments
from .lsp_process import start_server
from .lsp_record import LifeRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from ...domain.language_server import FallbackReason, ReadyVia, ServerPlace, ServerQuestion, ServerState
    from ...domain.ports import Clock, TelemetryPort
    from ...domain.text_positions import PositionEncoding
    from .lsp_process import Connection, Listener, ProcessEnd
    from .server_discovery import FoundServer

    Opener = Callable[[Sequence[str], str, Mapping[str, str], Listener], Connection]

DEADLINE_MS = 500
INITIALIZE_LIMIT_S = 60.0
"""The longest a server may take to answer `initialize`; jdtls on a large project takes 20 s."""
LATE_LIMIT_S = 30.0
"""How long an answer that nobody waits for any more is still welcome."""
RETRY_S = 0.03
RETRY_MAX_S = 0.5
"""Between asking again a server that is not ready: the first time, doubled each time after it, and at most."""
SETTLED_AFTER_S = 10.0
"""A ready server that has published no diagnostics by then will not; its references are believed."""
PROGRESS_LIMIT_S = 120.0
"""A server that tells of work and never of its end is believed all the same after this."""
STOP_PATIENCE_S = 1.0
"""For each step of the way out: the answer to `shutdown`, the exit."""

_METHODS = {
    "definition": "textDocument/definition",
    "references": "textDocument/references",
    "hover": "textDocument/hover",
}
_METHOD_NOT_FOUND, _CONTENT_MODIFIED, _REQUEST_CANCELLED, _SERVER_CANCELLED = -32601, -32801, -32800, -32802
_CHANGE_KINDS = {"created": 1, "changed": 2, "deleted": 3}


@dataclass(slots=True, eq=False)
class _Ask:
    """A question on its way; `request_id` while it is on the wire, `rides` while the same question of another is.

    `is_outdated` once its file has another text: the server must not be told of this one again.
    """

    question: ServerQuestion
    text: str
    begun_ns: int
    deadline_ns: int
    client: LSPClient
    on_reply: Callable[[ServerQuestion, ServerReply], None] | None
    request_id: int | None = None
    was_sent: bool = False
    rides: bool = False
    is_outdated: bool = False
    retry_at_ns: int | None = None
    retry_s: float = RETRY_S
    reply: ServerReply | None = None

    def result(self) -> ServerReply:
        """Wait for the reply; see `PendingReply`."""
        return self.client.await_reply(self)

    def is_there(self) -> bool:
        """Tell whether there is a reply; see `PendingReply`."""
        return self.reply is not None


@dataclass(slots=True)
class _Life:
    """One process of the server, from its start to its end."""

    connection: Connection
    record: LifeRecord
    documents: OpenDocuments
    encoding: PositionEncoding = DEFAULT_ENCODING
    capabilities: dict[str, Any] = field(default_factory=dict)
    pid: int | None = None
    requests: dict[int, _Ask | str] = field(default_factory=dict)
    is_ending: bool = False
    pulled: bool = False
    ready_at_ns: int | None = None
    has_diagnosed: bool = False
    progress: dict[str, int] = field(default_factory=dict)


class LSPClient:
    """One server in one folder; thread-safe. It is started by the first question and again after it died.

    `deadline_ms` counts for each question from when it is asked here. One that passed it is cancelled on the wire,
    with `keeps_late` only when its answer does not come at all: it is still good for the next who asks (`on_reply` of
    `ask`). `read_text` gives the text of a file by the path that questions carry, None for one that cannot be read.
    """

    def __init__(
        self,
        server: FoundServer,
        *,
        segment: str,
        telemetry: TelemetryPort,
        clock: Clock,
        read_text: Callable[[str], str | None],
        deadline_ms: int = DEADLINE_MS,
        keeps_late: bool = False,
        initialize_limit_s: float = INITIALIZE_LIMIT_S,
        environ: Mapping[str, str] | None = None,
        open_connection: Opener = start_server,
    ) -> None:
        self.server = server
        self.name = server.backend.name
        self._segment = os.fsencode(segment)
        self._telemetry = telemetry
        self._clock = clock
        self._read_text = read_text
        self._reader = PlaceReader(self._segment, read_text)
        self._deadline_ms = deadline_ms
        self._keeps_late = keeps_late
        self._initialize_limit_ns = int(initialize_limit_s * 1e9)
        self._environment = {**(os.environ if environ is None else environ), **server.environment}
        self._open_connection = open_connection
        self._changed = threading.Condition(threading.RLock())
        self._state: ServerState = Cold()
        self._life: _Life | None = None
        self._last_id = 0
        self._starts = 0
        self._asks: list[_Ask] = []
        self._breaker = CircuitBreaker()
        self._registrations: dict[str, str] = {}
        self._unsaved: dict[str, tuple[str, str]] = {}
        self._texts_told = 0
        self._is_over = False

    # ------------------------------------------------------------------ what callers do

    @property
    def state(self) -> ServerState:
        """What the server is doing."""
        with self._changed:
            return self._state

    @property
    def breaker_state(self) -> str:
        """What the circuit breaker does, for people; "" when nothing went wrong."""
        with self._changed:
            return self._breaker.describe(self._clock.perf_counter_ns())

    @property
    def process_id(self) -> int | None:
        """The server's process (also its process group), None when none runs."""
        with self._changed:
            return self._life.pid if self._life is not None else None

    @property
    def launcher_is_running(self) -> bool:
        """Whether a process of the server is there, even one on its way out."""
        with self._changed:
            return self._life is not None

    def start(self) -> None:
        """Start the server if it is not running and not to be left alone; its warm-up goes on behind this."""
        with self._changed:
            if self._life is None and not self._breaker.is_open(self._clock.perf_counter_ns()):
                self._spawn()

    def ask(
        self, question: ServerQuestion, *, on_reply: Callable[[ServerQuestion, ServerReply], None] | None = None
    ) -> _Ask:
        """Ask and return at once; `on_reply` is called with every answer of the server, in time or late."""
        now_ns = self._clock.perf_counter_ns()
        ask = _Ask(question, "", now_ns, now_ns + self._deadline_ms * 1_000_000, self, on_reply)
        told = self._texts_told
        text = question.text if question.text is not None else self._read_text(question.path)
        with self._changed:
            if text is None:
                self._settle(ask, "error", detail=f"{question.path} cannot be read as text")
                return ask
            ask.text = text
            if told != self._texts_told and question.text is None:  # by another thread, while it was read
                ask.is_outdated = self._read_text(question.path) != text
            if self._breaker.is_open(now_ns):
                self._settle(ask, "circuit_open", detail=self._breaker.describe(now_ns))
                return ask
            if self._life is None:
                self._spawn()
            if self._life is None:
                self._settle(ask, "crashed", detail=self._state.describe())
                return ask
            if self._life.is_ending:
                self._settle(ask, "crashed", detail=f"{self.name} is being ended")
                return ask
            self._asks.append(ask)
            if self._is_initialized():
                self._put(ask)
        return ask

    def await_reply(self, ask: _Ask) -> ServerReply:
        """Wait until a question is answered or its deadline has passed."""
        with self._changed:
            while ask.reply is None:
                left_ns = ask.deadline_ns - self._clock.perf_counter_ns()
                if left_ns <= 0:
                    self._give_up(ask)
                    break
                self._changed.wait(left_ns / 1e9)
            assert ask.reply is not None
            return ask.reply

    def set_unsaved(self, path: str, language: str, text: str | None) -> None:
        """Have the server know this text in place of the file's, None: the file's again; replayed when it starts.

        A text of a language that the server has nothing to do with is not for it.
        """
        with self._changed:
            if text is None:
                if self._unsaved.pop(path, None) is None:
                    return
            elif language in self.server.backend.languages:
                self._unsaved[path] = (language, text)
            else:
                return
            self._texts_told += 1
            asks = self._asks_about_files({path})
            self._outdate(asks, {path: text if text is not None or not asks else self._read_text(path)})
            life = self._life
            if life is None or not self._is_initialized():
                return
            if text is not None:
                self._know_text(life, path, language, text)
            elif (uri := self._uri(path)) in life.documents:
                life.documents.close(uri)

    def announce(self, changes: Iterable[tuple[str, str]]) -> None:
        """Tell the server which files were "created", "changed" or "deleted", by paths relative to the segment.

        A document that is open is what the server goes by, not its file: it is changed with that, or closed. What is
        asked about a text that is not the file's any more is not asked again.
        """
        changes = list(changes)
        # Without the lock, as the files are read: of another branch there may be thousands, and others have deadlines.
        uris = {path: self._uri(path) for path, _kind in changes}
        with self._changed:
            self._texts_told += 1
            life = self._life
            if life is None:
                return
            asks = self._asks_about_files({path for path, _kind in changes} - self._unsaved.keys())
            asked = {ask.question.path for ask in asks}
            opened = {path for path, uri in uris.items() if uri in life.documents} - self._unsaved.keys()
            read = [(path, kind) for path, kind in changes if path in asked or path in opened]
        texts = {path: None if kind == "deleted" else self._read_text(path) for path, kind in read}
        with self._changed:
            self._outdate(asks, texts)
            if self._life is not life or not self._is_initialized():
                return  # what is not initialized reads everything afterwards
            for path, text in texts.items():
                if path in self._unsaved or uris[path] not in life.documents:
                    continue  # it is not open, or not with what is on disk
                if text is None:
                    life.documents.close(uris[path])
                else:
                    life.documents.change(uris[path], text)
            events = [{"uri": uris[path], "type": _CHANGE_KINDS[kind]} for path, kind in changes]
            if events:
                _notify(life.connection, "workspace/didChangeWatchedFiles", {"changes": events})

    def stop(self, *, politely: bool = True, for_good: bool = False) -> None:
        """End the server and all it started, and wait for that; what is asked meanwhile gets no answer.

        `for_good`: nor does what is asked later, by who found this client before: nobody would end a server again.
        """
        with self._changed:
            self._is_over = self._is_over or for_good
            life = self._life
            if life is None:
                if not isinstance(self._state, Failed):
                    self._state = Stopped()
                return
            life.is_ending = True
            if politely and self._is_initialized():
                request_id = self._request(life, "shutdown", None, "shutdown")
                end_ns = self._clock.perf_counter_ns() + int(STOP_PATIENCE_S * 1e9)
                while request_id in life.requests and self._life is life:
                    left_s = (end_ns - self._clock.perf_counter_ns()) / 1e9
                    if left_s <= 0 or not self._changed.wait(left_s):
                        break
                _notify(life.connection, "exit", None)
        if politely:
            life.connection.close_input()
            if life.connection.join(STOP_PATIENCE_S):
                return
        life.connection.kill()
        life.connection.join(10 * STOP_PATIENCE_S)

    # ------------------------------------------------------------------ the start

    def _spawn(self) -> None:
        if self._is_over:
            return
        self._starts += 1
        record = LifeRecord(self.name, self._telemetry, self._clock, is_first=self._starts == 1)
        self._state = Warming(record.started_ns)
        try:
            connection = self._open_connection(
                self.server.command, self.server.root, self._environment, _Events(self, self._starts)
            )
        except OSError as error:
            self._fail_start(record, error.strerror or type(error).__name__)
            return
        self._life = life = _Life(connection, record, OpenDocuments(partial(_notify, connection)))
        root = uri_of_path(os.fsencode(self.server.root))
        parameters = {
            "processId": os.getpid(),
            "clientInfo": {"name": "ctx"},
            "rootUri": root,
            "rootPath": self.server.root,
            "workspaceFolders": [self._folder()],
            "capabilities": client_capabilities(pulls_diagnostics=self.server.backend.pulls_diagnostics),
        }
        options = dict(self.server.backend.initialization_options)
        if options:
            parameters["initializationOptions"] = options
        self._request(life, "initialize", parameters, "initialize")
        connection.wake()

    def _folder(self) -> dict[str, str]:
        root = os.fsencode(self.server.root)
        return {"uri": uri_of_path(root), "name": display_path(os.path.basename(root)) or "root"}

    def _fail_start(self, record: LifeRecord, reason: str) -> None:
        self._state = Failed(f"could not be started: {reason}")
        self._breaker.record_failure(self._clock.perf_counter_ns(), self._state.reason)
        record.spawned(None, status="error")

    def on_started(self, start: int, pid: int) -> None:
        """Called by the connection of the `start`-th process, as the other `on_…`."""
        with self._changed:
            life = self._of(start)
            if life is not None:
                life.pid = pid
                life.record.spawned(pid, status="ok")

    def _initialized(self, life: _Life, message: dict[str, Any]) -> None:
        result = message.get("result")
        is_right = "error" not in message and isinstance(result, dict)
        life.record.initialized("ok" if is_right else "error", capabilities=is_right)
        if not isinstance(result, dict) or not is_right:
            said = message.get("error")
            detail = said.get("message", "") if isinstance(said, dict) else "no object"
            self._abort(life, f"refused to initialize: {detail}")
            return
        capabilities = result.get("capabilities")
        life.capabilities = capabilities if isinstance(capabilities, dict) else {}
        said = life.capabilities.get("positionEncoding")
        if said in ("utf-8", "utf-16", "utf-32"):  # no set: what a server says may be a list
            life.encoding = said
        self._state = Warming(life.record.started_ns, is_initialized=True)
        _notify(life.connection, "initialized", {})
        settings = self.server.backend.settings(self.server.interpreter)
        _notify(life.connection, "workspace/didChangeConfiguration", {"settings": settings})
        for path, (language, text) in self._unsaved.items():
            self._know_text(life, path, language, text)
        for ask in [ask for ask in self._asks if self._is_wanted(ask)]:
            self._put(ask)
        self._changed.notify_all()

    def _abort(self, life: _Life, reason: str) -> None:
        """Give a life up that is no use; its end does the rest."""
        self._state = Failed(reason)
        life.connection.kill()

    def _become_ready(self, life: _Life, via: ReadyVia, path: str = "", *, answered: _Ask | None = None) -> None:
        if isinstance(self._state, Ready) or not self._is_initialized() or life.is_ending:
            return
        self._state = Ready(via, life.record.since_start_ns() / 1e6)
        life.ready_at_ns = self._clock.perf_counter_ns()
        life.record.ready(via, path)
        # Whatever it said before counts as said by one that did not know yet.
        if answered in self._asks:
            self._asks.remove(answered)
        self._ask_again()
        self._changed.notify_all()

    # ------------------------------------------------------------------ questions

    def _put(self, ask: _Ask) -> None:
        """Send a question to an initialized server, unless the same one is on its way: its answer is for both."""
        life = self._life
        if life is None or life.is_ending or ask.request_id is not None:
            return
        ask.retry_at_ns = None
        if ask.is_outdated:
            self._settle(ask, "error", detail=f"{ask.question.path} was changed while it was asked about")
            return
        ask.rides = any(one.request_id is not None and _is_same(one, ask) for one in self._asks)
        if ask.rides:
            ask.was_sent = True
            return
        uri = self._know_text(life, ask.question.path, ask.question.language, ask.text)
        line, character = to_server(ask.text, ask.question.line, ask.question.column, life.encoding)
        parameters: dict[str, Any] = {
            "textDocument": {"uri": uri},
            "position": {"line": line, "character": character},
        }
        if ask.question.method != "definition" and not isinstance(self._state, Ready) and not ask.was_sent:
            # Where it stands is a definition more often than not: answering that makes the server ready.
            self._request(life, _METHODS["definition"], dict(parameters), f"probe {ask.question.name}")
        if ask.question.method == "references":
            parameters["context"] = {"includeDeclaration": ask.question.include_declaration}
        ask.was_sent = True
        ask.request_id = self._request(life, _METHODS[ask.question.method], parameters, ask)

    def _answered(self, life: _Life, ask: _Ask, message: dict[str, Any]) -> None:
        if life.is_ending:
            # One that was asked to shut down may have let go of the sources: that it names nothing says nothing.
            ask.request_id = None
            self._settle(ask, "crashed", detail=f"{self.name} is being ended")
            return
        error = message.get("error")
        if isinstance(error, dict):
            ask.request_id = None
            code = error.get("code")
            if code in (_CONTENT_MODIFIED, _SERVER_CANCELLED) and self._is_wanted(ask):
                self._retry_later(ask)
            elif code != _REQUEST_CANCELLED or ask.reply is None:
                self._breaker.record_success()  # it lives and talks
                detail = str(error.get("message", ""))[:200]
                self._settle(ask, "error", detail=f"{self.name} answered with an error: {detail}")
            return
        result = message.get("result")
        if error is not None or not isinstance(result, list | dict | None):
            ask.request_id = None
            self._settle(ask, "error", detail=f"{self.name} answered with what is no answer")
            return
        reply = self._reply_of(life, ask, result)
        ask.request_id = None
        if ask.question.method == "definition" and self._is_right(ask, reply):
            self._become_ready(life, "definition", ask.question.path, answered=ask)
        if not isinstance(self._state, Ready) or (ask.question.method == "references" and not self._is_settled(life)):
            if self._is_wanted(ask):
                self._retry_later(ask)
            return
        self._breaker.record_success()
        self._deliver(ask, reply)

    def _probed(self, life: _Life, name: str, message: dict[str, Any]) -> None:
        """Take the answer to a definition asked to learn whether the server is ready."""
        places = self._places(life, message.get("result"), {})
        if places and (not name or any(name in text for _place, text in places)):
            self._become_ready(life, "definition")

    def _is_settled(self, life: _Life) -> bool:
        """Tell whether a ready server has gone through the whole project, as far as that shows.

        A right definition comes before the server knows all files (pyright lists them meanwhile, pyrefly indexes), and
        references then are those of the files it knows.
        """
        now_ns = self._clock.perf_counter_ns()
        if any(now_ns - begun_ns < PROGRESS_LIMIT_S * 1e9 for begun_ns in life.progress.values()):
            return False
        return life.has_diagnosed or (
            life.ready_at_ns is not None and now_ns - life.ready_at_ns >= SETTLED_AFTER_S * 1e9
        )

    def _is_right(self, ask: _Ask, reply: ServerReply) -> bool:
        return bool(reply.places) and (not ask.question.name or reply.detail == "right")

    def _retry_later(self, ask: _Ask) -> None:
        ask.retry_at_ns = self._clock.perf_counter_ns() + int(ask.retry_s * 1e9)
        ask.retry_s = min(ask.retry_s * 2, RETRY_MAX_S)

    def _reply_of(self, life: _Life, ask: _Ask, result: Any) -> ServerReply:
        question = ask.question
        hover, found = "", []
        if question.method == "hover":
            hover = hover_text(result)
        else:
            found = self._places(life, result, {question.path: ask.text})
        right = not question.name or any(question.name in text for _place, text in found)
        return ServerReply(
            self.name,
            "answered",
            tuple(dict.fromkeys(place for place, _text in found)),
            hover,
            was_sent=True,
            elapsed_ns=self._clock.perf_counter_ns() - ask.begun_ns,
            deadline_ms=self._deadline_ms,
            detail="right" if right else "",
        )

    def _deliver(self, ask: _Ask, reply: ServerReply) -> None:
        """Hand an answer on: to who waits, and to who keeps it for the next."""
        reply = replace(reply, detail="")
        for one in (ask, *(one for one in self._asks if one.rides and _is_same(one, ask))):
            if one in self._asks:
                self._asks.remove(one)
            if one.reply is None:
                one.reply = replace(reply, elapsed_ns=self._clock.perf_counter_ns() - one.begun_ns)
        if ask.on_reply is not None:
            ask.on_reply(ask.question, reply)
        self._changed.notify_all()

    def _settle(self, ask: _Ask, status: FallbackReason, *, detail: str = "") -> None:
        """End a question without an answer."""
        self._leave(ask)
        if ask.reply is None:
            ask.reply = self._no_answer(ask, status, detail)
        self._changed.notify_all()

    def _leave(self, ask: _Ask) -> None:
        """Take a question off the list; those that waited for its answer are asked themselves."""
        if ask in self._asks:
            self._asks.remove(ask)
        for one in [one for one in self._asks if one.rides and _is_same(one, ask)]:
            one.rides = False
            if self._is_initialized() and self._is_wanted(one):
                self._put(one)

    def _no_answer(self, ask: _Ask, status: FallbackReason, detail: str) -> ServerReply:
        # Nothing was waited for past the deadline: whoever takes the reply later was busy with something else.
        elapsed_ns = min(self._clock.perf_counter_ns(), ask.deadline_ns) - ask.begun_ns
        return ServerReply(
            self.name,
            status,
            was_sent=ask.was_sent,
            elapsed_ns=elapsed_ns,
            deadline_ms=self._deadline_ms,
            detail=detail,
        )

    def _give_up(self, ask: _Ask) -> None:
        """The deadline has passed: whoever asked gets no answer, the next who asks may."""
        is_waiting = ask.request_id is not None or ask.rides
        status: FallbackReason = "timeout" if is_waiting else "not_ready"
        ask.reply = self._no_answer(ask, status, self._state.describe())
        if is_waiting and isinstance(self._state, Ready):
            self._count_timeout(ask)
        if self._keeps_late and ask.on_reply is not None:
            if self._life is not None:
                self._life.connection.wake()  # for the limit of what is late
            return
        self._cancel(ask)
        self._leave(ask)

    def _count_timeout(self, ask: _Ask) -> None:
        """One question more that a ready server did not answer in time; one that never does is ended.

        Busy with a large question it is left alone and comes back by itself: only the second opening without a word of
        it in between is the end.
        """
        now_ns = self._clock.perf_counter_ns()
        self._breaker.record_timeout(now_ns, asked_ns=ask.begun_ns)
        if self._breaker.openings > 1 and self._life is not None:
            self._life.is_ending = True
            self._life.connection.kill()

    def _cancel(self, ask: _Ask) -> None:
        life = self._life
        if life is not None and ask.request_id is not None:
            # What is on the wire stays known: an answer that crosses this is still one.
            _notify(life.connection, "$/cancelRequest", {"id": ask.request_id})

    def _is_wanted(self, ask: _Ask) -> bool:
        return ask.reply is None or (self._keeps_late and ask.on_reply is not None)

    # ------------------------------------------------------------------ documents

    def _asks_about_files(self, paths: Collection[str]) -> list[_Ask]:
        """Return the questions on their way about these files, as whoever gives their texts has them."""
        return [ask for ask in self._asks if ask.question.text is None and ask.question.path in paths]

    def _outdate(self, asks: Iterable[_Ask], texts: Mapping[str, str | None]) -> None:
        """Note which of these questions are about another text than their file's, now `texts`."""
        for ask in asks:
            ask.is_outdated = ask.is_outdated or texts[ask.question.path] != ask.text

    def _uri(self, path: str) -> str:
        return uri_of_path(os.path.join(self._segment, os_path_of(path)))

    def _know_text(self, life: _Life, path: str, language: str, text: str) -> str:
        """Have the server know the text; return the document's URI."""
        uri = self._uri(path)
        unsaved = {self._uri(one) for one in self._unsaved}
        if life.documents.know(uri, self.server.backend.language_id(language), text, unsaved):
            self._pull_diagnostics(life, uri)
        return uri

    def _pull_diagnostics(self, life: _Life, uri: str) -> None:
        is_offered = (
            "diagnosticProvider" in life.capabilities or "textDocument/diagnostic" in self._registrations.values()
        )
        if self.server.backend.pulls_diagnostics and is_offered and not life.pulled:
            life.pulled = True
            self._request(life, "textDocument/diagnostic", {"textDocument": {"uri": uri}}, f"diagnostic {uri}")

    # ------------------------------------------------------------------ the wire

    def _request(self, life: _Life, method: str, parameters: Any, what: _Ask | str) -> int:
        self._last_id += 1
        life.requests[self._last_id] = what
        life.connection.send({"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": parameters})
        return self._last_id

    def on_message(self, start: int, message: dict[str, Any]) -> None:
        """Take a message of the server."""
        with self._changed:
            life = self._of(start)
            if life is None:
                return
            method = message.get("method")
            if isinstance(method, str):
                if "id" in message:
                    self._answer(life, message["id"], method, message.get("params"))
                else:
                    self._noted(life, method, message.get("params"))
                return
            what = life.requests.pop(message["id"], None) if isinstance(message.get("id"), int) else None
            if isinstance(what, _Ask):
                self._answered(life, what, message)
            elif what == "initialize":
                self._initialized(life, message)
            elif what == "shutdown":
                self._changed.notify_all()
            elif what is not None and what.startswith("probe "):
                self._probed(life, what.removeprefix("probe "), message)
            elif what is not None and "error" not in message:
                result = message.get("result")
                found = result.get("items") if isinstance(result, dict) else None
                self._diagnosed(life, what.removeprefix("diagnostic "), found)

    def _answer(self, life: _Life, request_id: Any, method: str, parameters: Any) -> None:
        """Answer what the server asks: unanswered, many wait for ever."""
        parameters = parameters if isinstance(parameters, dict) else {}
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": request_id}
        if method == "workspace/configuration":
            settings = self.server.backend.settings(self.server.interpreter)
            items = parameters.get("items")
            answer["result"] = [setting_of(settings, item) for item in items] if isinstance(items, list) else []
        elif method == "workspace/workspaceFolders":
            answer["result"] = [self._folder()]
        elif method in {"client/registerCapability", "client/unregisterCapability"}:
            answer["result"] = None
            rows = parameters.get("registrations") or parameters.get("unregisterations")
            for one in rows if isinstance(rows, list) else ():
                if isinstance(one, dict) and method == "client/registerCapability":
                    self._registrations[str(one.get("id"))] = str(one.get("method"))
                elif isinstance(one, dict):
                    self._registrations.pop(str(one.get("id")), None)
        elif method == "workspace/applyEdit":
            answer["result"] = {"applied": False, "failureReason": "ctx changes no files"}
        elif method == "window/showDocument":
            answer["result"] = {"success": False}
        elif method.startswith("window/") or (method.startswith("workspace/") and method.endswith("/refresh")):
            answer["result"] = None
        else:
            answer["error"] = {"code": _METHOD_NOT_FOUND, "message": f"ctx has no {method}"}
        life.connection.send(answer)
        if method == "client/registerCapability":
            for uri in list(life.documents.texts())[-1:]:
                self._pull_diagnostics(life, uri)

    def _noted(self, life: _Life, method: str, parameters: Any) -> None:
        if not isinstance(parameters, dict):
            return
        if method == "textDocument/publishDiagnostics":
            self._diagnosed(life, parameters.get("uri"), parameters.get("diagnostics"))
        elif method == "$/progress":
            self._progressed(life, str(parameters.get("token")), parameters.get("value"))

    def _progressed(self, life: _Life, token: str, value: Any) -> None:
        kind = value.get("kind") if isinstance(value, dict) else None
        if kind == "begin":
            life.progress[token] = self._clock.perf_counter_ns()
        elif kind == "end" and life.progress.pop(token, None) is not None:
            self._ask_again("references")

    def _diagnosed(self, life: _Life, uri: Any, found: Any) -> None:
        life.record.diagnosed(self._shown(uri), found)
        self._become_ready(life, "diagnostics", self._shown(uri))
        if not life.has_diagnosed:
            life.has_diagnosed = True
            self._ask_again("references")

    def _ask_again(self, method: str = "") -> None:
        """Ask what waits to be asked again now: the server knows more than it did."""
        for ask in list(self._asks):
            if ask.request_id is None and self._is_wanted(ask) and method in {"", ask.question.method}:
                self._put(ask)

    def on_tick(self, start: int) -> float | None:
        """Do what is due; return the seconds until the next thing is."""
        with self._changed:
            life = self._of(start)
            if life is None:
                return None
            now_ns = self._clock.perf_counter_ns()
            due: list[int] = []
            if not self._is_initialized() and not isinstance(self._state, Failed):
                due.append(life.record.started_ns + self._initialize_limit_ns)
                if now_ns >= due[0]:
                    life.record.initialized("timeout", capabilities=False)
                    self._abort(life, f"did not answer initialize in {self._initialize_limit_ns / 1e9:g} s")
                    return None
            for ask in list(self._asks):
                due += self._tick(ask, now_ns)
            return max(0.0, (min(due) - now_ns) / 1e9) if due else None

    def _tick(self, ask: _Ask, now_ns: int) -> list[int]:
        if ask.reply is not None:  # late: nobody waits
            limit_ns = ask.deadline_ns + int(LATE_LIMIT_S * 1e9)
            if isinstance(self._state, Warming):
                limit_ns += self._initialize_limit_ns
            if now_ns >= limit_ns:
                self._cancel(ask)
                if self._life is not None and ask.request_id is not None:
                    self._life.requests.pop(ask.request_id, None)  # some never answer what was cancelled
                self._leave(ask)
                return []
            due = [limit_ns]
        else:
            due = []
        if ask.retry_at_ns is not None:
            if now_ns >= ask.retry_at_ns and self._is_initialized():
                self._put(ask)
            else:
                due.append(ask.retry_at_ns)
        return due

    # ------------------------------------------------------------------ the end

    def on_end(self, start: int, end: ProcessEnd) -> None:
        """Take the end of the process."""
        with self._changed:
            life = self._of(start)
            if life is None:
                return
            was_aborted = isinstance(self._state, Failed)
            was_initialized = self._is_initialized()
            crashed = not life.is_ending
            self._life = None
            self._registrations.clear()
            if life.pid is None and crashed:
                self._fail_start(life.record, end.failed_to_start or end.describe())
            else:
                if crashed and not was_initialized and not was_aborted:
                    life.record.initialized("crashed", capabilities=False)
                reason = self._state.reason if isinstance(self._state, Failed) else end.describe()
                self._state = Failed(reason) if crashed else Stopped()
                if crashed:
                    self._breaker.record_failure(self._clock.perf_counter_ns(), reason)
                life.record.ended(end, requested=life.is_ending, crashed=crashed and not was_aborted)
            for ask in list(self._asks):
                ask.request_id = None
                self._settle(ask, "crashed", detail=f"{self.name} {self._state.describe()}")
            self._changed.notify_all()

    # ------------------------------------------------------------------ small things

    def _of(self, start: int) -> _Life | None:
        """Return the life that a connection's call is about; None for one that is over."""
        return self._life if start == self._starts else None

    def _is_initialized(self) -> bool:
        match self._state:
            case Ready() | Warming(is_initialized=True):
                return True
        return False

    def _shown(self, uri: Any) -> str:
        """Return a URI's path as the rest of ctx prints it."""
        return self._reader.placed(uri)[0] if isinstance(uri, str) else ""

    def _places(self, life: _Life, result: Any, texts: Mapping[str, str]) -> list[tuple[ServerPlace, str]]:
        """Return what an answer points to with the text of the line there; `texts` are known ones, by path."""
        opened = {self._reader.placed(uri)[0]: text for uri, text in life.documents.texts().items()}
        # Without the lock: files are read, thousands of them for some answers, and others have deadlines meanwhile.
        self._changed.release()
        try:
            return self._reader.places(result, life.encoding, {**opened, **texts})
        finally:
            self._changed.acquire()


def _notify(connection: Connection, method: str, parameters: Any) -> None:
    connection.send({"jsonrpc": "2.0", "method": method, "params": parameters})


def _is_same(one: _Ask, other: _Ask) -> bool:
    return one is not other and one.question == other.question and one.text == other.text


class _Events:
    """Hands the events of one process to its client, with the number of the start they belong to."""

    def __init__(self, client: LSPClient, start: int) -> None:
        self._client = client
        self._start = start

    def on_started(self, pid: int) -> None:
        self._client.on_started(self._start, pid)

    def on_message(self, message: dict[str, Any]) -> None:
        self._client.on_message(self._start, message)

    def on_tick(self) -> float | None:
        return self._client.on_tick(self._start)

    def on_end(self, end: ProcessEnd) -> None:
        self._client.on_end(self._start, end)
