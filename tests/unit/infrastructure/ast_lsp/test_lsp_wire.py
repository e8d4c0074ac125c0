"""The base protocol: frames as they come in pieces, and streams that are none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctx.infrastructure.ast_lsp.lsp_wire import BODY_BYTES_MAX, DAMAGED_MAX, MessageReader, WireError, frame

MESSAGES: list[dict[str, Any]] = [
    {"jsonrpc": "2.0", "id": 1, "result": None},
    {"jsonrpc": "2.0", "method": "x/é𝒳", "params": {"text": "a\r\n\r\nContent-Length: 3\r\n\r\n{}"}},
    {},
]


@given(st.lists(st.sampled_from(MESSAGES), max_size=5), st.integers(1, 50))
def test_messages_survive_being_cut_anywhere(messages: list[dict[str, Any]], size: int) -> None:
    """In the header, in the middle of a character, between two."""
    stream = b"".join(map(frame, messages))
    reader = MessageReader()
    found = [message for at in range(0, len(stream), size) for message in reader.feed(stream[at : at + size])]
    assert messages == found


@pytest.mark.parametrize(
    "noise",
    [
        b"hello from a plugin\n",
        b"loading without a line end ... ",
        b"Content-Length: 2\r\n\r\n{}more than it said",
        b"\r\n\r\n",
        b"Content-Length: nonsense\r\n\r\n",
        b"Content-Length: -5\r\n\r\n",
        b"Content-Length: \r\n\r\n",
        b"Content-Length: 7\r\n\r\nnotjson",
        b"Content-Length: 2\r\n\r\n[]",
        b"Content-Length: 4\r\n\r\nnull",
        b"Content-Length: 2\r\n\r\n{}more than it said\n",
        b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\n",
        b"\xff\xfe\x00garbage\n",
    ],
)
def test_noise_before_a_message_is_passed_over(noise: bytes) -> None:
    """A print on the wrong stream, a broken body, a wrong length: the next message is read."""
    assert MESSAGES[0] == MessageReader().feed(noise + frame(MESSAGES[0]))[-1]


def test_headers_are_read_as_the_protocol_has_them() -> None:
    """In any case, in any order, with more of them, also when only LF ends their lines."""
    body = b'{"id":1}'
    for head in (
        b"content-length: 8\r\n\r\n",
        b"Content-Type: a; charset=utf-8\r\nContent-Length: 8\r\n\r\n",
        b"Content-Length: 8\r\nContent-Type: a\r\n\r\n",
        b"Content-Length:8\n\n",
    ):
        assert [{"id": 1}] == MessageReader().feed(head + body), head


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (b"Content-Length: 1000000000000\r\n\r\n", "a message of 1000000000000 bytes; at most"),
        (b"Content-Length: %d\r\n\r\n" % (BODY_BYTES_MAX + 1), "at most"),
        (b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", "at most"),
        (b"x" * 70_000, "no header"),
        (b"line\n" * 20_000, "something else than messages"),
        (b"Content-Length: 3\r\n" + b"X: y\r\n" * 20_000, "a header without end"),
        (b"Content-Length: 1\r\n\r\nx" * (DAMAGED_MAX + 1), "messages in a row are not JSON-RPC"),
    ],
)
def test_what_can_never_be_understood_is_an_error(stream: bytes, message: str) -> None:
    """Waiting for a terabyte would be waiting for ever, reading noise without end, too."""
    with pytest.raises(WireError, match=message):
        MessageReader().feed(stream)


def test_a_path_that_is_no_utf8_does_not_keep_a_message_from_being_sent() -> None:
    """The folder of a project may have such a name; the message is whole all the same, and as long as it says."""
    message = {
        "method": "initialize",
        "params": {"rootPath": "/n\udcff", "rootUri": "file:///n%FF", "é": "\ud800\U0001f600"},
    }
    expected = {"method": "initialize", "params": {"rootPath": "/n?", "rootUri": "file:///n%FF", "é": "?\U0001f600"}}
    assert [expected] == MessageReader().feed(frame(message))


def test_a_large_message_is_one() -> None:
    """It arrives in pieces of what a pipe gives. (Fifty megabytes come from a real server in the integration tests.)"""
    stream = frame({"id": 1, "result": "x" * (4 << 20)})
    reader = MessageReader()
    found = [message for at in range(0, len(stream), 1 << 16) for message in reader.feed(stream[at : at + (1 << 16)])]
    assert [4 << 20] == [len(message["result"]) for message in found]
