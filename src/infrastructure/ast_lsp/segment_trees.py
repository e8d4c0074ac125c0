"""SegmentTrees: the names of the segment's files, read from disk when they are asked for."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from ...domain.source_files import Skipped, os_path_of
from ..languages import language_of
from .references import NameReader

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from ...domain.source_files import OsPath
    from ..file_system import FileSystemAdapter
    from .references import NameTree

TREES_KEPT = 96
"""About 5 MB of sources; more than any one answer goes back to."""


class SegmentTrees:
    """Reads and parses files by their indexed paths and keeps the last ones.

    Reading goes through the index's reader: it skips what is not indexed, and counts bytes without an event a file.
    """

    def __init__(
        self,
        files: FileSystemAdapter,
        reader: NameReader | None = None,
        *,
        unparsed: Callable[[], Collection[str]] = frozenset,
        on_read: Callable[[OsPath, str], None] = lambda _os_path, _content_sha: None,
    ) -> None:
        """Take the segment's files; nothing is read yet.

        `unparsed` gives the paths that must not be parsed in this process; it is asked once, before the first parse.
        `on_read` is told what was read, by its path and content hash.
        """
        self._on_read = on_read
        self._files = files
        self._list_unparsed = unparsed
        self._reader = reader or NameReader()
        self._kept: OrderedDict[str, NameTree | None] = OrderedDict()
        self._unparsed: frozenset[str] | None = None

    def __call__(self, path: str) -> NameTree | None:
        """Return the names of a file; None for one without a grammar, gone, skipped, or not to be parsed."""
        if path in self._kept:
            self._kept.move_to_end(path)
            return self._kept[path]
        source = self.source(path)
        return self._keep(path, None if source is None else self._read(path, source))

    def source(self, path: str) -> bytes | None:
        """Return a file's text as UTF-8; None for one that cannot be read."""
        os_path = os_path_of(path)
        found = self._files.read_source(os_path)
        if isinstance(found, Skipped):
            return None
        self._on_read(os_path, found.content_sha)
        return found.utf8

    def parse(self, path: str, source: bytes) -> NameTree | None:
        """Return the names of a source that is already read; None for one that cannot or must not be parsed."""
        return self._kept.get(path) or self._keep(path, self._read(path, source))

    def _read(self, path: str, source: bytes) -> NameTree | None:
        if self._unparsed is None:
            self._unparsed = frozenset(self._list_unparsed())
        return None if path in self._unparsed else self._reader.read(source, language_of(path, source))

    def _keep(self, path: str, tree: NameTree | None) -> NameTree | None:
        self._kept[path] = tree
        if len(self._kept) > TREES_KEPT:
            self._kept.popitem(last=False)
        return tree
