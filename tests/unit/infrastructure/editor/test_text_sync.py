"""Tests of ctx.infrastructure.editor.text_sync, on a manual loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from lsprotocol import types
from tests.editor_parts import AskingEditor, RecordingRoot

from ctx.infrastructure.editor.options import options_of
from ctx.infrastructure.editor.text_sync import UNSAVED_AFTER_S
from ctx.infrastructure.file_system import MAX_FILE_BYTES

if TYPE_CHECKING:
    from pathlib import Path


class Synced(AskingEditor):
    """One open document `a.py` of one root."""

    def __init__(self, folder: Path) -> None:
        self.root = RecordingRoot(folder)
        super().__init__(self.root)
        self.uri = (folder / "a.py").as_uri()

    def open(self, text: str = "x = 0\n") -> None:
        """Open the document, as editors do with the same version each time."""
        item = types.TextDocumentItem(self.uri, "python", 1, text)
        self.sync.did_open(types.DidOpenTextDocumentParams(item))

    def change(self, text: str, uri: str = "") -> None:
        changed = types.VersionedTextDocumentIdentifier(2, uri or self.uri)
        whole = types.TextDocumentContentChangeWholeDocument(text)
        self.sync.did_change(types.DidChangeTextDocumentParams(changed, [whole]))

    def close(self) -> None:
        self.sync.did_close(types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(self.uri)))

    def published(self) -> list[int]:
        """Return how many syntax errors were shown, each time."""
        return [
            len(params["diagnostics"])
            for method, params in self.protocol.told
            if method == "textDocument/publishDiagnostics"
        ]

    def notes(self) -> list[str]:
        return [params["message"] for method, params in self.protocol.told if method == "window/logMessage"]


@pytest.fixture
def synced(tmp_path: Path) -> Synced:
    """A document that was opened."""
    made = Synced(tmp_path)
    made.open()
    return made


def test_first_change_is_told_at_once_and_the_next_when_typing_rests(synced: Synced) -> None:
    """At once is after the messages that came with it; each key of a word is not worth a telling."""
    synced.change("x = 1\n")
    synced.change("x = 2\n")
    assert [] == synced.root.unsaved
    synced.loop.advance_s(UNSAVED_AFTER_S)
    for text in ("x = 3\n", "x = 4\n", "x = 5\n"):
        synced.loop.advance_s(UNSAVED_AFTER_S / 2)
        synced.change(text)
    told = list(synced.root.unsaved)
    synced.loop.advance_s(UNSAVED_AFTER_S)
    assert ([("a.py", "x = 2\n")], [("a.py", "x = 2\n"), ("a.py", "x = 5\n")]) == (told, synced.root.unsaved)


def test_one_change_is_told_in_the_next_turn_of_the_loop(synced: Synced) -> None:
    """A shell that asks a moment later sees it."""
    synced.change("x = 1\n")
    synced.loop.advance_s(0)
    assert [("a.py", "x = 1\n")] == synced.root.unsaved


def test_question_has_every_text_told_first_and_once(synced: Synced) -> None:
    """What waits for typing to rest does not wait for it then, nor is it told again."""
    synced.change("x = 1\n")
    synced.sync.tell_all_unsaved()
    synced.sync.tell_all_unsaved()
    synced.loop.advance_s(10)
    assert [("a.py", "x = 1\n")] == synced.root.unsaved


@pytest.mark.parametrize("end", ["saved", "closed", "lost"])
def test_file_answers_again(synced: Synced, end: str) -> None:
    """After the save, the close, or a change that nobody could read; what was not told yet never is."""
    synced.change("x = 1\n")
    identifier = types.TextDocumentIdentifier(synced.uri)
    if end == "saved":
        synced.sync.did_save(types.DidSaveTextDocumentParams(identifier))
    elif end == "closed":
        synced.close()
    else:
        synced.sync.forget(synced.uri)
    synced.loop.advance_s(10)
    assert [("a.py", None)] == synced.root.unsaved
    assert (end == "saved") == (synced.documents.get(synced.uri) is not None)
    assert (end == "lost") == any("a change of a.py could not be read" in note for note in synced.notes())


def test_lost_change_of_an_unknown_document_is_one_of_any(synced: Synced) -> None:
    """A wrong text answers wrongly, the file's at least rightly."""
    synced.sync.forget("")
    assert [("a.py", None)] == synced.root.unsaved


def test_text_that_is_too_large_gives_way_to_the_file(synced: Synced) -> None:
    """And the person is told."""
    synced.change("#" * (MAX_FILE_BYTES + 1))
    synced.sync.tell_all_unsaved()
    assert [("a.py", None)] == synced.root.unsaved
    assert ["the file as it was saved answers in its place" in note for note in synced.notes()] == [True]


def test_change_of_what_is_not_open_is_left_out(synced: Synced) -> None:
    """It is noted as the client's mistake."""
    synced.change("x = 1\n", synced.uri + "x")
    synced.loop.advance_s(10)
    assert ([], 1) == (synced.root.unsaved, len(synced.notes()))


def test_document_outside_of_every_root_is_nobodys(synced: Synced) -> None:
    """Its text is known all the same."""
    item = types.TextDocumentItem("untitled:Untitled-1", "python", 1, "")
    synced.sync.did_open(types.DidOpenTextDocumentParams(item))
    synced.change("y = 1\n", item.uri)
    synced.sync.tell_all_unsaved()
    document = synced.documents.get(item.uri)
    assert document is not None
    assert ([], "y = 1\n") == (synced.root.unsaved, document.content.text)


def test_syntax_errors_follow_the_text_and_go_with_it(synced: Synced) -> None:
    """Opened, changed, closed: each has its word, where the option is on."""
    synced.client.options = options_of({"diagnostics": True})[0]
    synced.open()
    synced.worker.work()
    synced.change("x = = 1\n")
    synced.sync.tell_all_unsaved()
    synced.worker.work()
    synced.close()
    assert [0, 1, 0] == synced.published()
    assert [synced.uri, synced.uri] == synced.roots.opened


@pytest.mark.parametrize("is_opened_again", [False, True])
def test_errors_of_a_document_that_is_closed_are_not_shown(synced: Synced, *, is_opened_again: bool) -> None:
    """Found while it was closed, they would stay for ever."""
    synced.client.options = options_of({"diagnostics": True})[0]
    synced.open("def f(:\n")
    synced.close()
    if is_opened_again:
        synced.open("def f(): ...\n")
    synced.worker.work()
    assert [0] * (2 if is_opened_again else 1) == synced.published()
