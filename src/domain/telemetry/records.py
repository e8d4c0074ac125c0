"""An event line as a value with known types, whatever the line says: numbers are numbers, objects are objects.

Files are edited by hand, torn and written by other versions; everything that is taken away from them (traces, exports)
is made of records, so that no conversion has to ask again. docs/telemetry.md describes the keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .events import RESERVED_FIELDS, TOKEN_FIELDS
from .moments import moment_us

if TYPE_CHECKING:
    from collections.abc import Mapping

INTEGER_MAX = (1 << 63) - 1
"""What other programs hold in an integer."""
DURATION_NS_MAX = 366 * 86_400 * 1_000_000_000
"""A year: what is longer was not measured."""
NAME_CHARS_MAX = 120
_OWN_KEYS = RESERVED_FIELDS | {"duration_ns"}
_MS_NS = 1_000_000
_NO_TOKENS = dict.fromkeys(TOKEN_FIELDS, 0)


@dataclass(slots=True)
class Record:
    """One event; `end_us` is when it was written, in microseconds since 1970, `duration_ns` how long it took.

    `extra` are the fields beside those that every event line has; `is_timed` tells whether a duration was said at all.
    """

    end_us: int
    run_id: str
    segment: str
    segment_id: str
    cmd: str
    args: dict[str, Any]
    result: dict[str, Any]
    extra: dict[str, Any]
    timing_ms: int
    duration_ns: int
    is_timed: bool
    tokens: dict[str, int]
    warnings: list[str]
    pid: int
    seq: int
    level: str
    dropped_before: int
    kept: Any = None
    """What a conversion keeps with an event that it tells of twice."""


def record_of(event: Mapping[str, Any], said: dict[str, Any] | None = None) -> Record | None:
    """Return the record of a decoded line; None when it has no time, no run or no name, and so is no event.

    `said`, when given, stands for the arguments, the result and the extra fields of the line, and is taken apart.
    """
    end_us, run_id, cmd = moment_us(event.get("ts")), event.get("run_id"), event.get("cmd")
    if end_us is None or not isinstance(run_id, str) or not isinstance(cmd, str) or not run_id or not cmd:
        return None
    if said is None:
        said = said_of(event)
    timing_ms = whole(event.get("timing_ms"))
    given_ns = event.get("duration_ns")
    is_measured = type(given_ns) is int and given_ns >= 0
    duration_ns = whole(given_ns) if is_measured else timing_ms * _MS_NS
    tokens, warnings = event.get("tokens"), event.get("warnings")
    return Record(
        end_us=end_us,
        run_id=run_id[:NAME_CHARS_MAX],
        segment=_name(event.get("segment")),
        segment_id=_name(event.get("segment_id")),
        cmd=cmd[:NAME_CHARS_MAX],
        args=_mapping(said.pop("args", None)),
        result=_mapping(said.pop("result", None)),
        extra=said,
        timing_ms=timing_ms,
        duration_ns=min(duration_ns, DURATION_NS_MAX),
        is_timed=is_measured or timing_ms > 0,
        tokens=_tokens(tokens) if tokens != _NO_TOKENS and isinstance(tokens, dict) else _NO_TOKENS,
        warnings=[str(text) for text in warnings] if warnings and isinstance(warnings, list) else [],
        pid=whole(event.get("pid")),
        seq=whole(event.get("seq")),
        level=_name(event.get("level")),
        dropped_before=whole(event.get("telemetry_dropped_since_last")),
    )


def said_of(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a decoded line says beside what every line has: arguments, result and extra fields."""
    extra = {key: value for key, value in event.items() if key not in _OWN_KEYS}
    return {"args": _mapping(event.get("args")), "result": _mapping(event.get("result")), **extra}


def whole(value: object) -> int:
    """Return a whole number from 0 to INTEGER_MAX; 0 for anything that is none, such as a text or a truth value."""
    if type(value) is not int or value < 0:
        return 0
    return min(value, INTEGER_MAX)


def _tokens(tokens: dict[str, Any]) -> dict[str, int]:
    return {field: whole(tokens.get(field)) for field in TOKEN_FIELDS}


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _name(value: object) -> str:
    return value[:NAME_CHARS_MAX] if isinstance(value, str) else ""
