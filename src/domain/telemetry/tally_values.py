"""What a report counts with: figures that can be one, keys of bounded number and length, the most frequent texts.

Lines are edited by hand, torn, foreign and of other versions. A figure nobody can have measured counts as 0, a name of
which there are too many counts under `OTHER`; so sums mean something and memory has a bound, whatever is in a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

FIGURE_MAX = 1 << 40
"""Bytes, tokens and numbers above this (10^12) were not counted by anybody; a million of them still fit 64 bits."""
SAMPLE_NS_MAX = 366 * 86_400 * 1_000_000_000
"""A year: what is longer was not measured."""
NAME_CHARS_MAX = 120
TEXT_CHARS_MAX = 1000
"""Kept of a text until it is redacted; the writer writes at most 120."""
OTHER = "(other)"
"""Under which name all is counted that came when its place was full."""
TOO_LONG = "(too long)"


def figure(value: object) -> int:
    """Return a whole number from 0 to FIGURE_MAX, and 0 for anything else: a text, a truth value, a fraction."""
    return value if type(value) is int and 0 <= value <= FIGURE_MAX else 0


def sample_ns(event: Mapping[str, Any]) -> int | None:
    """Return how long an event took: its `duration_ns`, else its `timing_ms` when that is above 0; None for neither."""
    duration_ns = event.get("duration_ns")
    if type(duration_ns) is int and 0 <= duration_ns <= SAMPLE_NS_MAX:
        return duration_ns
    timing_ms = event.get("timing_ms")
    if type(timing_ms) is int and 0 < timing_ms <= SAMPLE_NS_MAX // 1_000_000:
        return timing_ms * 1_000_000
    return None


def name(value: object) -> str:
    """Return a name as a key: "" for what is no text, TOO_LONG for what no part of ctx would have written."""
    if value.__class__ is not str:
        return ""
    text = str(value)
    return text if len(text) <= NAME_CHARS_MAX else TOO_LONG


def text(value: object) -> str:
    """Return a text to be shown as a key: "" for what is none, a placeholder for one that is too long to keep."""
    if value.__class__ is not str:
        return ""
    given = str(value)
    return given if len(given) <= TEXT_CHARS_MAX else f"(a text of {len(given):,} characters)"


class Counts:
    """How often each of a bounded number of names came."""

    __slots__ = ("_by_name", "_limit")

    def __init__(self, limit: int = 64) -> None:
        self._by_name: dict[str, int] = {}
        self._limit = limit

    def add(self, key: str, count: int = 1) -> None:
        """Count a name; a new one under OTHER when there are too many."""
        counts = self._by_name
        if key not in counts and len(counts) >= self._limit:
            key = OTHER
        counts[key] = counts.get(key, 0) + count

    def merge(self, other: Counts) -> None:
        """Add the counts of another one."""
        for key, count in other._by_name.items():
            self.add(key, count)

    @property
    def is_full(self) -> bool:
        """Tell whether names were counted under OTHER."""
        return OTHER in self._by_name

    def document(self, redact: Callable[[str], str]) -> dict[str, int]:
        """Return the counts, the most frequent first; names that redaction makes equal are one."""
        safe: dict[str, int] = {}
        for key, count in self._by_name.items():
            shown = redact(key)
            safe[shown] = safe.get(shown, 0) + count
        return dict(sorted(safe.items(), key=lambda item: (-item[1], item[0])))


class FrequentTexts:
    """The most frequent of any number of texts, with the moment each came last, holding a bounded number.

    While no more than `held` different ones have come, the counts are exact. Beyond it the half that was rarest and
    came longest ago is forgotten, and a text that comes back begins at one.
    """

    __slots__ = ("_held", "_texts", "has_forgotten")

    def __init__(self, held: int) -> None:
        self._held = held
        self._texts: dict[tuple[str, str], list[int]] = {}
        self.has_forgotten = False

    def add(self, cmd: str, shown: str, at_us: int, count: int = 1) -> None:
        """Count a text that an event named `cmd` had."""
        found = self._texts.get((cmd, shown))
        if found is not None:
            found[0] += count
            found[1] = max(found[1], at_us)
            return
        self._texts[cmd, shown] = [count, at_us]
        if len(self._texts) > self._held:
            self.has_forgotten = True
            kept = sorted(self._texts.items(), key=lambda item: (item[1], item[0]), reverse=True)[: self._held // 2]
            self._texts = dict(kept)

    def merge(self, other: FrequentTexts) -> None:
        """Add the texts of another one."""
        self.has_forgotten |= other.has_forgotten
        for (cmd, shown), (count, at_us) in other._texts.items():
            self.add(cmd, shown, at_us, count)

    def most_frequent(self, limit: int, redact: Callable[[str], str]) -> Iterator[tuple[str, str, int, int]]:
        """Yield event name, text, count and last moment of the most frequent ones, what redaction makes equal as one.

        Only as many as can be shown, and some more, are redacted: it is the dear part.
        """
        safe: dict[tuple[str, str], list[int]] = {}
        ranked = sorted(self._texts.items(), key=lambda item: (-item[1][0], -item[1][1], item[0]))
        for (cmd, shown), (count, at_us) in ranked[: 4 * limit]:
            found = safe.setdefault((redact(cmd), redact(shown)), [0, at_us])
            found[0] += count
            found[1] = max(found[1], at_us)
        best = sorted(safe.items(), key=lambda item: (-item[1][0], -item[1][1], item[0]))
        for (cmd, shown), (count, at_us) in best[:limit]:
            yield cmd, shown, count, at_us
