"""Points in time as event lines spell them: RFC 3339 in, microseconds since 1970 to count with, RFC 3339 in UTC out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

SECOND_US = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
EARLIEST_US = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
LATEST_US = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
_OWN_CHARS = len("2025-12-29T22:06:52.060304+00:00")
_CHARS_MAX = 64


def moment_us(ts: object) -> int | None:
    """Return the microseconds since 1970 of an RFC 3339 time with an offset; None for anything else."""
    if not isinstance(ts, str) or len(ts) > _CHARS_MAX:
        return None
    try:
        if len(ts) == _OWN_CHARS and ts[19] == "." and ts[26:] == "+00:00" and ts[20:26].isdigit():
            return _second_us(ts[:19]) + int(ts[20:26])
        moment = datetime.fromisoformat(ts)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    return min(max((moment - _EPOCH) // _MICROSECOND, EARLIEST_US), LATEST_US)


@lru_cache(maxsize=1024)
def _second_us(text: str) -> int:
    return (datetime.fromisoformat(text + "+00:00") - _EPOCH) // _MICROSECOND


def moment_text(us: int) -> str:
    """Return the RFC 3339 form, in UTC and with microseconds, of a moment between years 1 and 9999."""
    return (_EPOCH + us * _MICROSECOND).isoformat(timespec="microseconds")
