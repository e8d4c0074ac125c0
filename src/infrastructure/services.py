"""The only place where things are wired together: one object per run that makes what a command needs, when it does."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Generic, TypeVar

from .. import __version__
from ..application.refresh_index import RefreshIndex, RefreshReport
from ..domain.errors import CtxError, IndexBusyError, IndexDamagedError
from ..domain.index_records import PACK_META, PACK_PATH
from ..domain.source_files import SourceText, display_path, os_path_of
from ..domain.terminal_text import without_controls
from .clock import SystemClock
from .config import Config, load_config
from .file_system import FileSystemAdapter
from .index_store import IndexStore
from .secrets import SourceRedactor
from .state_folder import CTX_FOLDER, cache_folder, make_ctx_folder, make_folder
from .telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ..application.context_pack import PackState
    from ..application.get import Get
    from ..application.hover import Hover
    from ..application.refs import FindReferences
    from ..application.repo_map import RepoMapper
    from ..application.resolve import Resolve
    from ..application.search import SearchAnswer, SearchRequest
    from ..application.text_search import TextSearchAnswer, TextSearchRequest
    from ..application.watch_index import WatchIndex
    from ..domain.index_records import FileRecord
    from ..domain.module_map import ModuleMap
    from ..domain.ports import FileWatcher
    from ..domain.source_files import OsPath
    from ..domain.symbols import SkeletonMap
    from .ast_lsp import SkeletonMapBuilder
    from .ast_lsp.asked_servers import AskedServers, LateServers, OwnedServers
    from .ast_lsp.segment_trees import SegmentTrees
    from .file_indexer import FileIndexer
    from .file_watcher import NotifyWatcher
    from .text_scanner import Re2Scanner, RipgrepScanner
    from .tokenizer import BpeTokenCounter
    from .warm_host import HostLook, UnsavedIndex, WarmHost

INDEX_FILE = "index.db"
PACK_BYTES_MAX = 1 << 30
LOCK_WAIT_S = 60.0
"""As long as a first build by another process is waited for."""

default_host: Callable[[str], WarmHost | None] | None = None
"""Set in a process of the warm host: what services of a segment ask that are given nobody else to ask."""

UNSAVED_MISSING = "what editors and agents have not saved could not be had, and is not in this answer"
_ANSWERS_MAX = 3
"""Of one question, while unsaved texts change under it."""
_LOOKS_MAX = 2
"""An index over unsaved texts may go just when it was given."""
_NO_TEXTS: Mapping[OsPath, tuple[int, int]] = {}
_Made = TypeVar("_Made")


class Services:
    """What a command works with in one segment; use as a context manager."""

    def __init__(
        self, segment: str, *, config: Config | None = None, run_id: str = "", host: WarmHost | None = None
    ) -> None:
        """Read the configuration; nothing is written and the index is not opened yet.

        `host` keeps what outlives these services; without one it is `default_host`'s.

        Raises: UsageError for a malformed configuration.
        """
        self.segment = segment
        self.config = config or load_config(segment, os.environ)
        self.warnings: list[str] = list(self.config.warnings)
        self.clock = SystemClock()
        self.redactor = SourceRedactor()
        self.state_folder, self.is_elsewhere = _state_folder(segment)
        self.telemetry = Telemetry(
            segment,
            self.config.text("telemetry.level"),
            run_id,
            clock=self.clock,
            directory=os.path.join(self.state_folder, "telemetry") if self.is_elsewhere else None,
        )
        if self.is_elsewhere:
            self.warn(f"{CTX_FOLDER}/ cannot be written (or is a link); index and telemetry go to the user's cache")
        self._host = default_host(segment) if host is None and default_host is not None else host
        self._unsaved_index: UnsavedIndex | None = None
        self._unsaved_store: IndexStore | None = None
        self._builder: tuple[IndexStore, SkeletonMapBuilder] | None = None
        self._store: IndexStore | None = None
        self._watcher: NotifyWatcher | None = None
        self._own_servers: LateServers | None = None
        self._index_file: tuple[int, int] | None = None
        self._strays: set[OsPath] = set()
        """Files that were read and are not what the index holds of them."""
        self._modules = _PerState(self._index_state, self._make_modules)
        self._trees = _PerState(self._index_state, self._make_trees)

    def __enter__(self) -> Services:
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._own_servers is not None and self._own_servers.close():
            self.telemetry.close()  # how servers end belongs to the record of the command that had them
        if self._watcher is not None:
            self._watcher.close()
        if self._host is not None:
            self._host.close()
        self._leave_unsaved()
        if self._store is not None:
            self._store.close()

    def warn(self, text: str) -> None:
        """Keep a warning for the person and the telemetry."""
        self.warnings.append(text)

    @property
    def segment_name(self) -> str:
        """The directory's name as answers show it."""
        return display_path(os.fsencode(os.path.basename(self.segment)))

    @property
    def root(self) -> str:
        """The segment's absolute path with its links resolved."""
        return self.files.root

    @property
    def index_path(self) -> str:
        """Where the index of this segment is."""
        return os.path.join(self.state_folder, INDEX_FILE)

    @cached_property
    def files(self) -> FileSystemAdapter:
        """The segment's files."""
        return self._adapter(self.config.number("index.max_file_bytes"))

    @cached_property
    def pack_files(self) -> FileSystemAdapter:
        """The same files for reading a context pack, which may be large."""
        return self._adapter(PACK_BYTES_MAX)

    def _adapter(self, max_file_bytes: int) -> FileSystemAdapter:
        extra_ignores = self.config.items("index.ignore")
        if self._host is None:
            return FileSystemAdapter(
                self.segment, telemetry=self.telemetry, max_file_bytes=max_file_bytes, extra_ignores=extra_ignores
            )
        from .unsaved_files import UnsavedFiles

        return UnsavedFiles(
            self.segment,
            _SeenTexts(self),
            telemetry=self.telemetry,
            max_file_bytes=max_file_bytes,
            extra_ignores=extra_ignores,
        )

    @cached_property
    def counter(self) -> BpeTokenCounter:
        """The tokenizer, loaded at its first count."""
        from .tokenizer import BpeTokenCounter

        return BpeTokenCounter(self.config.text("tokens.encoding"))

    def count_tokens(self, text: str) -> int:
        """Return the tokens of a text; the tokenizer is loaded only when this is asked."""
        return self.counter.count(text)

    @property
    def settings_mark(self) -> str:
        """What changes with the settings that change what is stored, and with each release: they make another index."""
        sizes = f"{self.config.text('tokens.encoding')} {self.config.number('index.max_file_bytes')}"
        return f"{__version__} {sizes} {self.config.items('index.ignore')}"

    @property
    def unsaved_paths(self) -> tuple[str, ...]:
        """The files, by path, that answers since the last refresh rest on an unsaved text of."""
        return tuple(sorted(map(display_path, self._unsaved_index.files))) if self._unsaved_index is not None else ()

    @property
    def store(self) -> IndexStore:
        """The open index; a damaged one is named, removed and made anew (the refresh fills it).

        While there are unsaved texts it is the one that holds them.
        """
        if self._unsaved_store is not None:
            return self._unsaved_store
        if self._store is None:
            mark = self.settings_mark
            store = self._new_store()
            try:
                store.open()
                if store.meta("settings") != mark:
                    self._restart(store, mark)
            except IndexDamagedError as error:
                self._tell_rebuild(error)
                store.close()
                with store.writing(wait_s=LOCK_WAIT_S):
                    try:
                        store.open()  # another process may have made it anew while we waited
                        store.meta("settings")
                    except IndexDamagedError:
                        store.remove()
                        store.open()
                    self._restart(store, mark)
            if store.is_frozen:
                self.warn("there is no room to write the index; it answers as it stands")
            self._store, self._index_file = store, _identity(self.index_path)
        return self._store

    def _new_store(self) -> IndexStore:
        return IndexStore(self.index_path, make_folder=self._make_folder)

    def _make_folder(self, path: str) -> None:
        """Make the folder of the index: in the segment, which is never made itself, or anywhere below the cache."""
        if self.is_elsewhere:
            os.makedirs(path, exist_ok=True)
            return
        try:
            make_folder(path)
        except FileNotFoundError:
            self.files.resolve_inside(".")  # raises when the whole segment is gone, and says so
            raise

    def _restart(self, store: IndexStore, mark: str) -> None:
        """Empty an index made with other settings; one that another process emptied meanwhile stays."""
        with store.writing(wait_s=LOCK_WAIT_S):
            found = store.meta("settings")
            if found == mark:
                return
            if found:
                store.empty()
            with store.transaction():
                store.set_meta("settings", mark)

    def _tell_rebuild(self, error: IndexDamagedError) -> None:
        self.warn(f"{error.args[0].partition(';')[0]}; it is thrown away and built anew")
        self.telemetry.incr("index_rebuilt_count")

    def rebuild_damaged(self, error: IndexDamagedError) -> None:
        """Say that the index is damaged and throw it away; the next refresh builds it whole."""
        self._tell_rebuild(error)
        if self._unsaved_index is not None and self._host is not None:
            self._leave_unsaved()
            self._host.renew_unsaved()
        else:
            self.rebuild()

    def build_anew(
        self,
        *,
        on_progress: Callable[[int, int], None] = lambda _done, _total: None,
        on_wait: Callable[[], None] = lambda: None,
    ) -> RefreshReport:
        """Throw the index away and build it whole; until that is done, other processes answer from the old one."""
        self._leave_unsaved()
        try:
            store = self.store
            with store.writing(wait_s=LOCK_WAIT_S, on_wait=on_wait), store.transaction():
                kept = {key: store.meta(key) for key in ("settings", "generation")}
                store.empty()
                for key, value in kept.items():
                    store.set_meta(key, value)
                if store.check() != "ok":
                    raise IndexDamagedError(f"{self.index_path}: the index is damaged")
                return self._refresh(True, on_progress, on_wait)
        except IndexDamagedError:
            self.rebuild()
            return self._refresh(True, on_progress, on_wait)

    def rebuild(self) -> None:
        """Throw a damaged index away; the next refresh builds it whole."""
        self._leave_unsaved()
        store = self._store or self._new_store()
        self._make_folder(self.state_folder)
        with store.writing(wait_s=LOCK_WAIT_S):
            try:
                store.open()
                store.empty()
                is_sound = store.check() == "ok"
            except IndexDamagedError:
                is_sound = False
            if not is_sound:
                store.remove()
        store.close()
        self._store = None

    @cached_property
    def indexer(self) -> FileIndexer:
        """The in-process file indexer; its reads are counted by the refresh, as the workers' are."""
        from .file_indexer import FileIndexer
        from .null_telemetry import NullTelemetry

        files = FileSystemAdapter(
            self.segment, telemetry=NullTelemetry(), max_file_bytes=self.config.number("index.max_file_bytes")
        )
        return FileIndexer(files, self.counter, with_skeleton_size=self.telemetry.level == "full")

    def refresh(
        self,
        *,
        whole: bool = False,
        on_progress: Callable[[int, int], None] = lambda _done, _total: None,
        on_wait: Callable[[], None] = lambda: None,
    ) -> RefreshReport:
        """Bring index and pack up to date; an index found damaged on the way is rebuilt once."""
        try:
            return self._refresh(whole, on_progress, on_wait)
        except IndexDamagedError as error:
            self.rebuild_damaged(error)
            return self._refresh(True, on_progress, on_wait)

    def _refresh(
        self, whole: bool, on_progress: Callable[[int, int], None], on_wait: Callable[[], None]
    ) -> RefreshReport:
        look = None
        for _ in range(_LOOKS_MAX if self._host is not None and not whole else 0):
            look = self._host.look(self.settings_mark) if self._host is not None else None
            if look is None or look.unsaved is None:
                break
            if self._answer_from(look.unsaved):
                if look.is_unknown:
                    self._warn_of_missing(look)
                return RefreshReport(stale=look.unsaved.stale)  # whoever gave it has looked
        if look is not None and not look.is_pending:
            self._warn_of_missing(look)
        self._leave_unsaved()
        refresh = RefreshIndex(
            self.files,
            self.store,
            self._records_of,
            self.telemetry,
            self.clock,
            tells_each_parse=self.telemetry.level == "full",
        )
        if look is not None and self._is_known_clean(look.mark):
            report = RefreshReport()  # what a look would come to
        else:
            report = refresh(whole=whole, on_progress=on_progress, on_wait=on_wait)
        self._sync_pack(report)
        if self._host is not None and (whole or (look is not None and look.is_pending)):
            look = self._host.look(self.settings_mark)
            if look.unsaved is None or not self._answer_from(look.unsaved):
                self._warn_of_missing(look)
        return report

    def _warn_of_missing(self, look: HostLook) -> None:
        """Say that unsaved texts are not seen, if there may be any that this look gave no index of."""
        may_miss = look.is_unknown or look.is_pending or look.unsaved is not None
        if may_miss and UNSAVED_MISSING not in self.warnings:
            self.warn(UNSAVED_MISSING)

    def _is_known_clean(self, mark: str) -> bool:
        """Tell whether a mark that the warm host gave vouches for the index as it is stored now."""
        # Asked first and compared after: an index that was written in between is of another generation.
        return mark != "" and self.store.meta("generation") == mark and self.store.meta("complete") == "1"

    def _answer_from(self, unsaved: UnsavedIndex) -> bool:
        """Answer from an index with unsaved texts from now on; tell whether it is still there."""
        if self._unsaved_store is None or self._unsaved_store.path != unsaved.path:
            self._leave_unsaved()
            store = IndexStore(unsaved.path, makes=False)
            try:
                store.open()
            except CtxError:
                store.close()
                return False
            self._unsaved_store = store
        self._unsaved_index = unsaved
        return True

    def steadied(self, answer: Callable[[], _Made]) -> tuple[_Made, bool]:
        """Return an answer of one state of the files and unsaved texts, and whether it is that.

        An answer reads the index and texts one after the other, and asks servers that know the newest ones. When a text
        changed meanwhile it is made again, and when another process emptied the index; while somebody types without a
        pause the last one counts.
        """
        for number in range(1, _ANSWERS_MAX + 1):
            self._strays.clear()
            was_whole = self._is_whole()
            found = answer()
            was_emptied = was_whole and not self._is_whole()
            if not was_emptied and not self._strays and self._has_same_texts():
                return found, True
            if was_emptied:
                self._leave_own()  # opened again it is made ours, if it was emptied for other settings
            self._trees.forget()
            if number == _ANSWERS_MAX or self.refresh().stale:
                break
        return found, False

    def _is_whole(self) -> bool:
        return self.store.meta("complete") == "1"

    def _leave_own(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.close()

    def _note_read(self, os_path: OsPath, content_sha: str) -> None:
        if self.store.content_sha(os_path) not in ("", content_sha):
            self._strays.add(os_path)

    def _has_same_texts(self) -> bool:
        unsaved = self._unsaved_index
        if unsaved is None or unsaved.stale or self._host is None:
            return True  # or it is said already that something is missing
        return self._host.has_texts_of(unsaved.version, self.settings_mark)

    def _leave_unsaved(self) -> None:
        """Answer from the segment's own index and files from now on."""
        store, self._unsaved_store, self._unsaved_index = self._unsaved_store, None, None
        if store is not None:
            store.close()

    def _records_of(self, files: Sequence[tuple[bytes, int]]) -> Iterator[FileRecord]:
        from .parse_pool import ParsePool  # late: a search that finds nothing changed never gets here

        arguments = (
            self.segment,
            self.config.text("tokens.encoding"),
            str(self.config.number("index.max_file_bytes")),
            "1" if self.telemetry.level == "full" else "0",
        )
        pool = ParsePool(
            lambda: self.indexer,
            arguments,
            workers=self.config.number("index.workers"),
            max_file_bytes=self.config.number("index.max_file_bytes"),
            known_tokens=lambda paths: self.store.known_tokens(paths),  # noqa: PLW0108 - the store opens when asked
        )
        return pool.index(files)

    def _sync_pack(self, report: RefreshReport) -> PackState | None:
        stat = self.files.stat(os.fsencode(PACK_PATH))
        if not stat[0] and not self.store.meta(PACK_META):
            return None
        from ..application.context_pack import PackSync
        from ..domain.context_pack import PackMalformedError

        sync = PackSync(self.pack_files, self.store, self.counter, lambda: stat)
        try:
            state = sync(
                tree_changed=report.did_anything, paths_changed=bool(report.files_added or report.files_removed)
            )
        except PackMalformedError as error:
            self.warn(f"{error}; it is left out")
            return None
        except IndexBusyError:
            return None  # the process that writes takes the pack in, too
        if state is not None:
            written = datetime.fromtimestamp(state.mtime_ns / 1e9, UTC)
            self.telemetry.set_pack_state(state.sha, written.isoformat(timespec="seconds"), state.is_stale)
        return state

    def skeleton_of(self, path: str, source: bytes, language: str) -> SkeletonMap:
        """Return a file's skeleton through the cache, telling telemetry."""
        store = self.store
        if self._builder is None or self._builder[0] is not store:
            from .ast_lsp import SkeletonMapBuilder
            from .skeleton_store import IndexedSkeletons

            self._builder = store, SkeletonMapBuilder(self.telemetry, cache=IndexedSkeletons(store))
        return self._builder[1].parse(source, path, language)

    @cached_property
    def text_scanner(self) -> Re2Scanner | RipgrepScanner:
        """What reads and matches for a search by pattern."""
        from .text_scanner import scanner_of

        return scanner_of(self.files)

    @property
    def trees(self) -> SegmentTrees:
        """The names in the segment's files, as Tree-sitter reads them; new ones whenever the index changes."""
        return self._trees()

    def _make_trees(self) -> SegmentTrees:
        from ..application.unparsed_files import unparsed_files
        from .ast_lsp.segment_trees import SegmentTrees

        return SegmentTrees(self.files, unparsed=lambda: unparsed_files(self.store), on_read=self._note_read)

    def modules(self) -> ModuleMap:
        """Return the modules of what is indexed; the same ones until the index changes."""
        return self._modules()

    def _make_modules(self) -> ModuleMap:
        from ..application.module_index import module_map

        return module_map(self.store, self._text_of, segment_name=self.segment_name)

    def _index_state(self) -> tuple[str, ...]:
        """Return what differs between any two states of the index; a rebuilt one counts from 1 again."""
        return (self.store.path, *(self.store.meta(key) for key in ("generation", "as_of", PACK_META)))

    @cached_property
    def servers(self) -> AskedServers | None:
        """The language servers that questions about places go to, the warm host's if there is one; None without any.

        Own ones are started by the first question, or by `prepare_server`.
        """
        if not self.config.flag("lsp.enabled"):
            return None
        from .ast_lsp.asked_servers import AskedServers, LateServers

        if self._host is not None:
            servers = self._host.servers()
            return AskedServers(servers, self.telemetry, self.clock) if servers is not None else None
        self._own_servers = LateServers(self._make_servers)
        return AskedServers(self._own_servers, self.telemetry, self.clock)

    def _make_servers(self) -> OwnedServers:
        from .ast_lsp.language_servers import LanguageServerPool

        return LanguageServerPool(self.segment, self.config, self.telemetry, self.clock, is_host=False)

    def prepare_server(self, path: str) -> None:
        """Start the server that a question about a file is going to need, so that it warms up beside other work."""
        if self.servers is None:
            return
        from .languages import language_of

        if self._own_servers is not None:
            self._own_servers.prepare(language_of(path), path)
        elif self._host is not None:
            self._host.prepare(language_of(path), path)

    def resolve(self, *, asks_servers: bool = True) -> Resolve:
        """Return the use case behind `ctx resolve`."""
        from ..application.resolve import Resolve

        servers = self.servers if asks_servers else None
        return Resolve(
            self.store,
            self.files,
            self.trees,
            self.clock,
            self.modules,
            deadline_s=self.config.number("resolve.deadline_ms") / 1000,
            servers=servers,
            redact=self.redactor,
        )

    def refs(self, *, asks_servers: bool = True) -> FindReferences:
        """Return the use case behind `ctx refs`."""
        from ..application.refs import FindReferences

        trees = self.trees
        resolve = self.resolve(asks_servers=asks_servers)
        return FindReferences(resolve, self.store, trees.source, trees.parse, self.counter, self.clock)

    def hover(self, *, asks_servers: bool = True) -> Hover:
        """Return the use case behind `ctx hover`."""
        from ..application.hover import Hover

        refs = self.refs(asks_servers=asks_servers)
        return Hover(refs.resolve, refs, self.get(), self.trees.source)

    def watch_index(
        self,
        watcher: FileWatcher | None = None,
        *,
        on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> WatchIndex:
        """Return the use case behind `ctx index --watch`; without a watcher it gets the system's."""
        from ..application.watch_index import WatchIndex

        if watcher is None:
            from .file_watcher import NotifyWatcher

            watcher = self._watcher = self._watcher or NotifyWatcher(self.root)
        return WatchIndex(lambda: self.refresh_again(on_progress), lambda: self.store, watcher, self.clock)

    def refresh_again(self, on_progress: Callable[[int, int], None] = lambda _done, _total: None) -> RefreshReport:
        """Refresh in a process that lives on; an index file that was deleted or replaced meanwhile is opened anew."""
        found = _identity(self.index_path)
        if found is None:
            self.files.resolve_inside(".")  # raises when the whole segment is gone, and says so
        if self._store is not None and (found is None or found != self._index_file):
            # `git clean -dfx` takes _ctx/ away and would leave us writing to a file that nobody else can open.
            self._store.close()
            self._store = None
            _state_folder(self.segment)
        report = self.refresh(on_progress=on_progress)
        self._index_file = _identity(self.index_path)
        return report

    def get(self) -> Get:
        """Return the use case behind `ctx get`."""
        from ..application.get import Get

        return Get(self.files, self.pack_files, self.store, self.counter, self.skeleton_of, self.redactor)

    def search(self, request: SearchRequest) -> tuple[SearchAnswer, list[str] | None]:
        """Answer a checked request of `ctx search`; the files that were favoured beside it, None when none was named.

        Raises: OutsideSegmentError, NotFoundError or UsageError for a `focus` that is no indexed file.
        """
        from ..application.search import search

        nearness = self.nearness(request.focus)
        answer = search(
            request,
            self.store,
            self.telemetry,
            self.clock,
            nearness=nearness,
            redact=self.redactor,
            count=self.count_tokens,
        )
        return answer, [path for path, near in nearness.items() if near == 1.0] if request.focus else None

    def text_search(self, request: TextSearchRequest) -> TextSearchAnswer:
        """Answer a checked request of `ctx search --regex` or `--literal`."""
        from ..application.text_search import text_search

        return text_search(
            request,
            self.store,
            self.text_scanner,
            counter=self.counter,
            telemetry=self.telemetry,
            clock=self.clock,
            redact=self.redactor,
        )

    def repo_mapper(self) -> RepoMapper:
        """Return the use case behind `ctx map`."""
        from ..application.repo_map import RepoMapper

        return RepoMapper(
            self.files,
            self.store,
            self.counter,
            self.telemetry,
            self.clock,
            self._text_of,
            self.modules,
            redact=self.redactor,
        )

    def nearness(self, typed: Sequence[str]) -> dict[str, float]:
        """Return how near files are to the ones that `--focus` names (see `application.focus`).

        Raises: OutsideSegmentError, NotFoundError or UsageError for what is no indexed file.
        """
        if not typed:
            return {}
        from ..application.focus import focus_files, nearness

        known = {path for path, _language, _sha, _tokens in self.store.files()}
        return nearness(focus_files(typed, known, self.files), self.store, self.modules)

    def _text_of(self, path: str) -> str | None:
        """Return an indexed file's text by its printed path, None when it cannot be read any more."""
        source = self.files.read_source(os_path_of(path))
        return source.text if isinstance(source, SourceText) else None


class _SeenTexts:
    """The unsaved texts that services answer from, as `UnsavedFiles` reads them."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @property
    def files(self) -> Mapping[OsPath, tuple[int, int]]:
        unsaved = self._services._unsaved_index
        return unsaved.files if unsaved is not None else _NO_TEXTS

    def data(self, os_path: OsPath) -> bytes | None:
        host = self._services._host
        return host.unsaved_data(os_path) if host is not None else None


class _PerState(Generic[_Made]):
    """Something made from the index and kept while the index is what it was: a process may answer many questions."""

    def __init__(self, state: Callable[[], tuple[str, ...]], make: Callable[[], _Made]) -> None:
        self._state = state
        self._make = make
        self._kept: tuple[tuple[str, ...], _Made] | None = None

    def __call__(self) -> _Made:
        state = self._state()
        if self._kept is None or self._kept[0] != state:
            self._kept = (state, self._make())
        return self._kept[1]

    def forget(self) -> None:
        """Make another one at the next call."""
        self._kept = None


def _identity(path: str) -> tuple[int, int] | None:
    """Return what tells a file from another one of the same path; None when there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _state_folder(segment: str) -> tuple[str, bool]:
    """Return where index and telemetry go, and whether that is outside the segment because it cannot be written.

    The folder is made here: what the first walk sees is then what every later look sees.
    """
    try:
        folder = make_ctx_folder(segment)
        if os.access(folder, os.W_OK | os.X_OK):
            return folder, False
    except OSError:
        pass
    return cache_folder(segment), True


def say(text: str) -> None:
    """Write one line for the person to standard error; a closed one is no reason to fail."""
    try:
        # Messages quote names out of files.
        sys.stderr.write(f"ctx: {without_controls(text) if sys.stderr.isatty() else text}\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        pass
