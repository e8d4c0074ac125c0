"""The watch of a segment: an index that is not what the files are is never called clean."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes import RecordingTelemetry, SegmentOnDisk

from ctx.application import watch_index
from ctx.application.refresh_index import RefreshReport
from ctx.application.watch_index import GIVE_UP_AFTER_S, WatchIndex
from ctx.domain.errors import CtxError
from ctx.infrastructure.file_system import FileSystemAdapter
from ctx.infrastructure.file_watcher import NotifyWatcher
from ctx.infrastructure.host.segment_watch import SegmentWatch
from ctx.infrastructure.index_store import IndexStore
from ctx.infrastructure.inotify import Inotify
from ctx.infrastructure.services import Services

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ctx.domain.ports import FileWatcher

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone has inotify")

PATIENCE_S = 60.0
EDITS = 6
"""Of every kind, one after the other."""


def until(is_so: Callable[[], object], what: str) -> None:
    """Wait for something that has no event, for as long as patience lasts."""
    deadline = time.monotonic() + PATIENCE_S
    pause = threading.Event()
    while not is_so():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        pause.wait(0.002)


class ScriptedServices:
    """The services of a small segment; `before` and `after` are called around every look, in the watch's thread."""

    def __init__(self, root: Path, index_path: Path) -> None:
        self._root = root
        self._index_path = index_path
        self.before: Callable[[], object] = lambda: None
        self.after: Callable[[], object] = lambda: None
        self.looks = 0
        self.stored = False
        self.segment: SegmentOnDisk | None = None

    def __enter__(self) -> ScriptedServices:
        self.segment = SegmentOnDisk(self._root, self._index_path)
        self.segment.__enter__()
        return self

    def __exit__(self, *_exc: object) -> None:
        assert self.segment is not None
        self.segment.__exit__()

    @property
    def root(self) -> str:
        return str(self._root)

    @property
    def index_path(self) -> str:
        return str(self._index_path)

    def watch_index(
        self, watcher: FileWatcher | None = None, *, on_progress: Callable[[int, int], None] = lambda _d, _t: None
    ) -> WatchIndex:
        segment = self.segment
        assert segment is not None

        def refresh() -> RefreshReport:
            self.before()
            report = segment.refresh(on_progress=on_progress)
            self.looks += 1
            self.stored = report.did_anything
            self.after()
            return report

        return WatchIndex(refresh, lambda: segment.store, watcher or NotifyWatcher(str(self._root)), segment.clock)


@pytest.fixture(autouse=True)
def _looks_for_a_reason_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a test takes on a busy machine, no look of every half minute falls into it."""
    monkeypatch.setattr(watch_index, "LOOK_EVERY_S", 3600.0)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "above/seg"
    (folder / "src/deep").mkdir(parents=True)
    (folder / "a.py").write_text("def a(): ...\n")
    (folder / "src/b.py").write_text("def b(): ...\n")
    (folder / "src/deep/c.py").write_text("def c(): ...\n")
    (folder / ".ctxignore").write_text("*.log\n")
    (folder / "server.log").write_text("")
    return folder


@pytest.fixture
def services(root: Path, tmp_path: Path) -> ScriptedServices:
    return ScriptedServices(root, tmp_path / "index/index.db")


def open_files() -> Counter[str]:
    """Return what this process has open of the kinds that a watch opens."""
    found = []
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the listing's own is gone
            found.append(os.readlink(f"/proc/self/fd/{fd}"))
    return Counter(name for name in found if name.startswith("pipe:") or "inotify" in name or "index.db" in name)


@contextlib.contextmanager
def watching(services: Callable[[], Any], **options: Any) -> Iterator[SegmentWatch]:
    """Run a watch until the block ends, and see that nothing of it is left."""
    threads, files = set(threading.enumerate()), open_files()
    watch = SegmentWatch(services, **options)
    watch.start()
    try:
        yield watch
    finally:
        watch.close()
        watch.close()
    # Threads and files of an earlier test may end meanwhile.
    new_threads, new_files = set(threading.enumerate()) - threads, open_files() - files
    assert ("", set(), Counter()) == (watch.is_clean(), new_threads, new_files)


def look_finds(segment: str | Path, index_path: str | Path) -> tuple[str, bool]:
    """Return the stored generation and whether a command's own look would find anything to do."""
    files = FileSystemAdapter(str(segment), telemetry=RecordingTelemetry())
    with IndexStore(str(index_path)) as store:
        return store.meta("generation"), not files.probe(store.stats(), store.directories()).is_empty


def check(watch: SegmentWatch, segment: str | Path, index_path: str | Path) -> str:
    """Ask, and see that what is called clean is."""
    mark = watch.is_clean()
    if mark:
        assert (mark, False) == look_finds(segment, index_path)
    return mark


def check_after_change(watch: SegmentWatch, services: ScriptedServices, looks: int) -> None:
    """Ask right after a change and see that the state before it, that of so many looks, is not called clean.

    The state after it may be: who asks may have had to wait for the processor for longer than a look takes.
    """
    mark = check(watch, services.root, services.index_path)
    assert not mark or services.looks > looks


# --- every kind of change ---------------------------------------------------------------------------------------------


def _append(path: Path, text: str = "# more\n") -> None:
    with path.open("a") as file:
        file.write(text)


def _appear(path: Path) -> None:
    """Come with the whole content at once: between making a file and writing to it a look may begin and end."""
    (path.parent.parent / path.name).write_text("x = 1\n")
    (path.parent.parent / path.name).rename(path)


def _saved_by_rename(path: Path, at: int) -> None:
    (path.parent / f".{path.name}.tmp").write_text(f"def saved_{at}(): ...\n")
    (path.parent / f".{path.name}.tmp").rename(path)


def _folder_and_file(root: Path, at: int) -> None:
    (root / f"new{at}/deep").mkdir(parents=True)
    (root / f"new{at}/deep/d.py").write_text("def d(): ...\n")


def _swapped(root: Path) -> None:
    (root / "src/deep").rename(root / "away")
    (root / "src").rename(root / "src2")
    (root / "away").rename(root / "src")
    (root / "src2").rename(root / "src/deep")


CHANGES: dict[str, Callable[[Path, int], object]] = {
    "create": lambda root, at: (root / f"src/new{at}.py").write_text("def new(): ...\n"),
    "modify": lambda root, at: (root / "src/deep/c.py").write_text(f"def c{at}{'x' * at}(): ...\n"),
    "append": lambda root, _at: _append(root / "a.py"),
    "delete": lambda root, at: (root / f"old{at}.py").unlink(),
    "rename": lambda root, at: (root / f"old{at}.py").rename(root / f"src/moved{at}.py"),
    "folder": _folder_and_file,
    "chmod": lambda root, at: (root / "a.py").chmod(0o600 + at % 2),
    "atomic save": lambda root, at: _saved_by_rename(root / "src/b.py", at),
    "rules": lambda root, at: _append(root / ".ctxignore", f"old{at}.py\n"),
    "new rules": lambda root, at: (root / f"dir{at}/.ctxignore").write_text("*.py\n"),
    "folder moves": lambda root, at: (root / f"dir{at}").rename(root / f"src/dir{at}"),
    "folder goes": lambda root, at: shutil.rmtree(root / f"dir{at}"),
    "folders swap": lambda root, _at: _swapped(root),
    "time": lambda root, at: os.utime(root / "a.py", (at, at)),
    "truncate": lambda root, at: os.truncate(root / f"old{at}.py", at),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_a_change_is_known_at_once(root: Path, services: ScriptedServices, kind: str) -> None:
    """The question right after it is never answered with the state before it, and the watch catches up."""
    for at in range(EDITS):
        (root / f"old{at}.py").write_text("def old(): ...\n")
        (root / f"dir{at}").mkdir()
        (root / f"dir{at}/e.py").write_text("def e(): ...\n")
    with watching(lambda: services) as watch:
        for at in range(EDITS):
            until(watch.is_clean, "a clean index")
            before = services.looks
            CHANGES[kind](root, at)
            check_after_change(watch, services, before)
        until(watch.is_clean, "a clean index at last")
        assert check(watch, root, services.index_path)


_WRITER = """
import os, sys
for line in sys.stdin:
    path, text = line.rstrip("\\n").split("\\t")
    with open(path + ".new" if text == "save" else path, "a") as file:
        file.write("# " + text + "\\n")
    if text == "save":
        os.rename(path + ".new", path)
    print("done", flush=True)
"""


def test_a_change_by_another_process_is_known_at_once(root: Path, services: ScriptedServices) -> None:
    """When the other one has said that it wrote, the question is not answered with the state before."""
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    with writer, watching(lambda: services) as watch:
        assert writer.stdin is not None
        assert writer.stdout is not None
        until(watch.is_clean, "a first clean index")
        clean_times = 0
        for at in range(60):
            before = services.looks
            writer.stdin.write(f"{root / 'src/b.py'}\t{('save', 'append')[at % 2]}\n")
            assert "done\n" == writer.stdout.readline()
            check_after_change(watch, services, before)
            if at % 10 == 0:
                until(watch.is_clean, "a clean index")
                clean_times += 1
        assert 6 == clean_times


def test_many_threads_may_ask_while_files_change(root: Path, services: ScriptedServices) -> None:
    """What one is told holds for the files as they were when it asked: nobody is told what was before an edit."""
    with watching(lambda: services) as watch:
        until(watch.is_clean, "a first clean index")
        is_over = threading.Event()
        newest_unclean: list[str] = []
        wrong: list[tuple[str, str]] = []

        def ask() -> None:
            while not is_over.is_set():
                outdated = newest_unclean[-1] if newest_unclean else ""
                mark = watch.is_clean()
                if mark and mark == outdated:
                    wrong.append((mark, outdated))

        askers = [threading.Thread(target=ask) for _ in range(4)]
        for asker in askers:
            asker.start()
        try:
            for _at in range(EDITS):
                until(watch.is_clean, "a clean index")
                with IndexStore(services.index_path) as store:
                    generation = store.meta("generation")
                _append(root / "src/b.py")
                newest_unclean.append(generation)
        finally:
            is_over.set()
            for asker in askers:
                asker.join()
        assert [] == wrong


# --- the order of things ----------------------------------------------------------------------------------------------


def test_a_change_during_a_look_asks_for_another(root: Path, services: ScriptedServices) -> None:
    """Also during one that found nothing and would have called the index clean, and to a file that was new in it."""
    edits = [lambda: _append(root / "a.py"), lambda: (root / "n.py").write_text(""), lambda: _append(root / "n.py")]

    def edit() -> None:
        # The first three looks build, place the watches and compare; from then on each edit is stored by one look and
        # compared by the next.
        if services.looks >= 3 and not services.stored and edits:
            edits.pop(0)()

    services.after = edit
    with watching(lambda: services) as watch:
        until(lambda: not edits and watch.is_clean(), "a clean index")
        assert check(watch, root, services.index_path)
        assert services.looks >= 3 + 3 * 2


def test_nothing_is_clean_while_a_look_is_under_way(
    root: Path, services: ScriptedServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor while one that only the time asked for is: what is asked then takes events out that the look has to judge."""
    monkeypatch.setattr(watch_index, "LOOK_EVERY_S", 0.06)
    marks: list[str] = []
    with watching(lambda: services) as watch:
        until(watch.is_clean, "a first clean index")

        def ask() -> None:
            marks.append(watch.is_clean())

        def edit_and_ask() -> None:
            if len(marks) < 20:
                _append(root / "a.py")
            ask()

        services.before, services.after = ask, edit_and_ask
        until(lambda: len(marks) > 20 and check(watch, root, services.index_path), "a clean index after many edits")
    assert {""} == set(marks)


def test_there_is_no_answer_while_a_look_is_under_way(root: Path, services: ScriptedServices) -> None:
    """Its events wait: judged by what the older index knew, a write to a new file would be lost."""
    is_looking, go_on = threading.Event(), threading.Event()
    with watching(lambda: services) as watch:
        until(watch.is_clean, "a first clean index")

        def hold() -> None:
            is_looking.set()
            assert go_on.wait(PATIENCE_S)

        services.after = hold
        (root / "n.py").write_text("x = 1\n")
        assert "" == watch.is_clean()
        assert is_looking.wait(PATIENCE_S)
        _append(root / "n.py")  # stored already, in its first state
        assert ["", ""] == [watch.is_clean(), watch.is_clean()]
        services.after = lambda: None
        go_on.set()
        until(watch.is_clean, "a clean index")
        assert check(watch, root, services.index_path)


def test_a_file_in_a_folder_that_is_not_watched_yet_is_found(root: Path, services: ScriptedServices) -> None:
    """The folder is watched, then looked at once more."""
    late = iter([lambda: (root / "new/late.py").write_text("x = 1\n")])
    with watching(lambda: services) as watch:
        until(watch.is_clean, "a first clean index")
        services.after = lambda: next(late, lambda: None)() if (root / "new").is_dir() else None  # type: ignore[no-untyped-call]
        (root / "new").mkdir()
        until(lambda: watch.is_clean() and (root / "new/late.py").exists(), "a clean index")
        assert check(watch, root, services.index_path)
        with IndexStore(services.index_path) as store:
            assert b"new/late.py" in {path for path, _size, _mtime in store.stats()}


def test_what_another_process_stored_is_looked_at(root: Path, services: ScriptedServices) -> None:
    """Its generation is never called by the old number, although no file has changed, and is known soon."""
    with watching(lambda: services) as watch:
        until(watch.is_clean, "a first clean index")
        with SegmentOnDisk(root, Path(services.index_path)) as other:
            before = other.store.meta("generation")
            other.refresh(whole=True)
            after = other.store.meta("generation")
        assert (True, "") == (before != after, watch.is_clean())
        until(watch.is_clean, "a clean index")
        assert after == check(watch, root, services.index_path)


def test_a_log_that_is_not_indexed_costs_no_look(root: Path, services: ScriptedServices) -> None:
    """However much is written, the index stays clean."""
    with watching(lambda: services) as watch:
        until(watch.is_clean, "a first clean index")
        looks = services.looks
        with (root / "server.log").open("a", buffering=1) as log:
            for at in range(2000):
                log.write(f"{at}\n")
                assert watch.is_clean()
        assert looks == services.looks


def test_a_queue_that_overflows_is_looked_at_whole(root: Path, services: ScriptedServices) -> None:
    """The change whose event was lost is found."""
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if limit > 100_000:
        pytest.skip("the system's queue is too long to fill")
    (root / "b.log").write_text("")
    is_first = [True]

    def flood() -> None:
        if not (root / "flood").exists() or not is_first.pop():
            return
        logs = [os.open(root / name, os.O_WRONLY) for name in ("server.log", "b.log")]
        for at in range(limit + 100):
            os.write(logs[at % 2], b"x")  # in turns, or the kernel would merge them
        _append(root / "a.py")
        for log in logs:
            os.close(log)

    with watching(lambda: services) as watch:
        until(watch.is_clean, "a first clean index")
        services.after = lambda: flood() if is_first else None
        before = services.looks
        (root / "flood").write_text("")
        check_after_change(watch, services, before)
        until(lambda: watch.is_clean() and not is_first, "a clean index")
        assert check(watch, root, services.index_path)


# --- what is not watched ----------------------------------------------------------------------------------------------


def test_rules_outside_the_segment_are_looked_at_with_the_question(root: Path, services: ScriptedServices) -> None:
    """Those of the repository around it and its excludes, known at once."""
    above = root.parent
    (above / ".git/info").mkdir(parents=True)
    for name in (".gitignore", ".git/info/exclude"):
        (above / name).write_text("")
    with watching(lambda: services) as watch:
        for at, name in enumerate((".gitignore", ".git/info/exclude")):
            until(watch.is_clean, "a clean index")
            (above / name).write_text(f"nothing{at}\n")
            os.utime(above / name, (at, at))
            assert "" == watch.is_clean()
        until(watch.is_clean, "a clean index")
        assert check(watch, root, services.index_path)


def test_another_folder_in_the_segments_place_is_no_clean_one(root: Path, services: ScriptedServices) -> None:
    """Renaming a folder above it is no event of any watched folder."""
    with watching(lambda: services) as watch:
        until(watch.is_clean, "a first clean index")
        above = root.parent
        shutil.copytree(above, above.parent / "copy")
        above.rename(above.parent / "old")
        (above.parent / "copy").rename(above)
        (root / "src/b.py").write_text("def other(): ...\n")
        assert "" == watch.is_clean()
        until(watch.is_clean, "a clean index")
        assert check(watch, root, services.index_path)
        before = services.looks
        _append(root / "src/b.py")
        check_after_change(watch, services, before)


def test_a_folder_of_indexed_files_that_cannot_be_listed_is_a_reason_not_to_know(
    root: Path, services: ScriptedServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files are known and may be written to, and no watch tells."""
    real = Inotify.add

    def refusing(self: Inotify, path: bytes, mask: int) -> int:
        if path.endswith(b"/src"):
            raise PermissionError(13, "Permission denied")
        return real(self, path, mask)

    monkeypatch.setattr(Inotify, "add", refusing)
    notes: list[str] = []
    with watching(lambda: services, on_note=notes.append) as watch:
        until(lambda: notes, "a note")
        assert ("", True) == (watch.is_clean(), "cannot be listed" in notes[0])


@pytest.mark.parametrize("attribute", ["add", "hears_all"])
def test_where_not_everything_is_heard_nothing_is_called_clean(
    root: Path, services: ScriptedServices, monkeypatch: pytest.MonkeyPatch, attribute: str
) -> None:
    """At the system's limit and on other machines' file systems; the index is kept up to date where events come."""

    def refuse(*_arguments: object) -> bool:
        if attribute == "add":
            raise OSError(28, "No space left on device")
        return False

    monkeypatch.setattr(Inotify, attribute, refuse)
    notes: list[str] = []
    with watching(lambda: services, on_note=notes.append) as watch:
        until(lambda: services.looks >= 2, "looks")
        until(lambda: notes, "a note")
        assert ("", False) == (watch.is_clean(), watch.state.is_exact)
        if attribute == "hears_all":
            _appear(root / "n.py")
            until(lambda: watch.state.updates == 2, "the update")
            assert "" == watch.is_clean()
    assert ["commands look at every file themselves" in note for note in notes] == [True]


def test_without_inotify_the_index_is_kept_up_to_date_all_the_same(root: Path, services: ScriptedServices) -> None:
    """By the system's watcher; nothing is ever called clean."""
    notes: list[str] = []
    updates: list[int] = []
    watch = SegmentWatch(
        lambda: services,
        on_note=notes.append,
        on_update=lambda update: updates.append(update.report.files_added),
        has_inotify=False,
    )
    watch.start()
    until(lambda: services.looks >= 2, "the first looks")
    _appear(root / "n.py")
    until(lambda: updates == [4, 1], "the update")
    assert ("", False, 1) == (watch.is_clean(), watch.state.is_exact, len(notes))
    watch.close()
    assert ("closed", 2) == (watch.state.ended, watch.state.updates)


# --- the end ----------------------------------------------------------------------------------------------------------


def test_a_segment_that_is_gone_ends_the_watch_with_the_reason(root: Path, services: ScriptedServices) -> None:
    """Told, and never clean again."""
    notes: list[str] = []

    def pass_time() -> None:
        assert services.segment is not None
        services.segment.clock.advance_ns(int(GIVE_UP_AFTER_S * 1e9))

    services.before = pass_time
    with watching(lambda: services, on_note=notes.append) as watch:
        until(watch.is_clean, "a first clean index")
        shutil.rmtree(root)
        assert "" == watch.is_clean()
        until(lambda: watch.state.ended, "the end")
        until(lambda: notes and "no longer kept up to date" in notes[-1], "the last note")
        assert ("", True) == (watch.is_clean(), "cannot be opened" in notes[-1])


def test_what_goes_wrong_in_the_thread_is_told(root: Path) -> None:
    """Whatever it is; a malformed configuration is an error of the person."""

    def broken(error: Exception) -> Any:
        raise error

    for error, told in ((CtxError("bad settings"), "bad settings"), (ValueError("a bug"), "ValueError: a bug")):
        notes: list[str] = []
        with watching(lambda error=error: broken(error), on_note=notes.append) as watch:
            until(lambda watch=watch: watch.state.ended, "the end")
            until(lambda notes=notes: notes, "a note")
        assert (told, [f"the index is no longer kept up to date: {told}"]) == (watch.state.ended, notes)


def test_closing_ends_a_first_build(root: Path, services: ScriptedServices) -> None:
    """At its next file; nothing half is left and nothing was ever clean."""
    for at in range(50):
        (root / f"f{at}.py").write_text(f"x = {at}\n")
    is_building, is_closing = threading.Event(), threading.Event()

    def hold() -> None:
        is_building.set()
        assert is_closing.wait(PATIENCE_S)

    services.before = hold
    watch = SegmentWatch(lambda: services)
    watch.start()
    assert is_building.wait(PATIENCE_S)
    closer = threading.Thread(target=watch.close)
    closer.start()
    until(watch._closing.is_set, "the call of close")
    is_closing.set()
    closer.join(PATIENCE_S)
    assert (False, "closed", "") == (closer.is_alive(), watch.state.ended, watch.is_clean())
    with IndexStore(services.index_path) as store:
        assert "" == store.meta("complete")


def test_closing_without_a_start_is_safe(services: ScriptedServices) -> None:
    """And nothing is clean."""
    watch = SegmentWatch(lambda: services)
    watch.close()
    watch.close()
    assert "" == watch.is_clean()


# --- the real services ------------------------------------------------------------------------------------------------


def test_an_index_that_is_taken_away_is_made_again(root: Path) -> None:
    """`git clean -dfx` removes it with its folder: what was clean is not, until it is there again."""
    with watching(lambda: Services(str(root))) as watch:
        for _ in range(2):
            until(watch.is_clean, "a clean index")
            assert check(watch, root, root / "_ctx/index.db")
            shutil.rmtree(root / "_ctx")
            check(watch, root, root / "_ctx/index.db")
        until(watch.is_clean, "a clean index")
        assert check(watch, root, root / "_ctx/index.db")


def test_ctxs_own_files_do_not_matter(root: Path) -> None:
    """Telemetry and the index's own writing leave it clean."""
    with watching(lambda: Services(str(root))) as watch:
        until(watch.is_clean, "a clean index")
        mark = watch.is_clean()
        with Services(str(root)) as other:
            other.telemetry.event("test", {}, {}, 0)
            other.telemetry.close()
            other.store.put_cached("key", json.dumps({}).encode())
            assert not other.refresh().did_anything
        assert mark == watch.is_clean()


NAMES = ("a.py", "b.py", "c.txt", "d.log", ".ctxignore", "sub/e.py", "sub/f.py", "sub/deep/g.py")
FOLDER_NAMES = ("sub", "sub/deep", "other")

edits = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from(NAMES), st.integers(0, 40)),
        st.tuples(st.just("save"), st.sampled_from(NAMES), st.integers(0, 40)),
        st.tuples(st.just("append"), st.sampled_from(NAMES), st.integers(1, 9)),
        st.tuples(st.just("delete"), st.sampled_from((*NAMES, *FOLDER_NAMES)), st.just(0)),
        st.tuples(st.just("mkdir"), st.sampled_from(FOLDER_NAMES), st.just(0)),
        st.tuples(st.just("move"), st.sampled_from((*NAMES, *FOLDER_NAMES)), st.integers(0, 10)),
        st.tuples(st.just("settle"), st.just(""), st.just(0)),
    ),
    min_size=1,
    max_size=12,
)


def _apply(root: Path, action: str, name: str, number: int) -> None:
    path = root / name
    text = "*.log\n" if name == ".ctxignore" else f"def f{number}(): ...\n" * number
    match action:
        case "write":
            path.write_text(text)
        case "save":
            (root / "saved").write_text(text)
            (root / "saved").rename(path)
        case "append":
            _append(path, "# " + "x" * number)
        case "delete":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        case "mkdir":
            path.mkdir(parents=True)
        case _:
            path.rename(root / (*NAMES, *FOLDER_NAMES)[number])


@settings(max_examples=25)
@given(steps=edits)
def test_no_sequence_of_edits_is_missed(steps: list[tuple[str, str, int]]) -> None:
    """After each, what is called clean is what a look finds clean; and in the end the index is clean."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(os.path.realpath(folder)) / "seg"
        (root / "sub/deep").mkdir(parents=True)
        (root / "a.py").write_text("def a(): ...\n")
        services = ScriptedServices(root, root.parent / "index/index.db")
        with watching(lambda: services) as watch:
            until(watch.is_clean, "a first clean index")
            for action, name, number in steps:
                if action == "settle":
                    until(watch.is_clean, "a clean index")
                else:
                    with contextlib.suppress(OSError):
                        _apply(root, action, name, number)
                check(watch, root, services.index_path)
            until(watch.is_clean, "a clean index at last")
            assert check(watch, root, services.index_path)
