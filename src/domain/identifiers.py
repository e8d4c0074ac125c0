"""Words of code: what an identifier is made of, and the terms a text is indexed and asked by."""

from __future__ import annotations

import re

_WORD = re.compile(r"\w+")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?(?:(?![A-Z])[^\W\d_])+|\d+")
_TERM_CHARS_MAX = 64
"""Longer words are hashes, keys and base64: they would fill the index and nobody asks for them."""
_MAYBE_SEVERAL = re.compile(rf"\b(?![a-z]{{1,{_TERM_CHARS_MAX}}}\b)\w+", re.ASCII)
"""Words of an ASCII text but for those all in small letters, two thirds of them, which are one part."""
_TOO_LONG = re.compile(rf"\w{{{_TERM_CHARS_MAX + 1},}}")

_CACHED_WORDS_MAX = 200_000
_parts_of_word: dict[str, str] = {}


def split_identifier(word: str) -> list[str]:
    """Return the lower-case parts of an identifier: `getHTTPUser_name2` gives get, http, user, name, 2."""
    return [part.lower() for part in _PART.findall(word)]


def words_of(text: str) -> list[str]:
    """Return the words of a text as they stand, underscores inside words kept."""
    return _WORD.findall(text)


def index_terms(text: str) -> str:
    """Return what a text is found by: the text itself, then the parts of each identifier in it that has several.

    The index takes words out of plain text faster than Python could hand them over one by one; only what it cannot
    see, the inside of `getUserName`, is added. Words too long to be asked for are left out.
    """
    parts_of = _parts_of_word
    if len(parts_of) > _CACHED_WORDS_MAX:
        parts_of.clear()
    extra = []
    has_too_long = False
    for word in dict.fromkeys((_MAYBE_SEVERAL if text.isascii() else _WORD).findall(text)):
        parts = parts_of.get(word)
        if parts is None:
            if len(word) > _TERM_CHARS_MAX:
                has_too_long = True
                continue
            parts = parts_of[word] = _inner_parts(word)
        if parts:
            extra.append(parts)
    if has_too_long:
        text = _TOO_LONG.sub(" ", text)
    return f"{text} {' '.join(extra)}" if extra else text


def _inner_parts(word: str) -> str:
    """Return the parts of a word that differ from it, space-separated; "" for a word that is all one part."""
    parts = split_identifier(word)
    return " ".join(parts) if len(parts) > 1 or (parts and parts[0] != word.lower()) else ""
