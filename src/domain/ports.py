"""The outside things the use cases need, as protocols; adapters live in infrastructure, fakes in tests/fakes.py."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from .chunk_ids import ChunkId
    from .evaluation import Commit, FileChange, LineRun
    from .file_events import FileEvents
    from .index_records import DefinitionRow, FileRecord, ImportRow, IndexFacts, StoredDefinition
    from .language_server import ServerQuestion, ServerReply
    from .ranking import Candidate, FieldWeights
    from .source_files import Changes, FileStat, FileView, Walk
    from .telemetry.report_tally import ReportTally
    from .telemetry.selection import RecentRuns, Selection
    from .text_match import LineMatch, TextFile, TextPattern


class Clock(Protocol):
    """Two clocks that must never be mixed: one for intervals, one for dates."""

    def perf_counter_ns(self) -> int:
        """Return a monotonic reading in nanoseconds; only differences mean anything."""
        ...

    def now(self) -> datetime:
        """Return the wall-clock time as an aware UTC datetime; never subtract two of them."""
        ...


class TelemetryPort(Protocol):
    """What a use case may say about itself; `ctx.infrastructure.telemetry.Telemetry` is the adapter."""

    def event(
        self,
        cmd: str,
        args: dict[str, Any],
        result: dict[str, Any],
        timing_ms: int,
        warnings: list[str] | None = None,
        **extra_fields: Any,
    ) -> None:
        """Write one event and add one latency sample for `cmd`."""
        ...

    def observe(self, cmd: str, ms: float) -> None:
        """Add one latency sample, in milliseconds, for work that has no event."""
        ...

    def incr(self, name: str, n: int = 1) -> None:
        """Add `n` to the counter `name`."""
        ...


class RecordedEvents(Protocol):
    """The telemetry of some segments, to be read; `ctx.infrastructure.event_scan.EventScan` is the adapter."""

    def recent_runs(
        self, recent: RecentRuns, since_us: int | None, on_progress: Callable[[int, int], None]
    ) -> RecentRuns:
        """Return what `recent` comes to when every run that was active since then is shown to it."""
        ...

    def tally(self, now_us: int, selection: Selection, on_progress: Callable[[int, int], None]) -> ReportTally:
        """Return the counts of all events; progress is (done, all) in bytes."""
        ...

    def counters(self) -> dict[str, int] | None:
        """Return the sums of the counters of all runs; None when nothing keeps any."""
        ...

    def redact(self, text: str) -> str:
        """Return a text of an event without anything that must not be shown."""
        ...


class TokenCounter(Protocol):
    """Counts tokens with one named encoding, without a network."""

    encoding: str

    def count(self, text: str) -> int:
        """Return the number of tokens of `text`; 0 for an empty text."""
        ...


class SecretRedactor(Protocol):
    """Marks secrets in source text that is shown; `ctx.infrastructure.secrets.SourceRedactor` is the adapter."""

    def __call__(self, text: str) -> str:
        """Return the text with `[REDACTED:<kind>]` in place of each secret, as many lines as before."""
        ...

    def line(self, text: str) -> str:
        """Return a line, or what stands around a place in one, that is shown without the lines around it."""
        ...


class SegmentFiles(Protocol):
    """The files of one segment, as far as keeping an index of them needs."""

    def walk(self) -> Walk:
        """Return every file worth looking at, every directory visited, and what was skipped with its reason."""
        ...

    def walk_touched(self, before: Walk, changes: Changes) -> Walk | None:
        """Return what `walk` would by listing touched directories only; None when that takes a whole walk."""
        ...

    def probe(self, files: Iterable[FileStat], directories: Iterable[tuple[bytes, int]]) -> Changes:
        """Compare what is known with what is there now, reading nothing."""
        ...

    def read_file_at_mode(self, path: str, mode: str, select: Callable[[str], str] | None = None) -> FileView:
        """Read a file and hand on the part that `select` makes of its text; counted and told as a `file.read`."""
        ...

    def resolve_inside(self, path: str) -> bytes:
        """Return the segment-relative OS path of what a person typed; raises when it leads outside."""
        ...


class IndexPort(Protocol):
    """The stored index; `ctx.infrastructure.index_store.IndexStore` is the adapter and says what each call does."""

    def writing(self, *, wait_s: float, on_wait: Callable[[], None] = ...) -> AbstractContextManager[None]: ...
    def transaction(self, *, bulk: bool = False) -> AbstractContextManager[None]: ...
    def put(self, record: FileRecord) -> None: ...
    def touch(self, stat: FileStat) -> None: ...
    def drop(self, os_path: bytes) -> None: ...
    def set_directories(self, directories: Iterable[tuple[bytes, int]]) -> None: ...
    def set_meta(self, key: str, value: str) -> None: ...
    def meta(self, key: str) -> str: ...
    def stats(self) -> list[FileStat]: ...
    def directories(self) -> list[tuple[bytes, int]]: ...
    def content_sha(self, os_path: bytes) -> str: ...
    def candidates(
        self, match: str, weights: FieldWeights, limit: int, where: str = "", arguments: Sequence[Any] = ()
    ) -> list[Candidate]: ...
    def by_name(self, name: str, limit: int, where: str = "1", arguments: Sequence[Any] = ()) -> list[Candidate]: ...
    def names_like(self, patterns: Sequence[str], limit: int) -> list[str]: ...
    def count_matches(self, match: str, at_most: int = -1) -> int: ...
    def file(self, path: str) -> FileRecord | None: ...
    def files(self) -> Iterator[tuple[str, str, str, int]]: ...
    def text_files(self, where: str = "", arguments: Sequence[Any] = ()) -> list[TextFile]: ...
    def ids_named(self, qualname: str, digest: str) -> list[ChunkId]: ...
    def skipped(self) -> list[tuple[str, str]]: ...
    def partial(self) -> list[tuple[str, str]]: ...
    def definitions_named(self, name: str, limit: int) -> list[StoredDefinition]: ...
    def definitions_starting(self, prefix: str, limit: int) -> list[StoredDefinition]: ...
    def definitions_of(self, path: str) -> list[DefinitionRow]: ...
    def definitions(self) -> Iterator[StoredDefinition]: ...
    def imports_of(self, path: str) -> list[ImportRow]: ...
    def imports(self) -> list[tuple[str, str, int, str]]: ...
    def are_imported(self, names: Iterable[str]) -> set[str]: ...
    def words_used(self) -> list[tuple[str, bytes | None]]: ...
    def put_words_used(self, packed_by_path: Iterable[tuple[str, bytes]]) -> None: ...
    def cached(self, key: str) -> bytes | None: ...
    def put_cached(self, key: str, payload: bytes, *, keep: int = 512) -> None: ...
    def has_folder(self, path: str) -> bool: ...
    def kinds(self) -> list[str]: ...
    def facts(self) -> IndexFacts: ...
    def file_count(self) -> int: ...
    def check(self) -> str: ...


class CommitHistory(Protocol):
    """The commits of the segment's repository, read only; `ctx.infrastructure.git_history.GitHistory` is the adapter.

    Every method raises CtxError when the repository cannot be read.
    """

    is_shallow: bool

    def commits(self, since: str, until: str, limit: int) -> list[Commit]:
        """Return the commits from `until` ("": what is checked out) back to `since` (excluded), the newest first."""
        ...

    def changes(self, shas: Sequence[str]) -> Iterator[tuple[FileChange, ...]]:
        """Yield what each commit changed against its one parent inside the segment, in the order given."""
        ...

    def line_runs(self, parent: str, sha: str, os_path: bytes) -> tuple[LineRun, ...]:
        """Return which lines of the parent's side of a file the commit replaces."""
        ...

    def blob(self, oid: str, max_bytes: int) -> bytes | None:
        """Return a file's content by its object id; None when it is larger or not in the repository."""
        ...


class TextScanner(Protocol):
    """Looks through the text of files as it is on disk now."""

    def scan(
        self, pattern: TextPattern, files: Sequence[TextFile], left_s: Callable[[], float]
    ) -> Iterator[tuple[TextFile, LineMatch]]:
        """Yield the first match of every matching line, file by file in the order given, while `left_s()` is above 0.

        Files that are gone or unreadable have no matches. Raises: UsageError for a pattern too large for the engine.
        """
        ...


class FileWatcher(Protocol):
    """Tells when something in a set of folders changes."""

    def watch(self, folders: Iterable[bytes]) -> str:
        """Watch these folders (segment-relative, not what is below them) in place of those before.

        Returns a note when changes can only be found by looking now and then, else "".
        """
        ...

    def wait(self, timeout_s: float) -> FileEvents:
        """Wait for changes, for no longer than the timeout; what came since the last call counts."""
        ...


class PendingReply(Protocol):
    """A question that was asked of a language server."""

    def result(self) -> ServerReply:
        """Wait until it is answered or its deadline has passed, and return what came of it; never raises.

        The deadline counts from when it was asked. A reply that is already there when this is called counts, however
        late it came.
        """
        ...

    def is_there(self) -> bool:
        """Tell whether there is a reply, so that `result` would not wait."""
        ...


class LanguageServers(Protocol):
    """The language servers of one segment."""

    def ask(self, question: ServerQuestion) -> PendingReply:
        """Ask and return at once; the answer is worked on while the caller does something else."""
        ...
