"""How the figures of a report are written for people: the same in the terminal and in the page.

Three significant digits, a unit that fits, an en dash for what is not known. Decimal units (1 kB = 1,000 bytes).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

UNKNOWN = "\N{EN DASH}"
BLOCKS = " ▁▂▃▄▅▆▇█"
ASCII_BLOCKS = " .:-=+*#@"
ODDITIES = (
    ("unreadable", "lines that are no JSON object (torn, edited by hand), skipped"),
    ("too_long", "lines longer than any event, skipped"),
    ("foreign", "lines without the keys of an event, skipped"),
    ("future", "lines of a later version of ctx"),
    ("duplicate_like", "events with the run, process and number of another"),
    ("clock_steps", "times the clock was set back by more than a second"),
)
"""What may be odd in event files, by its key in a report's `events`, in words that a number follows."""
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400


def significant(value: float) -> str:
    """Return the number in three significant digits, with all digits before the point and no exponent."""
    if value == 0:
        return "0"
    exponent = int(f"{value:.2e}".partition("e")[2])  # of the rounded value: 0.9996 is 1.00
    digits = max(0, 2 - exponent)
    return f"{value:,.{digits}f}"


def count(number: int | None) -> str:
    """Return a whole number with separators between thousands."""
    return UNKNOWN if number is None else f"{number:,}"


def many(number: int, word: str) -> str:
    """Return a number with a word for what is counted, which takes an s: 1 run, 2 runs."""
    return f"{count(number)} {word}" if number == 1 else f"{count(number)} {word}s"


def segments(names: Sequence[str]) -> str:
    """Return what a report is of: the one segment by its name, more by their number."""
    return names[0] or "(no name)" if len(names) == 1 else many(len(names), "segment")


def compact(number: float | None) -> str:
    """Return a number in at most three significant digits: 1.23 M; below 1,000 as it is."""
    if number is None:
        return UNKNOWN
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(number) >= size * 0.9995:
            return f"{significant(number / size)} {unit}"
    return f"{number:,}" if isinstance(number, int) else significant(number)


def duration(ms: float | None) -> str:
    """Return a time in the unit that fits: 12.3 µs, 45.6 ms, 1.23 s, 2 min 5 s, 3 h 20 min, 4 d 2 h."""
    if ms is None:
        return UNKNOWN
    for below_ms, factor, unit in ((0.9995, 1e3, "µs"), (999.5, 1, "ms"), (59_950, 1e-3, "s")):
        if ms and abs(ms) < below_ms:
            return f"{significant(ms * factor)} {unit}"
    if ms == 0:
        return "0 ms"
    whole_s = round(ms / 1e3)
    for unit, size_s, smaller, smaller_s in (("d", _DAY_S, "h", _HOUR_S), ("h", _HOUR_S, "min", _MINUTE_S)):
        if whole_s >= size_s:
            return _two_units(whole_s // size_s, unit, whole_s % size_s // smaller_s, smaller)
    return _two_units(whole_s // _MINUTE_S, "min", whole_s % _MINUTE_S, "s")


def _two_units(number: int, unit: str, rest: int, smaller: str) -> str:
    return f"{number} {unit} {rest} {smaller}" if rest else f"{number} {unit}"


def round_duration(ms: float) -> str:
    """Return the time at a mark of an axis, without the zeros that say how exact a measured one is: 10 ms, 1 s."""
    number, _, rest = duration(ms).partition(" ")
    return f"{number.rstrip('0').rstrip('.') if '.' in number else number} {rest}"


def size(number: int | None) -> str:
    """Return bytes in the unit that fits."""
    if number is None:
        return UNKNOWN
    for unit, unit_bytes in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if abs(number) >= unit_bytes * 0.9995:
            return f"{significant(number / unit_bytes)} {unit}"
    return f"{number} B"


def percent(rate: float | None) -> str:
    """Return a rate in percent with one decimal; what is above 0 is not shown as 0, what is below 1 not as all."""
    if rate is None:
        return UNKNOWN
    if 0 < rate < 0.0005:
        return "<0.1%"
    if 0.9995 <= rate < 1:
        return ">99.9%"
    return f"{rate:.1%}" if rate not in {0, 1} else f"{rate:.0%}"


def moment(ts: str | None) -> str:
    """Return a time of an event (RFC 3339, UTC) to the second: 2025-12-29 22:06:52."""
    return UNKNOWN if not ts else ts[:19].replace("T", " ", 1)


def sparkline(values: Sequence[float | None], blocks: str = BLOCKS) -> str:
    """Return one character a value, by its share of the greatest; what is above 0 is never shown as nothing."""
    top = max((value for value in values if value), default=0)
    last = len(blocks) - 1
    return "".join(blocks[max(1, round(value / top * last))] if value and value > 0 else blocks[0] for value in values)
