"""StatusDisplay: what an editor shows of its roots: `ctx/status`, and the progress of indexes and language servers.

Owns when something is told of a root that changed, and what was told last. Left to others: the state itself (`root`),
how progress is spoken of on the wire (`progress`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

    from .client import EditorClient
    from .progress import Progress
    from .root import Root

STATUS_AFTER_S = 0.05
WARMING_LOOK_EVERY_S = 0.25
INDEXING_SHOWN_AFTER_S = 0.3


class StatusDisplay:
    """Shows the roots that were added; for the event loop's thread alone."""

    def __init__(self, client: EditorClient, loop: asyncio.AbstractEventLoop) -> None:
        """Show nothing yet."""
        self._client = client
        self._loop = loop
        self._indexing: dict[Root, Progress] = {}
        self._warming: dict[Root, Progress] = {}
        self._told_status: dict[Root, dict[str, Any]] = {}
        self._status_due: set[Root] = set()
        self._looks_due: set[Root] = set()

    def add(self, root: Root) -> None:
        """Show a root that was started, from now on."""
        self._indexing[root] = self._client.progress(f"ctx: indexing {root.name}")
        self._warming[root] = self._client.progress("ctx")
        self._loop.call_later(INDEXING_SHOWN_AFTER_S, self._show_indexing, root)
        self.changed(root)

    def drop(self, root: Root) -> None:
        """Take away what is shown of a root; whatever becomes of it is told no more."""
        for progress in (self._indexing.pop(root), self._warming.pop(root)):
            progress.end()
        self._told_status.pop(root, None)
        self._status_due.discard(root)

    def changed(self, root: Root) -> None:
        """Show what a root's state is now; what follows within `STATUS_AFTER_S` is told with it."""
        if root not in self._indexing:
            return
        if root.is_indexed or root.failure:
            self._indexing[root].end()
        if root.warming:
            self._warming[root].begin(f"{root.warming} is warming up; Tree-sitter answers meanwhile")
            self._look_soon(root)
        elif not root.knows_servers:  # the host did not answer: its server may be warming up, and nobody would say so
            self._look_soon(root)
        elif self._warming[root].is_begun:
            self._warming[root].end("ready")
        elif root.last_server in ("not_ready", "timeout"):
            root.ask_status()
        if self._client.options.has("status") and root not in self._status_due:
            self._status_due.add(root)
            self._loop.call_later(STATUS_AFTER_S, self._send_status, root)

    def index_progress(self, root: Root, done: int, total: int) -> None:
        """Show how many files of the first index are done."""
        progress = self._indexing.get(root)
        if progress is not None and not root.is_indexed:
            progress.begin(f"{total} files")
            progress.report(f"{done} of {total} files", done * 100 // max(total, 1))

    def _show_indexing(self, root: Root) -> None:
        """Show that the index is being made, also where somebody else makes it."""
        if root in self._indexing and not root.is_indexed and not root.failure:
            self._indexing[root].begin("bringing the index up to date")

    def _send_status(self, root: Root) -> None:
        if root not in self._status_due:
            return
        self._status_due.discard(root)
        status = status_of(root)
        if status != self._told_status.get(root):
            self._told_status[root] = status
            self._client.tell("ctx/status", status)

    def _look_soon(self, root: Root) -> None:
        """Have a warming server's state looked at, again and again until it is ready: a host tells nobody of it."""
        if root not in self._looks_due:
            self._looks_due.add(root)
            self._loop.call_later(WARMING_LOOK_EVERY_S, self._look, root)

    def _look(self, root: Root) -> None:
        self._looks_due.discard(root)
        if root in self._indexing:
            root.ask_status()


def status_of(root: Root) -> dict[str, Any]:
    """Return `ctx.status/1`."""
    state = root.state
    detail = {
        "indexing": "making the index; outlines are there, the rest is answered from open documents",
        "warming": f"{root.warming} is warming up; Tree-sitter answers meanwhile",
        "fallback": root.failure or f"the language server failed ({root.last_server}); Tree-sitter answers",
        "ready": ", ".join(one["name"] for one in root.servers) or "Tree-sitter and the index answer",
    }[state]
    return {
        "schema": "ctx.status/1",
        "root": root.uri,
        "segment": root.name,
        "state": state,
        "detail": detail,
        "server": root.warming or next((one["name"] for one in root.servers), ""),
        "tokens": root.tokens_handed_on,
        "host": root.has_host,
        "servers": root.servers,
        "files": root.index_files,
    }
