"""Which events of which process of which run have been seen: twice, out of order, missing; two runs with one id.

Numbers and times are compared within one process of one run, in the order of the files. Memory is bounded: what has
been seen longest ago is forgotten, and a repetition that is 100,000 processes away is not found.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PROCESSES_MAX = 100_000
SPANS_MAX = 1_000
"""Pieces that the numbers of one process may be in; beyond it, only what follows the last one is looked at."""
STEP_S = 1.0
"""A clock that is set right by less than this is no step."""


class Gap(NamedTuple):
    """Numbers of one process that are in no file and that no line says were dropped."""

    run_id: str
    pid: int
    missing: int


class _Process:
    """What has been seen of one process of a run: the spans of its numbers, ascending, and its last time."""

    __slots__ = ("dropped", "spans", "ts")

    def __init__(self) -> None:
        self.spans: list[list[int]] = []
        self.dropped = 0
        self.ts = ""

    def add(self, seq: int) -> bool:
        """Add a number and return whether it was new."""
        spans = self.spans
        if not spans or seq > spans[-1][1] + 1:
            spans.append([seq, seq])
            self._forget()
            return True
        at = bisect_right(spans, seq, key=itemgetter(0)) - 1
        if at >= 0 and spans[at][1] >= seq:
            return False
        if at >= 0 and spans[at][1] == seq - 1:
            spans[at][1] = seq
        else:
            at += 1
            spans.insert(at, [seq, seq])
        if at + 1 < len(spans) and spans[at + 1][0] == seq + 1:
            spans[at][1] = spans.pop(at + 1)[1]
        self._forget()
        return True

    def _forget(self) -> None:
        if len(self.spans) > SPANS_MAX:
            del self.spans[0]

    def missing(self) -> int:
        """Return how many numbers between the first and the last one have not been seen."""
        return sum(later[0] - earlier[1] - 1 for earlier, later in zip(self.spans, self.spans[1:], strict=False))


class RunLedger:
    """What has been seen of the files of one place."""

    def __init__(self) -> None:
        self._processes: dict[tuple[str, str, int], _Process] = {}
        self._starts: dict[tuple[str, str], tuple[int, Any]] = {}
        self.runs = 0

    def see(self, event: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Take a valid event in and return what is wrong or odd about its place in its run: kind and message each."""
        run_id, pid, ts = event["run_id"], event["pid"], event["ts"]
        seq = int(event["seq"])  # 1.0 is an integer, too
        key = (event["segment_id"], run_id, pid)
        process = self._processes.get(key)
        if process is None:
            process = self._new_process(key)
        found: list[tuple[str, str]] = []
        spans = process.spans
        if spans and seq == spans[-1][1] + 1:  # nearly always
            spans[-1][1] = seq
            is_latest = True
        else:
            is_latest = not spans or seq > spans[-1][1]
            if not process.add(seq):
                found.append(("duplicate", f'"seq" {seq} of run {run_id}, process {pid}, is there twice'))
        if is_latest:
            if ts < process.ts and (step_s := _seconds(process.ts) - _seconds(ts)) > STEP_S:
                message = f'"ts" goes back by {step_s:.1f} s within run {run_id}, process {pid}: the clock was set'
                found.append(("clock_step", message))
            process.ts = ts
        if "telemetry_dropped_since_last" in event:
            process.dropped += event["telemetry_dropped_since_last"]
        if event["cmd"] == "command.start":
            found += self._see_start(event)
        return found

    def note(self, event: Mapping[str, Any]) -> None:
        """Take in the number of an event that is not valid, if it has one: it is not missing."""
        segment_id, run_id, pid, seq = (event.get(name) for name in ("segment_id", "run_id", "pid", "seq"))
        if isinstance(segment_id, str) and isinstance(run_id, str) and type(pid) is type(seq) is int:
            process = self._processes.get((segment_id, run_id, pid))
            if process is not None:
                process.add(seq)

    def gaps(self) -> Iterator[Gap]:
        """Yield the processes of which numbers are missing that no line says were dropped."""
        for (_segment_id, run_id, pid), process in self._processes.items():
            missing = process.missing() - process.dropped
            if missing > 0:
                yield Gap(run_id, pid, missing)

    def _new_process(self, key: tuple[str, str, int]) -> _Process:
        if len(self._processes) >= PROCESSES_MAX:
            del self._processes[next(iter(self._processes))]
        process = self._processes[key] = _Process()
        return process

    def _see_start(self, event: Mapping[str, Any]) -> list[tuple[str, str]]:
        # One run may be of several processes (a host's copy, a fork), which then begin the same command.
        key, what = (event["segment_id"], event["run_id"]), (event["args"].get("command"), event["args"].get("face"))
        pid = event["pid"]
        before = self._starts.get(key)
        if before is None:
            if len(self._starts) >= PROCESSES_MAX:
                del self._starts[next(iter(self._starts))]
            self._starts[key] = (pid, what)
            self.runs += 1
            return []
        if before[0] == pid or before[1] == what:
            return []
        ours, theirs = (" ".join(str(word) for word in words if word) for words in (what, before[1]))
        message = f"two runs have the id {event['run_id']}: {theirs} (process {before[0]}) and {ours} (process {pid})"
        return [("two_runs", message)]


def _seconds(ts: str) -> float:
    try:
        return datetime.fromisoformat(ts).timestamp()
    except ValueError:  # the 31st of April
        return 0.0
