"""The context pack as a use case: taken into the index as a further source, written by `ctx build`, validated.

A file of the segment always beats what a pack says of it: a pack adds only paths that are not in the tree.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..domain.chunk_ids import digest_of, format_id, snippet_of
from ..domain.context_pack import (
    ContextPack,
    PackChunk,
    PackMalformedError,
    pack_document,
    read_pack,
    tree_digest,
)
from ..domain.errors import CtxError, NotFoundError
from ..domain.identifiers import index_terms
from ..domain.index_records import PACK_META, PACK_PATH, PACK_PREFIX, ChunkRow, ChunkTerms, FileRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..domain.ports import Clock, IndexPort, SegmentFiles, TokenCounter


@dataclass(frozen=True, slots=True)
class PackState:
    """What telemetry says of the pack: 16 hex of its bytes' hash, its mtime, and whether the tree moved on since."""

    sha: str
    mtime_ns: int
    is_stale: bool


@dataclass(frozen=True, slots=True)
class PackSync:
    """Takes the segment's pack into the index; `stat` gives (size, mtime_ns) of the pack file, (0, 0) for none."""

    files: SegmentFiles
    index: IndexPort
    counter: TokenCounter
    stat: Callable[[], tuple[int, int]]

    def __call__(self, *, tree_changed: bool, paths_changed: bool) -> PackState | None:
        """Bring the pack's chunks up to date and return its state, or None when there is no pack.

        Raises: PackMalformedError when the pack cannot be used (what it gave earlier is taken out).
        """
        size_bytes, mtime_ns = self.stat()
        stored = self.index.meta(PACK_META)
        remembered: dict[str, Any] = json.loads(stored) if stored else {}
        if not size_bytes:
            if remembered:
                self._forget()
            return None
        is_known = remembered.get("file") == [size_bytes, mtime_ns]
        if is_known and (remembered["has_tree"] or not paths_changed):
            is_stale = bool(remembered["is_stale"]) or (tree_changed and bool(remembered["has_tree"]))
            if is_stale != remembered["is_stale"]:
                self._remember({**remembered, "is_stale": is_stale})
            return PackState(remembered["sha"], mtime_ns, is_stale)
        try:
            pack, sha = load_pack(self.files)
        except PackMalformedError:
            self._forget()
            raise
        records = self._records(pack)
        is_stale = bool(pack.tree_digest) and pack.tree_digest != index_digest(self.index)
        with self.index.writing(wait_s=2.0), self.index.transaction():
            self._drop_all()
            for record in records:
                self.index.put(record)
            self._store_note(
                {
                    "file": [size_bytes, mtime_ns],
                    "sha": sha,
                    "is_stale": is_stale,
                    "has_tree": bool(pack.tree_digest),
                }
            )
        return PackState(sha, mtime_ns, is_stale)

    def _records(self, pack: ContextPack) -> list[FileRecord]:
        """Return what the pack adds: a snapshot of this very tree adds nothing, or deleted files would come back."""
        by_path: dict[str, list[PackChunk]] = {}
        in_tree = {path for path, _language, sha, _tokens in self.index.files() if sha}
        if pack.tree_digest and any(chunk.path in in_tree for chunk in pack.chunks):
            return []
        for chunk in pack.chunks:
            if chunk.path not in in_tree:
                by_path.setdefault(chunk.path, []).append(chunk)
        return [self._record(path, chunks) for path, chunks in sorted(by_path.items())]

    def _record(self, path: str, chunks: list[PackChunk]) -> FileRecord:
        rows, terms = [], []
        seen: dict[tuple[str, str], int] = {}
        for chunk in chunks:
            digest = digest_of(chunk.text.encode("utf-8", "surrogatepass"))
            qualname = _in_id(chunk.qualname)
            twin = seen[qualname, digest] = seen.get((qualname, digest), 0) + 1
            title = next((line.strip() for line in chunk.text.split("\n") if line.strip()), "")[:120]
            lines = max(1, chunk.text.count("\n") + (not chunk.text.endswith("\n")))
            rows.append(
                ChunkRow(
                    chunk.kind,
                    chunk.name,
                    qualname,
                    title,
                    "",
                    "",
                    chunk.start_line,
                    chunk.start_line + lines - 1,
                    0,
                    0,
                    self.counter.count(chunk.text),
                    self.counter.count(snippet_of(title, "")),
                    digest,
                    twin,
                )
            )
            terms.append(
                ChunkTerms(
                    index_terms(chunk.name),
                    index_terms(f"{path} {chunk.own_id}"),
                    index_terms(title),
                    index_terms(chunk.text),
                )
            )
        return FileRecord(
            PACK_PREFIX + path.encode("utf-8", "surrogatepass"),
            path,
            0,
            0,
            "",
            "text",
            "ok",
            "",
            "utf-8",
            sum(row.end_line - row.start_line + 1 for row in rows),
            sum(row.tokens for row in rows),
            False,
            0,
            0,
            0,
            0,
            0,
            tuple(rows),
            tuple(terms),
        )

    def _forget(self) -> None:
        with self.index.writing(wait_s=2.0), self.index.transaction():
            self._drop_all()
            self.index.set_meta(PACK_META, "")

    def _remember(self, note: dict[str, Any]) -> None:
        with self.index.writing(wait_s=2.0), self.index.transaction():
            self._store_note(note)

    def _store_note(self, note: dict[str, Any]) -> None:
        self.index.set_meta(PACK_META, json.dumps(note))

    def _drop_all(self) -> None:
        for os_path, _size, _mtime in self.index.stats():
            if os_path.startswith(PACK_PREFIX):
                self.index.drop(os_path)


def load_pack(files: SegmentFiles) -> tuple[ContextPack, str]:
    """Read the segment's pack and return it with 16 hex of its file's hash.

    Raises: PackMalformedError; NotFoundError when there is none.
    """
    try:
        view = files.read_file_at_mode(PACK_PATH, "raw")
    except NotFoundError:
        raise
    except CtxError as error:
        raise PackMalformedError(str(error)) from error
    return _parsed(view.text), view.content_sha[:16]


def pack_text(pack_json: str, path: str, digest: str) -> str:
    """Return the text of one chunk out of a pack file's text.

    Raises: PackMalformedError; NotFoundError when the pack holds no such chunk any more.
    """
    for chunk in _parsed(pack_json).chunks:
        if chunk.path == path and digest_of(chunk.text.encode("utf-8", "surrogatepass")) == digest:
            return chunk.text
    raise NotFoundError(f"{path}: this chunk is not in {PACK_PATH} any more; run `ctx search` again")


def _parsed(pack_json: str) -> ContextPack:
    try:
        document = json.loads(pack_json)
    except (ValueError, RecursionError) as error:
        raise PackMalformedError(
            f"{PACK_PATH}: not JSON ({error}); mend it or run `ctx build` to write a new one"
        ) from None
    return read_pack(document, PACK_PATH)


def index_digest(index: IndexPort) -> str:
    """Return the digest of every indexed file of the tree (a pack's own chunks left out)."""
    return tree_digest((path, sha) for path, _language, sha, _tokens in index.files() if sha)


def build_pack(
    files: SegmentFiles, index: IndexPort, clock: Clock, segment: str, on_progress: Callable[[int, int], None]
) -> dict[str, Any]:
    """Return a pack document over everything that is indexed, in order of path and line."""
    chunks: list[dict[str, Any]] = []
    paths = [path for path, _language, sha, _tokens in index.files() if sha]
    for done, path in enumerate(paths, start=1):
        record = index.file(path)
        if record is None or not record.chunks:
            continue
        utf8 = files.read_file_at_mode(path, "raw").text.encode("utf-8", "replace")
        for row in record.chunks:
            raw = utf8[row.start_byte : row.end_byte]
            if digest_of(raw) != row.digest:
                continue  # changed since the refresh a moment ago: the next build has it
            chunks.append(
                {
                    "id": format_id(path, row.qualname, row.digest, row.twin),
                    "path": path,
                    "start_line": row.start_line,
                    "end_line": row.end_line,
                    "kind": row.kind,
                    "name": row.name,
                    "qualname": row.qualname,
                    "signature": row.signature,
                    "tokens": row.tokens,
                    "text": raw.decode("utf-8", "replace"),
                }
            )
        on_progress(done, len(paths))
    return pack_document(segment, clock.now().isoformat(timespec="milliseconds"), index_digest(index), chunks)


def _in_id(qualname: str) -> str:
    """Return a hand-written name in the form ids can carry: `#`, `@` and spaces would take an id apart."""
    return "-".join(qualname.replace("#", " ").replace("@", " ").split()) or "chunk"
