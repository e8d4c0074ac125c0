r"""A text as it reads without what hides its words from a look: percent escapes, characters without width, look-alikes.

Look-alikes are characters whose compatibility form (NFKC, Unicode Standard Annex 15) is ASCII: full-width and
mathematical letters, letters in circles, small figures, blanks that break no line. Letters of other scripts that look
Latin are themselves. What a message spells out (`\u200b`) counts as what it is.

Pure; imported by the first text that may be disguised.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from unicodedata import category, normalize

if TYPE_CHECKING:
    from collections.abc import Callable

_ROUNDS_MAX = 3
"""What is encoded once more, as within the parameter of a parameter, is read up to here."""

# The characters whose UTF-8 begins with a byte that `secret_hints` does not take for plain.
_MAY_BE_DISGUISE = re.compile(
    "[\u0080-\u00bf\u0280-\u02ff\u0340-\u037f\u1000-\u2fff\uf000-\uffff\U00010000-\U0003ffff\U000c0000-\U000fffff]"
)
_ESCAPE = re.compile("%(?:[2-6][0-9A-Fa-f]|7[0-9A-Ea-e])")
_SPELLED_OUT = re.compile(r"(?<!\\)\\+(?:u([0-9A-Fa-f]{4})|U(000[0-9A-Fa-f]{5})|x([Aa][Dd]))")
_WITHOUT_WIDTH = frozenset("\u034f\u115f\u1160\u17b4\u17b5") | {chr(code) for code in range(0xFE00, 0xFE10)}


class _Edit(NamedTuple):
    """A place of the text that reads differently."""

    plain_start: int
    plain_end: int
    start: int
    end: int


class _Layer:
    """A text with what was replaced in it."""

    def __init__(self, text: str, edits: list[_Edit]) -> None:
        self.text = text
        self._edits = edits
        self._starts = [edit.plain_start for edit in edits]

    def place(self, start: int, end: int) -> tuple[int, int]:
        """Return where the characters from `start` to `end`, one at least, stand in the text this was made of."""
        return self._at(start, is_end=False), self._at(end - 1, is_end=True)

    def _at(self, at: int, *, is_end: bool) -> int:
        number = bisect_right(self._starts, at) - 1
        if number < 0:
            return at + is_end
        edit = self._edits[number]
        if at < edit.plain_end:
            return edit.end if is_end else edit.start
        return edit.end + at - edit.plain_end + is_end


class PlainReading:
    """What a disguised text reads, and where each part of it stands in the text as it is."""

    def __init__(self, layers: list[_Layer]) -> None:
        self._layers = layers
        self.text = layers[-1].text

    def place(self, start: int, end: int) -> tuple[int, int]:
        """Return where the characters from `start` to `end`, one at least, stand in the text as it is."""
        for layer in reversed(self._layers):
            start, end = layer.place(start, end)
        return start, end


def undisguised(text: str) -> PlainReading | None:
    """Return how the text reads without disguise; None when that is the text itself."""
    layers = []
    if not text.isascii() and any(_plain_char(char) is not None for char in set(_MAY_BE_DISGUISE.findall(text))):
        layers.append(_replaced(text, _MAY_BE_DISGUISE, lambda match: _plain_char(match.group())))
    before = layers[-1].text if layers else text
    if "\\" in before and any(_plain_spelling(match) is not None for match in _SPELLED_OUT.finditer(before)):
        layers.append(_replaced(before, _SPELLED_OUT, _plain_spelling))
    for _ in range(_ROUNDS_MAX):
        before = layers[-1].text if layers else text
        if _ESCAPE.search(before) is None:
            break
        layers.append(_replaced(before, _ESCAPE, _unescaped))
    return PlainReading(layers) if layers else None


def _replaced(text: str, places: re.Pattern[str], plain_of: Callable[[re.Match[str]], str | None]) -> _Layer:
    parts: list[str] = []
    edits: list[_Edit] = []
    at = plain_at = 0
    for match in places.finditer(text):
        plain = plain_of(match)
        if plain is not None:
            parts += [text[at : match.start()], plain]
            plain_at += match.start() - at
            edits.append(_Edit(plain_at, plain_at + len(plain), *match.span()))
            at, plain_at = match.end(), plain_at + len(plain)
    return _Layer("".join([*parts, text[at:]]), edits)


def _unescaped(escape: re.Match[str]) -> str:
    return chr(int(escape.group()[1:], 16))


def _plain_spelling(spelled: re.Match[str]) -> str | None:
    char = chr(int(spelled[1] or spelled[2] or spelled[3], 16))
    return _plain_char(char) if _MAY_BE_DISGUISE.match(char) is not None else None


@lru_cache(maxsize=4096)
def _plain_char(char: str) -> str | None:
    """Return what a character reads as; None when it is what it is."""
    if category(char) == "Cf" or char in _WITHOUT_WIDTH:
        return ""
    plain = normalize("NFKC", char)
    if plain == " ":  # of a width of its own, or one that breaks no line
        return plain
    # An ellipsis is no three full stops: it says that something was cut.
    is_letter = plain.isascii() and plain.isprintable() and " " not in plain and (len(plain) == 1 or plain.isalnum())
    return plain if is_letter and plain != char else None
