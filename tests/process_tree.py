"""Whether processes are still there, as /proc tells it."""

from __future__ import annotations

import time
from pathlib import Path

PATIENCE_S = 60.0


def process_is_gone(pid: int, *, patience_s: float = PATIENCE_S) -> bool:
    """Wait until a process has ended (a zombie has); False if it did not in time."""
    limit = time.monotonic() + patience_s
    while True:
        try:
            state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
        except OSError:
            return True
        if state == b"Z":
            return True
        if time.monotonic() > limit:
            return False
        time.sleep(0.005)
