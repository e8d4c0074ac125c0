"""EditorProtocol: pygls' protocol with what an editor's day needs of it put right.

Left to pygls: types of messages, capabilities, requests to the client and their replies. Ours, because pygls 2.1 loses
or tells it wrongly (docs/decisions/014-editor-server.md has each with its reproduction): frames, the order in which
messages are looked at, what a request before `initialize` or after `shutdown` gets, cancellation, what an error says
(one sentence, never a traceback), the documents' texts, and how the process ends.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any

import orjson
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.protocol import LanguageServerProtocol, lsp_method

from ...domain.errors import CtxError, UsageError
from ..secrets import redact_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from cattrs import Converter
    from pygls.lsp.server import LanguageServer

    from .stdio import Writer

log = logging.getLogger("ctx.lsp")

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
NOT_INITIALIZED = -32002
REQUEST_FAILED = -32803
CONTENT_MODIFIED = -32801
REQUEST_CANCELLED = -32800
_MESSAGE_CHARS_MAX = 1_000


class AnsweredError(Exception):
    """What a request is answered with in place of a result."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


class EditorProtocol(LanguageServerProtocol):
    """One connection; everything here runs in the event loop's thread."""

    out: Writer | None = None
    on_exit: Callable[[int], None]
    on_lost_change: Callable[[str], None]
    """Called with the document's URI, "" for one that cannot be told, when a change of its text is left out."""

    def __init__(self, server: LanguageServer, converter: Converter) -> None:
        """Register what pygls registers."""
        super().__init__(server, converter)
        self.is_initialized = False
        self.in_flight: dict[Any, asyncio.Future[Any]] = {}
        self.on_exit = lambda _code: None
        self.on_lost_change = lambda _uri: None
        for name in _OURS:
            self.fm.builtin_features.pop(name, None)

    @property
    def is_shut_down(self) -> bool:
        """Whether the client has asked for the end."""
        return self._shutdown

    def unstructured(self, value: Any) -> Any:
        """Return a value of the protocol's types as the plain object or list that it is on the wire."""
        return self._converter.unstructure(value)

    # ------------------------------------------------------------------ in

    def take(self, body: bytes) -> None:
        """Look at one message."""
        try:
            content = _content_of(body)
        except ValueError as error:
            self._refuse(None, PARSE_ERROR, f"a message is no JSON ({error})")
            if b"didChange" in body:
                self.on_lost_change("")
            return
        for one in content if isinstance(content, list) else (content,):
            self._take_one(one)

    def _take_one(self, content: Any) -> None:
        if not isinstance(content, dict) or content.get("jsonrpc") != self.VERSION:
            self._refuse(None, INVALID_REQUEST, "a message is no JSON-RPC 2.0 object")
            return
        number, method = content.get("id"), content.get("method")
        is_request = "id" in content and "method" in content
        if isinstance(number, bool) or not isinstance(number, int | str | None):
            self._refuse(None, INVALID_REQUEST, "the id of a message is neither a number nor a text")
            return
        if method is not None and not isinstance(method, str):
            self._refuse(number, INVALID_REQUEST, "the method of a message is no text")
            return
        if is_request and not self._may_ask(number, method, content.get("params")):
            return
        if method is not None and not is_request and not self._may_tell(method):
            return
        if method is not None and self.get_message_type(method) is None:
            content.setdefault("params", None)  # JSON-RPC lets them be left out, pygls' own message does not
        try:
            message = self.structure_message(content)
        except JsonRpcException as error:
            log.debug("message not understood: %s", error.__cause__)
            if is_request:
                self._refuse(number, INVALID_PARAMS, f"{method}: the parameters are not those of the protocol")
            else:
                log.warning("%s is left out: it is not as the protocol has it", method or "a reply")
                self._note_lost(content)
            return
        try:
            self.handle_message(message)
        except Exception as error:
            log.error("%s: %s: %s", method or "a reply", type(error).__name__, error)
            log.debug("where:", exc_info=error)
            self._note_lost(content)

    def _note_lost(self, content: dict[str, Any]) -> None:
        """Tell of a change that was not made: what follows it is about a text that nobody here has."""
        if content.get("method") == types.TEXT_DOCUMENT_DID_CHANGE:
            uri: Any = content.get("params")
            for name in ("textDocument", "uri"):
                uri = uri.get(name) if isinstance(uri, dict) else None
            self.on_lost_change(uri if isinstance(uri, str) else "")

    def _may_ask(self, number: Any, method: str | None, params: Any) -> bool:
        if self._shutdown:
            self._refuse(number, INVALID_REQUEST, f"{method} came after shutdown")
        elif not self.is_initialized and method != types.INITIALIZE:
            self._refuse(number, NOT_INITIALIZED, f"{method} came before initialize")
        elif self.is_initialized and method == types.INITIALIZE:
            self._refuse(number, INVALID_REQUEST, "initialize came twice")
        elif number in self.in_flight:
            self._refuse(number, INVALID_REQUEST, f"the id {ascii(number)[:40]} is in use")
        elif self._handler(method) is None:
            self._refuse(number, METHOD_NOT_FOUND, f"{method} is no request that ctx answers")
        elif method == types.WORKSPACE_EXECUTE_COMMAND and not _has_argument_list(params):
            # pygls would make a list of an object's keys, and of a text's letters.
            self._refuse(number, INVALID_PARAMS, f"{method}: arguments must be a list; put the one object into it")
        else:
            return True
        return False

    def _handler(self, method: str | None) -> Any:
        return self.fm.builtin_features.get(method) or self.fm.features.get(method)

    def _may_tell(self, method: str) -> bool:
        return method == types.EXIT or (self.is_initialized and not self._shutdown)

    def _handle_request(self, msg_id: Any, method_name: str, params: Any) -> None:
        """Call the handler now, so that it sees the documents as they are; what it returns may be there later."""
        handler = self._handler(method_name)
        assert handler is not None, "looked for before the message was read"
        if method_name == types.INITIALIZE:
            self.is_initialized = True
            super()._handle_request(msg_id, method_name, params)
            return
        try:
            result = handler(params)
        except Exception as error:  # noqa: BLE001 - the rim of a request: it is answered
            self._answer_error(msg_id, error)
            return
        if not asyncio.isfuture(result):
            self._send_response(msg_id, result)
            return
        self.in_flight[msg_id] = result
        result.add_done_callback(lambda future: self._settle(msg_id, future))

    def _send_handler_result(self, future: Any, *, msg_id: Any) -> None:
        try:
            self._send_response(msg_id, future.result())
        except Exception as error:  # noqa: BLE001 - the rim of a request: it is answered
            self._answer_error(msg_id, error)

    def _settle(self, msg_id: Any, future: asyncio.Future[Any]) -> None:
        if self.in_flight.get(msg_id) is not future:
            return  # answered already, when it was cancelled
        del self.in_flight[msg_id]
        if future.cancelled():
            self._refuse(msg_id, REQUEST_CANCELLED, "cancelled")
        elif (error := future.exception()) is not None:
            self._answer_error(msg_id, error)
        else:
            self._send_response(msg_id, future.result())

    def _handle_cancel_notification(self, msg_id: Any) -> None:
        future = self.in_flight.get(msg_id)
        if future is not None and not future.done():
            future.cancel()
            self._settle(msg_id, future)

    def _handle_notification(self, method_name: str, params: Any) -> None:
        if method_name == types.CANCEL_REQUEST:
            self._handle_cancel_notification(params.id)
            return
        handler = self._handler(method_name)
        if handler is None:
            log.debug("%s is no notification that ctx knows", method_name)
            return
        if method_name in _PLAIN:
            handler(params)
        else:
            super()._handle_notification(method_name, params)

    def handle_message(self, message: Any) -> None:
        """Hand a message on; an `exit` counts whatever came before it."""
        if getattr(message, "method", "") == types.EXIT and not hasattr(message, "id"):
            self.on_exit(0 if self._shutdown else 1)
            return
        super().handle_message(message)

    @lsp_method(types.SHUTDOWN)
    def lsp_shutdown(self, *_args: Any) -> Any:
        """Cancel what is under way; everything but `exit` is refused from now on."""
        self._shutdown = True
        for msg_id in list(self.in_flight):
            self._handle_cancel_notification(msg_id)

    @lsp_method(types.EXIT)
    def lsp_exit(self, *_args: Any) -> Generator[Any, Any, None]:
        """Never reached: `handle_message` ends the process (pygls' own raises SystemExit inside a callback)."""
        yield from ()

    # ------------------------------------------------------------------ out

    def _send_data(self, data: Any) -> None:
        if self.out is None:
            return
        content = self.unstructured(data) if hasattr(data, "__attrs_attrs__") else data
        self.send(content)

    def send(self, content: dict[str, Any]) -> None:
        """Write one message."""
        if self.out is None:
            return
        try:
            body = orjson.dumps(content)
        except TypeError:  # a lone surrogate in somebody's text: the slow encoder escapes it
            body = json.dumps(content).encode("ascii")
        self.out.write(body)

    def _send_response(self, msg_id: Any, result: Any = None, error: Any = None) -> None:
        if error is not None:
            self._refuse(msg_id, error.code, error.message)
            return
        if hasattr(result, "__attrs_attrs__"):
            result = self.unstructured(result)
        self.send({"jsonrpc": self.VERSION, "id": msg_id, "result": result})

    def tell(self, method: str, params: dict[str, Any]) -> None:
        """Send a notification."""
        self.send({"jsonrpc": self.VERSION, "method": method, "params": params})

    def _refuse(self, msg_id: Any, code: int, message: str, data: Any = None) -> None:
        error: dict[str, Any] = {"code": code, "message": redact_secrets(message)[:_MESSAGE_CHARS_MAX]}
        if data is not None:
            error["data"] = data
        self.send({"jsonrpc": self.VERSION, "id": msg_id, "error": error})

    def _answer_error(self, msg_id: Any, error: BaseException) -> None:
        """Answer a request that failed in one sentence; where it failed is for the log."""
        if isinstance(error, AnsweredError):
            self._refuse(msg_id, error.code, error.message, error.data)
        elif isinstance(error, CtxError):
            code = INVALID_PARAMS if isinstance(error, UsageError) else REQUEST_FAILED
            self._refuse(msg_id, code, " ".join(str(error).split()))
        elif isinstance(error, RecursionError):
            self._refuse(msg_id, INVALID_PARAMS, "the parameters are nested too deep")
        else:
            text = " ".join(str(error).split())
            log.error("internal error: %s: %s", type(error).__name__, text)
            log.debug("where:", exc_info=error)
            self._refuse(msg_id, INTERNAL_ERROR, f"internal error in ctx lsp: {type(error).__name__}: {text}")


def _content_of(body: bytes) -> Any:
    """Return what a message says.

    orjson refuses half of a surrogate pair. Clients that count in UTF-16 send halves, and in a document's text they
    have to stay: the client counts them. Anywhere else (a query, a name) U+FFFD stands for them.

    Raises: ValueError for what is no JSON.
    """
    try:
        return orjson.loads(body)
    except ValueError as error:
        if b"\\u" not in body and b"\xed" not in body:
            raise
        try:
            content = json.loads(body.decode("utf-8", "surrogatepass"), parse_constant=_refuse_constant)
            for one in content if isinstance(content, list) else (content,):
                if isinstance(one, dict) and one.get("method") not in _WITH_TEXT and "params" in one:
                    params = json.dumps(one["params"], ensure_ascii=False).encode("utf-16-le", "surrogatepass")
                    one["params"] = json.loads(params.decode("utf-16-le", "replace"))
        except (ValueError, RecursionError):
            raise error from None
        return content


def _has_argument_list(params: Any) -> bool:
    return not isinstance(params, dict) or isinstance(params.get("arguments"), list | None)


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


_WITH_TEXT = (types.TEXT_DOCUMENT_DID_OPEN, types.TEXT_DOCUMENT_DID_CHANGE)
_OURS = (
    types.TEXT_DOCUMENT_DID_OPEN,
    types.TEXT_DOCUMENT_DID_CHANGE,
    types.TEXT_DOCUMENT_DID_CLOSE,
    types.NOTEBOOK_DOCUMENT_DID_OPEN,
    types.NOTEBOOK_DOCUMENT_DID_CHANGE,
    types.NOTEBOOK_DOCUMENT_DID_CLOSE,
    types.WORKSPACE_EXECUTE_COMMAND,
    types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS,
    types.INITIALIZED,
)
"""What pygls would do to documents of its own, or to its table of commands."""
_PLAIN = frozenset(
    (
        *_OURS,
        types.TEXT_DOCUMENT_DID_SAVE,
        types.WORKSPACE_DID_CHANGE_CONFIGURATION,
        types.WORKSPACE_DID_CHANGE_WATCHED_FILES,
    )
)
"""Notifications whose handlers are called at once and return nothing."""
