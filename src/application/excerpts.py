"""Source text on its way out of ctx: secrets in it are marked before anything is counted, cut or shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..domain.secret_hints import MARK

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_TEXT_KEYS = frozenset({"text", "snippet", "signature", "doc"})
_COUNTED_ELSEWHERE = frozenset({"files", "more"})
"""Of a map: what its text holds, too."""


class ShownAsItIs:
    """Implements `SecretRedactor` by leaving everything as it is, for who asked for that or shows nothing."""

    def __call__(self, text: str) -> str:
        """Return the text."""
        return text

    def line(self, text: str) -> str:
        """Return the line."""
        return text


SHOWN_AS_IT_IS = ShownAsItIs()


def joined(texts: Iterable[str]) -> str:
    """Return texts as one, for one look at all of them: mostly there is nothing in any."""
    return "\n".join(texts)


def marked_places(answer: Mapping[str, Any]) -> int:
    """Return how many marks are in the source texts of an answer's document."""
    places = 0
    for key, value in answer.items():
        if key == "signature" and "snippet" in answer:
            continue  # the snippet begins with it
        if isinstance(value, str):
            places += value.count(MARK) if key in _TEXT_KEYS else 0
        elif isinstance(value, dict):
            places += marked_places(value)
        elif isinstance(value, list) and key not in _COUNTED_ELSEWHERE:
            places += sum(marked_places(one) for one in value if isinstance(one, dict))
    return places
