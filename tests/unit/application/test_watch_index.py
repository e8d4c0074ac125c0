"""Watching: when to look, what to watch, and what to do while another writes."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import pytest
from tests.fakes import SegmentOnDisk

from ctx.application.refresh_index import RefreshReport
from ctx.application.watch_index import GIVE_UP_AFTER_S, LOOK_EVERY_S, RETRY_S, Update, WatchIndex
from ctx.domain.errors import CtxError, IndexBusyError
from ctx.domain.file_events import FileEvents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

OTHER = FileEvents(other=True)


class ScriptedWatcher:
    """Does one thing at each wait and reports what it is told to; past the script it ends the watch."""

    def __init__(self, *steps: tuple[Callable[[], object], FileEvents], note: str = "") -> None:
        self._steps = list(steps)
        self._note = note
        self.watched: list[list[bytes]] = []
        self.waits_s: list[float] = []

    def watch(self, folders: Iterable[bytes]) -> str:
        self.watched.append(list(folders))
        return self._note

    def wait(self, timeout_s: float) -> FileEvents:
        self.waits_s.append(timeout_s)
        if not self._steps:
            raise CtxError("the script is over")
        act, events = self._steps.pop(0)
        act()
        return events


@pytest.fixture
def segment(tmp_path: Path) -> Iterator[SegmentOnDisk]:
    (tmp_path / "seg").mkdir()
    with SegmentOnDisk(tmp_path / "seg", tmp_path / "index/index.db") as opened:
        opened.put("a.py", "def a(): ...\n")
        opened.put(".gitignore", "*.log\n")
        opened.refresh()
        yield opened


def run(segment: SegmentOnDisk, watcher: ScriptedWatcher) -> tuple[list[Update], list[str], int]:
    """Watch to the end of the script; return the updates, the notes and the number of looks."""
    looks, notes = 0, list[str]()

    def counted() -> RefreshReport:
        nonlocal looks
        looks += 1
        return segment.refresh()

    updates: list[Update] = []
    watch = WatchIndex(counted, lambda: segment.store, watcher, segment.clock)
    stream = watch.updates(notes.append)
    with pytest.raises(CtxError, match="the script is over"):
        updates.extend(update for update in stream)
    return updates, notes, looks


def test_a_change_is_one_update(segment: SegmentOnDisk) -> None:
    """A look after the watch began, one after the event, none in between."""
    watcher = ScriptedWatcher((lambda: segment.put("a.py", "def b(): ...\n"), FileEvents(frozenset({b"a.py"}))))
    updates, notes, looks = run(segment, watcher)
    assert [(0, 1, 0)] == [(u.report.files_added, u.report.files_changed, u.report.files_removed) for u in updates]
    assert ([[b""]], [LOOK_EVERY_S] * 2, [], 3) == (watcher.watched, watcher.waits_s, notes, looks)


def test_what_happened_before_the_watch_is_seen(segment: SegmentOnDisk) -> None:
    """No event tells of it."""
    segment.put("early.py", "x = 1\n")
    watch = WatchIndex(segment.refresh, lambda: segment.store, ScriptedWatcher(), segment.clock)
    (update,) = islice(watch.updates(lambda _note: None), 1)
    assert 1 == update.report.files_added


def test_new_folders_are_watched_and_old_ones_left(segment: SegmentOnDisk) -> None:
    """With another look, for what came into them meanwhile."""
    watcher = ScriptedWatcher(
        (lambda: segment.put("new/deep/b.py", "y = 1\n"), OTHER), (lambda: segment.delete("new"), OTHER)
    )
    watch = WatchIndex(segment.refresh, lambda: segment.store, watcher, segment.clock)
    updates = list(islice(watch.updates(lambda _note: None), 2))
    assert [(1, 0), (0, 1)] == [(u.report.files_added, u.report.files_removed) for u in updates]
    assert [[b""], [b"", b"new", b"new/deep"], [b""]] == watcher.watched


def test_writing_to_unknown_files_wakes_nobody(segment: SegmentOnDisk) -> None:
    """A log that grows; a rule file does, and so does the time."""
    log = FileEvents(frozenset({b"server.log"}))
    watcher = ScriptedWatcher(*[(lambda: None, log)] * 5)
    _updates, _notes, looks = run(segment, watcher)
    assert 2 == looks  # before and after the watch began
    for events in (FileEvents(frozenset({b".gitignore"})), FileEvents(), OTHER):
        _updates, _notes, looks = run(segment, ScriptedWatcher((lambda: None, events)))
        assert 3 == looks


def test_a_busy_index_is_tried_again(segment: SegmentOnDisk) -> None:
    """Whether there is something to answer from or not; said once."""
    answers: list[RefreshReport | IndexBusyError] = [
        RefreshReport(stale=("a.py",)),
        IndexBusyError("busy"),
        RefreshReport(stale=("a.py",)),
        RefreshReport(files_changed=1),
    ]

    def refresh() -> RefreshReport:
        answer = answers.pop(0)
        if isinstance(answer, IndexBusyError):
            raise answer
        return answer

    watcher = ScriptedWatcher(*[(lambda: None, FileEvents())] * 3)
    notes: list[str] = []
    watch = WatchIndex(refresh, lambda: segment.store, watcher, segment.clock)
    (update,) = islice(watch.updates(notes.append), 1)
    assert (1, [RETRY_S] * 3, []) == (update.report.files_changed, watcher.waits_s, answers)
    assert ["another ctx is writing the index; what changed is taken in after it"] == notes


def test_a_watchers_note_is_told_once(segment: SegmentOnDisk) -> None:
    """However often folders come and go."""
    watcher = ScriptedWatcher((lambda: segment.put("n/b.py", "y = 1\n"), OTHER), note="no more watches")
    updates, notes, _looks = run(segment, watcher)
    assert (2, ["no more watches"]) == (len(watcher.watched), notes)
    assert [1] == [update.report.files_added for update in updates]


def test_a_look_that_fails_is_tried_again_for_a_while(segment: SegmentOnDisk) -> None:
    """Somebody deletes the index's folder; what stays wrong ends the watch with the reason."""
    failures = [CtxError("the disk is full")] * 3

    def refresh() -> RefreshReport:
        if failures:
            raise failures.pop()
        return RefreshReport(files_changed=1)

    second_ns = int(RETRY_S * 1e9)
    wait = (lambda: segment.clock.advance_ns(second_ns), FileEvents())
    watch = WatchIndex(refresh, lambda: segment.store, ScriptedWatcher(*[wait] * 3), segment.clock)
    assert 1 == next(watch.updates(lambda _note: None)).report.files_changed
    failures = [CtxError("the disk is full")] * 100
    watcher = ScriptedWatcher(*[wait] * 100)
    watch = WatchIndex(refresh, lambda: segment.store, watcher, segment.clock)
    with pytest.raises(CtxError, match="the disk is full"):
        next(watch.updates(lambda _note: None))
    assert int(GIVE_UP_AFTER_S / RETRY_S) + 1 == len(watcher.waits_s)


def test_an_index_that_cannot_be_asked_is_a_reason_to_look(segment: SegmentOnDisk) -> None:
    """The look finds out what is wrong."""
    looks = 0

    def refresh() -> RefreshReport:
        nonlocal looks
        looks += 1
        return RefreshReport()

    watcher = ScriptedWatcher((segment.store.close, FileEvents(frozenset({b"a.py"}))), (segment.store.open, OTHER))
    with pytest.raises(CtxError, match="the script is over"):
        next(WatchIndex(refresh, lambda: segment.store, watcher, segment.clock).updates(lambda _note: None))
    assert looks >= 4


def test_looks_are_framed_for_who_keeps_count(segment: SegmentOnDisk) -> None:
    """Told before each, and after those that left nothing to do with every folder watched; it may ask for another."""
    told: list[str] = []
    answers = iter([False, True, True])
    watcher = ScriptedWatcher((lambda: segment.put("n/b.py", "y = 1\n"), OTHER))

    def settled() -> bool:
        told.append("settled")
        return next(answers)

    stream = WatchIndex(segment.refresh, lambda: segment.store, watcher, segment.clock).updates(
        lambda _note: None, on_look=lambda: told.append("look"), on_settled=settled
    )
    with pytest.raises(CtxError, match="the script is over"):
        list(stream)
    first = ["look", "look", "settled", "look", "settled"]  # the folders, another by request
    assert [*first, "look", "look", "settled"] == told  # the folder came, then it was watched
