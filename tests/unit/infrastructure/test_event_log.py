"""Reading events back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ctx.infrastructure.event_log import event_files, read_events

if TYPE_CHECKING:
    from pathlib import Path


def test_rotated_files_come_first_in_order(tmp_path: Path) -> None:
    """By number, not by name; the live file last."""
    for number in (10, 9):
        (tmp_path / f"events.{number}.jsonl").write_text(f'{{"n": {number}}}\n')
    (tmp_path / "events.jsonl").write_text('{"n": 11}\n')
    assert [event["n"] for event in read_events(str(tmp_path))] == [9, 10, 11]


def test_unreadable_lines_are_skipped_and_counted(tmp_path: Path) -> None:
    """Half lines, other JSON and odd bytes are counted; empty lines are nothing."""
    (tmp_path / "events.jsonl").write_bytes(b'{"n": 1}\n\n{"ha\n[1]\n\xff\xfe\n{"n": 2}\n{"torn')
    reader = read_events(str(tmp_path))
    assert [event["n"] for event in reader] == [1, 2]
    assert reader.unreadable == 4


def test_missing_folder_has_no_events(tmp_path: Path) -> None:
    """Nothing was recorded; that is no error."""
    assert list(read_events(str(tmp_path / "none"))) == []


def test_what_is_no_file_is_passed_over(tmp_path: Path) -> None:
    """A FIFO or a link in the folder neither stops nor misleads a reader."""
    os.mkfifo(tmp_path / "events.1.jsonl")
    (tmp_path / "events.2.jsonl").symlink_to("events.jsonl")
    (tmp_path / "events.jsonl").write_text('{"n": 1}\n')
    assert len(event_files(str(tmp_path))) == 3
    assert [event["n"] for event in read_events(str(tmp_path))] == [1]
