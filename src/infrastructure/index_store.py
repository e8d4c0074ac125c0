"""IndexStore: the segment's index in one SQLite file (WAL, FTS5).

Owns the file, its schema, the writer's lock and the detection of damage. Many processes may read while one writes;
a killed writer leaves the last committed state. What is worth indexing and in which order results stand is decided
elsewhere. The FTS5 table keeps no text: what a file contributed is stored compressed beside it, because FTS5 needs
the very terms again to take them out.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import sqlite3
import zlib
from typing import TYPE_CHECKING, Any

from ..domain.chunk_ids import ChunkId, snippet_of
from ..domain.errors import CtxError, IndexBusyError, IndexDamagedError, UsageError
from ..domain.index_records import (
    PACK_PREFIX,
    ChunkRow,
    ChunkTerms,
    DefinitionRow,
    FileRecord,
    ImportRow,
    IndexFacts,
    StoredDefinition,
)
from ..domain.ranking import Candidate
from .state_folder import make_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ..domain.ranking import FieldWeights
    from ..domain.source_files import FileStat
    from ..domain.text_match import TextFile

PATH_BYTES_MAX = 504
"""What SQLite opens: 512 with the name of its journal (`MAX_PATHNAME` in os_unix.c), links resolved."""
SCHEMA_VERSION = 5
"""Raised whenever what is stored changes its meaning; an index of another version is rebuilt."""

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE files (
  file_id INTEGER PRIMARY KEY, os_path BLOB NOT NULL UNIQUE, path TEXT NOT NULL UNIQUE,
  size_bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, content_sha TEXT NOT NULL, language TEXT NOT NULL,
  status TEXT NOT NULL, reason TEXT NOT NULL, encoding TEXT NOT NULL, lines INTEGER NOT NULL,
  tokens INTEGER NOT NULL, generated INTEGER NOT NULL);
CREATE TABLE file_terms (file_id INTEGER PRIMARY KEY, packed BLOB NOT NULL);
CREATE TABLE directories (os_path BLOB PRIMARY KEY, mtime_ns INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE chunks (
  chunk_id INTEGER PRIMARY KEY, file_id INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,
  qualname TEXT NOT NULL, signature TEXT NOT NULL, doc TEXT NOT NULL, names TEXT NOT NULL,
  start_line INTEGER NOT NULL, end_line INTEGER NOT NULL, start_byte INTEGER NOT NULL, end_byte INTEGER NOT NULL,
  tokens INTEGER NOT NULL, snippet_tokens INTEGER NOT NULL, digest TEXT NOT NULL, twin INTEGER NOT NULL,
  part INTEGER NOT NULL);
CREATE INDEX chunks_by_file ON chunks (file_id);
CREATE INDEX chunks_by_name ON chunks (name COLLATE NOCASE);
CREATE TABLE definitions (
  file_id INTEGER NOT NULL, position INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, qualname TEXT NOT NULL,
  signature TEXT NOT NULL, doc TEXT NOT NULL, start_line INTEGER NOT NULL, end_line INTEGER NOT NULL,
  name_line INTEGER NOT NULL, name_column INTEGER NOT NULL, parent INTEGER NOT NULL,
  PRIMARY KEY (file_id, position)) WITHOUT ROWID;
CREATE INDEX definitions_by_name ON definitions (name COLLATE NOCASE);
CREATE TABLE imports (
  file_id INTEGER NOT NULL, position INTEGER NOT NULL, line INTEGER NOT NULL, text TEXT NOT NULL,
  PRIMARY KEY (file_id, position)) WITHOUT ROWID;
CREATE TABLE imported_names (
  name TEXT NOT NULL, file_id INTEGER NOT NULL, PRIMARY KEY (name, file_id)) WITHOUT ROWID;
CREATE INDEX imported_names_by_file ON imported_names (file_id);
CREATE TABLE words_used (file_id INTEGER PRIMARY KEY, packed BLOB NOT NULL);
CREATE TABLE cache (key TEXT PRIMARY KEY, payload BLOB NOT NULL) WITHOUT ROWID;
CREATE VIRTUAL TABLE chunk_terms USING fts5(
  name, scope, head, body, content='', tokenize="porter unicode61 remove_diacritics 2 tokenchars '_'");
"""

TELL_AFTER_S = 1.0
"""A shorter wait is none to a person, and several agents at once would hear of nothing else."""

_FTS_HASH_BYTES = 16 * 1024 * 1024
"""FTS5 collects this much before it writes a segment; its default of 1 MB writes and merges dozens of them.

On django 8 to 64 MB take the same time within 10 %, and 64 MB twice the memory.
"""
_BULK_CACHE_KIB = 16 * 1024
_IDS_AT_ONCE = 500
"""SQLite takes 32,766 arguments to a statement, 999 before 3.32."""

_DEFINITION_COLUMNS = """f.path, f.language, f.generated, d.position, d.kind, d.name, d.qualname, d.signature, d.doc,
  d.start_line, d.end_line, d.name_line, d.name_column, d.parent"""

_CANDIDATE_COLUMNS = """c.chunk_id, f.path, f.language, c.kind, c.name, c.qualname, c.signature, c.doc, c.names,
  c.start_line, c.end_line, c.tokens, c.snippet_tokens, c.digest, c.twin, f.generated, c.part"""


class IndexStore:
    """One open index; use as a context manager. One thread at a time, and never across a fork."""

    def __init__(self, path: str, *, makes: bool = True, make_folder: Callable[[str], object] = make_folder) -> None:
        """Remember where the index is; `open` touches the disk. With `makes` off a missing file is an error.

        `make_folder` makes the folder it is in; by itself no more than that: a segment that was removed stays removed.
        """
        self.path = path
        self._makes = makes
        self._make_folder = make_folder
        self._db: sqlite3.Connection | None = None
        self.is_frozen = False  # read as it stands, because there is no room to write
        self._lock_fd: int | None = None

    def __enter__(self) -> IndexStore:
        self.open()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def open(self) -> bool:
        """Open the index, making an empty one where none is or an older schema stands; return True when made anew.

        Raises: IndexDamagedError when the file is not a usable index; CtxError when it cannot be opened.
        """
        try:
            return self._open()
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._disconnect()
            raise

    def _open(self) -> bool:
        with self._guarded():
            self._connect()
            version = self._row("PRAGMA user_version")[0]
            if version == SCHEMA_VERSION:
                self._row("SELECT value FROM meta LIMIT 1")
                return False
        with self.writing(wait_s=30.0):
            # Another process may have replaced the file while we waited; the connection would still hold the old one.
            self._disconnect()
            with self._guarded():
                self._connect()
                version = self._row("PRAGMA user_version")[0]
                if version == SCHEMA_VERSION:
                    return False  # another process made it while we waited
            self.empty()
        return True

    def empty(self) -> None:
        """Drop whatever the file holds and lay out an empty index, in one transaction; call inside `writing`.

        Inside `transaction`, readers see what was there until that commits.

        In place, not by deleting the file: SQLite's own files beside it go by name, and a process that still has the
        old index open would remove the new one's when it closes.
        """
        with self.transaction():
            tables = self._rows("SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
            virtual = [name for name, sql in tables if str(sql).upper().startswith("CREATE VIRTUAL")]
            # A virtual table takes its shadow tables (name_data, name_idx, …) with it.
            plain = [name for name, _sql in tables if not any(name == v or name.startswith(f"{v}_") for v in virtual)]
            for name in (*virtual, *plain):
                self._execute(f'DROP TABLE "{name}"')
            for statement in _SCHEMA.split(";\n"):
                self._execute(statement)
            self._execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            self._execute("INSERT INTO chunk_terms(chunk_terms, rank) VALUES ('automerge', 8)")

    def close(self) -> None:
        """Close the database and let go of the writer's lock; safe to call twice."""
        self._disconnect()
        self._unlock()

    def remove(self) -> None:
        """Delete a damaged index file and what SQLite keeps beside it; for a sound one there is `empty`.

        The file itself last: where it is missing another process may make it anew, and what is beside it is its own.
        """
        self._disconnect()
        for suffix in ("-wal", "-shm", ""):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path + suffix)

    def copy_to(self, path: str) -> None:
        """Copy the index as it is committed now into another file, which is there and empty.

        Raises: CtxError when that cannot be written.
        """
        assert self._db is not None
        with self._guarded():
            target = sqlite3.connect(path)
            try:
                self._db.backup(target)
            finally:
                target.close()

    # ------------------------------------------------------------------ writing

    @contextlib.contextmanager
    def writing(
        self, *, wait_s: float, on_wait: Callable[[], None] = lambda: None, tell_after_s: float = TELL_AFTER_S
    ) -> Iterator[None]:
        """Hold the one writer's lock of this index; `on_wait` is called once when that takes `tell_after_s`.

        Raises: IndexBusyError when another process holds it for longer than `wait_s`.
        """
        if self._lock_fd is not None:
            yield
            return
        if self.is_frozen:
            raise IndexBusyError(f"{self.path}: no room to write the index; free some space and run the command again")
        try:
            fd = os.open(self.path + ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise _unusable(self.path + ".lock", error.strerror) from error
        try:
            _lock(fd, wait_s, on_wait, tell_after_s)
        except BaseException:
            os.close(fd)
            raise
        self._lock_fd = fd
        try:
            yield
        finally:
            self._unlock()

    def _unlock(self) -> None:
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None

    @contextlib.contextmanager
    def transaction(self, *, bulk: bool = False) -> Iterator[None]:
        """Commit what the block writes as one unit, or nothing of it; inside another one it is a part of that."""
        with self._guarded():
            if bulk:
                self._execute(f"INSERT INTO chunk_terms(chunk_terms, rank) VALUES ('hashsize', {_FTS_HASH_BYTES})")
                self._execute(f"PRAGMA cache_size = -{_BULK_CACHE_KIB}")
            is_outer = self._db is not None and not self._db.in_transaction
            if is_outer:
                self._execute("BEGIN IMMEDIATE")
            try:
                # A tenth of what storing a first build costs: sorted once instead of grown row by row.
                indexes = self._drop_indexes() if bulk and self._row("SELECT 1 FROM files LIMIT 1") is None else []
                yield
                for sql in indexes:
                    self._execute(sql)
                if is_outer:
                    self._execute("COMMIT")
            except BaseException:
                # On a full disk SQLite has rolled back by itself, and a second time would hide the reason.
                if is_outer and self._db is not None and self._db.in_transaction:
                    self._execute("ROLLBACK")
                raise

    def _drop_indexes(self) -> list[str]:
        """Drop the indexes that are not part of a table and return what makes them again."""
        found = self._rows("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
        for name, _sql in found:
            self._execute(f'DROP INDEX "{name}"')
        return [str(sql) for _name, sql in found]

    def put(self, record: FileRecord) -> None:
        """Store a file in place of what was stored under its path; call inside `transaction`."""
        assert self._db is not None
        known = self._row("SELECT file_id FROM files WHERE os_path = ?", (record.os_path,))
        if known is not None:
            self._take_out(known[0])
        twin = self._row("SELECT file_id, os_path FROM files WHERE path = ?", (record.path,))
        if twin is not None:
            if bytes(twin[1]).startswith(PACK_PREFIX):
                self._take_out(twin[0])  # the tree beats the pack
            else:
                # Two names that print alike, because one holds the other's escape: the first one stands.
                shown = f"{record.path} ({record.os_path.hex()})"
                record = record._replace(
                    path=shown, status="skipped", reason=f"prints as {record.path}", chunks=(), terms=()
                )
        file_id = self._execute(
            "INSERT INTO files VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (known[0] if known is not None else None, *record[:12]),
        ).lastrowid
        if record.definitions:
            self._db.executemany(
                "INSERT INTO definitions VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
                [(file_id, at, *row) for at, row in enumerate(record.definitions)],
            )
        if record.imports:
            self._db.executemany(
                "INSERT INTO imports VALUES (?,?,?,?)",
                [(file_id, at, row.line, row.text) for at, row in enumerate(record.imports)],
            )
            self._db.executemany(
                "INSERT OR IGNORE INTO imported_names VALUES (?,?)",
                [(name, file_id) for name in {name for row in record.imports for name in row.names}],
            )
        if not record.chunks:
            return
        first = self._row("SELECT coalesce(max(chunk_id), 0) + 1 FROM chunks")[0]
        self._db.executemany(
            "INSERT INTO chunks VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            ((first + at, file_id, *row) for at, row in enumerate(record.chunks)),
        )
        self._db.executemany(
            "INSERT INTO chunk_terms(rowid, name, scope, head, body) VALUES (?,?,?,?,?)",
            ((first + at, *terms) for at, terms in enumerate(record.terms)),
        )
        import orjson  # late: a search never gets here

        packed = _deflated(orjson.dumps([list(terms) for terms in record.terms]))
        self._execute("INSERT INTO file_terms VALUES (?,?)", (file_id, packed))

    def touch(self, stat: FileStat) -> None:
        """Note a file's new size and time when its content is what it was."""
        self._execute("UPDATE files SET size_bytes = ?, mtime_ns = ? WHERE os_path = ?", (stat[1], stat[2], stat[0]))

    def drop(self, os_path: bytes) -> None:
        """Take a file out; an unknown one is no error."""
        known = self._row("SELECT file_id FROM files WHERE os_path = ?", (os_path,))
        if known is not None:
            self._take_out(known[0])

    def _take_out(self, file_id: int) -> None:
        assert self._db is not None
        packed = self._row("SELECT packed FROM file_terms WHERE file_id = ?", (file_id,))
        if packed is not None:
            ids = self._rows("SELECT chunk_id FROM chunks WHERE file_id = ? ORDER BY chunk_id", (file_id,))
            import orjson

            try:
                terms_of_chunks = orjson.loads(zlib.decompress(packed[0], -15))
                terms_by_id = [(row[0], *terms) for row, terms in zip(ids, terms_of_chunks, strict=True)]
            except (zlib.error, ValueError, TypeError) as error:
                raise _damaged(self.path, error) from error
            self._db.executemany(
                "INSERT INTO chunk_terms(chunk_terms, rowid, name, scope, head, body) VALUES ('delete',?,?,?,?,?)",
                terms_by_id,
            )
            self._execute("DELETE FROM chunks WHERE file_id = ?", (file_id,))
            self._execute("DELETE FROM file_terms WHERE file_id = ?", (file_id,))
        for table in ("definitions", "imports", "imported_names", "words_used", "files"):
            self._execute(f"DELETE FROM {table} WHERE file_id = ?", (file_id,))

    def set_directories(self, directories: Iterable[tuple[bytes, int]]) -> None:
        """Replace the known directories and their times."""
        assert self._db is not None
        self._execute("DELETE FROM directories")
        self._db.executemany("INSERT OR REPLACE INTO directories VALUES (?,?)", directories)

    def set_meta(self, key: str, value: str) -> None:
        """Store one fact about the index."""
        self._execute("INSERT OR REPLACE INTO meta VALUES (?,?)", (key, value))

    # ------------------------------------------------------------------ reading

    def meta(self, key: str) -> str:
        """Return a stored fact, or "" when it was never stored."""
        row = self._row("SELECT value FROM meta WHERE key = ?", (key,))
        return str(row[0]) if row is not None else ""

    def stats(self) -> list[FileStat]:
        """Return (os_path, size, mtime) of every known file, skipped ones included."""
        return self._rows("SELECT os_path, size_bytes, mtime_ns FROM files")

    def stat(self, os_path: bytes) -> tuple[int, int] | None:
        """Return size and time of one known file, None when it is not known."""
        row = self._row("SELECT size_bytes, mtime_ns FROM files WHERE os_path = ?", (os_path,))
        return (row[0], row[1]) if row is not None else None

    def directories(self) -> list[tuple[bytes, int]]:
        """Return every directory of the last walk with its time."""
        return self._rows("SELECT os_path, mtime_ns FROM directories")

    def content_sha(self, os_path: bytes) -> str:
        """Return the stored content hash of a file, or "" when it is unknown."""
        row = self._row("SELECT content_sha FROM files WHERE os_path = ?", (os_path,))
        return str(row[0]) if row is not None else ""

    def known_tokens(self, os_paths: Iterable[bytes]) -> dict[str, int]:
        """Return the token counts of the texts and snippets of those files' chunks, by `tokenizer.text_key`."""
        from .tokenizer import known_key, text_key  # late: only an update gets here

        known: dict[str, int] = {}
        for os_path in os_paths:
            rows = self._rows(
                """SELECT c.digest, c.end_byte - c.start_byte, c.tokens, c.signature, c.doc, c.snippet_tokens
                FROM files f JOIN chunks c USING (file_id) WHERE f.os_path = ?""",
                (os_path,),
            )
            for digest, size_bytes, tokens, signature, doc, snippet_tokens in rows:
                known[known_key(digest, size_bytes)] = tokens
                known[text_key(snippet_of(signature, doc))] = snippet_tokens
        return known

    def candidates(
        self, match: str, weights: FieldWeights, limit: int, where: str = "", arguments: Sequence[Any] = ()
    ) -> list[Candidate]:
        """Return the best chunks by weighted BM25 for an FTS5 expression, best first.

        `where` may restrict them by columns of `f` (files) and `c` (chunks).
        """
        ranked = "SELECT rowid, bm25(chunk_terms, ?, ?, ?, ?) AS score FROM chunk_terms WHERE chunk_terms MATCH ?"
        numbers = (weights.name, weights.scope, weights.head, weights.body, match)
        if where:
            sql = f"""SELECT {_CANDIDATE_COLUMNS}, -t.score FROM ({ranked}) t JOIN chunks c ON c.chunk_id = t.rowid
                JOIN files f USING (file_id) WHERE {where} ORDER BY t.score LIMIT ?"""
            return [_candidate(row, row[17]) for row in self._rows(sql, (*numbers, *arguments, limit))]
        # Scores first and columns after, by ascending row: a join in the order of scores jumps about the whole table
        # and sorts rows of 17 columns, a fifth of the query's time.
        scores = dict(self._rows(f"{ranked} ORDER BY score LIMIT ?", (*numbers, limit)))
        found: dict[int, Sequence[Any]] = {}
        ids = sorted(scores)
        for at in range(0, len(ids), _IDS_AT_ONCE):
            some = ids[at : at + _IDS_AT_ONCE]
            marks = ",".join("?" * len(some))
            sql = f"""SELECT {_CANDIDATE_COLUMNS} FROM chunks c JOIN files f USING (file_id)
                WHERE c.chunk_id IN ({marks})"""
            found.update((row[0], row) for row in self._rows(sql, some))
        return [_candidate(found[chunk_id], -score) for chunk_id, score in scores.items() if chunk_id in found]

    def by_name(self, name: str, limit: int, where: str = "1", arguments: Sequence[Any] = ()) -> list[Candidate]:
        """Return the chunks of that name in any case, the exact spelling first; their BM25 is 0."""
        rows = self._rows(
            f"""SELECT {_CANDIDATE_COLUMNS} FROM chunks c JOIN files f USING (file_id)
            WHERE c.name = ? COLLATE NOCASE AND {where} ORDER BY c.name <> ?, f.path, c.start_line LIMIT ?""",
            (name, *arguments, name, limit),
        )
        return [_candidate(row, 0.0) for row in rows]

    def names_like(self, patterns: Sequence[str], limit: int) -> list[str]:
        """Return distinct names that match any of the LIKE patterns, for suggestions."""
        if not patterns:
            return []
        condition = " OR ".join("name LIKE ? ESCAPE '\\'" for _ in patterns)
        rows = self._rows(f"SELECT DISTINCT name FROM chunks WHERE {condition} LIMIT ?", (*patterns, limit))
        return [str(row[0]) for row in rows]

    def count_matches(self, match: str, at_most: int = -1) -> int:
        """Return how many chunks match an FTS5 expression, counting no further than `at_most` (-1: all)."""
        sql = "SELECT count(*) FROM (SELECT 1 FROM chunk_terms WHERE chunk_terms MATCH ? LIMIT ?)"
        return int(self._row(sql, (match, at_most))[0])

    def file(self, path: str) -> FileRecord | None:
        """Return a stored file by its printed path, with its chunks and without its terms; None when unknown."""
        # What a shell hands over for a stray byte is no text; the index spells it as `display_path` does.
        row = self._row("SELECT * FROM files WHERE path = ?", (path,)) if _is_storable(path) else None
        if row is None:
            return None
        chunks = self._rows(
            """SELECT kind, name, qualname, signature, doc, names, start_line, end_line, start_byte, end_byte, tokens,
            snippet_tokens, digest, twin, part FROM chunks WHERE file_id = ? ORDER BY start_line""",
            (row[0],),
        )
        stored = (*row[1:12], bool(row[12]), 0, 0, 0, 0, 0)
        return FileRecord._make((*stored, tuple(map(ChunkRow._make, chunks)), (), (), ()))

    def files(self) -> Iterator[tuple[str, str, str, int]]:
        """Yield (path, language, content_sha, tokens) of every indexed file by path."""
        yield from self._rows(
            "SELECT path, language, content_sha, tokens FROM files WHERE status <> 'skipped' ORDER BY path"
        )

    def text_files(self, where: str = "", arguments: Sequence[Any] = ()) -> list[TextFile]:
        """Return the indexed files that are on disk, by path; `where` may restrict them by columns of `f` (files)."""
        from ..domain.text_match import TextFile  # late: only a search by pattern gets here

        rows = self._rows(
            f"""SELECT f.os_path, f.path, f.encoding FROM files f
            WHERE f.status <> 'skipped' AND f.content_sha <> '' AND ({where or "1"}) ORDER BY f.path""",
            arguments,
        )
        return [TextFile._make(row) for row in rows]

    def ids_named(self, qualname: str, digest: str) -> list[ChunkId]:
        """Return the ids, in any file, of chunks with that qualified name and hash (a file that was moved)."""
        rows = self._rows(
            """SELECT f.path, c.qualname, c.digest, c.twin FROM chunks c JOIN files f USING (file_id)
            WHERE c.name = ? AND c.qualname = ? AND c.digest = ? ORDER BY f.path""",
            (qualname.rpartition(".")[2], qualname, digest),
        )
        return [ChunkId(*row) for row in rows]

    def skipped(self) -> list[tuple[str, str]]:
        """Return (path, reason) of the files that are known and not indexed, by path."""
        return self._rows("SELECT path, reason FROM files WHERE status = 'skipped' ORDER BY path")

    def partial(self) -> list[tuple[str, str]]:
        """Return (path, reason) of the files whose parse was not whole, by path."""
        return self._rows("SELECT path, reason FROM files WHERE status IN ('partial', 'failed') ORDER BY path")

    def has_folder(self, path: str) -> bool:
        """Tell whether any known file lies under a folder."""
        prefix = path.rstrip("/") + "/"
        return self._row("SELECT 1 FROM files WHERE substr(path, 1, ?) = ? LIMIT 1", (len(prefix), prefix)) is not None

    def kinds(self) -> list[str]:
        """Return the kinds of chunks there are, by name."""
        return [str(row[0]) for row in self._rows("SELECT DISTINCT kind FROM chunks ORDER BY kind")]

    def facts(self) -> IndexFacts:
        """Return what the index holds, in numbers."""
        files, tokens = self._row("SELECT count(*), coalesce(sum(tokens), 0) FROM files WHERE status <> 'skipped'")
        languages = self._rows(
            "SELECT language, count(*) FROM files WHERE status <> 'skipped' GROUP BY 1 ORDER BY 2 DESC, 1"
        )
        return IndexFacts(
            files=files,
            skipped=self._row("SELECT count(*) FROM files WHERE status = 'skipped'")[0],
            chunks=self._row("SELECT count(*) FROM chunks")[0],
            tokens=tokens,
            as_of=self.meta("as_of"),
            complete=self.meta("complete") == "1",
            size_bytes=sum(os.path.getsize(self.path + s) for s in ("", "-wal") if os.path.exists(self.path + s)),
            languages=tuple(languages),
        )

    def file_count(self) -> int:
        """Return the number of indexed files."""
        return int(self._row("SELECT count(*) FROM files WHERE status <> 'skipped'")[0])

    def check(self) -> str:
        """Read the whole file for damage and return "ok" or what is wrong (slow: for doctor and validate)."""
        try:
            with self._guarded():
                found = str(self._row("PRAGMA quick_check(1)")[0])
                if found != "ok":
                    return found
                self._execute("INSERT INTO chunk_terms(chunk_terms) VALUES ('integrity-check')")
        except IndexDamagedError as error:
            return str(error)
        stored = self._row("SELECT count(*) FROM chunks")[0]
        searchable = self._row("SELECT count(*) FROM chunk_terms_docsize")[0]
        return "ok" if stored == searchable else f"{stored} chunks stored and {searchable} searchable"

    # ------------------------------------------------------------------ symbols

    def definitions_named(self, name: str, limit: int) -> list[StoredDefinition]:
        """Return the definitions of that name in any case, the exact spelling first, then by path and place."""
        rows = self._rows(
            f"""SELECT {_DEFINITION_COLUMNS} FROM definitions d JOIN files f USING (file_id)
            WHERE d.name = ? COLLATE NOCASE ORDER BY d.name <> ?, f.path, d.position LIMIT ?""",
            (name, name, limit),
        )
        return [_stored_definition(row) for row in rows]

    def definitions_starting(self, prefix: str, limit: int) -> list[StoredDefinition]:
        """Return definitions whose name starts so in any ASCII case, the shortest names first."""
        rows = self._rows(
            f"""SELECT {_DEFINITION_COLUMNS} FROM definitions d JOIN files f USING (file_id)
            WHERE d.name >= ? COLLATE NOCASE AND d.name < ? COLLATE NOCASE
            ORDER BY length(d.name), f.path, d.position LIMIT ?""",
            (prefix, prefix + "\U0010ffff", limit),
        )
        return [_stored_definition(row) for row in rows]

    def definitions_of(self, path: str) -> list[DefinitionRow]:
        """Return what a file defines, in source order; empty for an unknown file."""
        if not _is_storable(path):
            return []
        rows = self._rows(
            f"SELECT {_DEFINITION_COLUMNS} FROM files f JOIN definitions d USING (file_id) WHERE f.path = ? ORDER BY 4",
            (path,),
        )
        return [DefinitionRow._make(row[4:]) for row in rows]

    def definitions(self) -> Iterator[StoredDefinition]:
        """Yield every definition, by file and place."""
        rows = self._rows(
            f"SELECT {_DEFINITION_COLUMNS} FROM definitions d JOIN files f USING (file_id) ORDER BY f.path, d.position"
        )
        return map(_stored_definition, rows)

    def imports_of(self, path: str) -> list[ImportRow]:
        """Return a file's import statements in source order; empty for an unknown file."""
        if not _is_storable(path):
            return []
        rows = self._rows(
            "SELECT i.line, i.text FROM files f JOIN imports i USING (file_id) WHERE f.path = ? ORDER BY i.position",
            (path,),
        )
        return [ImportRow(*row) for row in rows]

    def imports(self) -> list[tuple[str, str, int, str]]:
        """Return (path, language, line, text) of every import statement, by file and place."""
        return self._rows(
            """SELECT f.path, f.language, i.line, i.text FROM imports i JOIN files f USING (file_id)
            ORDER BY f.path, i.position"""
        )

    def are_imported(self, names: Iterable[str]) -> set[str]:
        """Return those of the names that an import statement of any file holds (see `domain.imported_names`)."""
        wanted = [name for name in set(names) if _is_storable(name)]
        found: set[str] = set()
        for at in range(0, len(wanted), _IDS_AT_ONCE):
            some = wanted[at : at + _IDS_AT_ONCE]
            marks = ",".join("?" * len(some))
            rows = self._rows(f"SELECT DISTINCT name FROM imported_names WHERE name IN ({marks})", some)
            found.update(row[0] for row in rows)
        return found

    def words_used(self) -> list[tuple[str, bytes | None]]:
        """Return (path, what `put_words_used` stored or None) of every file with definitions or imports, by path."""
        return self._rows(
            """SELECT f.path, w.packed FROM files f LEFT JOIN words_used w USING (file_id)
            WHERE f.status IN ('ok', 'partial') AND (EXISTS (SELECT 1 FROM definitions d WHERE d.file_id = f.file_id)
            OR EXISTS (SELECT 1 FROM imports i WHERE i.file_id = f.file_id)) ORDER BY f.path"""
        )

    def put_words_used(self, packed_by_path: Iterable[tuple[str, bytes]]) -> None:
        """Keep what was found out about files until they change; does nothing while another process writes."""

        def write() -> None:
            assert self._db is not None
            self._db.executemany(
                "INSERT OR REPLACE INTO words_used SELECT file_id, ? FROM files WHERE path = ?",
                ((packed, path) for path, packed in packed_by_path),
            )

        self._write_if_free(write)

    # ------------------------------------------------------------------ cache

    def cached(self, key: str) -> bytes | None:
        """Return what was cached under a key, or None."""
        row = self._row("SELECT payload FROM cache WHERE key = ?", (key,))
        return bytes(row[0]) if row is not None else None

    def put_cached(self, key: str, payload: bytes, *, keep: int = 512) -> None:
        """Cache what can be made again, keeping a bounded number; does nothing while another process writes."""

        def write() -> None:
            if self._row("SELECT count(*) FROM cache")[0] >= keep:
                self._execute("DELETE FROM cache")
            self._execute("INSERT OR REPLACE INTO cache VALUES (?,?)", (key, payload))

        self._write_if_free(write)

    def _write_if_free(self, write: Callable[[], None]) -> None:
        """Run a write that may be left out: what it keeps can be made again."""
        try:
            with self.writing(wait_s=0.0), self.transaction():
                write()
        except (IndexBusyError, CtxError, sqlite3.OperationalError):
            return

    # ------------------------------------------------------------------ rim

    def _disconnect(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def _connect(self) -> None:
        if self._db is not None:
            return
        for ending in ("", "-wal", "-shm"):
            # Each time it is opened: a repository can bring a link while a process lives on, and SQLite follows it.
            if os.path.islink(self.path + ending):
                raise IndexDamagedError(f"{self.path}{ending}: a link in place of the index; it is not written through")
        try:
            if self._makes:
                self._make_folder(os.path.dirname(self.path))
            elif not os.path.exists(self.path):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        except OSError as error:
            raise _unusable(self.path, error.strerror) from error
        # SQLite's own lock serialises what threads do; that only one does anything at a time is up to the callers.
        if self._makes:
            self._db = sqlite3.connect(self.path, timeout=10.0, isolation_level=None, check_same_thread=False)
        else:
            name = f"file:{_uri_name(self.path)}?mode=rw"
            self._db = sqlite3.connect(name, timeout=10.0, isolation_level=None, uri=True, check_same_thread=False)
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if not self._freeze(error):
                raise
            return
        # With WAL this is safe against kill -9; only a power cut may lose the last commits, never the file.
        self._execute("PRAGMA synchronous = NORMAL")
        # No memory map: it saves nothing measurable, counts as this process's memory, and a file that another program
        # truncates would then end the process with SIGBUS instead of an error.

    def _freeze(self, error: sqlite3.OperationalError) -> bool:
        """Open the file as it stands where a full disk has no room for what SQLite keeps beside it; tell if that went.

        Only what was committed into the file itself is read, so one that waits in a log forbids it.
        """
        full = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN)
        if error.sqlite_errorcode & 0xFF not in full or _size_of(self.path + "-wal") or not _size_of(self.path):
            return False
        self._disconnect()
        self._db = sqlite3.connect(f"file:{_uri_name(self.path)}?mode=ro&immutable=1", uri=True, isolation_level=None)
        self.is_frozen = True
        return True

    def _rows(self, sql: str, arguments: Sequence[Any] = ()) -> list[Any]:
        """Return all rows: damage may show at any of them, and has to show here."""
        with self._guarded():
            return self._execute(sql, arguments).fetchall()

    def _row(self, sql: str, arguments: Sequence[Any] = ()) -> Any:
        """Return the first row, or None without one."""
        rows = self._rows(sql, arguments)
        return rows[0] if rows else None

    def _execute(self, sql: str, arguments: Sequence[Any] = ()) -> sqlite3.Cursor:
        if self._db is None:
            raise CtxError(f"{self.path}: the index is not open")
        try:
            return self._db.execute(sql, arguments)
        except UnicodeEncodeError as error:
            raise UsageError(f"{ascii(error.object)[:200]}: no text, so nothing in the index has it") from error
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise _translated(error, self.path) from error

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """Turn SQLite's errors into ours for a whole block (fetches and executemany included)."""
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise _translated(error, self.path) from error


def _deflated(raw: bytes) -> bytes:
    """Compress with fixed codes: 15 % larger than level 1 and 2.4 times as fast, on a path that builds wait for."""
    packer = zlib.compressobj(1, zlib.DEFLATED, -15, 9, zlib.Z_FIXED)
    return packer.compress(raw) + packer.flush()


def _candidate(row: Sequence[Any], bm25: float) -> Candidate:
    return Candidate._make((*row[:15], bool(row[15]), bm25, row[16], True, 0.0))


def _stored_definition(row: Sequence[Any]) -> StoredDefinition:
    return StoredDefinition(row[0], row[1], bool(row[2]), row[3], DefinitionRow._make(row[4:]))


def _translated(error: sqlite3.Error | UnicodeDecodeError, path: str) -> Exception:
    """Return our error for one of SQLite's: damage, a busy writer, or a disk that refuses."""
    if isinstance(error, UnicodeDecodeError):
        return _damaged(path, error)  # the binding fails to read the very message about the damage
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return _damaged(path, error)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return IndexBusyError(f"{path}: another process is writing the index; try again in a moment")
    if code == sqlite3.SQLITE_FULL:
        return CtxError(f"{path}: the disk is full; free some space and run the command again")
    # Text that is not UTF-8 is found by the binding, which gives no code (0).
    if isinstance(error, sqlite3.OperationalError) and code in (0, sqlite3.SQLITE_ERROR):
        return IndexDamagedError(f"{path}: not the index expected here ({error}); run `ctx index --rebuild`")
    return _unusable(path, error)


def _size_of(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0


def _is_storable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _damaged(path: str, error: Exception) -> IndexDamagedError:
    return IndexDamagedError(f"{path}: the index is damaged ({error}); run `ctx index --rebuild`")


def _unusable(path: str, reason: object) -> CtxError:
    length = len(os.fsencode(path))
    if isinstance(reason, sqlite3.OperationalError) and length > PATH_BYTES_MAX:
        return CtxError(
            f"the index cannot be opened: its path has {length} bytes, and SQLite takes at most {PATH_BYTES_MAX}; "
            f"move the segment to a shorter one (a link to it does not help): {path}"
        )
    return CtxError(f"{path}: the index cannot be used ({reason}); check the folder's permissions and free space")


class IndexPeek:
    """The state of an index as it is stored now, for whoever asks often; not for use by two threads at once.

    One thread after the other may ask, unlike an `IndexStore`, and nothing is ever made, repaired or locked.
    """

    def __init__(self, path: str, *, wait_s: float = 0.0) -> None:
        """Remember where the index is; nothing is opened yet.

        SQLite locks readers out for moments: for so long that is waited for, and then it is as if there were no index.
        """
        self._path = path
        self._wait_s = wait_s
        self._db: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None

    def mark(self) -> tuple[int, int, str] | None:
        """Return the file's device and inode and what `IndexStore.meta("generation")` would.

        None for an index that is missing, damaged or not complete.
        """
        try:
            found = os.stat(self._path)
            file = found.st_dev, found.st_ino
            if self._db is None or self._file != file:
                self.close()  # `git clean -dfx` takes the file away, and the connection would go on with the old one
                self._db = sqlite3.connect(
                    f"file:{_uri_name(self._path)}?mode=ro",
                    uri=True,
                    isolation_level=None,
                    timeout=self._wait_s,
                    check_same_thread=False,
                )
                self._file = file
            rows = dict(self._db.execute("SELECT key, value FROM meta WHERE key IN ('generation', 'complete')"))
        except (OSError, sqlite3.Error):
            self.close()
            return None
        return (*file, str(rows.get("generation", ""))) if rows.get("complete") == "1" else None

    def close(self) -> None:
        """Close the file; safe to call twice, and a later question opens it again."""
        if self._db is not None:
            self._db.close()
            self._db = None


def _uri_name(path: str) -> str:
    import urllib.parse  # late: this is rare, and takes 5 ms

    return urllib.parse.quote(os.fsencode(os.path.abspath(path)))


def _lock(fd: int, wait_s: float, on_wait: Callable[[], None], tell_after_s: float) -> None:
    """Take the exclusive lock within `wait_s`, asking every 20 ms; tell once when it has to wait."""
    import time

    deadline_ns = time.perf_counter_ns() + int(wait_s * 1e9)
    tell_at_ns = time.perf_counter_ns() + int(tell_after_s * 1e9)
    told = False
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.perf_counter_ns() >= deadline_ns:
                raise IndexBusyError(
                    f"another ctx has been writing this index for more than {wait_s:g} s; try again when it is done"
                ) from None
            if not told and time.perf_counter_ns() >= tell_at_ns:
                told = True
                on_wait()
            time.sleep(0.02)
        else:
            return


__all__ = ["SCHEMA_VERSION", "ChunkTerms", "IndexPeek", "IndexStore"]
