"""The index over unsaved texts equals one that is built from nothing over the same files, whatever happened before."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import sqlite3
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.strategies import python_sources

from ctx.infrastructure.config import load_config
from ctx.infrastructure.host import unsaved_overlay as module
from ctx.infrastructure.host.unsaved_overlay import OverlayClosedError, UnsavedOverlay, remove_left_overlays
from ctx.infrastructure.host.unsaved_texts import Snapshot, UnsavedTexts
from ctx.infrastructure.index_store import IndexPeek, IndexStore
from ctx.infrastructure.services import Services
from ctx.infrastructure.warm_host import HostLook

if TYPE_CHECKING:
    from collections.abc import Iterator

PATHS = ("a.py", "sub/b.py", "sub/c.py", "new/d.py", "notes.md")
UNCHANGED_COLUMNS = "path, size_bytes, content_sha, language, status, reason, encoding, lines, tokens, generated"


class Rig:
    """A segment with texts and their index."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.segment = folder / "segment"
        self.segment.mkdir()
        self.runtime = folder / "run"
        self.runtime.mkdir(mode=0o700)
        (self.runtime / "ctx").mkdir(mode=0o700)
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(self.runtime))
        monkeypatch.setenv("HOME", str(folder))
        monkeypatch.setenv("CTX_TELEMETRY", "off")
        self.mark = ""
        self.notes: list[str] = []
        self._mtime_ns = 1_700_000_000_000_000_000
        self.config = load_config(str(self.segment), os.environ)
        self.texts = UnsavedTexts(str(self.segment), 1 << 20)
        self.overlay = self._new()

    def _new(self) -> UnsavedOverlay:
        return UnsavedOverlay(
            str(self.segment),
            self.texts,
            config=self.config,
            index_path=str(self.segment / "_ctx/index.db"),
            clean_mark=lambda: self.mark,
            on_note=self.notes.append,
        )

    def write(self, path: str, text: str | None) -> None:
        """Write or remove a file on disk; no two changes fall into one tick of the disk's clock."""
        where = self.segment / path
        if text is None:
            where.unlink(missing_ok=True)
        else:
            where.parent.mkdir(parents=True, exist_ok=True)
            where.write_bytes(text.encode())
        for changed in (where, *where.parents):
            if changed.exists():
                self._mtime_ns += 1_000_000
                os.utime(changed, ns=(self._mtime_ns, self._mtime_ns))
            if changed == self.segment:
                break

    def refresh(self) -> None:
        """Bring the segment's own index up to date."""
        with Services(str(self.segment), config=self.config) as services:
            services.refresh()
            self.mark = services.store.meta("generation")

    def copies(self) -> list[str]:
        """Return the folders of copies that are there."""
        return [path.name for path in (self.runtime / "ctx").iterdir()]


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    """An indexed segment of one file."""
    made = Rig(tmp_path, monkeypatch)
    made.write("a.py", "def of_the_disk(): ...\n")
    made.refresh()
    yield made
    made.overlay.close()
    assert ([], []) == (made.copies(), made.notes)


def content_of(path: str) -> dict[str, list[Any]]:
    """Return all that an index holds but for numbers and times, which depend on its history."""
    with IndexStore(path, makes=False) as store:
        files = "SELECT path FROM files f WHERE f.file_id = t.file_id"
        return {
            "files": store._rows(f"SELECT {UNCHANGED_COLUMNS} FROM files ORDER BY path"),
            "chunks": store._rows(
                f"SELECT ({files}), kind, name, qualname, signature, doc, names, start_line, end_line, tokens, digest,"
                " twin, part FROM chunks t ORDER BY 1, start_line, end_line, kind, qualname"
            ),
            "definitions": store._rows(f"SELECT ({files}), t.* FROM definitions t ORDER BY 1, position"),
            "imports": store._rows(f"SELECT ({files}), line, text FROM imports t ORDER BY 1, 2"),
            "names": store._rows(f"SELECT ({files}), name FROM imported_names t ORDER BY 1, 2"),
            "check": [store.check()],
            "match": store._rows(
                f"SELECT ({files}), t.qualname FROM chunk_terms x JOIN chunks t ON t.chunk_id = x.rowid"
                " WHERE chunk_terms MATCH 'def OR class OR run OR wrap' ORDER BY 1, 2, t.start_line"
            ),
        }


def without_ids(content: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Leave out what counts files in the order of their coming."""
    return content | {"definitions": [(row[0], *row[2:]) for row in content["definitions"]]}


def from_scratch(rig: Rig) -> dict[str, list[Any]]:
    """Return the content of an index built over a tree that is, on disk, what texts and files are together."""
    whole = Path(tempfile.mkdtemp(dir=rig.segment.parent)) / "segment"
    shutil.copytree(rig.segment, whole, ignore=shutil.ignore_patterns("_ctx"))
    for path, text in rig.texts.current.texts.items():
        where = whole / os.fsdecode(path)
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_bytes(text.data)
    with Services(str(whole), config=rig.config) as services:
        services.refresh()
        services.store.close()
        return without_ids(content_of(services.index_path))


def test_a_text_is_in_the_index_and_not_in_the_segments(rig: Rig) -> None:
    """A look gives an index that holds it; without a text there is none."""
    assert rig.overlay.look().unsaved is None
    rig.texts.put("one", "a.py", "def unsaved(): ...\n")
    found = rig.overlay.look().unsaved
    assert found is not None
    assert [b"a.py"] == list(found.files)
    assert from_scratch(rig) == without_ids(content_of(found.path))
    assert 0o600 == os.stat(found.path).st_mode & 0o777
    with IndexStore(str(rig.segment / "_ctx/index.db")) as store:
        assert [] == store.definitions_named("unsaved", 5)
    rig.texts.put("one", "a.py", None)
    assert rig.overlay.look().unsaved is None


def test_an_index_that_is_not_whole_comes_first(rig: Rig) -> None:
    """While the segment's own is being built there is nothing to copy."""
    with IndexStore(str(rig.segment / "_ctx/index.db")) as store, store.writing(wait_s=1), store.transaction():
        store.set_meta("complete", "")
    rig.texts.put("one", "a.py", "def unsaved(): ...\n")
    look = rig.overlay.look()
    assert (True, None) == (look.is_pending, look.unsaved)
    rig.refresh()
    assert rig.overlay.look().unsaved is not None


def test_an_index_that_is_locked_for_a_moment_is_whole(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite locks readers out while the last connection before them is closed; that is waited for."""
    locking = sqlite3.connect(rig.segment / "_ctx/index.db", isolation_level=None, check_same_thread=False)
    for sql in ("PRAGMA locking_mode = EXCLUSIVE", "BEGIN IMMEDIATE", "COMMIT"):
        locking.execute(sql)
    mark, is_asked = IndexPeek.mark, threading.Event()

    def noted(peek: IndexPeek) -> tuple[int, int, str] | None:
        is_asked.set()
        return mark(peek)

    monkeypatch.setattr(IndexPeek, "mark", noted)
    rig.texts.put("one", "a.py", "def unsaved(): ...\n")
    found: list[HostLook] = []
    looking = threading.Thread(target=lambda: found.append(rig.overlay.look()))
    looking.start()
    is_asked.wait()
    looking.join(0.2)  # it has to wait for us
    locking.close()
    looking.join()
    assert (False, True) == (found[0].is_pending, found[0].unsaved is not None)


def test_a_clean_tree_is_not_looked_at(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the mark stays, only texts are compared, and with nothing new nothing at all."""
    rig.texts.put("one", "a.py", "def unsaved(): ...\n")
    first = rig.overlay.look()
    known: list[bool] = []
    take_in = module.OverlayServices.take_in
    monkeypatch.setattr(
        module.OverlayServices,
        "take_in",
        lambda self, snapshot, *, is_disk_known: (
            known.append(is_disk_known) or take_in(self, snapshot, is_disk_known=is_disk_known)
        ),
    )
    assert first is rig.overlay.look()
    rig.texts.put("one", "b.py", "def more(): ...\n")
    rig.overlay.look()
    rig.mark = ""
    rig.overlay.look()
    assert [True, False] == known


def test_many_changes_come_with_another_copy(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another branch is read once, by the segment's own index."""
    monkeypatch.setattr(module, "AFRESH_FILES_MIN", 3)
    rig.texts.put("one", "a.py", "def unsaved(): ...\n")
    first = rig.overlay.look().unsaved
    rig.mark = ""
    for number in range(5):
        rig.write(f"other/m{number}.py", f"def other_{number}(): ...\n")
    second = rig.overlay.look().unsaved
    assert first is not None
    assert second is not None
    assert first.path != second.path
    assert from_scratch(rig) == without_ids(content_of(second.path))
    with IndexStore(str(rig.segment / "_ctx/index.db")) as store:
        assert 1 == len(store.definitions_named("other_4", 5))


def test_a_damaged_copy_is_made_anew(rig: Rig) -> None:
    """Whoever finds it damaged says so, and the next look gives another one."""
    rig.texts.put("one", "a.py", "def unsaved(): ...\n")
    first = rig.overlay.look().unsaved
    rig.overlay.renew()
    second = rig.overlay.look().unsaved
    assert first is not None
    assert second is not None
    assert (False, True) == (os.path.exists(first.path), os.path.exists(second.path))


def test_a_copy_goes_a_while_after_the_last_text(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not at once: whoever saves goes on typing."""
    rig.texts.put("one", "a.py", "def unsaved(): ...\n")
    first = rig.overlay.look().unsaved
    assert first is not None
    rig.texts.put("one", "a.py", None)
    rig.overlay.hurry()
    assert os.path.exists(first.path)
    monkeypatch.setattr(module, "LINGER_S", 0.01)
    rig.overlay.hurry()
    for _ in range(1000):
        if not rig.copies():
            break
        with rig.overlay._changed:
            rig.overlay._changed.wait(0.01)
    assert [] == rig.copies()


def test_texts_without_room_for_their_index_are_not_none(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is known that something is missing, and the log says why."""

    def no_room(_store: IndexStore, _path: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr(module.IndexStore, "copy_to", no_room)
        rig.texts.put("one", "a.py", "def unsaved(): ...\n")
        assert rig.overlay.look() == HostLook(is_unknown=True)
    assert {"No space left on device"} == {note.rpartition("] ")[2] for note in rig.notes}
    rig.notes.clear()
    assert rig.overlay.look().unsaved is not None


def test_texts_without_their_index_are_not_none(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the end a look says that it has nothing to give, also one that waits; without a text there is nothing."""
    refresh = module._Copy.refresh

    def and_it_ends(copy: Any, snapshot: Snapshot, *, is_disk_known: bool) -> tuple[str, ...]:
        rig.overlay._is_closing = True
        return refresh(copy, snapshot, is_disk_known=is_disk_known)

    rig.texts.put("one", "a.py", "def unsaved(): ...\n")
    assert rig.overlay.look().unsaved is not None
    monkeypatch.setattr(module._Copy, "refresh", and_it_ends)
    rig.mark = ""
    for _ in range(2):
        with pytest.raises(OverlayClosedError):
            rig.overlay.look()
        rig.overlay.close()
    rig.texts.put("one", "a.py", None)
    assert rig.overlay.look() == HostLook()


@pytest.mark.parametrize("was_asked", [False, True], ids=["the first look", "a look after none was needed"])
def test_texts_whose_index_takes_too_long_are_not_none(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, *, was_asked: bool
) -> None:
    """Who waited in vain learns that something is missing, whatever there was to say before."""
    copy_to, may_copy = IndexStore.copy_to, threading.Event()

    def slow(store: IndexStore, path: str) -> None:
        may_copy.wait()
        copy_to(store, path)

    if was_asked:
        rig.overlay.hurry()
        with rig.overlay._changed:
            rig.overlay._changed.wait_for(lambda: rig.overlay._done)
    rig.texts.put("one", "a.py", "def unsaved(): ...\n")
    with monkeypatch.context() as busy:
        busy.setattr(module.IndexStore, "copy_to", slow)
        busy.setattr(module, "LOOK_WAIT_S", 0.01)
        assert rig.overlay.look() == HostLook(is_unknown=True)
        may_copy.set()
    assert rig.overlay.look().unsaved is not None


def test_an_index_that_goes_while_somebody_waits_for_it_is_not_none(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two ask, and between their turns the copy is thrown away: the first has nothing to take any more."""
    refresh, renewed = module._Copy.refresh, threading.Event()

    def and_another_asks(copy: Any, snapshot: Snapshot, *, is_disk_known: bool) -> tuple[str, ...]:
        if not renewed.is_set():
            renewed.set()
            rig.overlay.renew()
            rig.overlay.hurry()
        return refresh(copy, snapshot, is_disk_known=is_disk_known)

    leave, has_left, is_taken = UnsavedOverlay._leave_copy, threading.Event(), threading.Event()

    def and_wait(overlay: UnsavedOverlay) -> None:
        leave(overlay)
        has_left.set()

    def stand_still(overlay: UnsavedOverlay) -> tuple[HostLook, tuple[int, str]]:
        if has_left.is_set():
            is_taken.wait()
        return updated(overlay)

    updated = UnsavedOverlay._updated
    rig.texts.put("one", "a.py", "def unsaved(): ...\n")
    monkeypatch.setattr(module._Copy, "refresh", and_another_asks)
    monkeypatch.setattr(UnsavedOverlay, "_leave_copy", and_wait)
    monkeypatch.setattr(UnsavedOverlay, "_updated", stand_still)
    wait_for = rig.overlay._changed.wait_for

    def late(predicate: Any, timeout_s: float) -> bool:
        """Be woken only when the copy is gone again."""
        return wait_for(lambda: predicate() and has_left.is_set(), timeout_s)

    monkeypatch.setattr(rig.overlay._changed, "wait_for", late)
    assert rig.overlay.look() == HostLook(is_unknown=True)
    is_taken.set()
    assert rig.overlay.look().unsaved is not None


def test_what_a_killed_owner_left_is_removed(rig: Rig) -> None:
    """And nothing of an owner that lives."""
    rig.texts.put("one", "a.py", "def unsaved(): ...\n")
    rig.overlay.look()
    (alive,) = rig.copies()
    left = rig.runtime / "ctx" / (alive + "left")
    left.mkdir()
    (left / "owner").touch()
    (left / "index.db").write_text("what a killed process left")
    remove_left_overlays(str(rig.segment))
    assert [alive] == rig.copies()


def test_what_is_being_made_is_not_taken_for_left(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another face on the segment may look for what was left just then."""
    flock = fcntl.flock

    def and_another_looks(fd: int, how: int) -> None:
        if how == fcntl.LOCK_EX:
            remove_left_overlays(str(rig.segment))
        flock(fd, how)

    monkeypatch.setattr(fcntl, "flock", and_another_looks)
    rig.texts.put("one", "a.py", "def unsaved(): ...\n")
    assert rig.overlay.look().unsaved is not None
    assert 1 == len(rig.copies())


steps = st.lists(
    st.tuples(
        st.sampled_from(["text", "text", "back", "back", "file", "gone"]),
        st.sampled_from(PATHS),
        python_sources(),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(steps=steps, is_watched=st.booleans())
@example(steps=[("text", "a.py", "x = 1\n", True), ("back", "a.py", "", False)], is_watched=True)
@example(steps=[("text", "new/d.py", "x = 1\n", True), ("back", "new/d.py", "", True)], is_watched=True)
def test_it_equals_an_index_from_scratch(steps: list[tuple[str, str, str, bool]], is_watched: bool) -> None:
    """After any texts set and taken back, and any files written and removed meanwhile, with and without a watch."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as monkeypatch:
        rig = Rig(Path(folder), monkeypatch)
        rig.write("a.py", "def of_the_disk(): ...\n")
        rig.refresh()
        try:
            rig.texts.put("one", "last.py", "def last(): ...\n")
            for what, path, text, is_looked_at in steps:
                if what == "text":
                    rig.texts.put("one", path, text)
                elif what == "back":
                    rig.texts.put("one", path, None)
                else:
                    rig.mark = ""
                    rig.write(path, text if what == "file" else None)
                    if is_watched:
                        rig.refresh()
                if is_looked_at:
                    rig.overlay.look()
            found = rig.overlay.look().unsaved
            assert found is not None
            assert rig.texts.current.files == found.files
            assert from_scratch(rig) == without_ids(content_of(found.path))
        finally:
            rig.overlay.close()
        assert ([], []) == (rig.copies(), rig.notes)
