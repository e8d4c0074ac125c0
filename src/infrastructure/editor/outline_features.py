"""OutlineFeatures: what one file holds: `textDocument/documentSymbol` and `textDocument/codeLens`.

Owns the outlines that were made and the data of a code lens. Left to others: an outline's form (`outline`), what a
lens says (`symbol_answers`), what a request is about (`questions`).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from ...domain.errors import UsageError
from ...domain.symbols import CLASS_KINDS, FUNCTION_KINDS
from ..file_system import MAX_FILE_BYTES
from ..languages import TEXT, language_of
from ..secrets import redact_secrets
from . import symbol_answers
from .outline import OutlineSpans, flat, hierarchy
from .protocol import CONTENT_MODIFIED, REQUEST_FAILED, AnsweredError
from .questions import holds
from .root import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsprotocol import types

    from ...domain.symbols import SkeletonMap
    from ..services import Services
    from .client import EditorClient
    from .documents import Document
    from .questions import Questions
    from .root import Root
    from .text_answers import TextAnswers

OUTLINES_KEPT = 64
_LENS_KINDS = FUNCTION_KINDS | CLASS_KINDS
_LENSES_MAX = 2_000
_LENS_DATA = (("uri", str), ("line", int), ("column", int), ("start_line", int), ("end_line", int))
"""What a code lens carries so that its figures can be looked up later."""


class OutlineFeatures:
    """Answers requests in the event loop's thread; outlines are made, and kept, in the thread of texts."""

    def __init__(self, client: EditorClient, questions: Questions, text_answers: TextAnswers) -> None:
        """Make nothing yet; `text_answers` is the thread of texts' own."""
        self._client = client
        self._questions = questions
        self._text_answers = text_answers
        self._outlines: OrderedDict[tuple[Any, ...], tuple[SkeletonMap, OutlineSpans]] = OrderedDict()

    def document_symbol(self, params: types.DocumentSymbolParams) -> Any:
        """Answer with the outline of a file."""
        if not self._client.options.has("documentSymbol"):
            return None
        uri = params.text_document.uri
        document, root, path = self._questions.about(uri)
        asked = self._questions.asked("ctx.lsp.documentSymbol", document, path)
        is_tree = self._client.can("textDocument", "documentSymbol", "hierarchicalDocumentSymbolSupport")
        take = self._outline_of(document, root, path)

        def work() -> Answer:
            found = take()
            if found is None:
                return Answer([], {"hits": 0, "status": "nothing"})
            skeleton, spans = found
            symbols = hierarchy(skeleton, spans) if is_tree else flat(skeleton, spans, uri)
            hits = len(skeleton.definitions)
            return Answer(symbols, {"hits": hits, "status": skeleton.status}, {"resolved_by": "tree_sitter"})

        return self._questions.ask_text(asked, root, work)

    def _outline_of(
        self, document: Document | None, root: Root | None, path: str
    ) -> Callable[[], tuple[SkeletonMap, OutlineSpans] | None]:
        """Return what makes a document's outline, or finds it again, in the thread of texts."""
        encoding = self._questions.encoding
        if document is None:

            def from_disk() -> tuple[SkeletonMap, OutlineSpans] | None:
                source = self._questions.source_on_disk(root, path)
                if source is None:
                    return None
                language = language_of(path, source.utf8)
                skeleton = self._text_answers.skeleton(source.utf8, language, path)
                return skeleton, OutlineSpans(source.text, source.utf8, encoding)

            return from_disk
        key = (document.uri, document.version, document.changes)
        content = document.content
        text, language = "", TEXT
        if len(content) <= MAX_FILE_BYTES:
            text, language = content.text, document.language  # joined here: the lines may change under the other thread
        else:
            name = path or redact_secrets(document.uri)[:200]
            self._client.note(f"{name} has no outline: it is larger than {MAX_FILE_BYTES >> 20} MiB")

        def from_text() -> tuple[SkeletonMap, OutlineSpans] | None:
            found = self._outlines.get(key)
            if found is None:
                if language == TEXT:
                    return None
                source = text.encode("utf-8", "replace")
                skeleton = self._text_answers.skeleton(source, language, path)
                found = self._outlines[key] = skeleton, OutlineSpans(text, source, encoding)
                while len(self._outlines) > OUTLINES_KEPT:
                    self._outlines.popitem(last=False)
            return found

        return from_text

    def code_lens(self, params: types.CodeLensParams) -> Any:
        """Answer with a lens over each function and class of a file; its figures come when it is resolved."""
        if not self._client.options.has("codeLens"):
            return None
        uri = params.text_document.uri
        document, root, path = self._questions.about(uri)
        if root is None:
            return None
        asked = self._questions.asked("ctx.lsp.codeLens", document, path)
        take = self._outline_of(document, root, path)
        changes = document.changes if document is not None else 0

        def work() -> Answer:
            found = take()
            lenses: list[dict[str, Any]] = []
            for definition in found[0].definitions if found is not None else ():
                if definition.kind in _LENS_KINDS and len(lenses) < _LENSES_MAX:
                    data = {
                        "uri": uri,
                        "changes": changes,
                        "line": definition.name_line,
                        "column": definition.name_column,
                        "start_line": definition.start_line,
                        "end_line": definition.end_line,
                    }
                    lenses.append({"range": found[1].name(definition), "data": data})  # type: ignore[index]
            return Answer(lenses, {"hits": len(lenses)})

        return self._questions.ask_text(asked, root, work)

    def code_lens_resolve(self, params: types.CodeLens) -> Any:
        """Answer with the lens and its figures: who uses what is below it, and what its text costs."""
        lens = self._client.unstructured(params)
        data = lens.get("data")
        if not holds(data, _LENS_DATA):
            raise UsageError("codeLens/resolve: this lens is none of ctx's")
        document, root, inside = self._questions.about(data["uri"])
        content = self._questions.content(document, root, inside)
        if root is None or content is None:
            raise AnsweredError(REQUEST_FAILED, "codeLens/resolve: the file is gone")
        if document is not None and document.changes != data.get("changes"):
            raise AnsweredError(CONTENT_MODIFIED, "the document changed meanwhile")
        if len(content) > MAX_FILE_BYTES:
            raise AnsweredError(REQUEST_FAILED, "codeLens/resolve: the file is too large")
        text = "\n".join(content.text.split("\n")[data["start_line"] - 1 : data["end_line"]])
        query = f"{inside}:{data['line']}:{data['column']}"
        asked = self._questions.asked("ctx.lsp.codeLensResolve", document, inside, line=data["line"])

        def work(services: Services) -> Answer:
            answer = symbol_answers.lens_figures(services, query, text)
            figures = answer.result
            count = figures["certain"]
            more = "" if figures["complete"] or figures["refs"] <= count else "+"
            title = f"{count}{more} {'ref' if count == 1 and not more else 'refs'} · {figures['tokens']} tokens"
            argument = {"uri": data["uri"], "position": lens["range"]["start"], "selector": query, **figures}
            answer.result = {**lens, "command": {"title": title, "command": "ctx.refs", "arguments": [argument]}}
            return answer

        return root.ask(asked, work, document=document, is_slow=True, urgency=3)
