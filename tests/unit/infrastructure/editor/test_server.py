"""Tests of ctx.infrastructure.editor.server: what is promised to a client, and what follows from its settings."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from ctx.infrastructure.editor.server import EditorServer

if TYPE_CHECKING:
    from collections.abc import Callable


class Conversation:
    """A server without a folder, and what it sends to its client."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.server = EditorServer(asyncio.get_running_loop(), on_end=lambda _code: None)
        self.server.protocol.out = self  # type: ignore[assignment]  # the part of a writer that is used

    def write(self, body: bytes) -> None:
        self.sent.append(json.loads(body))

    def tell(self, method: str, params: Any, **more: Any) -> None:
        """Send a notification, or a request with an id."""
        self.server.protocol.take(json.dumps({"jsonrpc": "2.0", "method": method, "params": params, **more}).encode())

    def initialize(self, options: Any = None, **capabilities: Any) -> dict[str, Any]:
        """Return what the server can do."""
        params = {"processId": None, "rootUri": None, "capabilities": capabilities, "initializationOptions": options}
        self.tell("initialize", params, id="first")
        self.tell("initialized", {})
        promised: dict[str, Any] = next(one for one in self.sent if one.get("id") == "first")["result"]["capabilities"]
        return promised

    def set(self, settings: Any) -> None:
        """Change the settings."""
        self.tell("workspace/didChangeConfiguration", {"settings": settings})

    def asked(self) -> list[str]:
        """Return the methods that the server had registered, or the other requests it sent."""
        requests = [one for one in self.sent if "method" in one and "id" in one]
        return [
            registration["method"]
            for one in requests
            for registration in one["params"].get("registrations", [{"method": one["method"]}])
        ]


def run(visit: Callable[[Conversation], Any]) -> Any:
    """Visit a server in a loop of its own."""

    async def whole() -> Any:
        return visit(Conversation())

    return asyncio.run(whole())


def test_feature_that_is_off_is_not_promised() -> None:
    """The others are, and the commands by their names."""

    def visit(conversation: Conversation) -> Any:
        can = conversation.initialize({"hover": False})
        return can.get("hoverProvider"), can["definitionProvider"], can["executeCommandProvider"]["commands"]

    hover, definition, commands = run(visit)
    assert (None, True) == (hover, definition)
    assert {"ctx.search", "ctx.restart"} <= set(commands)


@pytest.mark.parametrize("is_dynamic", [True, False])
def test_feature_that_is_switched_on_is_registered(*, is_dynamic: bool) -> None:
    """With a client that lets it be; once, whatever else is set."""

    def visit(conversation: Conversation) -> Any:
        capability = {"dynamicRegistration": is_dynamic}
        conversation.initialize(
            {"hover": False, "workspaceSymbol": False},
            textDocument={"hover": capability},
            workspace={"symbol": capability},
        )
        for settings in ({}, {"diagnostics": True}):
            conversation.set({"ctx": settings})
        return conversation.asked()

    assert (["textDocument/hover", "workspace/symbol"] if is_dynamic else []) == run(visit)


def test_changes_of_files_are_watched_by_a_client_that_can() -> None:
    """It is asked when it is initialized."""

    def visit(conversation: Conversation) -> Any:
        conversation.initialize(workspace={"didChangeWatchedFiles": {"dynamicRegistration": True}})
        return conversation.asked()

    assert ["workspace/didChangeWatchedFiles"] == run(visit)


def test_settings_that_were_not_sent_are_asked_for() -> None:
    """What comes back counts, and what is wrong in it is shown."""

    def visit(conversation: Conversation) -> Any:
        conversation.initialize(workspace={"configuration": True})
        conversation.set(None)
        request = conversation.sent[-1]
        reply = {"jsonrpc": "2.0", "id": request["id"], "result": [{"hoverr": True}]}
        conversation.server.protocol.take(json.dumps(reply).encode())
        return request["method"], conversation.sent[-1]["method"]

    assert ("workspace/configuration", "window/showMessage") == run(visit)


@pytest.mark.parametrize(
    ("offered", "chosen"), [(["utf-32", "utf-16"], "utf-32"), (["utf-8"], "utf-8"), (None, "utf-16")]
)
def test_positions_are_counted_as_the_client_offers(offered: list[str] | None, chosen: str) -> None:
    """And as every client can where it says nothing."""

    def visit(conversation: Conversation) -> Any:
        return conversation.initialize(general={"positionEncodings": offered} if offered else {})["positionEncoding"]

    assert chosen == run(visit)


def test_status_without_a_folder_is_empty() -> None:
    """And nothing waits."""

    def visit(conversation: Conversation) -> Any:
        conversation.initialize()
        conversation.tell("ctx/status", {}, id="status")
        return conversation.sent[-1]["result"], conversation.server.is_overrun

    assert ([], False) == run(visit)
