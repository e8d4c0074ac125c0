"""EditorServer: from the editor's messages to the threads that answer, and back.

Owns what is decided when a message arrives: which document and root it is about, which thread answers, whether the
feature is switched on. Runs in the event loop's thread and never waits. docs/editor-server.md describes what an editor
sees of it.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from ... import __version__
from ...domain.document_text import DocumentText
from ...domain.errors import CtxError, UsageError
from ...domain.file_uris import uri_of_path
from ...domain.source_files import SourceText, os_path_of
from ...domain.symbols import CLASS_KINDS, FUNCTION_KINDS
from ...domain.text_positions import DEFAULT_ENCODING, column_at, units_before
from ..answer_documents import mark_unsteady
from ..file_system import MAX_FILE_BYTES, FileSystemAdapter
from ..languages import TEXT, language_of
from ..null_telemetry import NullTelemetry
from ..secrets import redact_secrets
from ..segment import find_segment, is_no_project
from ..segment_walk import real_path
from . import editor_commands, symbol_answers
from .diagnostics import syntax_diagnostics
from .documents import Document, Documents, path_of
from .lifetime import watch_process
from .options import SECTION, EditorOptions, options_of
from .outline import OutlineSpans, flat, hierarchy
from .places import Places, span
from .progress import Progress
from .protocol import REQUEST_FAILED, AnsweredError, EditorProtocol
from .root import Answer, Asked, Root
from .session import session_of
from .text_answers import TextAnswers
from .worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ...domain.symbols import SkeletonMap
    from ...domain.text_positions import PositionEncoding
    from ..services import Services

log = logging.getLogger("ctx.lsp")

NAME = "ctx"
UNSAVED_AFTER_S = 0.05
"""A change is told to the segment's other faces at once; those that follow it when nothing more was typed for this
long, or somebody asks."""
STATUS_AFTER_S = 0.05
WARMING_LOOK_EVERY_S = 0.25
INDEXING_SHOWN_AFTER_S = 0.3
FLUSH_EVERY_S = 30.0
OUTLINES_KEPT = 64
_SAID_CHARS_MAX = 1_000
"""Of a message to people; a longer one (a path can be of any length) is told by its two ends."""
WAITING_MAX = 20_000
"""Requests that were not begun, from which on nothing more is read from the client."""
_ENCODINGS: dict[str, PositionEncoding] = {"utf-8": "utf-8", "utf-16": "utf-16", "utf-32": "utf-32"}
_LENS_KINDS = FUNCTION_KINDS | CLASS_KINDS
_LENSES_MAX = 2_000
_REGISTERED = {
    "documentSymbol": types.TEXT_DOCUMENT_DOCUMENT_SYMBOL,
    "hover": types.TEXT_DOCUMENT_HOVER,
    "definition": types.TEXT_DOCUMENT_DEFINITION,
    "references": types.TEXT_DOCUMENT_REFERENCES,
    "workspaceSymbol": types.WORKSPACE_SYMBOL,
    "codeLens": types.TEXT_DOCUMENT_CODE_LENS,
}


class EditorServer(LanguageServer):
    """One client, from `initialize` to the end."""

    protocol: EditorProtocol

    def __init__(self, loop: asyncio.AbstractEventLoop, *, on_end: Callable[[int], None]) -> None:
        """Register every handler; nothing is opened. `on_end` gets the exit code when the client is gone."""
        super().__init__(NAME, __version__, protocol_cls=EditorProtocol, max_workers=1)
        self.loop = loop
        self.documents = Documents()
        self.options = EditorOptions()
        self.roots: list[Root] = []
        self._on_end = on_end
        self._texts = Worker("ctx-lsp-text", loop)
        self._text_answers = TextAnswers()
        self._outlines: OrderedDict[tuple[Any, ...], tuple[SkeletonMap, OutlineSpans]] = OrderedDict()
        self._reading: dict[str, FileSystemAdapter] = {}
        self._indexing: dict[Root, Progress] = {}
        self._warming: dict[Root, Progress] = {}
        self._told_status: dict[Root, dict[str, Any]] = {}
        self._status_due: set[Root] = set()
        self._looks_due: set[Root] = set()
        self._flush_timer: dict[str, asyncio.TimerHandle] = {}
        self._folders: list[str] = []
        self._root_of_folder: dict[bytes, Root] = {}
        self._said: set[str] = set()
        self._capabilities: dict[str, Any] = {}
        self.protocol.on_lost_change = self._forget
        self._register()

    # ------------------------------------------------------------------ registration

    def _register(self) -> None:
        always: dict[str, Callable[[Any], Any]] = {
            types.INITIALIZE: self._initialize,
            types.INITIALIZED: self._initialized,
            types.TEXT_DOCUMENT_DID_OPEN: self._did_open,
            types.TEXT_DOCUMENT_DID_CHANGE: self._did_change,
            types.TEXT_DOCUMENT_DID_SAVE: self._did_save,
            types.TEXT_DOCUMENT_DID_CLOSE: self._did_close,
            types.WORKSPACE_DID_CHANGE_CONFIGURATION: self._did_change_configuration,
            types.WORKSPACE_DID_CHANGE_WATCHED_FILES: self._did_change_watched_files,
            types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS: self._did_change_folders,
            "ctx/status": self._status,
        }
        for name, handler in always.items():
            self.protocol.fm.feature(name)(_unbound(handler))

    def _register_features(self) -> None:
        features: dict[str, tuple[tuple[str, Callable[[Any], Any]], ...]] = {
            "documentSymbol": ((types.TEXT_DOCUMENT_DOCUMENT_SYMBOL, self._document_symbol),),
            "hover": ((types.TEXT_DOCUMENT_HOVER, self._hover),),
            "definition": ((types.TEXT_DOCUMENT_DEFINITION, self._definition),),
            "references": ((types.TEXT_DOCUMENT_REFERENCES, self._references),),
            "workspaceSymbol": (
                (types.WORKSPACE_SYMBOL, self._workspace_symbol),
                (types.WORKSPACE_SYMBOL_RESOLVE, self._workspace_symbol_resolve),
            ),
            "codeLens": (
                (types.TEXT_DOCUMENT_CODE_LENS, self._code_lens),
                (types.CODE_LENS_RESOLVE, self._code_lens_resolve),
            ),
            "commands": ((types.WORKSPACE_EXECUTE_COMMAND, self._execute_command),),
        }
        for feature, handlers in features.items():
            if self.options.has(feature):
                for name, handler in handlers:
                    if name not in self.protocol.fm.features:
                        self.protocol.fm.feature(name)(_unbound(handler))
        if self.options.has("commands"):
            for command in editor_commands.COMMANDS:
                if command not in self.protocol.fm.commands:
                    self.protocol.fm.command(command)(_unbound(self._execute_command))

    # ------------------------------------------------------------------ life

    def _initialize(self, params: types.InitializeParams) -> None:
        self.options, problems = options_of(params.initialization_options)
        self._problems = problems
        self._capabilities = self.protocol._converter.unstructure(params.capabilities)
        chosen = self.protocol.workspace.position_encoding  # a text or a member of an enumeration, as pygls found it
        self.documents.encoding = _ENCODINGS.get(str(getattr(chosen, "value", chosen)), DEFAULT_ENCODING)
        if isinstance(params.process_id, int):
            watch_process(params.process_id, self.loop, lambda: self._on_end(1))
        folders = [folder.uri for folder in params.workspace_folders or ()]
        if not folders and params.root_uri:
            folders = [params.root_uri]
        elif not folders and params.root_path:
            folders = [uri_of_path(os.fsencode(params.root_path))]
        self._folders = folders
        self._register_features()

    def _initialized(self, _params: Any) -> None:
        for problem in self._problems:
            self.show(problem)
        for uri in self._folders:
            self._add_folder(uri)
        if self._can("workspace", "didChangeWatchedFiles", "dynamicRegistration"):
            self._ask_for_watches()
        self.loop.call_later(FLUSH_EVERY_S, self._flush)

    def end(self, exit_code: int, *, is_hasty: bool) -> None:
        """Write what has to be written and let go of everything."""
        for root in self.roots:
            root.close(exit_code, is_hasty=is_hasty)

    def _flush(self) -> None:
        for root in self.roots:
            root.flush()
        self.loop.call_later(FLUSH_EVERY_S, self._flush)

    def _can(self, *path: str) -> bool:
        """Tell whether the client has a capability."""
        found: Any = self._capabilities
        for part in path:
            found = found.get(part) if isinstance(found, dict) else None
        return bool(found)

    def _ask_for_watches(self) -> None:
        watchers = [types.FileSystemWatcher(glob_pattern="**/*")]
        options = types.DidChangeWatchedFilesRegistrationOptions(watchers=watchers)
        self._register_at_client("ctx-watch", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options)

    def _register_at_client(self, number: str, method: str, options: Any = None) -> None:
        registration = types.Registration(id=number, method=method, register_options=options)
        params = types.RegistrationParams(registrations=[registration])
        self.protocol.send_request(types.CLIENT_REGISTER_CAPABILITY, params)

    def report_server_error(self, error: Exception, source: Any) -> None:  # noqa: ARG002 - the overridden one's
        """Keep what pygls would pop up in the editor to the log: a request's failure is its answer."""
        log.error("%s: %s", type(error).__name__, " ".join(str(error).split()))

    # ------------------------------------------------------------------ what people are told

    def show(self, text: str) -> None:
        """Show a message once."""
        text = _ends_of(redact_secrets(text))
        if text not in self._said:
            self._said.add(text)
            self.protocol.tell(types.WINDOW_SHOW_MESSAGE, {"type": 2, "message": f"ctx: {text}"})

    def note(self, text: str, *, kind: int = 2) -> None:
        """Write a line into the editor's log, once; 1 error, 2 warning, 3 information."""
        text = _ends_of(redact_secrets(" ".join(text.split())))
        if text not in self._said:
            self._said.add(text)
            self.protocol.tell(types.WINDOW_LOG_MESSAGE, {"type": kind, "message": f"ctx: {text}"})

    # ------------------------------------------------------------------ roots

    def _add_folder(self, uri: str) -> Root | None:
        """Make the root of a workspace folder, or return the one that has its segment."""
        path = path_of(uri)
        if not path:
            self.note(
                f"{redact_secrets(uri)[:200]} is no folder on disk; its documents are answered from their text alone"
            )
            return None
        folder = os.path.normpath(path)
        try:
            segment = find_segment(start=os.fsdecode(folder))
            if not os.path.isdir(folder):
                raise UsageError(f"{os.fsdecode(folder)} is no directory")
        except CtxError as error:
            self.note(f"{error}; its documents are answered from their text alone")
            return None
        if is_no_project(segment):
            self.note(
                f"{segment} is not indexed: it is no project; make a folder _ctx in it and restart if it is meant"
            )
            return None
        root = self._root_of_folder[folder] = self._root_of(segment, folder, uri)
        return root

    def _root_of(self, segment: str, folder: bytes, uri: str) -> Root:
        for root in self.roots:
            if root.segment == segment:
                return root
        real = real_path(folder)
        # The folder may lie inside the segment: what the editor calls the segment is as much shorter.
        below = real[len(os.fsencode(segment).rstrip(b"/")) :]
        prefix = folder[: len(folder) - len(below)] if below and folder.endswith(below) else folder
        if below and not folder.endswith(below):
            prefix = os.fsencode(segment)
        options = self.options
        root = Root(
            segment,
            prefix,
            uri,
            self.loop,
            lambda: session_of(segment, options),
            on_progress=self._index_progress,
            on_change=self._changed,
            on_note=lambda root, text: self.note(f"{root.name}: {text}"),
        )
        self.roots.append(root)
        self._indexing[root] = Progress(self.protocol, f"ctx: indexing {root.name}", is_wanted=self._shows_progress)
        self._warming[root] = Progress(self.protocol, "ctx", is_wanted=self._shows_progress)
        root.start()
        self.loop.call_later(INDEXING_SHOWN_AFTER_S, self._show_indexing, root)
        self._changed(root)
        for document in self.documents:
            self._tell_opened(document)
        return root

    def _shows_progress(self) -> bool:
        return self.options.has("progress") and self._can("window", "workDoneProgress")

    def _root_at(self, path: bytes) -> tuple[Root | None, str]:
        """Return the root a file is in, the innermost one, and its path there."""
        found: tuple[Root | None, str] = (None, "")
        for root in self.roots:
            inside = root.path_of(path) if path else ""
            if inside and not inside.startswith("../") and (found[0] is None or len(inside) < len(found[1])):
                found = root, inside
        if found[0] is None and path:
            real = real_path(path)
            if real != path:
                return self._root_at(real)
        return found

    def _drop_root(self, root: Root) -> None:
        self.roots.remove(root)
        for progress in (self._indexing.pop(root), self._warming.pop(root)):
            progress.end()
        self._told_status.pop(root, None)
        self._status_due.discard(root)
        root.leave()

    def _restart(self, roots: Iterable[Root]) -> None:
        """Close roots and open them anew."""
        for root in list(roots):
            segment, folder, uri = root.segment, root.folder, root.uri
            self._drop_root(root)
            again = self._root_of(segment, folder, uri)
            self._root_of_folder |= {path: again for path, one in self._root_of_folder.items() if one is root}

    def _show_indexing(self, root: Root) -> None:
        """Show that the index is being made, also where somebody else makes it."""
        if root in self._indexing and not root.is_indexed and not root.failure:
            self._indexing[root].begin("bringing the index up to date")

    def _index_progress(self, root: Root, done: int, total: int) -> None:
        progress = self._indexing.get(root)
        if progress is not None and not root.is_indexed:
            progress.begin(f"{total} files")
            progress.report(f"{done} of {total} files", done * 100 // max(total, 1))

    def _changed(self, root: Root) -> None:
        if root not in self._indexing:
            return
        if root.is_indexed or root.failure:
            self._indexing[root].end()
        if root.warming:
            self._warming[root].begin(f"{root.warming} is warming up; Tree-sitter answers meanwhile")
            self._look_soon(root)
        elif self._warming[root].is_begun:
            self._warming[root].end("ready")
        elif root.last_server in ("not_ready", "timeout"):
            root.ask_status()
        if self.options.has("status") and root not in self._status_due:
            self._status_due.add(root)
            self.loop.call_later(STATUS_AFTER_S, self._send_status, root)

    def _send_status(self, root: Root) -> None:
        if root not in self._status_due:
            return
        self._status_due.discard(root)
        status = self.status_of(root)
        if status != self._told_status.get(root):
            self._told_status[root] = status
            self.protocol.tell("ctx/status", status)

    def _look_soon(self, root: Root) -> None:
        """Have a warming server's state looked at, again and again until it is ready: a host tells nobody of it."""
        if root not in self._looks_due:
            self._looks_due.add(root)
            self.loop.call_later(WARMING_LOOK_EVERY_S, self._look, root)

    def _look(self, root: Root) -> None:
        self._looks_due.discard(root)
        if root in self._indexing:
            root.ask_status()

    def status_of(self, root: Root) -> dict[str, Any]:
        """Return `ctx.status/1`."""
        state = root.state
        detail = {
            "indexing": "making the index; outlines are there, the rest is answered from open documents",
            "warming": f"{root.warming} is warming up; Tree-sitter answers meanwhile",
            "fallback": root.failure or f"the language server failed ({root.last_server}); Tree-sitter answers",
            "ready": ", ".join(one["name"] for one in root.servers) or "Tree-sitter and the index answer",
        }[state]
        return {
            "schema": "ctx.status/1",
            "root": root.uri,
            "segment": root.name,
            "state": state,
            "detail": detail,
            "server": root.warming or next((one["name"] for one in root.servers), ""),
            "tokens": root.tokens_handed_on,
            "host": root.has_host,
            "servers": root.servers,
            "files": root.index_files,
        }

    # ------------------------------------------------------------------ documents

    def _did_open(self, params: types.DidOpenTextDocumentParams) -> None:
        item = params.text_document
        document = self.documents.open(item.uri, item.language_id or "", item.version, item.text)
        self._tell_opened(document)
        self._diagnose(document)

    def _diagnose(self, document: Document) -> None:
        """Publish a document's syntax errors, unless it changed or was closed meanwhile."""
        if not self.options.has("diagnostics") or len(document.content) > MAX_FILE_BYTES:
            return
        text, language, encoding = document.content.text, document.language, self.documents.encoding
        version, changes = document.version, document.changes

        def publish(future: asyncio.Future[Any]) -> None:
            if future.cancelled() or future.exception() is not None or document.changes != changes:
                return
            if self.documents.get(document.uri) is document:
                self._publish(document.uri, version, future.result())

        self._texts.submit(lambda: syntax_diagnostics(text, language, encoding), urgency=2).add_done_callback(publish)

    def _publish(self, uri: str, version: int | None, diagnostics: list[dict[str, Any]]) -> None:
        params: dict[str, Any] = {"uri": uri, "diagnostics": diagnostics}
        if version is not None and self._can("textDocument", "publishDiagnostics", "versionSupport"):
            params["version"] = version
        self.protocol.tell(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS, params)

    def _tell_opened(self, document: Document) -> None:
        root, path = self._root_at(document.path)
        if root is None:
            return
        is_small = len(document.content) <= MAX_FILE_BYTES
        root.opened(path, document.content.text if is_small else "", is_small=is_small)

    def _did_change(self, params: types.DidChangeTextDocumentParams) -> None:
        item = params.text_document
        document = self.documents.change(item.uri, item.version, params.content_changes)
        if document is None:
            self.note("a document changed that was not opened; the change is left out", kind=4)
            return
        timer = self._flush_timer.get(document.uri)
        if timer is not None:
            timer.cancel()
        elif self.loop.time() - document.told_s > UNSAVED_AFTER_S:
            # The first of several at once: what a shell asks a moment later is answered with it. Not in this very
            # call, because the next message in the buffer may be another change.
            self._flush_timer[document.uri] = self.loop.call_later(0, self._tell_unsaved, document)
            return
        self._flush_timer[document.uri] = self.loop.call_later(UNSAVED_AFTER_S, self._tell_unsaved, document)

    def _tell_unsaved(self, document: Document) -> None:
        """Have the segment see a document's text; one too large to be indexed is as it is on disk."""
        timer = self._flush_timer.pop(document.uri, None)
        if timer is not None:
            timer.cancel()
        if not document.is_dirty:
            return
        document.is_dirty = False
        document.told_s = self.loop.time()
        self._diagnose(document)
        root, path = self._root_at(document.path)
        if root is None:
            return
        is_small = len(document.content) <= MAX_FILE_BYTES
        root.set_unsaved(path, document.content.text if is_small else None)
        if not is_small:
            self.note(f"{path}: larger than {MAX_FILE_BYTES >> 20} MiB; the file as it was saved answers in its place")

    def _tell_all_unsaved(self) -> None:
        for document in self.documents:
            if document.is_dirty:
                self._tell_unsaved(document)

    def _did_save(self, params: types.DidSaveTextDocumentParams) -> None:
        document = self.documents.get(params.text_document.uri)
        if document is not None:
            document.is_unsaved = document.is_dirty = False
            self._tell_disk(document)

    def _did_close(self, params: types.DidCloseTextDocumentParams) -> None:
        document = self.documents.close(params.text_document.uri)
        if document is not None:
            document.is_dirty = False
            self._tell_disk(document)
            if self.options.has("diagnostics"):
                self._publish(document.uri, None, [])

    def _forget(self, uri: str) -> None:
        """Go on without the text of a document whose change is lost, "" for any: a wrong one answers wrongly."""
        for document in self.documents:
            if (not uri or document is self.documents.get(uri)) and self.documents.forget(document.uri) is not None:
                document.is_dirty = False
                self._tell_disk(document)
                root, path = self._root_at(document.path)
                name = path if root is not None else redact_secrets(document.uri)[:200]
                self.note(f"a change of {name} could not be read: it is answered as on disk until it is opened again")

    def _tell_disk(self, document: Document) -> None:
        timer = self._flush_timer.pop(document.uri, None)
        if timer is not None:
            timer.cancel()
        root, path = self._root_at(document.path)
        if root is not None:
            root.set_unsaved(path, None)

    def _did_change_watched_files(self, _params: Any) -> None:
        for root in self.roots:
            root.mark_changed()

    def _did_change_folders(self, params: types.DidChangeWorkspaceFoldersParams) -> None:
        for folder in params.event.added:
            self._add_folder(folder.uri)
        for folder in params.event.removed:
            root = self._root_of_folder.pop(os.path.normpath(path_of(folder.uri)), None)
            if root is not None and root not in self._root_of_folder.values():
                self._drop_root(root)

    def _did_change_configuration(self, params: types.DidChangeConfigurationParams) -> None:
        settings = params.settings
        settings = self.protocol._converter.unstructure(settings) if hasattr(settings, "__attrs_attrs__") else settings
        if isinstance(settings, dict) and SECTION in settings:
            self._take_options(settings[SECTION])
        elif not settings and self._can("workspace", "configuration"):
            items = [types.ConfigurationItem(section=SECTION)]
            request = self.protocol.send_request(types.WORKSPACE_CONFIGURATION, types.ConfigurationParams(items=items))
            request.add_done_callback(self._take_pulled)

    def _take_pulled(self, future: Any) -> None:
        if future.cancelled() or future.exception() is not None:
            return
        result = future.result()
        if isinstance(result, list | tuple) and result and result[0] is not None:
            self._take_options(result[0])

    def _take_options(self, given: Any) -> None:
        before = self.options
        self.options, problems = options_of(given)
        for problem in problems:
            self.show(problem)
        self._register_features()
        for feature, method in _REGISTERED.items():
            if self.options.has(feature) and not before.has(feature) and self._can_register(method):
                options = {"codeLens": types.CodeLensRegistrationOptions(resolve_provider=True)}.get(feature)
                self._register_at_client(f"ctx-{feature}", method, options)
        if self.options.lsp != before.lsp:
            self._restart(self.roots)
        if self.options.has("diagnostics") != before.has("diagnostics"):
            for document in self.documents:
                self._diagnose(document)
                if not self.options.has("diagnostics"):
                    self._publish(document.uri, None, [])
        for root in self.roots:
            self._changed(root)

    def _can_register(self, method: str) -> bool:
        group, _, name = method.partition("/")
        if method == types.WORKSPACE_SYMBOL:
            return self._can("workspace", "symbol", "dynamicRegistration")
        return self._can(group, name, "dynamicRegistration")

    # ------------------------------------------------------------------ asking

    def _asked(self, cmd: str, document: Document | None, path: str, **args: Any) -> Asked:
        self._tell_all_unsaved()
        if path:
            args["file"] = path
        elif document is not None:
            args["language"] = document.language
        return Asked(cmd, args)

    def _ask_text(self, asked: Asked, root: Root | None, work: Callable[[], Answer]) -> asyncio.Future[Any]:
        """Have the thread answer that knows texts and nothing else."""

        def run() -> Any:
            try:
                answer = work()
            except BaseException as error:
                if root is not None:
                    root.tell(asked, Answer(None, {"status": "error", "error": type(error).__name__}))
                raise
            if root is not None:
                root.tell(asked, answer)
            return answer.result

        future = self._texts.submit(run, urgency=1)
        if root is not None:
            future.add_done_callback(lambda done: root.tell_cancelled(asked, done))
        return future

    def _place(self, params: Any) -> tuple[Document | None, Root | None, str, int, int, dict[str, Any] | None]:
        """Return document, root, path there, and ctx's line and column of a position, with the word's range."""
        uri, position = params.text_document.uri, params.position
        document = self.documents.get(uri)
        path = document.path if document is not None else path_of(uri)
        root, inside = self._root_at(path)
        content = document.content if document is not None else self._content_on_disk(root, inside)
        if content is None:
            return document, None, "", 0, 0, None
        encoding = self.documents.encoding
        line, column = content.place_of(position.line, position.character, encoding)
        at = min(max(position.line, 0), content.line_count - 1)
        return document, root, inside, line, column, _word_range(content, at, position.character, encoding)

    def _content_on_disk(self, root: Root | None, path: str) -> DocumentText | None:
        source = self._source_on_disk(root, path)
        return DocumentText(source.text) if source is not None else None

    def _source_on_disk(self, root: Root | None, path: str) -> SourceText | None:
        """Return a file that is not open, decoded as the index decodes it."""
        if root is None or not path:
            return None
        files = self._reading.get(root.segment)
        if files is None:
            files = self._reading[root.segment] = FileSystemAdapter(root.segment, telemetry=NullTelemetry())
        try:
            source = files.read_source(os_path_of(path))
        except CtxError:
            return None
        return source if isinstance(source, SourceText) else None

    def _places(self, services: Services, root: Root, open_uris: dict[bytes, str]) -> Places:
        return Places(services, root.folder, open_uris, self.documents.encoding)

    def _open_uris(self) -> dict[bytes, str]:
        return {document.path: document.uri for document in self.documents if document.path}

    def _asks_servers(self) -> bool:
        return bool(self.options.lsp.get("enabled", True))

    # ------------------------------------------------------------------ outlines

    def _document_symbol(self, params: types.DocumentSymbolParams) -> Any:
        if not self.options.has("documentSymbol"):
            return None
        uri = params.text_document.uri
        document = self.documents.get(uri)
        root, path = self._root_at(document.path if document is not None else path_of(uri))
        asked = self._asked("ctx.lsp.documentSymbol", document, path)
        is_tree = self._can("textDocument", "documentSymbol", "hierarchicalDocumentSymbolSupport")
        take = self._outline_of(document, root, path)

        def work() -> Answer:
            found = take()
            if found is None:
                return Answer([], {"hits": 0, "status": "nothing"})
            skeleton, spans = found
            symbols = hierarchy(skeleton, spans) if is_tree else flat(skeleton, spans, uri)
            hits = len(skeleton.definitions)
            return Answer(symbols, {"hits": hits, "status": skeleton.status}, {"resolved_by": "tree_sitter"})

        return self._ask_text(asked, root, work)

    def _outline_of(
        self, document: Document | None, root: Root | None, path: str
    ) -> Callable[[], tuple[SkeletonMap, OutlineSpans] | None]:
        """Return what makes a document's outline, or finds it again, in the thread of texts."""
        encoding = self.documents.encoding
        if document is None:

            def from_disk() -> tuple[SkeletonMap, OutlineSpans] | None:
                source = self._source_on_disk(root, path)
                if source is None:
                    return None
                language = language_of(path, source.utf8)
                skeleton = self._text_answers.skeleton(source.utf8, language, path)
                return skeleton, OutlineSpans(source.text, source.utf8, encoding)

            return from_disk
        key = (document.uri, document.version, document.changes)
        content = document.content
        text, language = "", TEXT
        if len(content) <= MAX_FILE_BYTES:
            text, language = content.text, document.language  # joined here: the lines may change under the other thread
        else:
            name = path or redact_secrets(document.uri)[:200]
            self.note(f"{name} has no outline: it is larger than {MAX_FILE_BYTES >> 20} MiB")

        def from_text() -> tuple[SkeletonMap, OutlineSpans] | None:
            found = self._outlines.get(key)
            if found is None:
                if language == TEXT:
                    return None
                source = text.encode("utf-8", "replace")
                skeleton = self._text_answers.skeleton(source, language, path)
                found = self._outlines[key] = skeleton, OutlineSpans(text, source, encoding)
                while len(self._outlines) > OUTLINES_KEPT:
                    self._outlines.popitem(last=False)
            return found

        return from_text

    # ------------------------------------------------------------------ places

    def _definition(self, params: types.DefinitionParams) -> Any:
        if not self.options.has("definition"):
            return None
        document, root, path, line, column, origin = self._place(params)
        if not line:
            return None
        can_link = self._can("textDocument", "definition", "linkSupport")
        asked = self._asked("ctx.resolve", document, path, line=line)
        uris, asks_servers = self._open_uris(), self._asks_servers()
        text_only = self._definition_in_text(document, line, column)
        if root is None:
            return self._ask_text(asked, None, lambda: text_only(""))

        def work(services: Services) -> Answer:
            places = self._places(services, root, uris)
            query = f"{path}:{line}:{column}"
            return symbol_answers.definition(
                services, places, query, origin=origin, can_link=can_link, asks_servers=asks_servers
            )

        return root.ask(asked, work, otherwise=text_only, document=document)

    def _definition_in_text(self, document: Document | None, line: int, column: int) -> Callable[[str], Answer]:
        """Return what looks a name up in its own text; made when the request arrives."""
        if document is None or len(document.content) > MAX_FILE_BYTES:
            return lambda _why: Answer(None, {"hits": 0, "status": "nothing"})
        text, language, uri, encoding = (
            document.content.text,
            document.language,
            document.uri,
            self.documents.encoding,
        )

        def look(_why: str) -> Answer:
            content = DocumentText(text)
            spot = TextAnswers().spot(text.encode("utf-8", "replace"), language, line, column) if text else None
            places = () if spot is None else spot.bound or tuple((d.name_line, d.name_column) for d in spot.definitions)
            found = []
            for at, where in dict.fromkeys(places):
                start = content.position_of(at, where, encoding)
                end = content.position_of(at, where + len(spot.name if spot else ""), encoding)
                found.append({"uri": uri, "range": span(start, end)})
            told = {"hits": len(found), "status": "ok" if found else "nothing"}
            return Answer(found or None, told, {"resolved_by": "tree_sitter"})

        return look

    def _references(self, params: types.ReferenceParams) -> Any:
        if not self.options.has("references"):
            return None
        document, root, path, line, column, _origin = self._place(params)
        if not line:
            return None
        with_declaration = params.context.include_declaration
        asked = self._asked("ctx.refs", document, path, line=line, mode="uses")
        uris, asks_servers = self._open_uris(), self._asks_servers()
        if root is None:
            look = self._uses_in_text(document, line, column)
            return self._ask_text(asked, None, look)

        def work(services: Services) -> Answer:
            places = self._places(services, root, uris)
            query = f"{path}:{line}:{column}"
            return symbol_answers.references(
                services, places, query, with_declaration=with_declaration, asks_servers=asks_servers
            )

        return root.ask(asked, work, document=document, is_slow=True)

    def _uses_in_text(self, document: Document | None, line: int, column: int) -> Callable[[], Answer]:
        if document is None or len(document.content) > MAX_FILE_BYTES:
            return lambda: Answer(None)
        text, language, uri, encoding = (
            document.content.text,
            document.language,
            document.uri,
            self.documents.encoding,
        )

        def look() -> Answer:
            content, source = DocumentText(text), text.encode("utf-8", "replace")
            spot = self._text_answers.spot(source, language, line, column)
            found = []
            for at, where in self._text_answers.uses(source, language, spot.name) if spot is not None else ():
                start = content.position_of(at, where, encoding)
                end = content.position_of(at, where + len(spot.name if spot else ""), encoding)
                found.append({"uri": uri, "range": span(start, end)})
            return Answer(found or None)

        return look

    def _hover(self, params: types.HoverParams) -> Any:
        if not self.options.has("hover"):
            return None
        document, root, path, line, column, origin = self._place(params)
        if not line or origin is None:
            return None
        formats = self._capabilities.get("textDocument", {}).get("hover", {}).get("contentFormat")
        is_markdown = not formats or "markdown" in formats
        language = document.language if document is not None else language_of(path)
        asked = self._asked("ctx.hover", document, path, line=line)
        text_only = self._hover_in_text(document, line, column, origin, is_markdown=is_markdown)
        if root is None:
            return self._ask_text(asked, None, lambda: text_only(""))
        asks_servers = self._asks_servers()

        def work(services: Services) -> Answer:
            return symbol_answers.hover(
                services,
                f"{path}:{line}:{column}",
                origin=origin,
                language=language,
                is_markdown=is_markdown,
                asks_servers=asks_servers,
                note="",
            )

        return root.ask(asked, work, otherwise=text_only, document=document)

    def _hover_in_text(
        self, document: Document | None, line: int, column: int, origin: dict[str, Any] | None, *, is_markdown: bool
    ) -> Callable[[str], Answer]:
        if document is None or len(document.content) > MAX_FILE_BYTES:
            return lambda _why: Answer(None, {"hits": 0, "status": "nothing"})
        text, language = document.content.text, document.language

        def look(why: str) -> Answer:
            spot = TextAnswers().spot(text.encode("utf-8", "replace"), language, line, column)
            if spot is None or not spot.definitions:
                return Answer(None, {"hits": 0, "status": "nothing"}, {"resolved_by": "tree_sitter"})
            best = spot.definitions[0]
            parts = [symbol_answers.code(best.signature, language, is_markdown=is_markdown)]
            parts += [best.doc] if best.doc else []
            note = f"answered by Tree-sitter from this document alone{f': {why}' if why else ''}"
            parts.append(f"_{note}_" if is_markdown else note)
            result = symbol_answers.hover_result("\n\n".join(parts), origin, is_markdown=is_markdown)
            return Answer(result, {"hits": 1, "status": "ok"}, {"resolved_by": "tree_sitter"})

        return look

    # ------------------------------------------------------------------ the workspace

    def _workspace_symbol(self, params: types.WorkspaceSymbolParams) -> Any:
        if not self.options.has("workspaceSymbol") or not self.roots:
            return []
        resolvable = self._capabilities.get("workspace", {}).get("symbol", {}).get("resolveSupport") or {}
        is_lazy = "location.range" in (resolvable.get("properties") or ())
        uris = self._open_uris()
        futures = []
        for root in self.roots:
            asked = self._asked("ctx.lsp.symbol", None, "", query=params.query)

            def work(services: Services, root: Root = root) -> Answer:
                places = self._places(services, root, uris)
                answer = symbol_answers.workspace_symbols(services, places, params.query, is_lazy=is_lazy)
                for symbol in answer.result:
                    if "data" in symbol:
                        symbol["data"]["root"] = root.uri
                return answer

            futures.append(root.ask(asked, work, otherwise=lambda _why: Answer([])))
        return _joined(self.loop, futures)

    def _workspace_symbol_resolve(self, params: Any) -> Any:
        symbol = self.protocol._converter.unstructure(params)
        data = symbol.get("data")
        if data is None:
            return symbol
        if not _holds(data, _SYMBOL_DATA):
            raise UsageError("workspaceSymbol/resolve: this symbol is none of ctx's")
        root = next((one for one in self.roots if one.uri == data.get("root")), None)
        if root is None:
            return symbol
        uris = self._open_uris()
        asked = self._asked("ctx.lsp.symbolResolve", None, str(data.get("path", "")))

        def work(services: Services) -> Answer:
            places = self._places(services, root, uris)
            where = places.location(data["path"], data["line"], data["column"], data["name"])
            return Answer({**symbol, "location": where})

        return root.ask(asked, work)

    # ------------------------------------------------------------------ code lenses

    def _code_lens(self, params: types.CodeLensParams) -> Any:
        if not self.options.has("codeLens"):
            return None
        uri = params.text_document.uri
        document = self.documents.get(uri)
        root, path = self._root_at(document.path if document is not None else path_of(uri))
        if root is None:
            return None
        asked = self._asked("ctx.lsp.codeLens", document, path)
        take = self._outline_of(document, root, path)
        changes = document.changes if document is not None else 0

        def work() -> Answer:
            found = take()
            lenses: list[dict[str, Any]] = []
            for definition in found[0].definitions if found is not None else ():
                if definition.kind in _LENS_KINDS and len(lenses) < _LENSES_MAX:
                    data = {
                        "uri": uri,
                        "changes": changes,
                        "line": definition.name_line,
                        "column": definition.name_column,
                        "start_line": definition.start_line,
                        "end_line": definition.end_line,
                    }
                    lenses.append({"range": found[1].name(definition), "data": data})  # type: ignore[index]
            return Answer(lenses, {"hits": len(lenses)})

        return self._ask_text(asked, root, work)

    def _code_lens_resolve(self, params: types.CodeLens) -> Any:
        lens = self.protocol._converter.unstructure(params)
        data = lens.get("data")
        if not _holds(data, _LENS_DATA):
            raise UsageError("codeLens/resolve: this lens is none of ctx's")
        document = self.documents.get(data["uri"])
        path = document.path if document is not None else path_of(data["uri"])
        root, inside = self._root_at(path)
        content = document.content if document is not None else self._content_on_disk(root, inside)
        if root is None or content is None:
            raise AnsweredError(REQUEST_FAILED, "codeLens/resolve: the file is gone")
        if document is not None and document.changes != data.get("changes"):
            raise AnsweredError(-32801, "the document changed meanwhile")
        if len(content) > MAX_FILE_BYTES:
            raise AnsweredError(REQUEST_FAILED, "codeLens/resolve: the file is too large")
        text = "\n".join(content.text.split("\n")[data["start_line"] - 1 : data["end_line"]])
        query = f"{inside}:{data['line']}:{data['column']}"
        asked = self._asked("ctx.lsp.codeLensResolve", document, inside, line=data["line"])

        def work(services: Services) -> Answer:
            answer = symbol_answers.lens_figures(services, query, text)
            figures = answer.result
            count = figures["certain"]
            more = "" if figures["complete"] or figures["refs"] <= count else "+"
            title = f"{count}{more} {'ref' if count == 1 and not more else 'refs'} · {figures['tokens']} tokens"
            argument = {"uri": data["uri"], "position": lens["range"]["start"], "selector": query, **figures}
            answer.result = {**lens, "command": {"title": title, "command": "ctx.refs", "arguments": [argument]}}
            return answer

        return root.ask(asked, work, document=document, is_slow=True, urgency=3)

    # ------------------------------------------------------------------ commands

    def _execute_command(self, params: types.ExecuteCommandParams) -> Any:
        command = params.command
        if not self.options.has("commands") or command not in editor_commands.COMMANDS:
            known = ", ".join(editor_commands.COMMANDS)
            raise UsageError(f"{redact_secrets(command)[:80]} is no command of ctx's; there are {known}")
        given = self.protocol._converter.unstructure(params.arguments) if params.arguments else []
        if command == "ctx.refs" and len(given) == 1 and isinstance(given[0], dict):
            given = [{key: value for key, value in given[0].items() if key not in _LENS_FIGURES}]
        arguments = editor_commands.arguments_of(command, given)
        root = self._root_of_command(arguments)
        self._tell_all_unsaved()
        if command == "ctx.restart":
            roots = [root] if "root" in arguments else list(self.roots)
            self._restart(roots)
            return {"schema": "ctx.restart/1", "restarted": [one.name for one in roots]}
        if command == "ctx.telemetry":
            asked = Asked("ctx.telemetry")

            def tell(services: Services) -> Answer:
                return Answer(
                    {"schema": "ctx.telemetry/1", "segment": services.segment_name, **services.telemetry.summary()}
                )

            return root.ask(asked, tell, is_slow=True)
        asks_servers = self._asks_servers()
        if command == "ctx.refs":
            arguments = self._with_selector(arguments, root)
        runs: dict[str, Callable[[Services], Answer]] = {
            "ctx.search": lambda services: editor_commands.search(services, arguments),
            "ctx.get": lambda services: editor_commands.get(services, arguments),
            "ctx.map": lambda services: editor_commands.repo_map(services, arguments),
            "ctx.refs": lambda services: editor_commands.refs(services, arguments, asks_servers=asks_servers),
        }

        def work(services: Services) -> Answer:
            answer, is_steady = services.steadied(lambda: runs[command](services))
            if not is_steady:
                mark_unsteady(answer.result)
            return answer

        return root.ask(Asked(command, editor_commands.told_of(command, arguments)), work, is_slow=True)

    def _with_selector(self, arguments: dict[str, Any], root: Root) -> dict[str, Any]:
        """Return the arguments of `ctx.refs` with a place of a document written as a selector."""
        position, uri = arguments.get("position"), arguments.get("uri")
        if "selector" in arguments or uri is None or position is None:
            return arguments
        document = self.documents.get(uri)
        path = root.path_of(document.path if document is not None else path_of(uri))
        content = document.content if document is not None else self._content_on_disk(root, path)
        line, unit = position.get("line"), position.get("character")
        if content is None or type(line) is not int or type(unit) is not int:
            raise UsageError("ctx.refs: uri and position must be a place in a file of the workspace")
        at, column = content.place_of(line, unit, self.documents.encoding)
        return {**arguments, "selector": f"{path}:{at}:{column}"}

    def _root_of_command(self, arguments: dict[str, Any]) -> Root:
        wanted = arguments.get("root") or arguments.get("uri")
        if wanted is None and self.roots:
            return self.roots[0]
        if wanted is not None:
            path = path_of(wanted) or (os.fsencode(wanted) if wanted.startswith("/") else b"")
            for root in self.roots:
                if wanted in (root.uri, root.name) or os.path.normpath(path) in (
                    root.folder,
                    os.fsencode(root.segment),
                ):
                    return root
            found = self._root_at(path)[0] if path else None
            if found is not None:
                return found
            known = ", ".join(root.name for root in self.roots) or "none"
            raise UsageError(f"root {redact_secrets(wanted)[:200]} is no folder of the workspace; there are: {known}")
        raise AnsweredError(REQUEST_FAILED, "no folder is open; commands need one")

    def _status(self, _params: Any) -> list[dict[str, Any]]:
        return [self.status_of(root) for root in self.roots]

    @property
    def is_overrun(self) -> bool:
        """Whether so much waits that nothing more should be read from the client."""
        return self._texts.waiting + sum(root.waiting for root in self.roots) > WAITING_MAX


_SYMBOL_DATA = (("root", str), ("path", str), ("line", int), ("column", int), ("name", str))
"""What a symbol carries so that its place can be looked up later."""
_LENS_DATA = (("uri", str), ("line", int), ("column", int), ("start_line", int), ("end_line", int))
"""What a code lens carries so that its figures can be looked up later."""
_LENS_FIGURES = frozenset({"refs", "certain", "complete", "tokens"})


def _holds(data: Any, parts: Iterable[tuple[str, type]]) -> bool:
    """Tell whether what comes back from a client is an object with these parts, no number below 0."""
    return isinstance(data, dict) and all(
        type(data.get(name)) is kind and (kind is not int or data[name] >= 0) for name, kind in parts
    )


def _ends_of(text: str) -> str:
    """Return a message whole, or its two ends."""
    half = _SAID_CHARS_MAX // 2
    return text if len(text) <= _SAID_CHARS_MAX else f"{text[:half]} … {text[-half:]}"


def _unbound(handler: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a function that pygls may mark with attributes."""

    def call(params: Any) -> Any:
        return handler(params)

    return call


def _joined(loop: asyncio.AbstractEventLoop, futures: list[asyncio.Future[Any]]) -> asyncio.Future[Any]:
    """Return a future of all results in one list; cancelling it cancels them."""
    if len(futures) == 1:
        return futures[0]
    whole: asyncio.Future[Any] = loop.create_future()

    def look(_one: asyncio.Future[Any]) -> None:
        if whole.done() or not all(future.done() for future in futures):
            return
        failed = next((future for future in futures if future.cancelled() or future.exception()), None)
        if failed is not None and not failed.cancelled():
            whole.set_exception(failed.exception() or RuntimeError())
        else:
            whole.set_result([item for future in futures if not future.cancelled() for item in future.result() or []])

    def cancel(one: asyncio.Future[Any]) -> None:
        if one.cancelled():
            for future in futures:
                future.cancel()

    for future in futures:
        future.add_done_callback(look)
    whole.add_done_callback(cancel)
    return whole


def _word_range(content: DocumentText, line: int, unit: int, encoding: Any) -> dict[str, Any] | None:
    """Return the range of the word at a position, letters of any script; None where none stands."""
    text = content.line(line)
    at = column_at(text, unit, encoding) - 1
    start = end = at
    while start > 0 and _is_word(text[start - 1]):
        start -= 1
    while end < len(text) and _is_word(text[end]):
        end += 1
    if start == end:
        return None
    return span((line, units_before(text, start + 1, encoding)), (line, units_before(text, end + 1, encoding)))


def _is_word(character: str) -> bool:
    return character.isalnum() or character in "_$"
