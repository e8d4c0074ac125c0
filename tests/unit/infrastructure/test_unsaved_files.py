"""Files with texts in their place: what a probe and a walk tell of them, and which texts belong to a segment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from ctx.domain.errors import NotFoundError
from ctx.domain.source_files import Skipped, decode_source
from ctx.infrastructure.null_telemetry import NullTelemetry
from ctx.infrastructure.unsaved_files import UnsavedFiles, data_of

if TYPE_CHECKING:
    from pathlib import Path


class Texts:
    """A view that the test fills."""

    def __init__(self) -> None:
        self.texts: dict[bytes, tuple[bytes, int]] = {}

    @property
    def files(self) -> dict[bytes, tuple[int, int]]:
        """Size and time by path."""
        return {path: (len(data), mtime) for path, (data, mtime) in self.texts.items()}

    def data(self, os_path: bytes) -> bytes | None:
        """Return the bytes."""
        found = self.texts.get(os_path)
        return found[0] if found is not None else None


@pytest.fixture
def texts() -> Texts:
    """No text yet."""
    return Texts()


@pytest.fixture
def files(tmp_path: Path, texts: Texts) -> UnsavedFiles:
    """A segment of two files and a rule."""
    (tmp_path / "a.py").write_text("a = 1\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/b.py").write_text("b = 1\n")
    (tmp_path / ".gitignore").write_text("build/\n*.log\n!sub/kept.log\n")
    return UnsavedFiles(str(tmp_path), texts, telemetry=NullTelemetry(), max_file_bytes=1 << 20)


def paths(found: object) -> list[bytes]:
    """Return the paths of a walk."""
    return [path for path, _size, _mtime in getattr(found, "files")]  # noqa: B009 - for any walk


def test_without_texts_it_is_the_disk(files: UnsavedFiles) -> None:
    """Walk and probe are those of the files."""
    walk = files.walk()
    assert [b".gitignore", b"a.py", b"sub/b.py"] == paths(walk)
    assert files.probe(walk.files, walk.directories).is_empty
    assert files.is_as_on_disk(b"a.py")


def test_a_text_stands_for_its_file(files: UnsavedFiles, texts: Texts) -> None:
    """Its size, time and content are the file's; taken back, the file has changed again."""
    walk = files.walk()
    texts.texts[b"a.py"] = (b"unsaved = 2\n", -1)
    changes = files.probe(walk.files, walk.directories)
    assert ((b"a.py",), (), ()) == (changes.changed, changes.removed, changes.added)
    source = files.read_source(b"a.py")
    assert not isinstance(source, Skipped)
    assert ("unsaved = 2\n", 12, -1) == (source.text, source.size_bytes, source.mtime_ns)
    assert (12, -1) == files.stat(b"a.py")
    assert not files.is_as_on_disk(b"a.py")
    seen = files.walk()
    assert files.probe(seen.files, seen.directories).is_empty
    del texts.texts[b"a.py"]
    for files.is_disk_known in (False, True):
        assert (b"a.py",) == files.probe(seen.files, seen.directories).changed


def test_with_a_known_disk_only_texts_are_compared(files: UnsavedFiles, texts: Texts, tmp_path: Path) -> None:
    """Whoever says that nothing changed there is believed."""
    walk = files.walk()
    (tmp_path / "a.py").write_text("changed on disk\n")
    texts.texts[b"sub/b.py"] = (b"x", -1)
    files.is_disk_known = True
    assert (b"sub/b.py",) == files.probe(walk.files, walk.directories).changed


def test_a_file_that_went_under_its_text(files: UnsavedFiles, texts: Texts, tmp_path: Path) -> None:
    """The text stands; without it the file is gone."""
    texts.texts[b"a.py"] = (b"still = 1\n", -1)
    os.utime(tmp_path, ns=(1, 1))  # not left to the tick of the file system's clock
    seen = files.walk()
    (tmp_path / "a.py").unlink()
    changes = files.probe(seen.files, seen.directories)
    assert ((), ()) == (changes.changed, changes.removed)
    touched = files.walk_touched(seen, changes)
    assert touched is not None
    assert b"a.py" in paths(touched)
    del texts.texts[b"a.py"]
    for files.is_disk_known in (False, True):
        assert (b"a.py",) == files.probe(seen.files, seen.directories).removed


@pytest.mark.parametrize(
    ("path", "is_seen"),
    [
        (b"new.py", True),
        (b"new/deep/one.py", True),
        (b"sub/kept.log", True),
        (b"build/x.py", False),
        (b"deep/build/x.py", False),
        (b"noise.log", False),
        (b"node_modules/x.js", False),
        (b".git/config.py", False),
        (b"_ctx/x.py", False),
        (b".env", False),
        (b"a.py/below_a_file.py", False),
        (b"no" * 200, False),
    ],
)
def test_a_text_without_a_file(files: UnsavedFiles, texts: Texts, path: bytes, is_seen: bool) -> None:
    """It is a file of the segment if no rule would hide one of that name."""
    walk = files.walk()
    texts.texts[path] = (b"new = 1\n", -1)
    added = [one[0] for one in files.probe(walk.files, walk.directories).added]
    assert ([path] if is_seen else []) == added == [one for one in paths(files.walk()) if one == path]


def test_rules_of_the_repository_around(tmp_path: Path, texts: Texts) -> None:
    """A segment below a repository's root is under its rules, and those of git's own file."""
    (tmp_path / ".git/info").mkdir(parents=True)
    (tmp_path / ".git/info/exclude").write_text("secret_*\n")
    (tmp_path / ".gitignore").write_text("/inner/gone/\n")
    (tmp_path / "inner").mkdir()
    files = UnsavedFiles(str(tmp_path / "inner"), texts, telemetry=NullTelemetry(), max_file_bytes=1 << 20)
    files.levels_to_git = 1
    for path in (b"gone/x.py", b"secret_x.py", b"kept/x.py"):
        texts.texts[path] = (b"x", -1)
    assert [b"kept/x.py"] == [path for path, _size, _mtime in files.probe((), ()).added]
    (tmp_path / ".gitignore").write_text("/inner/kept/\n")
    assert [b"gone/x.py"] == [path for path, _size, _mtime in files.probe((), ()).added]


def test_a_file_that_is_there_and_left_out_stays_so(files: UnsavedFiles, texts: Texts, tmp_path: Path) -> None:
    """What the rules hide, or a link, is not seen because somebody edits it."""
    (tmp_path / "noise.log").write_text("x")
    (tmp_path / "link.py").symlink_to("a.py")
    walk = files.walk()
    texts.texts |= {b"noise.log": (b"y", -1), b"link.py": (b"y", -2)}
    assert () == files.probe(walk.files, walk.directories).added
    assert paths(walk) == paths(files.walk())


def test_paths_of_texts_lead_somewhere(files: UnsavedFiles, texts: Texts) -> None:
    """A person may name a file that only an editor has."""
    with pytest.raises(NotFoundError):
        files.resolve_inside("new.py")
    texts.texts[b"new.py"] = (b"new = 1\n", -1)
    assert b"new.py" == files.resolve_inside("new.py")
    assert "new = 1\n" == files.read_file_at_mode("new.py", "raw").text


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (b"a.py", "x = 'ü'\n"),
        (b"a.py", "# -*- coding: latin-1 -*-\nx = 'ü'\n"),
        (b"a.py", "# coding: utf-8\nx = 'ü'\n"),
        (b"a.py", "\ufeffx = 1\n"),
        (b"a.txt", "coding: none\r\nline\r"),
    ],
)
def test_bytes_decode_to_the_text(path: bytes, text: str) -> None:
    """Whatever its first lines say of the file's encoding."""
    decoded = decode_source(data_of(text, path), path)
    assert decoded is not None
    assert text == decoded.text
    assert os.path.basename(path) == path
