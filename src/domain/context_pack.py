"""The context pack: chunks of text with their places in one JSON file, written by `ctx build` or by hand.

Owns the format and its rules. `schema_version`, `segment`, `created_at`, `digest`, `index` and `chunks` are its keys;
a hand-made pack needs `chunks` alone, and of a chunk its `text` and one of `path` and `id`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import CtxError
from .source_files import display_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PACK_SCHEMA_VERSION = 1


class PackMalformedError(CtxError):
    """The pack is there and is not one; the message says what is wrong and where."""


@dataclass(frozen=True, slots=True)
class PackChunk:
    """One chunk of a pack; `own_id` is the id the pack gives it ("" when it gives none)."""

    own_id: str
    path: str
    kind: str
    name: str
    qualname: str
    text: str
    start_line: int


@dataclass(frozen=True, slots=True)
class ContextPack:
    """A pack that was read; `tree_digest` is "" unless `ctx build` wrote it from a whole index."""

    segment: str
    created_at: str
    tree_digest: str
    chunks: tuple[PackChunk, ...]


def chunks_digest(chunks: Iterable[tuple[str, str]]) -> str:
    """Return 64 hex over (id, text) pairs in order: what `digest` holds."""
    state = hashlib.sha256()
    for chunk_id, text in chunks:
        for part in (chunk_id, text):
            raw = part.encode("utf-8", "surrogatepass")
            state.update(len(raw).to_bytes(8, "little"))
            state.update(raw)
    return state.hexdigest()


def tree_digest(files: Iterable[tuple[str, str]]) -> str:
    """Return 64 hex over the sorted (path, content hash) pairs of an index: equal for equal trees."""
    return chunks_digest(sorted(files))


def read_pack(document: Any, where: str) -> ContextPack:
    """Check a parsed pack and return it.

    Raises: PackMalformedError naming the key, what was expected and what was found.
    """
    if not isinstance(document, dict):
        raise PackMalformedError(f"{where}: a context pack is a JSON object, found {_kind(document)}; {_REMEDY}")
    version = document.get("schema_version", PACK_SCHEMA_VERSION)
    if version != PACK_SCHEMA_VERSION:
        raise PackMalformedError(
            f'{where}: "schema_version" must be {PACK_SCHEMA_VERSION}, found {version!r}; {_REMEDY}'
        )
    chunks = document.get("chunks")
    if not isinstance(chunks, list):
        raise PackMalformedError(f'{where}: "chunks" must be a list, found {_kind(chunks)}; {_REMEDY}')
    read = tuple(_read_chunk(chunk, f'{where}: "chunks" item {at}') for at, chunk in enumerate(chunks, start=1))
    digest = document.get("digest")
    if isinstance(digest, str) and document.get("tree_digest"):
        actual = chunks_digest((str(chunk.get("id", "")), chunk["text"]) for chunk in chunks)
        if actual != digest:
            raise PackMalformedError(
                f'{where}: "digest" is {digest[:12]}… and its chunks give {actual[:12]}…; {_REMEDY}'
            )
    return ContextPack(
        segment=_text(document, "segment"),
        created_at=_text(document, "created_at"),
        tree_digest=_text(document, "tree_digest"),
        chunks=read,
    )


def pack_document(segment: str, created_at: str, files_digest: str, chunks: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the JSON object of a pack over chunks that already carry id, path, lines, kind, name and text."""
    return {
        "schema_version": PACK_SCHEMA_VERSION,
        "segment": segment,
        "created_at": created_at,
        "digest": chunks_digest((chunk["id"], chunk["text"]) for chunk in chunks),
        "tree_digest": files_digest,
        "index": [
            {key: chunk[key] for key in ("id", "path", "start_line", "end_line", "kind", "name", "tokens")}
            for chunk in chunks
        ],
        "chunks": list(chunks),
    }


_REMEDY = "mend it or run `ctx build` to write a new one"
_LINE_MAX = 2**31


def _read_chunk(chunk: Any, where: str) -> PackChunk:
    if not isinstance(chunk, dict):
        raise PackMalformedError(f"{where} must be an object, found {_kind(chunk)}; {_REMEDY}")
    text = chunk.get("text")
    if not isinstance(text, str):
        raise PackMalformedError(f'{where}: "text" must be a string, found {_kind(text)}; {_REMEDY}')
    own_id = _text(chunk, "id")
    path = _text(chunk, "path") or own_id.partition("#")[0]
    if not path:
        raise PackMalformedError(f'{where} needs a "path" or an "id"; {_REMEDY}')
    start_line = chunk.get("start_line", 1)
    if type(start_line) is not int or not 1 <= start_line <= _LINE_MAX:
        raise PackMalformedError(f'{where}: "start_line" must be an integer >= 1, found {start_line!r}; {_REMEDY}')
    name = _text(chunk, "name") or _text(chunk, "title") or path.rpartition("/")[2]
    # JSON can spell lone surrogates, which neither UTF-8 nor the index holds.
    text = text.encode("utf-8", "replace").decode("utf-8")
    return PackChunk(
        own_id, path, _text(chunk, "kind") or "text", name, _text(chunk, "qualname") or name, text, start_line
    )


def _text(document: dict[str, Any], key: str) -> str:
    """Return a name as it may be shown: one line, without control characters; "" when there is none."""
    value = document.get(key)
    return display_path(value.encode("utf-8", "surrogatepass")) if isinstance(value, str) else ""


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "nothing"}
    return names.get(type(value), "a number")
