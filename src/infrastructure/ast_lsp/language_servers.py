"""The language servers of one segment: who is asked about which file, and what is remembered of their answers.

A command that starts its own server takes the one that is there fastest, a host that keeps them the one that knows most
(`domain.server_backends`). An answer is kept for the state of the segment it was given about; one that comes after its
deadline is kept, too, so that the next who asks has it at once.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from ...domain.errors import CtxError
from ...domain.language_server import NO_SERVER, ServerReply
from ...domain.source_files import SourceText, display_path, os_path_of
from ..file_system import FileSystemAdapter
from ..languages import language_of
from ..null_telemetry import NullTelemetry
from ..process_tree import tree_bytes
from .lsp_client import LSPClient
from .lsp_process import start_server
from .server_discovery import FoundServer, ServerDiscovery

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ...domain.language_server import ServerQuestion
    from ...domain.ports import Clock, PendingReply, TelemetryPort
    from ...domain.source_files import FileStat
    from ..config import Config
    from .lsp_client import Opener

CLIENTS_MAX = 6
"""Servers at once; a segment of more languages or environments loses the one that was asked longest ago."""
REPLIES_KEPT = 4096
PLACES_KEPT = 200_000
"""In all replies that are kept: of a name that is used everywhere there are thousands, and after each edit anew."""
_ENDING = ServerReply("", "crashed", detail="the language servers are being ended")
_NO_STATE = " "
"""What the files were when the first server was started, before anybody asked about a state of them."""

_Key: TypeAlias = tuple[str, str]
"""(backend, root)"""


@dataclass(frozen=True, slots=True)
class _Settled:
    """A reply that is there already."""

    reply: ServerReply

    def result(self) -> ServerReply:
        """Return it."""
        return self.reply

    def is_there(self) -> bool:
        """Tell that it is."""
        return True


class LanguageServerPool:
    """Starts servers as questions need them; thread-safe.

    `is_host` chooses servers for a process that lives on, and has late answers taken. `listing` gives the stats of the
    segment's files as they are now, none when that is not known: what differs from those before is announced to the
    servers when `state` of the questions moves; without it servers are only told of the documents they are asked about.
    """

    def __init__(
        self,
        segment: str,
        config: Config,
        telemetry: TelemetryPort,
        clock: Clock,
        *,
        is_host: bool,
        listing: Callable[[], Iterable[FileStat]] | None = None,
        environ: Mapping[str, str] | None = None,
        open_connection: Opener = start_server,
    ) -> None:
        """Start nothing yet."""
        self._open_connection = open_connection
        self._segment = segment
        self._config = config
        self._telemetry = telemetry
        self._clock = clock
        self._is_host = is_host
        self._listing = listing
        self._environ = os.environ if environ is None else environ
        self._files = FileSystemAdapter(
            segment, telemetry=NullTelemetry(), max_file_bytes=config.number("index.max_file_bytes")
        )
        # A client hands replies on with its own lock held and then takes this one: no client is told anything with it.
        self._lock = threading.RLock()
        # Texts are told in the order they came in, and nobody asks about what is being told.
        self._telling = threading.Lock()
        self._announcing = threading.Lock()
        self._clients: OrderedDict[_Key, LSPClient] = OrderedDict()
        self._leaving: set[LSPClient] = set()
        self._discovery = self._look_for_servers()
        self._found: dict[tuple[str, str], FoundServer | None] = {}
        self._replies: OrderedDict[tuple[object, ...], ServerReply] = OrderedDict()
        self._places_kept = 0
        self._announced_state = ""
        self._announced: dict[bytes, tuple[int, int]] = {}
        self._is_closed = False
        self._unsaved: dict[str, str] = {}
        self._unsaved_count = self._unsaved_version = 0

    def ask(self, question: ServerQuestion) -> PendingReply:
        """Ask the server of the file's language and folder; see `LanguageServers`."""
        client = self._client_of(question.language, question.path)
        if client is None:
            # Whoever asks at the end must not learn that there is none: others have one, and a moment ago it had, too.
            return _Settled(replace(_ENDING if self._is_closed else NO_SERVER, deadline_ms=self._deadline_ms))
        backend = client.server.backend
        if question.method == "references" and not backend.knows_project:
            detail = f"{backend.name} does not know all files of the project"
            return _Settled(ServerReply(backend.name, "no_server", deadline_ms=self._deadline_ms, detail=detail))
        kept = self._kept(client, question)
        if kept is not None:
            return _Settled(replace(kept, is_cached=True, elapsed_ns=0, was_sent=False))
        if question.state:
            self._announce(question.state)
        else:
            self._remember_files()
        with self._telling:
            texts = self._unsaved_count, self._unsaved_version
        return client.ask(question, on_reply=lambda asked, reply: self._keep(client, asked, reply, texts))

    def prepare(self, language: str, path: str) -> None:
        """Start the server that questions about a file would go to, if there is one; it warms up behind this."""
        client = self._client_of(language, path)
        if client is not None:
            self._remember_files()
            client.start()

    def set_unsaved(self, path: str, text: str | None) -> None:
        """Have every server know this text in place of the file's, None: the file's again; also those started later."""
        with self._telling:
            with self._lock:
                if text is None:
                    self._unsaved.pop(path, None)
                else:
                    self._unsaved[path] = text
                # Without any text the servers know what they knew before the first one.
                self._unsaved_count += 1
                self._unsaved_version = self._unsaved_count if self._unsaved else 0
                clients = list(self._clients.values())
            for client in clients:
                client.set_unsaved(path, language_of(path), text)

    def status(self) -> list[dict[str, Any]]:
        """Return what each server does, for people and `--json`."""
        with self._lock:
            clients = list(self._clients.values())
        return [
            {
                "server": client.name,
                "root": display_path(os.path.relpath(os.fsencode(client.server.root), os.fsencode(self._segment))),
                "state": client.state.describe(),
                "breaker": client.breaker_state,
                "pid": client.process_id,
                "memory_bytes": tree_bytes(client.process_id) if client.process_id is not None else 0,
            }
            for client in clients
        ]

    def memory_bytes(self) -> dict[str, int]:
        """Return the memory of each running server with all it started, by its key for `restart`."""
        with self._lock:
            clients = dict(self._clients)
        return {
            _spelled(key): tree_bytes(client.process_id)
            for key, client in clients.items()
            if client.process_id is not None
        }

    def memory_limit_bytes(self, key: str) -> int:
        """Return the share of a server, by its key."""
        with self._lock:
            for one, client in self._clients.items():
                if _spelled(one) == key:
                    return client.server.backend.memory_mib << 20
        return 0

    def restart(self, key: str) -> None:
        """End a server; the next question starts it again. A key that is not known is none of ours any more."""
        with self._lock:
            clients = [client for one, client in self._clients.items() if _spelled(one) == key]
        for client in clients:
            client.stop()

    def close(self) -> None:
        """End all servers; safe to call twice."""
        with self._lock:
            self._is_closed = True
            clients = [*self._clients.values(), *self._leaving]
            self._clients.clear()
        # A command that leaves takes its server along; one that knows a project may have something to write down.
        how = {"politely": self._is_host, "for_good": True}
        threads = [threading.Thread(target=client.stop, kwargs=how) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    # ------------------------------------------------------------------ parts

    @property
    def _deadline_ms(self) -> int:
        return self._config.number("lsp.deadline_ms")

    def _client_of(self, language: str, path: str) -> LSPClient | None:
        with self._lock:
            if self._is_closed:
                return None
            folder = path.rpartition("/")[0]
            place = (language, folder)
            if place not in self._found:
                self._found[place] = self._discovery.server_for(language, path, is_host=self._is_host)
            found = self._found[place]
            if found is None:
                return None
            key = (found.backend.name, found.root)
            client = self._clients.get(key)
            if client is None:
                client = self._clients[key] = self._new_client(found)
                for unsaved_path, text in self._unsaved.items():
                    client.set_unsaved(unsaved_path, language_of(unsaved_path), text)
            self._clients.move_to_end(key)
            surplus = self._clients.popitem(last=False)[1] if len(self._clients) > CLIENTS_MAX else None
            if surplus is not None:
                self._leaving.add(surplus)
        if surplus is not None:
            threading.Thread(target=self._see_off, args=(surplus,), daemon=True).start()
        return client

    def _see_off(self, client: LSPClient) -> None:
        """End a server that made room; whoever closes the pool meanwhile ends it, too, and waits for that."""
        client.stop(for_good=True)
        with self._lock:
            self._leaving.discard(client)

    def _look_for_servers(self) -> ServerDiscovery:
        return ServerDiscovery(self._segment, self._config, self._environ)

    def _new_client(self, found: FoundServer) -> LSPClient:
        return LSPClient(
            found,
            segment=self._segment,
            telemetry=self._telemetry,
            clock=self._clock,
            read_text=self._text_of,
            deadline_ms=self._deadline_ms,
            keeps_late=self._is_host,
            environ=self._environ,
            open_connection=self._open_connection,
        )

    def _text_of(self, path: str) -> str | None:
        unsaved = self._unsaved.get(path)
        if unsaved is not None:
            return unsaved
        source = self._files.read_source(os_path_of(path))
        return source.text if isinstance(source, SourceText) else None

    def _remember_files(self) -> None:
        """Before the first server is started for no state: what changes from here on, the first question tells it."""
        if self._listing is None:
            return
        with self._announcing:
            if self._announced_state:
                return
            try:
                self._announced = self._files_now()
            except CtxError:
                return  # not indexed yet; it will be when it is asked about
            if self._announced:
                self._announced_state = _NO_STATE

    def _files_now(self) -> dict[bytes, tuple[int, int]]:
        assert self._listing is not None
        return {path: (size, mtime) for path, size, mtime in self._listing()}

    def _announce(self, state: str) -> None:
        """Tell every server what changed since the state that was asked about before.

        Whoever asks about the same state meanwhile waits until they know: they would answer about the one before.
        """
        if self._listing is None:
            return
        with self._announcing:
            if state == self._announced_state:
                return
            before, now = self._announced, self._files_now()
            if not now:
                return
            is_first = not self._announced_state
            self._announced_state, self._announced = state, now
            with self._lock:
                self._found.clear()  # an environment may have come or gone with the files
                self._discovery = self._look_for_servers()
                clients = list(self._clients.values())
            if is_first:
                return  # whatever runs was started a moment ago
            changes = [(path, "deleted") for path in before if path not in now]
            changes += [
                (path, "changed" if path in before else "created")
                for path, stat in now.items()
                if before.get(path) != stat
            ]
            shown = [(display_path(path), kind) for path, kind in changes]
            for client in clients:
                client.announce(shown)

    def kept(self, question: ServerQuestion) -> ServerReply | None:
        """Return what is known of a question without asking anybody, None when nothing is."""
        client = self._client_of(question.language, question.path)
        return self._kept(client, question) if client is not None else None

    def _kept(self, client: LSPClient, question: ServerQuestion) -> ServerReply | None:
        if not question.state or question.text is not None:
            return None
        with self._lock:
            return self._replies.get((self._unsaved_version, *_about(client, question)))

    def _keep(self, client: LSPClient, question: ServerQuestion, reply: ServerReply, texts: tuple[int, int]) -> None:
        """Keep a reply to a question that was asked when there had been so many `texts` and this version counted."""
        if not question.state or question.text is not None:
            return
        with self._lock:
            if texts[0] != self._unsaved_count:
                return  # about which texts it is nobody knows
            key = (texts[1], *_about(client, question))
            before = self._replies.pop(key, None)
            self._replies[key] = reply
            self._places_kept += len(reply.places) - (len(before.places) if before is not None else 0)
            while len(self._replies) > REPLIES_KEPT or self._places_kept > PLACES_KEPT:
                self._places_kept -= len(self._replies.popitem(last=False)[1].places)


def _spelled(key: _Key) -> str:
    return f"{key[0]} {key[1]}"


def _about(client: LSPClient, question: ServerQuestion) -> tuple[object, ...]:
    """Return what makes two questions the same."""
    return (
        client.name,
        client.server.root,
        question.state,
        question.method,
        question.path,
        question.line,
        question.column,
        question.include_declaration,
    )
