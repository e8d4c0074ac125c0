"""Fitting text into a token budget: never over it, cut at line ends, and said so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Fitted:
    """The part of a text that fits: `lines_left` counts the lines that were cut off."""

    text: str
    tokens: int
    truncated: bool
    lines_left: int


def check_budget(tokens: int) -> int:
    """Return the budget when it is one.

    Raises: UsageError for a budget below 1.
    """
    if tokens < 1:
        raise UsageError(f"--budget must be a whole number of tokens >= 1, found {tokens}")
    return tokens


def fit_lines(text: str, budget_tokens: int, count: Callable[[str], int]) -> Fitted:
    """Return the longest run of leading whole lines within the budget (empty when the first line is over it).

    Tokens are counted on the very text that is returned, because tokens of parts do not add up to those of the
    whole. Binary search: at most log2(lines) + 1 counts.
    """
    total = count(text)
    if total <= budget_tokens:
        return Fitted(text, total, truncated=False, lines_left=0)
    lines = _split_lf(text)
    low, high = 0, len(lines) - 1  # `low` lines are known to fit, more than `high` are known not to
    best, best_tokens = "", 0
    while low < high:
        middle = (low + high + 1) // 2
        candidate = "".join(lines[:middle])
        tokens = count(candidate)
        if tokens <= budget_tokens:
            low, best, best_tokens = middle, candidate, tokens
        else:
            high = middle - 1
    return Fitted(best, best_tokens, truncated=True, lines_left=len(lines) - low)


def _split_lf(text: str) -> list[str]:
    """Split after LF alone: a lone CR, a form feed or U+2028 ends no line of source code."""
    parts = text.split("\n")
    lines = [part + "\n" for part in parts[:-1]]
    return [*lines, parts[-1]] if parts[-1] else lines
