"""Indexing many files on all cores: a pool of parsing processes that never outlives, hangs or fails the command.

Each worker holds a few paths at a time. A worker that dies on a file (a crash in a grammar) or takes longer than the
limit is replaced; the file it held first is recorded as skipped with the reason, the rest are given out again.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import selectors
import subprocess
import sys
import time
from collections import deque
from typing import TYPE_CHECKING

from ..domain.errors import CtxError
from .parse_worker import HELLO, LENGTH, record_of, write_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..domain.index_records import FileRecord
    from .file_indexer import FileIndexer

BATCH_BYTES = 256 * 1024
BATCH_FILES_MAX = 32
BATCH_PATH_BYTES_MAX = 16 * 1024
"""What is handed out has to fit into a pipe (64 KiB) unread: a worker that writes a record does not read paths."""
IN_PROCESS_BYTES_MAX = 1_500_000
"""Below this, one process is done before workers have started (each takes ~0.1 s to import)."""
FILE_LIMIT_S = 30.0
"""The parser has its own deadline; this one is for what hangs inside a library and cannot be asked to stop."""


class ParsePool:
    """Turns paths into records, in any order."""

    def __init__(
        self,
        indexer: Callable[[], FileIndexer],
        worker_arguments: Sequence[str],
        *,
        workers: int = 0,
        file_limit_s: float = FILE_LIMIT_S,
        worker_command: Sequence[str] = (sys.executable, "-P", "-m", "ctx.infrastructure.parse_worker"),
    ) -> None:
        """Take a maker of the in-process indexer and a worker's arguments; 0 workers means one per usable core."""
        self._indexer = indexer
        self._command = [*worker_command, *worker_arguments]
        self._workers = workers or usable_cores()
        self._file_limit_s = file_limit_s

    def index(self, files: Sequence[tuple[bytes, int]]) -> Iterator[FileRecord]:
        """Yield one record for each (path, size in bytes)."""
        if sum(size for _path, size in files) <= IN_PROCESS_BYTES_MAX and len(files) <= 400:
            for path, _size in files:
                yield self._indexer().index(path)
            return
        skipped = self._indexer().skipped
        yield from _Run(self._command, self._workers, self._file_limit_s, files, skipped).records()


def usable_cores() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Worker:
    """One child process, its pipes and the paths it holds."""

    def __init__(self, command: Sequence[str]) -> None:
        # A group of its own: a terminal's Ctrl-C is the parent's to handle, which then ends its workers.
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, process_group=0
        )
        assert self.process.stdout is not None
        assert self.process.stdin is not None
        self.fd = self.process.stdout.fileno()
        self.held: deque[bytes] = deque()
        self.latest_batch = 0
        self.silent_ns = 0
        self.buffer = bytearray()
        self.has_started = False

    def give(self, paths: Sequence[bytes]) -> None:
        self.held.extend(paths)
        self.latest_batch = len(paths)
        with contextlib.suppress(BrokenPipeError):  # its death is noticed at the other pipe
            write_frame(self.process.stdin, list(paths))  # type: ignore[arg-type]  # raw pipe: write() is whole

    def frames(self) -> Iterator[FileRecord]:
        """Yield the records that have arrived whole."""
        at = 0
        while len(self.buffer) - at >= LENGTH.size:
            (length,) = LENGTH.unpack_from(self.buffer, at)
            end = at + LENGTH.size + length
            if len(self.buffer) < end:
                break
            values = marshal.loads(self.buffer[at + LENGTH.size : end])  # noqa: S302 - from our own child's pipe
            at = end
            if values == HELLO:
                self.has_started = True
                continue
            self.held.popleft()
            self.silent_ns = 0
            yield record_of(values)
        del self.buffer[:at]

    def end(self, *, kill: bool) -> None:
        assert self.process.stdout is not None
        assert self.process.stdin is not None
        if kill:
            self.process.kill()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


class _Run:
    """One pass over a list of files."""

    def __init__(
        self,
        command: Sequence[str],
        workers: int,
        file_limit_s: float,
        files: Sequence[tuple[bytes, int]],
        skipped: Callable[[bytes, str], FileRecord],
    ) -> None:
        self._command = command
        self._file_limit_s = file_limit_s
        self._skipped = skipped
        self._waiting = deque(_batches(files))
        self._count = min(workers, len(self._waiting))
        self._workers: dict[int, _Worker] = {}
        self._selector = selectors.DefaultSelector()

    def records(self) -> Iterator[FileRecord]:
        try:
            for _ in range(self._count):
                self._start()
            while self._workers:
                yield from self._step()
        finally:
            for worker in self._workers.values():
                worker.end(kill=True)
            self._selector.close()

    def _start(self) -> None:
        try:
            worker = _Worker(self._command)
        except OSError as error:
            raise CtxError(f"a parsing process could not be started ({error.strerror}); run `ctx doctor`") from error
        self._workers[worker.fd] = worker
        self._selector.register(worker.fd, selectors.EVENT_READ)
        self._feed(worker)

    def _feed(self, worker: _Worker) -> None:
        """Keep a second batch in a worker's pipe, so that it never waits for us; a third may be another's work."""
        while self._waiting and len(worker.held) <= worker.latest_batch:
            worker.give(self._waiting.popleft())

    def _step(self) -> Iterator[FileRecord]:
        turn_s = self._file_limit_s / 4
        began_ns = time.perf_counter_ns()
        ready = self._selector.select(timeout=turn_s)
        # Only time spent waiting here counts as a worker's silence, and no more than was asked for: whoever takes the
        # records may be slow, and the whole process group may have been stopped (Ctrl-Z) for an hour.
        waited_ns = min(time.perf_counter_ns() - began_ns, int(turn_s * 1e9))
        for fd in self._workers.keys() - {key.fd for key, _events in ready}:
            self._workers[fd].silent_ns += waited_ns
        for key, _events in ready:
            worker = self._workers[key.fd]
            data = os.read(key.fd, 1 << 20)
            if not data:
                yield from self._bury(worker, f"the parser crashed on it ({_ending(worker)})", kill=False)
                continue
            worker.buffer += data
            yield from worker.frames()
            self._feed(worker)
            if not worker.held:
                self._retire(worker)
                worker.end(kill=False)
        limit_ns = int(self._file_limit_s * 1e9)
        for worker in [w for w in self._workers.values() if w.silent_ns >= limit_ns]:
            yield from self._bury(worker, f"the parser hung on it for {self._file_limit_s:g} s", kill=True)

    def _retire(self, worker: _Worker) -> None:
        self._selector.unregister(worker.fd)
        del self._workers[worker.fd]

    def _bury(self, worker: _Worker, reason: str, *, kill: bool) -> Iterator[FileRecord]:
        """Take a lost worker away, record the file it was at, give the rest to a new one."""
        self._retire(worker)
        worker.end(kill=kill)
        if not worker.has_started:
            raise CtxError(f"a parsing process did not start ({_ending(worker)}); run `ctx doctor`")
        if worker.held:
            yield self._skipped(worker.held.popleft(), reason)
        if worker.held:
            self._waiting.extendleft(_batches([(path, 0) for path in worker.held]))
        if self._waiting:
            self._start()


def _ending(worker: _Worker) -> str:
    code = worker.process.wait()
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _batches(files: Sequence[tuple[bytes, int]]) -> Iterator[list[bytes]]:
    """Yield batches of about equal bytes, the largest files first: a big one at the end would leave cores idle."""
    batch: list[bytes] = []
    size_bytes = path_bytes = 0
    for path, size in sorted(files, key=lambda item: (-item[1], item[0])):
        if path_bytes + len(path) > BATCH_PATH_BYTES_MAX and batch:
            yield batch
            batch, size_bytes, path_bytes = [], 0, 0
        batch.append(path)
        size_bytes += size
        path_bytes += len(path)
        if size_bytes >= BATCH_BYTES or len(batch) >= BATCH_FILES_MAX:
            yield batch
            batch, size_bytes, path_bytes = [], 0, 0
    if batch:
        yield batch
