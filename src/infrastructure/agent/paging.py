"""Pages: which part of a long answer is handed on now, and the cursor that asks for the next.

A cursor carries where the next page begins, what the index was then and a digest of the question. It is of no use for
another question, and it outlives a change of the index: the page is given, and the answer says that the list moved.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...domain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_FORM = re.compile(
    r"(?P<rows>[0-9]{1,6})-(?P<lines>[0-9]{1,7})-(?P<tokens>[0-9]{1,8})-(?P<state>[0-9a-f]{6})(?P<asked>[0-9a-f]{6})"
)
_NOT_ASKED = frozenset({"cursor", "max_tokens", "limit"})
"""What may differ between two pages of one answer."""
_NAMES_SHARE = 0.2
MOVED = "the index changed since the page before: rows may be missing or come twice; ask without cursor to begin anew"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: after `rows` whole rows, and `lines` lines of the next one.

    `tokens` is what was handed on of the text before, for answers that are cut by a budget of tokens.
    """

    rows: int = 0
    lines: int = 0
    tokens: int = 0

    @property
    def is_start(self) -> bool:
        """Whether this is the first page."""
        return not (self.rows or self.lines)


def cursor_of(place: Place, question: dict[str, Any], index_state: str) -> str:
    """Return the cursor of a page that begins at a place."""
    return f"{place.rows}-{place.lines}-{place.tokens}-{_digest(index_state)}{_question(question)}"


def read_cursor(cursor: str | None, question: dict[str, Any], index_state: str) -> tuple[Place, bool]:
    """Return where the page begins that a cursor asks for, and whether the index is another one since.

    Raises: UsageError for what is no cursor of ctx or belongs to another question.
    """
    if not cursor:
        return Place(), False
    found = _FORM.fullmatch(cursor)
    if found is None:
        raise UsageError("cursor is none that ctx gave; pass next_cursor as it was, or leave it out for the first page")
    if found["asked"] != _question(question):
        raise UsageError("cursor belongs to another question; repeat the arguments it came with, or leave it out")
    place = Place(int(found["rows"]), int(found["lines"]), int(found["tokens"]))
    return place, found["state"] != _digest(index_state)


def fitting(parts: Sequence[str], budget_tokens: int, count: Callable[[str], int]) -> int:
    """Return how many leading parts cost no more than the budget together, line ends between them included."""
    left = budget_tokens
    for at, part in enumerate(parts):
        left -= count(part) + 1
        if left < 0:
            return at
    return len(parts)


def leading(names: list[str], max_tokens: int, count: Callable[[str], int]) -> list[str]:
    """Return as many leading names as may stand beside the rows of an answer, which are what it is for."""
    return names[: fitting(names, int(max_tokens * _NAMES_SHARE), count)]


def _question(question: dict[str, Any]) -> str:
    asked = {name: value for name, value in question.items() if name not in _NOT_ASKED}
    return _digest(json.dumps(asked, sort_keys=True))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:6]
