"""Events on their way out of a telemetry folder: read line by line, redacted once more, as records.

The lines were redacted when they were written. They are again by the same rules, as a file may be edited by hand, have
been written by an older ctx, or come from another machine: arguments that are not on the list, paths and credentials do
not get out. Nothing is held but one line.
"""

from __future__ import annotations

import json
import os
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from ..domain.telemetry.events import kind_of
from ..domain.telemetry.records import NAME_CHARS_MAX, Record, record_of, said_of
from ..domain.telemetry.redaction import PathRedactor
from .event_encoding import EventEncoder
from .event_sources import LongLine, identity_of, lines_of_file
from .secrets import redact_value
from .state_folder import CTX_FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from .event_sources import EventSource

_NAMES = ("cmd", "segment", "segment_id", "run_id", "level")
_OWN_RUN = re.compile(r"run_\d{1,12}_[0-9a-f]{8}", re.ASCII)
_KNOWN_CHARS_MAX = 256
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
        # Rotation may rename them while others are read.
        self._identities = {path: identity_of(path) for source in self.sources for path in source.paths}

    def __iter__(self) -> Iterator[Record]:
        for source in self.sources:
            redaction = OutgoingRedaction(source.directory)
            for event in self._events(source):
                if not self._takes(event):
                    continue
                record = redaction.record(event)
                if record is None:
                    self.skipped += 1
                else:
                    yield record

    def size_bytes(self) -> int:
        """Return how large the files are now."""
        return sum(_size_of(path) for source in self.sources for path in source.paths)

    def _events(self, source: EventSource) -> Iterator[dict[str, Any]]:
        for path in source.paths:
            for line in lines_of_file(path, self._identities[path]):
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
        self._encoder = EventEncoder(PathRedactor(_segments_of(directory), homes, secrets=_redacted))
        self._name = lru_cache(maxsize=1024)(self._safe_name)
        self._allowed = lru_cache(maxsize=1024)(lambda cmd: kind_of(cmd).args)

    def record(self, event: Mapping[str, Any]) -> Record | None:
        """Return the record of a decoded line as it may be handed on; None when the line is no event."""
        return record_of(self._common(event), self._said(event))

    def event(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return a decoded line as it may be handed on, with the keys that every line has."""
        return {**self._common(event), **self._said(event)}

    def _said(self, event: Mapping[str, Any]) -> dict[str, Any]:
        cmd = event.get("cmd")
        allowed = self._allowed(cmd if isinstance(cmd, str) else "")
        said: dict[str, Any] = orjson.loads(b"{" + self._encoder.encode(said_of(event), allowed) + b"}")
        return said

    def _common(self, event: Mapping[str, Any]) -> dict[str, Any]:
        safe = {key: event[key] for key in _PLAIN if key in event}
        for key in _NAMES:
            value = event.get(key)
            safe[key] = self._name(value) if isinstance(value, str) else ""
        warnings = event.get("warnings")
        if warnings and isinstance(warnings, list):
            safe["warnings"] = self._encoder.warnings([text for text in warnings if isinstance(text, str)])
        else:
            safe["warnings"] = []
        return safe

    def _safe_name(self, text: str) -> str:
        if _OWN_RUN.fullmatch(text):
            return text  # nearly every line has another one, and looking for secrets in it takes a while
        # Cut before as well: a name is looked at by every rule, and a line may hold megabytes.
        name: str = orjson.loads(self._encoder.text(text[: 2 * NAME_CHARS_MAX]))
        return name[:NAME_CHARS_MAX]


def _redacted(text: str, key: str) -> str:
    return _redacted_before(text, key) if len(text) <= _KNOWN_CHARS_MAX else redact_value(text, key)


@lru_cache(maxsize=16_384)
def _redacted_before(text: str, key: str) -> str:
    # Files hold the same paths, names and queries again and again.
    return redact_value(text, key)


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
