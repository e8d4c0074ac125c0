"""The skeleton cache over the index: skeletons as compressed JSON under their content's key."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING

from ..domain.symbols import Definition, ImportStatement, SkeletonMap

if TYPE_CHECKING:
    from .index_store import IndexStore


class IndexedSkeletons:
    """A `SkeletonCache` that keeps what it is given in the index file; what cannot be read back is a miss."""

    def __init__(self, store: IndexStore) -> None:
        """Take the open index."""
        self._store = store
        # An answer asks for one file's skeleton once for each of its places, which may be hundreds.
        self._last: tuple[bytes, SkeletonMap | None] = (b"", None)

    def get(self, key: str) -> SkeletonMap | None:
        """Return the skeleton stored under the key, or None."""
        payload = self._store.cached(key)
        if payload is None:
            return None
        if payload != self._last[0]:
            self._last = payload, decode_skeleton(payload)
        return self._last[1]

    def put(self, key: str, skeleton: SkeletonMap) -> None:
        """Store a skeleton, unless another process is writing."""
        self._store.put_cached(key, encode_skeleton(skeleton))


def encode_skeleton(skeleton: SkeletonMap) -> bytes:
    """Return a skeleton as bytes that `decode_skeleton` reads back."""
    document = [
        skeleton.file_path,
        skeleton.language,
        skeleton.status,
        [[getattr(d, name) for name in Definition.__slots__] for d in skeleton.definitions],
        [[i.text, i.names, i.start_line, i.end_line] for i in skeleton.imports],
        skeleton.source_bytes,
        skeleton.reason,
    ]
    return zlib.compress(json.dumps(document).encode("ascii"), 1)


def decode_skeleton(payload: bytes) -> SkeletonMap | None:
    """Return the skeleton, or None for bytes that are none."""
    try:
        path, language, status, definitions, imports, source_bytes, reason = json.loads(zlib.decompress(payload))
        return SkeletonMap(
            path,
            language,
            status,
            tuple(Definition(*[*d[:4], tuple(d[4]), *d[5:]]) for d in definitions),
            tuple(ImportStatement(i[0], tuple(i[1]), i[2], i[3]) for i in imports),
            source_bytes,
            reason,
        )
    except (zlib.error, ValueError, TypeError, LookupError):
        return None
