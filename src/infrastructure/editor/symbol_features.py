"""SymbolFeatures: what a name means: definition, references and hover at a place, and symbols of the workspace.

Owns what is asked of an index and what of a document's own text, when there is no index. Left to others: the answers
(`symbol_answers`, `text_answers`), what a request is about (`questions`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ...domain.document_text import DocumentText
from ...domain.errors import UsageError
from ..file_system import MAX_FILE_BYTES
from ..languages import language_of
from . import symbol_answers
from .places import span
from .questions import holds
from .root import Answer
from .text_answers import TextAnswers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lsprotocol import types

    from ...domain.text_positions import PositionEncoding
    from ..services import Services
    from .client import EditorClient
    from .documents import Document
    from .questions import Questions
    from .root import Root
    from .roots import Roots

_SYMBOL_DATA = (("root", str), ("path", str), ("line", int), ("column", int), ("name", str))
"""What a symbol carries so that its place can be looked up later."""


class SymbolFeatures:
    """Answers requests in the event loop's thread."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        client: EditorClient,
        roots: Roots,
        questions: Questions,
        text_answers: TextAnswers,
    ) -> None:
        """Ask nothing yet; `text_answers` is the thread of texts' own."""
        self._loop = loop
        self._client = client
        self._roots = roots
        self._questions = questions
        self._text_answers = text_answers

    def definition(self, params: types.DefinitionParams) -> Any:
        """Answer with the places that define what stands at a place."""
        if not self._client.options.has("definition"):
            return None
        document, root, path, line, column, origin = self._questions.place(params)
        if not line:
            return None
        can_link = self._client.can("textDocument", "definition", "linkSupport")
        asked = self._questions.asked("ctx.resolve", document, path, line=line)
        uris, asks_servers = self._questions.open_uris, self._questions.asks_servers
        text_only = self._definition_in_text(document, line, column)
        if root is None:
            return self._questions.ask_text(asked, None, lambda: text_only(""))

        def work(services: Services) -> Answer:
            places = self._questions.places(services, root, uris)
            query = f"{path}:{line}:{column}"
            return symbol_answers.definition(
                services, places, query, origin=origin, can_link=can_link, asks_servers=asks_servers
            )

        return root.ask(asked, work, otherwise=text_only, document=document)

    def _definition_in_text(self, document: Document | None, line: int, column: int) -> Callable[[str], Answer]:
        """Return what looks a name up in its own text; made when the request arrives."""
        if document is None or len(document.content) > MAX_FILE_BYTES:
            return lambda _why: Answer(None, {"hits": 0, "status": "nothing"})
        text, language, uri, encoding = (
            document.content.text,
            document.language,
            document.uri,
            self._questions.encoding,
        )

        def look(_why: str) -> Answer:
            content = DocumentText(text)
            spot = TextAnswers().spot(text.encode("utf-8", "replace"), language, line, column) if text else None
            places = () if spot is None else spot.bound or tuple((d.name_line, d.name_column) for d in spot.definitions)
            name = spot.name if spot is not None else ""
            found = _locations(content, dict.fromkeys(places), name, uri, encoding)
            told = {"hits": len(found), "status": "ok" if found else "nothing"}
            return Answer(found or None, told, {"resolved_by": "tree_sitter"})

        return look

    def references(self, params: types.ReferenceParams) -> Any:
        """Answer with the places that use what stands at a place."""
        if not self._client.options.has("references"):
            return None
        document, root, path, line, column, _origin = self._questions.place(params)
        if not line:
            return None
        with_declaration = params.context.include_declaration
        asked = self._questions.asked("ctx.refs", document, path, line=line, mode="uses")
        uris, asks_servers = self._questions.open_uris, self._questions.asks_servers
        if root is None:
            look = self._uses_in_text(document, line, column)
            return self._questions.ask_text(asked, None, look)

        def work(services: Services) -> Answer:
            places = self._questions.places(services, root, uris)
            query = f"{path}:{line}:{column}"
            return symbol_answers.references(
                services, places, query, with_declaration=with_declaration, asks_servers=asks_servers
            )

        return root.ask(asked, work, document=document, is_slow=True)

    def _uses_in_text(self, document: Document | None, line: int, column: int) -> Callable[[], Answer]:
        if document is None or len(document.content) > MAX_FILE_BYTES:
            return lambda: Answer(None)
        text, language, uri, encoding = (
            document.content.text,
            document.language,
            document.uri,
            self._questions.encoding,
        )

        def look() -> Answer:
            content, source = DocumentText(text), text.encode("utf-8", "replace")
            spot = self._text_answers.spot(source, language, line, column)
            if spot is None:
                return Answer(None)
            uses = self._text_answers.uses(source, language, spot.name)
            found = _locations(content, uses, spot.name, uri, encoding)
            return Answer(found or None)

        return look

    def hover(self, params: types.HoverParams) -> Any:
        """Answer with what is known of a place at a glance."""
        if not self._client.options.has("hover"):
            return None
        document, root, path, line, column, origin = self._questions.place(params)
        if not line or origin is None:
            return None
        formats = self._client.capability("textDocument", "hover", "contentFormat")
        is_markdown = not formats or "markdown" in formats
        language = document.language if document is not None else language_of(path)
        asked = self._questions.asked("ctx.hover", document, path, line=line)
        text_only = self._hover_in_text(document, line, column, origin, is_markdown=is_markdown)
        if root is None:
            return self._questions.ask_text(asked, None, lambda: text_only(""))
        asks_servers = self._questions.asks_servers

        def work(services: Services) -> Answer:
            return symbol_answers.hover(
                services,
                f"{path}:{line}:{column}",
                origin=origin,
                language=language,
                is_markdown=is_markdown,
                asks_servers=asks_servers,
                note="",
            )

        return root.ask(asked, work, otherwise=text_only, document=document)

    def _hover_in_text(
        self, document: Document | None, line: int, column: int, origin: dict[str, Any] | None, *, is_markdown: bool
    ) -> Callable[[str], Answer]:
        if document is None or len(document.content) > MAX_FILE_BYTES:
            return lambda _why: Answer(None, {"hits": 0, "status": "nothing"})
        text, language = document.content.text, document.language

        def look(why: str) -> Answer:
            spot = TextAnswers().spot(text.encode("utf-8", "replace"), language, line, column)
            if spot is None or not spot.definitions:
                return Answer(None, {"hits": 0, "status": "nothing"}, {"resolved_by": "tree_sitter"})
            best = spot.definitions[0]
            parts = [symbol_answers.code(best.signature, language, is_markdown=is_markdown)]
            parts += [best.doc] if best.doc else []
            note = f"answered by Tree-sitter from this document alone{f': {why}' if why else ''}"
            parts.append(f"_{note}_" if is_markdown else note)
            result = symbol_answers.hover_result("\n\n".join(parts), origin, is_markdown=is_markdown)
            return Answer(result, {"hits": 1, "status": "ok"}, {"resolved_by": "tree_sitter"})

        return look

    def workspace_symbol(self, params: types.WorkspaceSymbolParams) -> Any:
        """Answer with symbols of all roots by name."""
        if not self._client.options.has("workspaceSymbol") or not self._roots:
            return []
        resolvable = self._client.capability("workspace", "symbol", "resolveSupport", "properties")
        is_lazy = "location.range" in (resolvable or ())
        uris = self._questions.open_uris
        futures = []
        for root in self._roots:
            asked = self._questions.asked("ctx.lsp.symbol", None, "", query=params.query)

            def work(services: Services, root: Root = root) -> Answer:
                places = self._questions.places(services, root, uris)
                answer = symbol_answers.workspace_symbols(services, places, params.query, is_lazy=is_lazy)
                for symbol in answer.result:
                    if "data" in symbol:
                        symbol["data"]["root"] = root.uri
                return answer

            futures.append(root.ask(asked, work, otherwise=lambda _why: Answer([])))
        return _joined(self._loop, futures)

    def workspace_symbol_resolve(self, params: Any) -> Any:
        """Answer with a symbol of ours and its range."""
        symbol = self._client.unstructured(params)
        data = symbol.get("data")
        if data is None:
            return symbol
        if not holds(data, _SYMBOL_DATA):
            raise UsageError("workspaceSymbol/resolve: this symbol is none of ctx's")
        root = next((one for one in self._roots if one.uri == data.get("root")), None)
        if root is None:
            return symbol
        uris = self._questions.open_uris
        asked = self._questions.asked("ctx.lsp.symbolResolve", None, str(data.get("path", "")))

        def work(services: Services) -> Answer:
            places = self._questions.places(services, root, uris)
            where = places.location(data["path"], data["line"], data["column"], data["name"])
            return Answer({**symbol, "location": where})

        return root.ask(asked, work)


def _locations(
    content: DocumentText, places: Iterable[tuple[int, int]], name: str, uri: str, encoding: PositionEncoding
) -> list[dict[str, Any]]:
    """Return the protocol's locations of a name at places of its own text."""
    return [
        {
            "uri": uri,
            "range": span(
                content.position_of(line, column, encoding), content.position_of(line, column + len(name), encoding)
            ),
        }
        for line, column in places
    ]


def _joined(loop: asyncio.AbstractEventLoop, futures: list[asyncio.Future[Any]]) -> asyncio.Future[Any]:
    """Return a future of all results in one list; cancelling it cancels them."""
    if len(futures) == 1:
        return futures[0]
    whole: asyncio.Future[Any] = loop.create_future()

    def look(_one: asyncio.Future[Any]) -> None:
        if whole.done() or not all(future.done() for future in futures):
            return
        failed = next((future for future in futures if future.cancelled() or future.exception()), None)
        if failed is not None and not failed.cancelled():
            whole.set_exception(failed.exception() or RuntimeError())
        else:
            whole.set_result([item for future in futures if not future.cancelled() for item in future.result() or []])

    def cancel(one: asyncio.Future[Any]) -> None:
        if one.cancelled():
            for future in futures:
                future.cancel()

    for future in futures:
        future.add_done_callback(look)
    whole.add_done_callback(cancel)
    return whole
