"""What a scripted language server is told to do, typed, and a look at what it saw.

The functions build the actions of a turn; `scripted_language_server` says what each does. `ScriptedServer` writes the
scenario, and reads the log that the server's processes write.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tests.process_tree import PATIENCE_S, process_is_gone

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Action = dict[str, Any]
Turn = list[Action]

SERVER = Path(__file__).with_name("scripted_language_server.py")
DEFINITION, REFERENCES, HOVER = "textDocument/definition", "textDocument/references", "textDocument/hover"
DID_OPEN = "textDocument/didOpen"
CONTENT_MODIFIED, SERVER_CANCELLED, REQUEST_FAILED, INTERNAL_ERROR = -32801, -32802, -32803, -32603


@dataclass(frozen=True, slots=True)
class Scenario:
    """One life of the server; what is left out it does as a decent server would."""

    turns: Mapping[str, Sequence[Turn]] = field(default_factory=dict)
    encodings: Sequence[str] = ()
    insists: bool = False
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    server_info: Mapping[str, Any] = field(default_factory=lambda: {"name": "scripted", "version": "1.0"})
    on_cancel: Literal["request_cancelled", "server_cancelled", "ignore"] = "request_cancelled"

    def as_json(self) -> dict[str, Any]:
        """Return it as it stands in the scenario's file."""
        return {
            "turns": {method: list(turns) for method, turns in self.turns.items()},
            "encodings": list(self.encodings),
            "insists": self.insists,
            "capabilities": dict(self.capabilities),
            "server_info": dict(self.server_info),
            "on_cancel": self.on_cancel,
        }


def _action(do: str, **options: Any) -> Action:
    return {"do": do, **options}


def answer(result: Any = None, **how: Any) -> Action:
    """Answer with this very result; `how`: extra, fill_bytes, times, length, chunk, cut."""
    return _action("answer", result=result, **how)


def error(code: int, message: str = "no") -> Action:
    """Answer with an error."""
    return _action("answer", error={"code": code, "message": message})


def answer_from(table: Mapping[str, Any]) -> Action:
    """Answer with what stands under `path:line:character`, counted from 0."""
    return _action("answer_from", table=dict(table))


def resolve(shape: Literal["location", "locations", "links"] = "location", **how: Any) -> Action:
    """Answer rightly."""
    return _action("resolve", shape=shape, **how)


def initialize_answer(**how: Any) -> Action:
    """Answer `initialize` as a decent server."""
    return _action("initialize_answer", **how)


def ask(method: str, params: Any = None) -> Action:
    """Ask the client, and wait for its answer."""
    return _action("ask", method=method, params=params)


def register(method: str) -> Action:
    """Register a capability, and wait for the answer."""
    return ask("client/registerCapability", {"registrations": [{"id": f"r-{method}", "method": method}]})


def notify(method: str, params: Any = None) -> Action:
    """Tell the client something."""
    return _action("notify", method=method, params=params)


def diagnostics(count: int = 0, uri: str = "") -> Action:
    """Publish that many."""
    return _action("diagnostics", count=count, uri=uri)


def raw(data: bytes, chunk: int = 0) -> Action:
    """Write bytes."""
    return _action("raw", text=data.decode("latin-1"), chunk=chunk)


def send(message: Any, **how: Any) -> Action:
    """Send a JSON value as a message, a text as it is."""
    return _action("send", message=message, **how)


def flood(size_bytes: int = 0) -> Action:
    """Write so much to standard error, or for ever."""
    return _action("flood", size_bytes=size_bytes)


def wait(gate: str) -> Action:
    """Go on when a gate is open."""
    return _action("wait", gate=gate)


def pause(ms: int) -> Action:
    """Go on after some time."""
    return _action("pause", ms=ms)


def hang() -> Action:
    """Never go on with this message."""
    return _action("hang")


def turn_deaf(gate: str) -> Action:
    """Read nothing until a gate is open."""
    return _action("turn_deaf", gate=gate)


def when(gate: str, then: Turn, otherwise: Turn) -> Action:
    """Do what a gate decides."""
    return _action("when", gate=gate, then=then, otherwise=otherwise)


def exits(code: int | None = None) -> Action:
    """End with a code, or as the protocol says."""
    return _action("exit", code=code)


def dies(number: int = signal.SIGKILL) -> Action:
    """End by a signal."""
    return _action("die", number=int(number))


def close_output() -> Action:
    """Close standard output and stay."""
    return _action("close_output")


def ignore_sigterm() -> Action:
    """Outlive SIGTERM."""
    return _action("ignore_sigterm")


def fork(*, session: bool = False, daemon: bool = False, holds_pipes: bool = False) -> Action:
    """Leave a child that never ends."""
    return _action("fork", session=session, daemon=daemon, holds_pipes=holds_pipes)


def asked_in_vain(ask: Callable[[int], dict[str, Any]], *, first_ms: int = 2_000) -> dict[str, Any]:
    """Return the answer of `ask(deadline_ms)` beside a server that does not answer: of the first deadline in which it
    was asked at all. On a busy machine it is not up before that, and "not_ready" is the truth.
    """
    found = ask(first_ms)
    for deadline_ms in (4 * first_ms, 16 * first_ms):
        if "not_ready" == found["server"]["status"]:
            found = ask(deadline_ms)
    return found


class ScriptedServer:
    """A scenario's files in a folder of their own; the processes are started by who is tested."""

    def __init__(self, folder: Path, *lives: Scenario) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._log = folder / "log.jsonl"
        self._gates = folder / "gates"
        self._gates.mkdir()
        self._scenario = folder / "scenario.json"
        self._log.touch()
        lives = lives or (Scenario(),)
        self._scenario.write_text(
            json.dumps({"log": str(self._log), "gates": str(self._gates), "lives": [life.as_json() for life in lives]})
        )

    def __enter__(self) -> ScriptedServer:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    @property
    def command(self) -> tuple[str, ...]:
        """The command line that starts it."""
        return (sys.executable, "-I", "-S", str(SERVER), str(self._scenario))

    def log(self) -> list[dict[str, Any]]:
        """Return everything written so far, in order; an object that is being written is left out."""
        lines = self._log.read_bytes().split(b"\n")[:-1]
        return [json.loads(line) for line in lines]

    def messages(self, method: str | None = None) -> list[dict[str, Any]]:
        """Return the messages received: all, or those of a method."""
        found = [entry["received"] for entry in self.log() if "received" in entry]
        return [message for message in found if method is None or message.get("method") == method]

    def methods(self) -> list[str]:
        """Return the methods of the messages received, answers left out."""
        return [message["method"] for message in self.messages() if "method" in message]

    def replies(self) -> list[dict[str, Any]]:
        """Return what the client answered to the server's questions."""
        return [message for message in self.messages() if "method" not in message]

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return what it noted of its own doings."""
        return [entry for entry in self.log() if entry.get("event") == name]

    def wait_for(self, method: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until so many messages of a method have arrived."""
        return self._wait(lambda: self.messages(method), method, count)

    def wait_for_event(self, name: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until it has noted so many doings of a kind."""
        return self._wait(lambda: self.events(name), name, count)

    def _wait(self, look: Any, what: str, count: int) -> list[dict[str, Any]]:
        limit = time.monotonic() + PATIENCE_S
        while len(found := look()) < count:
            assert time.monotonic() < limit, f"{len(found)} of {count} {what} in {self.log()}"
            time.sleep(0.005)
        return list(found)

    def open_gate(self, name: str) -> None:
        """Let those who wait at a gate go on."""
        (self._gates / name).touch()

    def pids(self) -> list[int]:
        """Return every process it ever was or left: servers, children, and the launchers that started them."""
        found = []
        for entry in self.log():
            if entry.get("event") in {"spawn", "fork"}:
                found.append(entry["pid"])
            if entry.get("event") == "spawn" and entry["parent"] != os.getpid():
                found.append(entry["parent"])
        return found

    def left(self) -> list[int]:
        """Return which of them are still there, after the time to go."""
        return [pid for pid in self.pids() if not process_is_gone(pid)]

    def close(self) -> None:
        """End what a failed test left."""
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
