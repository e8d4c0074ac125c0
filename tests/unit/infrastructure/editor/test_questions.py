"""Tests of ctx.infrastructure.editor.questions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from lsprotocol import types
from tests.editor_parts import AskingEditor, RecordingRoot

from ctx.infrastructure.editor.options import options_of
from ctx.infrastructure.editor.questions import holds
from ctx.infrastructure.editor.root import Answer, Asked

if TYPE_CHECKING:
    from pathlib import Path


class Asker(AskingEditor):
    """An editor with one root."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, RecordingRoot(folder)
        super().__init__(self.root)

    def uri(self, name: str) -> str:
        return (self.folder / name).as_uri()

    def place(self, uri: str, line: int, character: int) -> Any:
        position = types.Position(line, character)
        return self.questions.place(types.HoverParams(types.TextDocumentIdentifier(uri), position))


@pytest.fixture
def asker(fresh_segment: Path) -> Asker:
    """One file on disk, nothing open."""
    (fresh_segment / "a.py").write_text("on_disk = 1\n")
    return Asker(fresh_segment)


@pytest.mark.parametrize(("encoding", "unit"), [("utf-8", 16), ("utf-16", 12), ("utf-32", 11)])
def test_place_is_counted_as_the_client_counts(asker: Asker, encoding: Any, unit: int) -> None:
    """The word is of letters of any script, its range in the client's units."""
    asker.documents.encoding = encoding
    document = asker.documents.open(asker.uri("a.py"), "python", 1, "\n# é'🛒' wörd_1!\n")
    place = asker.place(document.uri, 1, unit)
    assert (document, asker.root, "a.py", 2, 12) == place[:5]
    start, end = place.word["start"]["character"], place.word["end"]["character"]
    text = "# é'🛒' wörd_1!"
    codec, unit_bytes = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}[encoding]
    assert "wörd_1" == text.encode(codec)[start * unit_bytes : end * unit_bytes].decode(codec)


def test_place_without_a_word_has_no_range(asker: Asker) -> None:
    """Between signs stands nothing."""
    document = asker.documents.open(asker.uri("a.py"), "python", 1, "a = (  )\n")
    assert [None, None] == [asker.place(document.uri, line, unit).word for line, unit in ((0, 6), (1, 0))]


def test_file_that_is_not_open_is_read(asker: Asker) -> None:
    """One that is nowhere has no place at all."""
    place = asker.place(asker.uri("a.py"), 0, 3)
    assert (None, asker.root, "a.py", 1, 4) == place[:5]
    assert (None, None, "", 0, 0, None) == asker.place(asker.uri("b.py"), 0, 3)
    assert (None, None, "", 0, 0, None) == asker.place("untitled:Untitled-1", 0, 3)


def test_open_text_counts_in_place_of_the_files(asker: Asker) -> None:
    """For whoever asks about its content."""
    found = [asker.questions.content(None, asker.root, "a.py")]  # type: ignore[arg-type]
    document = asker.documents.open(asker.uri("a.py"), "python", 1, "open = 1\n")
    found.append(asker.questions.content(*asker.questions.about(document.uri)))
    assert ["on_disk = 1\n", "open = 1\n"] == [content.text for content in found if content is not None]
    assert {str(asker.folder / "a.py").encode(): document.uri} == asker.questions.open_uris


def test_request_has_every_text_told_before_it(asker: Asker) -> None:
    """Telemetry is told the path, or the language of what has none."""
    document = asker.documents.open(asker.uri("a.py"), "python", 1, "")
    asker.documents.change(document.uri, 2, [types.TextDocumentContentChangeWholeDocument("x = 1\n")])
    asked = [asker.questions.asked("ctx.test", document, path, line=1) for path in ("a.py", "")]
    assert [{"line": 1, "file": "a.py"}, {"line": 1, "language": "python"}] == [one.args for one in asked]
    assert [("a.py", "x = 1\n")] == asker.root.unsaved


def test_answer_from_texts_is_told_to_the_root(asker: Asker) -> None:
    """What failed or was cancelled, too; who asks about no root's file is told of to nobody."""
    root: Any = asker.root
    asked = Asked("ctx.test")
    good = asker.questions.ask_text(asked, root, lambda: Answer(5, {"hits": 1}))
    bad = asker.questions.ask_text(asked, root, lambda: Answer(1 // 0))
    alone = asker.questions.ask_text(asked, None, lambda: Answer(6))
    asker.questions.ask_text(asked, root, lambda: Answer(7)).cancel()
    asker.worker.work()
    assert (5, ZeroDivisionError, 6) == (good.result(), type(bad.exception()), alone.result())
    assert [{"status": "cancelled"}, {"hits": 1}, {"status": "error", "error": "ZeroDivisionError"}] == [
        answer.told for _asked, answer in asker.root.told
    ]


def test_servers_are_asked_unless_the_editor_says_no(asker: Asker) -> None:
    """The settings of now count."""
    found = [asker.questions.asks_servers]
    asker.client.options = options_of({"lsp": {"enabled": False}})[0]
    assert [True, False] == [*found, asker.questions.asks_servers]


@pytest.mark.parametrize(
    ("data", "is_ours"),
    [
        ({"name": "a", "line": 0}, True),
        ({"name": "a", "line": 0, "more": []}, True),
        ({"name": "a", "line": -1}, False),
        ({"name": "a", "line": True}, False),
        ({"name": 1, "line": 0}, False),
        ({"line": 0}, False),
        (["name", "line"], False),
        (None, False),
    ],
)
def test_what_comes_back_is_looked_at(data: Any, *, is_ours: bool) -> None:
    """A client may send anything."""
    assert is_ours == holds(data, (("name", str), ("line", int)))
