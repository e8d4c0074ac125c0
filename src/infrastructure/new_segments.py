"""Segments that come while others are followed: a look at a few folders at a time, round after round.

A tree may have a million folders and nobody tells of new ones below it, so each look takes at most so many of them and
so long; a new segment is found when its turn comes.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .event_sources import EventSource, event_paths, telemetry_folders

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..domain.ports import Clock

FOLDERS_MAX = 1_000
LOOK_NS = 50_000_000
"""So many folders and so long at most for one look."""
BETWEEN_NS = 1_000_000_000
REST_NS = 3_000_000_000
"""No look sooner than this after the last one, and after a whole round."""


class NewSegments:
    """Finds telemetry folders with events below some places, each once; those of `known` are not new."""

    def __init__(self, places: Sequence[str], known: Iterable[EventSource], clock: Clock) -> None:
        self._places = tuple(places)
        self._known = {os.path.realpath(source.directory) for source in known}
        self._clock = clock
        self._round: Iterator[str] | None = None
        self._next_ns = clock.perf_counter_ns() + REST_NS

    def look(self) -> list[EventSource]:
        """Return what is new of a few more folders; nothing when it is too early to look again."""
        began_ns = self._clock.perf_counter_ns()
        if began_ns < self._next_ns:
            return []
        if self._round is None:
            self._round = (telemetry for place in self._places for telemetry in telemetry_folders(place))
        found = []
        for _ in range(FOLDERS_MAX):
            telemetry = next(self._round, None)
            if telemetry is None:
                self._round = None
                break
            if telemetry and (real := os.path.realpath(telemetry)) not in self._known and event_paths(telemetry):
                self._known.add(real)
                found.append(EventSource(telemetry, ()))
            if self._clock.perf_counter_ns() - began_ns > LOOK_NS:
                break
        rest_ns = REST_NS if self._round is None else BETWEEN_NS
        self._next_ns = self._clock.perf_counter_ns() + rest_ns
        return found
