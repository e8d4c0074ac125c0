"""Events kept in the user's state directory until their segment can be written."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from ctx.infrastructure import event_spill
from ctx.infrastructure.event_sink import EventSink
from ctx.infrastructure.event_spill import spill_lines, take_up
from ctx.infrastructure.state_folder import spill_dir


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def sink(tmp_path: Path) -> EventSink:
    return EventSink(str(tmp_path / "events.jsonl"))


def written(sink: EventSink) -> list[bytes]:
    return Path(sink.path).read_bytes().splitlines()


def test_lines_are_taken_up_once(sink: EventSink, tmp_path: Path) -> None:
    """Appended to over several spills, written in order, then gone."""
    spill_lines("seg", "run", [b"1\n"])
    spill_lines("seg", "run", [b"2\n", b"3\n"])
    assert take_up("seg", sink, str(tmp_path)) == 3
    assert take_up("seg", sink, str(tmp_path)) == 0
    assert written(sink) == [b"1", b"2", b"3"]


def test_file_another_run_takes_up_is_left_alone(sink: EventSink, tmp_path: Path) -> None:
    """Two runs at once: the lock decides."""
    spill_lines("seg", "run", [b"1\n"])
    with open(os.path.join(spill_dir(), "seg-run.jsonl"), "rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert take_up("seg", sink, str(tmp_path)) == 0
    assert take_up("seg", sink, str(tmp_path)) == 1


def test_a_run_spills_while_another_takes_up_what_it_had(sink: EventSink, tmp_path: Path) -> None:
    """It does not wait: who takes up may have been stopped. Nothing is lost."""
    spill_lines("seg", "run", [b"1\n"])
    with open(os.path.join(spill_dir(), "seg-run.jsonl"), "rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        spill_lines("seg", "run", [b"2\n"])
    assert take_up("seg", sink, str(tmp_path)) == 2
    assert [b"1", b"2"] == sorted(written(sink))
    assert [] == os.listdir(spill_dir())


def test_what_fits_in_part_is_not_kept(sink: EventSink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines that are spilled when there is room again do not go on where it was cut."""
    spill_lines("seg", "run", [b"1\n"])
    with monkeypatch.context() as patch:
        write = os.write
        patch.setattr(os, "write", lambda fd, data: write(fd, data[:3]))
        with pytest.raises(OSError, match="only a part"):
            spill_lines("seg", "run", [b"2\n", b"34\n"])
    spill_lines("seg", "run", [b"5\n"])
    assert take_up("seg", sink, str(tmp_path)) == 2
    assert written(sink) == [b"1", b"5"]


def test_lines_already_there_are_left_out(sink: EventSink, tmp_path: Path) -> None:
    """A run that died between writing and removing leaves both; the lines stay single."""
    sink.append(b'{"seq": 1}\n')
    spill_lines("seg", "run", [b'{"seq": 1}\n', b'{"seq": 2}\n'])
    assert take_up("seg", sink, str(tmp_path)) == 1
    assert written(sink) == [b'{"seq": 1}', b'{"seq": 2}']


def test_half_line_of_a_full_disk_is_not_taken_up(sink: EventSink, tmp_path: Path) -> None:
    """It was never promised."""
    spill_lines("seg", "run", [b"1\n"])
    with open(os.path.join(spill_dir(), "seg-run.jsonl"), "ab") as file:
        file.write(b"ha")
    assert take_up("seg", sink, str(tmp_path)) == 1
    assert written(sink) == [b"1"]


def test_segment_that_stays_unwritable_does_not_fill_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more run than allowed is refused; a run that has a file may go on."""
    monkeypatch.setattr(event_spill, "_FILES_PER_SEGMENT_MAX", 2)
    spill_lines("seg", "run1", [b"1\n"])
    spill_lines("seg", "run2", [b"1\n"])
    with pytest.raises(OSError, match="too many spilled runs"):
        spill_lines("seg", "run3", [b"1\n"])
    spill_lines("seg", "run2", [b"2\n"])
    spill_lines("other", "run3", [b"1\n"])


def test_run_id_cannot_lead_out_of_the_directory() -> None:
    """It becomes part of a file name."""
    spill_lines("seg", "../../x", [b"1\n"])
    assert os.listdir(spill_dir()) == ["seg-.._.._x.jsonl"]


def test_what_is_no_file_is_left_alone(sink: EventSink, tmp_path: Path) -> None:
    """A link among the spilled files is not followed."""
    os.makedirs(spill_dir())
    os.symlink("/etc/hostname", os.path.join(spill_dir(), "seg-run.jsonl"))
    assert take_up("seg", sink, str(tmp_path)) == 0
