"""The watcher: real events of a real folder, and the system's limits."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from ctx.domain.file_events import FileEvents
from ctx.infrastructure import file_watcher
from ctx.infrastructure.file_watcher import NotifyWatcher

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE_S = 60.0


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "seg"
    (folder / "src").mkdir(parents=True)
    (folder / "node_modules").mkdir()
    (folder / "src/a.py").write_text("a\n")
    return folder


@pytest.fixture
def watcher(root: Path) -> Iterator[NotifyWatcher]:
    with NotifyWatcher(str(root)) as opened:
        yield opened


def test_what_is_written_and_what_comes_is_told(root: Path, watcher: NotifyWatcher) -> None:
    """By path from the segment; coming, going and renaming are anything else."""
    assert "" == watcher.watch([b"", b"src"])
    (root / "src/a.py").write_text("b\n")
    assert FileEvents(frozenset({b"src/a.py"}), False) == watcher.wait(PATIENCE_S)
    for change in (
        lambda: (root / "src/b.py").write_text("c\n"),
        lambda: (root / "src/b.py").rename(root / "src/c.py"),
        (root / "src/c.py").unlink,
        (root / "new").mkdir,
    ):
        change()
        # The rest of the change before comes first, where the system was so busy that the wait for it was over.
        while (events := watcher.wait(PATIENCE_S)) and not events.other:
            pass
        assert events.other


def test_only_the_folders_named_are_watched(root: Path, watcher: NotifyWatcher) -> None:
    """Nothing below them: a marker after the noise is the first thing told."""
    watcher.watch([b"src"])
    for at in range(50):
        (root / f"node_modules/{at}.js").write_text("x")
    (root / "src/a.py").write_text("marker\n")
    assert frozenset({b"src/a.py"}) == watcher.wait(PATIENCE_S).written
    watcher.watch([b"node_modules"])
    (root / "src/a.py").write_text("unheard\n")
    (root / "node_modules/0.js").write_text("heard")
    assert frozenset({b"node_modules/0.js"}) == watcher.wait(PATIENCE_S).written


def test_nothing_is_told_when_nothing_happens(watcher: NotifyWatcher) -> None:
    """After the time asked for."""
    watcher.watch([b""])
    assert not watcher.wait(0.01)


def test_folders_that_are_gone_or_no_text_are_left_to_the_regular_look(root: Path, watcher: NotifyWatcher) -> None:
    """They do not keep the others from being watched."""
    os.mkdir(os.path.join(os.fsencode(root), b"caf\xe9"))
    assert "" == watcher.watch([b"gone", b"caf\xe9", b"src/a.py", b"src"])
    (root / "src/a.py").write_text("c\n")
    assert frozenset({b"src/a.py"}) == watcher.wait(PATIENCE_S).written
    assert "" == watcher.watch([])
    assert not watcher.wait(0.01)


class _Refusing:
    """A system that refuses, in one of its ways."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)

    def __call__(self, *_arguments: object) -> object:
        raise self.errors.pop(0)


@pytest.mark.parametrize(
    "error",
    [
        OSError('OS file watch limit reached. about ["/x"]'),
        file_watcher.WatchfilesRustInternalError("too many open files"),
    ],
)
def test_at_the_systems_limit_it_looks_now_and_then(
    watcher: NotifyWatcher, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """And says so with what to do; each wait then ends with a reason to look."""
    monkeypatch.setattr(file_watcher, "RustNotify", _Refusing(error))
    note = watcher.watch([b""])
    assert str(error) in note
    assert "looking every 2 s instead" in note
    assert "max_user_watches" in note
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    events = watcher.wait(30.0)
    assert (True, [2.0]) == (events.other, slept)
    watcher.wait(0.5)
    assert [2.0, 0.5] == slept


def test_folders_that_vanish_while_watched_are_tried_again(
    watcher: NotifyWatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few times: a checkout takes them away one after the other."""
    refusing = _Refusing(*[FileNotFoundError("gone")] * 5)
    monkeypatch.setattr(file_watcher, "RustNotify", refusing)
    assert "they keep going away" in watcher.watch([b""])
    assert [] == refusing.errors


class _Telling:
    """What watchfiles gives for one wait."""

    def __init__(self, found: object) -> None:
        self.found = found

    def watch(self, *_arguments: object) -> object:
        return self.found

    def close(self) -> None:
        pass


def test_a_signal_is_an_interrupt(watcher: NotifyWatcher) -> None:
    """watchfiles swallows what the handler raised."""
    watcher._notify = _Telling("signal")  # type: ignore[assignment]  # a fake
    with pytest.raises(KeyboardInterrupt):
        watcher.wait(1.0)


def test_a_name_that_is_no_text_is_anything(root: Path, watcher: NotifyWatcher) -> None:
    """Its event shows it with replacement characters."""
    watcher._notify = _Telling({(2, f"{root}/caf\N{REPLACEMENT CHARACTER}.py"), (2, f"{root}/b.py")})  # type: ignore[assignment]  # a fake
    events = watcher.wait(1.0)
    assert (frozenset({b"b.py"}), True) == (events.written, events.other)
