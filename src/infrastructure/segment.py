"""Which directory a command works on, and what can be known of it without starting a process."""

from __future__ import annotations

import os

from ..domain.errors import CtxError, UsageError
from ..domain.source_files import display_path
from .segment_walk import nearest_segment, real_path

_HEX = frozenset("0123456789abcdef")


def find_segment(given: str | None = None, start: str = "") -> str:
    """Return the segment's absolute path: the one given, else the nearest parent with `_ctx` or `.git`, else here.

    Raises: UsageError for a given path that is empty or no directory; CtxError when the current directory is gone.
    """
    if given == "":  # of an unset variable: the directory we happen to be in is not what was meant
        raise UsageError("--segment is empty; give the directory to work on, or leave it out")
    if given is not None:
        path = real_path(given)
        if not os.path.isdir(path):
            what = "is not a directory" if os.path.exists(path) else "does not exist"
            raise UsageError(f"--segment {display_path(os.fsencode(given))}: {what}; give the directory to work on")
        return path
    try:
        here = real_path(start or os.getcwd())
    except FileNotFoundError:
        raise CtxError("the current directory was deleted; change to one that exists or give --segment DIR") from None
    return nearest_segment(here)


def is_no_project(segment: str) -> bool:
    """Tell whether a segment that nobody named is too much to be meant: a home directory or `/` without a mark."""
    home = os.path.realpath(os.path.expanduser("~"))
    is_marked = any(os.path.lexists(os.path.join(segment, name)) for name in ("_ctx", ".git"))
    return segment in ("/", home) and not is_marked


def repository_sha(segment: str) -> str | None:
    """Return the commit checked out in the repository that holds the segment, read from `.git`; None when unknown."""
    found = _checked_out(segment)
    # A repository somebody gave us may point its HEAD at any file: what is no hash was not git's, and is not told.
    is_hash = found is not None and len(found) in (40, 64) and _HEX.issuperset(found)
    return found if is_hash else None


def _checked_out(segment: str) -> str | None:
    folder = segment
    while not os.path.exists(os.path.join(folder, ".git")):
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent
    git = os.path.join(folder, ".git")
    if os.path.isfile(git):  # a linked worktree or a submodule: a file that names the real directory
        pointer = _first_line(git)
        if not pointer.startswith("gitdir:"):
            return None
        git = os.path.join(folder, pointer.removeprefix("gitdir:").strip())
    head = _first_line(os.path.join(git, "HEAD"))
    if not head.startswith("ref:"):
        return head or None
    name = head.removeprefix("ref:").strip()
    common = _first_line(os.path.join(git, "commondir"))
    for place in (git, os.path.join(git, common) if common else git):
        sha = _first_line(os.path.join(place, name))
        if sha:
            return sha
        try:
            with open(os.path.join(place, "packed-refs"), encoding="utf-8", errors="replace") as file:
                for line in file:
                    sha, _, ref = line.rstrip("\n").partition(" ")
                    if ref == name:
                        return sha
        except OSError:
            continue
    return None


def _first_line(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.readline(4096).strip()
    except OSError:
        return ""
