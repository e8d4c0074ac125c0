"""ReplayedTree: the files of one commit after another in a temporary folder, with an index that follows.

Owns what of a tree may be written and the folder itself. The first tree is written whole, of each further one only
what differs, so that the index has only that to read. Contents are git's own, without filters and line end
conversion.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from ..application.evaluate import Arm, SourceReader
from ..application.search import SearchRequest, search
from ..domain.errors import CtxError
from ..domain.evaluation import Found, FunctionSpan
from ..domain.source_files import decode_source, display_path, is_secrets_file
from ..domain.symbols import FUNCTION_KINDS
from .languages import language_of, row_of
from .null_telemetry import NullTelemetry
from .services import Services
from .state_folder import CTX_FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .config import Config
    from .git_history import GitHistory

_NEVER_WRITTEN = frozenset({b"", b".", b"..", b".git", CTX_FOLDER.encode()})
"""What no path may consist of: git itself refuses most of it, and a tree made by hand is not trusted."""
_DISK_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})
_FIRST_MTIME_S = 1_000_000_000


class ReplayedTree:
    """A segment that is moved from commit to commit."""

    def __init__(self, folder: str, history: GitHistory, config: Config) -> None:
        """Take an existing empty folder; `config` is what the segment is indexed and searched with."""
        self._history = history
        self._root = os.fsencode(folder)
        # As in the repository: .gitignore files count for what lies in one, and no further up.
        os.mkdir(os.path.join(self._root, b".git"))
        self._max_file_bytes = config.number("index.max_file_bytes")
        self._written: set[bytes] = set()
        self._at = ""
        self._moves = 0
        self.files_left_out = 0
        quiet = replace(config, values={**config.values, "telemetry.level": "off"}, warnings=())
        self.services = Services(folder, config=quiet)

    def close(self) -> None:
        """Close the index; the folder is its maker's to remove."""
        # A telemetry level from the environment beats the quiet one; then it, too, is written here and removed.
        self.services.telemetry.close()
        self.services.__exit__()

    def arm(self, config: Config, without: frozenset[str] = frozenset()) -> Arm:
        """Return what `ctx search` would answer here under these settings; searches leave no telemetry."""
        services, telemetry = self.services, NullTelemetry()

        def find(query: str) -> tuple[Found, ...]:
            request = SearchRequest(
                query, limit=config.number("search.limit"), budget_tokens=config.number("search.budget")
            )
            answer = search(request, services.store, telemetry, services.clock, without=without)
            return tuple(Found(hit.path, hit.start_line, hit.end_line, hit.tokens) for hit in answer.hits)

        def is_indexed(path: str) -> bool:
            record = services.store.file(path)
            return record is not None and record.status != "skipped"

        return Arm(self.move_to, is_indexed, find)

    def move_to(self, sha: str) -> None:
        """Make the files and the index those of a commit.

        Links, submodules, files over the size limit, and names this disk cannot hold are left out.
        """
        if sha == self._at:
            return
        entries = list(self._history.tree_changes(self._at, sha))
        self._moves += 1
        touched: set[bytes] = set()
        stay = {entry.os_path for entry in entries if entry.oid}
        # Removals come first: what was a file may become a folder.
        for entry in entries:
            if entry.os_path in self._written and entry.os_path not in stay:
                self._remove(entry.os_path, touched)
        to_write = [entry for entry in entries if entry.oid and _is_writable(entry.os_path)]
        contents = self._history.blobs([entry.oid for entry in to_write], self._max_file_bytes)
        for entry, content in zip(to_write, contents, strict=True):
            if content is not None:
                self._write(entry.os_path, content, touched)
            else:
                self.files_left_out += 1
                if entry.os_path in self._written:
                    self._remove(entry.os_path, touched)
        self._stamp(touched)
        self._at = sha
        self.services.refresh()

    def _write(self, os_path: bytes, content: bytes, touched: set[bytes]) -> None:
        full = os.path.join(self._root, os_path)
        is_new = os_path not in self._written
        try:
            if is_new:
                self._make_folders(os_path, touched)
            # A new file must not be there: on a disk that folds case it would be another file of the same tree.
            how = os.O_EXCL if is_new else os.O_TRUNC
            fd = os.open(full, os.O_WRONLY | os.O_CREAT | how | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
            try:
                left = memoryview(content)
                while left:
                    left = left[os.write(fd, left) :]
            finally:
                os.close(fd)
            os.utime(full, ns=self._times)
        except OSError as error:
            if error.errno in _DISK_ERRNOS:
                raise CtxError(
                    f"{os.fsdecode(self._root)}: cannot be written ({error.strerror}); "
                    "free some space there, or set TMPDIR to another folder"
                ) from error
            self.files_left_out += 1
            return
        self._written.add(os_path)
        if is_new:
            touched.add(os.path.dirname(os_path))

    def _make_folders(self, os_path: bytes, touched: set[bytes]) -> None:
        folder = os.path.dirname(os_path)
        missing = []
        while folder and not os.path.isdir(os.path.join(self._root, folder)):
            missing.append(folder)
            folder = os.path.dirname(folder)
        for new in reversed(missing):
            os.mkdir(os.path.join(self._root, new))
            touched.update((new, os.path.dirname(new)))

    def _remove(self, os_path: bytes, touched: set[bytes]) -> None:
        os.unlink(os.path.join(self._root, os_path))
        self._written.discard(os_path)
        folder = os.path.dirname(os_path)
        touched.add(folder)
        while folder:
            try:
                os.rmdir(os.path.join(self._root, folder))
            except OSError:
                break  # still holds something
            folder = os.path.dirname(folder)
            touched.add(folder)

    @property
    def _times(self) -> tuple[int, int]:
        """The time of everything the current move writes; the disk's own clock may stand still between two moves."""
        time_ns = (_FIRST_MTIME_S + self._moves) * 1_000_000_000
        return time_ns, time_ns

    def _stamp(self, folders: Iterable[bytes]) -> None:
        for folder in folders:
            full = os.path.join(self._root, folder)
            if os.path.isdir(full):
                os.utime(full, ns=self._times)


def source_reader(config: Config) -> SourceReader:
    """Return what tells sources from other files, and finds the functions of one."""
    from .ast_lsp import SkeletonMapBuilder

    builder = SkeletonMapBuilder()

    def source_path(os_path: bytes) -> str:
        path = display_path(os_path)
        is_source = row_of(language_of(path)) is not None and not is_secrets_file(os_path) and _is_writable(os_path)
        return path if is_source else ""

    def functions_of(path: str, source: bytes) -> list[FunctionSpan] | None:
        decoded = decode_source(source, os.fsencode(path))
        language = "" if decoded is None else language_of(path, decoded.utf8)
        if decoded is None or row_of(language) is None:
            return None
        try:
            skeleton = builder.extract(decoded.utf8, path, language)
        except CtxError:
            return None  # no grammar, or a parse that took too long: indexed as text, and then without functions
        return [
            FunctionSpan(path, d.name, d.qualname, d.start_line, d.end_line)
            for d in skeleton.definitions
            if d.kind in FUNCTION_KINDS
        ]

    return SourceReader(source_path, functions_of, config.number("index.max_file_bytes"))


def _is_writable(os_path: bytes) -> bool:
    parts = {part.lower() for part in os_path.split(b"/")}
    return b"\0" not in os_path and _NEVER_WRITTEN.isdisjoint(parts)


@contextmanager
def temporary_folder() -> Iterator[str]:
    """Make a folder and remove it at the end, whatever the end: an error, Ctrl-C, a hang-up, a polite kill.

    Raises: CtxError when it cannot be made.
    """
    stop = _Stop()
    with stop.listening():
        try:
            folder = tempfile.mkdtemp(prefix="ctx-eval-")
        except OSError as error:
            raise CtxError(
                f"no temporary folder can be made ({error.strerror}); free some space, or set TMPDIR to another folder"
            ) from error
        try:
            yield os.path.realpath(folder)
        finally:
            with stop.held_back():
                shutil.rmtree(folder, ignore_errors=True)


class _Stop:
    """The signals that end a command, as KeyboardInterrupt, so that what it has made can be removed."""

    _SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    @contextmanager
    def listening(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield  # only the main thread may set handlers; a host that runs commands in others handles its signals
            return
        before = {
            number: signal.getsignal(number)
            for number in self._SIGNALS
            if signal.getsignal(number) is not signal.SIG_IGN  # nohup and background jobs mean it
        }
        for number in before:
            signal.signal(number, _interrupt)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """Hold the signals back: a second, impatient Ctrl-C must not leave half the folder."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, self._SIGNALS)
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt
