"""Tests of ctx.infrastructure.editor.diagnostics."""

from __future__ import annotations

from typing import Any

import pytest
from tests.editor_parts import HeardProtocol, ManualWorker

from ctx.infrastructure.editor.client import EditorClient
from ctx.infrastructure.editor.diagnostics import SHOWN_MAX, Diagnostics, syntax_diagnostics
from ctx.infrastructure.editor.documents import Documents
from ctx.infrastructure.editor.options import options_of


def test_errors_and_what_is_missing_are_placed() -> None:
    """What had to be skipped, and what had to be thought of, each with its range in the client's units."""
    (skipped,) = syntax_diagnostics("x = '🛒' ? 2\n", "python", "utf-16")
    assert ("syntax error", "ctx", 1) == (skipped["message"], skipped["source"], skipped["severity"])
    assert [(0, 4), (0, 10)] == [(at["line"], at["character"]) for at in skipped["range"].values()]
    (missing,) = syntax_diagnostics("x = 1\ndef f(:\n  pass\n", "python", "utf-16")
    assert ("missing )", {"line": 1, "character": 6}) == (missing["message"], missing["range"]["start"])


def test_sound_text_and_unknown_language_have_none() -> None:
    """No grammar, no errors."""
    assert [] == syntax_diagnostics("x = 1\n", "python", "utf-8")
    assert [] == syntax_diagnostics("x = = 1\n", "text", "utf-8")


def test_as_many_as_anyone_reads() -> None:
    """A text in another language is not a thousand errors."""
    assert SHOWN_MAX == len(syntax_diagnostics("def f(:\n    pass\n\nx = 1\n\n" * 200, "python", "utf-8"))


def published(protocol: HeardProtocol) -> list[Any]:
    """Return what was published."""
    return [params for method, params in protocol.told if method == "textDocument/publishDiagnostics"]


@pytest.mark.parametrize("is_on", [True, False])
@pytest.mark.parametrize("has_versions", [True, False])
def test_errors_are_published_on_request(*, is_on: bool, has_versions: bool) -> None:
    """With the document's version for a client that knows of versions; looked for after what is asked."""
    protocol, worker = HeardProtocol(), ManualWorker()
    client = EditorClient(protocol)  # type: ignore[arg-type]
    client.options = options_of({"diagnostics": is_on})[0]
    client.capabilities = {"textDocument": {"publishDiagnostics": {"versionSupport": has_versions}}}
    documents = Documents()
    document = documents.open("file:///a.py", "python", 7, "x = = 1\n")
    diagnostics = Diagnostics(client, documents, worker)  # type: ignore[arg-type]
    diagnostics.diagnose(document)
    worker.work()
    version = {"version": 7} if has_versions else {}
    found = syntax_diagnostics("x = = 1\n", "python", "utf-8")
    assert ([{"uri": "file:///a.py", "diagnostics": found} | version] if is_on else []) == published(protocol)
    assert ([2] if is_on else []) == worker.urgencies
    diagnostics.clear(document)
    assert {"uri": "file:///a.py", "diagnostics": []} == published(protocol)[-1]


def test_errors_of_an_older_text_are_not_published() -> None:
    """Those of the newer one are under way."""
    protocol, worker, documents = HeardProtocol(), ManualWorker(), Documents()
    client = EditorClient(protocol)  # type: ignore[arg-type]
    client.options = options_of({"diagnostics": True})[0]
    document = documents.open("file:///a.py", "python", 1, "x = = 1\n")
    Diagnostics(client, documents, worker).diagnose(document)  # type: ignore[arg-type]
    documents.change(document.uri, 2, [])
    worker.work()
    assert [] == published(protocol)
