"""Points in time as event lines spell them: RFC 3339 in, microseconds since 1970 to count with, RFC 3339 in UTC out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

SECOND_US = 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
EARLIEST_US = (datetime.min.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND
LATEST_US = (datetime.max.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND
_CHARS_MAX = 64


def moment_us(ts: object) -> int | None:
    """Return the microseconds since 1970 of an RFC 3339 time with an offset; None for anything else."""
    if ts.__class__ is not str or len(str(ts)) > _CHARS_MAX:
        return None
    try:
        since = datetime.fromisoformat(str(ts)) - EPOCH
    except (ValueError, TypeError):  # TypeError: it has no offset
        return None
    us = (since.days * 86_400 + since.seconds) * SECOND_US + since.microseconds
    return us if EARLIEST_US <= us <= LATEST_US else min(max(us, EARLIEST_US), LATEST_US)


def moment_text(us: int) -> str:
    """Return the RFC 3339 form, in UTC and with microseconds, of a moment between years 1 and 9999."""
    return (EPOCH + us * _MICROSECOND).isoformat(timespec="microseconds")
