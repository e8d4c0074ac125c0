"""Processes and what they started, as the system knows them (Linux's /proc; elsewhere nothing is known)."""

from __future__ import annotations

import os

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def tree_of(pid: int) -> list[int]:
    """Return a process and all its descendants that are alive, parents first; [] when it is gone."""
    if not os.path.exists(f"/proc/{pid}"):
        return []
    found = [pid]
    for one in found:  # grows while it is walked
        found += _children(one)
    return found


def resident_bytes(pid: int) -> int:
    """Return the memory a process has in use, 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError, ValueError):
        return 0


def tree_bytes(pid: int) -> int:
    """Return the memory of a process and all its descendants; pages they share count for each."""
    return sum(resident_bytes(one) for one in tree_of(pid))


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found += map(int, file.read().split())
    except OSError:
        pass  # gone meanwhile
    return found
