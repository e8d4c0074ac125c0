"""SegmentTrees: names of files by their indexed paths, a bounded number of them kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fakes import RecordingTelemetry

from ctx.infrastructure.ast_lsp import segment_trees
from ctx.infrastructure.ast_lsp.segment_trees import SegmentTrees
from ctx.infrastructure.file_system import FileSystemAdapter

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_files_are_read_once_and_without_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kept tree is handed out again; the one not asked for the longest goes first; bytes are counted, no more."""
    monkeypatch.setattr(segment_trees, "TREES_KEPT", 2)
    for name in "abc":
        (tmp_path / f"{name}.py").write_text(f"{name} = 1\n")
    telemetry = RecordingTelemetry()
    trees = SegmentTrees(FileSystemAdapter(str(tmp_path), telemetry=telemetry))
    first = trees("a.py")
    assert first is not None
    assert "python" == first.language
    trees("b.py")
    assert first is trees("a.py")
    trees("c.py")
    assert first is trees("a.py")
    assert 18 == telemetry.counters["index_read_bytes_total"]
    trees("b.py")
    assert 24 == telemetry.counters["index_read_bytes_total"]
    assert [] == telemetry.events


def test_what_has_no_names(tmp_path: Path) -> None:
    """A file that is gone, binary or in no language ctx parses."""
    (tmp_path / "x.bin").write_bytes(b"\0")
    (tmp_path / "x.txt").write_text("words\n")
    trees = SegmentTrees(FileSystemAdapter(str(tmp_path), telemetry=RecordingTelemetry()))
    assert [None, None, None] == [trees("gone.py"), trees("x.bin"), trees("x.txt")]
    assert (None, b"words\n") == (trees.source("x.bin"), trees.source("x.txt"))


def test_a_source_in_hand_is_parsed_once(tmp_path: Path) -> None:
    """What was parsed from a source answers for its path."""
    (tmp_path / "a.py").write_text("a = 1\n")
    trees = SegmentTrees(FileSystemAdapter(str(tmp_path), telemetry=RecordingTelemetry()))
    source = trees.source("a.py")
    assert source is not None
    tree = trees.parse("a.py", source)
    assert tree is not None
    assert tree is trees.parse("a.py", source)
    assert tree is trees("a.py")


def test_what_must_not_be_parsed_is_only_read(tmp_path: Path) -> None:
    """Neither by its path nor from a source in hand; which files these are is asked once, and only for a parse."""
    for name in "ab":
        (tmp_path / f"{name}.py").write_text(f"{name} = 1\n")
    asked: list[int] = []

    def unparsed() -> list[str]:
        asked.append(1)
        return ["a.py"]

    trees = SegmentTrees(FileSystemAdapter(str(tmp_path), telemetry=RecordingTelemetry()), unparsed=unparsed)
    assert b"a = 1\n" == trees.source("a.py")
    assert [] == asked
    assert (None, None) == (trees("a.py"), trees.parse("a.py", b"a = 1\n"))
    assert trees("b.py") is not None
    assert [1] == asked
