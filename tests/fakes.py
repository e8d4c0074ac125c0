"""Small real classes that stand in for outside things; `Manual…` is moved by the test, by nothing else."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from ctx.application.refresh_index import RefreshIndex, RefreshReport
from ctx.domain.language_server import NO_SERVER
from ctx.infrastructure.file_indexer import FileIndexer
from ctx.infrastructure.file_system import FileSystemAdapter
from ctx.infrastructure.index_store import IndexStore
from ctx.infrastructure.warm_host import HostLook

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ctx.domain.index_records import FileRecord
    from ctx.domain.language_server import ServerQuestion, ServerReply


class ManualClock:
    """A clock that stands still until told: `advance_ns` moves time, `set_wall` steps only the wall clock."""

    def __init__(self, now: datetime = datetime(2025, 12, 29, 22, 6, 52, 60304, tzinfo=UTC)) -> None:
        self._now = now
        self._perf_ns = 1_000

    def perf_counter_ns(self) -> int:
        return self._perf_ns

    def now(self) -> datetime:
        return self._now

    def advance_ns(self, elapsed_ns: int) -> None:
        """Let time pass on both clocks."""
        self._perf_ns += elapsed_ns
        self._now += timedelta(microseconds=elapsed_ns / 1000)

    def set_wall(self, now: datetime) -> None:
        """Step the wall clock, as NTP or a user does; intervals must not notice."""
        self._now = now


class Event(NamedTuple):
    """One event as a use case gave it."""

    cmd: str
    args: dict[str, Any]
    result: dict[str, Any]
    timing_ms: int
    extra: dict[str, Any]


class RecordingTelemetry:
    """Keeps events, counters and samples."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.counters: dict[str, int] = {}
        self.samples: list[tuple[str, float]] = []

    def event(
        self,
        cmd: str,
        args: dict[str, Any],
        result: dict[str, Any],
        timing_ms: int,
        warnings: list[str] | None = None,
        **extra_fields: Any,
    ) -> None:
        self.events.append(Event(cmd, args, result, timing_ms, extra_fields))

    def observe(self, cmd: str, ms: float) -> None:
        self.samples.append((cmd, ms))

    def incr(self, name: str, n: int = 1) -> None:
        self.counters[name] = self.counters.get(name, 0) + n

    def named(self, cmd: str) -> list[Event]:
        """Return the events of one command."""
        return [event for event in self.events if event.cmd == cmd]


class WordCounter:
    """A tokenizer whose every word is one token: what a budget lets through can be counted by eye."""

    encoding = "words"

    def count(self, text: str) -> int:
        return len(text.split())


class ScriptedReplies:
    """Language servers that answer by method (`definition=…`) what the test wrote down, and remember every question.

    A method without a reply has no server. With a clock, who takes a reply waits until it is `elapsed_ns` old.
    """

    def __init__(self, *, clock: ManualClock | None = None, **replies: ServerReply) -> None:
        self.questions: list[ServerQuestion] = []
        self._replies = replies
        self._clock = clock

    def ask(self, question: ServerQuestion) -> ScriptedReply:
        """Remember the question."""
        self.questions.append(question)
        return ScriptedReply(self._replies.get(question.method, NO_SERVER), self._clock)


class ServersOnly:
    """A `WarmHost` that has language servers and knows nothing else."""

    def __init__(self, servers: ScriptedReplies) -> None:
        self._servers = servers

    def look(self, _settings_mark: str) -> HostLook:
        """Know nothing."""
        return HostLook()

    def has_texts_of(self, _version: int, _settings_mark: str) -> bool:
        """Have none that could be others."""
        return True

    def unsaved_data(self, _os_path: bytes) -> bytes | None:
        """Have no text."""
        return None

    def renew_unsaved(self) -> None:
        """Have nothing to renew."""

    def servers(self) -> ScriptedReplies:
        """Return the servers."""
        return self._servers

    def prepare(self, _language: str, _path: str) -> None:
        """Start nothing."""

    def close(self) -> None:
        """Hold nothing."""


class ScriptedReply:
    """A reply that comes when its time is over."""

    def __init__(self, reply: ServerReply, clock: ManualClock | None) -> None:
        self._reply = reply
        self._clock = clock
        self._due_ns = clock.perf_counter_ns() + reply.elapsed_ns if clock is not None else 0

    def result(self) -> ServerReply:
        """Let the time pass that is left."""
        if self._clock is not None:
            self._clock.advance_ns(max(self._due_ns - self._clock.perf_counter_ns(), 0))
        return self._reply

    def is_there(self) -> bool:
        """Tell whether its time is over."""
        return self._clock is None or self._clock.perf_counter_ns() >= self._due_ns


class InProcessRecords:
    """Makes records with the real indexer, in the order given, and remembers which files were read."""

    def __init__(self, indexer: FileIndexer) -> None:
        self._indexer = indexer
        self.read: list[str] = []

    def __call__(self, files: Sequence[tuple[bytes, int]]) -> Iterator[FileRecord]:
        for os_path, _size_bytes in files:
            self.read.append(os.fsdecode(os_path))
            yield self._indexer.index(os_path)


class SegmentOnDisk:
    """A real directory whose file times are moved by hand: two edits never fall into one tick of the disk's clock."""

    def __init__(self, root: Path, index_path: Path) -> None:
        self.root = root
        self.telemetry = RecordingTelemetry()
        self.clock = ManualClock()
        self.files = FileSystemAdapter(str(root), telemetry=self.telemetry)
        self.records = InProcessRecords(FileIndexer(self.files, WordCounter()))
        self.store = IndexStore(str(index_path))
        self._mtime_ns = 1_700_000_000_000_000_000

    def __enter__(self) -> SegmentOnDisk:
        self.store.open()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.store.close()

    def put(self, path: str, content: str | bytes) -> Path:
        """Write a file, and the directories it needs."""
        full = self.root / path
        for folder in reversed(full.relative_to(self.root).parents):
            if not (self.root / folder).is_dir():
                (self.root / folder).mkdir()
                self._stamp(self.root / folder, self.root / folder.parent)
        is_new = not full.exists()
        full.write_bytes(content.encode() if isinstance(content, str) else content)
        self._stamp(full, *([full.parent] if is_new else []))
        return full

    def touch(self, path: str) -> None:
        """Give a file a new time and leave its content."""
        self._stamp(self.root / path)

    def delete(self, path: str) -> None:
        """Delete a file, or a directory with everything in it."""
        full = self.root / path
        if full.is_dir() and not full.is_symlink():
            shutil.rmtree(full)
        else:
            full.unlink()
        self._stamp(full.parent)

    def rename(self, old: str, new: str) -> None:
        """Rename within existing directories; file times stay, as they do on every disk."""
        (self.root / old).rename(self.root / new)
        self._stamp((self.root / old).parent, (self.root / new).parent)

    def refresh(self, **options: Any) -> RefreshReport:
        """Bring the index up to date."""
        use_case = RefreshIndex(self.files, self.store, self.records, self.telemetry, self.clock)
        return use_case(**options)

    def _stamp(self, *paths: Path) -> None:
        for path in paths:
            self._mtime_ns += 1_000_000
            os.utime(path, ns=(self._mtime_ns, self._mtime_ns))
