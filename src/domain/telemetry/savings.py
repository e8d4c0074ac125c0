"""What ctx's answers cost in tokens, against reading whole the files they are from: one definition, said in the report.

Each file that `ctx get` handed a part of counts whole once per segment and day (UTC), at the largest size it had that
day: a reader who has a file does not pay for it again. Against it stand all tokens of all answers of `ctx get` and
`ctx search`, also those that led nowhere. So the figure is rather too small than too large, and may be negative.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .moments import SECOND_US
from .summary import rate
from .tally_values import figure

try:
    # `hashlib` would load OpenSSL; this is the same function without it.
    from _blake2 import blake2b
except ImportError:
    from hashlib import blake2b

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FILES_MAX = 200_000
"""Files and days that are told apart; beyond it no further one is credited."""
_LINES = re.compile(r":\d+(-\d+)?\Z", re.ASCII)
_DAY_US = 86_400 * SECOND_US
DEFINITION = (
    "Tokens of the files that ctx get handed parts of, read whole, each file once per segment and UTC day, "
    "less all tokens of the answers of ctx get and ctx search."
)


class Savings:
    """The sums of one report."""

    __slots__ = ("_answers", "_files", "_get_tokens", "_is_capped", "_search_tokens", "_uncredited")

    def __init__(self) -> None:
        self._answers = 0
        self._get_tokens = 0
        self._search_tokens = 0
        self._uncredited = 0
        self._is_capped = False
        self._files: dict[int, int] = {}

    def add_search(self, output_tokens: int) -> None:
        """Take in an answer of `ctx search`."""
        self._answers += 1
        self._search_tokens += output_tokens

    def add_get(self, event: Mapping[str, Any], result: Mapping[str, Any], at_us: int, output_tokens: int) -> None:
        """Take in an answer of `ctx get`: its `file_tokens`, or of one about a single file its `whole_file_tokens`."""
        self._answers += 1
        self._get_tokens += output_tokens
        files = event.get("file_tokens")
        pairs = list(files.items()) if isinstance(files, dict) else list(_single_file(event, result))
        if not pairs:
            self._uncredited += 1
        start = f"{event.get('segment_id')}\0{at_us // _DAY_US}\0"
        for path, tokens in pairs:
            self._credit(_key(start + path), figure(tokens))

    def merge(self, other: Savings) -> None:
        """Add the sums of another one; a file of a day that both know counts once."""
        self._answers += other._answers
        self._get_tokens += other._get_tokens
        self._search_tokens += other._search_tokens
        self._uncredited += other._uncredited
        self._is_capped |= other._is_capped
        for key, tokens in other._files.items():
            self._credit(key, tokens)

    @property
    def is_capped(self) -> bool:
        """Tell whether files were left out because there were too many."""
        return self._is_capped

    def document(self) -> dict[str, Any]:
        """Return the figures with their definition."""
        whole = sum(self._files.values())
        saved = whole - self._get_tokens - self._search_tokens
        return {
            "answers": self._answers,
            "files": len(self._files),
            "whole_file_tokens": whole,
            "get_tokens": self._get_tokens,
            "search_tokens": self._search_tokens,
            "saved_tokens": saved,
            "saved_share": rate(saved, whole),
            "uncredited": self._uncredited,
            "capped": self._is_capped,
            "definition": DEFINITION,
        }

    def _credit(self, key: int, tokens: int) -> None:
        known = self._files.get(key)
        if known is None and len(self._files) >= FILES_MAX:
            self._is_capped = True
        elif known is None or tokens > known:
            self._files[key] = tokens


def _single_file(event: Mapping[str, Any], result: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Yield the one file of an answer that does not say which files it is from; none when there may be several."""
    ids = result.get("returned_ids")
    if isinstance(ids, list) and figure(result.get("hits")) == len(ids):
        paths = {path_of_id(each) for each in ids if isinstance(each, str)}
        if len(paths) == 1:
            yield paths.pop(), figure(event.get("whole_file_tokens"))


def path_of_id(identifier: str) -> str:
    """Return the file that an id (`path#name@hash`, `path:3-9`) is in."""
    return _LINES.sub("", identifier.partition("#")[0])


def _key(text: str) -> int:
    # 8 bytes: among 200,000 files two share one with a probability of 10^-9. The text would take ten times the memory.
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())
