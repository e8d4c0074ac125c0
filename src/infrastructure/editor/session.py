"""What an editor's server asks in one segment, and the form of it that needs nobody: own index looks, own servers.

A session is one thread's (SQLite's connections are); sessions of one segment share what must be there once.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, Protocol

from ...domain.source_files import os_path_of
from .unsaved import UnsavedServices, UnsavedTexts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...domain.source_files import FileStat
    from ..ast_lsp.language_servers import LanguageServerPool
    from ..services import Services
    from ..telemetry import Telemetry
    from .options import EditorOptions


class Session(Protocol):
    """One thread's access to a segment."""

    @property
    def services(self) -> Services:
        """The use cases; there after `open`."""
        ...

    def open(self) -> None:
        """Make ready to answer; raises CtxError when that cannot be."""
        ...

    def set_unsaved(self, path: str, text: str | None) -> None:
        """Have this text answer in place of the file's, for every face; None: the disk's again."""
        ...

    def prepare(self, path: str) -> None:
        """Start the language server that a file's questions go to; it warms up behind this."""
        ...

    def status(self) -> dict[str, Any]:
        """Return `host` (whether a warm host serves) and `servers` (each `server`, `state`)."""
        ...

    def close(self) -> None:
        """Let go of everything; the last session of a segment ends its language servers."""
        ...


class AloneSegment:
    """What the sessions of one segment share in a process that works alone."""

    def __init__(self, segment: str, options: EditorOptions) -> None:
        """Take the segment and what the editor set."""
        self.segment = segment
        self.unsaved = UnsavedTexts()
        self._options = options
        self._lock = threading.Lock()
        self._open = 0
        self._pool: LanguageServerPool | None = None
        self._telemetry: Telemetry | None = None

    def session(self) -> AloneSession:
        """Return a session that is not open yet."""
        return AloneSession(self)

    def services(self) -> UnsavedServices:
        """Return services for the calling thread.

        Raises: UsageError for a malformed configuration.
        """
        from ..config import load_config

        config = self._options.applied_to(load_config(self.segment, os.environ))
        with self._lock:
            services = UnsavedServices(self.segment, self.unsaved, config=config)
            self._open += 1
            if self._telemetry is None:
                self._telemetry = services.telemetry
            services.telemetry = self._telemetry
            if self._pool is None and config.flag("lsp.enabled"):
                from ..ast_lsp.language_servers import LanguageServerPool

                self._pool = LanguageServerPool(
                    self.segment,
                    config,
                    services.telemetry,
                    services.clock,
                    is_host=True,
                    listing=lambda: self._listing(services.index_path),
                )
            services.pool = self._pool
        return services

    @property
    def pool(self) -> LanguageServerPool | None:
        """The language servers; None when they are switched off."""
        return self._pool

    def leave(self) -> None:
        """End the language servers when nobody is left."""
        with self._lock:
            self._open -= 1
            pool = self._pool if self._open <= 0 else None
        if pool is not None:
            pool.close()

    @staticmethod
    def _listing(index_path: str) -> Iterable[FileStat]:
        """Return what the index knows of the files, on a connection of the asking thread's own."""
        from ..index_store import IndexStore

        with IndexStore(index_path) as store:
            return store.stats()


class AloneSession:
    """A session that needs no host; see `Session`."""

    def __init__(self, shared: AloneSegment) -> None:
        """Open nothing yet."""
        self._shared = shared
        self._services: UnsavedServices | None = None

    @property
    def services(self) -> Services:
        """The use cases."""
        assert self._services is not None, "open comes first"
        return self._services

    def open(self) -> None:
        """Read the configuration."""
        self._services = self._shared.services()

    def set_unsaved(self, path: str, text: str | None) -> None:
        """Have this text answer in place of the file's."""
        self._shared.unsaved.put(os_path_of(path), text)

    def prepare(self, path: str) -> None:
        """Start the language server that a file's questions go to."""
        from ..languages import language_of

        if self._shared.pool is not None:
            self._shared.pool.prepare(language_of(path), path)

    def status(self) -> dict[str, Any]:
        """Return what serves: no host, and the language servers of this process."""
        pool = self._shared.pool
        return {"host": False, "servers": pool.status() if pool is not None else []}

    def close(self) -> None:
        """Close the index, and the language servers with the last session."""
        services, self._services = self._services, None
        if services is not None:
            services.__exit__(None, None, None)
            self._shared.leave()
