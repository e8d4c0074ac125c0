"""Answers as people read them: what every face says in the same words."""

from __future__ import annotations

from ctx.application.get import GetAnswer, Item
from ctx.application.refresh_index import RefreshReport
from ctx.application.search import Hit, SearchAnswer
from ctx.application.text_search import TextHit, TextSearchAnswer
from ctx.domain.text_match import LineMatch
from ctx.infrastructure.answer_texts import (
    PLAIN,
    get_notes,
    get_text,
    search_notes,
    search_text,
    shortened,
    stale_notes,
    text_search_notes,
    text_search_text,
)

HIT = Hit("a.py#f@0123abcd", "a.py", 1, 3, "function", "f", "f", "python", 1.0, 12, "def f()", "def f()\nSay it.")


def test_long_query_is_repeated_shortened() -> None:
    """A note repeats at most 80 characters of a query."""
    assert ("q" * 80, "q" * 79 + "…") == (shortened("q" * 80), shortened("q" * 81))


def test_changes_another_process_takes_in_are_said() -> None:
    """How many, and that the answer does not know of them."""
    assert [] == stale_notes(RefreshReport())
    assert ["2 changed files are being indexed by another ctx; they answer as before"] == stale_notes(
        RefreshReport(stale=("a", "b"))
    )


def test_hit_is_its_id_lines_cost_and_what_it_says() -> None:
    """The snippet's lines are indented under the id."""
    answer = SearchAnswer("f", (HIT,), 5, 2)
    assert "a.py#f@0123abcd L1-3 12t\n  def f()\n  Say it." == search_text(answer, PLAIN)
    assert ["2 more hits did not fit the budget of 9 tokens (--budget)"] == search_notes(
        answer, RefreshReport(), budget_tokens=9
    )


def test_matching_lines_stand_under_their_hit() -> None:
    """With their numbers, and how many more there are."""
    match = LineMatch(2, 5, "    return 1", 4, 10)
    answer = TextSearchAnswer("return", (TextHit(HIT, (match,), 3),), 9, 4, is_cut=True)
    assert "a.py#f@0123abcd L1-3 12t\n  2: return 1\n  and 3 more lines" == text_search_text(answer, PLAIN)
    assert ["ended after 4 matching lines; a narrower pattern or --path shows the rest"] == text_search_notes(
        answer, RefreshReport(), budget_tokens=9, deadline_s=10
    )


def test_item_stands_under_a_line_that_says_what_it_is() -> None:
    """What was cut and what was left out are notes."""
    item = Item("a.py", "a.py", "a.py", 1, 2, "file", "", "python", "raw", "x = 1\n", 4, True, "1 more lines: …", 9)
    answer = GetAnswer((item,), 4, ("b.py",))
    assert "== a.py:1-2  4t\nx = 1\n" == get_text(answer, PLAIN)
    assert ["a.py: 1 more lines: …", "left out for the budget of 4 tokens: b.py"] == get_notes(answer, budget_tokens=4)
