"""Bring the index up to date with the segment: look, read what changed, store it; all or nothing per commit.

Owns the order of things: a look without the lock, the lock, a second look, then batches. A first build and an
update are the same code; what differs is how much the look finds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..domain.errors import IndexBusyError
from ..domain.index_records import PACK_PREFIX
from ..domain.source_files import Walk, display_path
from .unparsed_files import failed_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..domain.index_records import FileRecord
    from ..domain.ports import Clock, IndexPort, SegmentFiles, TelemetryPort
    from ..domain.source_files import FileStat

COMMIT_BYTES = 96 * 1024 * 1024
"""A build commits each time it has read this much: a killed one goes on from there."""
BULK_FILES_MIN = 200
PASSING_REASON = "not readable"
"""Why a file may have been skipped that can be over although the file is what it was: permission given back."""
_WALKED = "walked"
"""The meta key of what a walk found out beside files and directories: a time and, in hexadecimal, its repositories."""
WAIT_FIRST_BUILD_S = 60.0
WAIT_UPDATE_S = 2.0


@dataclass(frozen=True, slots=True)
class RefreshReport:
    """What a refresh did; `stale` are paths that changed or went and could not be stored because another writes."""

    files_added: int = 0
    files_changed: int = 0
    files_removed: int = 0
    files_skipped: int = 0
    chunks: int = 0
    read_bytes: int = 0
    walked: bool = False
    stale: tuple[str, ...] = ()

    @property
    def did_anything(self) -> bool:
        """Whether the stored content changed."""
        return bool(self.files_added or self.files_changed or self.files_removed)


@dataclass(slots=True)
class _Plan:
    """What the look found to do."""

    to_read: list[tuple[bytes, int]] = field(default_factory=list)
    gone: list[bytes] = field(default_factory=list)
    walk: Walk | None = None
    known: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    failed: frozenset[str] = frozenset()

    @property
    def is_empty(self) -> bool:
        return not self.to_read and not self.gone and self.walk is None


@dataclass(frozen=True, slots=True)
class RefreshIndex:
    """The use case; `records` turns (path, size in bytes) pairs into index records, in any order, on any cores."""

    files: SegmentFiles
    index: IndexPort
    records: Callable[[Sequence[tuple[bytes, int]]], Iterator[FileRecord]]
    telemetry: TelemetryPort
    clock: Clock
    tells_each_parse: bool = False

    def __call__(
        self,
        *,
        whole: bool = False,
        on_progress: Callable[[int, int], None] = lambda _done, _total: None,
        on_wait: Callable[[], None] = lambda: None,
    ) -> RefreshReport:
        """Refresh and return what was done; `whole` walks the tree whatever the look says.

        Raises: IndexBusyError only when there is no committed state to answer from.
        """
        started_ns = self.clock.perf_counter_ns()
        is_complete = self.index.meta("complete") == "1"
        generation = self.index.meta("generation")
        plan = self._look(whole=whole or not is_complete)
        if plan.is_empty:
            return RefreshReport()
        wait_s = WAIT_UPDATE_S if is_complete and not whole else WAIT_FIRST_BUILD_S
        try:
            with self.index.writing(wait_s=wait_s, on_wait=on_wait):
                if self.index.meta("generation") != generation:
                    # Another process wrote in the meantime, perhaps the very same things.
                    plan = self._look(whole=whole or self.index.meta("complete") != "1")
                report = self._store(plan, on_progress)
        except IndexBusyError:
            if not is_complete:
                raise
            stale = [*(path for path, _size in plan.to_read), *plan.gone]
            return RefreshReport(stale=tuple(display_path(path) for path in stale[:100]))
        self._tell(report, self.clock.perf_counter_ns() - started_ns)
        return report

    def _look(self, *, whole: bool) -> _Plan:
        stats = [stat for stat in self.index.stats() if not stat[0].startswith(PACK_PREFIX)]
        walk: Walk | None = None
        if not whole:
            directories = self.index.directories()
            changes = self.files.probe(stats, directories)
            if changes.is_empty:
                return _Plan()
            if not changes.touched_directories:
                sizes = {path: size for path, size, _mtime in stats}
                changed = [(path, sizes[path]) for path in changes.changed]
                return _Plan(
                    to_read=changed + [(path, size) for path, size, _mtime in changes.added],
                    gone=list(changes.removed),
                    known={path: (size, mtime) for path, size, mtime in stats},
                )
            walk = self.files.walk_touched(self._walk_before(stats, directories), changes)
        walk = walk or self.files.walk()
        known = {path: (size, mtime) for path, size, mtime in stats}
        present = {path for path, _size, _mtime in walk.files}
        retried = {path for path, reason in self.index.skipped() if reason.startswith(PASSING_REASON)}
        # A parser may have had no time on a busy machine. Only who asks for a look at every file waits for it again.
        failed = frozenset(failed_files(self.index) if whole else ())
        retried |= failed
        return _Plan(
            to_read=[
                (path, size)
                for path, size, mtime in walk.files
                if known.get(path) != (size, mtime) or (retried and display_path(path) in retried)
            ],
            gone=[path for path in known if path not in present],
            walk=walk,
            known=known,
            failed=failed,
        )

    def _walk_before(self, stats: Sequence[FileStat], directories: Sequence[tuple[bytes, int]]) -> Walk:
        """Return the latest walk as it was stored, but for what it skipped."""
        latest_ns, *repositories = self.index.meta(_WALKED).split("\n")
        return Walk(
            tuple(stats),
            tuple(directories),
            (),
            tuple(bytes.fromhex(path) for path in repositories),
            int(latest_ns or 0),
        )

    def _store(self, plan: _Plan, on_progress: Callable[[int, int], None]) -> RefreshReport:
        total = len(plan.to_read)
        counts = _Counts()
        maker = self.records(plan.to_read)
        is_bulk = total >= BULK_FILES_MIN
        done = 0
        is_last = False
        while not is_last:
            batch_bytes = 0
            with self.index.transaction(bulk=is_bulk):
                if done == 0:
                    for path in plan.gone:
                        self.index.drop(path)
                    counts.removed = len(plan.gone)
                is_last = True
                for record in maker:
                    self._put(record, plan, counts)
                    done += 1
                    on_progress(done, total)
                    batch_bytes += record.size_bytes
                    if batch_bytes >= COMMIT_BYTES:
                        is_last = False
                        break
                if is_last:
                    self._finish(plan)
                self.index.set_meta("generation", str(int(self.index.meta("generation") or 0) + 1))
        return counts.report(walked=plan.walk is not None)

    def _put(self, record: FileRecord, plan: _Plan, counts: _Counts) -> None:
        is_known = record.os_path in plan.known
        counts.read_bytes += record.read_bytes
        self.telemetry.incr("index_read_bytes_total", record.read_bytes)
        is_parsed_at_last = record.path in plan.failed and record.status != "failed"
        if (
            is_known
            and record.status != "skipped"
            and not is_parsed_at_last
            and self.index.content_sha(record.os_path) == record.content_sha
        ):
            self.index.touch((record.os_path, record.size_bytes, record.mtime_ns))
            self.telemetry.incr("ast_cache_hit_count")
            return
        if record.parse_ns:
            self._tell_parse(record)
        self.index.put(record)
        counts.chunks += len(record.chunks)
        if record.status == "skipped":
            counts.skipped += 1
        elif is_known:
            counts.changed += 1
        else:
            counts.added += 1

    def _finish(self, plan: _Plan) -> None:
        if plan.walk is not None:
            self.index.set_directories(plan.walk.directories)
            repositories = [path.hex() for path in plan.walk.repositories]
            self.index.set_meta(_WALKED, "\n".join([str(plan.walk.latest_ns), *repositories]))
            self._note_unread(plan.walk)
        self.index.set_meta("complete", "1")
        self.index.set_meta("as_of", self.clock.now().isoformat(timespec="milliseconds"))

    def _note_unread(self, walk: Walk) -> None:
        import json

        shown = [(display_path(path), reason) for path, reason in walk.skipped]
        if walk.listed is not None:
            listed = {display_path(path) for path in walk.listed}
            there = {display_path(path) for path, _mtime_ns in walk.directories} - listed
            before = json.loads(self.index.meta("not_read") or "[]")
            shown += [(path, reason) for path, reason in before if path.rpartition("/")[0] in there]
        self.index.set_meta("not_read", json.dumps(sorted(shown)[:1000]))

    def _tell_parse(self, record: FileRecord) -> None:
        if self.tells_each_parse:
            ratio = round(record.skeleton_bytes / record.size_bytes, 4) if record.size_bytes else None
            self.telemetry.event(
                "ast.parse",
                {"file": record.path},
                {"functions": record.functions, "classes": record.classes, "status": record.status},
                record.parse_ns // 1_000_000,
                duration_ns=record.parse_ns,
                language=record.language,
                skeleton_bytes=record.skeleton_bytes,
                reduction_ratio=ratio,
            )
            self.telemetry.event("ast.cache", {"file": record.path}, {}, 0, cache_hit=False, prev_sha=None)
        else:
            self.telemetry.incr("ast_parse_count")
            self.telemetry.incr("ast_cache_miss_count")
            self.telemetry.observe("ast.parse", record.parse_ns / 1e6)

    def _tell(self, report: RefreshReport, duration_ns: int) -> None:
        self.telemetry.event(
            "index.update",
            {},
            {
                "files_added": report.files_added,
                "files_changed": report.files_changed,
                "files_removed": report.files_removed,
                "files_skipped": report.files_skipped,
                "chunks": report.chunks,
                "status": "ok",
            },
            duration_ns // 1_000_000,
            duration_ns=duration_ns,
            index_read_bytes=report.read_bytes,
            walked=report.walked,
        )


@dataclass(slots=True)
class _Counts:
    added: int = 0
    changed: int = 0
    removed: int = 0
    skipped: int = 0
    chunks: int = 0
    read_bytes: int = 0

    def report(self, *, walked: bool) -> RefreshReport:
        return RefreshReport(self.added, self.changed, self.removed, self.skipped, self.chunks, self.read_bytes, walked)
