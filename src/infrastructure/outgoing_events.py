"""Events on their way out of a telemetry folder: read line by line, redacted once more, as records.

The lines were redacted when they were written. They are again by the same rules, as a file may be edited by hand, have
been written by an older ctx, or come from another machine: arguments that are not on the list, paths and credentials do
not get out. Nothing is held but one line.
"""

from __future__ import annotations

import json
import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from ..domain.telemetry.events import RESERVED_FIELDS, kind_of
from ..domain.telemetry.records import NAME_CHARS_MAX, Record, record_of
from ..domain.telemetry.redaction import PathRedactor
from .event_encoding import EventEncoder
from .event_sources import LongLine, lines_of
from .state_folder import CTX_FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from .event_sources import EventSource

_SAFE_WHOLE = ("segment", "segment_id", "run_id", "level")
_PLAIN = ("ts", "timing_ms", "duration_ns", "tokens", "pid", "seq", "telemetry_dropped_since_last")


class OutgoingEvents:
    """Iterates over the records of sources; those that `takes` refuses are left out before any work is done on them.

    `skipped` counts what is no event: unreadable lines, foreign objects, lines of megabytes; `read_bytes` says how far
    the reading is.
    """

    def __init__(
        self, sources: Sequence[EventSource], takes: Callable[[Mapping[str, Any]], bool] = lambda _event: True
    ) -> None:
        self.sources = tuple(sources)
        self.skipped = 0
        self.read_bytes = 0
        self._takes = takes

    def __iter__(self) -> Iterator[Record]:
        for source in self.sources:
            redaction = OutgoingRedaction(source.directory)
            for event in self._events(source):
                if not self._takes(event):
                    continue
                record = record_of(redaction.event(event))
                if record is None:
                    self.skipped += 1
                else:
                    yield record

    def size_bytes(self) -> int:
        """Return how large the files are now."""
        return sum(_size_of(path) for source in self.sources for path in source.paths)

    def _events(self, source: EventSource) -> Iterator[dict[str, Any]]:
        for path in source.paths:
            for line in lines_of(path):
                if isinstance(line, LongLine):
                    self.read_bytes += line.size_bytes
                    self.skipped += 1
                    continue
                self.read_bytes += len(line) + 1
                event = decoded(line)
                if event is None:
                    self.skipped += 1
                else:
                    yield event


class OutgoingRedaction:
    """Redacts the events of one telemetry folder, by the place of its segment and this user's home."""

    def __init__(self, directory: str) -> None:
        home = os.path.expanduser("~")
        homes = [home, os.path.realpath(home)] if os.path.isabs(home) else []
        self._encoder = EventEncoder(PathRedactor(_segments_of(directory), homes))
        self._name = lru_cache(maxsize=1024)(self._safe_name)

    def event(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return a decoded line as it may be handed on, with the keys it had."""
        encoder = self._encoder
        cmd = event.get("cmd")
        cmd = self._name(cmd) if isinstance(cmd, str) else ""
        args, result = event.get("args"), event.get("result")
        said = {
            "args": args if isinstance(args, dict) else {},
            "result": result if isinstance(result, dict) else {},
            **{key: value for key, value in event.items() if key not in RESERVED_FIELDS and key != "duration_ns"},
        }
        safe: dict[str, Any] = orjson.loads(b"{" + encoder.encode(said, kind_of(cmd).args) + b"}")
        safe["cmd"] = cmd
        for key in _PLAIN:
            if key in event:
                safe[key] = event[key]
        for key in _SAFE_WHOLE:
            value = event.get(key)
            safe[key] = self._name(value) if isinstance(value, str) else ""
        warnings = event.get("warnings")
        texts = [text for text in warnings if isinstance(text, str)] if isinstance(warnings, list) else []
        safe["warnings"] = encoder.warnings(texts) if texts else []
        return safe

    def _safe_name(self, text: str) -> str:
        # Cut before as well: a name is looked at by every rule, and a line may hold megabytes.
        name: str = orjson.loads(self._encoder.text(text[: 2 * NAME_CHARS_MAX]))
        return name[:NAME_CHARS_MAX]


def decoded(line: bytes) -> dict[str, Any] | None:
    """Return the object that a line holds; None when it holds none."""
    try:
        event = orjson.loads(line)
    except ValueError:
        try:
            # Slower, and reads what the other refuses: NaN, half a surrogate pair.
            event = json.loads(line)
        except (ValueError, RecursionError):
            return None
    return event if isinstance(event, dict) else None


def _segments_of(directory: str) -> list[str]:
    folder, name = os.path.split(directory)
    segment, ctx_folder = os.path.split(folder)
    if name != "telemetry" or ctx_folder != CTX_FOLDER:
        return []
    return list(dict.fromkeys((os.path.realpath(segment), segment)))


def _size_of(path: str) -> int:
    try:
        return os.lstat(path).st_size
    except OSError:
        return 0
