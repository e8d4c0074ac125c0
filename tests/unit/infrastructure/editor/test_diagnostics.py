"""Tests of ctx.infrastructure.editor.diagnostics."""

from __future__ import annotations

from ctx.infrastructure.editor.diagnostics import SHOWN_MAX, syntax_diagnostics


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
