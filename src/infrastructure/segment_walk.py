"""Which directory a command works on, found by walking up; imports nothing that costs a start anything."""

from __future__ import annotations

import os


def nearest_segment(here: str) -> str:
    """Return the nearest directory from `here` (a real path) upwards with `_ctx` or `.git`, `here` when none has."""
    folder = here
    while True:
        if os.path.isdir(os.path.join(folder, "_ctx")) or os.path.exists(os.path.join(folder, ".git")):
            return folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return here
        folder = parent
