"""Questions: what a request is about, and the thread that answers from texts alone.

Owns how a request's URI and position become a document, a root and a place of ctx's, and what telemetry is told of a
request that no root's thread answers. Left to others: what the answers are (`outline_features`, `symbol_features`,
`command_features`), the threads that know an index (`root`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ...domain.document_text import DocumentText
from ...domain.errors import CtxError
from ...domain.source_files import SourceText, os_path_of
from ...domain.text_positions import column_at, units_before
from ..file_system import FileSystemAdapter
from ..null_telemetry import NullTelemetry
from .documents import path_of
from .places import Places, span
from .root import Answer, Asked

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable

    from ...domain.text_positions import PositionEncoding
    from ..services import Services
    from .client import EditorClient
    from .documents import Document, Documents
    from .root import Root
    from .roots import Roots
    from .text_sync import TextSync
    from .worker import Worker


class AskedPlace(NamedTuple):
    """A position that was asked about; `line` and `column` are ctx's, 0 for a text that nobody has.

    `word` is the protocol's range of the word there, None where none stands.
    """

    document: Document | None
    root: Root | None
    path: str
    line: int
    column: int
    word: dict[str, Any] | None


class Questions:
    """Looks requests up as they arrive; for the event loop's thread, unless said otherwise."""

    def __init__(self, client: EditorClient, documents: Documents, roots: Roots, sync: TextSync, texts: Worker) -> None:
        """Open nothing yet; `texts` is the thread that knows texts and nothing else."""
        self._client = client
        self._documents = documents
        self._roots = roots
        self._sync = sync
        self._texts = texts
        self._reading: dict[str, FileSystemAdapter] = {}

    @property
    def encoding(self) -> PositionEncoding:
        """How the client counts in a line."""
        return self._documents.encoding

    @property
    def asks_servers(self) -> bool:
        """Whether language servers are asked."""
        return bool(self._client.options.lsp.get("enabled", True))

    @property
    def open_uris(self) -> dict[bytes, str]:
        """The URIs of the open documents by their paths, as the editor spells them."""
        return {document.path: document.uri for document in self._documents if document.path}

    def asked(self, cmd: str, document: Document | None, path: str, **args: Any) -> Asked:
        """Return what telemetry is told of a request, and have it answered with every text as it is now."""
        self._sync.tell_all_unsaved()
        if path:
            args["file"] = path
        elif document is not None:
            args["language"] = document.language
        return Asked(cmd, args)

    def ask_text(self, asked: Asked, root: Root | None, work: Callable[[], Answer]) -> asyncio.Future[Any]:
        """Have the thread answer that knows texts and nothing else."""

        def run() -> Any:
            try:
                answer = work()
            except BaseException as error:
                if root is not None:
                    root.tell(asked, Answer(None, {"status": "error", "error": type(error).__name__}))
                raise
            if root is not None:
                root.tell(asked, answer)
            return answer.result

        future = self._texts.submit(run, urgency=1)
        if root is not None:
            future.add_done_callback(lambda done: root.tell_cancelled(asked, done))
        return future

    def about(self, uri: str) -> tuple[Document | None, Root | None, str]:
        """Return the open document of a URI, the root it is in and its path there."""
        document = self._documents.get(uri)
        return document, *self._roots.at(document.path if document is not None else path_of(uri))

    def place(self, params: Any) -> AskedPlace:
        """Return the place of a request's position."""
        position = params.position
        document, root, inside = self.about(params.text_document.uri)
        content = self.content(document, root, inside)
        if content is None:
            return AskedPlace(document, None, "", 0, 0, None)
        line, column = content.place_of(position.line, position.character, self.encoding)
        at = min(max(position.line, 0), content.line_count - 1)
        word = _word_range(content, at, position.character, self.encoding)
        return AskedPlace(document, root, inside, line, column, word)

    def content(self, document: Document | None, root: Root | None, path: str) -> DocumentText | None:
        """Return the text of a document, of its file where it is not open; None where there is none."""
        if document is not None:
            return document.content
        source = self.source_on_disk(root, path)
        return DocumentText(source.text) if source is not None else None

    def source_on_disk(self, root: Root | None, path: str) -> SourceText | None:
        """Return a file that is not open, decoded as the index decodes it; in any thread."""
        if root is None or not path:
            return None
        files = self._reading.get(root.segment)
        if files is None:
            files = self._reading[root.segment] = FileSystemAdapter(root.segment, telemetry=NullTelemetry())
        try:
            source = files.read_source(os_path_of(path))
        except CtxError:
            return None
        return source if isinstance(source, SourceText) else None

    def places(self, services: Services, root: Root, open_uris: dict[bytes, str]) -> Places:
        """Return what converts places of a root for one answer; in the thread that answers."""
        return Places(services, root.folder, open_uris, self.encoding)


def holds(data: Any, parts: Iterable[tuple[str, type]]) -> bool:
    """Tell whether what comes back from a client is an object with these parts, no number below 0."""
    return isinstance(data, dict) and all(
        type(data.get(name)) is kind and (kind is not int or data[name] >= 0) for name, kind in parts
    )


def _word_range(content: DocumentText, line: int, unit: int, encoding: PositionEncoding) -> dict[str, Any] | None:
    """Return the range of the word at a position, letters of any script; None where none stands."""
    text = content.line(line)
    at = column_at(text, unit, encoding) - 1
    start = end = at
    while start > 0 and _is_word(text[start - 1]):
        start -= 1
    while end < len(text) and _is_word(text[end]):
        end += 1
    if start == end:
        return None
    return span((line, units_before(text, start + 1, encoding)), (line, units_before(text, end + 1, encoding)))


def _is_word(character: str) -> bool:
    return character.isalnum() or character in "_$"
