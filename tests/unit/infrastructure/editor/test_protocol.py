"""Tests of ctx.infrastructure.editor.protocol: what each message gets, without a process."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from lsprotocol import types
from pygls.lsp.server import LanguageServer

from ctx.domain.errors import NotFoundError, UsageError
from ctx.infrastructure.editor.protocol import AnsweredError, EditorProtocol


class RecordingWriter:
    """Keeps what would go to the client."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def write(self, body: bytes) -> None:
        self.sent.append(json.loads(body))


def protocol_with(**handlers: Any) -> tuple[EditorProtocol, RecordingWriter]:
    """Return an initialized protocol with handlers by method, and what it sends from then on."""
    server = LanguageServer("test", "1", protocol_cls=EditorProtocol)
    protocol = server.protocol
    assert isinstance(protocol, EditorProtocol)
    writer = RecordingWriter()
    protocol.out = writer  # type: ignore[assignment]  # the part of a writer that is used
    for name, handler in handlers.items():
        protocol.fm.feature(f"test/{name}")(handler)
    ask(protocol, "initialize", {"processId": None, "rootUri": None, "capabilities": {}})
    assert 0 == writer.sent.pop()["id"]
    return protocol, writer


def ask(protocol: EditorProtocol, method: str, params: Any = None, number: Any = 0) -> None:
    """Hand a request over."""
    protocol.take(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode())


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (UsageError("query is missing"), -32602, "query is missing"),
        (NotFoundError("no such\nfile"), -32803, "no such file"),
        (AnsweredError(-32801, "changed"), -32801, "changed"),
        (RecursionError("maximum recursion depth exceeded"), -32602, "the parameters are nested too deep"),
        (RuntimeError("boom"), -32603, "internal error in ctx lsp: RuntimeError: boom"),
    ],
)
def test_failure_is_one_sentence_with_its_code(error: Exception, code: int, message: str) -> None:
    """Nothing of how it came to it, whatever it was."""

    def fail(_params: Any) -> None:
        raise error

    protocol, writer = protocol_with(fail=fail)
    ask(protocol, "test/fail", number="a")
    assert [{"jsonrpc": "2.0", "id": "a", "error": {"code": code, "message": message}}] == writer.sent


@pytest.mark.parametrize("arguments", [{"query": "words"}, "words", 1])
def test_arguments_of_a_command_are_a_list(arguments: Any) -> None:
    """An object's keys, or a text's letters, are not what was meant."""
    protocol, writer = protocol_with()
    protocol.fm.feature("workspace/executeCommand")(lambda _params: "run")
    for given in (arguments, [arguments]):
        ask(protocol, "workspace/executeCommand", {"command": "ctx.search", "arguments": given})
    refused, answered = writer.sent
    assert -32602 == refused["error"]["code"]
    assert "arguments must be a list" in refused["error"]["message"]
    assert "run" == answered["result"]


def test_handler_sees_messages_in_their_order() -> None:
    """A request is looked at before what follows it is: its answer may come later."""
    seen: list[str] = []

    async def visit() -> list[dict[str, Any]]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def slow(_params: Any) -> Any:
            seen.append("slow")
            return future

        protocol, writer = protocol_with(slow=slow, quick=lambda _params: seen.append("quick"))
        ask(protocol, "test/slow", number=1)
        ask(protocol, "test/quick", number=2)
        future.set_result({"late": True})
        await asyncio.sleep(0)
        return writer.sent

    sent = asyncio.run(visit())
    assert ["slow", "quick"] == seen
    assert [(2, None), (1, {"late": True})] == [(one["id"], one["result"]) for one in sent]


def test_cancelled_request_is_answered_at_once_and_once() -> None:
    """The future is cancelled, so that nobody works on, and what becomes of it is not told again."""

    async def visit() -> tuple[bool, list[dict[str, Any]]]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        protocol, writer = protocol_with(slow=lambda _params: future)
        ask(protocol, "test/slow", number=1)
        protocol.take(b'{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":1}}')
        protocol.take(b'{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":1}}')
        await asyncio.sleep(0)
        return future.cancelled(), writer.sent

    was_cancelled, sent = asyncio.run(visit())
    assert was_cancelled
    assert [(1, -32800)] == [(one["id"], one["error"]["code"]) for one in sent]


def test_shutdown_cancels_what_is_under_way() -> None:
    """Its own answer comes, too, and every later request is refused."""

    async def visit() -> list[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        protocol, writer = protocol_with(slow=lambda _params: future)
        ask(protocol, "test/slow", number=1)
        ask(protocol, types.SHUTDOWN, number=2)
        ask(protocol, "test/slow", number=3)
        assert protocol.is_shut_down
        return [(one["id"], one.get("error", {}).get("code")) for one in writer.sent]

    assert [(1, -32800), (2, None), (3, -32600)] == asyncio.run(visit())


@pytest.mark.parametrize("code", [0, 1])
def test_exit_code_says_whether_shutdown_came(code: int) -> None:
    """`exit` ends whatever is under way."""
    protocol, _writer = protocol_with()
    codes: list[int] = []
    protocol.on_exit = codes.append
    if code == 0:
        ask(protocol, types.SHUTDOWN)
    protocol.take(b'{"jsonrpc":"2.0","method":"exit"}')
    assert [code] == codes


def test_text_that_is_no_unicode_can_be_sent() -> None:
    """Half of a surrogate pair in somebody's file is escaped, not an end of the connection."""
    protocol, writer = protocol_with(odd=lambda _params: {"text": "\ud835"})
    ask(protocol, "test/odd", number=1)
    assert "\ud835" == writer.sent[0]["result"]["text"]


def test_number_in_use_is_refused() -> None:
    """Two requests of one number could not be told apart."""

    async def visit() -> list[dict[str, Any]]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        protocol, writer = protocol_with(slow=lambda _params: future)
        ask(protocol, "test/slow", number=1)
        ask(protocol, "test/slow", number=1)
        return writer.sent

    assert ["the id 1 is in use"] == [one["error"]["message"] for one in asyncio.run(visit())]


def test_half_of_a_character_is_taken_as_it_came() -> None:
    """In a document's text the client counts it; in what is asked U+FFFD stands for it, and NaN stays no JSON."""
    seen: list[Any] = []
    protocol, writer = protocol_with(odd=lambda params: seen.append(params))  # noqa: PLW0108 - pygls marks it
    protocol.fm.feature(types.TEXT_DOCUMENT_DID_CHANGE)(lambda params: seen.append(params))  # noqa: PLW0108
    change = {"textDocument": {"uri": "untitled:a", "version": 2}, "contentChanges": [{"text": "\ud83d"}]}
    protocol.take(json.dumps({"jsonrpc": "2.0", "method": "textDocument/didChange", "params": change}).encode())
    ask(protocol, "test/odd", {"query": "\ud83d"}, number="\ude00")
    protocol.take(b'{"jsonrpc":"2.0","id":2,"method":"test/odd","params":["\\ud83d", NaN]}')
    protocol.take(b"[" * 100_000 + b'"\\ud83d"')
    assert ["\ud83d", "\ufffd"] == [seen[0].content_changes[0].text, seen[1].query]
    assert ["\ude00", None, None] == [one["id"] for one in writer.sent]
    assert [-32700, -32700] == [one["error"]["code"] for one in writer.sent[1:]]


@pytest.mark.parametrize("number", [[1], {"a": 1}, 1.5, True])
def test_id_that_is_none_is_refused(number: Any) -> None:
    """Numbers, texts and null are ids; with anything else nobody can be answered."""
    protocol, writer = protocol_with(odd=lambda _params: "served")
    ask(protocol, "test/odd", number=number)
    protocol.take(json.dumps({"jsonrpc": "2.0", "id": number, "result": 1}).encode())
    ask(protocol, "test/odd", number=2)
    assert [(None, -32600), (None, -32600), (2, None)] == [
        (one["id"], one.get("error", {}).get("code")) for one in writer.sent
    ]


@pytest.mark.parametrize(
    ("body", "uri"),
    [
        (
            b'{"jsonrpc":"2.0","method":"textDocument/didChange","params":{"textDocument":{"uri":"untitled:a"}}}',
            "untitled:a",
        ),
        (b'{"jsonrpc":"2.0","method":"textDocument/didChange","params":[5]}', ""),
        (b'{"jsonrpc":"2.0","method":"textDocument/didChange","params":', ""),
        (b'{"jsonrpc":"2.0","method":"textDocument/didSave","params":', None),
    ],
)
def test_change_that_is_lost_is_told(body: bytes, uri: str | None) -> None:
    """Which document it was about, as far as that can be read."""
    protocol, _writer = protocol_with()
    lost: list[str] = []
    protocol.on_lost_change = lost.append
    protocol.take(body)
    assert ([] if uri is None else [uri]) == lost


def test_parameters_may_be_left_out() -> None:
    """JSON-RPC 2.0, 4: they may be omitted; so may those of ctx's own requests."""
    protocol, writer = protocol_with(plain=lambda params: {"given": params})
    protocol.take(b'{"jsonrpc":"2.0","id":1,"method":"test/plain"}')
    assert [{"given": None}] == [one.get("result") for one in writer.sent]
