"""The client side of a language server that asks before it answers, fails, or ends."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

import pytest
from definition_server import DefinitionServer, Place

if TYPE_CHECKING:
    from pathlib import Path

SERVER = """
import json, sys

def read():
    length = 0
    while (line := sys.stdin.buffer.readline()).strip():
        name, _, value = line.partition(b":")
        length = int(value) if name == b"Content-Length" else length
    return json.loads(sys.stdin.buffer.read(length)) if length else None

def send(message):
    body = json.dumps(message).encode()
    sys.stdout.buffer.write(b"Content-Length: %d\\r\\n\\r\\n" % len(body) + body)
    sys.stdout.buffer.flush()

uri = ""
while message := read():
    method, number = message["method"], message.get("id")
    if method == "textDocument/didOpen":
        uri = message["params"]["textDocument"]["uri"]
    elif method == "textDocument/definition":
        position = message["params"]["position"]
        if position["line"] == 1:
            send({"id": number, "error": {"code": -32603, "message": "bug"}})
            continue
        if position["line"] == 2:
            break
        send({"id": "q1", "method": "workspace/configuration", "params": {"items": [{"section": "python"}, {}]}})
        settings = read()
        send({"id": "q2", "method": "no/suchThing"})
        refusal = read()
        assert settings == {"jsonrpc": "2.0", "id": "q1", "result": [{"pythonPath": "/usr/bin/python9"}, {}]}, settings
        assert refusal["error"]["code"] == -32601, refusal
        at = {"line": 0, "character": position["character"]}
        send({"id": number, "result": [{"uri": uri, "range": {"start": at, "end": at}}]})
    elif number is not None:
        send({"id": number, "result": {"capabilities": {}}})
    if method == "exit":
        break
"""


@pytest.fixture
def server(tmp_path: Path) -> DefinitionServer:
    """A scripted server on a tree of one file."""
    (tmp_path / "server.py").write_text(SERVER, encoding="utf-8")
    (tmp_path / "caf\u00e9.py").write_text('x = "é𝄞", found\ny\nz\n', encoding="utf-8")
    command = shlex.join([sys.executable, "server.py"])
    return DefinitionServer(command, tmp_path, python="/usr/bin/python9")


def test_answers_what_the_server_asks_and_counts_utf16_columns(server: DefinitionServer, tmp_path: Path) -> None:
    """Column 11 in characters is unit 11 from 0 for the server, because one letter before it takes two; so back."""
    with server:
        places, elapsed_ns = server.definition("café.py", 1, 11)
    assert [Place(str(tmp_path / "café.py"), 1, "found")] == places
    assert elapsed_ns > 0


def test_failure_inside_the_server_is_no_answer(server: DefinitionServer) -> None:
    """A server's own bug leaves the question open instead of ending the benchmark."""
    with server:
        assert [] == server.definition("café.py", 2, 1)[0]


def test_end_of_the_server_is_told(server: DefinitionServer) -> None:
    """Nothing waits for a server that is gone."""
    with server, pytest.raises(RuntimeError, match="ended before it answered textDocument/definition"):
        server.definition("café.py", 3, 1)
