"""A client of `ctx mcp` that sees every line: for what a well-behaved client never does."""

from __future__ import annotations

import json
import select
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess

ANSWER_S = 60.0


class LineClient:
    """Speaks the older era of the protocol over a process's pipes, one JSON object a line."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.notified: list[dict[str, Any]] = []
        self._next_id = 0
        self._rest = b""

    def handshake(self, capabilities: dict[str, Any] | None = None) -> dict[str, Any]:
        """Shake hands and return what the server says of itself."""
        client = {"name": "lines", "version": "1"}
        asked = {"protocolVersion": "2025-06-18", "capabilities": capabilities or {}, "clientInfo": client}
        found = self.ask("initialize", asked)
        self.send({"method": "notifications/initialized"})
        return found

    def send(self, message: dict[str, Any]) -> None:
        """Write one message."""
        self.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    def write(self, raw: bytes) -> None:
        """Write bytes as they are."""
        assert self.process.stdin is not None
        self.process.stdin.write(raw)
        self.process.stdin.flush()

    def start(self, method: str, params: dict[str, Any] | None = None) -> int:
        """Write one request and return its id."""
        self._next_id += 1
        self.send({"id": self._next_id, "method": method, "params": params or {}})
        return self._next_id

    def ask(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return a request's result; an error of the protocol fails the test."""
        answer = self.answer_to(self.start(method, params))
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def call(self, tool: str, arguments: dict[str, Any] | None = None) -> dict[str, Any]:
        """Call a tool and return its result."""
        return self.ask("tools/call", {"name": tool, "arguments": arguments or {}})

    def complaint(self, tool: str, arguments: Any) -> str:
        """Call a tool wrongly and return its error, which has to be one line."""
        found = self.call(tool, arguments)
        assert found["isError"], found
        text: str = found["content"][0]["text"]
        assert "\n" not in text
        assert "Traceback" not in text
        return text

    def answer_to(self, number: int) -> dict[str, Any]:
        """Return the answer with an id; what the server tells or asks meanwhile is kept in `notified`."""
        while True:
            message = self.message()
            if message.get("id") == number and "method" not in message:
                return message
            self.notified.append(message)

    def message(self) -> dict[str, Any]:
        """Return the next message; a line that is none fails the test."""
        line = self.line()
        found: dict[str, Any] = json.loads(line)
        assert "2.0" == found["jsonrpc"]
        return found

    def line(self) -> bytes:
        """Return the next line, b"" at the end of the output."""
        assert self.process.stdout is not None
        fd = self.process.stdout.fileno()
        deadline = time.monotonic() + ANSWER_S
        while b"\n" not in self._rest:
            ready = select.select([fd], [], [], max(0.0, deadline - time.monotonic()))[0]
            assert ready, "no answer"
            chunk = self.process.stdout.read1(1 << 16)  # type: ignore[attr-defined]  # a pipe's reader has it
            if not chunk:
                return b""
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def end_input(self) -> None:
        """Close the server's input; whoever waits for the process then need not know of it."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.stdin = None

    def end(self) -> int:
        """End the input and return the exit code."""
        self.end_input()
        return self.process.wait(ANSWER_S)
