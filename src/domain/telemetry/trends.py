"""How figures change over time: at most 120 buckets of one width, whatever span of time the events are of.

Widths are such that each is made of whole ones of the width before, so buckets can be put together while events
come, in any order, and the outcome depends on nothing but the events.
"""

from __future__ import annotations

from typing import Any

from .latency import LatencySamples
from .moments import SECOND_US, moment_text

BUCKETS_MAX = 120
_DAY_S = 86_400
WIDTHS_S = (60, 300, 900, 3600, 3 * 3600, 6 * 3600, _DAY_S, 7 * _DAY_S, 28 * _DAY_S, 196 * _DAY_S, 1960 * _DAY_S)
# A Monday, so that weeks begin with one; all widths up to a day begin at midnight UTC.
_ORIGIN_US = 4 * _DAY_S * SECOND_US
EARLIEST_US = 1_577_836_800 * SECOND_US
"""2020: ctx is younger. A clock that had not been set yet must not stretch the axis over 50 years."""
_AHEAD_US = _DAY_S * SECOND_US
_EXACT_MAX = 1000
FIGURES = ("runs", "events", "commands", "output_tokens", "lsp_requests", "lsp_fallbacks", "zero_hits")
RUNS, EVENTS, COMMANDS, OUTPUT_TOKENS, LSP_REQUESTS, LSP_FALLBACKS, ZERO_HITS = range(len(FIGURES))


class Cell:
    """One bucket: the figures in the order of FIGURES, and the latencies of commands."""

    __slots__ = ("figures", "latencies")

    def __init__(self) -> None:
        self.figures = [0] * len(FIGURES)
        self.latencies = LatencySamples(_EXACT_MAX)

    def merge(self, other: Cell) -> None:
        """Add the figures of another one."""
        self.figures = [ours + theirs for ours, theirs in zip(self.figures, other.figures, strict=True)]
        self.latencies.merge(other.latencies)


class Trends:
    """The buckets of one report."""

    __slots__ = ("_cells", "_first", "_last", "_latest_us", "_width_us", "_widths", "left_out")

    def __init__(self, now_us: int) -> None:
        """`now_us`: what is more than a day later than this is no time anybody has lived through."""
        self._latest_us = now_us + _AHEAD_US
        self._widths = 0  # index of the width in force
        self._width_us = WIDTHS_S[0] * SECOND_US
        self._cells: dict[int, Cell] = {}
        self._first = self._last = 0
        self.left_out = 0

    def cell(self, at_us: int) -> Cell:
        """Return the bucket of a moment; for one before EARLIEST_US or after now, one that is shown nowhere."""
        if not EARLIEST_US <= at_us <= self._latest_us:
            self.left_out += 1
            return Cell()
        number = (at_us - _ORIGIN_US) // self._width_us
        cell = self._cells.get(number)
        if cell is None:
            cell = self._cells[number] = Cell()
            self._reach(number)
            if self._widths_needed():
                return self._cells[(at_us - _ORIGIN_US) // self._width_us]
        return cell

    def bounds(self, at_us: int) -> tuple[int, int]:
        """Return from when on and until when the bucket of a moment is, for now; an empty span when it has none."""
        if not EARLIEST_US <= at_us <= self._latest_us:
            return 0, 0
        first_us = at_us - (at_us - _ORIGIN_US) % self._width_us
        return max(first_us, EARLIEST_US), min(first_us + self._width_us, self._latest_us + 1)

    def merge(self, other: Trends) -> None:
        """Add the buckets of another one."""
        self.left_out += other.left_out
        while other._cells and other._widths > self._widths:
            self._widen()
        for number, theirs in other._cells.items():
            ours = self._renumbered(number, other._width_us)
            cell = self._cells.get(ours)
            if cell is None:
                cell = self._cells[ours] = Cell()
                self._reach(ours)
            cell.merge(theirs)
        self._widths_needed()

    def document(self) -> dict[str, Any]:
        """Return the width and all buckets from the first to the last that has events, also those without any."""
        numbers = range(self._first, self._last + 1) if self._cells else ()
        buckets = []
        for number in numbers:
            cell = self._cells.get(number) or Cell()
            shown: dict[str, Any] = {"start": moment_text(number * self._width_us + _ORIGIN_US)}
            shown |= dict(zip(FIGURES, cell.figures, strict=True))
            latency = cell.latencies.summary() if cell.latencies.count else {}
            buckets.append(shown | {key: latency.get(key) for key in ("p50_ms", "p95_ms")})
        return {"bucket_s": self._width_us // SECOND_US, "buckets": buckets, "left_out": self.left_out}

    def _reach(self, number: int) -> None:
        if len(self._cells) == 1:
            self._first = self._last = number
        self._first, self._last = min(self._first, number), max(self._last, number)

    def _widths_needed(self) -> bool:
        """Widen the buckets until they are few enough; tell whether that was necessary."""
        before = self._widths
        while self._last - self._first >= BUCKETS_MAX:
            self._widen()
        return self._widths != before

    def _widen(self) -> None:
        cells, width_us = self._cells, self._width_us
        self._widths += 1
        self._width_us = WIDTHS_S[self._widths] * SECOND_US
        self._cells = {}
        for number, cell in cells.items():
            wide = self._renumbered(number, width_us)
            if wide in self._cells:
                self._cells[wide].merge(cell)
            else:
                self._cells[wide] = cell
        if cells:
            self._first, self._last = min(self._cells), max(self._cells)

    def _renumbered(self, number: int, width_us: int) -> int:
        return number * width_us // self._width_us
