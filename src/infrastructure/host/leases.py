"""Leases: which faces use a host, so that one that was started for them knows when nobody does any more."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from .shared_figures import SharedFigures

FACE_CHARS_MAX = 32


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
        """Begin without any."""
        self._figures = figures
        self._lock = threading.Lock()
        self._held: dict[Told, Lease] = {}
        figures.set("leases", 0)

    def take(self, holder: Told, face: str, pid: int) -> None:
        """Note that a face uses the host."""
        with self._lock:
            self._held[holder] = Lease(face[:FACE_CHARS_MAX], pid, time.time_ns())
            self._figures.set("leases", len(self._held))

    def release(self, holder: Told) -> bool:
        """Note that it does not any more; tell whether it did."""
        with self._lock:
            was_held = self._held.pop(holder, None) is not None
            self._figures.set("leases", len(self._held))
        return was_held

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
