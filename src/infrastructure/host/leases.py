"""Leases: which faces use a host, so that one that was started for them knows when nobody does any more.

And which used it when the backend before this one died: they come back with their texts, which are missing until then.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from .shared_figures import SharedFigures

FACE_CHARS_MAX = 32
BACK_WAIT_S = 15.0
"""How long those of a backend that died are awaited: one of them may have died with it."""


class Told(Protocol):
    """Who holds a lease: a connection that can be told something."""

    def tell(self, content: dict[str, Any]) -> None:
        """Send it."""
        ...


@dataclass(frozen=True, slots=True)
class Lease:
    """One face's use of the host, from its connection's `lease` to its end."""

    face: str
    pid: int
    since_unix_ns: int


class Leases:
    """The leases of one host, by the connection that holds them; for any thread. The front reads their number."""

    def __init__(self, figures: SharedFigures) -> None:
        """Begin without any; the figure is what the backend before this one left, 0 for the first."""
        self._figures = figures
        self._lock = threading.Lock()
        self._held: dict[Told, Lease] = {}
        self._given: set[Told] = set()
        self._awaited = figures.get("leases")
        self._awaited_until_s = time.monotonic() + BACK_WAIT_S
        self._is_ending = False

    def take(self, holder: Told, face: str, pid: int) -> None:
        """Note that a face uses the host."""
        with self._lock:
            self._held[holder] = Lease(face[:FACE_CHARS_MAX], pid, time.time_ns())
            self._count()

    def note_given(self, holder: Told) -> None:
        """Note that a face that has just come has given all its texts."""
        with self._lock:
            if holder in self._held and holder not in self._given:
                self._given.add(holder)
                self._awaited = max(0, self._awaited - 1)
                self._count()

    def awaits_texts(self) -> bool:
        """Tell whether faces of the backend before this one are not back with their texts, and still expected."""
        with self._lock:
            if self._awaited and time.monotonic() >= self._awaited_until_s:
                self._awaited = 0
                self._count()
            return self._awaited > 0

    def end(self) -> None:
        """Leave the figure as it is: who goes from now on goes because the backend does, and comes to the next one."""
        with self._lock:
            self._is_ending = True

    def release(self, holder: Told) -> bool:
        """Note that it does not any more; tell whether it did."""
        with self._lock:
            was_held = self._held.pop(holder, None) is not None
            self._given.discard(holder)
            self._count()
        return was_held

    def _count(self) -> None:
        if not self._is_ending:
            self._figures.set("leases", max(len(self._held), self._awaited))

    def holders(self) -> list[Told]:
        """Return who has one."""
        with self._lock:
            return list(self._held)

    def has(self, holder: Told) -> bool:
        """Tell whether a holder has one."""
        return holder in self._held

    def status(self) -> list[dict[str, Any]]:
        """Return what there is to say of them, the oldest first."""
        with self._lock:
            held = list(self._held.values())
        return [{"face": one.face, "pid": one.pid, "since_unix_ns": one.since_unix_ns} for one in held]
