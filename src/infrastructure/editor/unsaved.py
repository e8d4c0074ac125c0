"""The texts of unsaved documents in place of the disk's, for an editor's server that works alone.

Files are overlaid where they are read, so that the index, and with it every use case, sees one tree: an unsaved file
has a size and a time of its own, which no file on disk has, and is indexed anew by whoever looks at the disk next.
"""

from __future__ import annotations

import os
import threading
import time
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from ...application.unparsed_files import failed_files
from ...domain.source_files import Changes, Walk, display_path, os_path_of
from ..file_indexer import FileIndexer
from ..file_system import FileSystemAdapter
from ..null_telemetry import NullTelemetry
from ..services import Services

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ...domain.index_records import FileRecord
    from ...domain.language_server import ServerQuestion
    from ...domain.ports import LanguageServers, PendingReply
    from ...domain.source_files import FileStat, OsPath
    from ..ast_lsp.asked_servers import AskedServers
    from ..config import Config

_MARK = b"\xef\xbb\xbf"
"""Before every text: it is UTF-8, whatever a coding line in it says of the file on disk."""


class UnsavedText(NamedTuple):
    """One text, as bytes that decode to it, and the time that stands for its file's."""

    text: str
    data: bytes
    mtime_ns: int


class UnsavedTexts:
    """Texts by path from the segment; for any thread."""

    def __init__(self) -> None:
        """Begin without any."""
        self._lock = threading.Lock()
        self._texts: dict[OsPath, UnsavedText] = {}
        self._latest_ns = 0

    def put(self, path: OsPath, text: str | None) -> None:
        """Take a text in, or the disk's again with None."""
        with self._lock:
            if text is None:
                self._texts.pop(path, None)
                return
            known = self._texts.get(path)
            if known is not None and known.text == text:
                return
            self._latest_ns = max(time.time_ns(), self._latest_ns + 1)
            data = _MARK + text.encode("utf-8", "replace")
            self._texts[path] = UnsavedText(text, data, self._latest_ns)

    def get(self, path: OsPath) -> UnsavedText | None:
        """Return the text of a path, None when the disk's counts."""
        return self._texts.get(path)

    def items(self) -> list[tuple[OsPath, UnsavedText]]:
        """Return all of them."""
        with self._lock:
            return list(self._texts.items())


class OverlaidFiles(FileSystemAdapter):
    """The segment's files with unsaved texts in place of the disk's."""

    unsaved: UnsavedTexts

    def walk(self) -> Walk:
        """List the files as `FileSystemAdapter` does, and unsaved ones that are not on disk yet."""
        return self._overlaid(super().walk())

    def walk_touched(self, before: Walk, changes: Changes) -> Walk | None:
        """List what was touched, as `FileSystemAdapter` does."""
        found = super().walk_touched(before, changes)
        return self._overlaid(found) if found is not None else None

    def probe(self, files: Iterable[FileStat], directories: Iterable[tuple[OsPath, int]]) -> Changes:
        """Compare what is known with what is there, as `FileSystemAdapter` does; an unsaved text is what is there."""
        known = list(files)
        found = super().probe(known, directories)
        texts = dict(self.unsaved.items())
        if not texts:
            return found
        stats = {path: (size, mtime) for path, size, mtime in known}
        changed = [path for path in found.changed if path not in texts]
        changed += [path for path, one in texts.items() if path in stats and stats[path] != _stat(one)]
        removed = tuple(path for path in found.removed if path not in texts)
        new = {_folder(path) for path in texts if path not in stats}
        touched = tuple(sorted({*found.touched_directories, *(new & {path for path, _mtime in directories})}))
        return Changes(tuple(changed), removed, touched, found.rules_changed)

    def stat(self, os_path: OsPath) -> tuple[int, int]:
        """Return size and time."""
        one = self.unsaved.get(os_path)
        return _stat(one) if one is not None else super().stat(os_path)

    def _overlaid(self, walk: Walk) -> Walk:
        texts = dict(self.unsaved.items())
        if not texts:
            return walk
        files = {path: (size, mtime) for path, size, mtime in walk.files}
        folders = {path for path, _mtime in walk.directories}
        left_out = {path for path, _reason in walk.skipped}
        for path, one in texts.items():
            is_new = (
                path not in files and path not in left_out and _folder(path) in folders and not self._is_there(path)
            )
            if path in files or is_new:
                files[path] = _stat(one)
        listed = tuple((path, size, mtime) for path, (size, mtime) in sorted(files.items()))
        return Walk(listed, walk.directories, walk.skipped, walk.repositories, walk.latest_ns, walk.listed)

    def _is_there(self, os_path: OsPath) -> bool:
        return os.path.lexists(os.path.join(self._root, os_path))

    def _read_regular(self, os_path: OsPath) -> tuple[bytes, os.stat_result] | str:
        one = self.unsaved.get(os_path)
        if one is None:
            return super()._read_regular(os_path)
        if len(one.data) > self._max_file_bytes:
            return "larger than what is indexed"
        seconds = one.mtime_ns // 1_000_000_000
        fields = [0o100644, 0, 0, 1, 0, 0, len(one.data), seconds, seconds, seconds]
        exact = {"st_mtime_ns": one.mtime_ns, "st_atime_ns": one.mtime_ns, "st_ctime_ns": one.mtime_ns}
        return one.data, os.stat_result(fields, exact)


class UnsavedServices(Services):
    """`Services` whose files are overlaid, and whose language servers are those of the whole server, not of a run."""

    def __init__(self, segment: str, unsaved: UnsavedTexts, *, config: Config | None = None) -> None:
        """Take the texts; `pool` are the language servers, for who has any."""
        super().__init__(segment, config=config)
        self._unsaved = unsaved
        self.pool: LanguageServers | None = None

    def _adapter(self, max_file_bytes: int) -> FileSystemAdapter:
        files = OverlaidFiles(
            self.segment,
            telemetry=self.telemetry,
            max_file_bytes=max_file_bytes,
            extra_ignores=self.config.items("index.ignore"),
        )
        files.unsaved = self._unsaved
        return files

    @cached_property
    def indexer(self) -> FileIndexer:
        """The in-process file indexer."""
        files = OverlaidFiles(
            self.segment, telemetry=NullTelemetry(), max_file_bytes=self.config.number("index.max_file_bytes")
        )
        files.unsaved = self._unsaved
        return FileIndexer(files, self.counter, with_skeleton_size=self.telemetry.level == "full")

    @cached_property
    def servers(self) -> AskedServers | None:
        """The language servers that questions go to; None when they are switched off."""
        from ..ast_lsp.asked_servers import AskedServers

        if self.pool is None:
            return None
        return AskedServers(UnsavedQuestions(self.pool, self._unsaved), self.telemetry, self.clock)

    def _records_of(self, files: Sequence[tuple[bytes, int]]) -> Iterator[FileRecord]:
        """Yield the records: what is being typed is parsed here, everything else in processes that may be lost."""
        texts = {path for path, _one in self._unsaved.items()}
        failed = failed_files(self.store) if texts else {}
        for path, _size in files:
            if path in texts:
                reason = failed.get(display_path(path), "")
                yield self.indexer.index_as_text(path, reason) if reason else self.indexer.index(path)
        others = [one for one in files if one[0] not in texts]
        if others:
            yield from super()._records_of(others)


class UnsavedQuestions:
    """Hands questions on with the unsaved text of their file."""

    def __init__(self, servers: LanguageServers, unsaved: UnsavedTexts) -> None:
        """Take who answers and the texts."""
        self._servers = servers
        self._unsaved = unsaved

    def ask(self, question: ServerQuestion) -> PendingReply:
        """Ask and return at once; see `LanguageServers`."""
        from dataclasses import replace

        one = self._unsaved.get(os_path_of(question.path))
        return self._servers.ask(question if one is None else replace(question, text=one.text))


def _stat(one: UnsavedText) -> tuple[int, int]:
    return len(one.data), one.mtime_ns


def _folder(path: OsPath) -> OsPath:
    return path.rpartition(b"/")[0]
