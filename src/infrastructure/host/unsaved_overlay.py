"""UnsavedOverlay: an index of the segment as it is with unsaved texts in place of their files.

A copy of the segment's index, brought up to date by the code that keeps the segment's own (`RefreshIndex`) over files
that are overlaid (`UnsavedFiles`). Owns the copy's file, from the first unsaved text until a while after the last one,
and the one thread that writes it. Nothing of it ever goes to the segment. docs/decisions/016-unsaved-buffers.md.

The copy's disk part equals the tree at a clean mark M of the segment's index when it was copied, or looked at whole,
between two readings of M. While M stays, only texts are compared; otherwise every file is.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import threading
import time
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from ...domain.errors import IndexDamagedError
from ...domain.source_files import display_path
from ..file_indexer import FileIndexer
from ..index_store import IndexPeek, IndexStore
from ..null_telemetry import NullTelemetry
from ..parse_pool import TRUSTED_BYTES_MAX
from ..services import Services
from ..text_parser import ParserLostError, TextParser
from ..unsaved_files import UnsavedFiles
from ..warm_host import HostLook, UnsavedIndex
from .places import is_private, places
from .unsaved_texts import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ...domain.index_records import FileRecord
    from ...domain.source_files import OsPath
    from ..config import Config
    from .unsaved_texts import UnsavedText, UnsavedTexts

LOOK_WAIT_S = 10.0
"""As long as somebody waits for a text to be taken in; after that the answer names what is missing."""
LOCKED_WAIT_S = 5.0
"""As long as an index that another process locks is not taken for one that is missing."""
LINGER_S = 60.0
"""How long a copy is kept without a text: whoever saves goes on typing."""
AFRESH_FILES_MIN = 64
"""So many changed files (another branch) are read by the segment's own index, and that is copied anew."""
_PREFIX = "ctx-{}.unsaved-"
_OWNER = "owner"
_GONE = ".gone"
_NOT_YET = HostLook(is_unknown=True)
"""What is published while there is no index: who asks has texts, and the disk would answer as if there were none."""


class OverlayClosedError(Exception):
    """The index over the texts is being taken down, and the texts are still there: who asked has to ask elsewhere."""


class UnsavedOverlay:
    """The overlay of one segment; `look` is for any thread.

    `clean_mark` gives the generation of the segment's index that equals the files, "" when none is known to.
    """

    def __init__(
        self,
        segment: str,
        texts: UnsavedTexts,
        *,
        config: Config,
        index_path: str,
        clean_mark: Callable[[], str] = lambda: "",
        on_note: Callable[[str], None] = lambda _text: None,
    ) -> None:
        """Make nothing yet."""
        self._segment = segment
        self._texts = texts
        self._config = config
        self._index_path = index_path
        self._clean_mark = clean_mark
        self._on_note = on_note
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._asked = self._done = 0
        self._is_closing = False
        self._must_renew = False
        self._published = _NOT_YET
        self._seen: tuple[int, str] = (0, "")
        """Version of the texts and mark of the tree that what is published is known to equal."""
        self._copy: _Copy | None = None

    def look(self) -> HostLook:
        """Return the index over the texts, up to date with every text and file of now; nothing while there is no text.

        Waits for that as long as `LOOK_WAIT_S`; what is not there then is unknown, or named as stale.

        Raises: OverlayClosedError at the end: without an index the disk would answer as if there were no texts.
        """
        snapshot = self._texts.current
        if not snapshot.texts:
            return HostLook()
        mark = self._clean_mark()
        with self._changed:
            self._stop_if_closing()
            if mark and self._seen == (snapshot.version, mark):
                return self._published
            ticket = self._ask()
            self._changed.wait_for(lambda: self._done >= ticket or self._is_closing, LOOK_WAIT_S)
            self._stop_if_closing()
            found = self._published
            is_late = self._done < ticket
        if not is_late:
            return found
        if found.unsaved is None:
            return replace(found, is_unknown=True)
        missing = {path for path, text in snapshot.texts.items() if found.unsaved.files.get(path) != text.stat}
        stale = tuple(sorted({*found.unsaved.stale, *map(display_path, missing)}))
        return HostLook(unsaved=replace(found.unsaved, stale=stale))

    def hurry(self) -> None:
        """Begin to take in what changed, so that the next look has less to wait for."""
        with self._changed:
            self._ask()

    def renew(self) -> None:
        """Throw the copy away; the next look makes another one."""
        with self._changed:
            self._must_renew = True
            self._seen = (0, "")

    def close(self) -> None:
        """End the thread and remove the copy; safe to call twice."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(LOOK_WAIT_S)

    def _stop_if_closing(self) -> None:
        if self._is_closing:
            raise OverlayClosedError

    def _ask(self) -> int:
        self._asked += 1
        if self._thread is None and not self._is_closing:
            self._thread = threading.Thread(target=self._run, name="unsaved-overlay", daemon=True)
            self._thread.start()
        self._changed.notify_all()
        return self._asked

    # ------------------------------------------------------------------ in the overlay's thread

    def _run(self) -> None:
        try:
            while (ticket := self._next()) is not None:
                look, seen = self._updated()
                with self._changed:
                    self._published, self._seen, self._done = look, seen, max(self._done, ticket)
                    self._changed.notify_all()
        finally:
            self._leave_copy()

    def _next(self) -> int | None:
        """Wait for somebody to ask and return the latest ticket; None at the end. What nobody needs goes meanwhile."""
        with self._changed:
            unused_since_s = time.monotonic()
            while self._done >= self._asked and not self._is_closing:
                has_texts = bool(self._texts.current.texts)
                left_s = None if self._copy is None or has_texts else unused_since_s + LINGER_S - time.monotonic()
                if left_s is not None and left_s <= 0:
                    self._leave_copy()
                    continue
                self._changed.wait(left_s)
            if self._must_renew:
                self._must_renew = False
                self._leave_copy()
            return None if self._is_closing else self._asked

    def _updated(self) -> tuple[HostLook, tuple[int, str]]:
        snapshot = self._texts.current
        if not snapshot.texts:
            return HostLook(), (0, "")
        try:
            try:
                return self._taken_in(snapshot)
            except (_AfreshError, IndexDamagedError):
                self._leave_copy()
                with Services(self._segment, config=self._config) as services:
                    services.refresh()
                return self._taken_in(snapshot)
        except Exception as error:  # noqa: BLE001 - the rim of a thread; it reports
            self._on_note(f"unsaved texts cannot be seen: {type(error).__name__}: {error}")
            self._leave_copy()
            return _NOT_YET, (0, "")

    def _taken_in(self, snapshot: Snapshot) -> tuple[HostLook, tuple[int, str]]:
        mark = self._clean_mark()
        if self._copy is None:
            state = _state_of(self._index_path)
            if state is None:
                return HostLook(is_pending=True), (0, "")
            self._copy = _Copy(self._segment, self._index_path, self._config)
            if mark and state[2] == mark == self._copy.generation and self._clean_mark() == mark:
                self._copy.disk_mark = mark
        copy = self._copy
        stale = copy.refresh(snapshot, is_disk_known=bool(mark) and copy.disk_mark == mark)
        copy.disk_mark = mark if mark and self._clean_mark() == mark else ""
        unsaved = UnsavedIndex(copy.path, copy.seen(snapshot), stale, snapshot.version)
        seen = (snapshot.version, copy.disk_mark) if not stale else (0, "")
        return HostLook(unsaved=unsaved), seen

    def _leave_copy(self) -> None:
        copy, self._copy = self._copy, None
        self._published, self._seen = _NOT_YET, (0, "")
        if copy is not None:
            copy.close()


class _AfreshError(Exception):
    """So much changed that the segment's own index is the quicker way."""


class _Copy:
    """One copy of the segment's index in a folder of its own, which goes with it."""

    def __init__(self, segment: str, index_path: str, config: Config) -> None:
        self._folder, self._owner_fd = _new_folder(segment)
        self.path = os.path.join(self._folder, "index.db")
        self.disk_mark = ""
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))  # SQLite's others get its mode
            with IndexStore(index_path, makes=False) as store:
                store.copy_to(self.path)
            self._services = OverlayServices(segment, self.path, config)
            self.generation = self._services.store.meta("generation")
        except BaseException:
            self._remove()
            raise

    def refresh(self, snapshot: Snapshot, *, is_disk_known: bool) -> tuple[str, ...]:
        """Take the texts in, and what changed on disk; return the paths that could not be."""
        return self._services.take_in(snapshot, is_disk_known=is_disk_known)

    def seen(self, snapshot: Snapshot) -> dict[OsPath, tuple[int, int]]:
        """Return what the index holds of the texts."""
        store = self._services.store
        return {path: text.stat for path, text in snapshot.texts.items() if store.stat(path) == text.stat}

    def close(self) -> None:
        self._services.__exit__()
        self._remove()

    def _remove(self) -> None:
        # Gone at once for whoever is about to open it: without its log the index would be one of older texts.
        gone = self._folder + _GONE
        with contextlib.suppress(OSError):
            os.rename(self._folder, gone)
        for folder in (gone, self._folder):
            shutil.rmtree(folder, ignore_errors=True)
        os.close(self._owner_fd)


class OverlayServices(Services):
    """The services of a copy: its index, and files with texts in place of the disk's."""

    def __init__(self, segment: str, index_path: str, config: Config) -> None:
        """Open nothing yet."""
        super().__init__(segment, config=config)
        self._path = index_path
        self._snapshot = Snapshot(0, {})
        self._parser: TextParser | None = None
        # What is typed is no run of anybody.
        self.telemetry = _SilentTelemetry()  # type: ignore[assignment]

    def __exit__(self, *_exc: object) -> None:
        super().__exit__()
        if self._parser is not None:
            self._parser.close()

    @property
    def index_path(self) -> str:
        """Where the copy is."""
        return self._path

    @cached_property
    def files(self) -> UnsavedFiles:
        """The segment's files with the texts in their place."""
        return UnsavedFiles(
            self.segment,
            _Latest(self),
            telemetry=NullTelemetry(),
            max_file_bytes=self.config.number("index.max_file_bytes"),
            extra_ignores=self.config.items("index.ignore"),
        )

    @property
    def snapshot(self) -> Snapshot:
        """The texts that count for the work under way."""
        return self._snapshot

    def take_in(self, snapshot: Snapshot, *, is_disk_known: bool) -> tuple[str, ...]:
        """Bring the index up to date with texts and disk; return the paths that could not be stored.

        Raises: IndexDamagedError; _AfreshError.
        """
        self._snapshot = snapshot
        self.files.is_disk_known = is_disk_known
        self.files.levels_to_git = _levels_to_git(self.store.meta("walked"))
        return self._refresh(whole=False, on_progress=lambda _done, _total: None, on_wait=lambda: None).stale

    def _records_of(self, files: Sequence[tuple[bytes, int]]) -> Iterator[FileRecord]:
        texts = self._snapshot.texts
        others = [one for one in files if one[0] not in texts]
        if len(others) >= AFRESH_FILES_MIN:
            raise _AfreshError
        for path, _size in files:
            if path in texts:
                yield self._record_of_text(path, texts[path])
        if others:
            yield from super()._records_of(others)

    def _record_of_text(self, path: OsPath, text: UnsavedText) -> FileRecord:
        if len(text.data) <= TRUSTED_BYTES_MAX:
            return self._text_indexer.index(path)
        if self._parser is None:
            self._parser = TextParser(self.segment, self.config)
        try:
            return self._parser.record_of(path, text.data, text.mtime_ns)
        except ParserLostError as error:
            return self._text_indexer.index_as_text(path, str(error))

    @cached_property
    def _text_indexer(self) -> FileIndexer:
        return FileIndexer(self.files, self.counter)


class _Latest:
    """The texts of overlay services as `UnsavedFiles` reads them."""

    def __init__(self, services: OverlayServices) -> None:
        self._services = services

    @property
    def files(self) -> Mapping[OsPath, tuple[int, int]]:
        return self._services.snapshot.files

    def data(self, os_path: OsPath) -> bytes | None:
        return self._services.snapshot.data(os_path)


class _SilentTelemetry(NullTelemetry):
    level = "off"

    def set_pack_state(self, sha16: str | None, mtime: str | None, stale_detected: bool | None) -> None:
        """Forget the state of the context pack."""


def _levels_to_git(walked: str) -> int | None:
    """Return how far above the segment the repository of its walk is; see `RefreshIndex` for what that kept."""
    repositories = [bytes.fromhex(path) for path in walked.split("\n")[1:]]
    above = next((path for path in repositories if path.startswith(b"../")), None)
    if above is not None:
        return above.count(b"../")
    return 0 if b"" in repositories else None


def _state_of(index_path: str) -> tuple[int, int, str] | None:
    """Return what tells states of an index apart; None for one that is missing or not whole."""
    peek = IndexPeek(index_path, wait_s=LOCKED_WAIT_S)
    try:
        return peek.mark()
    finally:
        peek.close()


def remove_left_overlays(segment: str) -> None:
    """Remove copies whose owner is gone: killed, it could not."""
    for folder, name in _parents(segment):
        for found in _entries(folder):
            if not found.startswith(_PREFIX.format(name)):
                continue
            path = os.path.join(folder, found)
            with contextlib.suppress(OSError):
                owner = os.open(os.path.join(path, _OWNER), os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
                try:
                    fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails for as long as its owner lives
                    shutil.rmtree(path, ignore_errors=True)
                finally:
                    os.close(owner)


def _new_folder(segment: str) -> tuple[str, int]:
    """Make a folder for this user alone; return it, and the descriptor that says whose it is for as long as it is open.

    Raises: OSError when there is no room for one.
    """
    remove_left_overlays(segment)
    folder, name = _parents(segment)[0]
    made = tempfile.mkdtemp(prefix=_PREFIX.format(name), dir=folder)
    path = os.path.join(made, _OWNER)
    owner = os.open(path + ".new", os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    fcntl.flock(owner, fcntl.LOCK_EX)
    os.rename(path + ".new", path)  # only now: who finds it without a lock takes its owner for gone
    return made, owner


def _parents(segment: str) -> list[tuple[str, str]]:
    """Return the folders that copies may be in, the best first, and how their names begin."""
    found = os.stat(segment)
    runtime = [os.path.dirname(place.lock) for place in places(found) if is_private(place.folder)]
    return [(folder, f"{found.st_dev:x}-{found.st_ino:x}") for folder in (*runtime, tempfile.gettempdir())]


def _entries(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
