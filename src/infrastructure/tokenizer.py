"""Token counts from a real tokenizer that ships with its package; no network, loaded when first asked.

Loading costs ~20 ms and ~32 MB (cl100k_base), so a search reads stored counts and never comes here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..domain.chunk_ids import digest_of
from ..domain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ENCODINGS = ("cl100k_base", "o200k_base")
DEFAULT_ENCODING = "cl100k_base"

_PIECE_CHARS = 100_000
"""Byte-pair merging of one unbroken run is the slow case; a longer text is counted in pieces (at line ends)."""


class BpeTokenCounter:
    """Counts tokens as one of OpenAI's encodings does."""

    def __init__(self, encoding: str = DEFAULT_ENCODING) -> None:
        """Check the name; the tables are loaded by the first `count`.

        Raises: UsageError for an unknown encoding.
        """
        if encoding not in ENCODINGS:
            raise UsageError(f"tokenizer must be one of {', '.join(ENCODINGS)}, found {encoding!r}")
        self.encoding = encoding
        self._count: Callable[[str], int] | None = None

    def count(self, text: str) -> int:
        """Return the number of tokens of `text`; undecodable surrogates count as the replacement character."""
        if self._count is None:
            self._count = _load(self.encoding)
        if not text.isascii():
            text = text.encode("utf-8", "replace").decode("utf-8")
        if len(text) <= _PIECE_CHARS:
            return self._count(text)
        return sum(self._count(piece) for piece in _pieces(text))


class DeferredCounter:
    """Notes texts for another process to count, but for those whose count is known.

    Loading the tokenizer takes as long as parsing a file of 100 kB; so who waits for the parse loads it meanwhile.
    """

    def __init__(self, encoding: str, known: Mapping[str, int]) -> None:
        """Take counts by `text_key`."""
        self.encoding = encoding
        self._known = known
        self._texts: list[str] = []

    def count(self, text: str) -> int:
        """Return the number of tokens, or -n for the n-th of the texts that `take` will return, counted from 1."""
        known = self._known.get(text_key(text))
        if known is not None:
            return known
        self._texts.append(text)
        return -len(self._texts)

    def take(self) -> list[str]:
        """Return the texts to count and begin anew."""
        taken, self._texts = self._texts, []
        return taken


def text_key(text: str) -> str:
    """Return what a text's count is known by: the digest in its id, and its length in bytes."""
    utf8 = text.encode("utf-8", "replace")
    return known_key(digest_of(utf8), len(utf8))


def known_key(digest: str, size_bytes: int) -> str:
    """Return the key of a text of which only that is stored."""
    return f"{digest} {size_bytes}"


def _load(encoding: str) -> Callable[[str], int]:
    from rs_bpe.bpe import openai

    tables: Any = getattr(openai, encoding)()
    count: Callable[[str], int] = tables.count
    return count


def _pieces(text: str) -> list[str]:
    pieces, start = [], 0
    while start < len(text):
        end = start + _PIECE_CHARS
        if end < len(text):
            newline = text.rfind("\n", start, end)
            end = newline if newline > start else end
        pieces.append(text[start:end])
        start = end
    return pieces
