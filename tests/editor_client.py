"""RawEditor: an editor of a few lines that speaks to `ctx lsp` frame by frame, and behaves as badly as a test asks."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.integration.conftest import Sandbox

SECONDS_MAX = 60.0
CAPABILITIES: dict[str, Any] = {
    "general": {"positionEncodings": ["utf-16"]},
    "textDocument": {"documentSymbol": {"hierarchicalDocumentSymbolSupport": True}},
    "window": {"workDoneProgress": True},
    "workspace": {"workspaceFolders": True, "configuration": True},
}


class RawEditor:
    """One connection; reads in a thread unless told not to."""

    def __init__(self, sandbox: Sandbox, *arguments: str, reads: bool = True, **options: Any) -> None:
        self.sandbox = sandbox
        self.process: subprocess.Popen[bytes] = sandbox.start("lsp", *arguments, stdin=-1, **options)
        self.told: list[dict[str, Any]] = []
        self.settings: Any = None
        self._number = 0
        self._kept: list[bytes] | None = None
        self._answers: dict[Any, queue.Queue[dict[str, Any]]] = {None: queue.Queue()}
        self._heard = threading.Condition()
        self._sending = threading.Lock()
        self._reader = threading.Thread(target=self._read, daemon=True)
        if reads:
            self._reader.start()

    def end(self) -> None:
        """End the server whatever it does, and let go of its pipes."""
        self.process.kill()
        self.process.wait()
        if self._reader.is_alive():
            self._reader.join()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):  # what was not sent any more
                    pipe.close()
        self.process.stdin = self.process.stdout = self.process.stderr = None

    # ------------------------------------------------------------------ the wire

    def send(self, content: Any) -> None:
        """Send one message; bytes as they are."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        assert self.process.stdin is not None
        message = b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        with self._sending:
            if self._kept is not None:
                self._kept.append(message)
                return
            self.process.stdin.write(message)
            self.process.stdin.flush()

    @contextlib.contextmanager
    def in_one_go(self) -> Iterator[None]:
        """Have what is sent arrive together: a server that is faster than we are has then no time between two."""
        assert self.process.stdin is not None
        self._kept = []
        yield
        with self._sending:
            kept, self._kept = self._kept, None
            self.process.stdin.write(b"".join(kept))
            self.process.stdin.flush()

    def _read(self) -> None:
        out = self.process.stdout
        assert out is not None
        while head := out.readline():
            assert head.startswith(b"Content-Length: "), head
            assert out.readline() == b"\r\n"
            self._take(json.loads(out.read(int(head.split()[1]))))

    def _take(self, message: dict[str, Any]) -> None:
        if "method" in message and "id" in message:
            items = (message.get("params") or {}).get("items")
            result = None if items is None else [self.settings] * len(items)
            self.send({"jsonrpc": "2.0", "id": message["id"], "result": result})
        if "method" in message:
            with self._heard:
                self.told.append(message)
                self._heard.notify_all()
        else:
            self._answers.setdefault(message["id"], queue.Queue()).put(message)

    # ------------------------------------------------------------------ messages

    def tell(self, method: str, params: Any) -> None:
        """Send a notification."""
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def begin(self, method: str, params: Any) -> int:
        """Send a request and return its number."""
        self._number += 1
        self._answers[self._number] = queue.Queue()
        self.send({"jsonrpc": "2.0", "id": self._number, "method": method, "params": params})
        return self._number

    def answer(self, number: int | None) -> dict[str, Any]:
        """Return the whole answer to a request; None for one that answers no request in particular."""
        return self._answers[number].get(timeout=SECONDS_MAX)

    def ask(self, method: str, params: Any) -> Any:
        """Return the result of a request; an error fails the test."""
        answer = self.answer(self.begin(method, params))
        assert "error" not in answer, answer
        return answer["result"]

    def refused(self, method: str, params: Any) -> dict[str, Any]:
        """Return the error of a request."""
        error: dict[str, Any] = self.answer(self.begin(method, params))["error"]
        return error

    def hear(self, method: str, fits: Callable[[dict[str, Any]], bool] = lambda _params: True) -> dict[str, Any]:
        """Wait for a notification or a request of the server and return its parameters."""

        def found() -> dict[str, Any] | None:
            return next((m["params"] for m in self.told if m["method"] == method and fits(m["params"])), None)

        with self._heard:
            assert self._heard.wait_for(lambda: found() is not None, SECONDS_MAX), f"{method} did not come"
            heard = found()
            assert heard is not None
            return heard

    # ------------------------------------------------------------------ an editor's day

    def initialize(self, *folders: Path, **more: Any) -> dict[str, Any]:
        """Open folders, the segment by default, and return what the server can do."""
        roots = folders or (self.sandbox.segment,)
        params = {
            "processId": None,
            "rootUri": roots[0].as_uri(),
            "workspaceFolders": [{"uri": root.as_uri(), "name": root.name} for root in roots],
            "capabilities": CAPABILITIES,
        } | more
        capabilities: dict[str, Any] = self.ask("initialize", params)["capabilities"]
        self.tell("initialized", {})
        return capabilities

    def uri(self, path: str) -> str:
        """Return the URI of a file of the segment."""
        return (self.sandbox.segment / path).as_uri()

    def open(self, uri: str, text: str, language: str = "python") -> None:
        """Open a document."""
        item = {"uri": uri, "languageId": language, "version": 1, "text": text}
        self.tell("textDocument/didOpen", {"textDocument": item})

    def open_file(self, path: str) -> str:
        """Open a file of the segment as it is on disk, and return its URI."""
        self.open(self.uri(path), (self.sandbox.segment / path).read_text("utf-8"))
        return self.uri(path)

    def change(self, uri: str, version: int, *changes: dict[str, Any]) -> None:
        """Change a document."""
        self.tell(
            "textDocument/didChange", {"textDocument": {"uri": uri, "version": version}, "contentChanges": changes}
        )

    def outline(self, uri: str) -> dict[str, int]:
        """Return the lines, from 0, of the names in the outline."""
        found: dict[str, int] = {}

        def add(symbols: list[dict[str, Any]]) -> None:
            for symbol in symbols:
                found[symbol["name"]] = symbol["selectionRange"]["start"]["line"]
                add(symbol["children"])

        add(self.ask("textDocument/documentSymbol", {"textDocument": {"uri": uri}}) or [])
        return found

    def at(self, uri: str, line: int, character: int) -> dict[str, Any]:
        """Return the parameters of a request about a place."""
        return {"textDocument": {"uri": uri}, "position": {"line": line, "character": character}}

    def execute(self, command: str, *arguments: Any) -> Any:
        """Run a command of the server's."""
        return self.ask("workspace/executeCommand", {"command": command, "arguments": list(arguments)})

    def quit(self) -> int:
        """Leave politely and return the exit code."""
        self.ask("shutdown", None)
        self.tell("exit", None)
        return self.process.wait(SECONDS_MAX)
