"""A language server that does what a scenario says: `python tests/scripted_language_server.py SCENARIO.json`.

A real process that speaks the protocol over its standard streams, written by hand so that it can also break it. Out of
the box it answers `initialize`, keeps open documents, and finds what it is asked for by looking for `def NAME` and
`class NAME` in the Python files below its root. A scenario replaces what it does on a message; it is a JSON object:

    log      every message received and everything done, a JSON object a line, appended at once
    gates    a folder: a gate is open when a file of its name is there
    lives    what each process does: the first started takes the first, those after the last one take the last

and a life is an object of these, all of them optional:

    encodings, insists, server_info, capabilities    what `initialize` is answered with; the first encoding that the
             client offers too is taken, or the first whatever it offers; no encodings: none is said, utf-16 spoken
    on_cancel    what becomes of a waiting request: "request_cancelled", "server_cancelled" (answers with that error) or
             "ignore" (goes on with it)
    turns    by method, or "spawn" (before anything is read) and "eof": a list of turns, the n-th message takes the
             n-th, those after the last one take the last. A turn is a list of actions; see `_Turn`.

While a turn waits (for a gate, for an answer of the client), the server goes on with other messages.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import sys
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_from_bytes, unquote_to_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

POLL_MS = 5
CANCEL_ERRORS = {
    "request_cancelled": (-32800, "request cancelled"),
    "server_cancelled": (-32802, "server cancelled the request"),
}
METHOD_NOT_FOUND = (-32601, "method not found")
DEFAULT_CAPABILITIES = {
    "textDocumentSync": {"openClose": True, "change": 1},
    "definitionProvider": True,
    "referencesProvider": True,
    "hoverProvider": True,
}


class Server:
    """One life of the server."""

    def __init__(self, scenario: dict[str, Any]) -> None:
        self._log = os.open(scenario["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with open(scenario["log"], encoding="utf-8") as file:
            earlier = sum('{"event": "spawn"' in line for line in file)
        lives = scenario["lives"]
        self.life: dict[str, Any] = lives[min(earlier, len(lives) - 1)]
        self._gates = scenario["gates"]
        self._counts: Counter[str] = Counter()
        self._buffer = b""
        self._last_id = 0
        self.answers: dict[Any, Any] = {}
        self.waiting: list[tuple[Any, Iterator[Callable[[], bool]], Callable[[], bool]]] = []
        self.documents: dict[str, str] = {}
        self.root = ""
        self.encoding = "utf-16"
        self.was_shut_down = False
        self.note({"event": "spawn", "pid": os.getpid(), "cwd": os.getcwd(), "parent": os.getppid()})

    def run(self) -> None:
        """Serve until told to end, or until the input ends."""
        self._begin("spawn", {})
        poll = select.poll()
        poll.register(0, select.POLLIN)
        while True:
            if poll.poll(POLL_MS if self.waiting else None):
                data = os.read(0, 1 << 16)
                if not data:
                    poll.unregister(0)
                    self.note({"event": "eof"})
                    self._begin("eof", {})
                self._buffer += data
                while (message := self._next_message()) is not None:
                    self._take(message)
            self._resume()

    def note(self, what: dict[str, Any]) -> None:
        """Append to the log, in one write."""
        os.write(self._log, json.dumps(what).encode() + b"\n")

    def is_open(self, gate: str) -> bool:
        """Tell whether a gate is open."""
        return os.path.exists(os.path.join(self._gates, gate))

    def request(self, method: str, parameters: Any) -> int:
        """Ask the client; the answer comes to `answers`."""
        self._last_id += 1
        self.send({"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": parameters})
        return self._last_id

    def send(self, message: Any, *, length: Any = None, chunk: int = 0, cut: int | None = None) -> None:
        """Write a message: with a length that may be a lie, a few bytes at a time, only its beginning."""
        body = message.encode() if isinstance(message, str) else json.dumps(message, ensure_ascii=False).encode()
        data = f"Content-Length: {len(body) if length is None else length}\r\n\r\n".encode() + body
        write(data[:cut], chunk)

    # ------------------------------------------------------------------ messages

    def _next_message(self) -> dict[str, Any] | None:
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return None
        fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n"))
        length = int(fields[b"Content-Length"])
        if len(rest) < length:
            return None
        self._buffer = rest[length:]
        message: dict[str, Any] = json.loads(rest[:length])
        self.note({"received": message})
        return message

    def _take(self, message: dict[str, Any]) -> None:
        method = message.get("method")
        parameters = message.get("params") or {}
        if method is None:
            self.answers[message["id"]] = message
        elif method == "$/cancelRequest":
            self._cancel(parameters["id"])
            self._begin(method, message)
        else:
            self._keep(method, parameters)
            self._begin(method, message)

    def _keep(self, method: str, parameters: dict[str, Any]) -> None:
        """Take from a message what the server has to know, whatever it does then."""
        if method == "initialize":
            self.root = path_of(parameters.get("rootUri") or "file:///")
            general = parameters.get("capabilities", {}).get("general", {})
            offered = general.get("positionEncodings", ["utf-16"])
            taken = [name for name in self.life.get("encodings", []) if self.life.get("insists") or name in offered]
            self.encoding = taken[0] if taken else "utf-16"
        elif method == "textDocument/didOpen":
            self.documents[parameters["textDocument"]["uri"]] = parameters["textDocument"]["text"]
        elif method == "textDocument/didChange":
            (change,) = parameters["contentChanges"]
            self.documents[parameters["textDocument"]["uri"]] = change["text"]
        elif method == "textDocument/didClose":
            del self.documents[parameters["textDocument"]["uri"]]
        elif method == "shutdown":
            self.was_shut_down = True

    def _begin(self, method: str, message: dict[str, Any]) -> None:
        turns = self.life.get("turns", {}).get(method)
        actions = turns[min(self._counts[method], len(turns) - 1)] if turns else default_actions(method, message)
        self._counts[method] += 1
        self._advance(message.get("id"), _Turn(self, message).run(actions))

    def _advance(self, request_id: Any, turn: Iterator[Callable[[], bool]]) -> None:
        for is_due in turn:
            if not is_due():
                self.waiting.append((request_id, turn, is_due))
                return

    def _resume(self) -> None:
        for entry in list(self.waiting):
            request_id, turn, is_due = entry
            if is_due():
                self.waiting.remove(entry)
                self._advance(request_id, turn)

    def _cancel(self, request_id: Any) -> None:
        how = self.life.get("on_cancel", "request_cancelled")
        for entry in [entry for entry in self.waiting if entry[0] == request_id and how in CANCEL_ERRORS]:
            self.waiting.remove(entry)
            code, text = CANCEL_ERRORS[how]
            self.send({"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": text}})


class _Turn:
    """What is done on one message: each action is an object whose `do` names one of the methods below.

    A method that waits yields what it waits for.
    """

    def __init__(self, server: Server, message: dict[str, Any]) -> None:
        self._server = server
        self._message = message
        self._parameters = message.get("params") or {}

    def run(self, actions: list[dict[str, Any]]) -> Iterator[Callable[[], bool]]:
        """Do one action after the other."""
        for action in actions:
            options = dict(action)
            waits = getattr(self, options.pop("do"))(**options)
            if waits is not None:
                yield from waits

    # ------------------------------------------------------------------ answers

    def answer(
        self,
        result: Any = None,
        *,
        error: dict[str, Any] | None = None,
        extra: dict[str, Any] | None = None,
        fill_bytes: int = 0,
        times: int = 1,
        **how: Any,
    ) -> None:
        """Answer with this very result or error; `extra` replaces members of the message (`id`, `jsonrpc`).

        `fill_bytes` repeats a list's only item, or a hover's text, until it weighs that much.
        """
        if fill_bytes and isinstance(result, list):
            result *= fill_bytes // len(json.dumps(result)) + 1
        elif fill_bytes:
            result = {"contents": result["contents"] * (fill_bytes // len(result["contents"]) + 1)}
        outcome = {"result": result} if error is None else {"error": error}
        message = {"jsonrpc": "2.0", "id": self._message.get("id"), **outcome, **(extra or {})}
        for _ in range(times):
            self._server.send(message, **how)

    def answer_from(self, table: dict[str, Any], **how: Any) -> None:
        """Answer with what stands in a table under `path:line:character`, as the protocol counts; null if nothing."""
        path = os.path.relpath(path_of(self._parameters["textDocument"]["uri"]), self._server.root)
        position = self._parameters["position"]
        self.answer(table.get(f"{path}:{position['line']}:{position['character']}"), **how)

    def resolve(self, shape: str = "location", **how: Any) -> None:
        """Answer by looking: a definition as "location", "locations" or "links"; references; a hover."""
        found = Workspace(self._server).look_up(self._message["method"], self._parameters, shape)
        self.answer(found, **how)

    def initialize_answer(self, **how: Any) -> None:
        """Answer `initialize` with what the life says."""
        life = self._server.life
        capabilities = DEFAULT_CAPABILITIES | life.get("capabilities", {})
        if life.get("encodings"):
            capabilities["positionEncoding"] = self._server.encoding
        self.answer({"capabilities": capabilities, "serverInfo": life.get("server_info", {"name": "scripted"})}, **how)

    # ------------------------------------------------------------------ messages of its own

    def ask(self, method: str, params: Any = None) -> Iterator[Callable[[], bool]]:
        """Ask the client, and do not go on before it has answered."""
        request_id = self._server.request(method, params)
        yield lambda: request_id in self._server.answers

    def notify(self, method: str, params: Any = None) -> None:
        """Tell the client something."""
        self._server.send({"jsonrpc": "2.0", "method": method, "params": params})

    def diagnostics(self, count: int = 0, uri: str = "") -> None:
        """Publish that many for the message's document, or for another."""
        uri = uri or self._parameters["textDocument"]["uri"]
        span = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 1}}
        rows = [{"range": span, "severity": 1, "message": f"complaint {number}"} for number in range(count)]
        self.notify("textDocument/publishDiagnostics", {"uri": uri, "diagnostics": rows})

    def raw(self, text: str, chunk: int = 0) -> None:
        """Write bytes (those of latin-1) to standard output, whatever they are."""
        write(text.encode("latin-1"), chunk)

    def send(self, message: Any, **how: Any) -> None:
        """Write any JSON value as a message; a text is written as it is."""
        self._server.send(message, **how)

    def flood(self, size_bytes: int = 0) -> None:
        """Write to standard error: that much and no less before it goes on, or all the time."""
        line = b"a word of warning that nobody asked for ....................\n"

        def pour() -> None:
            while True:
                os.write(2, line * 64)

        if size_bytes:
            write((line * (size_bytes // len(line) + 1))[:size_bytes], 0, descriptor=2)
        else:
            threading.Thread(target=pour, daemon=True).start()

    # ------------------------------------------------------------------ waiting

    def wait(self, gate: str) -> Iterator[Callable[[], bool]]:
        """Go on when a gate is open."""
        self._server.note({"event": "waits", "gate": gate})
        yield lambda: self._server.is_open(gate)

    def pause(self, ms: int) -> Iterator[Callable[[], bool]]:
        """Go on after some time."""
        due_ns = time.perf_counter_ns() + ms * 1_000_000
        yield lambda: time.perf_counter_ns() >= due_ns

    def hang(self) -> Iterator[Callable[[], bool]]:
        """Never go on; other messages are served."""
        self._server.note({"event": "hangs"})
        yield lambda: False

    def turn_deaf(self, gate: str) -> None:
        """Do not even read until a gate is open."""
        self._server.note({"event": "deaf", "gate": gate})
        while not self._server.is_open(gate):
            time.sleep(POLL_MS / 1000)

    def when(self, gate: str, then: list[Any], otherwise: list[Any]) -> Iterator[Callable[[], bool]]:
        """Do one thing if a gate is open, another if it is not."""
        return self.run(then if self._server.is_open(gate) else otherwise)

    # ------------------------------------------------------------------ ends

    def exit(self, code: int | None = None) -> None:
        """End at once; without a code as the protocol wants it: 0 after a shutdown, else 1."""
        code = code if code is not None else int(not self._server.was_shut_down)
        self._server.note({"event": "exits", "code": code})
        os._exit(code)

    def die(self, number: int = signal.SIGKILL) -> None:
        """End by a signal."""
        self._server.note({"event": "dies", "signal": number})
        os.kill(os.getpid(), number)

    def close_output(self) -> None:
        """Close standard output and stay."""
        os.close(1)

    def ignore_sigterm(self) -> None:
        """Outlive SIGTERM."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def fork(self, *, session: bool = False, daemon: bool = False, holds_pipes: bool = False) -> None:
        """Leave a child that never ends: in this group or a session of its own, here or adopted, with the pipes or not.

        It ignores SIGTERM and SIGHUP, and its number is in the log before anything else is done.
        """
        read, written = os.pipe()
        child = os.fork()
        if child == 0:
            if session:
                os.setsid()
            if daemon and os.fork() != 0:
                os._exit(0)
            for number in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            if not holds_pipes:
                for descriptor in range(3):
                    os.close(descriptor)
            self._server.note({"event": "fork", "pid": os.getpid()})
            os.close(written)
            while True:
                time.sleep(3600)
        os.close(written)
        os.read(read, 1)
        os.close(read)
        if daemon:
            os.waitpid(child, 0)  # one that is only about to have ended would be counted as left behind


class Workspace:
    """The built-in sight: open documents, and the Python files below the root."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def look_up(self, method: str, parameters: dict[str, Any], shape: str) -> Any:
        """Return what a question about a place is answered with."""
        uri, position = parameters["textDocument"]["uri"], parameters["position"]
        word = self._word_at(self._text(uri), position["line"], position["character"])
        if not word:
            return None
        if method == "textDocument/references":
            with_itself = parameters["context"]["includeDeclaration"]
            pattern = rf"(?P<head>)\b{re.escape(word)}\b"
            declared = [(one["uri"], one["range"]) for one in self._definitions(word)]
            found = [{"uri": uri, "range": span} for uri, span in self._find(pattern, word)]
            return [one for one in found if with_itself or (one["uri"], one["range"]) not in declared]
        locations = self._definitions(word)[:1]
        if not locations:
            return None
        if method == "textDocument/hover":
            (at,) = locations
            line = lines_of(self._text(at["uri"]))[at["range"]["start"]["line"]]
            return {"contents": {"kind": "plaintext", "value": line.strip()}}
        if shape == "links":
            (at,) = locations
            return [{"targetUri": at["uri"], "targetRange": at["range"], "targetSelectionRange": at["range"]}]
        return locations if shape == "locations" else locations[0]

    def _definitions(self, word: str) -> list[dict[str, Any]]:
        pattern = rf"(?P<head>^[ \t]*(?:async )?(?:def|class) ){re.escape(word)}\b"
        return [{"uri": uri, "range": span} for uri, span in self._find(pattern, word)]

    def _find(self, pattern: str, word: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for uri in self._uris():
            for number, line in enumerate(lines_of(self._text(uri))):
                for match in re.finditer(pattern, line):
                    begin = self._units(line[: match.end("head")])
                    start = {"line": number, "character": begin}
                    yield uri, {"start": start, "end": {"line": number, "character": begin + self._units(word)}}

    def _uris(self) -> list[str]:
        found = set(self._server.documents)
        for folder, _folders, names in os.walk(self._server.root):
            found |= {uri_of(os.path.join(folder, name)) for name in names if name.endswith(".py")}
        return sorted(found)

    def _text(self, uri: str) -> str:
        if uri in self._server.documents:
            return self._server.documents[uri]
        with open(path_of(uri), encoding="utf-8", errors="replace", newline="") as file:
            return file.read()

    def _word_at(self, text: str, line: int, character: int) -> str:
        lines = lines_of(text)
        own = lines[line] if line < len(lines) else ""
        for match in re.finditer(r"\w+", own):
            if self._units(own[: match.start()]) <= character <= self._units(own[: match.end()]):
                return match.group()
        return ""

    def _units(self, text: str) -> int:
        """Return how long a text is in the units of the encoding."""
        width = {"utf-8": 1, "utf-16": 2, "utf-32": 4}[self._server.encoding]
        return len(text.encode(self._server.encoding + ("-le" if width > 1 else ""))) // width


def default_actions(method: str, message: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what a server does that is told nothing else."""
    if method in {"textDocument/definition", "textDocument/references", "textDocument/hover"}:
        return [{"do": "resolve"}]
    known = {
        "initialize": {"do": "initialize_answer"},
        "textDocument/diagnostic": {"do": "answer", "result": {"kind": "full", "items": []}},
        "shutdown": {"do": "answer"},
        "exit": {"do": "exit"},
        "eof": {"do": "exit"},
    }
    if method in known:
        return [known[method]]
    code, text = METHOD_NOT_FOUND
    return [{"do": "answer", "error": {"code": code, "message": text}}] if "id" in message else []


def write(data: bytes, chunk: int, *, descriptor: int = 1) -> None:
    """Write everything, `chunk` bytes a time; 0: as much as is taken."""
    at = 0
    while at < len(data):
        at += os.write(descriptor, data[at : at + (chunk or len(data))])


def lines_of(text: str) -> list[str]:
    """Return the lines as the protocol has them: not what `splitlines` takes for some."""
    return re.split(r"\r\n|\n|\r", text)


def path_of(uri: str) -> str:
    """Return the path that a file URI names."""
    return os.fsdecode(unquote_to_bytes(uri.removeprefix("file://")))


def uri_of(path: str) -> str:
    """Return a path as a URI."""
    return "file://" + quote_from_bytes(os.fsencode(path))


def main() -> None:
    """Live as the scenario of the command line says."""
    with open(sys.argv[1], encoding="utf-8") as file:
        scenario = json.load(file)
    Server(scenario).run()


if __name__ == "__main__":
    main()
