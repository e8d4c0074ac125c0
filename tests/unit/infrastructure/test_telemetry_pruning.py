"""Removing what telemetry recorded, beside commands that go on writing it."""

from __future__ import annotations

import multiprocessing
import os
from fcntl import LOCK_EX, LOCK_SH, flock
from typing import TYPE_CHECKING

import pytest
from tests.event_lines import BEGIN_US, ToldRun, lines_of_events, write_segment

from ctx.domain.errors import CtxError, NotFoundError, UsageError
from ctx.domain.telemetry.redaction import short_hash
from ctx.infrastructure import telemetry_pruning
from ctx.infrastructure.event_sink import EventSink
from ctx.infrastructure.event_spill import spill_lines
from ctx.infrastructure.state_folder import cache_folder, spill_dir
from ctx.infrastructure.telemetry_pruning import Pruned, PrunePlan, TelemetryFolder, folders_of, prune

if TYPE_CHECKING:
    from multiprocessing.synchronize import Event
    from pathlib import Path

HOUR_US = 3_600_000_000


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's state and cache directories of their own."""
    monkeypatch.delenv("CTX_SEGMENT", raising=False)
    for name in ("STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / "home" / name))
    return tmp_path / "home"


@pytest.fixture
def telemetry(tmp_path: Path) -> Path:
    """Five rotated files, an hour each, and the live one."""
    parts = [ToldRun().tell("a", hour * HOUR_US).events for hour in range(6)]
    return write_segment(tmp_path / "segment", *parts)


def pruned(telemetry: Path, plan: PrunePlan) -> Pruned:
    done = Pruned()
    for folder in folders_of([str(telemetry)], None, is_recursive=False):
        prune(folder, plan, done)
    return done


def names(done: Pruned) -> list[str]:
    return [os.path.basename(path) for path, _size in done.removed]


def test_the_newest_rotated_files_stay(telemetry: Path) -> None:
    """Three by default, and the live one in any case."""
    sizes = [(telemetry / f"events.{number}.jsonl").stat().st_size for number in (1, 2)]
    done = pruned(telemetry, PrunePlan())
    assert (["events.1.jsonl", "events.2.jsonl"], sum(sizes)) == (names(done), done.size_bytes)
    assert ["events.3.jsonl", "events.4.jsonl", "events.5.jsonl", "events.jsonl", "events.jsonl.lock"] == sorted(
        os.listdir(telemetry)
    )
    assert ["events.3.jsonl", "events.4.jsonl", "events.5.jsonl"] == names(pruned(telemetry, PrunePlan(keep=0)))


def test_files_that_end_before_a_moment_go(telemetry: Path) -> None:
    """By their last event; what is to be kept is kept however old it is."""
    moment = BEGIN_US + HOUR_US * 2 + 1
    assert ["events.1.jsonl"] == names(pruned(telemetry, PrunePlan(keep=4, before_us=moment)))
    assert ["events.2.jsonl", "events.3.jsonl"] == names(pruned(telemetry, PrunePlan(keep=0, before_us=moment)))


def test_a_file_without_events_ends_when_it_was_written(telemetry: Path) -> None:
    """Torn, foreign and future lines say nothing of time; the last one that does counts."""
    (telemetry / "events.1.jsonl").write_bytes(b'{"torn\n[1]\n{"ts":"x"}\n')
    os.utime(telemetry / "events.1.jsonl", (1, 1))
    with (telemetry / "events.2.jsonl").open("ab") as file:
        file.write(b'{"torn')
    assert ["events.1.jsonl", "events.2.jsonl"] == names(
        pruned(telemetry, PrunePlan(keep=0, before_us=BEGIN_US + HOUR_US + 1))
    )


def test_all_is_every_event_the_summaries_and_what_waits_elsewhere(telemetry: Path) -> None:
    """Locks stay, as others hold them; of another segment nothing goes."""
    for name in ("metrics.json", "last_run.json", "metrics.json.damaged-1", "metrics.json.tmp", "other.txt"):
        (telemetry / name).write_text("{}")
    segment = telemetry.parent.parent
    spill_lines(short_hash(str(segment)), "run_1_a", lines_of_events(ToldRun().tell("a", 0).events).splitlines(True))
    spill_lines("00000000", "run_1_a", [b"{}\n"])
    done = pruned(telemetry, PrunePlan(is_all=True))
    assert 11 == len(done.removed)
    assert ["events.jsonl.lock", "metrics.json.lock", "other.txt"] == sorted(os.listdir(telemetry))
    assert ["00000000-run_1_a.jsonl"] == os.listdir(spill_dir())
    assert [] == pruned(telemetry, PrunePlan(is_all=True)).removed


def test_a_dry_run_removes_nothing_and_makes_nothing(telemetry: Path) -> None:
    """It says the same."""
    before = sorted(os.listdir(telemetry))
    would = pruned(telemetry, PrunePlan(is_all=True, is_dry=True))
    assert before == sorted(os.listdir(telemetry))
    assert would.removed == pruned(telemetry, PrunePlan(is_all=True)).removed


def test_what_is_no_file_is_left(telemetry: Path, tmp_path: Path) -> None:
    """A link to somebody's file, a folder of that name."""
    (tmp_path / "precious").write_text("x")
    (telemetry / "events.9.jsonl").symlink_to(tmp_path / "precious")
    (telemetry / "events.8.jsonl").mkdir()
    done = pruned(telemetry, PrunePlan(keep=0, before_us=BEGIN_US))
    assert ["is no regular file", "is a link"] == [reason for _path, reason in done.left]
    assert "x" == (tmp_path / "precious").read_text()


def test_links_to_folders_are_refused(telemetry: Path, tmp_path: Path) -> None:
    """A repository can ship them: `_ctx` may lead anywhere."""
    for segment, made in (("one", "_ctx"), ("two", "_ctx/telemetry")):
        target = tmp_path / segment / made
        target.parent.mkdir(parents=True)
        target.symlink_to(telemetry.parent if made == "_ctx" else telemetry)
        with pytest.raises(CtxError, match="is a link; nothing behind it is removed"):
            folders_of([str(tmp_path / segment)], None, is_recursive=False)


def test_places_are_segments_folders_and_what_lies_below(telemetry: Path, tmp_path: Path) -> None:
    """Each once; a folder that was taken away is of no segment; without telemetry there is nothing."""
    segment = telemetry.parent.parent
    away = tmp_path / "away"
    away.mkdir()
    (away / "events.jsonl").write_text("")
    (tmp_path / "empty").mkdir()
    own, other = TelemetryFolder(str(telemetry), str(segment)), TelemetryFolder(str(away), None)
    places = [str(each) for each in (segment, telemetry, away, tmp_path / "empty")]
    assert (own, other) == folders_of(places, None, is_recursive=False)
    assert (own,) == folders_of([str(tmp_path)], None, is_recursive=True)
    assert (own,) == folders_of([], str(tmp_path), is_recursive=True)
    assert () == folders_of([str(tmp_path / "empty")], None, is_recursive=True)


@pytest.mark.parametrize("line", [b'{"my": "data"}\n', b"\n[1]\n", b"x" * (5 << 20)])
def test_files_that_only_have_the_names_are_somebody_s(tmp_path: Path, line: bytes) -> None:
    """Events of other programs are called events.jsonl, too; in a folder of ctx's own whatever is there is ctx's."""
    folder = tmp_path / "analytics"
    folder.mkdir()
    for name in ("events.jsonl", "events.1.jsonl", "metrics.json"):
        (folder / name).write_bytes(line)
    with pytest.raises(UsageError, match=r"events\.1\.jsonl is not of ctx's telemetry"):
        pruned(folder, PrunePlan(is_all=True))
    assert 3 == len(os.listdir(folder))
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "events.jsonl").write_bytes(lines_of_events(ToldRun().tell("a", 0).events))
    (taken / "events.1.jsonl").write_bytes(b"")
    assert ["events.1.jsonl", "events.jsonl"] == names(pruned(taken, PrunePlan(is_all=True)))


def test_without_a_place_it_is_the_segment_s_wherever_it_writes(telemetry: Path, tmp_path: Path) -> None:
    """Also what was written to the user's cache directory while the segment could not be."""
    segment = str(telemetry.parent.parent)
    elsewhere = os.path.join(cache_folder(segment), "telemetry")
    assert (TelemetryFolder(str(telemetry), segment),) == folders_of([], segment, is_recursive=False)
    os.makedirs(elsewhere)
    assert [str(telemetry), elsewhere] == [folder.directory for folder in folders_of([], segment, is_recursive=False)]


def test_a_place_that_is_none_is_a_mistake(telemetry: Path, tmp_path: Path) -> None:
    """A file is for `rm`."""
    with pytest.raises(UsageError, match="is a file"):
        folders_of([str(telemetry / "events.jsonl")], None, is_recursive=False)
    for is_recursive in (False, True):
        with pytest.raises(NotFoundError):
            folders_of([str(tmp_path / "no")], None, is_recursive=is_recursive)


def test_what_cannot_be_removed_is_said_and_the_rest_goes(telemetry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file somebody protected."""
    unlink = os.unlink

    def refuse(path: str) -> None:
        if path.endswith("events.1.jsonl"):
            raise PermissionError(1, "Operation not permitted")
        if path.endswith("events.2.jsonl"):
            unlink(path)  # retention was quicker
        unlink(path)

    monkeypatch.setattr(telemetry_pruning.os, "unlink", refuse)
    done = pruned(telemetry, PrunePlan(keep=2))
    assert (["events.3.jsonl"], ["Operation not permitted"]) == (names(done), [reason for _path, reason in done.left])


def test_a_spilled_run_that_is_taken_up_now_is_left(telemetry: Path) -> None:
    """And what is no file of ours."""
    segment_id = short_hash(str(telemetry.parent.parent))
    spill_lines(segment_id, "run_1_a", [b"{}\n"])
    os.symlink("/etc/passwd", os.path.join(spill_dir(), f"{segment_id}-link.jsonl"))
    fd = os.open(os.path.join(spill_dir(), f"{segment_id}-run_1_a.jsonl"), os.O_RDONLY)
    flock(fd, LOCK_EX)
    try:
        done = pruned(telemetry, PrunePlan(is_all=True))
    finally:
        os.close(fd)
    assert 2 == len(done.left)
    assert "another ctx is reading it" in [reason for _path, reason in done.left]


def test_a_lock_that_is_not_to_be_had_is_said(telemetry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is removed behind a writer's back."""
    monkeypatch.setattr(telemetry_pruning, "LOCK_PATIENCE_MS", 10)
    monkeypatch.setattr("ctx.infrastructure.metrics_file.LOCK_PATIENCE_NS", 1_000_000)
    for name, message in (("events.jsonl.lock", "without a pause"), ("metrics.json.lock", "counters cannot be locked")):
        fd = os.open(telemetry / name, os.O_RDWR | os.O_CREAT)
        flock(fd, LOCK_SH)
        with pytest.raises(CtxError, match=message):
            pruned(telemetry, PrunePlan(is_all=True))
        os.close(fd)


def test_a_lock_that_cannot_be_opened_or_taken_is_said(telemetry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link in its place; a file system without locks."""
    (telemetry / "events.jsonl.lock").symlink_to("/tmp/elsewhere")
    with pytest.raises(CtxError, match="cannot be written"):
        pruned(telemetry, PrunePlan())
    (telemetry / "events.jsonl.lock").unlink()

    def refuse(_fd: int, _how: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(telemetry_pruning, "flock", refuse)
    with pytest.raises(CtxError, match="cannot be locked"):
        pruned(telemetry, PrunePlan())


def _write(path: str, writer: int, count: int, has_pruned: Event) -> None:
    sink = EventSink(path, rotate_bytes=20_000, keep_rotated=None)
    for number in range(count):
        if number == count // 2:
            has_pruned.wait(60)
        while True:
            try:
                sink.append(b'{"writer":%d,"n":%d,"pad":"%s"}\n' % (writer, number, b"x" * 80))
                break
            except TimeoutError:
                continue  # not acknowledged, so not lost
    sink.close()


@pytest.mark.parametrize("plan", [PrunePlan(is_all=True), PrunePlan(keep=0)])
def test_writers_beside_it_lose_no_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plan: PrunePlan) -> None:
    """What was accepted is there, or was in what was removed; each line once."""
    telemetry = write_segment(tmp_path / "busy", [])
    kept: list[bytes] = []
    unlink = os.unlink

    def keep(path: str) -> None:
        if os.path.basename(path).startswith("events.") and path.endswith(".jsonl"):
            with open(path, "rb") as file:
                kept.append(file.read())
        unlink(path)

    monkeypatch.setattr(telemetry_pruning.os, "unlink", keep)
    context = multiprocessing.get_context("fork")
    live, has_pruned = str(telemetry / "events.jsonl"), context.Event()
    writers = [context.Process(target=_write, args=(live, writer, 1500, has_pruned)) for writer in range(4)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        pruned(telemetry, plan)
        if kept:
            has_pruned.set()
    for writer in writers:
        writer.join()
    assert [0] * 4 == [writer.exitcode for writer in writers]
    left = [path.read_bytes() for path in telemetry.glob("events*.jsonl")]
    # A writer that meets another one half-way through its line begins with a newline of its own.
    lines = [line for line in b"".join([*kept, *left]).splitlines() if line]
    assert (6000, 6000) == (len(lines), len(set(lines)))
