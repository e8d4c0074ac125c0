"""Whether processes are still there, as /proc tells it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_S = 60.0


def wait_until(is_so: Callable[[], bool], *, patience_s: float = PATIENCE_S) -> bool:
    """Look until something is so; False if it was not in time."""
    limit = time.monotonic() + patience_s
    while not is_so():
        if time.monotonic() > limit:
            return False
        time.sleep(0.005)
    return True


def process_is_gone(pid: int, *, patience_s: float = PATIENCE_S) -> bool:
    """Wait until a process has ended (a zombie has); False if it did not in time."""

    def has_ended() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] == b"Z"
        except OSError:
            return True

    return wait_until(has_ended, patience_s=patience_s)
