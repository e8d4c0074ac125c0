"""What the answers of commands came to: tokens by level of disclosure, savings, what found nothing, what was slow."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from .events import TOKEN_FIELDS
from .savings import Savings
from .tally_values import OTHER, FrequentTexts, figure, name, text
from .trends import COMMANDS, OUTPUT_TOKENS, ZERO_HITS

if TYPE_CHECKING:
    from .event_line import EventLine

MODES_MAX = 64
QUERIES_HELD = 5000
SLOWEST = 20
_QUERIES = {"ctx.search": "query", "ctx.resolve": "symbol_query", "ctx.refs": "symbol_query"}
_EDITOR = "lsp"
"""Whose questions are places in a file, not queries that can be worded better."""


class CommandsTally:
    """The answers of one report."""

    __slots__ = ("answers", "asked", "queries", "savings", "slowest", "zero_hits")

    def __init__(self) -> None:
        self.answers: dict[str, list[int]] = {}
        self.savings = Savings()
        self.queries = FrequentTexts(QUERIES_HELD)
        self.asked = 0
        self.zero_hits = 0
        self.slowest: list[tuple[int, int, str, str, str]] = []

    def add(self, line: EventLine, face: str) -> list[int]:
        """Take in a `ctx.…` event; return its figures in the order of TOKEN_FIELDS, none when it reports none."""
        line.cell.figures[COMMANDS] += 1
        if line.taken_ns is not None:
            line.cell.latencies.add(line.taken_ns)
            slow = (line.taken_ns, line.at_us, line.key[1], name(line.cmd), face)
            if len(self.slowest) < SLOWEST:
                heapq.heappush(self.slowest, slow)
            elif slow > self.slowest[0]:
                heapq.heapreplace(self.slowest, slow)
        hits = line.result.get("hits")
        if type(hits) is int and line.cmd in _QUERIES and face != _EDITOR:
            self._add_hits(line, hits)
        return self._add_tokens(line)

    def merge(self, other: CommandsTally) -> None:
        """Add what another one has counted."""
        for mode, (count, tokens) in other.answers.items():
            self._answer(mode, count, tokens)
        self.savings.merge(other.savings)
        self.queries.merge(other.queries)
        self.asked += other.asked
        self.zero_hits += other.zero_hits
        self.slowest = heapq.nlargest(SLOWEST, [*self.slowest, *other.slowest])[::-1]  # ascending is a heap

    def _add_hits(self, line: EventLine, hits: int) -> None:
        self.asked += 1
        if hits == 0:
            self.zero_hits += 1
            line.cell.figures[ZERO_HITS] += 1
            if shown := text(line.args.get(_QUERIES[line.cmd])):
                self.queries.add(line.cmd, shown, line.at_us)

    def _add_tokens(self, line: EventLine) -> list[int]:
        tokens = line.event.get("tokens")
        if not isinstance(tokens, dict):
            return []
        figures = [figure(tokens.get(field)) for field in TOKEN_FIELDS]
        if not any(figures) and line.result.keys().isdisjoint(TOKEN_FIELDS):
            return []  # the writer says 0 of what was not reported
        output_tokens = figures[1]
        line.cell.figures[OUTPUT_TOKENS] += output_tokens
        self._answer(name(line.event.get("disclosure_mode")) or name(line.cmd)[len("ctx.") :], 1, output_tokens)
        if line.cmd == "ctx.get":
            self.savings.add_get(line.event, line.result, line.at_us, output_tokens)
        elif line.cmd == "ctx.search":
            self.savings.add_search(output_tokens)
        return figures

    def _answer(self, mode: str, count: int, tokens: int) -> None:
        if mode not in self.answers and len(self.answers) >= MODES_MAX:
            mode = OTHER
        answer = self.answers.setdefault(mode, [0, 0])
        answer[0] += count
        answer[1] += tokens
