"""Tests of ctx.infrastructure.editor.documents."""

from __future__ import annotations

import pytest
from lsprotocol import types

from ctx.infrastructure.editor.documents import Documents, path_of


def partial(line: int, start: int, end: int, text: str) -> types.TextDocumentContentChangePartial:
    span = types.Range(types.Position(line, start), types.Position(line, end))
    return types.TextDocumentContentChangePartial(span, text)


def test_one_file_has_one_document_however_it_is_spelled() -> None:
    """Escaped or not, with a host or without: the path decides."""
    documents = Documents()
    opened = documents.open("file:///a%20b/%C3%BC.py", "python", 1, "")
    for uri in ("file:///a%20b/%c3%bc.py", "file:///a b/ü.py", "file://host/a b/%C3%BC.py", "FILE:///a%20b/ü.py"):
        assert documents.get(uri) is opened
    assert documents.at("/a b/ü.py".encode()) is opened
    assert documents.get("untitled:Untitled-1") is None


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///a/b.py", b"/a/b.py"),
        ("file:///a/b.py#L1", b"/a/b.py"),
        ("file:///a%00b.py", b""),
        ("untitled:/a/b.py", b""),
        ("git:/a/b.py?x", b""),
        ("", b""),
    ],
)
def test_path_is_of_files_only(uri: str, path: bytes) -> None:
    """What is no file on disk has no path."""
    assert path == path_of(uri)


def test_changes_are_taken_in_order() -> None:
    """Pieces and whole texts in one notification apply one after the other, in the negotiated units."""
    documents = Documents()
    documents.encoding = "utf-8"
    documents.open("untitled:a", "python", 3, "é = 1\n")
    whole = types.TextDocumentContentChangeWholeDocument("é = 2\n")
    document = documents.change("untitled:a", 4, [whole, partial(0, 2, 4, ":")])
    assert document is not None
    assert ("é: 2\n", 4, True) == (document.content.text, document.version, document.is_unsaved)


def test_change_of_what_is_not_open_is_none() -> None:
    """A client's mistake is no document."""
    assert Documents().change("untitled:a", 1, []) is None


@pytest.mark.parametrize(
    ("uri", "language_id", "text", "language"),
    [
        ("file:///a.py", "plaintext", "", "python"),
        ("untitled:a", "python", "", "python"),
        ("untitled:a", "typescriptreact", "", "tsx"),
        ("untitled:a", "shellscript", "", "bash"),
        ("untitled:a", "brainfuck", "", "text"),
        ("file:///bin/tool", "", "#!/usr/bin/env python3\n", "python"),
        ("file:///bin/tool", "ruby", "", "ruby"),
    ],
)
def test_language_is_the_paths_else_the_editors(uri: str, language_id: str, text: str, language: str) -> None:
    """A name or a first line that says what it is beats the editor's word."""
    assert language == Documents().open(uri, language_id, 1, text).language


def test_closed_document_is_gone() -> None:
    """It is handed back once."""
    documents = Documents()
    opened = documents.open("untitled:a", "", 1, "")
    assert [opened] == list(documents)
    assert documents.close("untitled:a") is opened
    assert documents.close("untitled:a") is None


@pytest.mark.parametrize(
    ("text", "changes", "expected"),
    [
        ("# hi", [partial(0, 4, 4, "\ud83d"), partial(0, 5, 5, "\ude00"), partial(0, 6, 6, "!")], "# hi😀!"),
        ("a😀b", [partial(0, 2, 3, "\ude01"), partial(0, 3, 4, "c")], "a😁c"),
        ("a😀b", [partial(0, 1, 2, "\ud83e"), partial(0, 3, 3, "x")], "a\U0001fa00xb"),
        ("a😀b", [partial(0, 2, 3, ""), partial(0, 2, 2, "x")], "a\ud83dxb"),
        ("a\ud83d", [partial(0, 2, 2, "\ude00")], "a😀"),
    ],
)
def test_halves_of_a_character_are_counted_and_joined(
    text: str, changes: list[types.TextDocumentContentChangePartial], expected: str
) -> None:
    """Whoever counts in UTF-16 may send, change and take away one half; two that meet are one character."""
    documents = Documents()
    documents.open("untitled:a", "python", 1, text)
    for change in changes:
        document = documents.change("untitled:a", None, [change])
        assert document is not None
    assert (expected, "\ud83d" in expected) == (document.content.text, document.has_halves)


def test_forgotten_document_comes_back_with_a_whole_text() -> None:
    """Pieces of a text that is not known are of no use."""
    documents = Documents()
    opened = documents.open("untitled:a", "python", 1, "a")
    assert opened is documents.forget("untitled:a")
    assert documents.get("untitled:a") is None
    assert documents.forget("untitled:a") is None
    assert documents.change("untitled:a", 2, [partial(0, 0, 1, "b")]) is None
    whole = types.TextDocumentContentChangeWholeDocument("c")
    assert opened is documents.change("untitled:a", 3, [whole, partial(0, 1, 1, "d")])
    assert "cd" == opened.content.text
