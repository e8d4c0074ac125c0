"""TextSync: from what an editor tells of its documents to what the segments see of them.

Owns when a text that is not saved is told to its root, and that a lost change ends the knowledge of a text. Left to
others: the texts themselves (`documents`), what a root does with one (`root`), syntax errors (`diagnostics`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..file_system import MAX_FILE_BYTES
from ..secrets import redact_secrets

if TYPE_CHECKING:
    import asyncio

    from lsprotocol import types

    from .client import EditorClient
    from .diagnostics import Diagnostics
    from .documents import Document, Documents
    from .roots import Roots

UNSAVED_AFTER_S = 0.05
"""A change is told to the segment's other faces at once; those that follow it when nothing more was typed for this
long, or somebody asks."""


class TextSync:
    """Follows the open documents; for the event loop's thread alone."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        client: EditorClient,
        documents: Documents,
        roots: Roots,
        diagnostics: Diagnostics,
    ) -> None:
        """Tell nothing yet."""
        self._loop = loop
        self._client = client
        self._documents = documents
        self._roots = roots
        self._diagnostics = diagnostics
        self._flush_timer: dict[str, asyncio.TimerHandle] = {}

    def did_open(self, params: types.DidOpenTextDocumentParams) -> None:
        """Take a document in; its language server warms up, its syntax errors are shown."""
        item = params.text_document
        document = self._documents.open(item.uri, item.language_id or "", item.version, item.text)
        self._roots.tell_opened(document)
        self._diagnostics.diagnose(document)

    def did_change(self, params: types.DidChangeTextDocumentParams) -> None:
        """Apply changes, and tell of them soon."""
        item = params.text_document
        document = self._documents.change(item.uri, item.version, params.content_changes)
        if document is None:
            self._client.note("a document changed that was not opened; the change is left out", kind=4)
            return
        timer = self._flush_timer.get(document.uri)
        if timer is not None:
            timer.cancel()
        elif self._loop.time() - document.told_s > UNSAVED_AFTER_S:
            # The first of several at once: what a shell asks a moment later is answered with it. Not in this very
            # call, because the next message in the buffer may be another change.
            self._flush_timer[document.uri] = self._loop.call_later(0, self._tell_unsaved, document)
            return
        self._flush_timer[document.uri] = self._loop.call_later(UNSAVED_AFTER_S, self._tell_unsaved, document)

    def did_save(self, params: types.DidSaveTextDocumentParams) -> None:
        """Have the file answer again."""
        document = self._documents.get(params.text_document.uri)
        if document is not None:
            document.is_unsaved = document.is_dirty = False
            self._tell_disk(document)

    def did_close(self, params: types.DidCloseTextDocumentParams) -> None:
        """Let go of a document, and have the file answer again."""
        document = self._documents.close(params.text_document.uri)
        if document is not None:
            document.is_dirty = False
            self._tell_disk(document)
            if self._client.options.has("diagnostics"):
                self._diagnostics.clear(document)

    def forget(self, uri: str) -> None:
        """Go on without the text of a document whose change is lost, "" for any: a wrong one answers wrongly."""
        for document in self._documents:
            if (not uri or document is self._documents.get(uri)) and self._documents.forget(document.uri) is not None:
                document.is_dirty = False
                self._tell_disk(document)
                root, path = self._roots.at(document.path)
                name = path if root is not None else redact_secrets(document.uri)[:200]
                self._client.note(
                    f"a change of {name} could not be read: it is answered as on disk until it is opened again"
                )

    def tell_all_unsaved(self) -> None:
        """Have the segments see every text as it is now, before anything that is asked after this."""
        for document in self._documents:
            if document.is_dirty:
                self._tell_unsaved(document)

    def _tell_unsaved(self, document: Document) -> None:
        """Have the segment see a document's text; one too large to be indexed is as it is on disk."""
        timer = self._flush_timer.pop(document.uri, None)
        if timer is not None:
            timer.cancel()
        if not document.is_dirty:
            return
        document.is_dirty = False
        document.told_s = self._loop.time()
        self._diagnostics.diagnose(document)
        root, path = self._roots.at(document.path)
        if root is None:
            return
        is_small = len(document.content) <= MAX_FILE_BYTES
        root.set_unsaved(path, document.content.text if is_small else None)
        if not is_small:
            self._client.note(
                f"{path}: larger than {MAX_FILE_BYTES >> 20} MiB; the file as it was saved answers in its place"
            )

    def _tell_disk(self, document: Document) -> None:
        timer = self._flush_timer.pop(document.uri, None)
        if timer is not None:
            timer.cancel()
        root, path = self._roots.at(document.path)
        if root is not None:
            root.set_unsaved(path, None)
