"""What a process may do and see beyond its user: who differs in it from a host is not served by it."""

from __future__ import annotations

import os

_POWERS = ("Uid", "Gid", "Groups", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp")
_NAMESPACES = ("ns/mnt", "ns/user", "root")


def powers_of(pid: int | str) -> tuple[str, ...]:
    """Return what a process may do and see beyond its user: capabilities, groups, filters, its view of the files.

    Raises: OSError when that may not be known.
    """
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
        lines = [line.rstrip() for line in file if line.startswith(_POWERS)]
    return (*lines, *(os.readlink(f"/proc/{pid}/{name}") for name in _NAMESPACES))
