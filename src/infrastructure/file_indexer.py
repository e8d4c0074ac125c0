"""From one file on disk to the record the index stores: read, parse, cut into chunks, count tokens, collect terms.

Runs in the command's own process for a few files and in worker processes for many (`parse_pool`); it therefore
keeps no state but its engines and writes no telemetry: what happened is in the record.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from ..domain.chunk_ids import snippet_of
from ..domain.chunks import chunk_code, chunk_markdown, chunk_text
from ..domain.errors import CtxError
from ..domain.identifiers import index_terms
from ..domain.imported_names import imported_names
from ..domain.index_records import SYNTAX_ERRORS, ChunkRow, ChunkTerms, DefinitionRow, FileRecord, ImportRow
from ..domain.source_files import NOTEBOOK, NOTEBOOK_SUFFIX, Skipped, display_path
from .ast_lsp.skeleton_map import SkeletonMapBuilder, skeleton_size
from .languages import MARKDOWN, TEXT, language_of, row_of

if TYPE_CHECKING:
    from ..domain.chunks import Chunk
    from ..domain.ports import TokenCounter
    from ..domain.symbols import Definition
    from .file_system import FileSystemAdapter


class FileIndexer:
    """Makes records of the files of one segment."""

    def __init__(self, files: FileSystemAdapter, counter: TokenCounter, *, with_skeleton_size: bool = False) -> None:
        """Take the segment's files and the tokenizer; `with_skeleton_size` also prints each skeleton to measure it."""
        self._files = files
        self._counter = counter
        self._builder = SkeletonMapBuilder()
        self._with_skeleton_size = with_skeleton_size

    @property
    def counter(self) -> TokenCounter:
        """The tokenizer."""
        return self._counter

    def counting_with(self, counter: TokenCounter) -> FileIndexer:
        """Return an indexer that differs in its tokenizer only."""
        return FileIndexer(self._files, counter, with_skeleton_size=self._with_skeleton_size)

    def index(self, os_path: bytes) -> FileRecord:
        """Return the record of one file; a file that cannot be indexed gives one with status `skipped`."""
        return self._index(os_path, "")

    def index_as_text(self, os_path: bytes, reason: str) -> FileRecord:
        """Return the record of a file that must not be parsed: its words without its definitions, status `failed`."""
        return self._index(os_path, reason)

    def _index(self, os_path: bytes, unparsed_because: str) -> FileRecord:
        path = display_path(os_path)
        source = self._files.read_source(os_path)
        if isinstance(source, Skipped):
            return self.skipped(os_path, source.reason)
        utf8 = source.utf8
        language = language_of(path, utf8)
        if path.endswith(NOTEBOOK_SUFFIX):
            language, unparsed_because = NOTEBOOK, unparsed_because or source.flaw
        status, reason, parse_ns = ("failed" if unparsed_because else "ok"), unparsed_because, 0
        functions = classes = skeleton_bytes = 0
        chunks: tuple[Chunk, ...] | None = None
        definitions: tuple[DefinitionRow, ...] = ()
        imports: tuple[ImportRow, ...] = ()
        if row_of(language) is not None and not unparsed_because:
            started_ns = time.perf_counter_ns()
            try:
                skeleton = self._builder.extract(utf8, path, language)
            except CtxError as error:
                # Wherever a reason is shown, the path stands before it already.
                status, reason = "failed", str(error).removeprefix(f"{path}: ")
            else:
                status = skeleton.status
                reason = SYNTAX_ERRORS if status == "partial" else ""
                functions, classes = len(skeleton.functions), len(skeleton.classes)
                skeleton_bytes = skeleton_size(skeleton)["skeleton_bytes"] if self._with_skeleton_size else 0
                chunks = chunk_code(utf8, skeleton)
                definitions = tuple([_definition_row(d) for d in skeleton.definitions])
                imports = tuple(
                    [ImportRow(i.start_line, i.text, imported_names(language, i.text)) for i in skeleton.imports]
                )
            parse_ns = time.perf_counter_ns() - started_ns
        elif language == NOTEBOOK and not unparsed_because:
            from ..domain.notebooks import notebook_outline  # 5 ms with json that an update of other files does without

            chunks = chunk_code(utf8, notebook_outline(source.text, path, self._declared(source.text, path)))
        elif language == MARKDOWN and not unparsed_because:
            chunks = chunk_markdown(utf8, path)
        if chunks is None:
            chunks = chunk_text(utf8, path)
        rows, terms = self._rows(utf8, path, chunks)
        return FileRecord(
            os_path,
            path,
            source.size_bytes,
            source.mtime_ns,
            source.content_sha,
            language,
            status,
            reason,
            source.encoding,
            utf8.count(b"\n") + (0 if utf8.endswith(b"\n") or not utf8 else 1),
            sum(row.tokens for row in rows),
            source.generated,
            source.size_bytes,
            parse_ns,
            functions,
            classes,
            skeleton_bytes,
            rows,
            terms,
            definitions,
            imports,
        )

    def _declared(self, view: str, path: str) -> tuple[Definition, ...]:
        """Return what the Python cells of a notebook declare; nothing when they take too long to parse."""
        from ..domain.notebooks import python_of

        try:
            return self._builder.extract(python_of(view).encode("utf-8", "replace"), path, "python").definitions
        except CtxError:
            return ()

    def skipped(self, os_path: bytes, reason: str) -> FileRecord:
        """Return the record that keeps a file from being looked at again until it changes."""
        path = display_path(os_path)
        size_bytes, mtime_ns = self._files.stat(os_path)
        return FileRecord(
            os_path, path, size_bytes, mtime_ns, "", TEXT, "skipped", reason, "", 0, 0, False, 0, 0, 0, 0, 0, (), ()
        )

    def _rows(
        self, utf8: bytes, path: str, chunks: tuple[Chunk, ...]
    ) -> tuple[tuple[ChunkRow, ...], tuple[ChunkTerms, ...]]:
        count = self._counter.count
        path_terms = index_terms(os.path.splitext(path)[0])
        rows, terms = [], []
        scopes: dict[str, str] = {}
        for chunk in chunks:
            text = utf8[chunk.start_byte : chunk.end_byte].decode("utf-8", "replace")
            names = " ".join(chunk.names)
            rows.append(
                ChunkRow(
                    chunk.kind,
                    chunk.name,
                    chunk.qualname,
                    chunk.signature,
                    chunk.doc,
                    names,
                    chunk.start_line,
                    chunk.end_line,
                    chunk.start_byte,
                    chunk.end_byte,
                    count(text),
                    count(snippet_of(chunk.signature, chunk.doc)),
                    chunk.digest,
                    chunk.twin,
                    chunk.part,
                )
            )
            above = chunk.qualname.rpartition(".")[0]
            scope = scopes.get(above)
            if scope is None:
                scope = scopes[above] = f"{path_terms} {index_terms(above)}"
            terms.append(
                ChunkTerms(
                    index_terms(f"{chunk.name} {names}"),
                    scope,
                    index_terms(f"{chunk.signature} {chunk.doc}"),
                    index_terms(text),
                )
            )
        return tuple(rows), tuple(terms)


def _definition_row(d: Definition) -> DefinitionRow:
    return DefinitionRow(
        d.kind,
        d.name,
        d.qualname,
        d.signature,
        d.doc,
        d.start_line,
        d.end_line,
        d.name_line,
        d.name_column,
        d.parent,
    )
