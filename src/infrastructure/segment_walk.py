"""Where a path leads and which directory a command works on; imports nothing that costs a start anything."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # importing `typing` for it would double what this module costs at start
if TYPE_CHECKING:
    from typing import AnyStr


def real_path(path: AnyStr) -> AnyStr:
    """Return the absolute path with links resolved; one that may not be read (in /proc) stays what it is, a link.

    Raises: FileNotFoundError for a relative path when the current directory is gone.
    """
    try:
        return os.path.realpath(path)
    except PermissionError:  # of `readlink`: what cannot be looked at is no error for `realpath`
        folder, name = os.path.split(os.path.abspath(path))
        return os.path.join(real_path(folder), name)


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
