"""A language server asked for definitions, one question at a time, over its standard input and output.

Only what the comparison needs of the protocol: messages with Content-Length, `initialize`, documents opened as they
are asked about, `textDocument/definition`, and answers to what the server itself asks (without those it waits).
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shlex
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

ANSWER_DEADLINE_S = 120.0
"""The first answer waits until the server has looked the whole tree over."""
END_DEADLINE_S = 5.0
_CONTENT_MODIFIED = -32801
_INTERNAL_ERROR = -32603
_METHOD_NOT_FOUND = -32601


class Place(NamedTuple):
    """Where a definition stands: an absolute path, a line counted from 1, and the text from there to its line's end."""

    path: str
    line: int
    text: str


class DefinitionServer:
    """A running server; use as a context manager, which starts and ends it."""

    def __init__(self, command: str, root: Path, *, python: str = "") -> None:
        """Keep what to run and where; `python` is the interpreter whose packages the server should see."""
        self._command = shlex.split(command)
        self._root = root
        self._python = python
        self._messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._last_id = 0
        self._open = ""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            cwd=self._root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin: IO[bytes] = self._process.stdin
        self._stdout: IO[bytes] = self._process.stdout
        self._reader = threading.Thread(target=_read_messages, args=(self._stdout, self._messages.put), daemon=True)
        self._reader.start()
        folder = {"uri": self._root.as_uri(), "name": self._root.name}
        capabilities = {
            "workspace": {"configuration": True, "workspaceFolders": True},
            "textDocument": {"definition": {"linkSupport": False, "dynamicRegistration": True}},
            "general": {"positionEncodings": ["utf-16"]},
        }
        self._ask(
            "initialize",
            {
                "processId": os.getpid(),
                "rootUri": folder["uri"],
                "workspaceFolders": [folder],
                "capabilities": capabilities,
            },
        )
        self._tell("initialized", {})
        self._tell("workspace/didChangeConfiguration", {"settings": None})
        return self

    def __exit__(self, *_exc: object) -> None:
        with contextlib.suppress(OSError, RuntimeError):
            self._ask("shutdown", None, deadline_s=END_DEADLINE_S)
            self._tell("exit", None)
        with contextlib.suppress(OSError):
            self._stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=END_DEADLINE_S)
        # The group, not the process: a wrapper script may leave the real server behind, with the pipe in its hands.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join()
        self._stdout.close()

    def definition(self, path: str, line: int, column: int) -> tuple[list[Place], int]:
        """Return the places the server names for a position (from 1, in characters), and the nanoseconds it took.

        Opening the document is not in the time, reading and binding it is when this is the first question about it.
        A question that the server fails on has no places.

        Raises: RuntimeError when the server ends or says nothing for ANSWER_DEADLINE_S.
        """
        text = (self._root / path).read_text(encoding="utf-8")
        uri = (self._root / path).as_uri()
        if self._open != uri:
            if self._open:
                self._tell("textDocument/didClose", {"textDocument": {"uri": self._open}})
            document = {"uri": uri, "languageId": "python", "version": 1, "text": text}
            self._tell("textDocument/didOpen", {"textDocument": document})
            self._open = uri
        before = text.split("\n")[line - 1][: column - 1]
        position = {"line": line - 1, "character": len(before.encode("utf-16-le")) // 2}
        started_ns = time.perf_counter_ns()
        answer = self._ask("textDocument/definition", {"textDocument": {"uri": uri}, "position": position})
        elapsed_ns = time.perf_counter_ns() - started_ns
        if isinstance(answer, dict):
            answer = [answer]
        return [_place(location) for location in answer or []], elapsed_ns

    def _ask(self, method: str, params: Any, *, deadline_s: float = ANSWER_DEADLINE_S) -> Any:
        """Send a request and return its result, answering what the server asks meanwhile."""
        self._last_id += 1
        number = self._last_id
        self._send({"id": number, "method": method, "params": params})
        end = time.monotonic() + deadline_s
        while True:
            try:
                message = self._messages.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise RuntimeError(f"{self._command[0]}: no answer to {method} within {deadline_s:g} s") from None
            if message is None:
                self._messages.put(None)  # for whoever asks next
                raise RuntimeError(f"{self._command[0]}: ended before it answered {method}")
            if "method" in message:
                if "id" in message:
                    self._answer(message)
            elif message.get("id") == number:
                error = message.get("error")
                if error is None:
                    return message.get("result")
                if error["code"] == _CONTENT_MODIFIED:
                    return self._ask(method, params, deadline_s=deadline_s)
                if error["code"] == _INTERNAL_ERROR:
                    return None
                raise RuntimeError(f"{self._command[0]}: {method}: {error['message']}")

    def _answer(self, message: dict[str, Any]) -> None:
        """Answer a request of the server; one it does not get answered keeps it from starting."""
        method = message["method"]
        if method == "workspace/configuration":
            items = message["params"]["items"]
            self._send({"id": message["id"], "result": [self._settings(item.get("section", "")) for item in items]})
        elif method == "workspace/workspaceFolders":
            self._send({"id": message["id"], "result": [{"uri": self._root.as_uri(), "name": self._root.name}]})
        elif method.startswith(("client/", "window/", "workspace/")):
            self._send({"id": message["id"], "result": None})
        else:
            self._send({"id": message["id"], "error": {"code": _METHOD_NOT_FOUND, "message": method}})

    def _settings(self, section: str) -> dict[str, Any]:
        if section == "python" and self._python:
            return {"pythonPath": self._python}
        if section.endswith("analysis"):
            return {"diagnosticMode": "openFilesOnly", "autoSearchPaths": True, "useLibraryCodeForTypes": True}
        return {}

    def _tell(self, method: str, params: Any) -> None:
        self._send({"method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self._stdin.flush()


def _read_messages(stdout: IO[bytes], put: Callable[[dict[str, Any] | None], None]) -> None:
    """Hand on every message until the stream ends, then None."""
    length = 0
    while line := stdout.readline():
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
        elif not line.strip():
            put(json.loads(stdout.read(length)))
    put(None)


def _place(location: dict[str, Any]) -> Place:
    uri = location.get("uri") or location["targetUri"]
    start = (location.get("range") or location["targetSelectionRange"])["start"]
    path = unquote(urlsplit(uri).path)
    try:
        lines = Path(path).read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:  # a place in what the server made up
        lines = []
    line = lines[start["line"]] if start["line"] < len(lines) else ""
    text = line.encode("utf-16-le")[2 * start["character"] :].decode("utf-16-le", "replace")
    return Place(path, start["line"] + 1, text)
