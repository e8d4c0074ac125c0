"""AloneHost: what a face has without a warm host: unsaved texts, their index and language servers of its own."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from ...domain.source_files import display_path
from ..warm_host import HostLook
from .unsaved_overlay import UnsavedOverlay
from .unsaved_texts import UnsavedTexts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...domain.ports import Clock, TelemetryPort
    from ...domain.source_files import FileStat, OsPath
    from ..ast_lsp.language_servers import LanguageServerPool
    from ..config import Config


class AloneHost:
    """One process's own backend of a segment; for any thread. It knows of no change on disk: everybody looks."""

    def __init__(
        self, segment: str, config: Config, telemetry: TelemetryPort, clock: Clock, *, index_path: str
    ) -> None:
        """Start nothing yet."""
        self._segment = segment
        self._config = config
        self._telemetry = telemetry
        self._clock = clock
        self._index_path = index_path
        self._lock = threading.Lock()
        self._pool: LanguageServerPool | None = None
        self._is_closed = False
        self._texts = UnsavedTexts(segment, config.number("index.max_file_bytes"))
        self._overlay = UnsavedOverlay(segment, self._texts, config=config, index_path=index_path)

    def look(self) -> HostLook:
        """Return the index over the unsaved texts, if there are any.

        Raises: OverlayClosedError after `close`, while there are.
        """
        return self._overlay.look()

    def set_unsaved(self, path: str, text: str | None) -> None:
        """Take in a text for a file.

        Raises: CtxError for what is refused; see `UnsavedTexts.put`.
        """
        try:
            os_path = self._texts.put(self, path, text)
            with self._lock:
                pool = self._pool
            if pool is not None:
                pool.set_unsaved(display_path(os_path), text)
        finally:
            self._overlay.hurry()

    def has_texts_of(self, version: int) -> bool:
        """Tell whether the texts are still those of an index that `look` gave."""
        return self._texts.current.version == version

    def unsaved_data(self, os_path: OsPath) -> bytes | None:
        """Return an unsaved text as bytes."""
        return self._texts.current.data(os_path)

    def unsaved_paths(self) -> list[str]:
        """Return the files that have one."""
        return sorted(map(display_path, self._texts.current.texts))

    def renew_unsaved(self) -> None:
        """Have the index over unsaved texts made anew."""
        self._overlay.renew()

    def servers(self) -> LanguageServerPool | None:
        """Return the language servers, made by the first question; None after `close`."""
        from ..ast_lsp.language_servers import LanguageServerPool

        with self._lock:
            if self._pool is None and not self._is_closed:
                self._pool = LanguageServerPool(
                    self._segment, self._config, self._telemetry, self._clock, is_host=True, listing=self._listing
                )
                for os_path, text in self._texts.current.texts.items():
                    self._pool.set_unsaved(display_path(os_path), text.text)
            return self._pool

    def server_status(self) -> list[dict[str, Any]]:
        """Return what the language servers do."""
        pool = self._pool
        return pool.status() if pool is not None else []

    def close(self) -> None:
        """End everything; safe to call twice."""
        with self._lock:
            self._is_closed = True
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()
        self._overlay.close()

    def _listing(self) -> Iterable[FileStat]:
        """Return what the index knows of the files: the state that questions are asked about is the index's."""
        from ..index_store import IndexStore

        with IndexStore(self._index_path, makes=False) as store:
            return store.stats() if store.meta("complete") == "1" else ()
