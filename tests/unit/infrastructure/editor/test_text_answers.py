"""Tests of ctx.infrastructure.editor.text_answers."""

from __future__ import annotations

import pytest

from ctx.infrastructure.editor.text_answers import TextAnswers

TEXT = """def outer(size):
    size = size + 1
    return inner(size)


def inner(n):
    return n


class Box:
    def inner(self): ...


Box().inner()
"""


@pytest.mark.parametrize(
    ("line", "column", "name", "bound", "defined"),
    [
        (3, 12, "inner", ((6, 5),), [6]),
        (2, 12, "size", ((1, 11), (2, 5)), []),
        (14, 7, "inner", (), [11]),
        (14, 2, "Box", ((10, 7),), [10]),
    ],
)
def test_name_is_looked_up_in_its_text(
    line: int, column: int, name: str, bound: tuple[tuple[int, int], ...], defined: list[int]
) -> None:
    """Scopes first, then definitions of the name; of a member those inside something."""
    spot = TextAnswers().spot(TEXT.encode(), "python", line, column)
    assert spot is not None
    assert (name, bound, defined) == (spot.name, spot.bound, [one.name_line for one in spot.definitions])


def test_nothing_stands_between_names() -> None:
    """No name, and no grammar, is no spot."""
    assert TextAnswers().spot(TEXT.encode(), "python", 4, 1) is None
    assert TextAnswers().spot(TEXT.encode(), "text", 3, 12) is None


def test_uses_are_names_and_not_words() -> None:
    """In source order; the empty list for a language without rules."""
    assert [(1, 1), (3, 1)] == TextAnswers().uses(b"ab = 1\n# ab\nab\n", "python", "ab")
    assert [] == TextAnswers().uses(b"ab\n", "text", "ab")
