"""The events of one run as spans: what ran when, inside what, and how long its language servers lived.

An event is written when something ends, so starts are computed: `ts` less the duration. Durations come from the
monotonic clock and are right; `ts` comes from the wall clock, which may be set. Within one process events are written
in the order of their `seq`, so their times may only grow: a clock that was set back is carried on from where it was,
and a command that took less than its own times say tells how far it was set forward.

A span that begins and ends within another one that ended later is taken for a part of it. What only overlaps (two
questions answered at once) stays beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from .events import is_lsp_request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .records import Record

STEP_NS = 1_000_000_000
"""A command's own times may differ from its duration by this before the clock is taken to have been set."""
_LATE_NS = 2_000_000
# An event is written a little after what it tells of ended, by up to this share of it: an answer is printed in between.
_LATE_SHARE = 50
_OVERLAPS_MAX = 64
_STEPS = frozenset({"lsp.spawn", "lsp.initialize", "lsp.ready"})
_INSTANTS = frozenset({"lsp.timeout", "lsp.fallback", "lsp.diagnostics"})


class SpanKind(Enum):
    """What a span stands for."""

    COMMAND = "command"
    OPERATION = "operation"
    REQUEST = "request"  # a question meant for a language server
    WAIT = "wait"  # the part of a question in which the asker had nothing else to do
    LIFE = "life"  # a language server, from its start to its end
    STEP = "step"  # of a life: spawned, initialized, ready, each counted from the start
    INSTANT = "instant"


@dataclass(slots=True, eq=False)
class Span:
    """Something with a beginning and an end, in nanoseconds since 1970.

    `record` is the event it was told by (of an open command the one that began it). `server` is the life a request or
    instant belongs to; `is_open` when the run's events end before it did.
    """

    kind: SpanKind
    name: str
    start_ns: int
    end_ns: int
    record: Record
    parent: Span | None = None
    server: Server | None = None
    is_open: bool = False
    beginning: Record | None = None
    children: list[Span] = field(default_factory=list)

    @property
    def opener(self) -> Record:
        """The event that tells this span from any other: the one that began it, else the one that ended it."""
        return self.beginning or self.record


@dataclass(slots=True, eq=False)
class Server:
    """One language server as a process of ctx saw it: its name, who saw it, and its life when that is known."""

    name: str
    pid: int
    life: Span | None = None
    server_pid: int = 0


class RunSpans:
    """Makes the spans of one run, from its records in any order that keeps each process's own.

    `done` are spans whose place is settled; `drain` settles what can be, `close` all.
    """

    def __init__(self) -> None:
        self.done: list[Span] = []
        self.servers: list[Server] = []
        self._processes: dict[int, _Process] = {}

    def add(self, record: Record) -> None:
        """Take in one event."""
        process = self._processes.get(record.pid)
        if process is None:
            process = self._processes[record.pid] = _Process(self)
        process.add(record)

    def drain(self) -> list[Span]:
        """Settle and return what has ended, with the open command as its parent; what comes later may not hold it."""
        for process in self._processes.values():
            process.settle()
        done, self.done = self.done, []
        return done

    def close(self) -> list[Span]:
        """Settle and return the rest; commands and servers without an end get that of the last event."""
        for process in self._processes.values():
            process.close()
        return self.drain()


def spans_of(records: Iterable[Record]) -> tuple[list[Span], list[Server]]:
    """Return the spans of one run and its servers; the records come in any order."""
    run = RunSpans()
    for record in sorted(records, key=lambda record: (record.pid, record.seq, record.end_us)):
        run.add(record)
    return run.close(), run.servers


class _Process:
    """One process of a run: what is open in it, and what ended and may still turn out to be a part of something."""

    def __init__(self, run: RunSpans) -> None:
        self._run = run
        self._ended: list[Span] = []  # by their ends
        self._open: list[Span] = []
        self._lives: list[Span] = []  # that are over
        self._servers: dict[str, Server] = {}
        self._last_ns = 0
        self._offset_ns = 0

    def add(self, record: Record) -> None:
        before_ns = self._last_ns
        end_ns = self._monotonic_ns(record)
        cmd = record.cmd
        if cmd == "command.start":
            self._begin(record, end_ns)
        elif cmd == "command.end":
            self._end(record, end_ns, before_ns)
        elif cmd in _STEPS:
            self._step(record, end_ns)
        elif cmd == "lsp.exit":
            self._exit(record, end_ns)
        elif cmd == "lsp.diagnostics":
            self._diagnosed(record, end_ns)
        elif is_lsp_request(cmd):
            self._request(record, end_ns)
        else:
            server = self._server(record) if cmd in _INSTANTS else None
            duration_ns = 0 if cmd in _INSTANTS else record.duration_ns
            kind = SpanKind.OPERATION if duration_ns else SpanKind.INSTANT
            self._adopt(Span(kind, cmd, end_ns - duration_ns, end_ns, record, server=server))

    def settle(self) -> None:
        """Give what ended the open command as its parent."""
        parent = self._open[-1] if self._open else None
        for span in self._ended:
            if parent is not None:
                self._clamp(span, parent)
            self._run.done.extend(_settled(span, parent))
        for life in self._lives:
            self._run.done.extend(_settled(life, life.parent))
        self._ended, self._lives = [], []

    def close(self) -> None:
        """End what is open with the last event."""
        for server in list(self._servers.values()):
            if server.life is not None:
                self._finish_life(server, server.life, self._last_ns, None)
        while self._open:
            command = self._open.pop()
            command.end_ns = max(self._last_ns, command.start_ns)
            command.is_open = True
            self._adopt(command)

    # Time.

    def _monotonic_ns(self, record: Record) -> int:
        wall_ns = record.end_us * 1000
        if wall_ns >= self._last_ns:
            self._offset_ns = min(self._offset_ns, 0)
        end_ns = wall_ns + self._offset_ns
        if end_ns < self._last_ns:
            self._offset_ns += self._last_ns - end_ns
            end_ns = self._last_ns
        self._last_ns = end_ns
        return end_ns

    def _take_back(self, excess_ns: int, since_ns: int) -> None:
        """Move what came after the widest gap since a moment back by what the clock was set forward."""
        lives = [*self._lives, *(server.life for server in self._servers.values() if server.life is not None)]
        moments = {since_ns, self._last_ns}
        moments.update(span.end_ns for span in self._ended)
        moments.update(span.start_ns for span in self._open)
        moments.update(part.end_ns for life in lives for part in [life, *life.children])
        ordered = sorted(moment for moment in moments if moment >= since_ns)
        before_ns, cut_ns = max(pairwise(ordered), key=lambda gap: gap[1] - gap[0])
        excess_ns = min(excess_ns, cut_ns - before_ns)
        for span in _flat([span for span in (*self._ended, *self._open) if span.end_ns >= cut_ns]):
            span.start_ns -= excess_ns
            span.end_ns -= excess_ns
        for life in lives:
            if min((part.end_ns for part in life.children), default=life.end_ns) >= cut_ns:
                life.start_ns -= excess_ns
            for part in (life, *life.children):
                if part.end_ns >= cut_ns:
                    part.end_ns -= excess_ns
            _begin_parts(life)
        self._offset_ns -= excess_ns
        self._last_ns -= excess_ns

    # Commands and what they did.

    def _begin(self, record: Record, start_ns: int) -> None:
        span = Span(SpanKind.COMMAND, _command_name(record), start_ns, start_ns, record, beginning=record)
        if self._open:
            # Known before it has ended, so that what is drained meanwhile has its place.
            span.parent = self._open[-1]
        self._open.append(span)

    def _end(self, record: Record, end_ns: int, before_ns: int) -> None:
        name = _command_name(record)
        found = next((span for span in reversed(self._open) if span.name == name), None)
        if found is None:
            self._adopt(Span(SpanKind.COMMAND, name, end_ns - record.duration_ns, end_ns, record))
            return
        self._open.remove(found)
        start_ns = end_ns - record.duration_ns if record.is_timed else found.start_ns
        if start_ns - found.start_ns > STEP_NS:
            self._take_back(start_ns - found.start_ns, found.start_ns)
            end_ns = self._last_ns
            start_ns = end_ns - record.duration_ns
        elif start_ns > found.start_ns:
            # Stamped later after its end than it was begun after its start: it took no longer for that.
            end_ns = min(end_ns, max(found.start_ns + record.duration_ns, before_ns))
        found.start_ns, found.end_ns, found.record = min(start_ns, found.start_ns), end_ns, record
        self._adopt(found)

    def _request(self, record: Record, end_ns: int) -> None:
        server = self._server(record)
        method = record.cmd[len("lsp.") :]
        waited_ns = record.extra.get("waited_ns")
        if type(waited_ns) is int and waited_ns > 0 and record.duration_ns > 0:
            name = f"wait for {server.name or 'a server'}: {method}"
            # An asker that the system let go on late has waited for longer than the question took.
            start_ns = end_ns - min(waited_ns, record.duration_ns)
            self._adopt(Span(SpanKind.WAIT, name, start_ns, end_ns, record, server=server))
        start_ns = end_ns - record.duration_ns
        self._adopt(Span(SpanKind.REQUEST, record.cmd, start_ns, end_ns, record, server=server))

    def _adopt(self, span: Span) -> None:
        """Add a span that ended last, and make what lies within it its parts."""
        late_ns = _LATE_NS + (span.end_ns - span.start_ns) // _LATE_SHARE
        begins_ns = span.start_ns - (late_ns if span.end_ns > span.start_ns else 0)
        # A question runs in its server while the asker goes on: nothing of the asker's is a part of it.
        holds = span.kind in {SpanKind.COMMAND, SpanKind.OPERATION} and span.end_ns > span.start_ns
        parts: list[Span] = []
        beside: list[Span] = []
        ended = self._ended
        while holds and ended and len(beside) < _OVERLAPS_MAX:
            last = ended[-1]
            if last.end_ns <= span.start_ns and last.start_ns < span.start_ns:
                break  # it was over before
            ended.pop()
            if last.start_ns >= begins_ns and (last.kind is not SpanKind.COMMAND or span.kind is SpanKind.COMMAND):
                parts.append(last)
            else:
                beside.append(last)
        ended.extend(reversed(beside))
        parts.reverse()
        span.children.extend(parts)
        for part in parts:
            self._clamp(part, span)
        ended.append(span)

    @staticmethod
    def _clamp(part: Span, whole: Span) -> None:
        """Let a part begin no earlier than the whole, as both were stamped a little late.

        A question keeps the time that it took, as long as the whole has room: it is drawn with its server's.
        """
        for span in _flat([part]):
            late_ns = max(0, whole.start_ns - span.start_ns)
            span.start_ns += late_ns
            if span.kind is SpanKind.REQUEST:
                span.end_ns += min(late_ns, max(0, whole.end_ns - span.end_ns))
            span.end_ns = max(span.end_ns, span.start_ns)

    # Language servers.

    def _server(self, record: Record) -> Server:
        name = record.args.get("server")
        name = name if isinstance(name, str) else ""
        server = self._servers.get(name)
        if server is None:
            server = self._servers[name] = Server(name, record.pid)
            self._run.servers.append(server)
        return server

    def _step(self, record: Record, end_ns: int) -> None:
        start_ns = end_ns - record.duration_ns
        server = self._server(record)
        if record.cmd == "lsp.spawn" and server.life is not None:
            self._finish_life(server, server.life, end_ns, None)
            server = self._server(record)
        if server.life is None:
            parent = self._open[-1] if self._open else None
            name = server.name or "language server"
            server.life = Span(SpanKind.LIFE, name, start_ns, end_ns, record, parent, server, beginning=record)
        life = server.life
        if record.cmd == "lsp.spawn":
            server.server_pid = _pid_of(record.extra.get("subprocess_pid"))
        # Each is counted from the start of the process, stamped a little late.
        life.start_ns = min(life.start_ns, start_ns)
        life.children.append(Span(SpanKind.STEP, record.cmd, life.start_ns, end_ns, record, server=server))
        if record.cmd == "lsp.spawn" and record.result.get("status") == "error":
            self._finish_life(server, life, end_ns, record)

    def _exit(self, record: Record, end_ns: int) -> None:
        server = self._server(record)
        life = server.life
        if life is None:
            start_ns = end_ns - record.duration_ns
            parent = self._open[-1] if self._open else None
            life = server.life = Span(
                SpanKind.LIFE, server.name or "language server", start_ns, end_ns, record, parent, server
            )
        self._finish_life(server, life, end_ns, record)

    def _diagnosed(self, record: Record, end_ns: int) -> None:
        server = self._server(record)
        span = Span(SpanKind.INSTANT, record.cmd, end_ns, end_ns, record, server=server)
        if server.life is not None:
            server.life.children.append(span)
        else:
            self._adopt(span)

    def _finish_life(self, server: Server, life: Span, end_ns: int, record: Record | None) -> None:
        """End a life, with the event that told of it; the next server of that name is another one."""
        life.end_ns = max(end_ns, life.start_ns, *(part.end_ns for part in life.children))
        life.is_open = record is None
        if record is not None:
            life.record = record
        _begin_parts(life)
        self._servers.pop(server.name, None)
        self._lives.append(life)


def _command_name(record: Record) -> str:
    command, face = record.args.get("command"), record.args.get("face")
    words = command if isinstance(command, str) and command else "command"
    return f"ctx {words}" if not isinstance(face, str) or face in {"cli", words, ""} else f"ctx {words} ({face})"


def _pid_of(value: object) -> int:
    return value if type(value) is int and 0 < value < 1 << 31 else 0


def _flat(roots: list[Span]) -> Iterator[Span]:
    """Yield spans and their parts, each before its parts; not by recursion, as an edited file may nest without end."""
    left: list[Span] = list(reversed(roots))
    while left:
        span = left.pop()
        yield span
        left.extend(reversed(span.children))


def _begin_parts(life: Span) -> None:
    """Let each step of a life begin with it, and what took no time when it ended."""
    for part in life.children:
        part.start_ns = life.start_ns if part.kind is SpanKind.STEP else part.end_ns


def _settled(root: Span, parent: Span | None) -> Iterator[Span]:
    root.parent = parent
    for span in _flat([root]):
        for child in span.children:
            child.parent = span
        yield span


def status_of(span: Span) -> str:
    """Return the class of error a span ended with; empty when it went well."""
    return failure_of(span.record)


def failure_of(record: Record) -> str:
    """Return the class of error an event tells of, in few fixed words or a class's name; empty when it went well."""
    result: dict[str, Any] = record.result
    if record.cmd == "command.end":
        code = result.get("exit_code")
        # 1 means that nothing was found, which is an answer.
        return str(code) if type(code) is int and code not in {0, 1} else ""
    if record.cmd == "lsp.exit":
        return "crashed" if result.get("crashed") is True else ""
    if record.cmd in {"lsp.timeout", "lsp.fallback"}:
        reason = result.get("reason", "timeout")
        return reason if isinstance(reason, str) else "error"
    status, error = result.get("status"), result.get("error")
    if isinstance(error, str) and error:
        return error
    # Any other word of ours (nothing, stale, invalid) is a result; a class's name and these are failures.
    is_failure = isinstance(status, str) and (status in _FAILED or status.endswith("Error"))
    return str(status) if is_failure else ""


_FAILED = frozenset({"error", "timeout", "crashed", "not_ready", "circuit_open", "no_server", "interrupted"})
