"""FileSystemAdapter: everything ctx reads of the user's files, and the one gate a path passes on its way there.

Owns walking, probing, opening and the bytes-read account. What a name or a file's bytes mean is
`domain.source_files`; the ignore rules are `infrastructure.ignore_rules`. Nothing here writes.

Files are opened beneath the segment's root, each directory on the way without following links, so a directory that
is swapped for a link between a check and the read leads nowhere.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from typing import TYPE_CHECKING

from ..domain.errors import CtxError, NotFoundError, OutsideSegmentError, UsageError
from ..domain.source_files import (
    IGNORE_FILE_NAMES,
    VENV_NAMES,
    Changes,
    DecodedText,
    FileView,
    Skipped,
    SourceText,
    Walk,
    decode_source,
    display_path,
    is_generated,
    is_minified,
    is_secrets_file,
    os_path_of,
)
from .segment_walk import real_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..domain.ports import TelemetryPort
    from ..domain.source_files import FileStat, OsPath

READ_MODES = ("skeleton", "excerpt", "raw")
MAX_FILE_BYTES = 2 * 1024 * 1024
"""The default limit; a longer file is data, and Tree-sitter would hold up the whole index over it."""

_GONE_ERRNOS = frozenset({errno.ENOENT, errno.ENOTDIR})
_NOWHERE_ERRNOS = _GONE_ERRNOS | {errno.ELOOP, errno.ENAMETOOLONG}
# A link where a file was, and a socket: what O_NOFOLLOW and O_NONBLOCK turn into errors.
_NOT_REGULAR_ERRNOS = frozenset({errno.ELOOP, errno.ENXIO})
# O_PATH needs no read permission on the directories passed through; systems without it read-open them.
_DIRECTORY_FLAGS = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
_FILE_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC
_STATUS_OF_ERROR = ((NotFoundError, "not_found"), (OutsideSegmentError, "outside"), (UsageError, "refused"))
_RULE_FILE_ENDS = (*IGNORE_FILE_NAMES, b".git/info/exclude")
_CONTENT_SHA_HEX = 32
_SHOWN_CHARS_MAX = 200


class FileSystemAdapter:
    """The files of one segment; the constructor only resolves `root` (its links), the root may be missing until used.

    Every method raises CtxError when the segment's directory is gone or cannot be opened.
    """

    def __init__(
        self,
        root: str,
        *,
        telemetry: TelemetryPort,
        max_file_bytes: int = MAX_FILE_BYTES,
        extra_ignores: Sequence[str] = (),
    ) -> None:
        self._root = real_path(os.fsencode(root))
        self._telemetry = telemetry
        self._max_file_bytes = max_file_bytes
        self._extra_ignores = tuple(extra_ignores)
        self._bytes_by_mode = dict.fromkeys(READ_MODES, 0)

    @property
    def root(self) -> str:
        """The segment's absolute path with its links resolved."""
        return os.fsdecode(self._root)

    @property
    def total_bytes_read(self) -> int:
        """UTF-8 bytes handed on by `read_file_at_mode` so far; index reads are no mode and not in it."""
        return sum(self._bytes_by_mode.values())

    @property
    def bytes_by_mode(self) -> dict[str, int]:
        """`total_bytes_read` by mode, every mode present."""
        return dict(self._bytes_by_mode)

    # --- what is there -----------------------------------------------------------------------------------------------

    def walk(self) -> Walk:
        """List the files to index, every directory visited, and what was left out although no ignore rule says so.

        All three are sorted by path. Left out with a reason: secrets files, directories that cannot be listed, links
        that lead outside or nowhere, and what is no regular file. Links that stay inside are silently left out: their
        target is indexed where it lives.

        Raises: UsageError for an extra ignore pattern that is none.
        """
        from .ignore_rules import levels_to_repository

        root_fd = self._open_root()
        try:
            levels_to_git = levels_to_repository(self._root)
            found = self._walk(root_fd, levels_to_git)
            if levels_to_git and not found.files:
                # Who names a segment that the repository around it ignores wholly (dotfiles kept in the home directory
                # under a `*` rule) does not mean that repository's rules.
                found = self._walk(root_fd, None)
            # A segment deleted meanwhile must not look like one whose files were all removed.
            os.close(self._open_root())
            return found
        finally:
            os.close(root_fd)

    def walk_touched(self, before: Walk, changes: Changes) -> Walk | None:
        """Return what `walk` would, listing touched directories and new ones only; None when that takes a whole walk.

        `before` is the latest walk (its `skipped` is not read) and `changes` what a probe of it gave. None when rules
        changed or may have, when a virtual environment or a repository came or went, and without a file.
        """
        if changes.rules_changed or not changes.touched_directories or not before.latest_ns:
            return None
        root_fd = self._open_root()
        try:
            scope = self._scope(root_fd, before, changes)
            if scope is None:
                return None
            left_out, levels = scope
            found = self._walk(root_fd, levels, left_out=left_out)
            os.close(self._open_root())
        finally:
            os.close(root_fd)
        known_files = {found[0] for found in before.files}
        if any(b"/" in path and _name(path) in VENV_NAMES for path, _mtime_ns in found.directories) or any(
            _name(path) in IGNORE_FILE_NAMES and path not in known_files for path, _size, _mtime_ns in found.files
        ):
            return None
        listed = {path for path, _mtime_ns in found.directories if not path.endswith(_RULE_FILE_ENDS)}
        untouched = {path: mtime_ns for path, mtime_ns in before.directories if _is_beneath(path, left_out)}
        # What is in no listed directory is as it was, but for what the probe saw.
        files = {known[0]: known for known in before.files if _parent(known[0]) in untouched}
        for os_path in changes.removed:
            files.pop(os_path, None)
        for os_path in changes.changed:
            if os_path in files:
                files[os_path] = (os_path, *self.stat(os_path))
        files |= {each[0]: each for each in found.files}
        if not files:
            return None
        directories = untouched | dict(found.directories)
        stamps = [path for path in directories if path.endswith(_RULE_FILE_ENDS)]
        plain = sorted((path, mtime_ns) for path, mtime_ns in directories.items() if path not in stamps)
        kept = {path for path in before.repositories if path.startswith(b"../") or _is_beneath(path, left_out)}
        return Walk(
            tuple(sorted(files.values())),
            (*plain, *((path, directories[path]) for path in stamps)),
            found.skipped,
            tuple(sorted(kept | set(found.repositories))),
            max(before.latest_ns, found.latest_ns),
            frozenset(listed),
        )

    def _scope(self, root_fd: int, before: Walk, changes: Changes) -> tuple[frozenset[OsPath], int | None] | None:
        """Return which known directories not to enter, and how far up the repository is.

        None when only a whole walk can tell.
        """
        from .ignore_rules import levels_to_repository

        levels = levels_to_repository(self._root)
        above = [path for path in before.repositories if path.startswith(b"../")]
        if above != ([b"../" * levels] if levels else []):
            return None
        known_files = {known[0] for known in before.files}
        repositories = set(before.repositories)
        on_path = {b""}
        for touched in changes.touched_directories:
            prefix = touched + b"/" if touched else b""
            if _name(touched) in VENV_NAMES or (prefix + b"pyvenv.cfg") in known_files:
                return None
            if _is_there(prefix + b".git", root_fd) is not (touched in repositories):
                return None
            for name in IGNORE_FILE_NAMES:
                # A rule file that a rule hides may have changed unseen.
                if prefix + name not in known_files and _is_there(prefix + name, root_fd):
                    return None
            while touched:
                on_path.add(touched)
                touched = _parent(touched)  # noqa: PLW2901 - up to the segment
        left_out = set()
        touched_directories = set(changes.touched_directories)
        for os_path, _mtime_ns in before.directories:
            if os_path in on_path or os_path.endswith(_RULE_FILE_ENDS) or _parent(os_path) not in on_path:
                continue
            try:
                # A directory moved here brings its own times along, and those of what is in it may be the known ones.
                has_moved = (
                    _parent(os_path) in touched_directories
                    and os.stat(os_path, dir_fd=root_fd, follow_symlinks=False).st_ctime_ns >= before.latest_ns
                )
            except OSError:
                continue
            if not has_moved:
                left_out.add(os_path)
        return frozenset(left_out), levels

    def _walk(
        self,
        root_fd: int,
        levels_to_git: int | None,
        *,
        left_out: frozenset[OsPath] = frozenset(),
    ) -> Walk:
        from .ignore_rules import rule_files, venvs_at_top, walk_entries

        files: list[FileStat] = []
        directories: list[tuple[OsPath, int]] = []
        skipped: list[tuple[OsPath, str]] = []
        repositories: list[OsPath] = [b"../" * levels_to_git] if levels_to_git else []
        latest_ns = 0
        for os_path, problem in walk_entries(
            self._root,
            root_fd,
            levels_to_git=levels_to_git,
            extra_ignores=self._extra_ignores,
            left_out=left_out,
        ):
            try:
                # A directory is looked at before its entries are listed, so what is added meanwhile shows as touched.
                found = os.stat(os_path or b".", dir_fd=root_fd, follow_symlinks=False)
            except OSError as error:
                if error.errno not in _GONE_ERRNOS:
                    skipped.append((os_path, _not_readable(error)))
                continue
            kind = stat.S_IFMT(found.st_mode)
            if problem:
                skipped.append((os_path, problem))
            elif kind == stat.S_IFREG:
                if is_secrets_file(os_path):
                    skipped.append((os_path, "secrets file"))
                else:
                    files.append((os_path, found.st_size, found.st_mtime_ns))
            elif kind == stat.S_IFDIR:
                directories.append((os_path, found.st_mtime_ns))
                latest_ns = max(latest_ns, found.st_ctime_ns)
                if _is_there(os_path + b"/.git" if os_path else b".git", root_fd):
                    repositories.append(os_path)
            elif reason := self._oddity(os_path, kind):
                skipped.append((os_path, reason))
        venv_paths = venvs_at_top(root_fd)
        if venvs := _virtual_environments(files):
            files = [found for found in files if not found[0].startswith(venvs)]
            directories = [found for found in directories if not (found[0] + b"/").startswith(venvs)]
            skipped = [found for found in skipped if not found[0].startswith(venvs)]
            venv_paths += [venv[:-1] for venv in venvs]
        # Watched themselves: without its `pyvenv.cfg` such a directory is one like others.
        directories += _stamps(venv_paths, root_fd)
        walked = {found[0] for found in files}
        rules_apart = [rule_file for rule_file in rule_files(levels_to_git) if rule_file not in walked]
        return Walk(
            tuple(sorted(files)),
            (*sorted(directories), *_stamps(rules_apart, root_fd)),
            tuple(sorted(skipped)),
            tuple(sorted(repositories)),
            latest_ns,
        )

    def _oddity(self, os_path: OsPath, kind: int) -> str:
        """Return why what is neither file nor directory is worth a word; "" for a link that stays inside."""
        if kind != stat.S_IFLNK:
            return "not a regular file"
        link = os.path.join(self._root, os_path)
        if self._from_root(real_path(link)) is None:
            return "link leads outside the segment"
        return "" if os.path.exists(link) else "broken link"

    def probe(self, files: Iterable[FileStat], directories: Iterable[tuple[OsPath, int]]) -> Changes:
        """Compare what an earlier walk gave with what is there now, opening nothing; the hot path of every search.

        A directory is touched when its mtime differs, when it is gone, or when an ignore file in it changed; the
        segment (b"") stands for rule files that are not walked. As for make and git, a file whose size and mtime are
        the same is the same.
        """
        changed: list[OsPath] = []
        removed: list[OsPath] = []
        touched: set[OsPath] = set()
        root_fd = self._open_root()
        look = os.stat
        try:
            for os_path, size_bytes, mtime_ns in files:
                try:
                    found = look(os_path, dir_fd=root_fd, follow_symlinks=False)
                except OSError as error:
                    # What is there and cannot be looked at is for the reader to name.
                    (removed if error.errno in _GONE_ERRNOS else changed).append(os_path)
                    continue
                if found.st_mtime_ns != mtime_ns or found.st_size != size_bytes:
                    (changed if stat.S_ISREG(found.st_mode) else removed).append(os_path)
            for os_path, mtime_ns in directories:
                try:
                    if look(os_path or b".", dir_fd=root_fd).st_mtime_ns == mtime_ns:
                        continue
                except OSError:
                    pass  # gone or closed to us: touched either way
                touched.add(os_path)
        finally:
            os.close(root_fd)
        rules_changed = False
        for os_path in (*changed, *removed):
            directory, _, name = os_path.rpartition(b"/")
            if name in IGNORE_FILE_NAMES:
                touched.add(directory)
                rules_changed = True
        for rule_file in [path for path in touched if path.endswith(_RULE_FILE_ENDS)]:
            touched.remove(rule_file)
            touched.add(b"")
            rules_changed = True
        return Changes(tuple(changed), tuple(removed), tuple(sorted(touched)), rules_changed)

    def stat(self, os_path: OsPath) -> tuple[int, int]:
        """Return (size_bytes, mtime_ns) as a walk gives them, (0, 0) for what is not there any more."""
        try:
            found = os.stat(os.path.join(self._root, os_path), follow_symlinks=False)
        except OSError:
            return 0, 0
        return found.st_size, found.st_mtime_ns

    def is_as_on_disk(self, os_path: OsPath) -> bool:  # noqa: ARG002 - for who overlays some files
        """Tell whether what is read of a file is what other programs read of it."""
        return True

    # --- reading for the index ---------------------------------------------------------------------------------------

    def read_source(self, os_path: OsPath) -> SourceText | Skipped:
        """Read one walked file for the index, or say why not; never raises over the file itself.

        Counts the bytes read in `index_read_bytes_total`. A file that changes while it is read is read once more and
        then taken as it is, under the stat from before that reading, so that a later change still shows.
        """
        if is_secrets_file(os_path):
            return Skipped(os_path, "secrets file")
        contents = self._read_regular(os_path)
        if isinstance(contents, str):
            return Skipped(os_path, contents)
        data, found = contents
        self._telemetry.incr("index_read_bytes_total", len(data))
        decoded = decode_source(data, os_path)
        if decoded is None:
            return Skipped(os_path, "binary")
        if is_minified(os_path, decoded.utf8):
            return Skipped(os_path, "minified")
        return SourceText(
            text=decoded.text,
            encoding=decoded.encoding,
            content_sha=_content_sha(data),
            size_bytes=found.st_size,
            mtime_ns=found.st_mtime_ns,
            generated=is_generated(os_path, decoded.text),
            utf8=decoded.utf8,
            flaw=decoded.flaw,
        )

    def _read_regular(self, os_path: OsPath) -> tuple[bytes, os.stat_result] | str:
        """Return the bytes and the stat from before they were read, or the reason why there are none."""
        try:
            fd = self._open_beneath(os_path)
            if fd is None:
                return "not a regular file"
            try:
                contents = self._read_settled(fd)
            finally:
                os.close(fd)
        except OSError as error:
            if error.errno in _GONE_ERRNOS:
                return "gone"
            return "not a regular file" if error.errno in _NOT_REGULAR_ERRNOS else _not_readable(error)
        return contents or f"larger than {_size(self._max_file_bytes)}"

    def _read_settled(self, fd: int) -> tuple[bytes, os.stat_result] | None:
        """Read the file, once more when it changed meanwhile; None when it is too large, without reading it."""
        before = os.fstat(fd)
        if before.st_size > self._max_file_bytes:
            return None
        data = _read_up_to(fd, before.st_size, self._max_file_bytes)
        after = os.fstat(fd)
        if len(data) != after.st_size or (after.st_mtime_ns, after.st_size) != (before.st_mtime_ns, before.st_size):
            before = after
            data = _read_up_to(fd, before.st_size, self._max_file_bytes)
        return None if len(data) > self._max_file_bytes else (data, before)

    def _open_beneath(self, os_path: OsPath) -> int | None:
        """Open a regular file without following a link or leaving the root; None when it is something else.

        Raises: OSError as the system gives it; CtxError when the root itself cannot be opened.
        """
        *parents, name = os_path.split(b"/")
        if b"\0" in os_path or not name or not {b"", b".", b".."}.isdisjoint((*parents, name)):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))  # no walk gives such a path
        directory_fd = self._open_root()
        try:
            for parent in parents:
                next_fd = os.open(parent, _DIRECTORY_FLAGS | os.O_NOFOLLOW, dir_fd=directory_fd)
                os.close(directory_fd)
                directory_fd = next_fd
            # Even opening a device or a FIFO can have effects, O_NONBLOCK or not.
            if not stat.S_ISREG(os.stat(name, dir_fd=directory_fd, follow_symlinks=False).st_mode):
                return None
            return os.open(name, _FILE_FLAGS, dir_fd=directory_fd)
        finally:
            os.close(directory_fd)

    # --- reading for people and agents -------------------------------------------------------------------------------

    def read_file_at_mode(self, path: str, mode: str, select: Callable[[str], str] | None = None) -> FileView:
        """Hand on a file's text at one level of disclosure and account for it in one `file.read` event.

        `select` turns the whole text into the text at that mode; None hands on all of it. The event is written also
        when this fails, with what failed as its status.

        Raises: UsageError for an unknown mode, a secrets file, a directory, a file too large or binary;
        OutsideSegmentError and NotFoundError as `resolve_inside`; CtxError for a file that cannot be read.
        """
        if mode not in READ_MODES:
            raise UsageError(f'mode "{mode}" is not one of {", ".join(READ_MODES)}')
        started_ns = time.perf_counter_ns()
        shown, status = path, "error"
        size_bytes = file_bytes = 0
        try:
            os_path = self.resolve_inside(path)
            shown = display_path(os_path)
            data, decoded = self._read_decoded(os_path)
            file_bytes = len(data)
            text = decoded.text if select is None else select(decoded.text)
            size_bytes = len(decoded.utf8) if text is decoded.text else len(text.encode("utf-8", "surrogatepass"))
            status = "ok"
            self._bytes_by_mode[mode] += size_bytes
            return FileView(text, size_bytes, file_bytes, decoded.encoding, _content_sha(data))
        except CtxError as error:
            status = next((name for kind, name in _STATUS_OF_ERROR if isinstance(error, kind)), status)
            raise
        finally:
            duration_ns = time.perf_counter_ns() - started_ns
            self._telemetry.event(
                "file.read",
                {"file": shown, "mode": mode},
                {"bytes": size_bytes, "file_bytes": file_bytes, "status": status},
                duration_ns // 1_000_000,
                duration_ns=duration_ns,
            )

    def _read_decoded(self, os_path: OsPath) -> tuple[bytes, DecodedText]:
        shown = _shown(os_path)
        contents = self._read_regular(os_path)
        if isinstance(contents, str):
            if contents == "gone":
                raise NotFoundError(f"{shown}: there is no such file in the segment any more; search again")
            if contents.startswith("not readable"):
                raise CtxError(f"{shown}: {contents}; check its permissions")
            raise UsageError(f"{shown}: {contents}; ctx reads text files up to {_size(self._max_file_bytes)}")
        data, _ = contents
        decoded = decode_source(data, os_path)
        if decoded is None:
            raise UsageError(f"{shown}: binary; ctx reads text files")
        return data, decoded

    def resolve_inside(self, path: str) -> OsPath:
        r"""Return the path from the segment, its links resolved, of an existing file or directory (b"": the segment).

        `path` is relative to the segment or absolute, as the operating system or as `display_path` writes it. This is
        the one gate: nothing ctx hands out comes from a path that did not pass here or from a walk.

        Raises: OutsideSegmentError when it leads outside, by `..`, as an absolute path or through a link, whether or
        not anything is there; UsageError for a secrets file; NotFoundError when there is nothing.
        """
        if not path:
            raise UsageError("an empty path names no file; the segment itself is .")
        try:
            spellings = dict.fromkeys((os.fsencode(path), os_path_of(path)))
        except UnicodeEncodeError as error:
            raise NotFoundError(f"{ascii(path)[:_SHOWN_CHARS_MAX]}: no file name is spelled like this") from error
        shown = _shown(next(iter(spellings)))
        if "\0" in path:
            raise OutsideSegmentError(f"{shown}: a path cannot hold a NUL character; leave it out")
        for spelling in spellings:
            # An absolute spelling replaces the root in the join, as it would in a shell.
            real = real_path(os.path.join(self._root, spelling))
            os_path = self._from_root(real)
            if os_path is None:
                raise OutsideSegmentError(f"{shown}: outside the segment; name the segment it is in with --segment")
            try:
                mode = self._mode_at(os_path)
            except OSError as error:
                if error.errno in _NOWHERE_ERRNOS:
                    continue
                raise CtxError(f"{shown}: {_not_readable(error)}; check its permissions") from error
            if stat.S_ISLNK(mode):
                continue  # only a link in a loop is still one after realpath
            if not stat.S_ISDIR(mode) and (is_secrets_file(os_path) or is_secrets_file(spelling)):
                raise UsageError(f"{shown}: a secrets file by its name; ctx neither indexes nor shows those")
            return os_path
        os.close(self._open_root())  # when the whole segment is gone, that is what to say
        raise NotFoundError(f"{shown}: no such file in the segment; look for it with ctx search")

    def _mode_at(self, os_path: OsPath) -> int:
        """Return the mode of what is at a resolved path.

        Raises: OSError when nothing is.
        """
        return os.stat(os.path.join(self._root, os_path), follow_symlinks=False).st_mode

    # --- the root -----------------------------------------------------------------------------------------------------

    def _open_root(self) -> int:
        try:
            return os.open(self._root, _DIRECTORY_FLAGS)
        except OSError as error:
            raise CtxError(
                f"{_shown(self._root)}: the segment's directory cannot be opened ({error.strerror}); "
                "was it moved or deleted? name another with --segment"
            ) from error

    def _from_root(self, real: bytes) -> OsPath | None:
        """Return a resolved absolute path as one from the segment, None when it is not in there."""
        if real == self._root:
            return b""
        inside = self._root.rstrip(b"/") + b"/"  # a segment may be the root of the file system
        return real[len(inside) :] if real.startswith(inside) else None


def _parent(os_path: OsPath) -> OsPath:
    return os_path.rpartition(b"/")[0]


def _name(os_path: OsPath) -> OsPath:
    return os_path.rpartition(b"/")[2]


def _is_beneath(os_path: OsPath, directories: frozenset[OsPath]) -> bool:
    """Tell whether a path is one of the directories or in one of them."""
    while os_path:
        if os_path in directories:
            return True
        os_path = _parent(os_path)
    return False


def _is_there(os_path: OsPath, root_fd: int) -> bool:
    try:
        os.stat(os_path, dir_fd=root_fd, follow_symlinks=False)
    except OSError:
        return False
    return True


def _virtual_environments(files: Iterable[FileStat]) -> tuple[bytes, ...]:
    """Return the prefixes of paths inside virtual environments further down than the walker leaves out by itself."""
    markers = [os_path.split(b"/") for os_path, _, _ in files if os_path.endswith(b"/pyvenv.cfg")]
    return tuple(b"/".join(parts[:-1]) + b"/" for parts in markers if parts[-2] in VENV_NAMES)


def _stamps(paths: Iterable[OsPath], root_fd: int) -> list[tuple[OsPath, int]]:
    """Return the mtime_ns of those paths that are there."""
    stamps = []
    for path in paths:
        with contextlib.suppress(OSError):
            stamps.append((path, os.stat(path, dir_fd=root_fd).st_mtime_ns))
    return stamps


def _read_up_to(fd: int, expected_bytes: int, limit_bytes: int) -> bytes:
    """Read from the start to the end of the file, or one byte past the limit."""
    data = os.pread(fd, min(expected_bytes, limit_bytes) + 1, 0)
    if len(data) <= expected_bytes:  # shorter than asked: that was the end
        return data
    parts, got = [data], len(data)
    while got <= limit_bytes and (part := os.pread(fd, limit_bytes + 1 - got, got)):
        parts.append(part)
        got += len(part)
    return b"".join(parts)


def _content_sha(data: bytes) -> str:
    import hashlib  # 4 ms that a search, which only probes, does not pay

    return hashlib.sha256(data).hexdigest()[:_CONTENT_SHA_HEX]


def _not_readable(error: OSError) -> str:
    return f"not readable: {error.strerror}"


def _shown(os_path: OsPath) -> str:
    return display_path(os_path)[:_SHOWN_CHARS_MAX]


def _size(size_bytes: int) -> str:
    for unit, factor in (("MiB", 1024 * 1024), ("KiB", 1024)):
        if size_bytes >= factor and size_bytes % factor == 0:
            return f"{size_bytes // factor} {unit}"
    return f"{size_bytes} bytes"
