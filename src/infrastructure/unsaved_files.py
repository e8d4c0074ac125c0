"""UnsavedFiles: the segment's files with the texts of unsaved documents in place of the disk's.

Owns how a text stands for a file: its bytes, its size and time, and whether a text without a file belongs to the
segment. Who holds the texts is `host.unsaved_texts`.
"""

from __future__ import annotations

import codecs
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from ..domain.source_files import Changes, Walk, decode_source, is_secrets_file
from .file_system import FileSystemAdapter

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..domain.ports import TelemetryPort
    from ..domain.source_files import FileStat, OsPath

_REGULAR_MODE = 0o100644


class UnsavedTextsView(Protocol):
    """The texts as they stand for files."""

    @property
    def files(self) -> Mapping[OsPath, tuple[int, int]]:
        """(size, time) by path; the times are below zero, which no file's is."""
        ...

    def data(self, os_path: OsPath) -> bytes | None:
        """Return the bytes of one of them, None when it went meanwhile."""
        ...


class UnsavedFiles(FileSystemAdapter):
    """A `FileSystemAdapter` over a view of unsaved texts; without any it is one like others.

    While `is_disk_known` is set a probe compares no file on disk: whoever sets it knows that nothing changed there.
    """

    def __init__(
        self,
        root: str,
        unsaved: UnsavedTextsView,
        *,
        telemetry: TelemetryPort,
        max_file_bytes: int,
        extra_ignores: Sequence[str] = (),
    ) -> None:
        """Take the texts; see `FileSystemAdapter` for the rest."""
        super().__init__(root, telemetry=telemetry, max_file_bytes=max_file_bytes, extra_ignores=extra_ignores)
        self._unsaved = unsaved
        self.is_disk_known = False
        self.levels_to_git: int | None = None
        """How far above the segment the repository is whose rules count (see `ignore_rules`)."""
        self._let_through: dict[OsPath, tuple[object, bool]] = {}

    def is_as_on_disk(self, os_path: OsPath) -> bool:
        """Tell whether what is read of a file is what other programs read of it."""
        return os_path not in self._unsaved.files

    def walk(self) -> Walk:
        """List the files as `FileSystemAdapter` does, and those that are unsaved texts only."""
        return self._with_texts(super().walk())

    def walk_touched(self, before: Walk, changes: Changes) -> Walk | None:
        """List what was touched as `FileSystemAdapter` does, and all that are unsaved texts only."""
        found = super().walk_touched(before, changes)
        return self._with_texts(found) if found is not None else None

    def probe(self, files: Iterable[FileStat], directories: Iterable[tuple[OsPath, int]]) -> Changes:
        """Compare what is known with what is there, as `FileSystemAdapter` does; of a file with a text that is it."""
        texts = self._unsaved.files
        known = list(files)
        if self.is_disk_known:
            # Of the rest a text that is one no more has to be compared: its file counts again.
            were_texts = [stat for stat in known if stat[2] < 0 and stat[0] not in texts]
            found = super().probe(were_texts, ()) if were_texts else Changes((), (), ())
            found = replace(found, touched_directories=(), rules_changed=False)
        else:
            found = super().probe([stat for stat in known if stat[0] not in texts] if texts else known, directories)
        if not texts:
            return found
        stats = {path: (size, mtime) for path, size, mtime in known if path in texts}
        changed = [path for path, stat in stats.items() if texts[path] != stat]
        added = [(path, *stat) for path, stat in texts.items() if path not in stats and self._is_new(path)]
        return replace(found, changed=(*found.changed, *changed), added=tuple(added))

    def stat(self, os_path: OsPath) -> tuple[int, int]:
        """Return (size_bytes, mtime_ns) as a walk gives them, (0, 0) for what is not there any more."""
        return self._unsaved.files.get(os_path) or super().stat(os_path)

    def _with_texts(self, walk: Walk) -> Walk:
        texts = self._unsaved.files
        if not texts:
            return walk
        files = {path: (size, mtime) for path, size, mtime in walk.files}
        for path, stat in texts.items():
            if path in files or self._is_new(path):
                files[path] = stat
        return replace(walk, files=tuple(sorted((path, *stat) for path, stat in files.items())))

    def _is_new(self, os_path: OsPath) -> bool:
        """Tell whether a text of no known file belongs to the segment: nothing is there, and no rule hides it."""
        if is_secrets_file(os_path) or os.path.lexists(os.path.join(self._root, os_path)):
            return False
        from .ignore_rules import lets_through, rules_mark

        mark = rules_mark(self._root, os_path, self.levels_to_git)
        known = self._let_through.get(os_path)
        if known is None or known[0] != mark:
            lets = lets_through(
                self._root, os_path, levels_to_git=self.levels_to_git, extra_ignores=self._extra_ignores
            )
            self._let_through[os_path] = known = (mark, lets)
        return known[1]

    def _read_regular(self, os_path: OsPath) -> tuple[bytes, os.stat_result] | str:
        stat = self._unsaved.files.get(os_path)
        data = self._unsaved.data(os_path) if stat is not None else None
        if stat is None or data is None:
            return super()._read_regular(os_path)
        seconds = stat[1] / 1e9
        fields = (_REGULAR_MODE, 0, 0, 1, 0, 0, len(data), seconds, seconds, seconds)
        return data, os.stat_result(fields, {"st_mtime_ns": stat[1]})

    def _mode_at(self, os_path: OsPath) -> int:
        return _REGULAR_MODE if os_path in self._unsaved.files else super()._mode_at(os_path)


def data_of(text: str, os_path: OsPath) -> bytes:
    """Return bytes that decode to the text: UTF-8, with a mark where its first lines declare another encoding."""
    data = text.encode("utf-8", "replace")
    is_plain = b"coding" not in data[:1_000] and not data.startswith(codecs.BOM_UTF8)
    decoded = None if is_plain else decode_source(data, os_path)
    return data if decoded is None or decoded.utf8 == data else codecs.BOM_UTF8 + data
