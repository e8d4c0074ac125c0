"""`file:` URIs and paths (RFC 8089), byte for byte: a path that is no UTF-8 survives the way there and back."""

from __future__ import annotations

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")
SCHEME = "file:"


def uri_of_path(path: bytes) -> str:
    """Return the URI of an absolute path."""
    return "file://" + "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in path)


def path_of_uri(uri: str) -> bytes:
    """Return the path of a `file:` URI, percent-decoded; a host name is dropped.

    What follows a % that is no pair of hex digits stays as it is.
    """
    path = uri[len(SCHEME) :]
    if path.startswith("//"):
        path = "/" + path[2:].partition("/")[2]
    head, *escaped = path.encode("utf-8", "surrogatepass").split(b"%")
    for part in escaped:
        try:
            head += bytes((int(part[:2], 16),)) + part[2:]
        except ValueError:
            head += b"%" + part
    return head
