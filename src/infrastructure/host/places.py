"""Where the host of a segment keeps its sockets, and which of these places may be trusted.

Imported at every start of `ctx`: `os` and `sys` only. A socket is named after the segment's device and inode, which
needs no hashing (`import hashlib` takes 2 ms), is short enough for any path and survives a segment that is moved.
"""

from __future__ import annotations

import os
import sys

SWITCH_VARIABLE = "CTX_DAEMON"
_OFF = ("0", "false", "no", "off")
SOCKET_PATH_BYTES_MAX = 107
"""What fits into `sun_path` on Linux, with its closing NUL."""
_SUFFIX_CHARS_MAX = len(".backend")


class HostPlace:
    """The files of one segment's host in one folder: plain strings, nothing is looked at."""

    __slots__ = ("backend", "folder", "lock", "socket")

    def __init__(self, folder: str, name: str) -> None:
        self.folder = folder
        self.socket = os.path.join(folder, name + ".sock")
        """Where commands are handed over."""
        self.backend = os.path.join(folder, name + ".backend")
        """Where the running commands ask the backend."""
        self.lock = os.path.join(folder, name + ".lock")
        """Held by the host as long as it lives; its first line is the host's process id."""


def is_switched_on() -> bool:
    """Tell whether the environment leaves hosts on (`CTX_DAEMON=off` switches them off)."""
    return os.environ.get(SWITCH_VARIABLE, "").lower() not in _OFF


def can_host() -> bool:
    """Tell whether this system has what a host needs: a fork that is safe, credentials of peers, /proc."""
    return sys.platform.startswith("linux")


def runtime_folders() -> list[str]:
    """Return the folders a host of this user may be in, the first one preferred; not made and not checked here."""
    folders = []
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(runtime):  # a relative one is invalid by the XDG base directory specification
        folders.append(os.path.join(runtime, "ctx"))
    folders.append(f"/tmp/ctx-{os.geteuid()}")  # noqa: S108 - made with 0700 and checked before each use
    return folders


def places(segment_stat: os.stat_result) -> list[HostPlace]:
    """Return where the host of a segment may be, in the order to look; a folder whose path is too long is left out."""
    name = f"{segment_stat.st_dev:x}-{segment_stat.st_ino:x}"
    longest = SOCKET_PATH_BYTES_MAX - len(name) - _SUFFIX_CHARS_MAX - 1
    return [HostPlace(folder, name) for folder in runtime_folders() if len(os.fsencode(folder)) <= longest]


def is_private(folder: str) -> bool:
    """Tell whether a folder is a directory, no link, ours, and closed to everybody else."""
    try:
        found = os.lstat(folder)
    except OSError:
        return False
    is_directory = found.st_mode & 0o170000 == 0o040000
    return is_directory and found.st_uid == os.geteuid() and not found.st_mode & 0o077
