"""Standard input and output as the protocol's wire, and an end that leaves nothing behind.

The wire is moved away from descriptors 0 and 1 first: what a library prints lands on standard error, between no two
messages. The end of the input ends the process, also in the middle of a call, and also when nobody reads the output:
whoever waits for a pipe then is not waited for.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from .server import AgentServer

END_WAIT_S = 1.5
"""From the end of the input to the end of the process; clients kill after 2 s."""
_STOP_WAIT_S = 0.8


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
            stdin: Any = anyio.wrap_file(_Input(self._wire_in, self._end))  # type: ignore[arg-type]  # lines are all that is read
            stdout: Any = anyio.wrap_file(os.fdopen(self._wire_out, "w", encoding="utf-8", newline="\n", closefd=False))
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


class _Input:
    """Lines of a descriptor as UTF-8; tells when there are no more, whoever reads them."""

    def __init__(self, descriptor: int, on_end: Callable[[], None]) -> None:
        self._lines = os.fdopen(descriptor, encoding="utf-8", errors="replace", newline="\n", closefd=False)
        self._on_end = on_end

    def readline(self) -> str:
        """Return the next line, "" at the end."""
        line = self._lines.readline()
        if not line:
            self._on_end()
        return line
