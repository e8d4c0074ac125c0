"""The pool: every file gets its record, whatever single workers do, and no process stays behind."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from tests.fakes import ManualClock

from ctx.domain.errors import CtxError
from ctx.domain.index_records import FileRecord
from ctx.infrastructure import parse_pool
from ctx.infrastructure.file_indexer import FileIndexer
from ctx.infrastructure.file_system import MAX_FILE_BYTES, FileSystemAdapter
from ctx.infrastructure.null_telemetry import NullTelemetry
from ctx.infrastructure.parse_pool import (
    ONE_PROCESS_BYTES_MAX,
    TRUSTED_BYTES_MAX,
    ParsePool,
    can_fork,
    spawned,
    usable_cores,
)
from ctx.infrastructure.tokenizer import BpeTokenCounter, text_key

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ctx.infrastructure.parse_pool import ParserProcess

HOUR_NS = 3600 * 1_000_000_000
_SCRIPT = r"""
import marshal, os, signal, struct, sys
log, behaviour = sys.argv[1:]
def send(value):
    raw = marshal.dumps(value)
    sys.stdout.buffer.write(struct.pack("<Q", len(raw)) + raw)
    sys.stdout.buffer.flush()
with open(log, "a") as file:
    file.write(f"{os.getpid()}\n")
if behaviour == "never starts":
    sys.exit(3)
send("ready")
while head := sys.stdin.buffer.read(8):
    paths = marshal.loads(sys.stdin.buffer.read(struct.unpack("<Q", head)[0]))
    for path in paths:
        if b"exit" in path:
            os._exit(7)
        if b"kill" in path:
            os.kill(os.getpid(), signal.SIGKILL)
        if b"hang" in path:
            with open(log + ".hangs", "w") as file:
                file.write("yes")
            signal.pause()
        if b"tells" in path:
            sys.exit("Error: out of luck")
        if b"hog" in path:
            hog = b"x" * 500_000_000
            os.kill(os.getpid(), signal.SIGSEGV)
        if b"half" in path:
            sys.stdout.buffer.write(b"\x09")
            sys.stdout.buffer.flush()
            os._exit(1)
        filler = "x" * 100_000 if behaviour == "large records" else str(os.getpid())
        rows = ((), (), (), ())
        send((path, path.decode(), 1, 1, filler, "python", "ok", "", "utf-8", 1, 1, False, 1, 1, 0, 0, 0, *rows))
"""


class ScriptedIndexer:
    """Stands in for the indexer of the command's own process."""

    counter = BpeTokenCounter()

    def counting_with(self, _counter: object) -> ScriptedIndexer:
        return self

    def index(self, os_path: bytes) -> FileRecord:
        if b"raises" in os_path:
            raise LookupError("no such thing")
        if b"greedy" in os_path:
            raise MemoryError
        return self._record(os_path, "ok", f"in process {os.getpid()}")

    def index_as_text(self, os_path: bytes, reason: str) -> FileRecord:
        return self._record(os_path, "failed", reason)

    def _record(self, os_path: bytes, status: str, reason: str) -> FileRecord:
        shown = os_path.decode()
        return FileRecord(os_path, shown, 1, 1, "", "text", status, reason, "", 0, 0, False, 0, 0, 0, 0, 0, (), ())


class Workers:
    """A pool of scripted workers, and the processes it started."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "pids"
        self._script = folder / "worker.py"
        self._script.write_text(_SCRIPT)

    def pool(
        self, behaviour: str = "", *, workers: int = 2, file_limit_s: float = 30.0, max_file_bytes: int = 32 << 20
    ) -> ParsePool:
        """Return a pool whose workers may have gigabytes: they begin with the peak of the process of all tests."""
        return ParsePool(
            ScriptedIndexer,  # type: ignore[arg-type]  # as far as the pool needs one
            [str(self._log), behaviour],
            workers=workers,
            file_limit_s=file_limit_s,
            max_file_bytes=max_file_bytes,
            worker_command=[sys.executable, "-I", "-S", str(self._script)],
        )

    @property
    def pids(self) -> list[int]:
        return [int(line) for line in self._log.read_text().split()] if self._log.exists() else []

    def assert_all_are_gone(self) -> None:
        for pid in self.pids:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)

    @property
    def hang_mark(self) -> Path:
        """What a worker writes before it hangs."""
        return self._log.with_name("pids.hangs")


class HangClock:
    """The pool's clock, which stands still until a worker hangs: one that is slow to start or to answer does not."""

    def __init__(self, hang_mark: Path) -> None:
        self._hang_mark = hang_mark
        self._now_ns = 0

    def perf_counter_ns(self) -> int:
        self._now_ns += HOUR_NS if self._hang_mark.exists() else 0
        return self._now_ns


@pytest.fixture(autouse=True)
def _only_new_threads_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that other tests left do not keep this process from being copied; one of a test here does."""
    known = set(threading.enumerate())
    monkeypatch.setattr(parse_pool, "can_fork", lambda: known.issuperset(threading.enumerate()))


@pytest.fixture
def workers(tmp_path: Path) -> Workers:
    return Workers(tmp_path)


def files(*names: str, count: int = 100, size: int = 50_000) -> list[tuple[bytes, int]]:
    """Return so many files, with the named ones among them, too much for one process."""
    found = [(f"dir/f{at:03}.py".encode(), size) for at in range(count)]
    for at, name in enumerate(names, start=1):
        found.insert(at * count // (len(names) + 1), (name.encode(), size))
    assert sum(size for _path, size in found) > ONE_PROCESS_BYTES_MAX
    return found


def outcomes(records: Any) -> dict[str, str]:
    """Return each path's reason; two records of one path are a failure."""
    found: dict[str, str] = {}
    for record in records:
        assert record.path not in found
        found[record.path] = record.reason
    return found


def test_tiny_files_are_done_without_processes(workers: Workers) -> None:
    """A few files that cannot harm are done before a process would have started."""
    few = [(b"a.py", 10), (b"b.py", TRUSTED_BYTES_MAX)]
    here = f"in process {os.getpid()}"
    assert {"a.py": here, "b.py": here} == outcomes(workers.pool().index(few))
    assert [] == list(workers.pool().index([]))
    assert [] == workers.pids


def test_a_few_files_are_done_in_a_copy_of_the_process(workers: Workers) -> None:
    """One larger file among them is enough; the copy is one, is not this process, and is gone at the end."""
    few = [(b"a.py", 10), (b"b.py", TRUSTED_BYTES_MAX + 1)]
    found = outcomes(workers.pool().index(few))
    assert {"a.py", "b.py"} == set(found)
    assert 1 == len(set(found.values()))
    assert f"in process {os.getpid()}" not in found.values()
    assert [] == workers.pids
    pid = int(found["a.py"].removeprefix("in process "))
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def test_beside_other_threads_a_new_process_takes_the_place_of_a_copy(workers: Workers) -> None:
    """A copy would hold the locks of threads that are not in it."""
    leave = threading.Event()
    other = threading.Thread(target=leave.wait)
    other.start()
    try:
        assert not can_fork()
        assert {"a.py": ""} == outcomes(workers.pool().index([(b"a.py", TRUSTED_BYTES_MAX + 1)]))
    finally:
        leave.set()
        other.join()
    assert 1 == len(workers.pids)


def test_a_thread_that_began_meanwhile_keeps_the_next_copy_from_being_made(workers: Workers) -> None:
    """The place of a copy that is lost is taken by a new process then."""
    leave = threading.Event()
    other = threading.Thread(target=leave.wait)
    few = [(b"raises.py", TRUSTED_BYTES_MAX + 2), (b"good.py", TRUSTED_BYTES_MAX + 1)]
    records = workers.pool().index(few)
    try:
        assert "raises.py" == next(records).path
        other.start()
        (good,) = records
        assert ("good.py", [int(good.content_sha)]) == (good.path, workers.pids)
    finally:
        leave.set()
        other.join()


def test_a_copy_that_fails_costs_the_file_it_was_at(workers: Workers) -> None:
    """An error is named by its last line, memory that Python is refused by the limit; the other files are indexed."""
    few = [(b"raises.py", 9_000), (b"greedy.py", 8_000), (b"good.py", 7_000)]
    found = {
        record.path: (record.status, record.reason) for record in workers.pool(max_file_bytes=MAX_FILE_BYTES).index(few)
    }
    crashed = "the parser crashed on it (exit code 1: LookupError: no such thing); indexed as text"
    assert ("failed", crashed) == found["raises.py"]
    assert ("failed", "parsing it takes more than 768 MiB of memory; indexed as text") == found["greedy.py"]
    assert "ok" == found["good.py"][0]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there are no copies")
def test_an_interrupt_in_a_copy_runs_nothing_of_its_parent() -> None:
    """Ctrl-C that meets the copy as it is made ends it, without a word: its parent has been interrupted, too."""
    program = """
import _thread, os, signal
from ctx.infrastructure.parse_pool import TRUSTED_BYTES_MAX, ParsePool
signal.signal(signal.SIGINT, signal.default_int_handler)
os.register_at_fork(after_in_child=_thread.interrupt_main)
try:
    list(ParsePool(lambda: type("Indexer", (), {"index_as_text": None, "counter": None})(), [])
         .index([(b"a.py", TRUSTED_BYTES_MAX + 1)]))
finally:
    os.write(1, b"the caller goes on\\n")
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert "the caller goes on\n" == ended.stdout
    assert "KeyboardInterrupt" not in ended.stderr


def test_a_copy_keeps_no_lock_of_its_parent(workers: Workers, tmp_path: Path) -> None:
    """What the parent has open is closed in the copy: a lock must not outlive a parent that is killed."""

    class Lister(ScriptedIndexer):
        def index(self, os_path: bytes) -> FileRecord:
            open_files = [os.readlink(f"/proc/self/fd/{name}") for name in ("0", "1", "2")]
            extra = [name for name in os.listdir("/proc/self/fd") if int(name) > 2]
            return self._record(os_path, "ok", f"{len(open_files)} {len(extra)}")

    with (tmp_path / "lock").open("w"):
        pool = ParsePool(Lister, [])  # type: ignore[arg-type]  # as far as the pool needs one
        found = outcomes(pool.index([(b"a.py", TRUSTED_BYTES_MAX + 1)]))
    assert {"a.py": "3 1"} == found  # the one more is the listing's own


def test_every_file_gets_one_record(workers: Workers) -> None:
    """As many workers as asked for, all of them gone at the end."""
    asked = files()
    assert {path.decode(): "" for path, _size in asked} == outcomes(workers.pool(workers=3).index(asked))
    assert 3 == len(workers.pids)
    workers.assert_all_are_gone()


def test_no_more_workers_than_batches_are_started(workers: Workers) -> None:
    """One huge file is one process's work."""
    assert {"a.py": ""} == outcomes(workers.pool(workers=8).index([(b"a.py", 10_000_000)]))
    assert 1 == len(workers.pids)


def test_large_files_are_shared_out(workers: Workers) -> None:
    """A worker holds two batches at most, so that four files of a megabyte keep two workers busy."""
    asked = [(f"f{at}.py".encode(), 1_000_000) for at in range(4)]
    done_by = [record.content_sha for record in workers.pool().index(asked)]
    assert [2, 2] == [done_by.count(str(pid)) for pid in workers.pids]


def test_more_small_files_than_one_process_is_for_go_to_workers(workers: Workers) -> None:
    """The number of files counts, too."""
    many = [(f"f{at}.py".encode(), 1) for at in range(500)]
    assert {""} == set(outcomes(workers.pool().index(many)).values())
    assert 2 == len(workers.pids)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("exit.py", "the parser crashed on it (exit code 7); indexed as text"),
        ("kill.py", "the parser crashed on it (signal 9); indexed as text"),
        ("tells.py", "the parser crashed on it (exit code 1: Error: out of luck); indexed as text"),
        ("half.py", "the parser crashed on it (exit code 1); indexed as text"),
    ],
)
def test_a_crash_costs_the_file_it_was_at_and_nothing_else(workers: Workers, name: str, reason: str) -> None:
    """The file is recorded with how the worker ended, all others are complete."""
    asked = files(name, "dir/" + name)
    found = outcomes(workers.pool().index(asked))
    assert {path.decode() for path, _size in asked} == set(found)
    assert {name: reason, "dir/" + name: reason} == {path: why for path, why in found.items() if why}
    workers.assert_all_are_gone()


def test_a_crash_with_much_memory_taken_is_told_as_that(workers: Workers) -> None:
    """A grammar that is refused memory dies of a null pointer; what it held by then says why."""
    found = outcomes(workers.pool(max_file_bytes=MAX_FILE_BYTES).index(files("hog.py")))
    assert "parsing it takes more than 768 MiB of memory; indexed as text" == found["hog.py"]
    assert 100 == [*found.values()].count("")


def test_every_file_may_crash(workers: Workers) -> None:
    """Each is recorded; the pool comes to an end."""
    asked = [(f"exit{at}.py".encode(), 500_000) for at in range(5)]
    assert {"the parser crashed on it (exit code 7); indexed as text"} == set(
        outcomes(workers.pool().index(asked)).values()
    )
    assert 5 <= len(workers.pids)
    workers.assert_all_are_gone()


def test_a_worker_that_hangs_is_killed_and_its_file_named(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is per file; the files behind it are given to another worker."""
    monkeypatch.setattr(parse_pool, "time", HangClock(workers.hang_mark))
    asked = files("dir/f050-hang.py")
    found: dict[str, str] = {}
    for record in workers.pool(workers=1, file_limit_s=0.4).index(asked):
        assert record.path not in found
        found[record.path] = record.reason
        if record.reason:
            workers.hang_mark.unlink()
    assert {path.decode() for path, _size in asked} == set(found)
    assert {"dir/f050-hang.py": "the parser hung on it for 0.4 s; indexed as text"} == {
        path: why for path, why in found.items() if why
    }
    assert 2 == len(workers.pids)
    workers.assert_all_are_gone()


def test_a_slow_taker_of_records_makes_no_worker_hang(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time in which nobody looked at the workers is not theirs: a stopped or busy command loses no file."""
    clock = ManualClock()
    monkeypatch.setattr(parse_pool, "time", clock)
    found = {}
    for record in workers.pool("large records").index(files()):
        clock.advance_ns(HOUR_NS)
        found[record.path] = record.reason
    assert 100 == len(found)
    assert {""} == set(found.values())


def test_paths_of_any_length_do_not_block_the_pipes(workers: Workers) -> None:
    """A worker that is writing reads no paths, so all it was given has to fit into the pipe."""
    deep = "/".join(["d" * 250] * 15)
    asked = [(f"{deep}/f{at:03}.py".encode(), 1) for at in range(450)]
    found: list[dict[str, str]] = []
    thread = threading.Thread(
        target=lambda: found.append(outcomes(workers.pool("large records").index(asked))), daemon=True
    )
    thread.start()
    thread.join(120)
    assert not thread.is_alive()
    assert 450 == len(found[0])


def test_workers_that_do_not_start_are_an_error(workers: Workers, tmp_path: Path) -> None:
    """One line says so; a command that is not there gives the same error, and nothing stays behind."""
    with pytest.raises(CtxError, match=r"did not start \(exit code 3\).*ctx doctor"):
        list(workers.pool("never starts").index(files()))
    workers.assert_all_are_gone()
    missing = ParsePool(ScriptedIndexer, [], worker_command=[str(tmp_path / "nothing")])  # type: ignore[arg-type]
    with pytest.raises(CtxError, match=r"could not be started \(No such file.*ctx doctor"):
        list(missing.index(files()))


def test_a_caller_that_stops_early_leaves_no_process(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing the generator ends the workers, also one that hangs."""
    started: list[int] = []

    def remembered(command: Sequence[str]) -> ParserProcess:
        process = spawned(command)
        started.append(process.pid)
        return process

    monkeypatch.setattr(parse_pool, "spawned", remembered)
    records = workers.pool().index(files("hang.py", "dir/hang.py"))
    next(records)
    records.close()  # type: ignore[attr-defined]  # a generator is one
    workers.assert_all_are_gone()
    assert 2 == len(started)
    for pid in started:
        with pytest.raises(ChildProcessError):  # also one that had no time to leave its number
            os.waitpid(pid, os.WNOHANG)


def test_real_workers_make_the_records_that_one_process_makes(tmp_path: Path) -> None:
    """The same records in another order, undecodable names, unreadable files and stray prints included."""
    names = [f"f{at:03}.py".encode() for at in range(40)] + [b"bad\xff.py", b"notes.md", b"data.bin", b"gone.py"]
    for at, name in enumerate(names[:-1]):
        text = f"import os\n\nX = {at}\n\n\ndef größe_{at}(a, b=1):\n    '''Do {at}.'''\n    return a + b\n" * 5
        (tmp_path / os.fsdecode(name)).write_bytes(b"\0" if name == b"data.bin" else text.encode())

    def indexer() -> FileIndexer:
        return FileIndexer(FileSystemAdapter(str(tmp_path), telemetry=NullTelemetry()), BpeTokenCounter())

    arguments = [str(tmp_path), "cl100k_base", str(2**21), "0"]
    pool = ParsePool(indexer, arguments, workers=2)
    alone = {record.os_path: record._replace(parse_ns=0) for record in pool.index([(name, 1) for name in names])}
    together = {r.os_path: r._replace(parse_ns=0) for r in pool.index([(name, 100_000) for name in names])}
    assert len(names) == len(alone)
    assert alone == together


def test_cores_are_those_this_process_may_use() -> None:
    """At least one."""
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


def test_a_copy_leaves_counting_to_its_parent_and_counts_nothing_twice(tmp_path: Path) -> None:
    """Texts whose counts are known are not counted again, the others are by whoever waits: the record is the same."""
    body = "".join(f"    x{at} = compute({at})\n" for at in range(400))
    (tmp_path / "a.py").write_text(f"def first():\n    return 1\n\n\ndef second():\n{body}", encoding="utf-8")
    indexer = FileIndexer(FileSystemAdapter(str(tmp_path), telemetry=NullTelemetry()), BpeTokenCounter())
    expected = indexer.index(b"a.py")._replace(parse_ns=0)
    asked: list[str] = []

    class Counter(BpeTokenCounter):
        def count(self, text: str) -> int:
            asked.append(text)
            return super().count(text)

    known = {text_key("def first():\n    return 1\n"): 1_000}
    for known_tokens, first in (({}, expected.chunks[0].tokens), (known, 1_000)):
        pool = ParsePool(
            lambda: indexer.counting_with(Counter()), [], known_tokens=lambda paths, known=known_tokens: {**known}
        )
        asked.clear()
        (record,) = pool.index([(b"a.py", TRUSTED_BYTES_MAX + 1)])
        assert first == record.chunks[0].tokens
        assert ("def first():\n    return 1\n" in asked) is (not known_tokens)
        assert expected.chunks[1:] == record.chunks[1:]
        assert sum(row.tokens for row in record.chunks) == record.tokens
        assert expected.terms == record.terms
