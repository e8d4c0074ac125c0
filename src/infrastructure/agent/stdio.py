"""Standard input and output as the protocol's wire, and an end that leaves nothing behind.

The wire is moved away from descriptors 0 and 1 first: what a library prints lands on standard error, between no two
messages. The end of the input ends the process, also in the middle of a call, and also when nobody reads the output:
whoever waits for a pipe then is not waited for. A client that asks without reading is not read from any more.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from .server import AgentServer

END_WAIT_S = 1.4
"""From the moment the end of the input is noticed; the process is gone 1.5 s after it, and clients kill after 2 s."""
_STOP_WAIT_S = 0.8
REQUESTS_MAX = 128
"""In flight: not answered yet, or the answer is not read. More are left in the pipe, where the client notices."""
_FORGOTTEN_S = 60.0
"""A request that is not answered for so long, while answers can be written, will not be."""
_LOOK_S = 0.05


def serve(make_server: Callable[[], AgentServer]) -> int:
    """Serve one client until its input ends, and return the exit code."""
    wire_in, wire_out = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return _Serving(wire_in, wire_out).run(make_server)


class _Serving:
    """One client, from the first byte to the last."""

    def __init__(self, wire_in: int, wire_out: int) -> None:
        self._wire_in = wire_in
        self._wire_out = wire_out
        self._has_finished = threading.Event()
        self._is_ending = threading.Event()
        self._agent: AgentServer | None = None
        self._exit_code = 0

    def run(self, make_server: Callable[[], AgentServer]) -> int:
        import anyio

        with suppress(OSError, ExceptionGroup, KeyboardInterrupt):  # a closed pipe is an end like any other
            anyio.run(self._serve, make_server)
        self._end()
        if self._agent is not None:
            self._agent.stop(_STOP_WAIT_S)
        self._has_finished.set()
        return self._exit_code

    async def _serve(self, make_server: Callable[[], AgentServer]) -> None:
        import asyncio

        import anyio
        from mcp.server.stdio import stdio_server

        self._agent = agent = make_server()
        loop = asyncio.get_running_loop()
        with anyio.CancelScope() as scope:

            def on_signal() -> None:
                self._end()
                scope.cancel()

            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                loop.add_signal_handler(number, on_signal)
            server = agent.protocol_server()
            options = server.create_initialization_options(agent.notification_options())
            output = Output(self._wire_out)
            stdin: Any = anyio.wrap_file(Input(self._wire_in, output, self._end))  # type: ignore[arg-type]  # lines are all that is read
            stdout: Any = anyio.wrap_file(output)  # type: ignore[arg-type]  # and all that is written
            async with stdio_server(stdin, stdout) as (received, sent):
                await server.run(received, sent, options)

    def _end(self) -> None:
        """Begin to end: let work be left, and see that the process ends in time whoever is stuck."""
        if self._is_ending.is_set():
            return
        self._is_ending.set()
        if self._agent is not None:
            self._agent.ask_to_stop()
        threading.Thread(target=self._end_in_time, daemon=True).start()

    def _end_in_time(self) -> None:
        if not self._has_finished.wait(END_WAIT_S):
            if self._agent is not None:
                self._agent.stop(0.0)
            sys.stderr.flush()
            os._exit(self._exit_code)


class Output:
    """Messages to a descriptor, whole ones one after the other, and the requests that wait for theirs."""

    def __init__(self, descriptor: int) -> None:
        self._lines = os.fdopen(descriptor, "w", encoding="utf-8", newline="\n", closefd=False)
        self._is_writing = threading.Lock()
        self._has_changed = threading.Condition()
        self._waiting: list[int | str] = []  # a client may use an id twice

    def write(self, text: str) -> None:
        """Write one message to the end, however long the client takes to read it."""
        with self._is_writing:
            self._lines.write(text)
            self._lines.flush()
        message = json.loads(text)
        if isinstance(message, dict) and "method" not in message:
            self.forget(message.get("id"))

    def flush(self) -> None:
        """Do nothing: what is written has left."""

    def expect(self, request: int | str) -> None:
        """Take note of a request that will be answered."""
        with self._has_changed:
            self._waiting.append(request)

    def forget(self, request: int | str | None) -> None:
        """Take note of a request that was answered or will not be."""
        with self._has_changed:
            if request is not None and request in self._waiting:
                self._waiting.remove(request)
                self._has_changed.notify_all()

    def has_room(self) -> bool:
        """Tell whether another request may be in flight."""
        with self._has_changed:
            return len(self._waiting) < REQUESTS_MAX

    def is_stuck(self) -> bool:
        """Tell whether the pipe is full, so that whoever writes waits for the client to read."""
        poll = select.poll()
        poll.register(self._lines, select.POLLOUT)
        return not poll.poll(0)

    def wait_for_room(self, is_over: threading.Event) -> None:
        """Wait while too many requests are in flight, and nothing has ended."""
        with self._has_changed:
            waited_s = 0.0
            while len(self._waiting) >= REQUESTS_MAX and not is_over.is_set():
                is_told = self._has_changed.wait(_LOOK_S)
                waited_s = 0.0 if is_told or self._is_writing.locked() else waited_s + _LOOK_S
                if waited_s > _FORGOTTEN_S:
                    self._waiting.clear()


class Input:
    """Messages of a descriptor as UTF-8; tells when there are no more, whoever reads them and whoever does not."""

    def __init__(self, descriptor: int, output: Output, on_end: Callable[[], None]) -> None:
        self._lines = os.fdopen(descriptor, encoding="utf-8", errors="replace", newline="\n", closefd=False)
        self._output = output
        self._on_end = on_end
        self._is_over = threading.Event()
        # Set around a wait alone: whoever reads on sees the end, and everything before it, however slowly.
        self._is_waiting_for_room = self._is_complaining = False
        threading.Thread(target=self._watch, args=(descriptor,), daemon=True).start()

    def readline(self) -> str:
        """Return the next line that is a message, "" at the end; what is none is answered here."""
        while True:
            if not self._output.has_room():
                self._is_waiting_for_room = True
                self._output.wait_for_room(self._is_over)
                self._is_waiting_for_room = False
            line = "" if self._is_over.is_set() else self._lines.readline()
            if not line:
                self._end()
                return line
            if line.isspace():
                continue
            complaint = self._note(line)
            if complaint is None:
                return line
            self._is_complaining = True
            self._output.write(complaint)
            self._is_complaining = False

    def _note(self, line: str) -> str | None:
        """Take note of what a message changes; return the answer to one that is none.

        The SDK drops such a line without a word, and its client would wait for ever.
        """
        import mcp_types as types

        try:
            message = types.jsonrpc_message_adapter.validate_json(line, by_name=False)
        except ValueError:
            return _complaint(line)
        match message:
            case types.JSONRPCRequest():
                self._output.expect(message.id)
            case types.JSONRPCNotification(method="notifications/cancelled", params=dict(params)):
                request = params.get("requestId")
                self._output.forget(request if isinstance(request, int | str) else None)
            case types.JSONRPCNotification() if "id" in json.loads(line):
                return _complaint(line)
        return None

    def _end(self) -> None:
        self._is_over.set()
        self._on_end()

    def _watch(self, descriptor: int) -> None:
        """End when the client is gone and nobody reads on to see it, because answers have to be written first."""
        poll = select.poll()
        poll.register(descriptor, getattr(select, "POLLRDHUP", 0))
        poll.poll()
        while not self._is_over.wait(_LOOK_S):
            if self._is_waiting_for_room or (self._is_complaining and self._output.is_stuck()):
                self._end()


def _complaint(line: str) -> str:
    """Return the answer to a line that is no message: with its id, if it has one."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return _error(None, -32700, "this line is no JSON")
    number = found.get("id") if isinstance(found, dict) else None
    if isinstance(number, bool) or not isinstance(number, int | str):
        number = None
    return _error(number, -32600, "this line is no message of JSON-RPC 2.0, or holds half of a character")


def _error(number: int | str | None, code: int, message: str) -> str:
    error = {"code": code, "message": message}
    return json.dumps({"jsonrpc": "2.0", "id": number, "error": error}) + "\n"
