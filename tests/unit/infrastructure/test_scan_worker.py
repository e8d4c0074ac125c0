"""Reading parts of files into a tally, and the process that does it."""

from __future__ import annotations

import io
import os
import pickle
import struct
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.telemetry_lines import event, raw

from ctx.domain.telemetry.selection import RecentRuns, Selection
from ctx.infrastructure import event_sources, scan_worker
from ctx.infrastructure.scan_worker import MESSAGE, OUTCOME, PROGRESS, Part, RunsJob, TallyJob, parts_given, serve

if TYPE_CHECKING:
    from pathlib import Path


def part_of(path: Path, start: int = 0, end: int | None = None) -> Part:
    found = path.stat()
    return Part(str(path), (found.st_dev, found.st_ino), start, found.st_size if end is None else end, 0)


def job_of(*parts: Part) -> TallyJob:
    return TallyJob(parts, 1 << 60, Selection())


def silent(_read_bytes: int) -> None:
    pass


def test_lines_of_every_kind_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events, foreign objects, other JSON, half lines, odd bytes, NaN, deep nesting, and what is too long."""
    monkeypatch.setattr(event_sources, "LINE_BYTES_MAX", 300_000)
    monkeypatch.setattr(event_sources, "READ_BYTES", 50_000)
    path = tmp_path / "events.jsonl"
    odd = [b'{"a": 1}', b"[1]", b"{torn", b"caf\xe9", b"\x00" * 50, b"[" * 10_000, b'{"a":' * 10_000, b"x" * 400_000]
    nan = raw(event()).replace(b'"duration_ns":3141592', b'"duration_ns":NaN')
    surrogate = raw(event()).replace(b'"shop"', rb'"\ud800"')
    path.write_bytes(raw(event()) + b"\r\n" + b"\r\n".join(odd) + b"\n" + nan + surrogate + raw(event())[:-1])
    tally = job_of(part_of(path)).run(silent)
    assert (4, 1, 6, 1) == (tally.read, tally.foreign, tally.unreadable, tally.too_long)
    assert 4 == tally.kinds["ctx.search"].latency.count


def test_a_part_is_found_again_under_its_new_name(tmp_path: Path) -> None:
    """Rotation renames a file while others are read; another that has its name now is not taken for it."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(raw(event("ctx.get")))
    part = part_of(path)
    path.rename(tmp_path / "events.1.jsonl")
    path.write_bytes(raw(event("ctx.map"), event("ctx.map")))
    assert ["ctx.get"] == list(job_of(part).run(silent).kinds)


def test_a_part_that_was_removed_is_passed_over(tmp_path: Path) -> None:
    """It counts as read; what follows is."""
    gone, there = tmp_path / "events.1.jsonl", tmp_path / "events.jsonl"
    gone.write_bytes(raw(event(), event()))
    there.write_bytes(raw(event()))
    parts = part_of(gone), part_of(there)
    gone.unlink()
    told: list[int] = []
    assert 1 == job_of(*parts).run(told.append).read
    assert sum(part.end for part in parts) == sum(told)


def test_progress_is_told_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In steps, and in sum the bytes of the part."""
    monkeypatch.setattr(event_sources, "READ_BYTES", 1000)
    path = tmp_path / "events.jsonl"
    path.write_bytes(raw(*[event()] * 20))
    told: list[int] = []
    job_of(part_of(path)).run(told.append)
    assert len(told) > 3
    assert path.stat().st_size == sum(told)


def test_runs_are_found_in_parts(tmp_path: Path) -> None:
    """The last ones since then."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(raw(event(run_id="run_1"), event(run_id="run_2", ts="2026-01-01T00:00:00.000000+00:00")))
    job = parts_given(RunsJob((), RecentRuns(1), None), (part_of(path),))
    found = job.run(silent)
    assert isinstance(found, RecentRuns)
    assert frozenset({"run_2"}) == found.run_ids()


def test_a_worker_answers_with_its_outcome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """How far it is, not too often, then the tally, pickled."""
    monkeypatch.setattr(scan_worker, "TELL_BYTES", 300)
    monkeypatch.setattr(event_sources, "READ_BYTES", 200)
    path = tmp_path / "events.jsonl"
    path.write_bytes(raw(event(), event(), event()))
    answers = io.BytesIO()
    serve(io.BytesIO(pickle.dumps(job_of(part_of(path)))), answers)
    said = answers.getvalue()
    told = []
    while True:
        kind, number = MESSAGE.unpack_from(said)
        said = said[MESSAGE.size :]
        if kind == OUTCOME:
            break
        told.append((kind, number))
    assert {PROGRESS} == {kind for kind, _number in told}
    assert path.stat().st_size == sum(number for _kind, number in told)
    assert 1 < len(told) < 5
    assert number == len(said)
    assert 3 == pickle.loads(said).read


def test_a_worker_whose_reader_is_gone_ends_without_a_word(tmp_path: Path) -> None:
    """A killed command leaves no worker and no traceback."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(raw(event()))
    read_fd, write_fd = os.pipe()
    os.close(read_fd)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "ctx.infrastructure.scan_worker"],
        input=pickle.dumps(job_of(part_of(path))),
        stdout=write_fd,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(write_fd)
    assert (1, b"") == (done.returncode, done.stderr)
    assert struct.calcsize("<cQ") == MESSAGE.size
