"""Tests of ctx.infrastructure.editor.server: what outlives the document it was made of."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from lsprotocol import types

from ctx.infrastructure.editor.options import options_of
from ctx.infrastructure.editor.server import EditorServer

if TYPE_CHECKING:
    from collections.abc import Callable

URI = "untitled:a.py"


class Conversation:
    """A server without a folder, and what it tells its client."""

    def __init__(self) -> None:
        self.server = EditorServer(asyncio.get_running_loop(), on_end=lambda _code: None)
        self.server.options, problems = options_of({"diagnostics": True, "status": False})
        assert not problems
        self.told: list[tuple[str, Any]] = []
        self.server.protocol.tell = lambda method, params: self.told.append((method, params))  # type: ignore[method-assign]

    def open(self, text: str) -> None:
        """Open the document, as editors do with the same version each time."""
        item = types.TextDocumentItem(uri=URI, language_id="python", version=1, text=text)
        self.server._did_open(types.DidOpenTextDocumentParams(text_document=item))

    def close(self) -> None:
        """Close it."""
        self.server._did_close(types.DidCloseTextDocumentParams(text_document=types.TextDocumentIdentifier(URI)))

    async def outline(self) -> list[str]:
        """Return the names in the outline."""
        params = types.DocumentSymbolParams(text_document=types.TextDocumentIdentifier(URI))
        return [symbol["name"] for symbol in await self.server._document_symbol(params)]


def run(visit: Callable[[Conversation], Any]) -> Any:
    """Visit a server in a loop of its own."""

    async def whole() -> Any:
        return await visit(Conversation())

    return asyncio.run(whole())


def test_outline_is_of_the_text_that_is_open_now() -> None:
    """A document that is closed and opened again may have the same name and version, and another text."""

    async def visit(conversation: Conversation) -> list[list[str]]:
        found = []
        for text in ("def a(): ...\n", "def b(): ...\n"):
            conversation.open(text)
            found.append(await conversation.outline())
            conversation.close()
        return found

    assert [["a"], ["b"]] == run(visit)


@pytest.mark.parametrize("is_opened_again", [False, True])
def test_errors_of_a_document_that_is_closed_are_not_shown(*, is_opened_again: bool) -> None:
    """Found while it was closed, they would stay for ever."""

    async def visit(conversation: Conversation) -> Any:
        conversation.open("def f(:\n")
        conversation.close()
        if is_opened_again:
            conversation.open("def f(): ...\n")
        await conversation.server._texts.submit(lambda: None, urgency=9)
        return [params["diagnostics"] for method, params in conversation.told if method.endswith("publishDiagnostics")]

    assert [[]] * (2 if is_opened_again else 1) == run(visit)
