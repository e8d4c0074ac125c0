"""UnsavedTexts: the texts that editors hold of a segment's files and have not saved, by who holds them.

Owns which of several texts of one file counts (the newest), and under which size and time a text stands for its file.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...domain.errors import OutsideSegmentError, UsageError
from ...domain.source_files import display_path, is_secrets_file, os_path_of
from ..segment_walk import real_path
from ..unsaved_files import data_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...domain.source_files import OsPath

_VERSION_BYTES = 6
"""What JSON carries as a whole number, and two who hold texts do not count up to the same from."""


@dataclass(frozen=True, slots=True)
class UnsavedText:
    """One text; `data` are bytes that decode to it, `mtime_ns` the time of no file and of no other text."""

    text: str
    data: bytes
    mtime_ns: int

    @property
    def stat(self) -> tuple[int, int]:
        """Size and time that stand for its file's."""
        return len(self.data), self.mtime_ns


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The texts that count at one moment; a view for `UnsavedFiles`. `version` differs whenever they do.

    It does so between those who hold texts, too: whoever asks after one of them ended meets another.
    """

    version: int
    texts: Mapping[OsPath, UnsavedText]

    @property
    def files(self) -> Mapping[OsPath, tuple[int, int]]:
        """Size and time by path."""
        return {path: text.stat for path, text in self.texts.items()}

    def data(self, os_path: OsPath) -> bytes | None:
        """Return a text as bytes."""
        text = self.texts.get(os_path)
        return text.data if text is not None else None


class UnsavedTexts:
    """The texts of one segment; for any thread."""

    def __init__(self, segment: str, max_file_bytes: int) -> None:
        """Begin without any; `max_file_bytes` is what a file may have to be indexed."""
        self._root = real_path(os.fsencode(segment))
        self._max_file_bytes = max_file_bytes
        self._lock = threading.Lock()
        self._held: dict[OsPath, dict[object, UnsavedText]] = {}
        self._count = 0
        self._current = Snapshot(int.from_bytes(os.urandom(_VERSION_BYTES), "big"), {})

    def put(self, holder: object, path: str, text: str | None) -> OsPath:
        """Take in what a holder has for a file, None for nothing any more, and return the path from the segment.

        Raises: OutsideSegmentError for a path that leads out of the segment; UsageError for a secrets file and for a
        text larger than what is indexed. What the holder had before is then dropped: the file answers.
        """
        os_path = self._placed(path)
        data = b"" if text is None else data_of(text, os_path)
        is_refused = text is not None and (is_secrets_file(os_path) or len(data) > self._max_file_bytes)
        with self._lock:
            held = self._held.setdefault(os_path, {})
            before = held.get(holder)
            if text is None or is_refused:
                held.pop(holder, None)
            elif before is None or before.text != text:
                self._count += 1
                held.pop(holder, None)  # the newest is the last one
                held[holder] = UnsavedText(text, data, -self._count)
            if not held:
                del self._held[os_path]
            self._settle()
        if is_refused:
            shown = display_path(os_path)
            if is_secrets_file(os_path):
                raise UsageError(f"{shown}: a secrets file by its name; ctx neither indexes nor shows those")
            raise UsageError(
                f"{shown}: an unsaved text of {len(data)} bytes, and index.max_file_bytes is {self._max_file_bytes}; "
                "the file as it was saved answers in its place"
            )
        return os_path

    def drop(self, holder: object) -> list[OsPath]:
        """Take away all that a holder has, and return for which files."""
        with self._lock:
            dropped = [path for path, held in self._held.items() if held.pop(holder, None) is not None]
            for path in dropped:
                if not self._held[path]:
                    del self._held[path]
            self._settle()
        return dropped

    @property
    def current(self) -> Snapshot:
        """The texts that count now."""
        return self._current

    def _placed(self, path: str) -> OsPath:
        real = real_path(os.path.join(self._root, os_path_of(path)))
        inside = self._root.rstrip(b"/") + b"/"
        if not real.startswith(inside):
            raise OutsideSegmentError(f"{path}: outside the segment, so its unsaved text is nobody's")
        return real[len(inside) :]

    def _settle(self) -> None:
        texts = {path: next(reversed(held.values())) for path, held in self._held.items()}
        before = self._current.texts
        if texts.keys() != before.keys() or any(before[path] is not text for path, text in texts.items()):
            self._current = Snapshot(self._current.version + 1, texts)
