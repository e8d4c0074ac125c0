"""Which text of a file counts, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ctx.domain.errors import OutsideSegmentError, UsageError
from ctx.infrastructure.host.unsaved_texts import UnsavedTexts

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def texts(tmp_path: Path) -> UnsavedTexts:
    """The texts of an empty segment."""
    return UnsavedTexts(str(tmp_path), 100)


def current(texts: UnsavedTexts) -> dict[bytes, str]:
    """Return what counts now."""
    return {path: text.text for path, text in texts.current.texts.items()}


def test_the_newest_text_counts(texts: UnsavedTexts) -> None:
    """Of two holders the one that changed last; the other's when that one has none any more."""
    texts.put("one", "a.py", "first")
    texts.put("two", "a.py", "second")
    assert {b"a.py": "second"} == current(texts)
    texts.put("one", "a.py", "third")
    assert {b"a.py": "third"} == current(texts)
    texts.put("one", "a.py", None)
    assert {b"a.py": "second"} == current(texts)
    assert [b"a.py"] == texts.drop("two")
    assert ({}, []) == (current(texts), texts.drop("one"))


def test_every_state_has_a_version_and_every_text_a_time(texts: UnsavedTexts) -> None:
    """The same text again is no change; times are below zero and never come twice for another text."""
    texts.put("one", "a.py", "same")
    first = texts.current
    texts.put("one", "a.py", "same")
    assert first is texts.current
    texts.put("one", "a.py", "new")
    assert texts.current.version > first.version
    times = [snapshot.texts[b"a.py"].mtime_ns for snapshot in (first, texts.current)]
    assert (True, True) == (max(times) < 0, times[0] != times[1])
    assert {b"a.py": (3, times[1])} == texts.current.files
    assert (b"new", None) == (texts.current.data(b"a.py"), texts.current.data(b"b.py"))


def test_paths_are_those_of_the_segment(texts: UnsavedTexts, tmp_path: Path) -> None:
    """A way through a link is the file's own; one that leads out is refused."""
    (tmp_path / "real.py").write_text("x")
    (tmp_path / "link.py").symlink_to("real.py")
    assert b"real.py" == texts.put("one", "link.py", "text")
    assert b"sub/new.py" == texts.put("one", "./sub/../sub/new.py", "text")
    for path in ("../out.py", "/etc/passwd", "."):
        with pytest.raises(OutsideSegmentError):
            texts.put("one", path, "text")


@pytest.mark.parametrize(("path", "text"), [("a.py", "x" * 101), (".env", "TOKEN=1"), ("deep/id_rsa", "x")])
def test_what_is_refused_drops_what_was_there(texts: UnsavedTexts, path: str, text: str) -> None:
    """Too large, or a secret: the file answers as it was saved."""
    if path == "a.py":
        texts.put("one", path, "small")
    with pytest.raises(UsageError):
        texts.put("one", path, text)
    assert {} == current(texts)
