"""Tests of ctx.domain.document_text: changes against the plain definition of the protocol."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctx.domain.document_text import DocumentText

PIECES = st.text(alphabet="ab\r\n\x0c\u2028é🛒", max_size=12)
POSITIONS = st.tuples(st.integers(0, 6), st.integers(0, 6))


def offset_of(text: str, line: int, unit: int) -> int:
    """Return where a position counted in characters is in a text, by looking for every line end anew."""
    starts = [0, *(match.end() for match in re.finditer(r"\r\n|\r|\n", text))]
    if line >= len(starts):
        return len(text)
    end = re.compile(r"\r\n|\r|\n").search(text, starts[line])
    return min(starts[line] + unit, end.start() if end else len(text))


@given(PIECES, st.lists(st.tuples(POSITIONS, POSITIONS, PIECES), max_size=4))
def test_changes_equal_those_of_the_whole_text(
    text: str, changes: list[tuple[tuple[int, int], tuple[int, int], str]]
) -> None:
    """Any edits of any text, line ends among them, leave the text that replacing between two offsets leaves."""
    content = DocumentText(text)
    for start, end, new in changes:
        first = offset_of(text, *start)
        last = max(first, offset_of(text, *end))
        text = text[:first] + new + text[last:]
        content.replace(start, end, new, "utf-32")
        assert text == content.text
        assert len(text) == len(content)
        assert 1 + len(re.findall(r"\r\n|\r|\n", text)) == content.line_count


@given(PIECES, POSITIONS, st.sampled_from(["utf-8", "utf-16", "utf-32"]))
def test_places_come_back(text: str, position: tuple[int, int], encoding: str) -> None:
    """A place of ctx's is the same after a detour over the editor's positions."""
    content = DocumentText(text)
    line, column = content.place_of(*position, encoding)  # type: ignore[arg-type]  # one of the three
    at = content.position_of(line, column, encoding)  # type: ignore[arg-type]
    assert (line, column) == content.place_of(*at, encoding)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("encoding", "unit"),
    [("utf-8", 7), ("utf-16", 4), ("utf-32", 3)],
)
def test_units_are_those_of_the_encoding(encoding: str, unit: int) -> None:
    """The same place behind an é and a 🛒 has another number in each encoding."""
    content = DocumentText("x\né🛒!name\n")
    content.replace((1, unit), (1, unit + 4), "other", encoding)  # type: ignore[arg-type]  # one of the three
    assert "x\né🛒!other\n" == content.text
    assert (2, 4) == content.place_of(1, unit, encoding)  # type: ignore[arg-type]
    assert (1, unit) == content.position_of(2, 4, encoding)  # type: ignore[arg-type]


def test_lone_returns_end_lines_for_editors_only() -> None:
    """An editor's line 1 behind a lone CR is on ctx's line 1."""
    content = DocumentText("a\rbc\nd")
    assert (1, 4) == content.place_of(1, 1, "utf-16")
    assert (1, 1) == content.position_of(1, 4, "utf-16")
    assert (2, 0) == content.position_of(2, 1, "utf-16")


def test_lines_outside_are_empty() -> None:
    """A line that is not there has no text, a column past the end is the end."""
    content = DocumentText("ab\r\ncd")
    assert ("ab", "cd", "", "") == tuple(content.line(line) for line in (0, 1, 2, -1))
    assert (1, 3) == content.place_of(0, 99, "utf-16")
    assert (2, 3) == content.place_of(99, 0, "utf-16")
    assert (1, 2) == content.position_of(99, 1, "utf-16")


def test_head_of_a_changed_text_is_not_all_of_it() -> None:
    """The beginning is there without joining what follows."""
    content = DocumentText("line\n" * 1000)
    content.replace((0, 0), (0, 4), "first", "utf-8")
    assert "first\nline" == content.head(10)
    assert "first\nline" == DocumentText("first\nline\n").head(10)
