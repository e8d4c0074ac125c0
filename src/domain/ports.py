"""The outside things the use cases need, as protocols; adapters live in infrastructure, fakes in tests/fakes.py."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from .chunks import ChunkId
    from .index_records import FileRecord, IndexFacts
    from .ranking import Candidate, FieldWeights
    from .source_files import Changes, FileStat, FileView, Walk


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

    def timed(self, cmd: str, args: dict[str, Any], **extra: Any) -> AbstractContextManager[Any]:
        """Time a block and emit its event when it ends, also when it raises."""
        ...


class TokenCounter(Protocol):
    """Counts tokens with one named encoding, without a network."""

    encoding: str

    def count(self, text: str) -> int:
        """Return the number of tokens of `text`; 0 for an empty text."""
        ...


class SegmentFiles(Protocol):
    """The files of one segment, as far as keeping an index of them needs."""

    def walk(self) -> Walk:
        """Return every file worth looking at, every directory visited, and what was skipped with its reason."""
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


class RecordMaker(Protocol):
    """Turns files into index records, on as many cores as it likes, in any order."""

    def index(self, files: Sequence[tuple[bytes, int]]) -> Iterator[FileRecord]:
        """Yield one record for each (path, size in bytes)."""
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
    def ids_named(self, qualname: str, digest: str) -> list[ChunkId]: ...
    def skipped(self) -> list[tuple[str, str]]: ...
    def partial(self) -> list[tuple[str, str]]: ...
    def paths_like(self, tail: str, limit: int) -> list[str]: ...
    def facts(self) -> IndexFacts: ...
    def file_count(self) -> int: ...
    def check(self) -> str: ...
