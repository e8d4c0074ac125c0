"""The base protocol of the language server protocol: messages behind a `Content-Length` header (LSP 3.17).

Our own and not pygls': importing its client takes longer than a cold command may wait for its answer (see
docs/decisions/010-language-server-client.md). Reading is forgiving where a server only chatters on the wrong stream,
and gives up where it can never be understood again.
"""

from __future__ import annotations

from typing import Any

import orjson

BODY_BYTES_MAX = 256 << 20
"""What an answer may weigh; a claim beyond is a lie, and waiting for it would swallow every answer after it."""
HEADER_BYTES_MAX = 64 << 10
"""How much may come before a header is seen: prints of plugins on the wrong stream, an interpreter's warnings."""
_LENGTH = b"content-length"
DAMAGED_MAX = 16
"""Messages in a row that are none."""


class WireError(Exception):
    """The stream cannot be understood any more."""


def frame(message: dict[str, Any]) -> bytes:
    """Return a message as it goes over the wire.

    A surrogate without its pair, which in paths stands for a byte that is no UTF-8, becomes a question mark: JSON text
    is UTF-8, and the paths that matter travel as URIs.
    """
    try:
        body = orjson.dumps(message)
    except TypeError:
        import json  # nearly never needed, and a cold command waits for its imports

        body = json.dumps(message, ensure_ascii=False).encode("utf-8", "replace")
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


class MessageReader:
    """Turns bytes as they arrive into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._wanted: int | None = None
        self._damaged = 0
        self._skipped = 0

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Return the messages that are whole with these bytes, in order; damaged ones are left out.

        Raises: WireError when the stream is no such protocol.
        """
        self._buffer += data
        found: list[dict[str, Any]] = []
        while True:
            if self._wanted is None and not self._read_header():
                return found
            wanted = self._wanted
            if wanted is None:
                continue
            if len(self._buffer) < wanted:
                return found
            body = bytes(memoryview(self._buffer)[:wanted])
            del self._buffer[:wanted]
            self._wanted = None
            message = _parsed(body)
            if message is None:
                self._damaged += 1
                if self._damaged > DAMAGED_MAX:
                    raise WireError(f"{self._damaged} messages in a row are not JSON-RPC")
                continue
            self._damaged = self._skipped = 0
            found.append(message)

    def _read_header(self) -> bool:
        """Take one line off the buffer; tell whether there was one. The empty line after a length begins a body."""
        end = self._buffer.find(b"\n")
        if end < 0:
            if len(self._buffer) > HEADER_BYTES_MAX:
                raise WireError("no header in what it writes to standard output")
            return False
        line = bytes(self._buffer[:end])
        # Not only at its start: a print without a line end may stand before it, or what is left of a damaged message.
        at = line.lower().rfind(_LENGTH)
        if at >= 0 and (value := line[at + len(_LENGTH) :].lstrip())[:1] == b":":
            return self._begin_body(end + 1, value[1:])
        self._skip(end + 1)
        return True

    def _begin_body(self, header_start_end: int, value: bytes) -> bool:
        """Read to the end of the header block that holds a length; tell whether all of it is there."""
        at = header_start_end
        while True:
            end = self._buffer.find(b"\n", at)
            if end < 0:
                if len(self._buffer) > HEADER_BYTES_MAX:
                    raise WireError("a header without end")
                return False
            if not self._buffer[at:end].strip():
                break
            at = end + 1
        digits = value.strip()
        if not digits.isdigit() or len(digits) > len(str(BODY_BYTES_MAX)) or int(digits) > BODY_BYTES_MAX:
            if digits.isdigit():
                raise WireError(f"a message of {digits[:24].decode()} bytes; at most {BODY_BYTES_MAX} are read")
            self._skip(end + 1)
            return True
        del self._buffer[: end + 1]
        self._wanted = int(digits)
        return True

    def _skip(self, count: int) -> None:
        self._skipped += count
        if self._skipped > HEADER_BYTES_MAX:
            raise WireError("it writes something else than messages to standard output")
        del self._buffer[:count]


def _parsed(body: bytes) -> dict[str, Any] | None:
    try:
        message = orjson.loads(body)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None
