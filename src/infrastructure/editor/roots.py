"""Roots: the segments that are open in an editor, by the folders of its workspace.

Owns which folder has which segment, that a segment is open once, and which root a path or a name means. Left to
others: a root's threads and index (`root`), what is shown of it (`status`), the texts of documents (`text_sync`).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ...domain.errors import CtxError, UsageError
from ..file_system import MAX_FILE_BYTES
from ..secrets import redact_secrets
from ..segment import find_segment, is_no_project
from ..segment_walk import real_path
from .documents import path_of
from .protocol import REQUEST_FAILED, AnsweredError
from .root import Root

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable, Iterator

    from .client import EditorClient
    from .documents import Document, Documents
    from .options import EditorOptions
    from .session import Session
    from .status import StatusDisplay


class Roots:
    """The open roots in the order in which they were opened; for the event loop's thread alone."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        client: EditorClient,
        documents: Documents,
        status: StatusDisplay,
        make_session: Callable[[str, EditorOptions], Session],
    ) -> None:
        """Open nothing yet; `make_session` is called with a segment and the options when its root is opened."""
        self._loop = loop
        self._client = client
        self._documents = documents
        self._status = status
        self._make_session = make_session
        self._roots: list[Root] = []
        self._root_of_folder: dict[bytes, Root] = {}

    def __iter__(self) -> Iterator[Root]:
        return iter(list(self._roots))

    def __len__(self) -> int:
        return len(self._roots)

    @property
    def waiting(self) -> int:
        """Jobs of all roots that were not begun."""
        return sum(root.waiting for root in self._roots)

    # ------------------------------------------------------------------ folders

    def add_folder(self, uri: str) -> Root | None:
        """Make the root of a workspace folder, or return the one that has its segment; None, noted, for no segment."""
        path = path_of(uri)
        if not path:
            self._client.note(
                f"{redact_secrets(uri)[:200]} is no folder on disk; its documents are answered from their text alone"
            )
            return None
        folder = os.path.normpath(path)
        try:
            segment = find_segment(start=os.fsdecode(folder))
            if not os.path.isdir(folder):
                raise UsageError(f"{os.fsdecode(folder)} is no directory")
        except CtxError as error:
            self._client.note(f"{error}; its documents are answered from their text alone")
            return None
        if is_no_project(segment):
            self._client.note(
                f"{segment} is not indexed: it is no project; make a folder _ctx in it and restart if it is meant"
            )
            return None
        root = self._root_of_folder[folder] = self._root_of(segment, folder, uri)
        return root

    def drop_folder(self, uri: str) -> None:
        """Close the root of a workspace folder, unless another folder has its segment."""
        root = self._root_of_folder.pop(os.path.normpath(path_of(uri)), None)
        if root is not None and root not in self._root_of_folder.values():
            self._drop(root)

    def restart(self, roots: Iterable[Root]) -> None:
        """Close roots and open them anew."""
        for root in list(roots):
            segment, folder, uri = root.segment, root.folder, root.uri
            self._drop(root)
            again = self._root_of(segment, folder, uri)
            self._root_of_folder |= {path: again for path, one in self._root_of_folder.items() if one is root}

    def _root_of(self, segment: str, folder: bytes, uri: str) -> Root:
        for root in self._roots:
            if root.segment == segment:
                return root
        real = real_path(folder)
        # The folder may lie inside the segment: what the editor calls the segment is as much shorter.
        below = real[len(os.fsencode(segment).rstrip(b"/")) :]
        prefix = folder[: len(folder) - len(below)] if below and folder.endswith(below) else folder
        if below and not folder.endswith(below):
            prefix = os.fsencode(segment)
        options = self._client.options
        root = Root(
            segment,
            prefix,
            uri,
            self._loop,
            lambda: self._make_session(segment, options),
            on_progress=self._status.index_progress,
            on_change=self._status.changed,
            on_note=lambda root, text: self._client.note(f"{root.name}: {text}"),
        )
        self._roots.append(root)
        root.start()
        self._status.add(root)
        for document in self._documents:
            self.tell_opened(document)
        return root

    def _drop(self, root: Root) -> None:
        self._roots.remove(root)
        self._status.drop(root)
        root.leave()

    # ------------------------------------------------------------------ which one is meant

    def at(self, path: bytes) -> tuple[Root | None, str]:
        """Return the root a file is in, the innermost one, and its path there."""
        found: tuple[Root | None, str] = (None, "")
        for root in self._roots:
            inside = root.path_of(path) if path else ""
            if inside and not inside.startswith("../") and (found[0] is None or len(inside) < len(found[1])):
                found = root, inside
        if found[0] is None and path:
            real = real_path(path)
            if real != path:
                return self.at(real)
        return found

    def named(self, wanted: str | None) -> Root:
        """Return the root of a name, a path or a URI, its own or one of a file in it; the first one for None.

        Raises: UsageError when no root is meant by it, AnsweredError when there is none at all.
        """
        if wanted is None and self._roots:
            return self._roots[0]
        if wanted is not None:
            path = path_of(wanted) or (os.fsencode(wanted) if wanted.startswith("/") else b"")
            for root in self._roots:
                if wanted in (root.uri, root.name) or os.path.normpath(path) in (
                    root.folder,
                    os.fsencode(root.segment),
                ):
                    return root
            found = self.at(path)[0] if path else None
            if found is not None:
                return found
            known = ", ".join(root.name for root in self._roots) or "none"
            raise UsageError(f"root {redact_secrets(wanted)[:200]} is no folder of the workspace; there are: {known}")
        raise AnsweredError(REQUEST_FAILED, "no folder is open; commands need one")

    # ------------------------------------------------------------------ all of them

    def tell_opened(self, document: Document) -> None:
        """Tell a document's root, if it has one, that it is open."""
        root, path = self.at(document.path)
        if root is None:
            return
        is_small = len(document.content) <= MAX_FILE_BYTES
        root.opened(path, document.content.text if is_small else "", is_small=is_small)

    def mark_changed(self) -> None:
        """Have every root's next answer look at the files first."""
        for root in self._roots:
            root.mark_changed()

    def flush(self) -> None:
        """Write the counters."""
        for root in self._roots:
            root.flush()

    def end(self, exit_code: int, *, is_hasty: bool) -> None:
        """Write what has to be written and let go of everything."""
        for root in self._roots:
            root.close(exit_code, is_hasty=is_hasty)
