"""Tests of ctx.infrastructure.editor.run: what is left of a failure that nobody expected."""

from __future__ import annotations

import asyncio
import logging

import pytest
from pygls.lsp.server import LanguageServer

from ctx.infrastructure.editor.protocol import EditorProtocol
from ctx.infrastructure.editor.run import _log_failure, _take_one


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
