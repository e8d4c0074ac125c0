"""What services ask of whoever keeps a segment's warm state: the host's backend, or the process itself.

Owns the values and the port. Who asks over a socket is `host.host_access`, who works alone `host.alone`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..domain.ports import LanguageServers
    from ..domain.source_files import OsPath


@dataclass(frozen=True, slots=True)
class UnsavedIndex:
    """An index of the segment as it is with the unsaved texts in place of their files, up to date when it was given.

    `path` is where it is, `files` (size, time) of each text that it holds by path, `stale` paths that it could not
    take in. `version` is another one whenever any text is.
    """

    path: str
    files: Mapping[OsPath, tuple[int, int]]
    stale: tuple[str, ...] = ()
    version: int = 0


@dataclass(frozen=True, slots=True)
class HostLook:
    """What is known of a segment at one moment.

    `mark` is the generation of the segment's own index that equals the files, "" when none is known to. `unsaved` is
    there while editors hold unsaved texts; `is_pending` says that they do and that the segment's index has to be
    whole first, `is_unknown` that they may hold others, and that who would know does not answer, was not given all of
    them yet or cannot make an index.
    """

    mark: str = ""
    unsaved: UnsavedIndex | None = None
    is_pending: bool = False
    is_unknown: bool = False


class WarmHost(Protocol):
    """The warm state as one `Services` has it, in that one's thread."""

    def look(self, settings_mark: str) -> HostLook:
        """Return what is known now; an unsaved text that was set before is in it."""
        ...

    def has_texts_of(self, version: int, settings_mark: str) -> bool:
        """Tell whether the unsaved texts are still those of an index that was given; waits for nothing."""
        ...

    def unsaved_data(self, os_path: OsPath) -> bytes | None:
        """Return an unsaved text as the bytes of a file, None when there is none any more."""
        ...

    def renew_unsaved(self) -> None:
        """Have the index over unsaved texts made anew: it was found damaged."""
        ...

    def servers(self) -> LanguageServers | None:
        """Return the language servers to ask; None when there are none."""
        ...

    def prepare(self, language: str, path: str) -> None:
        """Start the server that questions about a file would go to, where that is not done anyway."""
        ...

    def close(self) -> None:
        """Let go of what belongs to this one `Services`."""
        ...
