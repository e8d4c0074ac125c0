"""Tests of ctx.infrastructure.editor.outline_features: what is kept, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from lsprotocol import types
from tests.editor_parts import AskingEditor, RecordingRoot

from ctx.domain.errors import UsageError
from ctx.infrastructure.editor.options import options_of
from ctx.infrastructure.editor.outline_features import OutlineFeatures
from ctx.infrastructure.editor.protocol import AnsweredError
from ctx.infrastructure.editor.text_answers import TextAnswers
from ctx.infrastructure.file_system import MAX_FILE_BYTES

if TYPE_CHECKING:
    from pathlib import Path


class CountingAnswers(TextAnswers):
    """Counts what is parsed."""

    parsed = 0

    def skeleton(self, source: bytes, language: str, name: str) -> Any:
        self.parsed += 1
        return super().skeleton(source, language, name)


class Outlined(AskingEditor):
    """One root with one file on disk, `a.py`, which is not open yet."""

    def __init__(self, folder: Path) -> None:
        super().__init__(RecordingRoot(folder))
        (folder / "a.py").write_text("class OnDisk:\n    pass\n")
        self.text_answers = CountingAnswers()
        self.features = OutlineFeatures(self.client, self.questions, self.text_answers)
        self.uri = (folder / "a.py").as_uri()

    def names(self) -> list[str]:
        """Return the names in the outline."""
        params = types.DocumentSymbolParams(types.TextDocumentIdentifier(self.uri))
        return [symbol["name"] for symbol in self.answer(self.features.document_symbol(params))]

    def lenses(self) -> list[dict[str, Any]]:
        params = types.CodeLensParams(types.TextDocumentIdentifier(self.uri))
        lenses: list[dict[str, Any]] = self.answer(self.features.code_lens(params))
        return lenses

    def resolve(self, data: Any) -> Any:
        start = types.Position(0, 0)
        return self.features.code_lens_resolve(types.CodeLens(types.Range(start, start), data=data))


@pytest.fixture
def outlined(fresh_segment: Path) -> Outlined:
    """An editor without open documents."""
    return Outlined(fresh_segment)


def test_outline_of_a_text_is_made_once(outlined: Outlined) -> None:
    """Until the text changes; an editor asks for outline and lenses at the same time."""
    document = outlined.documents.open(outlined.uri, "python", 1, "def one(): ...\n")
    assert (["one"], ["one"], 1) == (outlined.names(), outlined.names(), len(outlined.lenses()))
    assert 1 == outlined.text_answers.parsed
    outlined.documents.change(document.uri, 2, [types.TextDocumentContentChangeWholeDocument("def two(): ...\n")])
    assert (["two"], 2) == (outlined.names(), outlined.text_answers.parsed)


def test_outline_is_of_the_text_that_is_open_now(outlined: Outlined) -> None:
    """A document that is closed and opened again may have the same name and version, and another text."""
    found = []
    for text in ("def a(): ...\n", "def b(): ...\n"):
        outlined.documents.open(outlined.uri, "python", 1, text)
        found.append(outlined.names())
        outlined.documents.close(outlined.uri)
    assert [["a"], ["b"]] == found


def test_file_that_is_not_open_has_the_outline_of_the_disk(outlined: Outlined) -> None:
    """And its root is told of the request."""
    assert ["OnDisk"] == outlined.names()
    ((asked, answer),) = next(iter(outlined.roots)).told
    assert ("ctx.lsp.documentSymbol", {"file": "a.py"}, 1) == (asked.cmd, asked.args, answer.told["hits"])


def test_large_text_has_no_outline(outlined: Outlined) -> None:
    """The person is told why."""
    outlined.documents.open(outlined.uri, "python", 1, "#" * (MAX_FILE_BYTES + 1))
    assert ([], 0) == (outlined.names(), outlined.text_answers.parsed)
    assert "a.py has no outline" in outlined.protocol.told[-1][1]["message"]


def test_feature_that_is_off_answers_nothing(outlined: Outlined) -> None:
    """A client may ask all the same."""
    outlined.client.options = options_of({"documentSymbol": False, "codeLens": False})[0]
    identifier = types.TextDocumentIdentifier(outlined.uri)
    assert outlined.features.document_symbol(types.DocumentSymbolParams(identifier)) is None
    assert outlined.features.code_lens(types.CodeLensParams(identifier)) is None


def test_lens_is_resolved_in_the_text_that_it_was_made_for(outlined: Outlined) -> None:
    """One of an older text is refused as stale, one of a file that is gone as that, a stranger's as a mistake."""
    document = outlined.documents.open(outlined.uri, "python", 1, "def one(): ...\n")
    data = outlined.lenses()[0]["data"]
    outlined.resolve(data)
    assert "ctx.lsp.codeLensResolve" == next(iter(outlined.roots)).asked[0][0].cmd
    document.changes += 1
    with pytest.raises(AnsweredError) as stale:
        outlined.resolve(data)
    with pytest.raises(AnsweredError) as gone:
        outlined.resolve(data | {"uri": outlined.uri + "x"})
    assert (-32801, -32803) == (stale.value.code, gone.value.code)
    with pytest.raises(UsageError):
        outlined.resolve({"uri": outlined.uri, "line": "1"})
