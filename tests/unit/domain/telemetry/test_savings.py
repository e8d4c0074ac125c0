"""What answers cost against reading files whole."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctx.domain.telemetry import savings as savings_module
from ctx.domain.telemetry.savings import DEFINITION, Savings, path_of_id

DAY_US = 86_400_000_000


def get(savings: Savings, files: Any, tokens: int, *, at_us: int = 0, segment: str = "0123abcd") -> None:
    savings.add_get({"segment_id": segment, "file_tokens": files}, {}, at_us, tokens)


def test_a_file_counts_whole_once_a_day() -> None:
    """At the largest size it had; another segment's file of that name is another; the next day it is paid again."""
    savings = Savings()
    get(savings, {"a.py": 100}, 10)
    get(savings, {"a.py": 120, "b.py": 50}, 20, at_us=DAY_US - 1)
    get(savings, {"a.py": 110}, 5, at_us=DAY_US)
    get(savings, {"a.py": 7}, 5, segment="fedcba98")
    savings.add_search(30)
    expected = {
        "answers": 5,
        "files": 4,
        "whole_file_tokens": 120 + 50 + 110 + 7,
        "get_tokens": 40,
        "search_tokens": 30,
        "saved_tokens": 287 - 70,
        "saved_share": 217 / 287,
        "uncredited": 0,
        "capped": False,
        "definition": DEFINITION,
    }
    assert expected == savings.document()


def test_it_may_have_cost_more_than_it_saved() -> None:
    """Searches that led nowhere are paid; a share of nothing is not known."""
    savings = Savings()
    savings.add_search(30)
    assert (-30, None) == (savings.document()["saved_tokens"], savings.document()["saved_share"])


@pytest.mark.parametrize(
    ("result", "whole", "uncredited"),
    [
        ({"hits": 1, "returned_ids": ["src/a.py#f@01234567"]}, 100, 0),
        ({"hits": 2, "returned_ids": ["src/a.py#f@01234567", "src/a.py:3-9"]}, 100, 0),
        ({"hits": 2, "returned_ids": ["src/a.py#f@01234567", "src/b.py"]}, 0, 1),
        ({"hits": 11, "returned_ids": ["src/a.py#f@01234567"]}, 0, 1),
        ({"hits": 1, "returned_ids": [7]}, 0, 1),
        ({"hits": 0, "returned_ids": "src/a.py"}, 0, 1),
        ({}, 0, 1),
    ],
)
def test_an_older_answer_is_credited_when_it_is_of_one_file(
    result: dict[str, Any], whole: int, uncredited: int
) -> None:
    """Without figures by file nothing else is certain, and what is not certain is not counted as saved."""
    savings = Savings()
    savings.add_get({"segment_id": "0123abcd", "whole_file_tokens": 100}, result, 0, 10)
    found = savings.document()
    assert (whole, uncredited, 10) == (found["whole_file_tokens"], found["uncredited"], found["get_tokens"])


def test_an_id_names_its_file() -> None:
    """With a symbol, a line, lines, or by itself; a colon in a name stays."""
    ids = ("a/b.py#f@01234567", "a/b.py:3", "a/b.py:3-9", "a/b.py", "a:b.py")
    assert ["a/b.py"] * 4 + ["a:b.py"] == [path_of_id(each) for each in ids]


def test_figures_that_are_none_credit_nothing() -> None:
    """Texts, negative ones, and a file's that anybody typed."""
    savings = Savings()
    get(savings, {"a.py": "100", "b.py": -1, "c.py": 10**18, "\ud800": 5}, 10)
    assert 5 == savings.document()["whole_file_tokens"]


def test_beyond_the_limit_no_file_is_credited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are known still are, which is said."""
    monkeypatch.setattr(savings_module, "FILES_MAX", 2)
    savings = Savings()
    get(savings, {"a.py": 1, "b.py": 1, "c.py": 100}, 0)
    get(savings, {"a.py": 5}, 0)
    assert (6, True) == (savings.document()["whole_file_tokens"], savings.document()["capped"])


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 99), st.integers(0, 3).map(lambda n: n * DAY_US))),
    st.integers(0, 20),
)
def test_parts_put_together_are_the_whole(answers: list[tuple[str, int, int]], cut: int) -> None:
    """A file that both parts know counts once."""
    whole, one, other = (Savings() for _ in range(3))
    for number, (path, tokens, at_us) in enumerate(answers):
        for savings in (whole, one if number < cut else other):
            get(savings, {path: tokens}, 1, at_us=at_us)
            savings.add_search(2)
    one.merge(other)
    assert whole.document() == one.document()
