"""SegmentTrees: the names of the segment's files, read from disk when they are asked for."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from ...domain.source_files import Skipped, os_path_of
from ..languages import language_of
from .references import NameReader

if TYPE_CHECKING:
    from ..file_system import FileSystemAdapter
    from .references import NameTree

TREES_KEPT = 96
"""About 5 MB of sources; more than any one answer goes back to."""


class SegmentTrees:
    """Reads and parses files by their indexed paths and keeps the last ones.

    Reading goes through the index's reader: it skips what is not indexed, and counts bytes without an event a file.
    """

    def __init__(self, files: FileSystemAdapter, reader: NameReader | None = None) -> None:
        """Take the segment's files; nothing is read yet."""
        self._files = files
        self._reader = reader or NameReader()
        self._kept: OrderedDict[str, NameTree | None] = OrderedDict()

    def __call__(self, path: str) -> NameTree | None:
        """Return the names of a file; None for one without a grammar, gone, or skipped."""
        if path in self._kept:
            self._kept.move_to_end(path)
            return self._kept[path]
        source = self.source(path)
        return self._keep(path, None if source is None else self._reader.read(source, language_of(path, source)))

    def source(self, path: str) -> bytes | None:
        """Return a file's text as UTF-8; None for one that cannot be read."""
        found = self._files.read_source(os_path_of(path))
        return None if isinstance(found, Skipped) else found.utf8

    def parse(self, path: str, source: bytes) -> NameTree | None:
        """Return the names of a source that is already read."""
        return self._kept.get(path) or self._keep(path, self._reader.read(source, language_of(path, source)))

    def _keep(self, path: str, tree: NameTree | None) -> NameTree | None:
        self._kept[path] = tree
        if len(self._kept) > TREES_KEPT:
            self._kept.popitem(last=False)
        return tree
