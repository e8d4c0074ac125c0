"""The folders ctx keeps things in: `_ctx/` in a segment, and the user's state and cache directories.

`os.path` on purpose: this is imported on every start, and `pathlib` alone would cost more than all of it.
"""

from __future__ import annotations

import errno
import os

CTX_FOLDER = "_ctx"
_WRITTEN = ("telemetry", "index.db", "index.db-wal", "index.db-shm", "index.db.lock")
"""What is opened by name in the folder; the pack and the summaries are renamed into place, which replaces a link."""
_GITIGNORE = b"*\n!.gitignore\n!config.toml\n"


def make_ctx_folder(segment_path: str) -> str:
    """Make `<segment>/_ctx` with its `.gitignore` where they are absent, and return the folder's path.

    The segment itself is never made: a directory removed during a run stays removed. An existing `.gitignore` is left
    as it is.

    Raises:
        OSError: the folder cannot be made, or it or something ctx writes in it is a link.
    """
    folder = os.path.join(segment_path, CTX_FOLDER)
    make_folder(folder)
    # A repository can ship links: whoever searched it would write wherever they lead.
    for name in ("", *_WRITTEN):
        path = os.path.join(folder, name) if name else folder
        if os.path.islink(path):
            raise OSError(errno.ELOOP, "is a symbolic link", path)
    # O_EXCL: two first runs at once must not write it twice, and a link of that name is not followed.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(os.path.join(folder, ".gitignore"), flags, 0o644)
    except FileExistsError:
        return folder
    try:
        os.write(fd, _GITIGNORE)
    finally:
        os.close(fd)
    return folder


def make_folder(path: str) -> None:
    """Make one directory; fine when it is there. Its parent must be.

    Raises:
        OSError: it cannot be made.
    """
    try:  # noqa: SIM105 - contextlib would cost 4 ms of every start
        os.mkdir(path)
    except FileExistsError:
        pass


def spill_dir() -> str:
    """Return the directory of events that could not be written to their segment; not made here."""
    return os.path.join(user_state_dir(), "telemetry-spill")


def user_state_dir() -> str:
    """Return ctx's directory for state of this user; XDG_STATE_HOME or ~/.local/state, not made here."""
    return _xdg("XDG_STATE_HOME", ".local/state")


def user_cache_dir() -> str:
    """Return ctx's directory for what can be computed again; XDG_CACHE_HOME or ~/.cache, not made here."""
    return _xdg("XDG_CACHE_HOME", ".cache")


def cache_folder(segment: str) -> str:
    """Return the folder for a segment whose own `_ctx/` cannot be written; not made here."""
    import hashlib

    digest = hashlib.sha256(os.fsencode(os.path.realpath(segment))).hexdigest()[:16]
    return os.path.join(user_cache_dir(), digest)


def _xdg(variable: str, below_home: str) -> str:
    base = os.environ.get(variable, "")
    # A relative value is invalid by the XDG base directory specification and must be ignored.
    if not os.path.isabs(base):
        base = os.path.join(os.path.expanduser("~"), below_home)
    return os.path.join(base, "ctx")
