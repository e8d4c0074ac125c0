"""What processes of a host take, in memory that is theirs: shared pages are counted once."""

from __future__ import annotations


def proportional_bytes(pid: int) -> int:
    """Return a process's proportional set size: its own pages, and its share of those it has in common; 0 when gone.

    Copies of one process share nearly everything, so adding up their resident sizes would count it many times.
    """
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return 0
