"""EditorServer: the editor's messages and who answers them, from `initialize` to the end.

Owns which handler a message has, what `initialize` and the settings decide, and the parts of the server with what each
is handed. Runs in the event loop's thread and never waits. Left to others: which segments are open (`roots`), the
documents (`text_sync`), what is shown (`status`), what features answer (`outline_features`, `symbol_features`,
`command_features`). docs/editor-server.md describes what an editor sees of it.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from ... import __version__
from ...domain.file_uris import uri_of_path
from ...domain.text_positions import DEFAULT_ENCODING
from .client import EditorClient
from .command_features import CommandFeatures
from .diagnostics import Diagnostics
from .documents import Documents
from .editor_commands import COMMANDS
from .lifetime import watch_process
from .options import SECTION, options_of
from .outline_features import OutlineFeatures
from .protocol import EditorProtocol
from .questions import Questions
from .roots import Roots
from .session import session_of
from .status import StatusDisplay, status_of
from .symbol_features import SymbolFeatures
from .text_answers import TextAnswers
from .text_sync import TextSync
from .worker import Worker

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from ...domain.text_positions import PositionEncoding

log = logging.getLogger("ctx.lsp")

NAME = "ctx"
FLUSH_EVERY_S = 30.0
WAITING_MAX = 20_000
"""Requests that were not begun, from which on nothing more is read from the client."""
_ENCODINGS: dict[str, PositionEncoding] = {"utf-8": "utf-8", "utf-16": "utf-16", "utf-32": "utf-32"}
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
        self._loop = loop
        self._on_end = on_end
        self._problems: list[str] = []
        self._folders: list[str] = []
        self._texts = Worker("ctx-lsp-text", loop)
        self._documents = Documents()
        self._client = client = EditorClient(self.protocol)
        self._status = StatusDisplay(client, loop)
        self._roots = roots = Roots(loop, client, self._documents, self._status, session_of)
        self._diagnostics = Diagnostics(client, self._documents, self._texts)
        self._sync = sync = TextSync(loop, client, self._documents, roots, self._diagnostics)
        questions = Questions(client, self._documents, roots, sync, self._texts)
        text_answers = TextAnswers()
        self._outlines = OutlineFeatures(client, questions, text_answers)
        self._symbols = SymbolFeatures(loop, client, roots, questions, text_answers)
        self._commands = CommandFeatures(client, self._documents, roots, sync, questions)
        self.protocol.on_lost_change = sync.forget
        self._register()

    # ------------------------------------------------------------------ registration

    def _register(self) -> None:
        always: dict[str, Callable[[Any], Any]] = {
            types.INITIALIZE: self._initialize,
            types.INITIALIZED: self._initialized,
            types.TEXT_DOCUMENT_DID_OPEN: self._sync.did_open,
            types.TEXT_DOCUMENT_DID_CHANGE: self._sync.did_change,
            types.TEXT_DOCUMENT_DID_SAVE: self._sync.did_save,
            types.TEXT_DOCUMENT_DID_CLOSE: self._sync.did_close,
            types.WORKSPACE_DID_CHANGE_CONFIGURATION: self._did_change_configuration,
            types.WORKSPACE_DID_CHANGE_WATCHED_FILES: self._did_change_watched_files,
            types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS: self._did_change_folders,
            "ctx/status": self._tell_status,
        }
        for name, handler in always.items():
            self.protocol.fm.feature(name)(_unbound(handler))

    def _register_features(self) -> None:
        features: dict[str, tuple[tuple[str, Callable[[Any], Any]], ...]] = {
            "documentSymbol": ((types.TEXT_DOCUMENT_DOCUMENT_SYMBOL, self._outlines.document_symbol),),
            "hover": ((types.TEXT_DOCUMENT_HOVER, self._symbols.hover),),
            "definition": ((types.TEXT_DOCUMENT_DEFINITION, self._symbols.definition),),
            "references": ((types.TEXT_DOCUMENT_REFERENCES, self._symbols.references),),
            "workspaceSymbol": (
                (types.WORKSPACE_SYMBOL, self._symbols.workspace_symbol),
                (types.WORKSPACE_SYMBOL_RESOLVE, self._symbols.workspace_symbol_resolve),
            ),
            "codeLens": (
                (types.TEXT_DOCUMENT_CODE_LENS, self._outlines.code_lens),
                (types.CODE_LENS_RESOLVE, self._outlines.code_lens_resolve),
            ),
            "commands": ((types.WORKSPACE_EXECUTE_COMMAND, self._commands.execute_command),),
        }
        for feature, handlers in features.items():
            if self._client.options.has(feature):
                for name, handler in handlers:
                    if name not in self.protocol.fm.features:
                        self.protocol.fm.feature(name)(_unbound(handler))
        if self._client.options.has("commands"):
            for command in COMMANDS:
                if command not in self.protocol.fm.commands:
                    self.protocol.fm.command(command)(_unbound(self._commands.execute_command))

    # ------------------------------------------------------------------ life

    def _initialize(self, params: types.InitializeParams) -> None:
        self._client.options, problems = options_of(params.initialization_options)
        self._problems = problems
        self._client.capabilities = self._client.unstructured(params.capabilities)
        chosen = self.protocol.workspace.position_encoding  # a text or a member of an enumeration, as pygls found it
        self._documents.encoding = _ENCODINGS.get(str(getattr(chosen, "value", chosen)), DEFAULT_ENCODING)
        if isinstance(params.process_id, int):
            watch_process(params.process_id, self._loop, lambda: self._on_end(1))
        folders = [folder.uri for folder in params.workspace_folders or ()]
        if not folders and params.root_uri:
            folders = [params.root_uri]
        elif not folders and params.root_path:
            folders = [uri_of_path(os.fsencode(params.root_path))]
        self._folders = folders
        self._register_features()

    def _initialized(self, _params: Any) -> None:
        for problem in self._problems:
            self._client.show(problem)
        for uri in self._folders:
            self._roots.add_folder(uri)
        if self._client.can("workspace", "didChangeWatchedFiles", "dynamicRegistration"):
            self._ask_for_watches()
        self._loop.call_later(FLUSH_EVERY_S, self._flush)

    def end(self, exit_code: int, *, is_hasty: bool) -> None:
        """Write what has to be written and let go of everything."""
        self._roots.end(exit_code, is_hasty=is_hasty)

    @property
    def is_overrun(self) -> bool:
        """Whether so much waits that nothing more should be read from the client."""
        return self._texts.waiting + self._roots.waiting > WAITING_MAX

    def _flush(self) -> None:
        self._roots.flush()
        self._loop.call_later(FLUSH_EVERY_S, self._flush)

    def _ask_for_watches(self) -> None:
        watchers = [types.FileSystemWatcher(glob_pattern="**/*")]
        options = types.DidChangeWatchedFilesRegistrationOptions(watchers=watchers)
        self._client.register("ctx-watch", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options)

    def report_server_error(self, error: Exception, source: Any) -> None:  # noqa: ARG002 - the overridden one's
        """Keep what pygls would pop up in the editor to the log: a request's failure is its answer."""
        log.error("%s: %s", type(error).__name__, " ".join(str(error).split()))

    # ------------------------------------------------------------------ the workspace

    def _did_change_watched_files(self, _params: Any) -> None:
        self._roots.mark_changed()

    def _did_change_folders(self, params: types.DidChangeWorkspaceFoldersParams) -> None:
        for folder in params.event.added:
            self._roots.add_folder(folder.uri)
        for folder in params.event.removed:
            self._roots.drop_folder(folder.uri)

    def _tell_status(self, _params: Any) -> list[dict[str, Any]]:
        return [status_of(root) for root in self._roots]

    # ------------------------------------------------------------------ settings

    def _did_change_configuration(self, params: types.DidChangeConfigurationParams) -> None:
        settings = params.settings
        settings = self._client.unstructured(settings) if hasattr(settings, "__attrs_attrs__") else settings
        if isinstance(settings, dict) and SECTION in settings:
            self._take_options(settings[SECTION])
        elif not settings and self._client.can("workspace", "configuration"):
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
        before = self._client.options
        self._client.options, problems = options_of(given)
        for problem in problems:
            self._client.show(problem)
        self._register_features()
        for feature, method in _REGISTERED.items():
            if self._client.options.has(feature) and not before.has(feature) and self._can_register(method):
                options = {"codeLens": types.CodeLensRegistrationOptions(resolve_provider=True)}.get(feature)
                self._client.register(f"ctx-{feature}", method, options)
        if self._client.options.lsp != before.lsp:
            self._roots.restart(self._roots)
        if self._client.options.has("diagnostics") != before.has("diagnostics"):
            for document in self._documents:
                self._diagnostics.diagnose(document)
                if not self._client.options.has("diagnostics"):
                    self._diagnostics.clear(document)
        for root in self._roots:
            self._status.changed(root)

    def _can_register(self, method: str) -> bool:
        group, _, name = method.partition("/")
        if method == types.WORKSPACE_SYMBOL:
            return self._client.can("workspace", "symbol", "dynamicRegistration")
        return self._client.can(group, name, "dynamicRegistration")


def _unbound(handler: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a function that pygls may mark with attributes."""

    def call(params: Any) -> Any:
        return handler(params)

    return call
