"""Figures that the front, its backend and whoever asks for them share: a few numbers in memory all of them see.

Each figure has one writer: the front, and of `leases` and `is_kept` the backend. A reader may see a figure a moment
before its neighbour; each of them is whole, because it is an aligned word.
"""

from __future__ import annotations

import mmap
import struct

_NAMES = (
    "front_pid",
    "started_unix_ns",
    "started_ns",
    "served",
    "running",
    "spares",
    "idle_until_unix_ns",
    "backend_starts",
    "leases",
    "is_kept",
    "is_told",
    "is_ending",
)
"""`started_ns` is a reading of the monotonic clock, which all processes of a system share; dates end in `_unix_ns`.
`leases` counts those of a backend that died until they are back or given up. `is_kept` is 1 for a host that lives
without a lease, `is_told` for one that was told to end: what ends by itself may be started again. `is_ending` is
1 when nothing keeps it any more.
"""
_WORD = struct.Struct("@q")


class SharedFigures:
    """Named whole numbers, shared with every process that is forked later."""

    def __init__(self) -> None:
        """Take a page of memory without a file."""
        self._memory = mmap.mmap(-1, _WORD.size * len(_NAMES))

    def set(self, name: str, value: int) -> None:
        """Store one figure."""
        _WORD.pack_into(self._memory, _NAMES.index(name) * _WORD.size, value)

    def get(self, name: str) -> int:
        """Return one figure, 0 when it was never stored."""
        (value,) = _WORD.unpack_from(self._memory, _NAMES.index(name) * _WORD.size)
        return int(value)
