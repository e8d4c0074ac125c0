"""Standard input and output as the protocol's wire: private descriptors, frames in, frames out.

The descriptors 0, 1 and 2 are everybody's: a library prints, a child inherits. The protocol therefore moves to
descriptors of its own, 0 becomes empty and 1 becomes standard error. Reading stops while the other side has too much
unread or unanswered, so that a client that sends and never reads costs a bounded amount of memory.
"""

from __future__ import annotations

import collections
import contextlib
import logging
import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator

log = logging.getLogger("ctx.lsp")

READ_BYTES = 1 << 20
HEAD_BYTES_MAX = 64 * 1024
BODY_BYTES_MAX = 512 << 20
"""No editor sends a message of this size; a length beyond it is a broken frame, and memory is not made for it."""
UNREAD_BYTES_MAX = 32 << 20
"""As much as waits for the client to read it before nothing more is read from the client."""


class BrokenFrameError(Exception):
    """What came is no frame, and where the next one begins cannot be known."""


def take_standard_streams() -> tuple[int, int]:
    """Return private descriptors for input and output, and leave an empty 0 and standard error as 1.

    Python's own `sys.stdout` writes to descriptor 1, so a stray print lands where errors do.
    """
    incoming, outgoing = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    try:
        os.fstat(2)
    except OSError:
        os.dup2(null, 2)
    os.dup2(2, 1)
    os.close(null)
    return incoming, outgoing


class Frames:
    """Bodies of messages out of bytes as they come."""

    def __init__(self) -> None:
        """Begin between two frames."""
        self._buffer = bytearray()
        self._body_bytes = -1

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the bodies that are whole with this data.

        Raises: BrokenFrameError for a head without end or a length that cannot be.
        """
        self._buffer += data
        while True:
            if self._body_bytes < 0 and not self._read_head():
                return
            if len(self._buffer) < self._body_bytes:
                return
            body = bytes(self._buffer[: self._body_bytes])
            del self._buffer[: self._body_bytes]
            self._body_bytes = -1
            yield body

    def _read_head(self) -> bool:
        """Take a head off the buffer; False when it is not there yet."""
        while True:
            # The nearest of both: a head that ends in bare line feeds may have one behind it that does not.
            ends = ((self._buffer.find(b"\r\n\r\n"), 4), (self._buffer.find(b"\n\n"), 2))
            end, skipped = min((one for one in ends if one[0] >= 0), default=(-1, 0))
            if end < 0:
                if len(self._buffer) > HEAD_BYTES_MAX:
                    raise BrokenFrameError("no frame begins in the first 64 KiB")
                return False
            head = bytes(self._buffer[:end])
            del self._buffer[: end + skipped]
            for line in head.split(b"\n"):
                name, _, value = line.partition(b":")
                if name.strip().lower() == b"content-length":
                    self._body_bytes = _length(value.strip())
                    return True
            log.warning("%d bytes without a Content-Length are skipped", len(head))


def _length(value: bytes) -> int:
    if not value.isdigit() or len(value) > 12 or int(value) > BODY_BYTES_MAX:
        raise BrokenFrameError(f"Content-Length must be a number up to {BODY_BYTES_MAX}, found {value[:40]!a}")
    return int(value)


class Reader:
    """Reads a descriptor in a thread and hands what comes to the event loop, one piece at a time.

    A thread, because a descriptor that others share must stay blocking, and a regular file cannot be waited for.
    """

    def __init__(self, fd: int, loop: asyncio.AbstractEventLoop, on_data: Callable[[bytes], None]) -> None:
        """Take where to read and what to call in the loop; b"" is the end."""
        self._fd = fd
        self._loop = loop
        self._on_data = on_data
        self._may_read = threading.Semaphore(1)
        self._is_paused = False
        self._is_owed = False

    def start(self) -> None:
        """Start reading."""
        threading.Thread(target=self._run, name="ctx-lsp-read", daemon=True).start()

    def pause(self) -> None:
        """Read nothing more until `resume`; for the loop's thread."""
        self._is_paused = True

    def resume(self) -> None:
        """Go on reading."""
        self._is_paused = False
        if self._is_owed:
            self._is_owed = False
            self._may_read.release()

    def _run(self) -> None:
        while True:
            self._may_read.acquire()
            try:
                data = os.read(self._fd, READ_BYTES)
            except OSError:
                data = b""
            try:
                self._loop.call_soon_threadsafe(self._take, data)
            except RuntimeError:
                return  # the loop is closed
            if not data:
                return

    def _take(self, data: bytes) -> None:
        try:
            self._on_data(data)
        finally:
            if self._is_paused:
                self._is_owed = True
            else:
                self._may_read.release()


class Writer:
    """Writes frames to a descriptor in a thread: a client that does not read must not hold up the loop."""

    def __init__(self, fd: int, loop: asyncio.AbstractEventLoop, on_lost: Callable[[], None]) -> None:
        """Take where to write and what to call in the loop when nobody reads there any more."""
        self._fd = fd
        self._loop = loop
        self._on_lost = on_lost
        self._condition = threading.Condition()
        self._waiting: collections.deque[bytes] = collections.deque()
        self._unread_bytes = 0
        self._is_closed = False
        self._is_lost = False
        self._on_read: Callable[[], None] | None = None
        self._thread = threading.Thread(target=self._run, name="ctx-lsp-write", daemon=True)

    def start(self) -> None:
        """Start writing."""
        self._thread.start()

    @property
    def unread_bytes(self) -> int:
        """What waits to be read."""
        return self._unread_bytes

    def write(self, body: bytes) -> None:
        """Have a message be written."""
        frame = b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        with self._condition:
            if self._is_closed or self._is_lost:
                return
            self._waiting.append(frame)
            self._unread_bytes += len(frame)
            self._condition.notify()

    def when_read(self, call: Callable[[], None]) -> None:
        """Have something be called in the loop once less than half of `UNREAD_BYTES_MAX` waits."""
        with self._condition:
            self._on_read = call
        self._tell_read()

    def close(self, *, wait_s: float) -> None:
        """Write what waits, for no longer than that."""
        with self._condition:
            self._is_closed = True
            self._condition.notify()
        if self._thread.is_alive():
            self._thread.join(wait_s)

    def _run(self) -> None:
        while True:
            with self._condition:
                while not self._waiting and not self._is_closed:
                    self._condition.wait()
                if not self._waiting:
                    return
                frame = self._waiting.popleft()
            try:
                left = memoryview(frame)
                while left:
                    left = left[os.write(self._fd, left) :]
            except OSError:
                with self._condition:
                    self._is_lost = True
                    self._waiting.clear()
                    self._unread_bytes = 0
                self._call(self._on_lost)
                return
            with self._condition:
                self._unread_bytes -= len(frame)
            self._tell_read()

    def _tell_read(self) -> None:
        with self._condition:
            if self._on_read is None or self._unread_bytes > UNREAD_BYTES_MAX // 2:
                return
            call, self._on_read = self._on_read, None
        self._call(call)

    def _call(self, what: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(what)
