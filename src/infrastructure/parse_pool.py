"""Indexing files in processes of their own: a pool that never outlives, hangs, fails or fills the command.

A grammar is C code that a crafted file of 64 KiB can drive into a crash, an endless loop or gigabytes of memory, so
every file that is not tiny is parsed under a memory limit in a process that may be lost. Each worker holds a few paths
at a time. One that dies on a file or takes longer than the limit is replaced; the file it held first is indexed as
text with the reason, the rest are given out again. Which limits and why: docs/decisions/009-hostile-input.md.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import selectors
import signal
import sys
import time
from collections import deque
from typing import TYPE_CHECKING, cast

from ..domain.errors import CtxError
from .file_system import MAX_FILE_BYTES
from .parse_worker import (
    HELLO,
    LENGTH,
    MEMORY_EXIT_CODE,
    counted,
    limit_memory,
    memory_limit_bytes,
    record_of,
    serve,
    write_frame,
)
from .tokenizer import DeferredCounter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import BinaryIO

    from ..domain.index_records import FileRecord
    from .file_indexer import FileIndexer

BATCH_BYTES = 256 * 1024
BATCH_FILES_MAX = 32
BATCH_PATH_BYTES_MAX = 16 * 1024
"""What is handed out has to fit into a pipe (64 KiB) unread: a worker that writes a record does not read paths."""
ONE_PROCESS_BYTES_MAX = 1_500_000
ONE_PROCESS_FILES_MAX = 400
"""Below these, one process is done before more have started (each takes ~0.1 s to import)."""
TRUSTED_BYTES_MAX = 4 * 1024
"""No text of this size costs any grammar more than 0.2 s and 100 MB (twelve grammars, fourteen kinds of nesting)."""
_LAST_WORDS_CHARS_MAX = 120
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
        max_file_bytes: int = MAX_FILE_BYTES,
        known_tokens: Callable[[Sequence[bytes]], Mapping[str, int]] = lambda _paths: {},
        worker_command: Sequence[str] = (sys.executable, "-P", "-m", "ctx.infrastructure.parse_worker"),
    ) -> None:
        """Take a maker of the in-process indexer and a worker's arguments; 0 workers means one per usable core.

        `max_file_bytes` is the size up to which the indexer reads files: workers get memory in proportion to it.
        `known_tokens` gives token counts of texts that files with those paths held (see `tokenizer.text_key`).
        """
        self._indexer = indexer
        self._command = [*worker_command, *worker_arguments]
        self._workers = workers or usable_cores()
        self._file_limit_s = file_limit_s
        self._memory_bytes_max = memory_limit_bytes(max_file_bytes)
        self._known_tokens = known_tokens

    def index(self, files: Sequence[tuple[bytes, int]]) -> Iterator[FileRecord]:
        """Yield one record for each (path, size in bytes)."""
        is_little = sum(size for _path, size in files) <= ONE_PROCESS_BYTES_MAX and len(files) <= ONE_PROCESS_FILES_MAX
        if is_little and all(size <= TRUSTED_BYTES_MAX for _path, size in files):
            for path, _size in files:
                yield self._indexer().index(path)
            return
        # A copy of this process has its imports and starts in 5 ms, a new one takes 100 ms or more.
        is_copy = is_little and can_fork()
        known = self._known_tokens([path for path, _size in files]) if is_copy else {}
        # Asked at each start: whoever takes the records may have begun a thread, to draw a bar.
        start = (lambda: self._fork(known) if can_fork() else self._spawn()) if is_copy else self._spawn
        run = _Run(
            start,
            files,
            self._indexer().index_as_text,
            workers=1 if is_little else self._workers,
            file_limit_s=self._file_limit_s,
            memory_bytes_max=self._memory_bytes_max,
            count=lambda text: self._indexer().counter.count(text),  # noqa: PLW0108 - loaded when asked
            on_started=(lambda: _get_ready(self._indexer())) if is_copy else lambda: None,
        )
        yield from run.records()

    def _spawn(self) -> _Worker:
        return _Worker(spawned(self._command))

    def _fork(self, known: Mapping[str, int]) -> _Worker:
        return _Worker(_forked(self._indexer, known, self._memory_bytes_max))


def _get_ready(indexer: FileIndexer) -> None:
    """Load what is needed once the copy has parsed; it takes as long as that, on another core."""
    import orjson  # noqa: F401 - for the store

    indexer.counter.count("")


def can_fork() -> bool:
    """Tell whether this process may be copied: another thread's locks would stay locked for ever in the copy."""
    if not hasattr(os, "fork") or not sys.platform.startswith("linux"):  # macOS's own libraries do not survive it
        return False
    return len(os.listdir("/proc/self/task")) == 1  # also those that no Python code started


def usable_cores() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class ParserProcess:
    """A child process with its ends of two pipes, unbuffered, and the file that holds what it wrote to stderr."""

    def __init__(self, pid: int, to_child: BinaryIO, from_child: BinaryIO, stderr: BinaryIO | None) -> None:
        self.pid = pid
        self.to_child = to_child
        self.from_child = from_child
        self.stderr = stderr
        self.exit_code: int | None = None
        self.peak_bytes = 0
        self.last_words = ""

    def wait(self) -> int:
        """Return how it ended, as `subprocess` gives it: minus the signal that killed it."""
        if self.exit_code is None:
            _pid, status, usage = os.wait4(self.pid, 0)
            self.exit_code = os.waitstatus_to_exitcode(status)
            self.peak_bytes = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return self.exit_code

    def kill(self) -> None:
        """Kill it, unless its end is known: its number may be another's by then."""
        if self.exit_code is None:
            os.kill(self.pid, signal.SIGKILL)

    def close_stderr(self) -> None:
        """Keep the last line it wrote there and let go of the rest."""
        if self.stderr is not None:
            with self.stderr as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - 2_000))
                lines = file.read().decode("utf-8", "replace").split("\n")
            self.stderr = None
            said = (line.strip() for line in reversed(lines))
            self.last_words = next((line[:_LAST_WORDS_CHARS_MAX] for line in said if line), "")


def spawned(command: Sequence[str]) -> ParserProcess:
    """Start a new interpreter."""
    import subprocess  # 6 ms that a copy of this process does without

    stderr = _scratch_file()
    try:
        # A group of its own: a terminal's Ctrl-C is the parent's to handle, which then ends its workers.
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, bufsize=0, process_group=0
        )
    except OSError:
        if stderr is not None:
            stderr.close()
        raise
    # Its end is waited for here, for the memory it took; told that it is over, `subprocess` leaves it alone.
    process.returncode = 0
    assert process.stdin is not None
    assert process.stdout is not None
    return ParserProcess(process.pid, process.stdin, process.stdout, stderr)  # type: ignore[arg-type]  # IO[bytes] is one


def _forked(indexer: Callable[[], FileIndexer], known: Mapping[str, int], memory_bytes_max: int) -> ParserProcess:
    """Start a copy of this process that does nothing but index."""
    stderr = _scratch_file()
    paths_fd, to_child_fd = os.pipe()
    from_child_fd, records_fd = os.pipe()
    parent, code = os.getpid(), 1
    try:
        # Within the block: Ctrl-C goes to a copy as well, until it has left the group, and may meet it at once.
        pid = os.fork()
        if pid:
            os.close(paths_fd)
            os.close(records_fd)
            return ParserProcess(pid, open(to_child_fd, "wb", 0), open(from_child_fd, "rb", 0), stderr)
        _become_worker(paths_fd, records_fd, stderr)
        limit_memory(memory_bytes_max)
        with open(0, "rb") as paths, open(1, "wb") as records:
            deferred = DeferredCounter(indexer().counter.encoding, known)
            serve(indexer().counting_with(deferred), paths, records, deferred)
        code = 0
    except BaseException as error:
        if os.getpid() == parent:
            raise
        if not isinstance(error, KeyboardInterrupt):  # its parent has one, too
            _tell(error)
    finally:
        # The copy holds the caller's whole stack; nothing of that may run a second time.
        if os.getpid() != parent:
            os._exit(code)
    raise AssertionError  # a copy has ended


def _tell(error: BaseException) -> None:
    """Say what happened in a copy on its standard error; its parent tells the last line."""
    import traceback

    with contextlib.suppress(Exception):
        os.write(2, "".join(traceback.format_exception(error)).encode("utf-8", "replace"))


def _become_worker(paths_fd: int, records_fd: int, stderr: BinaryIO | None) -> None:
    os.setpgid(0, 0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    os.dup2(paths_fd, 0)
    os.dup2(records_fd, 1)
    if stderr is not None:
        os.dup2(stderr.fileno(), 2)
    # The index, its lock and the pipes' other ends are the parent's: a lock or a pipe must not outlive it in here.
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            with contextlib.suppress(OSError):  # the listing's own is gone by now
                os.close(int(name))


def _scratch_file() -> BinaryIO | None:
    """Return a file without a name; None where there is no place for one (then a worker's stderr is the command's)."""
    try:
        if hasattr(os, "memfd_create"):
            return open(os.memfd_create("ctx-worker"), "r+b", 0)
        import tempfile

        return cast("BinaryIO", tempfile.TemporaryFile(buffering=0))
    except OSError:
        return None


class _Worker:
    """One child process and the paths it holds."""

    def __init__(self, process: ParserProcess) -> None:
        self.process = process
        self.fd = process.from_child.fileno()
        self.held: deque[bytes] = deque()
        self.latest_batch = 0
        self.silent_ns = 0
        self.buffer = bytearray()
        self.has_started = False
        self.texts: list[str] = []

    def give(self, paths: Sequence[bytes]) -> None:
        self.held.extend(paths)
        self.latest_batch = len(paths)
        with contextlib.suppress(BrokenPipeError):  # its death is noticed at the other pipe
            write_frame(self.process.to_child, list(paths))

    def frames(self, count: Callable[[str], int]) -> Iterator[FileRecord]:
        """Yield the records that have arrived whole, counting with `count` what was left to us."""
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
            if isinstance(values, list):
                self.texts = values
                continue
            self.held.popleft()
            self.silent_ns = 0
            yield counted(record_of(values), self.texts, count)
            self.texts = []
        del self.buffer[:at]

    def end(self, *, kill: bool) -> None:
        if kill:
            self.process.kill()
        with contextlib.suppress(BrokenPipeError):
            self.process.to_child.close()
        self.process.from_child.close()
        self.process.wait()
        self.process.close_stderr()

    def ending(self) -> str:
        """Return how it ended and the last line it left, the name of an exception for one; only after `end`."""
        code, said = self.process.wait(), self.process.last_words
        return (f"signal {-code}" if code < 0 else f"exit code {code}") + (f": {said}" if said else "")


class _Run:
    """One pass over a list of files."""

    def __init__(
        self,
        start: Callable[[], _Worker],
        files: Sequence[tuple[bytes, int]],
        index_as_text: Callable[[bytes, str], FileRecord],
        *,
        workers: int,
        file_limit_s: float,
        memory_bytes_max: int,
        count: Callable[[str], int],
        on_started: Callable[[], None],
    ) -> None:
        self._start_worker = start
        self._count_tokens = count
        self._on_started = on_started
        self._file_limit_s = file_limit_s
        self._memory_bytes_max = memory_bytes_max
        self._index_as_text = index_as_text
        self._waiting = deque(_batches(files))
        self._count = min(workers, len(self._waiting))
        self._workers: dict[int, _Worker] = {}
        self._selector = selectors.DefaultSelector()

    def records(self) -> Iterator[FileRecord]:
        try:
            for _ in range(self._count):
                self._start()
            self._on_started()
            while self._workers:
                yield from self._step()
        finally:
            for worker in self._workers.values():
                worker.end(kill=True)
            self._selector.close()

    def _start(self) -> None:
        try:
            worker = self._start_worker()
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
                yield from self._bury(worker, "", kill=False)
                continue
            worker.buffer += data
            yield from worker.frames(self._count_tokens)
            self._feed(worker)
            if not worker.held:
                self._retire(worker)
                worker.end(kill=False)
        limit_ns = int(self._file_limit_s * 1e9)
        for worker in [w for w in self._workers.values() if w.silent_ns >= limit_ns]:
            reason = f"the parser hung on it for {self._file_limit_s:g} s; indexed as text"
            yield from self._bury(worker, reason, kill=True)

    def _retire(self, worker: _Worker) -> None:
        self._selector.unregister(worker.fd)
        del self._workers[worker.fd]

    def _bury(self, worker: _Worker, reason: str, *, kill: bool) -> Iterator[FileRecord]:
        """Take a lost worker away, record the file it was at, give the rest to a new one."""
        self._retire(worker)
        worker.end(kill=kill)
        if not worker.has_started:
            raise CtxError(f"a parsing process did not start ({worker.ending()}); run `ctx doctor`")
        if worker.held:
            yield self._index_as_text(worker.held.popleft(), reason or self._cause(worker))
        if worker.held:
            self._waiting.extendleft(_batches([(path, 0) for path in worker.held]))
        if self._waiting:
            self._start()

    def _cause(self, worker: _Worker) -> str:
        """Return why a worker died: an allocation that is refused leaves a null pointer, and that a signal."""
        code = worker.process.wait()
        # The last, refused one may have asked for as much again as there was.
        if code == MEMORY_EXIT_CODE or (code < 0 and worker.process.peak_bytes > self._memory_bytes_max // 2):
            return f"parsing it takes more than {self._memory_bytes_max // 2**20} MiB of memory; indexed as text"
        return f"the parser crashed on it ({worker.ending()}); indexed as text"


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
