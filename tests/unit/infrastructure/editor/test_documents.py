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
