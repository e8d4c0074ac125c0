"""Which entries of the segment its ignore rules let through: the one user of the package `ignore` (ripgrep's walker).

Owns how the rules combine and where they come from; what an entry is and whether it is indexed is
`infrastructure.file_system`. Facts of the binding (0.4.2) this rests on: its paths are exact (undecodable bytes come
as surrogate escapes), its iterator goes on after an error, and it takes no root whose name is not UTF-8.
"""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING

from ..domain.errors import CtxError, UsageError
from ..domain.source_files import IGNORE_FILE_NAMES, JUNK_DIRECTORIES, NEVER_WALKED, VENV_NAMES, display_path

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from ignore import Walk, WalkBuilder
    from ignore.overrides import Override

_GLOB_CHARACTER = re.compile(r"[\\*?\[\]{}!#]")
_ESCAPED = r"\\\g<0>"
_NEVER_ENTERED = frozenset(name.rstrip("/").encode() for name in (*NEVER_WALKED, *JUNK_DIRECTORIES))
_OS_ERROR = re.compile(r"\(os error (\d+)\)")


def walk_entries(
    root: bytes,
    root_fd: int,
    *,
    levels_to_git: int | None,
    extra_ignores: Sequence[str],
    left_out: Iterable[bytes] = (),
) -> Iterator[tuple[bytes, str]]:
    """Yield (os_path, "") for each entry, a directory (b"" first) before what is in it, in no further order.

    A directory that cannot be listed, or not be entered because a rule file in it has no end, comes a second time, with
    the reason. `levels_to_git` is that of `levels_to_repository`. Symbolic links are yielded and never followed.
    `left_out` are directories not to enter; one whose name is not UTF-8 is entered all the same, because the binding
    takes no such pattern.

    Raises: UsageError for a pattern among `extra_ignores` that is none; CtxError for a rule file without end where
    nothing can be left out for it: of the segment and above it, and in a directory whose name is not UTF-8.
    """
    import ignore  # ~6 ms with pathlib, only paid when the tree is walked

    for rule_file in _rule_files_around(root, levels_to_git):
        if _is_endless(os.path.join(root, rule_file)):
            raise _refused(rule_file)

    start = _spelled_for_the_binding(root, root_fd)
    not_entered = set(left_out)

    def walk() -> Walk:
        return _builder(start, levels_to_git, _overrides(start, root_fd, extra_ignores, not_entered)).build()

    entries = walk()
    prefix_chars = len(start.rstrip("/")) + 1
    latest = b""
    given: set[tuple[bytes, str]] = set()
    ahead = _FoldersAhead(root, not_entered)
    while True:
        try:
            entry = next(entries)
        except StopIteration:
            return
        except (ignore.Error, ignore.IOError, OSError) as error:
            # The walker lists a directory right after it yielded it, so the latest entry is the one that failed.
            number = _OS_ERROR.search(str(error))
            found = latest, f"not readable: {os.strerror(int(number[1])) if number else 'the directory listing failed'}"
        else:
            latest = str(entry.path())[prefix_chars:].encode("utf-8", "surrogateescape")
            found = latest, ""
        if found in given:
            continue  # a walk that was begun anew comes past what it gave before
        given.add(found)
        yield found
        walled_off = ahead.enter(latest)
        if walled_off:
            not_entered |= walled_off.keys()
            entries = walk()
        for folder, rule_file in walled_off.items():
            yield folder, ""
            yield folder, f"not entered: the {os.fsdecode(rule_file)} in it is a pipe or a device"


class _FoldersAhead:
    """Directories that the walker will yield, looked at before it enters them.

    It reads a directory's rule files before it yields it, so those of the directories in one are looked at with it:
    each is listed once. Directories that rules leave out are listed, too, and what is in them is not.
    """

    def __init__(self, root: bytes, not_entered: Collection[bytes]) -> None:
        self._root = root
        self._not_entered = not_entered
        self._inner = {b"": self._list(b"")[0]}

    def enter(self, path: bytes) -> dict[bytes, bytes]:
        """Return the directories in one that have a rule file without end, and which; {} for what is none.

        Raises: CtxError when the name of such a directory is one that no pattern can hold.
        """
        walled_off: dict[bytes, bytes] = {}
        for folder in self._inner.pop(path, ()):
            if folder in self._not_entered:
                continue
            inner, endless = self._list(folder)
            if endless and _pattern_of(folder) is None:
                raise _refused(folder + b"/" + endless)
            if endless:
                walled_off[folder] = endless
            elif inner:
                self._inner[folder] = inner
        return walled_off

    def _list(self, folder: bytes) -> tuple[list[bytes], bytes]:
        """Return the directories in one, and the name of a rule file in it that has no end, or b""."""
        inner: list[bytes] = []
        endless = b""
        prefix = folder + b"/" if folder else b""
        try:
            entries = os.scandir(os.path.join(self._root, folder))
        except OSError:
            return inner, endless  # the walker will say so
        with entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in _NEVER_ENTERED:
                        inner.append(prefix + entry.name)
                elif entry.name in IGNORE_FILE_NAMES and _is_endless(entry.path):
                    endless = entry.name
        return inner, endless


def _rule_files_around(root: bytes, levels_to_git: int | None) -> list[bytes]:
    """Return the paths, from the segment, of all rule files that the walker reads before it yields anything.

    It reads those of every directory above, whether they count or not.
    """
    levels_up = range(1, len(root.strip(b"/").split(b"/")) + 1)
    return [*rule_files(levels_to_git), *(b"../" * level + name for level in levels_up for name in IGNORE_FILE_NAMES)]


def _is_endless(path: bytes) -> bool:
    """Tell whether a rule file is a pipe or a device, or leads to one: reading may wait or go on for ever.

    The null device, which is mounted over files to hide them, is as good as an empty file. The walker cannot read a
    folder or a socket of such a name, and goes on without.
    """
    try:
        found = os.stat(path)
        if stat.S_ISCHR(found.st_mode):
            return found.st_rdev != os.stat(os.devnull).st_rdev
    except OSError:
        return False
    return stat.S_ISFIFO(found.st_mode) or stat.S_ISBLK(found.st_mode)


def _refused(rule_file: bytes) -> CtxError:
    return CtxError(f"{display_path(rule_file)}: not a file that can be read to its end; remove it")


def levels_to_repository(root: bytes) -> int | None:
    """Return how many directories above the segment its git repository begins, 0 when it is one, None without."""
    directory, levels = root, 0
    while not os.path.lexists(os.path.join(directory, b".git")):
        parent = os.path.dirname(directory)
        if parent == directory:
            return None
        directory, levels = parent, levels + 1
    return levels


def rule_files(levels_to_git: int | None) -> list[bytes]:
    """Return the paths, from the segment, of the rule files whose change no walked file or directory may show.

    Those of the segment itself are among them because a rule may hide its own file.
    """
    paths = list(IGNORE_FILE_NAMES)
    for level in range(1, (levels_to_git or 0) + 1):
        paths += [b"../" * level + name for name in IGNORE_FILE_NAMES]
    if levels_to_git is not None:
        paths.append(b"../" * levels_to_git + b".git/info/exclude")
    return paths


def lets_through(root: bytes, os_path: bytes, *, levels_to_git: int | None, extra_ignores: Sequence[str]) -> bool:
    """Tell whether a walk would yield a file at that path of the segment; nothing needs to be there.

    The binding matches only what it walks. So the rule files that count are laid out once more, with nothing else but
    that one file, and walked. `levels_to_git` is that of `levels_to_repository`.
    """
    import shutil
    import tempfile

    *folders, _name = os_path.split(b"/")
    if any(_is_walled_off(root, b"/".join(folders[: depth + 1])) for depth in range(len(folders))):
        return False
    base = os.fsencode(tempfile.mkdtemp(prefix="ctx-rules-"))
    try:
        # As deep as in the repository, by the names it has there: rules of above may tell of them.
        above = root.split(b"/")[-levels_to_git:] if levels_to_git else []
        top = os.path.join(base, b"top")
        segment = os.path.join(top, *above)
        os.makedirs(os.path.join(segment, *folders))
        for found, where in _rule_sources(root, os_path, levels_to_git):
            target = os.path.normpath(os.path.join(segment, where))
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copyfile(found, target)
        if levels_to_git is not None:
            os.makedirs(os.path.join(top, b".git"), exist_ok=True)
        for depth in range(len(folders)):
            inner = b"/".join(folders[: depth + 1])
            if os.path.lexists(os.path.join(root, inner, b".git")):
                os.makedirs(os.path.join(segment, inner, b".git"), exist_ok=True)
        with open(os.path.join(segment, os_path), "wb"):
            pass
        root_fd = os.open(segment, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            found_paths = walk_entries(segment, root_fd, levels_to_git=levels_to_git, extra_ignores=extra_ignores)
            return any(path == os_path for path, _problem in found_paths)
        finally:
            os.close(root_fd)
    except OSError:
        return False  # a name that cannot be one, or no room to find out
    finally:
        shutil.rmtree(base, ignore_errors=True)


def rules_mark(root: bytes, os_path: bytes, levels_to_git: int | None) -> tuple[tuple[bytes, int, int], ...]:
    """Return what differs when `lets_through` may, for the same segment and path."""
    mark = []
    for found, where in _rule_sources(root, os_path, levels_to_git):
        try:
            known = os.stat(found)
        except OSError:
            continue
        mark.append((where, known.st_size, known.st_mtime_ns))
    return tuple(mark)


def _rule_sources(root: bytes, os_path: bytes, levels_to_git: int | None) -> Iterator[tuple[bytes, bytes]]:
    """Yield (absolute path, path from the segment) of every rule file on the way to a path."""
    *folders, _name = os_path.split(b"/")
    places = [b"../" * level for level in range(levels_to_git or 0, 0, -1)]
    places += [b"".join(folder + b"/" for folder in folders[:depth]) for depth in range(len(folders) + 1)]
    wanted = [place + name for place in places for name in IGNORE_FILE_NAMES]
    if levels_to_git is not None:
        wanted.append(b"../" * levels_to_git + b".git/info/exclude")
    for path in wanted:
        found = os.path.join(root, path)
        if os.path.isfile(found):
            yield found, path


def _is_walled_off(root: bytes, folder: bytes) -> bool:
    """Tell whether a walk goes past a folder whatever the rules.

    That is: a virtual environment, what is no folder, and one whose own rules have no end.
    """
    whole = os.path.join(root, folder)
    if any(_is_endless(os.path.join(whole, name)) for name in IGNORE_FILE_NAMES):
        return True
    if folder.rpartition(b"/")[2] in VENV_NAMES and os.path.lexists(os.path.join(whole, b"pyvenv.cfg")):
        return True
    return os.path.lexists(whole) and (os.path.islink(whole) or not os.path.isdir(whole))


def _spelled_for_the_binding(root: bytes, root_fd: int) -> str:
    try:
        return root.decode("utf-8")
    except UnicodeDecodeError:
        # Only Linux allows such names, and there the descriptor is a name in ASCII for the same directory.
        return f"/proc/self/fd/{root_fd}"


def _overrides(start: str, root_fd: int, extra_ignores: Sequence[str], left_out: Iterable[bytes]) -> Override:
    from pathlib import Path

    from ignore import Error
    from ignore.overrides import OverrideBuilder

    # An override with "!" ignores and beats every ignore file; one without would ignore all that it does not name.
    overrides = OverrideBuilder(Path(start))
    for pattern in (*NEVER_WALKED, *(f"{name}/" for name in JUNK_DIRECTORIES)):
        overrides.add(f"!{pattern}")
    for name in venvs_at_top(root_fd):
        overrides.add(f"!/{name.decode()}/")
    for path in left_out:
        whole = _pattern_of(path)
        if whole is not None:
            overrides.add(f"!{whole}")
    for pattern in extra_ignores:
        if not pattern.strip() or pattern.startswith("#"):
            continue
        if pattern.startswith("!"):
            raise UsageError(f'index.ignore: "{pattern}": an extra pattern cannot re-include; put it into .ctxignore')
        try:
            overrides.add(f"!{pattern}")
        except Error as error:
            raise UsageError(
                f'index.ignore: "{pattern}" is not in gitignore form ({error}); mend the setting'
            ) from error
    return overrides.build()


def _pattern_of(folder: bytes) -> str | None:
    """Return the pattern of one directory; None when no pattern can hold its name.

    That is one which is not UTF-8, or ends with a backslash: the binding takes that for an escape of the slash behind.
    """
    if folder.endswith(b"\\"):
        return None
    try:
        return f"/{_GLOB_CHARACTER.sub(_ESCAPED, folder.decode('utf-8'))}/"
    except UnicodeDecodeError:
        return None


def _builder(start: str, levels_to_git: int | None, overrides: Override) -> WalkBuilder:
    from pathlib import Path

    from ignore import WalkBuilder

    builder = WalkBuilder(Path(start)).hidden(False).add_custom_ignore_filename(".ctxignore").overrides(overrides)
    # Inside a repository git's own reach holds: its .gitignore files up to the repository's root and no further (the
    # walker only looks for that root when git is required). Without one, .gitignore counts from the segment down: a
    # stray ~/.gitignore must not hide a project below it.
    return builder.require_git(levels_to_git is not None).parents(bool(levels_to_git))


def venvs_at_top(root_fd: int) -> list[bytes]:
    """Return the virtual environments that are not entered: only at the top, where finding them costs few stats."""
    return [name for name in VENV_NAMES if _is_venv(name, root_fd)]


def _is_venv(name: bytes, root_fd: int) -> bool:
    try:
        os.stat(name + b"/pyvenv.cfg", dir_fd=root_fd)
    except OSError:
        return False
    return True
