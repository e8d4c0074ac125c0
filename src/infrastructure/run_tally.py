"""What a run has counted so far: counters, latency samples, token sums, first warnings.

No file and no clock. Split from `Telemetry` because the hot path counts into `EventTally`, and everything that reads
the counts goes through `RunTally.fold`.
"""

from __future__ import annotations

from ..domain.telemetry.counters import fixed_counters, variable_counters
from ..domain.telemetry.events import TOKEN_FIELDS, TOP_WARNINGS_MAX, kind_of

TYPE_CHECKING = False  # importing `typing` for it would double what this module costs at start
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from ..domain.telemetry.latency import LatencySamples
    from ..domain.telemetry.summary import TokenSums

TOKENS_FORMAT = b"{%b}" % b",".join(b'"%b":%%d' % field.encode() for field in TOKEN_FIELDS)

# Names come from the program, but a client can make an editor server report any method.
_KINDS_MAX = 1024


class EventTally:
    """What a run knows about one event name, worked out once, and what it has counted of it since the last fold."""

    __slots__ = (
        "allowed_args",
        "count",
        "critical",
        "fixed_counters",
        "head",
        "name",
        "rule",
        "samples_ns",
        "token_sums",
    )

    def __init__(self, cmd: str, head: bytes, name: str) -> None:
        row = kind_of(cmd)
        self.name = name
        self.allowed_args = row.args
        self.critical = row.critical
        self.fixed_counters = fixed_counters(name)
        self.rule = variable_counters(cmd)
        self.head = head
        self.count = 0
        self.samples_ns: list[int] = []
        self.token_sums = [0, 0, 0, 0, 0]  # how many events reported any, then the sums in the order of TOKEN_FIELDS

    def count_tokens(self, result: dict[str, Any]) -> bytes:
        """Return the encoded figures a result reports and add them to the sums; what is no integer counts as 0."""
        get = result.get
        read, printed, retrieved = get("input_tokens", 0), get("output_tokens", 0), get("retrieved_tokens", 0)
        if not (read.__class__ is printed.__class__ is retrieved.__class__ is get("total_tokens", 0).__class__ is int):
            return self.count_tokens({name: value for name, value in result.items() if value.__class__ is int})
        total = get("total_tokens", read + printed)
        sums = self.token_sums
        sums[0] += 1
        sums[1] += read
        sums[2] += printed
        sums[3] += total
        sums[4] += retrieved
        return TOKENS_FORMAT % (read, printed, total, retrieved)


class RunTally:
    """The counts of one process in one run.

    `safe` redacts a name before anything is counted under it: names come from clients, too.
    """

    def __init__(self, safe: Callable[[str], str] = str) -> None:
        self._safe = safe
        self.events: dict[str, EventTally] = {}
        self.latencies: dict[str, LatencySamples] = {}
        self.tokens: dict[str, TokenSums] = {}
        self.top_warnings: list[str] = []
        self._counters: dict[str, int] = {}

    def new_event(self, cmd: str, head: bytes) -> EventTally:
        """Return the tally of an event name seen for the first time; `head` is the fixed part of its lines."""
        if len(self.events) >= _KINDS_MAX:
            self.fold()
            self.events.clear()
        tally = self.events[cmd] = EventTally(cmd, head, self._safe(cmd))
        return tally

    def add(self, increments: Iterable[tuple[str, int]]) -> None:
        """Add increments to counters."""
        counters = self._counters
        for name, increment in increments:
            if name in counters:
                counters[name] += increment
            else:
                safe = self._safe(name)
                counters[safe] = counters.get(safe, 0) + increment

    def add_sample(self, cmd: str, sample_ns: int) -> None:
        """Add one latency sample."""
        samples = self.latencies.get(cmd)
        if samples is None:
            from ..domain.telemetry.latency import LatencySamples

            samples = self.latencies.setdefault(self._safe(cmd), LatencySamples())
        samples.add(sample_ns)

    def add_warnings(self, warnings: list[str]) -> None:
        """Remember the first few different warnings."""
        for warning in warnings:
            if len(self.top_warnings) < TOP_WARNINGS_MAX and warning not in self.top_warnings:
                self.top_warnings.append(warning)

    def counter(self, name: str) -> int:
        """Return a counter that only rules and callers move; one that counts events needs `counters`."""
        return self._counters.get(name, 0)

    def counters(self) -> dict[str, int]:
        """Return a copy of all counters."""
        self.fold()
        return dict(self._counters)

    def fold(self) -> None:
        """Add what waits in the events' tallies to the counters, the samples and the token sums."""
        for event in self.events.values():
            if event.count:
                self.add((name, event.count) for name in event.fixed_counters)
                event.count = 0
            for sample_ns in event.samples_ns:
                self.add_sample(event.name, int(sample_ns))
            event.samples_ns.clear()
            if event.token_sums[0]:
                from ..domain.telemetry.summary import TokenSums

                self.tokens.setdefault(event.name, TokenSums()).add(*event.token_sums)
                event.token_sums = [0, 0, 0, 0, 0]
