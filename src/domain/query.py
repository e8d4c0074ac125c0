"""What a search query asks for: its shape, its identifiers and the terms to look up."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from .errors import UsageError
from .identifiers import split_identifier, words_of

Shape = Literal["identifier", "qualified", "sentence"]

QUERY_TERMS_MAX = 48
"""More words than this is a pasted text; the first ones say what it is about."""

_QUALIFIED = re.compile(r"[\w$]+(?:(?:\.|::|/|#|->|\\)[\w$]+)+(?:\(\))?")
_IDENTIFIER = re.compile(r"[\w$]+(?:\(\))?")
_LOOKS_LIKE_CODE = re.compile(r"\w*_\w+|[a-z]+[A-Z]\w*|[A-Z]+[a-z]+[A-Z]\w*|[A-Z]{2,}[a-z]\w*")

STOP_WORDS = frozenset(
    """a about after all also an and any are as at be been being between but by can could did do does doing each for
    from get gets had has have having here how i if in into is it its itself just like may me might more most much my
    no not of off on once only onto or other our out over own same should so some such than that the their them then
    there these they this those through to too under until up us used uses using very via was we were what when where
    whether which while who whom whose why will with within without would you your""".split()
)


@dataclass(frozen=True, slots=True)
class Query:
    """A query taken apart.

    `identifiers` are the words that are names for sure or by their form, as written; `words` are the lower-case
    words that carry meaning, in order, without repeats; `terms` is what the index is asked for: those and the
    parts of identifiers.
    """

    text: str
    shape: Shape
    identifiers: tuple[str, ...]
    words: tuple[str, ...]
    terms: tuple[str, ...]

    @property
    def qualified_parts(self) -> tuple[str, ...]:
        """The parts of a qualified name, lower case; empty for other shapes."""
        return tuple(word.lower() for word in words_of(self.text)) if self.shape == "qualified" else ()


def parse_query(text: str) -> Query:
    """Take a query apart.

    Raises: UsageError for a query without a single word.
    """
    stripped = text.strip()
    found = words_of(stripped)
    if not found:
        what = "is empty" if not stripped else f"{stripped[:40]!r} has no word to look for"
        raise UsageError(f"query {what}: give a name, an error message or a question, e.g. ctx search 'parse config'")
    if _IDENTIFIER.fullmatch(stripped):
        shape: Shape = "identifier"
    elif _QUALIFIED.fullmatch(stripped):
        shape = "qualified"
    else:
        shape = "sentence"
    found = list(dict.fromkeys(found))[:QUERY_TERMS_MAX]
    if shape == "sentence":
        identifiers = tuple(word for word in found if _LOOKS_LIKE_CODE.fullmatch(word))
        carrying = [word for word in found if word.lower() not in STOP_WORDS] or found
    else:
        identifiers = (found[-1],) if shape == "qualified" else (found[0],)
        carrying = found
    words = tuple(dict.fromkeys(word.lower() for word in carrying))
    terms = dict.fromkeys(words)
    for word in carrying:
        for part in split_identifier(word):
            if len(part) > 1:
                terms[part] = None
    return Query(stripped, shape, identifiers, words, tuple(terms)[: 2 * QUERY_TERMS_MAX])
