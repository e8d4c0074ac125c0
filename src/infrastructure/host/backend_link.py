"""Talking to the host's backend: one connection, frames of JSON, many requests at a time told apart by their number.

A frame is four bytes of length and that much JSON, `{"id": n, "verb": …, …}` one way, `{"id": n, …}` back.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from typing import TYPE_CHECKING, Any

import orjson

from .handover import peer_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_GONE = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR
LENGTH = struct.Struct("<I")
UNASKED = 0
"""The number of what nobody asked for: `{"id": 0, "event": …}`."""
STOPPED = "stopped"
"""The event that says that the host ends on purpose."""
FRAME_BYTES_MAX = 64 * 1024 * 1024
"""An unsaved buffer is the largest thing that is ever sent."""


class LinkBrokenError(Exception):
    """The backend cannot be reached, or did not answer in time."""


class BackendLink:
    """One connection to a backend; not for several threads."""

    def __init__(self, path: str) -> None:
        """Connect to nothing yet."""
        self._path = path
        self._socket: socket.socket | None = None
        self._number = 0
        self._answers: dict[int, dict[str, Any]] = {}
        self._buffer = bytearray()

    def send(self, verb: str, content: Mapping[str, Any], *, wait_s: float) -> int:
        """Send a request and return its number.

        Raises: LinkBrokenError.
        """
        self._number += 1
        frame = framed({**content, "id": self._number, "verb": verb})
        try:
            if self._socket is None:
                self._socket = _connected(self._path, wait_s)
                self._buffer.clear()  # half a frame of the connection before, whose other half never comes
                self._answers.clear()
            self._socket.settimeout(wait_s)
            self._socket.sendall(frame)
        except OSError as error:
            self.close()
            raise LinkBrokenError(str(error)) from error
        return self._number

    def answer(self, number: int, *, wait_s: float) -> dict[str, Any]:
        """Wait for the answer to a request that was sent.

        Raises: LinkBrokenError.
        """
        ends_s = time.monotonic() + wait_s
        while number not in self._answers:
            self._receive(max(ends_s - time.monotonic(), 0.001))
        return self._answers.pop(number)

    def is_there(self, number: int) -> bool:
        """Tell whether an answer, or the end of the connection, is there without waiting."""
        while number not in self._answers:
            try:
                if self._socket is None or not _has_something(self._socket):
                    return self._socket is None
                self._receive(0.001)
            except LinkBrokenError:
                return True
        return True

    def _receive(self, wait_s: float) -> None:
        """Wait for what comes next and keep the answers in it.

        Raises: LinkBrokenError.
        """
        if self._socket is None:
            raise LinkBrokenError("the connection is closed")
        try:
            self._socket.settimeout(wait_s)
            part = self._socket.recv(1 << 16)
        except OSError as error:
            raise LinkBrokenError(str(error)) from error
        if not part:
            self.close()
            raise LinkBrokenError("the host's backend ended")
        self._buffer += part
        for answer in frames_in(self._buffer):
            self._answers[answer["id"]] = answer

    def call(self, verb: str, content: Mapping[str, Any], *, wait_s: float) -> dict[str, Any]:
        """Send a request and wait for its answer.

        Raises: LinkBrokenError.
        """
        return self.answer(self.send(verb, content, wait_s=wait_s), wait_s=wait_s)

    def fileno(self) -> int:
        """Return the connection's descriptor, -1 without one."""
        return self._socket.fileno() if self._socket is not None else -1

    def has_ended(self) -> bool:
        """Tell whether the other side is gone, without taking anything of what it said."""
        connection = self._socket
        try:
            poll = select.poll()
            poll.register(connection.fileno() if connection is not None else -1, _GONE)
            return bool(poll.poll(0))
        except ValueError:  # closed, by us or by another thread at this moment
            return True

    def was_told(self, event: str) -> bool:
        """Tell whether the other side said that of its own accord, before its end."""
        try:
            while True:
                self._receive(0.001)
        except LinkBrokenError:
            return bool(self._answers.get(UNASKED, {}).get("event") == event)

    def close(self) -> None:
        """Let go of the connection; safe to call twice."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _has_something(connection: socket.socket) -> bool:
    """Tell whether something came, or the end."""
    poll = select.poll()  # not `select.select`, which refuses descriptors from 1024 on
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


def framed(content: Mapping[str, Any]) -> bytes:
    """Return one frame."""
    body = orjson.dumps(content, default=_plain)
    return LENGTH.pack(len(body)) + body


def _plain(value: object) -> Any:
    if isinstance(value, tuple):
        return list(value)
    raise TypeError


def frames_in(buffer: bytearray) -> list[dict[str, Any]]:
    """Take the whole frames off the front of a buffer and return what they hold.

    Raises: LinkBrokenError for what is no frame.
    """
    found: list[dict[str, Any]] = []
    while len(buffer) >= LENGTH.size:
        (length,) = LENGTH.unpack_from(buffer)
        if length > FRAME_BYTES_MAX:
            raise LinkBrokenError(f"a frame holds at most {FRAME_BYTES_MAX} bytes, found {length}")
        if len(buffer) < LENGTH.size + length:
            break
        body = bytes(buffer[LENGTH.size : LENGTH.size + length])
        del buffer[: LENGTH.size + length]
        try:
            content = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise LinkBrokenError(f"a frame that is no JSON: {error}") from error
        if not isinstance(content, dict) or not isinstance(content.get("id"), int):
            raise LinkBrokenError("a frame without a number")
        found.append(content)
    return found


def _connected(path: str, wait_s: float) -> socket.socket:
    """Connect to a socket of our own.

    Raises: OSError.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(wait_s)
        connection.connect(path)
        if peer_of(connection)[1] != os.geteuid():
            raise PermissionError("the socket is somebody else's")
    except OSError:
        connection.close()
        raise
    return connection
