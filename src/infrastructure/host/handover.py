"""What a command hands over to the host, and the bytes both sides say to each other.

Imported at every start of `ctx`: `os`, `sys` and `_socket`. `_socket` is the extension module below `socket`: that one
costs 8 ms (selectors, enum), which is most of what a start may take, and nothing of it is needed. Its constants and
its class are what `socket` itself builds on and passes through; docs/decisions/011-warm-host.md.

A hand-over is one head, `ctx-host <protocol> <length>`, and that many bytes of fields that end with NUL: nothing that
is handed over (arguments, environment, paths) can hold one. Descriptors travel beside the first byte. Each answer of
the host is one byte; `EXIT` is followed by one with the code.
"""

from __future__ import annotations

import _socket
import os
import sys

from ... import __version__

PROTOCOL = 1
HEAD_BYTES = 24
HANDOVER_BYTES_MAX = 8 * 1024 * 1024
"""More than the system lets a command have as arguments and environment (an eighth of 8 MiB of stack, mostly)."""

ACCEPTED = b"A"
"""The command is being run."""
REFUSED = b"R"
"""It is not; the client runs it itself."""
OUTPUT = b"O"
"""From here on standard output may have been written to."""
EXIT = b"X"
INTERRUPT = b"I"
"""From the client: Ctrl-C."""

_MAGIC = b"ctx-host"
_CREDENTIALS_BYTES = 12  # struct ucred: pid, uid, gid


class Handover:
    """One command line with all that a process brings along, but for its descriptors."""

    __slots__ = ("argv", "environment", "installation", "is_open", "segment", "streams", "umask")

    def __init__(
        self,
        *,
        installation: bytes,
        segment: bytes,
        umask: int,
        is_open: tuple[bool, bool, bool],
        streams: tuple[tuple[str, str], ...],
        argv: list[bytes],
        environment: list[bytes],
    ) -> None:
        self.installation = installation
        """Which code the client runs (see `installation`)."""
        self.segment = segment
        """The segment's real path."""
        self.umask = umask
        self.is_open = is_open
        """Which of the standard streams the caller had not closed."""
        self.streams = streams
        """Encoding and error handler of each of them."""
        self.argv = argv
        self.environment = environment
        """`NAME=value`, as the system has it."""

    def encoded(self) -> bytes:
        """Return head and fields.

        Raises: ValueError for more than `HANDOVER_BYTES_MAX`.
        """
        fields = [
            self.installation,
            self.segment,
            b"%o" % self.umask,
            bytes(49 if is_open else 48 for is_open in self.is_open),
        ]
        for encoding, errors in self.streams:
            fields += [encoding.encode(), errors.encode()]
        fields += [b"%d" % len(self.argv), *self.argv, *self.environment]
        body = b"\0".join(fields) + b"\0"
        if len(body) > HANDOVER_BYTES_MAX:
            raise ValueError(f"a hand-over holds at most {HANDOVER_BYTES_MAX} bytes, found {len(body)}")
        return head_of(len(body)) + body


def head_of(length: int) -> bytes:
    """Return the head of a hand-over of that many bytes."""
    return b"%b %04d %010d" % (_MAGIC, PROTOCOL, length)


def length_in(head: bytes) -> int:
    """Return how many bytes follow a head.

    Raises: ValueError for what is no head, another protocol or too long.
    """
    words = head.split(b" ")
    if len(head) != HEAD_BYTES or len(words) != 3 or words[0] != _MAGIC or int(words[1]) != PROTOCOL:
        raise ValueError(f"no hand-over of protocol {PROTOCOL}: {head[:HEAD_BYTES]!r}")
    length = int(words[2])
    if not 0 < length <= HANDOVER_BYTES_MAX:
        raise ValueError(f"a hand-over holds 1 to {HANDOVER_BYTES_MAX} bytes, found {length}")
    return length


def decoded(body: bytes) -> Handover:
    """Return what was handed over.

    Raises: ValueError for bytes that `Handover.encoded` does not write.
    """
    fields = body.split(b"\0")
    if len(fields) < 12 or fields.pop() != b"":
        raise ValueError("a hand-over that ends in the middle of a field")
    installation, segment, umask, is_open, *rest = fields
    streams = tuple((rest[at].decode("ascii"), rest[at + 1].decode("ascii")) for at in (0, 2, 4))
    count = int(rest[6])
    if len(is_open) != 3 or not 0 < count <= len(rest) - 7:
        raise ValueError("a hand-over whose fields do not fit together")
    argv, environment = rest[7 : 7 + count], rest[7 + count :]
    stdin, stdout, stderr = (mark == 49 for mark in is_open)
    return Handover(
        installation=installation,
        segment=segment,
        umask=int(umask, 8),
        is_open=(stdin, stdout, stderr),
        streams=streams,
        argv=argv,
        environment=environment,
    )


def installation() -> bytes:
    """Return what must be the same on both sides for a command to do the same there.

    That is: releases of ctx and of Python, where the code is and when its package was written (an upgrade of a host's
    feet), how file names are decoded, what the interpreter was told.
    """
    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    written_ns = os.stat(os.path.join(package, "__init__.py")).st_mtime_ns
    return os.fsencode(
        f"ctx {__version__} python {sys.version} {sys.prefix} {package} {written_ns}"
        f" {sys.getfilesystemencoding()} {sys.getfilesystemencodeerrors()} {sys.flags.dev_mode} {sys.flags.optimize}"
        f" {sys.warnoptions}"
    )


def peer_of(connection: _socket.socket) -> tuple[int, int]:
    """Return process id and user id of the other side: for a client those of the process that began to listen."""
    raw = connection.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, _CREDENTIALS_BYTES)
    return int.from_bytes(raw[0:4], sys.byteorder), int.from_bytes(raw[4:8], sys.byteorder)


def packed_descriptors(descriptors: list[int]) -> bytes:
    """Return descriptors as SCM_RIGHTS carries them."""
    return b"".join(number.to_bytes(4, sys.byteorder) for number in descriptors)


def unpacked_descriptors(data: bytes) -> list[int]:
    """Return the descriptors in SCM_RIGHTS data."""
    return [int.from_bytes(data[at : at + 4], sys.byteorder) for at in range(0, len(data) - len(data) % 4, 4)]
