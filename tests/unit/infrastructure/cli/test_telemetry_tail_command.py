"""`ctx telemetry tail`, in process."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests.event_lines import ToldRun, lines_of_events, resolve_with_server, write_segment
from tests.fakes import ManualClock

from ctx.infrastructure.cli import runner, telemetry_tail_command
from ctx.infrastructure.cli.telemetry_tail_command import TailOptions, run_tail
from ctx.infrastructure.new_segments import REST_NS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import ModuleType


@pytest.fixture
def segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A segment with a resolve of 12 events and a search of 2."""
    monkeypatch.delenv("CTX_SEGMENT", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    later = ToldRun("run_1767323050_00000001", pid=7).begin("search", 9_000_000)
    later.end("search", 9_100_000, took_us=100_000)
    write_segment(tmp_path / "segment", resolve_with_server().events, later.events)
    return tmp_path / "segment"


def tail(segment: Path, *, as_json: bool = False, **options: Any) -> int:
    default: dict[str, Any] = {
        "places": (),
        "lines": 10,
        "follow": False,
        "cmd": "",
        "run": "",
        "recursive": False,
    }
    return run_tail(TailOptions(**default | options), segment=str(segment), as_json=as_json)


def test_the_last_events_are_lines(segment: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Time, name, duration, facts; without colour in a pipe."""
    assert 0 == tail(segment, lines=3)
    assert [
        "2026-01-02 03:04:05.530Z  lsp.exit             509 ms  ty, signal 9",
        "2026-01-02 03:04:14.000Z  command.start                search (cli)",
        "2026-01-02 03:04:14.100Z  command.end          100 ms  search (cli), 0 bytes read",
    ] == capfd.readouterr().out.splitlines()


def test_events_are_chosen_by_name_and_run(segment: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Both by their beginning, a run also without what every id begins with."""
    assert [0, 0, 0] == [
        tail(segment, cmd="lsp.", lines=2),
        tail(segment, run="1767323050", lines=1),
        tail(segment, run="run_1767323045", cmd="ctx.", lines=9),
    ]
    names = [line.split()[2] for line in capfd.readouterr().out.splitlines()]
    assert ["lsp.fallback", "lsp.exit", "command.end", "ctx.resolve"] == names


def test_json_is_the_lines_as_they_are(segment: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Those that are events; nothing else of the file."""
    line = lines_of_events(ToldRun().tell("later", 9_500_000).events).replace(b": ", b" :  ")
    with (segment / "_ctx" / "telemetry" / "events.jsonl").open("ab") as file:
        file.write(b'{"torn\n{"foreign":1}\n' + line + b'{"ts":"2026-01-02T03:04:05Z","run_id":7,"cmd":"x"}\n')
    assert 0 == tail(segment, as_json=True, lines=1)
    assert line == capfdbinary.readouterr().out


def test_segments_are_merged_by_time(segment: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """And each line says which one it is of."""
    other = ToldRun("run_1767323051_00000002").begin("get", 9_050_000)
    write_segment(segment.parent / "other", [event | {"segment": "other"} for event in other.events])
    assert 0 == tail(segment, places=(str(segment.parent),), recursive=True, lines=3)
    lines = capfd.readouterr().out.splitlines()
    assert ["segment:", "other:", "segment:"] == [line.split("  ")[-2].strip() for line in lines]


def test_texts_are_redacted_and_harmless(segment: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Whatever an edited file holds; half a line steers nothing."""
    key = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    run = ToldRun().tell("ctx.search", 9_900_000, args={"query": f"\x1b[31m{key}\u202e"}, warnings=["\x07no"])
    with (segment / "_ctx" / "telemetry" / "events.jsonl").open("ab") as file:
        file.write(lines_of_events(run.events) + lines_of_events([run.events[0] | {"run_id": ""}]))
    assert 0 == tail(segment, lines=2)
    out = capfd.readouterr().out
    assert [] == [word for word in ("\x1b", "\x07", "\u202e", key) if word in out]
    assert 1 == out.count("\n")


def test_a_name_of_several_lines_forges_none(segment: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Names of events and segments come out of files as well."""
    write_segment(segment.parent / "b", ToldRun().tell("a\n2026-01-02 \x1b[31m", 9_900_000, segment="b\nc\x07").events)
    places = (str(segment), str(segment.parent / "b"))
    assert 0 == tail(segment, places=places, lines=1)
    out = capfd.readouterr().out
    assert ([], 1) == ([word for word in ("\x1b", "\x07") if word in out], out.count("\n"))
    assert "  b c\N{REPLACEMENT CHARACTER}:" in out


class Ticks:
    """Stands for the waits of a follower: does one thing at each, and is interrupted after the last."""

    def __init__(self, *steps: Callable[[], object], ends_with: type[BaseException] | None = KeyboardInterrupt) -> None:
        self.steps = list(steps)
        self.ends_with = ends_with

    def __call__(self, _directories: object) -> Ticks:
        return self

    def wait(self, *, closed_fd: int) -> bool:
        if self.steps:
            self.steps.pop(0)()
            return True
        if self.ends_with is not None:
            raise self.ends_with
        return False

    def add(self, _directories: object) -> None: ...

    def close(self) -> None: ...


def test_a_follower_shows_what_comes_and_ends_quietly(
    segment: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Across a rotation; each event once; an interrupt is 130 without a word."""
    telemetry = segment / "_ctx" / "telemetry"

    def add(name: str) -> None:
        with (telemetry / "events.jsonl").open("ab") as file:
            file.write(lines_of_events(ToldRun().tell(name, 9_900_000).events))

    def rotate() -> None:
        add("second")
        os.rename(telemetry / "events.jsonl", telemetry / "events.2.jsonl")
        add("third")

    monkeypatch.setattr(telemetry_tail_command, "Waker", Ticks(lambda: add("first"), rotate))
    assert 130 == tail(segment, follow=True, lines=1)
    out, err = capfd.readouterr()
    names = [line.split()[2] for line in out.splitlines()]
    assert (["command.end", "first", "second", "third"], "") == (names, err)


@pytest.mark.parametrize("is_first", [False, True])
def test_a_segment_that_comes_later_is_followed(
    segment: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], is_first: bool
) -> None:
    """From its first event, also when there was none at all."""
    folder = segment.parent / "empty" if is_first else segment.parent
    folder.mkdir(exist_ok=True)
    clock = ManualClock()
    monkeypatch.setattr(telemetry_tail_command, "SystemClock", lambda: clock)

    def add(name: str, *names: str) -> None:
        write_segment(folder / "a" / name, *([event] for each in names for event in ToldRun().tell(each, 0).events))
        clock.advance_ns(REST_NS)

    steps = [lambda: add("new", "second", "third"), lambda: add("newer", "fourth"), lambda: None]
    monkeypatch.setattr(telemetry_tail_command, "Waker", Ticks(*steps))
    assert 130 == tail(folder, places=(str(folder),), recursive=True, follow=True, lines=0)
    out, err = capfd.readouterr()
    assert ["second", "third", "fourth"] == [line.split()[2] for line in out.splitlines()]
    assert ("ctx: no event yet; waiting for the first one\n" if is_first else "") == err


def test_a_place_below_which_nothing_can_come_is_refused(segment: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """There is nothing to wait for."""
    places = (str(segment), str(segment / "no"))
    assert 1 == tail(segment, places=places, recursive=True, follow=True)
    assert "is not a directory" in capfd.readouterr().err


def test_following_waits_for_the_first_event(
    tmp_path: Path, segment: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """In a segment that has none yet, and says so; nothing is made there."""
    empty = tmp_path / "empty"
    empty.mkdir()
    steps = [lambda: os.listdir(empty), lambda: write_segment(empty, ToldRun().tell("first", 0).events)]
    monkeypatch.setattr(telemetry_tail_command, "Waker", Ticks(*steps))
    assert 130 == tail(empty, follow=True)
    out, err = capfd.readouterr()
    assert (["first"], "ctx: no event yet; waiting for the first one\n") == (
        [line.split()[2] for line in out.splitlines()],
        err,
    )


def test_a_reader_that_goes_ends_it(
    segment: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """While nothing comes, and when something is written; a disk that refuses is said."""
    monkeypatch.setattr(telemetry_tail_command, "Waker", Ticks(ends_with=None))
    with monkeypatch.context() as patch:
        patch.setattr(runner, "leave_closed_pipe", lambda: None)
        assert 0 == tail(segment, follow=True, lines=0)
    reader, writer = os.pipe()
    os.close(reader)
    codes = []
    for fd in (writer, os.open("/dev/full", os.O_WRONLY)):
        with open(fd, "w", encoding="utf-8") as stream:
            monkeypatch.setattr(sys, "stdout", stream)
            codes.append(tail(segment))
    assert [0, 3] == codes
    assert "standard output: cannot be written" in capfd.readouterr().err


def test_an_output_that_is_no_file_can_be_followed(segment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can close it."""
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO()))
    monkeypatch.setattr(telemetry_tail_command, "Waker", Ticks())
    assert 130 == tail(segment, follow=True)


def test_mistakes_are_one_line(segment: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A place that is none; a segment without telemetry is nothing found."""
    (tmp_path / "empty").mkdir()
    codes = [
        tail(segment, places=(str(tmp_path / "no"),), follow=True),
        tail(tmp_path / "empty"),
        tail(tmp_path / "empty", recursive=True),
    ]
    assert ([1, 1, 1], 3) == (codes, capfd.readouterr().err.count("\n"))


def test_two_names_of_one_folder_are_followed_once(
    segment: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A segment and its telemetry folder."""
    monkeypatch.setattr(telemetry_tail_command, "Waker", Ticks())
    places = (str(segment), str(segment / "_ctx" / "telemetry"))
    assert 130 == tail(segment, places=places, follow=True, lines=2)
    assert 2 == capfd.readouterr().out.count("\n")


def test_what_cannot_be_read_is_not_said_to_be_the_output(
    segment: Path, says_unreadable: Callable[[ModuleType, str, Callable[[], int]], None]
) -> None:
    """A folder without permission: exit code 3 and the place."""
    says_unreadable(telemetry_tail_command, "sources_of", lambda: tail(segment))
