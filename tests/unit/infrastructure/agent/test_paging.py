"""Pages and cursors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctx.domain.errors import UsageError
from ctx.infrastructure.agent.paging import Place, cursor_of, fitting, read_cursor

QUESTION = {"tool": "ctx_search", "query": "cart", "cursor": None, "limit": 10, "max_tokens": 8000}


@given(st.integers(0, 999_999), st.integers(0, 9_999_999), st.integers(0, 99_999_999))
def test_cursor_says_where_the_page_begins(rows: int, lines: int, tokens: int) -> None:
    """What is written is read, whatever the limits of the page."""
    place = Place(rows, lines, tokens)
    cursor = cursor_of(place, QUESTION, "7")
    assert (place, False) == read_cursor(cursor, QUESTION | {"limit": 3, "cursor": cursor}, "7")
    assert (place, True) == read_cursor(cursor, QUESTION, "8")


def test_no_cursor_is_the_first_page() -> None:
    """None and an empty text are none."""
    assert [(Place(), False)] * 2 == [read_cursor(cursor, QUESTION, "7") for cursor in (None, "")]
    assert Place().is_start


@given(st.text(max_size=60))
def test_anything_else_is_refused(text: str) -> None:
    """In one line that says what to do."""
    with pytest.raises(UsageError, match="leave it out"):
        read_cursor(text or "x", QUESTION, "7")


def test_cursor_of_another_question_is_refused() -> None:
    """The place of one list is none in another."""
    cursor = cursor_of(Place(10), QUESTION, "7")
    with pytest.raises(UsageError, match="belongs to another question"):
        read_cursor(cursor, QUESTION | {"query": "basket"}, "7")


@given(st.lists(st.text(max_size=9), max_size=9), st.integers(0, 60))
def test_parts_fit_with_the_line_ends_between_them(parts: list[str], budget: int) -> None:
    """As many leading parts as the budget holds, no more and no less."""
    taken = fitting(parts, budget, len)
    cost = [sum(len(part) + 1 for part in parts[:at]) for at in range(len(parts) + 1)]
    assert cost[taken] <= budget or taken == 0
    assert taken == len(parts) or cost[taken + 1] > budget
