"""Tests of ctx.infrastructure.editor.client."""

from __future__ import annotations

import pytest
from tests.editor_parts import HeardProtocol

from ctx.infrastructure.editor.client import EditorClient
from ctx.infrastructure.editor.options import options_of


@pytest.fixture
def protocol() -> HeardProtocol:
    """A client's other end."""
    return HeardProtocol()


@pytest.fixture
def client(protocol: HeardProtocol) -> EditorClient:
    """A client that said nothing of itself yet."""
    return EditorClient(protocol)  # type: ignore[arg-type]  # what is used of a protocol


def test_message_is_told_once(client: EditorClient, protocol: HeardProtocol) -> None:
    """Shown or written to the log, on one line there, and not again."""
    for _ in range(2):
        client.show("the disk is gone")
        client.note("the host\nis gone", kind=3)
    assert [
        ("window/showMessage", {"type": 2, "message": "ctx: the disk is gone"}),
        ("window/logMessage", {"type": 3, "message": "ctx: the host is gone"}),
    ] == protocol.told


def test_long_message_is_told_by_its_ends(client: EditorClient, protocol: HeardProtocol) -> None:
    """What becomes of a thing stands at the end of what is said of it."""
    client.note("x" * 5_000 + " is gone")
    message = protocol.told[0][1]["message"]
    assert (True, True, True) == (message.startswith("ctx: xxx"), message.endswith(" is gone"), len(message) < 1_100)


def test_capability_is_looked_up_by_its_path(client: EditorClient) -> None:
    """What the client does not speak of, it cannot."""
    client.capabilities = {"textDocument": {"hover": {"contentFormat": ["plaintext"]}, "definition": {}}}
    assert ["plaintext"] == client.capability("textDocument", "hover", "contentFormat")
    assert [True, False, False, False] == [
        client.can("textDocument", "hover"),
        client.can("textDocument", "definition"),
        client.can("textDocument", "definition", "linkSupport"),
        client.can("workspace", "symbol"),
    ]


@pytest.mark.parametrize(("can", "wants", "asked"), [(True, True, 1), (True, False, 0), (False, True, 0)])
def test_progress_is_shown_where_it_can_be_and_is_wanted(
    client: EditorClient, protocol: HeardProtocol, *, can: bool, wants: bool, asked: int
) -> None:
    """Both are looked at when the work begins: settings may change before."""
    progress = client.progress("work")
    client.capabilities = {"window": {"workDoneProgress": can}}
    client.options = options_of({"progress": wants})[0]
    progress.begin()
    assert asked == len(protocol.asked)


def test_method_is_registered(client: EditorClient, protocol: HeardProtocol) -> None:
    """By a request of the server's, which holds the one registration."""
    client.register("ctx-hover", "textDocument/hover")
    method, params, _future = protocol.asked[0]
    assert ("client/registerCapability", ["ctx-hover"]) == (method, [one.id for one in params.registrations])
