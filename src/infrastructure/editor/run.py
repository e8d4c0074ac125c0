"""The process of `ctx lsp`: from its descriptors to its exit code."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from ..secrets import redact_secrets
from .lifetime import watch_signals
from .stdio import UNREAD_BYTES_MAX, BrokenFrameError, Frames, Reader, Writer, take_standard_streams

if TYPE_CHECKING:
    from .protocol import EditorProtocol
    from .server import EditorServer

LAST_WORDS_S = 0.5
"""As long as what was answered last is given to be read."""
OVERRUN_LOOK_S = 0.05
"""Between looks whether so much work waits still that nothing more is read."""
LOG_LEVELS = ("off", "error", "warning", "info", "debug")
log = logging.getLogger("ctx.lsp")


def run_editor_server(log_level: str = "warning") -> NoReturn:
    """Serve the client on standard input and output until it is done or gone; ends the process."""
    incoming, outgoing = take_standard_streams()
    _set_up_logging(log_level)
    gc.disable()  # thousands of classes are about to be made, and none of them is garbage
    exit_code = 1
    try:
        exit_code = asyncio.run(_serve(incoming, outgoing))
    except BaseException as error:
        log.error("ended: %s: %s", type(error).__name__, error)
        log.debug("where:", exc_info=error)
    finally:
        sys.stderr.flush()
        # Threads that wait for a server or a pipe must not keep the process.
        os._exit(exit_code)


async def _serve(incoming: int, outgoing: int) -> int:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_log_failure)
    ended: asyncio.Future[tuple[int, bool]] = loop.create_future()

    def end(exit_code: int, *, is_hasty: bool = True) -> None:
        if not ended.done():
            ended.set_result((exit_code, is_hasty))

    writer = Writer(outgoing, loop, lambda: end(_code(server)))
    writer.start()
    server = _make_server(loop, end)
    protocol = server.protocol
    protocol.out = writer
    protocol.on_exit = lambda code: end(code, is_hasty=False)
    frames = Frames()

    def take(data: bytes) -> None:
        if not data:
            end(_code(server))
            return
        try:
            for body in frames.feed(data):
                if not ended.done():
                    _take_one(protocol, body)
        except BrokenFrameError as error:
            log.error("%s; the connection cannot go on", error)
            end(1)
        if writer.unread_bytes > UNREAD_BYTES_MAX or server.is_overrun:
            reader.pause()
            go_on()

    def go_on() -> None:
        """Read on, or look again when that may be possible: what held it up first may be over, and the other not."""
        if writer.unread_bytes > UNREAD_BYTES_MAX // 2:
            writer.when_read(go_on)
        elif server.is_overrun:
            loop.call_later(OVERRUN_LOOK_S, go_on)
        else:
            reader.resume()

    reader = Reader(incoming, loop, take)
    watch_signals(loop, lambda: end(_code(server)))
    reader.start()
    exit_code, is_hasty = await ended
    server.end(exit_code, is_hasty=is_hasty)
    writer.close(wait_s=LAST_WORDS_S)
    return exit_code


def _take_one(protocol: EditorProtocol, body: bytes) -> None:
    """Have a message looked at; whatever it does, those that came with it are next."""
    try:
        protocol.take(body)
    except Exception as error:
        log.error("a message of %d bytes is left out: %s", len(body), type(error).__name__)
        log.debug("where:", exc_info=error)


def _log_failure(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what failed in a callback, without its arguments: they hold what people write."""
    log.error("a callback failed: %s", type(context.get("exception")).__name__)
    log.debug("where:", exc_info=context.get("exception"))


def _make_server(loop: asyncio.AbstractEventLoop, end: object) -> EditorServer:
    from .server import EditorServer

    server = EditorServer(loop, on_end=end)  # type: ignore[arg-type]  # the haste is the default's
    gc.collect()
    gc.freeze()
    gc.enable()
    return server


def _code(server: EditorServer) -> int:
    """Return the exit code of an end that nobody announced: the protocol's, as if `exit` had come."""
    return 0 if server.protocol.is_shut_down else 1


class _RedactingFormatter(logging.Formatter):
    """Editors keep what a server writes to its standard error: no secret is in it, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        return redact_secrets(super().format(record))


def _set_up_logging(level: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_RedactingFormatter("ctx lsp: %(levelname)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    number = logging.CRITICAL + 1 if level == "off" else getattr(logging, level.upper())
    root.setLevel(number)
    # pygls writes tracebacks and whole messages; they are for who asks for everything.
    logging.getLogger("pygls").setLevel(number if level == "debug" else logging.CRITICAL + 1)
    logging.getLogger("asyncio").setLevel(max(number, logging.ERROR))
