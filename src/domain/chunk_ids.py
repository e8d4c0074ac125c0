"""The ids chunks go by, and what a search shows of a chunk."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Iterable

_ID = re.compile(r"(?P<path>.+)#(?P<qualname>[^#]*)@(?P<digest>[0-9a-f]{8})(?:~(?P<twin>[1-9][0-9]{0,8}))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ChunkId:
    """`<path>#<qualname>@<8 hex>[~n]`: the place, the name, the hash of the text, and which of n equal twins."""

    path: str
    qualname: str
    digest: str
    twin: int = 1

    def __str__(self) -> str:
        return format_id(self.path, self.qualname, self.digest, self.twin)


def format_id(path: str, qualname: str, digest: str, twin: int) -> str:
    """Return the id's text; the first twin carries no number."""
    return f"{path}#{qualname}@{digest}" if twin == 1 else f"{path}#{qualname}@{digest}~{twin}"


def parse_id(text: str) -> ChunkId | None:
    """Return the id that `text` is, or None when it does not have an id's form."""
    match = _ID.fullmatch(text)
    if match is None or match["twin"] == "1":
        return None
    return ChunkId(match["path"], match["qualname"], match["digest"], int(match["twin"] or 1))


def digest_of(text: bytes) -> str:
    """Return the 8 hex digits that stand for a chunk's text in its id."""
    import hashlib  # late: a search formats ids and hashes nothing

    return hashlib.sha256(text).hexdigest()[:8]


RUN_MARK = ".."
"""Between the first and the last qualified name of a run of neighbouring chunks: `path#A.f..A.h@1a2b3c4d`."""


def run_digest(digests: Iterable[str]) -> str:
    """Return the digest of a run: a checksum of its chunks' digests in line order, so that no text has to be read.

    CRC-32, which a search has at hand: the digests it is made of are what tells texts apart.
    """
    return f"{crc32(''.join(digests).encode('ascii')):08x}"


def snippet_of(signature: str, doc: str) -> str:
    """Return what a search shows of a chunk: its signature and the first line of its documentation."""
    return f"{signature}\n    {doc}" if doc else signature
