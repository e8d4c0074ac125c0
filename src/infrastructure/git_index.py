"""What git tracks, read from the index file itself: one small question, answered without starting git.

The format is that of `gitformat-index(5)`, versions 2 to 4. What has to be taken apart and is not understood is no
answer.
"""

from __future__ import annotations

import os

from .regular_file import open_regular, read_all

INDEX_BYTES_MAX = 256 << 20
_HASH_BYTES = 20
_EXTENDED = 0x4000
_LENGTH = 0xFFF
_ENTRY_BYTES_MIN = 64
"""Of one in version 2 or 3: 62 and a path, in steps of eight."""
_PARTIAL = frozenset({b"link", b"sdir"})
"""Extensions of an index whose entries stand partly elsewhere (split) or for whole folders (sparse)."""
_POINTER_BYTES_MAX = 4096


class _NotUnderstoodError(Exception):
    """The index is of a form that cannot be answered from."""


def is_surely_untracked(path: str) -> bool:
    """Return whether a file or folder lies in a git work tree and git tracks neither it nor anything below it.

    `path` is absolute, without links in the folders that lead to it. False whenever that is not certain: no work tree,
    no index (nothing was ever added, so nothing tells its own files from those that came along), a split or sparse
    index, another hash than SHA-1 where it matters, damage.
    """
    work_tree, directory = _repository_of(os.path.dirname(path))
    if not directory:
        return False
    try:
        descriptor = open_regular(os.path.join(directory, "index"), os.O_RDONLY)
    except OSError:
        return False
    try:
        data = read_all(descriptor) if os.fstat(descriptor).st_size <= INDEX_BYTES_MAX else b""
    finally:
        os.close(descriptor)
    inner = os.fsencode(os.path.relpath(path, work_tree))
    try:
        return not _tracks(data, inner)
    except (_NotUnderstoodError, IndexError, ValueError):
        return False


def _repository_of(folder: str) -> tuple[str, str]:
    """Return the nearest work tree around a folder and its git directory, "" and "" when there is none."""
    while True:
        git = os.path.join(folder, ".git")
        if os.path.isdir(git):
            return folder, git
        if os.path.isfile(git):
            return folder, _pointed_to(git, folder)
        parent = os.path.dirname(folder)
        if parent == folder:
            return "", ""
        folder = parent


def _pointed_to(git: str, folder: str) -> str:
    """Return what the `.git` file of a linked worktree or a submodule names: each has an index of its own."""
    try:
        with open(open_regular(git, os.O_RDONLY), "rb") as file:
            pointer = file.read(_POINTER_BYTES_MAX)
    except OSError:
        return ""
    if not pointer.startswith(b"gitdir:"):
        return ""
    return os.path.join(folder, os.fsdecode(pointer.removeprefix(b"gitdir:").strip()))


def _tracks(data: bytes, path: bytes) -> bool:
    version, count = int.from_bytes(data[4:8], "big"), int.from_bytes(data[8:12], "big")
    if data[:4] != b"DIRC" or version not in {2, 3, 4} or count == 0:
        raise _NotUnderstoodError
    # Paths stand whole in versions 2 and 3: most often they need not be taken apart. Letters of either case are the
    # same to some file systems.
    lowered = path.lower()
    is_partial = _may_be_partial(data, 12 + count * (_ENTRY_BYTES_MIN if version < 4 else 0))
    if version < 4 and not is_partial and lowered not in data.lower():
        return False
    names, end = _entries(data, version, count)
    if is_partial and not _PARTIAL.isdisjoint(_extensions(data, end)):
        raise _NotUnderstoodError
    below = lowered + b"/"
    return any(name == lowered or name.startswith(below) for name in map(bytes.lower, names))


def _entries(data: bytes, version: int, count: int) -> tuple[list[bytes], int]:
    """Return the paths of all entries and where the entries end.

    Raises: _NotUnderstoodError and others when they are not what an index with SHA-1 holds.
    """
    names = []
    at, name = 12, b""
    fixed = 40 + _HASH_BYTES
    for _ in range(count):
        flags = int.from_bytes(data[at + fixed : at + fixed + 2], "big")
        start = at + fixed + (4 if flags & _EXTENDED and version > 2 else 2)
        if version == 4:
            dropped, start = _varint(data, start)
            if dropped > len(name):
                raise _NotUnderstoodError
            end = data.index(b"\0", start)
            name = name[: len(name) - dropped] + data[start:end]
            at = end + 1
        else:
            end = data.index(b"\0", start)
            name = data[start:end]
            at += (end - at + 8) // 8 * 8
        # The flags hold the path's length again: what does not agree was not taken apart rightly.
        if not name or flags & _LENGTH != min(len(name), _LENGTH):
            raise _NotUnderstoodError
        names.append(name)
    return names, at


def _may_be_partial(data: bytes, start: int) -> bool:
    """Return whether an extension may be there that says that some entries are not: a quick look without false noes.

    `start` is where the entries end at the earliest.
    """
    for name in _PARTIAL:
        at = data.find(name, start)
        while at >= 0:
            size = int.from_bytes(data[at + 4 : at + 8], "big")
            if at + 8 + size + _HASH_BYTES <= len(data):
                return True
            at = data.find(name, at + 1)
    return False


def _extensions(data: bytes, at: int) -> list[bytes]:
    """Return the names of the extensions, which must fill what is between the entries and the checksum."""
    names = []
    end = len(data) - _HASH_BYTES
    while at < end:
        names.append(data[at : at + 4])
        at += 8 + int.from_bytes(data[at + 4 : at + 8], "big")
    if at != end:
        raise _NotUnderstoodError
    return names


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Read a number in the form of pack files' offsets; return it and where it ends."""
    byte = data[at]
    value = byte & 0x7F
    while byte & 0x80:
        at += 1
        byte = data[at]
        value = ((value + 1) << 7) | (byte & 0x7F)
    return value, at + 1
