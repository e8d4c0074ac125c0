"""What an editor's server asks in one segment: the port, and the session that it is in the product."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..services import Services
    from .options import EditorOptions


class Session(Protocol):
    """One segment, for all threads of this process; `host.session.HostSession` is the adapter."""

    on_lease: Callable[[], None]
    """Called when a warm host begins or ceases to serve, from any thread; must not wait."""

    @property
    def services(self) -> Services:
        """The use cases, the calling thread's own; there after `open`."""
        ...

    @property
    def joined(self) -> str:
        """What says that a warm host serves, else ""."""
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
        """Let go of everything."""
        ...


def session_of(segment: str, options: EditorOptions) -> Session:
    """Return a session that is not open yet, with the segment's settings as far as the editor sets no others.

    Raises: UsageError for settings that are none.
    """
    from ..config import load_config
    from ..host.session import HostSession

    config = options.applied_to(load_config(segment, os.environ))
    return HostSession(segment, face="lsp", config=config)
