"""Which documents a language server has open, and the text it knows of each."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

OPEN_DOCUMENTS_MAX = 32


@dataclass(slots=True)
class _Document:
    version: int
    text: str


class OpenDocuments:
    """Has a server know texts; `notify` sends it a notification by method and parameters."""

    def __init__(self, notify: Callable[[str, dict[str, Any]], None]) -> None:
        """Nothing is open yet."""
        self._notify = notify
        self._open: OrderedDict[str, _Document] = OrderedDict()

    def __contains__(self, uri: str) -> bool:
        """Tell whether a document is open."""
        return uri in self._open

    def texts(self) -> dict[str, str]:
        """Return what the server knows, by URI; the one that was asked about last is last."""
        return {uri: document.text for uri, document in self._open.items()}

    def know(self, uri: str, language_id: str, text: str, kept: Collection[str]) -> bool:
        """Open a document or change its text; tell whether it was opened.

        The ones that were asked about longest ago are closed, but for those `kept`: an unsaved text is only known while
        it is open.
        """
        document = self._open.get(uri)
        if document is None:
            self._open[uri] = _Document(1, text)
            item = {"uri": uri, "languageId": language_id, "version": 1, "text": text}
            self._notify("textDocument/didOpen", {"textDocument": item})
            others = [one for one in self._open if one not in kept]
            for surplus in others[: max(0, len(others) - OPEN_DOCUMENTS_MAX)]:
                self.close(surplus)
            return True
        self._open.move_to_end(uri)
        self.change(uri, text)
        return False

    def change(self, uri: str, text: str) -> None:
        """Have the server know another text of a document that is open."""
        document = self._open[uri]
        if document.text != text:
            document.version += 1
            document.text = text
            identifier = {"uri": uri, "version": document.version}
            changes = [{"text": text}]
            self._notify("textDocument/didChange", {"textDocument": identifier, "contentChanges": changes})

    def close(self, uri: str) -> None:
        """Close a document that is open."""
        del self._open[uri]
        self._notify("textDocument/didClose", {"textDocument": {"uri": uri}})
