"""What the index holds of a file, as it travels from the parsing processes to the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

PACK_PATH = "_ctx/context_pack.json"
PACK_META = "pack"
"""The meta key of what is known of the pack without reading it; "" means there was none."""
PACK_PREFIX = b"\0pack/"
"""What a context pack's chunks are stored under: no file can have such a name."""
SYNTAX_ERRORS = "syntax errors"
"""The reason of every file whose status is partial; a failed one has any other."""


class ChunkRow(NamedTuple):
    """One chunk as stored. Named tuples and plain values: rows cross process borders by the ten thousand."""

    kind: str
    name: str
    qualname: str
    signature: str
    doc: str
    names: str
    start_line: int
    end_line: int
    start_byte: int
    end_byte: int
    tokens: int
    snippet_tokens: int
    digest: str
    twin: int
    part: int = 1


class ChunkTerms(NamedTuple):
    """The searchable terms of one chunk by field (see `ranking.FieldWeights`)."""

    name: str
    scope: str
    head: str
    body: str


class DefinitionRow(NamedTuple):
    """One definition as stored, in source order within its file; the fields are those of `symbols.Definition`.

    Every definition is kept, also those that share a chunk: symbols are looked up here, texts in the chunks.
    """

    kind: str
    name: str
    qualname: str
    signature: str
    doc: str
    start_line: int
    end_line: int
    name_line: int
    name_column: int
    parent: int


class ImportRow(NamedTuple):
    """One import statement as stored: where it starts, its text on one line, and the words that may name a file."""

    line: int
    text: str
    names: tuple[str, ...] = ()


class StoredDefinition(NamedTuple):
    """A definition with the file it was found in; `position` counts the file's definitions from 0."""

    path: str
    language: str
    generated: bool
    position: int
    row: DefinitionRow


class FileRecord(NamedTuple):
    """One file as stored; `status` is ok, partial, failed (indexed as text) or skipped (then `reason` says why)."""

    os_path: bytes
    path: str
    size_bytes: int
    mtime_ns: int
    content_sha: str
    language: str
    status: str
    reason: str
    encoding: str
    lines: int
    tokens: int
    generated: bool
    read_bytes: int
    parse_ns: int
    functions: int
    classes: int
    skeleton_bytes: int
    chunks: tuple[ChunkRow, ...]
    terms: tuple[ChunkTerms, ...]
    definitions: tuple[DefinitionRow, ...] = ()
    imports: tuple[ImportRow, ...] = ()


@dataclass(frozen=True, slots=True)
class IndexFacts:
    """What a stored index says of itself; `as_of` is RFC 3339, "" for an index never completed."""

    files: int
    skipped: int
    chunks: int
    tokens: int
    as_of: str
    complete: bool
    size_bytes: int
    languages: tuple[tuple[str, int], ...]
