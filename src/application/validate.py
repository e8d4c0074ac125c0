"""Validate: is what the index and the pack say still true? Fails closed: what cannot be checked is a problem."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..domain.chunk_ids import digest_of
from ..domain.context_pack import PackMalformedError
from ..domain.errors import NotFoundError
from ..domain.index_records import PACK_PATH, PACK_PREFIX
from ..domain.source_files import display_path
from .context_pack import index_digest, load_pack

if TYPE_CHECKING:
    from ..domain.ports import IndexPort, SegmentFiles

PATHS_SHOWN = 5


def validate(index: IndexPort, files: SegmentFiles, pack_files: SegmentFiles) -> list[dict[str, str]]:
    """Return the problems, each with `kind` and `message`; an empty list means valid and up to date.

    Nothing is refreshed: a stale index is what this is there to find.
    """
    problems = []
    if index.meta("complete") != "1":
        problems.append(_problem("index", "there is no complete index; run `ctx index`"))
        return problems
    damage = index.check()
    if damage != "ok":
        problems.append(_problem("index", f"damaged ({damage}); run `ctx index --rebuild`"))
        return problems
    known = {path: (size, mtime) for path, size, mtime in index.stats() if not path.startswith(PACK_PREFIX)}
    present = {path: (size, mtime) for path, size, mtime in files.walk().files}
    moved = sorted(path for path in known.keys() | present.keys() if known.get(path) != present.get(path))
    if moved:
        shown = ", ".join(display_path(path) for path in moved[:PATHS_SHOWN])
        more = f" and {len(moved) - PATHS_SHOWN} more" if len(moved) > PATHS_SHOWN else ""
        problems.append(_problem("index", f"stale: {shown}{more} changed; run `ctx index`"))
    problems += _pack_problems(index, pack_files)
    return problems


def _pack_problems(index: IndexPort, pack_files: SegmentFiles) -> list[dict[str, str]]:
    try:
        pack, _sha = load_pack(pack_files)
    except NotFoundError:
        return []
    except PackMalformedError as error:
        return [_problem("pack", str(error))]
    if pack.tree_digest:
        if pack.tree_digest != index_digest(index):
            return [_problem("pack", f"{PACK_PATH} is stale: the files changed since; run `ctx build`")]
        return []
    in_tree = {path for path, _language, sha, _tokens in index.files() if sha}
    stale = sorted(
        {
            chunk.path
            for chunk in pack.chunks
            if chunk.path in in_tree and not _still_stands(index, chunk.path, chunk.text)
        }
    )
    if stale:
        return [_problem("pack", f"{PACK_PATH} is stale for {', '.join(stale[:PATHS_SHOWN])}; write it anew")]
    return []


def _still_stands(index: IndexPort, path: str, text: str) -> bool:
    record = index.file(path)
    digest = digest_of(text.encode("utf-8", "surrogatepass"))
    return record is not None and any(row.digest == digest for row in record.chunks)


def _problem(kind: str, message: str) -> dict[str, str]:
    return {"kind": kind, "message": message}
