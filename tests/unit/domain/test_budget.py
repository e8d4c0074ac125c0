"""Budgets: never over them, whole lines from the start, as many as fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctx.domain.budget import Fitted, check_budget, fit_lines
from ctx.domain.errors import UsageError

_texts = st.text(alphabet="ab \n\r\x0c\u2028", max_size=200)


def lines_of(text: str) -> list[str]:
    parts = text.split("\n")
    return [part + "\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


@given(_texts, st.integers(0, 250))
def test_the_result_is_the_longest_run_of_whole_lines_that_fits(text: str, budget: int) -> None:
    """With a counter that grows with the text, no further line would fit."""
    fitted = fit_lines(text, budget, len)
    lines = lines_of(text)
    kept = len(lines) - fitted.lines_left
    assert "".join(lines[:kept]) == fitted.text
    assert len(fitted.text) == fitted.tokens <= budget
    assert fitted.truncated == (fitted.text != text)
    assert not fitted.truncated or len("".join(lines[: kept + 1])) > budget


@given(_texts, st.integers(0, 60), st.randoms(use_true_random=False))
def test_the_result_never_passes_the_budget_whatever_the_counter(text: str, budget: int, random: object) -> None:
    """Tokens of a longer text may be fewer; what is returned was counted itself."""

    def count(part: str) -> int:
        return hash(part) % 61

    fitted = fit_lines(text, budget, count)
    assert text.startswith(fitted.text)
    assert fitted.tokens <= budget
    assert fitted.tokens == (count(fitted.text) if fitted.text else 0) or not fitted.truncated
    assert fitted.text in {"".join(lines_of(text)[:n]) for n in range(len(lines_of(text)) + 1)}


def test_the_text_is_counted_a_logarithm_of_times() -> None:
    """A thousand lines take at most twelve counts."""
    counted: list[int] = []

    def count(part: str) -> int:
        counted.append(len(part))
        return len(part)

    fitted = fit_lines("x\n" * 1000, 777, count)
    assert Fitted("x\n" * 388, 776, True, 612) == fitted
    assert len(counted) <= 12


@pytest.mark.parametrize(
    ("text", "budget", "expected"),
    [
        ("", 1, Fitted("", 0, False, 0)),
        ("abc", 3, Fitted("abc", 3, False, 0)),
        ("abc", 2, Fitted("", 0, True, 1)),
        ("a\r\nb", 3, Fitted("a\r\n", 3, True, 1)),
        ("a\rb\n", 3, Fitted("", 0, True, 1)),
        ("\n\n\n", 2, Fitted("\n\n", 2, True, 1)),
    ],
)
def test_lines_end_at_line_feeds_alone(text: str, budget: int, expected: Fitted) -> None:
    """A carriage return stays in its line; a line over the budget is left out whole."""
    assert expected == fit_lines(text, budget, len)


def test_a_budget_is_at_least_one_token() -> None:
    """Zero and less are the caller's mistake, and the message says so."""
    assert 1 == check_budget(1)
    for tokens in (0, -5):
        with pytest.raises(UsageError, match=rf"--budget must be .* >= 1, found {tokens}$"):
            check_budget(tokens)
