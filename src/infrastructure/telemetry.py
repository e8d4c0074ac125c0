"""`Telemetry`: the only writer of what a command cost, in `<segment>/_ctx/telemetry/`.

Owns the life of a run: sequence numbers, what happens when writing fails, the two summary files. Leaves names and rules
to `ctx.domain.telemetry`, counting to `run_tally`, encoding to `event_encoding`, files to `event_sink`, `metrics_file`
and `event_spill`. docs/telemetry.md describes every key it writes.
"""

from __future__ import annotations

import os
import sys

from ..domain.telemetry.counters import (
    ATTEMPTED,
    DROPPED,
    FILE_READ_MODES,
    METRICS_DAMAGED,
    RECOVERED,
    WRITTEN,
    file_read_counter,
)
from ..domain.telemetry.events import LEVELS, RESERVED_FIELDS, TOKEN_FIELDS
from ..domain.telemetry.redaction import PathRedactor, printable, short_hash
from .clock import SystemClock
from .event_encoding import EventEncoder
from .event_sink import KEEP_ROTATED, ROTATE_BYTES, EventSink, Forks, SyncFailedError
from .run_tally import TOKENS_FORMAT, RunTally
from .secrets import redact_value
from .state_folder import CTX_FOLDER, make_ctx_folder, make_folder
from .timed_event import TimedEvent

TYPE_CHECKING = False  # importing `typing` for it would double what this module costs at start
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from ..domain.ports import Clock
    from .run_tally import EventTally

LEVEL_VARIABLE = "CTX_TELEMETRY"
QUEUE_MAX = 256

_TOKEN_FIELDS = frozenset(TOKEN_FIELDS)
_ZERO_TOKENS = TOKENS_FORMAT % (0, 0, 0, 0)
_SECOND_NS = 1_000_000_000
# Counts wait in plain integers and lists and are added up every 1,024 events; adding each would cost each event.
_FOLD_EVERY_MASK = 1023


class _Said:
    """What this process has already told the user, once."""

    degraded = False
    bad_level = False


class Telemetry:
    """The record of one run in one segment.

    Constructing it reads the environment and writes nothing; the folder is made by the first write, and never at level
    `off`. No method raises for a disk that is full, read-only or gone: the loss is counted and said once on stderr.

    `directory` puts the files elsewhere when `_ctx/` cannot be written; `keep_rotated=None` keeps every rotated file.
    Safe for threads and across fork: a forked child counts from nothing, with a `seq` of its own.
    """

    dropped: int
    _seq: int
    _dropped_since_last: int
    _tally: RunTally

    def __init__(
        self,
        segment_path: Path | str,
        level: str = "lite",
        run_id: str = "",
        *,
        clock: Clock | None = None,
        rotate_bytes: int = ROTATE_BYTES,
        keep_rotated: int | None = KEEP_ROTATED,
        directory: Path | str | None = None,
    ) -> None:
        self.level = _effective_level(level)
        self._is_off = self.level == "off"
        self._segment_path = os.path.abspath(os.fspath(segment_path))
        self.clock = clock or SystemClock()
        self._time_ns = self.clock.time_ns if isinstance(self.clock, SystemClock) else self._time_ns_of_clock
        self._second = (0, b"")  # the current second in ns since 1970, and how a line of that second begins
        self.run_id = run_id or f"run_{self._time_ns() // _SECOND_NS}_{os.urandom(4).hex()}"
        self._is_elsewhere = directory is not None
        self.directory = (
            os.path.join(self._segment_path, CTX_FOLDER, "telemetry")
            if directory is None
            else os.path.abspath(os.fspath(directory))
        )
        self._sink = EventSink(
            os.path.join(self.directory, "events.jsonl"),
            make_folder=self._make_folder,
            rotate_bytes=rotate_bytes,
            keep_rotated=keep_rotated,
        )
        self._head: bytes | None = None
        self._has_exit_hook = False
        self._pack: tuple[str | None, str | None, bool | None] = (None, None, None)
        self._begin()

    # What a command calls.

    def event(  # noqa: PLR0912 - every event of every command pays for this function: kept flat
        self,
        cmd: str,
        args: dict[str, Any],
        result: dict[str, Any],
        timing_ms: int,
        warnings: list[str] | None = None,
        **extra_fields: Any,
    ) -> None:
        """Write one event, move the counters it stands for and add one latency sample for `cmd`.

        `duration_ns` among the extra fields is the sample, else `timing_ms` when it is above 0. Token figures are taken
        from `result` (`input_tokens`, `output_tokens`, `total_tokens`, `retrieved_tokens`).

        Raises:
            ValueError: an extra field has a reserved name.
        """
        if self._is_off:
            return
        duration_ns = None
        if extra_fields:
            if not RESERVED_FIELDS.isdisjoint(extra_fields):
                _refuse_reserved(extra_fields)
            duration_ns = extra_fields.pop("duration_ns", None)
        if self._forks != Forks.count:
            self._after_fork()
        sink = self._sink
        with sink.lock:
            tally = self._tally.events.get(cmd) or self._new_tally(cmd)
            appended, failed = -1, self._failed
            self._seq = seq = self._seq + 1
            try:
                tally.count += 1
                if tally.rule is not None:
                    self._tally.add(tally.rule(self._countable(args), result, extra_fields, timing_ms))
                if duration_ns is not None:
                    duration_ns = int(duration_ns)
                    tally.samples_ns.append(duration_ns)
                elif timing_ms > 0:
                    tally.samples_ns.append(timing_ms * 1_000_000)
                if self._dropped_since_last:
                    extra_fields["telemetry_dropped_since_last"] = self._dropped_since_last
                if not seq & _FOLD_EVERY_MASK:
                    self._tally.fold()
                said = self._encode({"args": args, "result": result, **extra_fields}, tally.allowed_args)
                second_ns, beginning = self._second
                now_ns = self._time_ns()
                if not 0 <= now_ns - second_ns < _SECOND_NS:
                    second_ns, beginning = self._new_second(now_ns)
                # Only what the caller said goes through an encoder: for the rest a format is three times as fast.
                line = b'%b.%06d%b%b,"timing_ms":%d,"duration_ns":%b,"tokens":%b,"warnings":%b,"seq":%d%b' % (
                    beginning,
                    (now_ns - second_ns) // 1000,
                    tally.head,
                    said,
                    timing_ms,
                    b"null" if duration_ns is None else b"%d" % duration_ns,
                    _ZERO_TOKENS if _TOKEN_FIELDS.isdisjoint(result) else tally.count_tokens(result),
                    self._encode_warnings(warnings) if warnings else b"[]",
                    seq,
                    self._tail,
                )
                try:
                    if self._has_backlog:
                        self._write_backlog()
                    appended = sink.appended
                    sink.append_locked(line, durable=tally.critical)
                except SyncFailedError as error:
                    self._say_degraded(error)
                except OSError as error:
                    self._keep_or_drop(line, error, critical=tally.critical)
                else:
                    self._dropped_since_last = 0
            except BaseException:
                # An interrupt, or an argument that cannot be encoded: the number is given, and a line must explain it.
                if appended in (-1, sink.appended) and self._failed == failed:
                    self._failed += 1
                    self._drop(1)
                raise

    def observe(self, cmd: str, ms: float) -> None:
        """Add one latency sample, in milliseconds, for work that has no event."""
        if self._is_off:
            return
        self._after_fork()
        with self._sink.lock:
            self._tally.add_sample(cmd, int(ms * 1e6))

    def incr(self, name: str, n: int = 1) -> None:
        """Add `n` to the counter `name`."""
        if self._is_off:
            return
        self._after_fork()
        with self._sink.lock:
            self._tally.add(((name, n),))

    def timed(self, cmd: str, args: dict[str, Any], **extra: Any) -> TimedEvent:
        """Return a context manager that times its block and emits the event when it ends, also when it raises.

        It yields an object whose `result`, `extra` and `warnings` the block fills in.

        Raises:
            ValueError: an extra field has a reserved name.
        """
        if not RESERVED_FIELDS.isdisjoint(extra):
            _refuse_reserved(extra)
        return TimedEvent(self, cmd, args, extra)

    def command_start(self, command: str, face: str) -> None:
        """Write the critical event that opens a process or a request."""
        self.event("command.start", {"command": command, "face": face}, {}, 0)

    def command_end(self, command: str, face: str, exit_code: int, duration_ns: int) -> None:
        """Write the critical event that closes it, with the bytes read so far, in total and by mode."""
        extra: dict[str, Any] = {f"{mode}_bytes": size for mode, size in self.bytes_by_mode.items()}
        self.event(
            "command.end",
            {"command": command, "face": face},
            {"exit_code": exit_code},
            duration_ns // 1_000_000,
            duration_ns=duration_ns,
            bytes_read=self.bytes_read,
            **extra,
        )

    def set_pack_state(self, sha16: str | None, mtime: str | None, stale_detected: bool | None) -> None:
        """Say which context pack the run used, `mtime` as an RFC 3339 time; all None, the default, for no pack."""
        self._pack = (sha16, mtime, stale_detected)

    def flush(self, *, is_last: bool = True) -> None:
        """Write what waits, add this run's new counts to metrics.json, replace last_run.json; never raises.

        A second flush adds only what is new since the first; last_run.json always shows the whole run. It is of the
        run that finished last: a process that lives on flushes with `is_last` False and leaves it alone.
        """
        if self._is_off:
            return
        self._after_fork()
        with self._sink.lock:
            try:
                self._write_backlog()
            except OSError as error:
                self._say_degraded(error)
                self._spill()
            try:
                self._write_summaries(is_last=is_last)
            except OSError as error:
                self._say_degraded(error)

    def close(self) -> None:
        """Flush and close the files; a later event opens them again."""
        self.flush()
        self._sink.close()

    # What others read.

    @property
    def counters(self) -> dict[str, int]:
        """Every counter of this run so far, `telemetry_events_written` and its like included; a copy."""
        with self._sink.lock:
            return {
                ATTEMPTED: self._seq,
                WRITTEN: self._seq - self._failed + self._recovered,
                DROPPED: self.dropped,
                RECOVERED: self._recovered,
                **self._tally.counters(),
            }

    @property
    def bytes_by_mode(self) -> dict[str, int]:
        """Bytes this process handed on so far, by disclosure mode."""
        return {mode: self._tally.counter(file_read_counter(mode)) for mode in FILE_READ_MODES}

    @property
    def bytes_read(self) -> int:
        """Bytes this process handed on so far, over all modes."""
        return sum(self.bytes_by_mode.values())

    def summary(self) -> dict[str, Any]:
        """Return what `last_run.json` would say of the run so far."""
        counters = self.counters
        with self._sink.lock:
            return self._summary(counters)

    @property
    def segment_id(self) -> str:
        """8 hex digits that tell this segment from another of the same name."""
        return self._identity()[1]

    # The life of a run.

    def _begin(self) -> None:
        """Start counting: at construction, and again in a forked child."""
        self._forks = Forks.count
        # What every line of this process ends with.
        self._tail = b',"pid":%d,"level":"%b"}\n' % (os.getpid(), self.level.encode())
        self._seq = 0
        self.dropped = 0
        self._failed = 0  # events not written when they came: dropped, waiting or spilled
        self._recovered = 0
        self._dropped_since_last = 0
        self._tally = RunTally(self._safe)
        self._flushed: dict[str, int] = {}
        self._queue: list[bytes] = []
        self._has_looked_for_spill = False
        # As far as is known: what earlier runs spilled is looked for before the first write.
        self._has_backlog: bool = True

    def _after_fork(self) -> None:
        if self._forks != Forks.count:
            self._sink.after_fork()
            self._begin()

    def _identity(self) -> tuple[PathRedactor, str]:
        resolved = os.path.realpath(self._segment_path)
        home = os.path.expanduser("~")
        homes = [home, os.path.realpath(home)] if os.path.isabs(home) else []
        # The place with links resolved names the segment, so two ways to one directory are one segment.
        return PathRedactor((resolved, self._segment_path), homes, secrets=redact_value), short_hash(resolved)

    def _encoding(self) -> EventEncoder:
        """Return the encoder of this segment, made when the first text has to be safe."""
        if self._head is None:
            redactor, segment_id = self._identity()
            self._encoder = encoder = EventEncoder(redactor)
            self._encode = encoder.encode
            self._head = b'+00:00","run_id":%b,"segment":%b,"segment_id":"%b","cmd":' % (
                encoder.text(self.run_id),
                encoder.text(redactor.segment_name()),
                segment_id.encode(),
            )
        return self._encoder

    def _safe(self, text: str) -> str:
        return self._encoding().safe(text)

    def _countable(self, args: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments with a server's name that may become a part of a counter's."""
        server = args.get("server")
        return args if server is None or server.__class__ is not str else {**args, "server": self._safe(server)}

    def _make_folder(self) -> None:
        if self._is_elsewhere:
            os.makedirs(self.directory, exist_ok=True)
        else:
            make_ctx_folder(self._segment_path)
            make_folder(self.directory)

    # One event.

    def _new_tally(self, cmd: str) -> EventTally:
        encoder = self._encoding()
        assert self._head is not None
        return self._tally.new_event(cmd, self._head + encoder.text(cmd) + b",")

    def _encode_warnings(self, warnings: list[str]) -> bytes:
        safe = self._encoder.warnings(warnings)
        self._tally.add_warnings(safe)
        return self._encoder.dumps(safe)

    def _time_ns_of_clock(self) -> int:
        now = self.clock.now()
        return int(now.replace(microsecond=0).timestamp()) * _SECOND_NS + now.microsecond * 1000

    def _new_second(self, now_ns: int) -> tuple[int, bytes]:
        # Formatted once a second: `isoformat` for every event would cost more than the write.
        from datetime import UTC, datetime

        second = now_ns // _SECOND_NS
        text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        self._second = (second * _SECOND_NS, b'{"ts":"' + text.encode())
        return self._second

    # When writing fails.

    def _keep_or_drop(self, line: bytes, error: OSError, *, critical: bool) -> None:
        if not critical:
            self._failed += 1
            self._drop(1)
            self._say_degraded(error)
            return
        if len(self._queue) >= QUEUE_MAX:
            self._spill()
        self._failed += 1
        self._queue.append(line)
        self._has_backlog = True
        self._say_degraded(error)
        if not self._has_exit_hook:
            import atexit

            self._has_exit_hook = True
            atexit.register(self._at_exit)

    def _drop(self, count: int) -> None:
        self.dropped += count
        self._dropped_since_last += count

    def _write_backlog(self) -> None:
        """Write what earlier runs spilled, then what waits in the queue, in order.

        Raises:
            OSError: it cannot be written now; what is left stays.
        """
        if not self._has_looked_for_spill:
            from .state_folder import spill_dir

            if os.path.isdir(spill_dir()):
                from .event_spill import take_up

                self._recovered += take_up(self.segment_id, self._sink, self.directory)
            self._has_looked_for_spill = True
        while self._queue:
            appended = self._sink.appended
            try:
                self._sink.append_locked(self._queue[0], durable=True)
            except SyncFailedError as error:
                self._say_degraded(error)
            finally:  # also when Ctrl-C meets the wait for the disk
                if self._sink.appended != appended:
                    del self._queue[0]
                    self._recovered += 1
        self._has_backlog = False

    def _spill(self) -> None:
        """Move the queue to the user's state directory; what cannot be kept there either is dropped and counted."""
        if not self._queue:
            return
        from .event_spill import spill_lines

        try:
            spill_lines(self.segment_id, self._safe(self.run_id), self._queue)
            self._has_looked_for_spill = False
            self._has_backlog = True
        except OSError:
            self._drop(len(self._queue))
        self._queue.clear()

    def _at_exit(self) -> None:
        """Get the queue out of a process that ends without a flush."""
        if self._queue and self._forks == Forks.count:
            self.flush()

    def _say_degraded(self, error: OSError) -> None:
        if not _Said.degraded:
            _Said.degraded = True
            _say(
                f"telemetry cannot be written ({error.strerror or error}); the command goes on, what is lost is counted"
            )

    # The two summary files.

    def _write_summaries(self, *, is_last: bool) -> None:
        from .metrics_file import add_counters, metrics_lock

        if not os.path.isdir(self.directory):
            self._make_folder()
        with metrics_lock(self.directory):
            add_counters(self.directory, self._new_counts(), on_damage=self._count_damage)
            self._flushed = self.counters
            if is_last:
                self._replace_last_run(self._flushed)

    def _replace_last_run(self, counters: dict[str, int]) -> None:
        import json

        from .metrics_file import LAST_RUN_FILE
        from .regular_file import replace_file

        summary = self._summary(counters)
        replace_file(os.path.join(self.directory, LAST_RUN_FILE), json.dumps(summary, indent=2).encode() + b"\n")

    def _summary(self, counters: dict[str, int]) -> dict[str, Any]:
        from ..domain.telemetry.summary import pack_state, summarise

        return summarise(
            run_id=self._safe(self.run_id),
            ts=self.clock.now().isoformat(timespec="microseconds"),
            counters=counters,
            latencies=self._tally.latencies,
            tokens=self._tally.tokens,
            warnings=self._tally.top_warnings,
            pack=pack_state(*self._pack),
        )

    def _new_counts(self) -> dict[str, int]:
        flushed = self._flushed
        return {name: total - flushed.get(name, 0) for name, total in self.counters.items()}

    def _count_damage(self) -> dict[str, int]:
        self._tally.add(((METRICS_DAMAGED, 1),))
        return self._new_counts()


def _effective_level(level: str) -> str:
    """Return the level in force: the environment's, else the caller's.

    Raises:
        ValueError: the caller's level is none; the environment's, which a user typed, is only warned about.
    """
    if level not in LEVELS:
        message = f"telemetry level must be one of {', '.join(LEVELS)}, found {level!r}"
        raise ValueError(message)
    wanted = os.environ.get(LEVEL_VARIABLE, "")
    if not wanted:
        return level
    if wanted in LEVELS:
        return wanted
    if not _Said.bad_level:
        _Said.bad_level = True
        _say(f"{LEVEL_VARIABLE} must be one of {', '.join(LEVELS)}, found {printable(wanted)[:40]!r}; using lite")
    return "lite"


def _refuse_reserved(extra_fields: dict[str, Any]) -> None:
    name = min(RESERVED_FIELDS & extra_fields.keys())
    message = f'"{name}" is a key of every event line and cannot be an extra field; choose another name'
    raise ValueError(message)


def _say(text: str) -> None:
    try:  # noqa: SIM105 - contextlib would cost 4 ms of every start
        sys.stderr.write(f"ctx: {text}\n")
    except (OSError, ValueError, AttributeError):
        pass  # a closed or absent stderr must not break the command either
