"""What a watcher of folders reports."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FileEvents:
    """Changes since the last report: files that were only written to, and whether anything else happened.

    `other` covers what came, went or was renamed, and everything that the watcher cannot tell.
    """

    written: frozenset[bytes] = frozenset()
    other: bool = False

    def __bool__(self) -> bool:
        return self.other or bool(self.written)
