"""Places in a text: ctx's way of counting and the protocol's, there and back."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctx.domain.text_positions import PositionEncoding, TextLines, column_at, to_server, units_before

ENCODINGS: tuple[PositionEncoding, ...] = ("utf-8", "utf-16", "utf-32")
ASTRAL = "\U0001d4b3"
TEXTS = st.text(alphabet=st.sampled_from(f"ab \n\r\x0c\u2028é\u0301{ASTRAL}日"), max_size=40)


@pytest.mark.parametrize(
    ("column", "utf_8", "utf_16", "utf_32"),
    [(1, 0, 0, 0), (2, 4, 2, 1), (3, 6, 3, 2), (4, 8, 4, 3), (5, 9, 5, 4), (99, 9, 5, 4), (0, 0, 0, 0)],
)
def test_units_are_those_of_the_encoding(column: int, utf_8: int, utf_16: int, utf_32: int) -> None:
    """An astral letter takes 4, 2 and 1 units, an accented one 2, 1 and 1, a combining accent counts by itself."""
    text = f"{ASTRAL}é\u0301x"
    assert (utf_8, utf_16, utf_32) == tuple(units_before(text, column, encoding) for encoding in ENCODINGS)


@given(st.text(max_size=20), st.sampled_from(ENCODINGS), st.integers(0, 25))
def test_columns_come_back(text: str, encoding: PositionEncoding, column: int) -> None:
    """Of every column in a line; one past the end is the end."""
    inside = min(max(column, 1), len(text) + 1)
    assert inside == column_at(text, units_before(text, column, encoding), encoding)


def test_a_unit_inside_a_character_is_that_character() -> None:
    """A server that counts wrongly does not move us into the next one."""
    assert [1, 1, 1, 1, 2, 3, 3] == [column_at(f"{ASTRAL}x", units, "utf-8") for units in (0, 1, 2, 3, 4, 5, 99)]
    assert [1, 1, 2, 3] == [column_at(f"{ASTRAL}x", units, "utf-16") for units in (0, 1, 2, 3)]
    assert 1 == column_at("x", -4, "utf-16")


@given(TEXTS, st.sampled_from(ENCODINGS), st.integers(1, 12), st.integers(1, 12))
def test_places_come_back(text: str, encoding: PositionEncoding, line: int, column: int) -> None:
    """Of every place in a text, whatever ends its lines; one outside is moved to the nearest inside."""
    lines = text.split("\n")
    line = min(line, len(lines))
    own = lines[line - 1].removesuffix("\r")
    column = min(column, len(own) + 1)
    assert (line, column) == TextLines(text).from_server(*to_server(text, line, column, encoding), encoding)


@given(TEXTS, st.integers(1, 12), st.integers(1, 12))
def test_lines_are_the_protocols(text: str, line: int, column: int) -> None:
    """The server's line is that of a text cut at LF, CR LF and CR, and only there."""
    lines = text.split("\n")
    line = min(line, len(lines))
    column = min(column, len(lines[line - 1].removesuffix("\r")) + 1)
    offset = sum(len(one) + 1 for one in lines[: line - 1]) + column - 1
    theirs = re.split(r"\r\n|\r|\n", text[:offset])
    assert (len(theirs) - 1, len(theirs[-1])) == to_server(text, line, column, "utf-32")


@pytest.mark.parametrize(
    ("line", "column", "expected"), [(9, 1, (2, 0)), (2, 99, (1, 2)), (1, 99, (0, 1)), (3, 1, (2, 0))]
)
def test_a_place_past_the_end_is_the_end(line: int, column: int, expected: tuple[int, int]) -> None:
    """Of the line, or of the text; the CR of a line end is not in the line."""
    assert expected == to_server("a\r\nbc\r\n", line, column, "utf-16")


@pytest.mark.parametrize(
    ("line", "character", "expected"), [(0, 99, (1, 2)), (99, 0, (3, 1)), (1, 1, (2, 2)), (-1, 0, (1, 1))]
)
def test_a_server_that_points_outside_is_moved_in(line: int, character: int, expected: tuple[int, int]) -> None:
    """It may have read another state of the file."""
    assert expected == TextLines("a\r\nbc\r\n").from_server(line, character, "utf-8")
    assert expected == TextLines("a\nbc\n").from_server(line, character, "utf-8")


def test_a_lone_return_ends_a_line_for_the_server_alone() -> None:
    """ctx shows such a text as one line, as `grep -n` does."""
    text = "one\rtwo\nthree"
    assert (1, 1) == to_server(text, 1, 6, "utf-16")
    assert (1, 6) == TextLines(text).from_server(1, 1, "utf-16")
    assert (2, 0) == to_server(text, 2, 1, "utf-16")
    assert (2, 1) == TextLines(text).from_server(2, 0, "utf-16")
    assert (2, 6) == TextLines(text).from_server(99, 99, "utf-16")


@pytest.mark.parametrize(("line", "expected"), [(1, "a"), (2, "b"), (3, ""), (4, ""), (0, ""), (-1, "")])
def test_a_line_without_its_end(line: int, expected: str) -> None:
    """And nothing for one that is not there."""
    assert expected == TextLines("a\r\nb\n").line(line)
