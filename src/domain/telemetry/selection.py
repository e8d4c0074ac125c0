"""Which events are looked at: those since a moment, those of the last runs, or all.

Pure: `now` is handed in, and the runs are those somebody has seen (`RecentRuns`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from .moments import EARLIEST_US, moment_us

if TYPE_CHECKING:
    from collections.abc import Mapping

LAST_RUNS_MAX = 100_000
RUN_ID_CHARS_MAX = 120
"""A run's name has 23 characters; what is longer was not ours, and is told apart by its beginning alone."""
_AGE = re.compile(r"(\d{1,8})([smhdw])", re.ASCII)
_UNIT = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_UNIT["w"] = timedelta(weeks=1)
_MICROSECOND = timedelta(microseconds=1)
_SHOWN_CHARS_MAX = 60


def age_of(text: str) -> timedelta | None:
    """Return the age that `90s`, `30m`, `12h`, `7d` or `2w` stands for; None for a text that is none."""
    match = _AGE.fullmatch(text)
    return int(match[1]) * _UNIT[match[2]] if match else None


def moment_since(text: str, now: datetime) -> int:
    """Return the microseconds since 1970 of an age before `now`, or of a date with or without a time.

    A time without an offset is in the time zone of `now`, as people write it.

    Raises: UsageError for a text that is neither.
    """
    given = text.strip()
    age = age_of(given)
    if age is not None:
        now_us = moment_us(now.isoformat()) or 0
        return max(now_us - age // _MICROSECOND, EARLIEST_US)
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise UsageError(
            f"--since must be an age (90s, 30m, 12h, 7d, 2w) or a date and time (2026-01-31, 2026-01-31T14:00), "
            f"found {given[:_SHOWN_CHARS_MAX]!r}"
        ) from None
    return moment_us((moment if moment.tzinfo else moment.replace(tzinfo=now.tzinfo)).isoformat()) or 0


@dataclass(frozen=True, slots=True)
class Selection:
    """What was asked for, `last` and `since_us`, and the runs that the first came out as."""

    last: int | None = None
    since_us: int | None = None
    run_ids: frozenset[str] | None = None

    @property
    def is_everything(self) -> bool:
        """Tell whether nothing is left out."""
        return self.since_us is None and self.run_ids is None

    def takes(self, event: Mapping[str, Any]) -> bool:
        """Tell whether an event is looked at; one without a time or a run only when everything is."""
        return self.is_everything or self.takes_at(moment_us(event.get("ts")), event.get("run_id"))

    def takes_at(self, at_us: int | None, run_id: object) -> bool:
        """Tell whether an event of that time and run is looked at."""
        if self.since_us is not None and (at_us is None or at_us < self.since_us):
            return False
        return self.run_ids is None or (isinstance(run_id, str) and run_id[:RUN_ID_CHARS_MAX] in self.run_ids)


class RecentRuns:
    """Finds the `last` most recently active runs among any number, holding at most twice as many.

    A run that was let go of had `last` runs after it, whose latest moments only grow; if it is seen again, it counts by
    that later moment. So what is left in the end is exact.
    """

    __slots__ = ("_last", "_latest_us")

    def __init__(self, last: int) -> None:
        """Raises: UsageError for fewer than one run or more than LAST_RUNS_MAX."""
        if not 1 <= last <= LAST_RUNS_MAX:
            raise UsageError(f"--last must be a number of runs from 1 to {LAST_RUNS_MAX:,}, found {last}")
        self._last = last
        self._latest_us: dict[str, int] = {}

    def see(self, run_id: str, at_us: int) -> None:
        """Take note that a run was active at a moment."""
        latest = self._latest_us
        key = run_id[:RUN_ID_CHARS_MAX]
        known = latest.get(key)
        if known is None or at_us > known:
            latest[key] = at_us
            if len(latest) > 2 * self._last + 1000:
                self._latest_us = dict(self._newest())

    def merge(self, other: RecentRuns) -> None:
        """Take note of all that another one holds."""
        for run_id, at_us in other._latest_us.items():
            self.see(run_id, at_us)

    def run_ids(self) -> frozenset[str]:
        """Return the runs; of those last active at the same moment, the ones of higher name."""
        return frozenset(run_id for run_id, _at_us in self._newest())

    def _newest(self) -> list[tuple[str, int]]:
        return sorted(self._latest_us.items(), key=lambda item: (item[1], item[0]), reverse=True)[: self._last]
