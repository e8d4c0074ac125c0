"""One run in the Chrome trace-event format, which Perfetto and chrome://tracing open.

Follows "Trace Event Format" (Google, the document that Chromium's about:tracing links to): an object with
`traceEvents`; `X` complete events with `ts` and `dur` in microseconds, `i` instants with a scope, `M` metadata that
names and orders processes and threads. Viewers draw what is nested in one thread by time alone, so two events of a
thread either lie one within the other or apart: what only overlaps goes to another thread of its process.

Times count from the beginning of the run, which `otherData.begin` tells: microseconds since 1970 have no room left for
fractions in a double.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .moments import moment_text
from .spans import Server, Span, SpanKind, status_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_LIFE_TRACK = "life"
_REQUESTS_TRACK = "requests"
_WORK_TRACK = "work"
_PID_MAX = 1 << 22


class _Track:
    """One thread of the trace; spans come by their beginning, the longer first, and end as a stack."""

    __slots__ = ("_ends_ns", "tid")

    def __init__(self, tid: int) -> None:
        self.tid = tid
        self._ends_ns: list[int] = []

    def takes(self, span: Span) -> bool:
        """Add the span if it lies within or apart from all that is there; tell whether it did."""
        ends = self._ends_ns
        while ends and ends[-1] <= span.start_ns:
            ends.pop()
        if ends and span.end_ns > ends[-1]:
            return False
        ends.append(span.end_ns)
        return True


class _Process:
    """One process of the trace with its threads, by what they are for."""

    def __init__(self, pid: int, name: str, position: int) -> None:
        self.pid = pid
        self.name = name
        self.position = position
        self._tracks: dict[str, list[_Track]] = {}
        self.names: dict[int, str] = {}

    def tid_of(self, span: Span, purpose: str) -> int:
        """Return the thread of that purpose on which the span can be drawn."""
        tracks = self._tracks.setdefault(purpose, [])
        for track in tracks:
            if track.takes(span):
                return track.tid
        track = _Track(len(self.names) + 1)
        track.takes(span)
        tracks.append(track)
        self.names[track.tid] = purpose if len(tracks) == 1 else f"{purpose} {len(tracks)}"
        return track.tid


def trace_document(spans: Sequence[Span], servers: Sequence[Server], *, version: str) -> dict[str, Any]:
    """Return the trace of one run, as JSON types; without spans it has no events but is a trace all the same."""
    begin_ns = min((span.start_ns for span in spans), default=0)
    processes = _Processes(spans, servers)
    drawn: list[dict[str, Any]] = []
    # A part that begins and ends with its whole was told of before it.
    depths = _depths(spans)
    for span in sorted(spans, key=lambda span: (span.start_ns, -span.end_ns, depths[id(span)])):
        process, purpose = processes.of(span)
        drawn.append(_event(span, process, process.tid_of(span, purpose), begin_ns))
    first = spans[0].record if spans else None
    return {
        "traceEvents": [*processes.metadata(), *drawn],
        "displayTimeUnit": "ms",
        "otherData": {
            "producer": f"ctx {version}",
            "run_id": first.run_id if first else "",
            "segment": first.segment if first else "",
            "segment_id": first.segment_id if first else "",
            "begin": moment_text(begin_ns // 1000),
        },
    }


class _Processes:
    """The processes of a trace: those of ctx, and for each life of a language server its own."""

    def __init__(self, spans: Sequence[Span], servers: Sequence[Server]) -> None:
        self._of_ctx: dict[int, _Process] = {}
        self._of_servers: dict[int, _Process] = {}
        self._given = {0}
        self._wanted = {*(span.record.pid for span in spans), *(server.server_pid for server in servers)}
        self._unused = 1
        roots = sorted((span for span in spans if span.kind is SpanKind.COMMAND), key=lambda span: span.start_ns)
        names: dict[int, str] = {}
        for span in (*roots, *spans):
            names.setdefault(span.record.pid, span.name if span.kind is SpanKind.COMMAND else "ctx")
        for pid, name in names.items():
            self._of_ctx[pid] = _Process(self._free(pid), f"{name} [{pid}]", len(self._of_ctx))
        for server in servers:
            pid = self._free(server.server_pid)
            shown = f" [{server.server_pid}]" if server.server_pid else ""
            name = f"language server: {server.name}{shown}" if server.name else "language server: none there"
            self._of_servers[id(server)] = _Process(pid, name, len(self._of_ctx) + len(self._of_servers))

    def of(self, span: Span) -> tuple[_Process, str]:
        """Return the process that a span belongs to, and for what its thread is."""
        if span.server is None or span.kind is SpanKind.WAIT:
            return self._of_ctx[span.record.pid], _WORK_TRACK
        purpose = _REQUESTS_TRACK if span.kind is SpanKind.REQUEST else _LIFE_TRACK
        return self._of_servers[id(span.server)], purpose

    def metadata(self) -> Iterable[dict[str, Any]]:
        """Yield the events that name and order processes and threads which have something to show."""
        for process in (*self._of_ctx.values(), *self._of_servers.values()):
            if not process.names:
                continue
            yield _metadata("process_name", process.pid, 0, {"name": process.name})
            yield _metadata("process_sort_index", process.pid, 0, {"sort_index": process.position})
            for tid, name in process.names.items():
                yield _metadata("thread_name", process.pid, tid, {"name": name})
                yield _metadata("thread_sort_index", process.pid, tid, {"sort_index": tid})

    def _free(self, pid: int) -> int:
        """Return the process's number, or another one when it is taken or unknown."""
        if not 0 < pid <= _PID_MAX or pid in self._given:
            while self._unused in self._given or self._unused in self._wanted:
                self._unused += 1
            pid = self._unused
        self._given.add(pid)
        return pid


def _metadata(name: str, pid: int, tid: int, args: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "ph": "M", "pid": pid, "tid": tid, "ts": 0, "args": args}


def _event(span: Span, process: _Process, tid: int, begin_ns: int) -> dict[str, Any]:
    event: dict[str, Any] = {
        "name": span.name,
        "cat": span.kind.value,
        "ph": "X",
        "pid": process.pid,
        "tid": tid,
        "ts": (span.start_ns - begin_ns) / 1000,
    }
    if span.kind is SpanKind.INSTANT:
        event |= {"ph": "i", "s": "t"}
    else:
        event["dur"] = (span.end_ns - span.start_ns) / 1000
    event["args"] = _args(span)
    return event


def _args(span: Span) -> dict[str, Any]:
    record = span.record
    shown: dict[str, Any] = {"args": record.args, "result": record.result, **_named_apart(record.extra)}
    if span.kind is SpanKind.WAIT:
        shown = {"args": record.args, "waited_ns": record.extra.get("waited_ns")}
    if any(record.tokens.values()):
        shown["tokens"] = record.tokens
    if record.warnings:
        shown["warnings"] = record.warnings
    if record.dropped_before:
        shown["telemetry_dropped_since_last"] = record.dropped_before
    if failure := status_of(span):
        shown["failure"] = failure
    if span.is_open:
        shown["unended"] = True
    return {**shown, "seq": record.seq}


def _named_apart(extra: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in extra.items() if key not in _SHOWN_KEYS}


_SHOWN_KEYS = frozenset({"args", "result", "tokens", "warnings", "failure", "unended", "seq"})


def _depths(spans: Sequence[Span]) -> dict[int, int]:
    depths: dict[int, int] = {}
    for span in spans:
        chain = []
        above: Span | None = span
        while above is not None and id(above) not in depths:
            chain.append(above)
            above = above.parent
        depth = depths[id(above)] if above is not None else -1
        for each in reversed(chain):
            depth += 1
            depths[id(each)] = depth
    return depths
