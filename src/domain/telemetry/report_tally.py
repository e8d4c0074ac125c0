"""What a report is made of, counted event by event: streaming, in bounded memory, so that parts can be put together.

`ReportTally.add` takes decoded lines in any order; two tallies over two parts, merged, are the tally over both. Nothing
here is redacted: `report` does that when the document is made, and nothing else may hand a tally's texts on.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from .commands_tally import CommandsTally
from .counters import FILE_READ_MODES
from .event_line import EventLine
from .events import LEVELS, TOKEN_FIELDS, is_lsp_request
from .latency import LatencySamples
from .moments import EARLIEST_US, EPOCH, LATEST_US, SECOND_US
from .run_streams import RunStreams, Span
from .selection import Selection
from .servers_tally import ServersTally
from .tally_values import FIGURE_MAX, OTHER, SAMPLE_NS_MAX, Counts, FrequentTexts, figure, name, sample_ns, text
from .trends import EVENTS, LSP_FALLBACKS, LSP_REQUESTS, RUNS, Cell, Trends

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .event_line import Json
    from .run_streams import Key

    Writer = tuple[str, object, object]
    """Run, process and segment of a line, as it says them."""

CMDS_MAX = 200
SEGMENTS_MAX = 1000
WARNINGS_HELD = 2000
PACK_FILE = "_ctx/context_pack.json"
"""Read for the index, not for anybody who asked."""
_KEYS = (
    "ts",
    "run_id",
    "segment_id",
    "cmd",
    "args",
    "result",
    "warnings",
    "level",
    "pid",
    "seq",
    "duration_ns",
)
_ERRORS = frozenset({"error", "interrupted", "crashed", "timeout"})
_NOTHING: dict[str, Any] = {}
_COUNTS = (
    "read",
    "selected",
    "unreadable",
    "too_long",
    "foreign",
    "future",
    "dropped_seen",
    "ast_hits",
    "ast_misses",
)
_INDEX_CHANGES = ("files_added", "files_changed", "files_removed")


class Kind:
    """What is counted of one event name."""

    __slots__ = ("count", "errors", "faces", "handle", "is_command", "latency", "samples_ns", "token_count", "tokens")

    def __init__(self, cmd: str) -> None:
        self.is_command = cmd.startswith("ctx.")
        self.handle = _handler_of(cmd)
        self.count = 0
        self.errors = 0
        self.faces = Counts()
        self.latency = LatencySamples()
        self.samples_ns: list[int] = []  # not yet in `latency`: there they go many at once
        self.token_count = 0
        self.tokens = dict.fromkeys(TOKEN_FIELDS, 0)

    def merge(self, other: Kind) -> None:
        """Add the counts of another one."""
        self.count += other.count
        self.errors += other.errors
        self.faces.merge(other.faces)
        self.latency.merge(other.latency)
        self.token_count += other.token_count
        for field, tokens in other.tokens.items():
            self.tokens[field] += tokens


class Source:
    """What is counted of one segment; `files` are the numbers of the files its events are in."""

    __slots__ = ("bytes", "events", "files", "segment")

    def __init__(self, segment: str) -> None:
        self.segment = segment
        self.files: set[int] = set()
        self.bytes = 0
        self.events = 0


class ReportTally:
    """The counts of one report, or of a part of one.

    `now_us` is the moment of the report, `selection` what of the events counts; all parts of a report have the same.
    """

    def __init__(self, now_us: int, selection: Selection | None = None) -> None:
        self.selection = selection or Selection()
        self._takes_all = self.selection.is_everything
        self._line = EventLine()
        self._writer: Writer | None = None
        self._key: Key = ("", "", 0)
        self._source = Source("")
        self.read = self.selected = self.unreadable = self.too_long = self.foreign = self.future = 0
        self.first_us, self.last_us = LATEST_US, EARLIEST_US  # nothing was selected yet
        self.sources: dict[str, Source] = {}
        self.kinds: dict[str, Kind] = {}
        self.streams = RunStreams()
        self.servers = ServersTally()
        self.commands = CommandsTally()
        self.trends = Trends(now_us)
        self.starts = Counts()
        self.exit_codes = Counts()
        self.dropped_seen = self.ast_hits = self.ast_misses = 0
        self.index = dict.fromkeys(("updates", *_INDEX_CHANGES, "unchanged_updates"), 0)
        self.reads = {mode: [0, 0, 0] for mode in FILE_READ_MODES}
        self.warnings = FrequentTexts(WARNINGS_HELD)

    def add(self, event: Json, size_bytes: int = 0, file: int = 0) -> None:
        """Count one decoded line; see `add_all`."""
        self.add_all([event], [size_bytes], file)

    def add_all(self, events: list[Any], sizes: Iterable[int], file: int) -> None:  # noqa: PLR0912, PLR0915 - all that is done for every event of every report: kept flat
        """Count decoded lines: how long they were, in bytes, and by number the file they are in."""
        from_iso = datetime.fromisoformat
        span = no_span = Span(0, -1, 0, 0, 0)  # no number follows it
        source, source_events, source_bytes = self._source, 0, 0
        cell, cell_events, cell_from_us, cell_until_us = Cell(), 0, 0, 0
        first_us, last_us, read, selected = self.first_us, self.last_us, 0, 0
        self._writer = None
        for event, size in zip(events, sizes, strict=True):
            try:
                ts, run_id, segment_id, cmd = event["ts"], event["run_id"], event["segment_id"], event["cmd"]
                args, result, warnings, level = event["args"], event["result"], event["warnings"], event["level"]
                pid, seq, duration_ns = event["pid"], event["seq"], event["duration_ns"]
            except KeyError:  # dearer, and for the few lines that do not have all keys
                ts, run_id, segment_id, cmd, args, result, warnings, level, pid, seq, duration_ns = map(
                    event.get, _KEYS
                )
            except TypeError:  # JSON, but no object
                self.unreadable += 1
                continue
            try:
                since = from_iso(ts) - EPOCH
                at_us = (since.days * 86_400 + since.seconds) * SECOND_US + since.microseconds
            except (TypeError, ValueError):
                self.foreign += 1
                continue
            if cmd.__class__ is not str or run_id.__class__ is not str or not cmd or not run_id:
                self.foreign += 1
                continue
            read += 1
            writer = (run_id, pid, segment_id)
            if writer != self._writer:  # lines of one command mostly follow each other
                source.events += source_events
                source.bytes += source_bytes
                source_events = source_bytes = 0
                self._turn_to(writer, event.get("segment"), file)
                source, span = self._source, no_span
            source_events += 1
            source_bytes += size
            if not self._takes_all and not self.selection.takes_at(at_us, run_id):
                continue
            selected += 1
            if not cell_from_us <= at_us < cell_until_us:
                at_us = min(max(at_us, EARLIEST_US), LATEST_US)  # an offset may lead out of the calendar
                cell.figures[EVENTS] += cell_events
                cell_events = 0
                cell = self.trends.cell(at_us)
                cell_from_us, cell_until_us = self.trends.bounds(at_us)
            cell_events += 1
            if at_us > last_us:  # noqa: PLR1730 - `max` costs three times as much
                last_us = at_us
            if at_us < first_us:  # noqa: PLR1730
                first_us = at_us
            kind = self.kinds.get(cmd) or self._kind(name(cmd))
            kind.count += 1
            taken_ns: int | None
            if duration_ns.__class__ is int and 0 <= duration_ns <= SAMPLE_NS_MAX:
                taken_ns = duration_ns
            else:
                taken_ns = sample_ns(event)
            if taken_ns is not None:
                kind.samples_ns.append(taken_ns)
            if result.__class__ is not dict:
                result = _NOTHING
            elif "status" in result and result["status"] != "ok":
                kind.errors += _is_error(result["status"])
            if seq.__class__ is int and 0 < seq <= FIGURE_MAX:
                if seq == span.last + 1 and at_us >= span.last_us:
                    span.last = seq
                    span.last_us = at_us
                else:
                    span = self.streams.add(self._key, seq, at_us)
            if kind.handle is not None:
                line = self._line
                line.event = event
                line.cmd = cmd
                line.at_us = at_us
                line.key = self._key
                line.cell = cell
                line.taken_ns = taken_ns
                line.args = args if args.__class__ is dict else _NOTHING
                line.result = result
                kind.handle(self, line, kind)
            if warnings or level != "lite" or "telemetry_dropped_since_last" in event:
                self._add_oddities(event, at_us)
        source.events += source_events
        source.bytes += source_bytes
        cell.figures[EVENTS] += cell_events
        self.first_us, self.last_us = first_us, last_us
        self.read += read
        self.selected += selected
        for kind in self.kinds.values():
            if kind.samples_ns:
                kind.latency.add_all(kind.samples_ns)
                kind.samples_ns = []

    def _turn_to(self, writer: Writer, segment: object, file: int) -> None:
        """Look up what is the same for all lines of one process of a run in a file."""
        run_id, pid, segment_id = writer
        self._writer = writer
        key = name(segment_id)
        self._source = self.sources.get(key) or self._new_source(key, segment)
        self._source.files.add(file)
        self._key = (key, name(run_id), figure(pid))

    def merge(self, other: ReportTally) -> None:
        """Add what another one has counted."""
        for field in _COUNTS:
            setattr(self, field, getattr(self, field) + getattr(other, field))
        if other.selected:
            self.first_us, self.last_us = min(self.first_us, other.first_us), max(self.last_us, other.last_us)
        for segment_id, theirs in other.sources.items():
            ours = self.sources.get(segment_id) or self._new_source(segment_id, theirs.segment)
            ours.events += theirs.events
            ours.bytes += theirs.bytes
            ours.files |= theirs.files
        for cmd, kind in other.kinds.items():
            (self.kinds.get(cmd) or self._kind(cmd)).merge(kind)
        self.streams.merge(other.streams)
        self.servers.merge(other.servers)
        self.commands.merge(other.commands)
        self.trends.merge(other.trends)
        self.starts.merge(other.starts)
        self.exit_codes.merge(other.exit_codes)
        self.warnings.merge(other.warnings)
        for field, count in other.index.items():
            self.index[field] += count
        for mode, sums in other.reads.items():
            self.reads[mode] = [mine + its for mine, its in zip(self.reads[mode], sums, strict=True)]

    def capped(self) -> list[str]:
        """Return what of the input there was too much of to tell it all apart."""
        found = {
            "answers": OTHER in self.commands.answers,
            "commands": OTHER in self.kinds,
            "names": self.starts.is_full or self.exit_codes.is_full,
            "queries": self.commands.queries.has_forgotten,
            "runs": self.streams.has_forgotten,
            "savings": self.commands.savings.is_capped,
            "segments": OTHER in self.sources,
            "servers": self.servers.is_full,
            "warnings": self.warnings.has_forgotten,
        }
        return [what for what, is_capped in found.items() if is_capped]

    def _new_source(self, segment_id: str, segment: object) -> Source:
        if len(self.sources) >= SEGMENTS_MAX:
            segment_id = segment = OTHER
        return self.sources.setdefault(segment_id, Source(name(segment)))

    def _kind(self, cmd: str) -> Kind:
        if len(self.kinds) >= CMDS_MAX:
            cmd = OTHER
        kind = self.kinds.get(cmd)
        if kind is None:
            kind = self.kinds[cmd] = Kind(cmd)
        return kind

    def _add_oddities(self, event: Json, at_us: int) -> None:
        """Count what most events do not have: a level of a later version, warnings, dropped events before them."""
        level = event.get("level")
        if level not in LEVELS:
            self.future += isinstance(level, str)
        if warnings := event.get("warnings"):
            for warning in warnings[:WARNINGS_HELD] if isinstance(warnings, list) else ():
                if shown := text(warning):
                    self.warnings.add("", shown, at_us)
        if "telemetry_dropped_since_last" in event:
            dropped = figure(event["telemetry_dropped_since_last"])
            self.dropped_seen += dropped
            self.streams.drops(self._key, dropped)


def _is_error(status: object) -> bool:
    return isinstance(status, str) and (status in _ERRORS or status[:1].isupper())


# What else the events of one name mean; called for each of them.


def _command(tally: ReportTally, line: EventLine, kind: Kind) -> None:
    face = name(line.event.get("face"))
    kind.faces.add(face)
    if tokens := tally.commands.add(line, face):
        kind.token_count += 1
        for field, count in zip(TOKEN_FIELDS, tokens, strict=True):
            kind.tokens[field] += count


def _command_start(tally: ReportTally, line: EventLine, _kind: Kind) -> None:
    tally.starts.add(name(line.args.get("face")))
    tally.streams.opens(line.key, 1)
    line.cell.figures[RUNS] += 1


def _command_end(tally: ReportTally, line: EventLine, _kind: Kind) -> None:
    exit_code = line.result.get("exit_code")
    tally.exit_codes.add(str(exit_code) if type(exit_code) is int and abs(exit_code) <= 0xFFFF else "")
    tally.streams.opens(line.key, -1)


def _ast_cache(tally: ReportTally, line: EventLine, _kind: Kind) -> None:
    # The hit is a result for the lookup itself and an extra field where another command reports one.
    where = line.result if "cache_hit" in line.result else line.event
    if where.get("cache_hit") is True:
        tally.ast_hits += 1
    else:
        tally.ast_misses += 1


def _file_read(tally: ReportTally, line: EventLine, _kind: Kind) -> None:
    mode = line.args.get("mode")
    if isinstance(mode, str) and mode in tally.reads and line.args.get("file") != PACK_FILE:
        sums = tally.reads[mode]
        sums[0] += 1
        sums[1] += figure(line.result.get("bytes"))
        sums[2] += figure(line.result.get("file_bytes"))


def _index_update(tally: ReportTally, line: EventLine, _kind: Kind) -> None:
    changes = [figure(line.result.get(field)) for field in _INDEX_CHANGES]
    for field, count in zip(_INDEX_CHANGES, changes, strict=True):
        tally.index[field] += count
    tally.index["updates"] += 1
    tally.index["unchanged_updates"] += not any(changes)


def _server_life(tally: ReportTally, line: EventLine, _kind: Kind) -> None:
    tally.servers.add_life(line)
    if line.cmd == "lsp.fallback":
        line.cell.figures[LSP_FALLBACKS] += 1


def _server_request(tally: ReportTally, line: EventLine, _kind: Kind) -> None:
    tally.servers.add_request(line)
    line.cell.figures[LSP_REQUESTS] += 1


_HANDLERS = {
    "command.start": _command_start,
    "command.end": _command_end,
    "ast.cache": _ast_cache,
    "file.read": _file_read,
    "index.update": _index_update,
    **dict.fromkeys(
        ("lsp.spawn", "lsp.initialize", "lsp.ready", "lsp.exit", "lsp.timeout", "lsp.fallback"), _server_life
    ),
}


def _handler_of(cmd: str) -> Callable[[ReportTally, EventLine, Kind], None] | None:
    if cmd.startswith("ctx."):
        return _command
    return _server_request if is_lsp_request(cmd) else _HANDLERS.get(cmd)
