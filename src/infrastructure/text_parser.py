"""TextParser: one parsing process that lives as long as texts are typed, and takes them over a pipe.

A grammar is C code that a text can drive into a crash or gigabytes (see `parse_pool`), and a process for each keystroke
takes 100 ms to start. One that is lost costs the text its definitions until it changes; the next text gets another.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import time
from typing import TYPE_CHECKING, Any

from ..domain.errors import CtxError
from .parse_pool import FILE_LIMIT_S, spawned
from .parse_worker import HELLO, framed, record_of, take_value

if TYPE_CHECKING:
    from typing import BinaryIO

    from ..domain.index_records import FileRecord
    from ..domain.source_files import OsPath
    from .config import Config
    from .parse_pool import ParserProcess

WORKER = "ctx.infrastructure.parse_worker"


class ParserLostError(CtxError):
    """The process was lost over a text; the message says how, as a file's reason."""


class TextParser:
    """Makes records of texts in a process of its own; for one thread."""

    def __init__(self, segment: str, config: Config, *, limit_s: float = FILE_LIMIT_S) -> None:
        """Start nothing yet."""
        arguments = (segment, config.text("tokens.encoding"), str(config.number("index.max_file_bytes")), "0")
        self._command = [sys.executable, "-P", "-m", WORKER, *arguments]
        self._limit_s = limit_s
        self._process: ParserProcess | None = None
        self._buffer = bytearray()

    def start(self) -> None:
        """Start the process if none runs; it gets ready behind this.

        Raises: ParserLostError when none can be started.
        """
        if self._process is None:
            try:
                self._process = spawned(self._command)
            except OSError as error:
                raise ParserLostError(f"a parsing process could not be started ({error.strerror})") from error
            os.set_blocking(self._process.to_child.fileno(), False)  # a text is more than a pipe holds
            self._buffer.clear()

    def record_of(self, os_path: OsPath, data: bytes, mtime_ns: int) -> FileRecord:
        """Return the record of a text that stands for a file under that time.

        Raises: ParserLostError when the process is lost over it.
        """
        self.start()
        process = self._process
        assert process is not None
        ends_s = time.monotonic() + self._limit_s
        try:
            self._send(process, framed([(os_path, data, mtime_ns)]), ends_s)
            while (values := self._next(process, ends_s)) == HELLO:
                pass
            return record_of(values)
        except (OSError, EOFError):
            self.close()
            raise ParserLostError("the parser was lost over it; indexed as text") from None
        except BaseException:
            self.close()  # what it still says would be taken for an answer to the next
            raise

    def close(self) -> None:
        """End the process; safe to call twice."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with contextlib.suppress(BrokenPipeError):
                process.to_child.close()
            process.from_child.close()
            process.wait()
            process.close_stderr()

    def _send(self, process: ParserProcess, frame: bytes, ends_s: float) -> None:
        """Write a frame.

        Raises: EOFError when it is not taken in time; BrokenPipeError at the process's end.
        """
        rest = memoryview(frame)
        while rest:
            if not _is_ready(process.to_child, select.POLLOUT, ends_s):
                raise EOFError
            rest = rest[process.to_child.write(rest) or 0 :]

    def _next(self, process: ParserProcess, ends_s: float) -> Any:
        """Return the next frame.

        Raises: EOFError at the end, and when none comes in time.
        """
        while (found := take_value(self._buffer)) is None:
            if not _is_ready(process.from_child, select.POLLIN, ends_s):
                raise EOFError
            part = process.from_child.read(1 << 20)
            if not part:
                raise EOFError
            self._buffer += part
        return found


def _is_ready(stream: BinaryIO, event: int, ends_s: float) -> bool:
    """Wait until a stream can be read or written, or is broken; tell whether that was in time.

    What is there when we are late ourselves, as whoever was stopped for a while is, was in time.
    """
    left_s = max(0.0, ends_s - time.monotonic())
    poll = select.poll()  # not `select.select`, which refuses descriptors from 1024 on
    poll.register(stream, event)
    return bool(poll.poll(left_s * 1000))
