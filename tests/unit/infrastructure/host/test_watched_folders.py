"""Watched folders: which events matter, and which make the watches doubtful."""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING

import pytest

from ctx.infrastructure.host import watched_folders
from ctx.infrastructure.host.watched_folders import ALONE_MAX, WatchedFolders
from ctx.infrastructure.inotify import IGNORED, MODIFY, Q_OVERFLOW, UNMOUNT, Inotify, InotifyEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone has inotify")

FOLDERS = (b"", b"src", b"src/deep", b"lib")
KNOWN = frozenset({*FOLDERS, b"a.py", b"src/a.py", b"src/deep/a.py", b"lib/a.py"})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("src/deep", "lib", "node_modules"):
        (tmp_path / "seg" / folder).mkdir(parents=True)
    for folder in ("", "src", "src/deep", "lib"):
        (tmp_path / "seg" / folder / "a.py").write_text("x = 1\n")
    (tmp_path / "seg/server.log").write_text("")
    return tmp_path / "seg"


@pytest.fixture
def folders(root: Path) -> Iterator[WatchedFolders]:
    watched = WatchedFolders(os.fsencode(root))
    assert "" == watched.watch(FOLDERS)
    yield watched
    watched.close()


def _append(path: Path) -> None:
    with path.open("a") as file:
        file.write("x")


MATTERS: dict[str, Callable[[Path], object]] = {
    "a known file is written": lambda root: _append(root / "src/deep/a.py"),
    "it is truncated": lambda root: os.truncate(root / "a.py", 0),
    "its time is set": lambda root: os.utime(root / "a.py", (1, 1)),
    "a file comes": lambda root: (root / "lib/new.log").write_text(""),
    "a file goes": lambda root: (root / "server.log").unlink(),
    "a file is renamed": lambda root: (root / "server.log").rename(root / "lib/b.log"),
    "a link comes": lambda root: (root / "link").symlink_to("a.py"),
    "a folder's time is set": lambda root: os.utime(root / "lib", (1, 1)),
    "the segment's time is set": lambda root: os.utime(root, (1, 1)),
}


@pytest.mark.parametrize("what", MATTERS)
def test_what_a_look_would_see_matters(root: Path, folders: WatchedFolders, what: str) -> None:
    """Once, and leaves the watches in no doubt."""
    assert not folders.has_news(KNOWN)
    MATTERS[what](root)
    assert (True, False, False) == (folders.has_news(KNOWN), folders.has_news(KNOWN), folders.is_doubtful)


def test_what_a_look_would_not_see_does_not_matter(root: Path, folders: WatchedFolders) -> None:
    """Writing to files that the index does not know, and whatever is in folders that it does not know."""
    _append(root / "server.log")
    (root / "node_modules/a.js").write_text("x")
    (root / "a.py").read_text()
    assert not folders.has_news(KNOWN)
    _append(root / "server.log")
    assert folders.has_news(None)


DOUBTFUL: dict[str, Callable[[Path], object]] = {
    "a folder comes": lambda root: (root / "new").mkdir(),
    "a folder goes": lambda root: ((root / "lib/a.py").unlink(), (root / "lib").rmdir()),
    "a folder moves": lambda root: (root / "lib").rename(root / "src/lib"),
    "a folder leaves": lambda root: (root / "lib").rename(root.parent / "lib"),
    "the segment moves": lambda root: root.rename(root.parent / "other"),
}


@pytest.mark.parametrize("what", DOUBTFUL)
def test_folders_that_come_and_go_make_the_watches_doubtful(root: Path, folders: WatchedFolders, what: str) -> None:
    """Until they are placed again."""
    DOUBTFUL[what](root)
    assert (True, True) == (folders.has_news(KNOWN), folders.is_doubtful)
    folders.place()
    assert not folders.is_doubtful


def test_folders_that_change_places_are_known_by_their_new_ones(root: Path, folders: WatchedFolders) -> None:
    """The kernel's watches moved along: without placing them anew, writing to one would be heard as the other."""
    (root / "lib/only.txt").write_text("")
    (root / "lib").rename(root / "other")
    (root / "src/deep").rename(root / "lib")
    (root / "other").rename(root / "src/deep")
    folders.has_news(KNOWN)
    assert "" == folders.place()
    known = frozenset({b"src/deep/only.txt"})
    _append(root / "lib/a.py")
    assert not folders.has_news(known)
    _append(root / "src/deep/only.txt")
    assert folders.has_news(known)
    assert 4 == len(folders)


@pytest.mark.parametrize("mask", [Q_OVERFLOW, UNMOUNT, IGNORED])
def test_lost_events_and_watches_make_everything_doubtful(
    folders: WatchedFolders, monkeypatch: pytest.MonkeyPatch, mask: int
) -> None:
    """Whatever the kernel says is lost; of a watch that was taken away nothing is asked."""
    watch = min(folders._folders) if mask == IGNORED else -1
    monkeypatch.setattr(Inotify, "read", lambda _self: [InotifyEvent(watch, mask, b""), InotifyEvent(99, MODIFY, b"")])
    assert (True, True) == (folders.has_news(KNOWN), folders.is_doubtful)
    monkeypatch.setattr(Inotify, "read", lambda _self: [InotifyEvent(12345, IGNORED, b"")])
    assert not folders.has_news(KNOWN)


def test_rule_files_and_what_is_gone_are_to_be_looked_at_singly(root: Path, folders: WatchedFolders) -> None:
    """They are no folders; the others are watched all the same."""
    assert "" == folders.watch((*FOLDERS, b"../.gitignore", b"gone"))
    assert ((b"../.gitignore", b"gone"), True) == (folders.alone, folders.is_exact)
    folders.watch(())
    _append(root / "a.py")
    assert (False, 0) == (folders.has_news(KNOWN), len(folders))


def test_at_the_systems_limit_no_watch_is_kept(
    root: Path, folders: WatchedFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason says what to raise, and the next look tries again."""
    real = Inotify.add

    def refusing(self: Inotify, path: bytes, mask: int) -> int:
        if path.endswith(b"lib"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, path, mask)

    monkeypatch.setattr(Inotify, "add", refusing)
    note = folders.watch(FOLDERS)
    assert ("max_user_watches" in note, False, True, 0, -1) == (
        True,
        folders.is_exact,
        folders.is_doubtful,
        len(folders),
        folders.fileno(),
    )
    assert not folders.has_news(KNOWN)
    monkeypatch.undo()
    assert ("", True, 4) == (folders.place(), folders.is_exact, len(folders))


def test_folders_closed_to_us_in_great_number_are_a_reason_not_to_know(
    root: Path, folders: WatchedFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each would be looked at with every question."""

    def refusing(_self: Inotify, path: bytes, mask: int) -> int:
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Inotify, "add", refusing)
    assert "" == folders.watch([b"%d" % at for at in range(ALONE_MAX)])
    assert f"{ALONE_MAX + 1} folders" in folders.watch([b"%d" % at for at in range(ALONE_MAX + 1)])
    assert not folders.is_exact


def test_a_file_system_of_others_is_a_reason_not_to_know(
    folders: WatchedFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Named with the folder; its own events are still heard."""
    monkeypatch.setattr(Inotify, "hears_all", lambda _self, path: not path.endswith(b"src"))
    assert ("src: a file system" in folders.place(), folders.is_exact, len(folders)) == (True, False, 4)


class _Polled:
    """A mount table of which the kernel says that it changed."""

    def poll(self, _timeout_ms: int) -> list[int]:
        return [1]


def test_a_mount_inside_makes_the_watches_doubtful(
    root: Path, folders: WatchedFolders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It covers a folder without an event; one elsewhere is nobody's business."""
    table = tmp_path / "mountinfo"
    table.write_text("21 1 254:0 / / rw - ext4 /dev/vda rw\n")
    monkeypatch.setattr(watched_folders, "_MOUNTS", str(table))
    folders.place()
    folders._mounts._poll = _Polled()  # type: ignore[assignment]  # a fake
    assert not folders.has_news(KNOWN)
    with table.open("a") as file:
        file.write("22 21 0:5 / /elsewhere rw - tmpfs tmpfs rw\n")
    folders._mounts._seen = folders._mounts._inside_now()
    assert not folders.has_news(KNOWN)
    (root / "a b").mkdir()
    folders.has_news(KNOWN)
    folders.place()
    place = str(root / "a b").replace("\\", "\\134").replace(" ", "\\040")
    with table.open("a", encoding="utf-8") as file:
        file.write(f"23 21 0:6 / {place} rw - tmpfs tmpfs rw\n")
    assert (True, True) == (folders.has_news(KNOWN), folders.is_doubtful)
