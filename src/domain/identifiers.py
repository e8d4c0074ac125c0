"""Words of code: what an identifier is made of, and the terms a text is indexed and asked by."""

from __future__ import annotations

import re

_WORD = re.compile(r"\w+")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?(?:(?![A-Z])[^\W\d_])+|\d+")
_TERM_CHARS_MAX = 64
"""Longer words are hashes, keys and base64: they would fill the index and nobody asks for them."""

_CACHED_WORDS_MAX = 200_000
_terms_of_word: dict[str, str] = {}


def split_identifier(word: str) -> list[str]:
    """Return the lower-case parts of an identifier: `getHTTPUser_name2` gives get, http, user, name, 2."""
    return [part.lower() for part in _PART.findall(word)]


def words_of(text: str) -> list[str]:
    """Return the words of a text as they stand, underscores inside words kept."""
    return _WORD.findall(text)


def index_terms(text: str) -> str:
    """Return the terms a text is found by, space-separated: each word whole, and its parts where it has several."""
    cached = _terms_of_word
    if len(cached) > _CACHED_WORDS_MAX:
        cached.clear()
    out = []
    for word in _WORD.findall(text):
        terms = cached.get(word)
        if terms is None:
            terms = cached[word] = _terms(word)
        out.append(terms)
    return " ".join(out)


def _terms(word: str) -> str:
    if len(word) > _TERM_CHARS_MAX:
        return ""
    whole = word.lower()
    parts = split_identifier(word)
    if len(parts) < 2:
        return whole if not parts or parts[0] == whole else f"{whole} {parts[0]}"
    return f"{whole} {' '.join(parts)}"
