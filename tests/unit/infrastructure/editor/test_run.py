"""Tests of ctx.infrastructure.editor.run: what is left of a failure that nobody expected."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from typing import TYPE_CHECKING

import pytest
from pygls.lsp.server import LanguageServer

from ctx.infrastructure.editor import run as module
from ctx.infrastructure.editor.protocol import EditorProtocol
from ctx.infrastructure.editor.run import _log_failure, _serve, _take_one
from ctx.infrastructure.editor.stdio import UNREAD_BYTES_MAX

if TYPE_CHECKING:
    from ctx.infrastructure.editor.stdio import Writer

PATIENCE_S = 60.0


class FailingProtocol(EditorProtocol):
    """Fails at every message, with its words."""

    def take(self, body: bytes) -> None:
        raise RuntimeError(body.decode())


def test_failure_of_a_message_ends_with_it(caplog: pytest.LogCaptureFixture) -> None:
    """Those that came with it are next; the log has what failed, and nothing of what was received."""
    server = LanguageServer("test", "1", protocol_cls=FailingProtocol)
    assert isinstance(server.protocol, EditorProtocol)

    async def visit() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_log_failure)
        loop.call_soon(server.protocol.take, b"my words")
        await asyncio.sleep(0)

    with caplog.at_level(logging.INFO):
        _take_one(server.protocol, b"my words")
        asyncio.run(visit())
    assert ["a message of 8 bytes is left out: RuntimeError", "a callback failed: RuntimeError"] == caplog.messages


class BusyServer:
    """Server and protocol in one: after the first message it has too much to do and, if asked for it, to say."""

    is_shut_down = True
    out: Writer

    def __init__(self, words: int) -> None:
        self.has_much_to_do = False
        self.was_asked_for_it = threading.Event()
        self.taken: list[bytes] = []
        self.has_taken = threading.Event()
        self._words = words

    @property
    def protocol(self) -> BusyServer:
        return self

    @property
    def is_overrun(self) -> bool:
        if self.has_much_to_do:
            self.was_asked_for_it.set()
        return self.has_much_to_do

    def take(self, body: bytes) -> None:
        self.taken.append(body)
        if len(self.taken) == 1:
            self.has_much_to_do = True
            self.out.write(b"x" * self._words)
        self.has_taken.set()

    def end(self, exit_code: int, *, is_hasty: bool) -> None:
        """Have nothing to let go of."""


@pytest.mark.parametrize("words", [1, UNREAD_BYTES_MAX + 1], ids=["much to do", "and much to be read"])
def test_client_is_read_again_once_both_reasons_not_to_are_over(monkeypatch: pytest.MonkeyPatch, words: int) -> None:
    """Whichever of them ends first, and though no request is answered after the last one did."""
    (incoming, to_server), (from_server, outgoing) = os.pipe(), os.pipe()
    server = BusyServer(words)
    monkeypatch.setattr(module, "_make_server", lambda _loop, _end: server)
    monkeypatch.setattr(module, "watch_signals", lambda _loop, _end: None)

    def talk() -> None:
        os.write(to_server, b"Content-Length: 1\r\n\r\n1")
        left = words
        while left > 0:
            left -= len(os.read(from_server, 1 << 20))
        server.was_asked_for_it.wait(PATIENCE_S)
        server.has_taken.clear()
        server.has_much_to_do = False
        os.write(to_server, b"Content-Length: 1\r\n\r\n2")
        server.has_taken.wait(PATIENCE_S)
        os.close(to_server)

    async def serve() -> int:
        async with asyncio.timeout(2 * PATIENCE_S):
            return await _serve(incoming, outgoing)

    client = threading.Thread(target=talk)
    client.start()
    try:
        assert 0 == asyncio.run(serve())
    finally:
        client.join()
        for fd in (incoming, from_server, outgoing):
            os.close(fd)
    assert [b"1", b"2"] == server.taken
