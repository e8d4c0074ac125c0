"""Tests of ctx.infrastructure.editor.symbol_features: a document's own text, several roots; indexes are in the
integration tests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from lsprotocol import types
from tests.editor_parts import AskingEditor, RecordingRoot

from ctx.domain.errors import UsageError
from ctx.infrastructure.editor.options import options_of
from ctx.infrastructure.editor.symbol_features import SymbolFeatures
from ctx.infrastructure.editor.text_answers import TextAnswers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

UNTITLED = "untitled:Untitled-1"
TEXT = 'def add(a):\n    "Adds."\n    return a\n\n\nadd(1)\n'


class Asking(AskingEditor):
    """An editor with `TEXT` open in a document that is no file."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *roots: RecordingRoot) -> None:
        super().__init__(*roots)
        known: Any = self.roots
        self.features = SymbolFeatures(loop, self.client, known, self.questions, TextAnswers())
        self.documents.open(UNTITLED, "python", 1, TEXT)


def run(visit: Callable[[Asking], Any], *roots: RecordingRoot) -> Any:
    """Visit an editor in a loop."""

    async def whole() -> Any:
        return await visit(Asking(asyncio.get_running_loop(), *roots))

    return asyncio.run(whole())


def starts(found: list[dict[str, Any]]) -> list[tuple[int, int]]:
    return [(one["range"]["start"]["line"], one["range"]["start"]["character"]) for one in found]


def test_text_that_is_no_file_is_answered_from_itself() -> None:
    """What its names are, where they are bound and used in it; between names stands nothing."""

    async def visit(asking: Asking) -> Any:
        identifier, place = types.TextDocumentIdentifier(UNTITLED), types.Position(5, 1)
        context = types.ReferenceContext(include_declaration=True)
        hover = asking.answer(asking.features.hover(types.HoverParams(identifier, place)))
        defined = asking.answer(asking.features.definition(types.DefinitionParams(identifier, place)))
        uses = asking.answer(asking.features.references(types.ReferenceParams(context, identifier, place)))
        nothing = asking.features.hover(types.HoverParams(identifier, types.Position(3, 0)))
        return hover["contents"]["value"], starts(defined), starts(uses), nothing

    text, defined, uses, nothing = run(visit)
    assert ("def add(a)" in text, "Tree-sitter from this document alone" in text) == (True, True)
    assert ([(0, 4)], [(0, 4), (5, 0)], None) == (defined, uses, nothing)


def test_hover_is_plain_for_who_cannot_show_more() -> None:
    """A client that names its formats gets one of them."""

    async def visit(asking: Asking) -> Any:
        params = types.HoverParams(types.TextDocumentIdentifier(UNTITLED), types.Position(5, 1))
        kinds = []
        for formats in (None, ["markdown"], ["plaintext"]):
            asking.client.capabilities = {"textDocument": {"hover": {"contentFormat": formats}}}
            kinds.append(asking.answer(asking.features.hover(params))["contents"]["kind"])
        return kinds

    assert ["markdown", "markdown", "plaintext"] == run(visit)


def test_feature_that_is_off_answers_nothing() -> None:
    """A client may ask all the same."""

    async def visit(asking: Asking) -> Any:
        names = ("hover", "definition", "references", "workspaceSymbol")
        asking.client.options = options_of(dict.fromkeys(names, False))[0]
        identifier, place = types.TextDocumentIdentifier(UNTITLED), types.Position(5, 1)
        context = types.ReferenceContext(include_declaration=True)
        return [
            asking.features.hover(types.HoverParams(identifier, place)),
            asking.features.definition(types.DefinitionParams(identifier, place)),
            asking.features.references(types.ReferenceParams(context, identifier, place)),
            asking.features.workspace_symbol(types.WorkspaceSymbolParams("add")),
        ]

    assert [None, None, None, []] == run(visit)


@pytest.fixture
def roots(tmp_path: Path) -> tuple[RecordingRoot, RecordingRoot]:
    """Two roots."""
    return RecordingRoot(tmp_path / "one"), RecordingRoot(tmp_path / "two")


def test_symbols_of_all_roots_are_one_answer(roots: tuple[RecordingRoot, RecordingRoot]) -> None:
    """In the order of the roots, whoever is first; a root that was closed meanwhile has none."""

    async def visit(asking: Asking) -> Any:
        found = []
        for is_closed in (False, True):
            whole = asking.features.workspace_symbol(types.WorkspaceSymbolParams("add"))
            first, second = (root.asked.pop()[2] for root in roots)
            second.set_result([{"name": "second"}])
            await asyncio.sleep(0)
            found.append(whole.done())
            if is_closed:
                first.cancel()
            else:
                first.set_result([{"name": "first"}])
            found.append([symbol["name"] for symbol in await whole])
        return found

    assert [False, ["first", "second"], False, ["second"]] == run(visit, *roots)


def test_failure_of_one_root_is_the_answer(roots: tuple[RecordingRoot, RecordingRoot]) -> None:
    """Half of the symbols look like all of them."""

    async def visit(asking: Asking) -> Any:
        whole = asking.features.workspace_symbol(types.WorkspaceSymbolParams("add"))
        roots[0].asked[0][2].set_exception(UsageError("no such thing"))
        roots[1].asked[0][2].set_result([])
        with pytest.raises(UsageError):
            await whole
        return True

    assert run(visit, *roots)


def test_cancelled_question_is_cancelled_in_every_root(roots: tuple[RecordingRoot, RecordingRoot]) -> None:
    """Nobody works for a result that nobody wants."""

    async def visit(asking: Asking) -> Any:
        asking.features.workspace_symbol(types.WorkspaceSymbolParams("add")).cancel()
        await asyncio.sleep(0)
        return [root.asked[0][2].cancelled() for root in roots]

    assert [True, True] == run(visit, *roots)


def test_symbol_of_a_root_that_is_closed_stays_as_it_was(roots: tuple[RecordingRoot, RecordingRoot]) -> None:
    """One without data, too; a stranger's data is a mistake."""

    async def visit(asking: Asking) -> Any:
        data = {"root": "file:///closed", "path": "a.py", "line": 1, "column": 5, "name": "add"}
        symbol = {"name": "add", "kind": 12, "location": {"uri": "file:///closed/a.py"}}
        resolve = asking.features.workspace_symbol_resolve
        with pytest.raises(UsageError):
            resolve(symbol | {"data": {"root": 5}})
        same = [resolve(symbol) == symbol, resolve(symbol | {"data": data}) == symbol | {"data": data}]
        resolve(symbol | {"data": data | {"root": roots[1].uri}})
        return same, [len(root.asked) for root in roots]

    assert ([True, True], [0, 1]) == run(visit, *roots)
