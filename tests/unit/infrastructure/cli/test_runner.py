"""The rim every command passes: outcomes and failures become output, exit codes and telemetry."""

from __future__ import annotations

import io
import json
import shutil
import sys
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from ctx.domain.errors import CtxError, IndexDamagedError, NotFoundError, StaleIdError, UsageError
from ctx.infrastructure.cli.commands import run_doctor, run_index, run_stats
from ctx.infrastructure.cli.runner import MESSAGE_CHARS_MAX, Outcome, one_line, progress, run_command

if TYPE_CHECKING:
    from pathlib import Path

    from ctx.infrastructure.services import Services


@pytest.fixture
def segment(fresh_segment: Path) -> Path:
    """An empty one."""
    return fresh_segment


def _events(segment: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (segment / "_ctx/telemetry/events.jsonl").read_text().splitlines()]


def _fine(_services: Services) -> Outcome:
    return Outcome({"schema": "ctx.probe/1", "n": 1}, lambda _paint: "one", notes=["a note"], result={"status": "ok"})


def test_text_goes_out_and_notes_go_to_the_person(segment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output holds the answer alone; notes are lines on standard error."""
    assert 0 == run_command("probe", _fine, segment=str(segment))
    assert ("one\n", "ctx: a note\n") == tuple(capsys.readouterr())


def test_json_is_one_line(segment: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """With --json the object is on standard output, alone and ended by a newline."""
    assert 0 == run_command("probe", _fine, segment=str(segment), as_json=True)
    assert (b'{"schema":"ctx.probe/1","n":1}\n', b"ctx: a note\n") == tuple(capfdbinary.readouterr())


@pytest.mark.parametrize("named", [None, ""], ids=["found", "named"])
def test_a_home_directory_that_becomes_a_segment_is_told_of_once(
    segment: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, named: str | None
) -> None:
    """Every folder below that is not marked belongs to it from then on; who named it knows."""
    monkeypatch.setenv("HOME", str(segment))
    monkeypatch.delenv("CTX_SEGMENT", raising=False)
    monkeypatch.chdir(segment)
    told = []
    for _ in range(2):
        assert 0 == run_command("probe", _fine, segment=None if named is None else str(segment))
        told.append(f"made {segment}/_ctx: every folder below" in capsys.readouterr().err)
    assert [named is None, False] == told


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [
        (NotFoundError("no such thing"), 1),
        (UsageError("wrong\nuse"), 2),
        (StaleIdError("it changed"), 2),
        (CtxError("cannot"), 3),
        (ZeroDivisionError("division\n by zero"), 3),
    ],
)
def test_failures_are_one_line_and_a_code(
    segment: Path, capfdbinary: pytest.CaptureFixture[bytes], error: Exception, exit_code: int
) -> None:
    """An error is one line on standard error, an object for --json, and told to telemetry with its kind."""

    def fails(_services: Services) -> Outcome:
        raise error

    assert exit_code == run_command("probe", fails, segment=str(segment), as_json=True)
    out, err = capfdbinary.readouterr()
    message = err.decode().removeprefix("ctx: ").removesuffix("\n")
    assert "\n" not in message
    document = {"schema": "ctx.probe/1", "error": {"message": message, "exit_code": exit_code}}
    assert document == json.loads(out)
    told = {event["cmd"]: event for event in _events(segment)}
    assert type(error).__name__ == told["ctx.probe"]["result"]["status"]
    assert exit_code == told["command.end"]["result"]["exit_code"]


def test_a_long_error_loses_its_middle(segment: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """What is wrong and what to do next stay, whatever was typed between them."""

    def fails(_services: Services) -> Outcome:
        raise UsageError(f"--mode {'x' * 100_000}: give a mode")

    assert 2 == run_command("probe", fails, segment=str(segment), as_json=True)
    out, err = capfdbinary.readouterr()
    message = json.loads(out)["error"]["message"]
    assert f"ctx: {message}\n" == err.decode()
    assert (MESSAGE_CHARS_MAX, True, True) == (
        len(message),
        message.startswith("--mode xxx"),
        message.endswith("x: give a mode"),
    )
    assert "x … x" in message
    assert "short" == one_line("short")
    assert "y" * MESSAGE_CHARS_MAX == one_line("y" * MESSAGE_CHARS_MAX)


def test_a_segment_that_goes_away_is_one_line(segment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The telemetry that went with it is not complained about, too, and no folder is made in its place."""

    def fails(services: Services) -> Outcome:
        shutil.rmtree(services.segment)
        raise CtxError("the segment's directory cannot be opened")

    assert 3 == run_command("probe", fails, segment=str(segment))
    assert ("", "ctx: the segment's directory cannot be opened\n") == tuple(capsys.readouterr())
    assert not segment.exists()


def test_skipped_files_are_counted_once_for_all(segment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is never opened (secrets) counts as what was opened and left out, in all three commands."""
    (segment / ".env").write_text("KEY=1\n")
    (segment / "data.bin").write_bytes(b"\0\1")
    (segment / "a.py").write_text("A = 1\n")
    assert 0 == run_index(segment=str(segment), as_json=True)
    assert 2 == json.loads(capsys.readouterr().out)["skipped"]
    assert 0 == run_stats(segment=str(segment), as_json=True)
    assert 2 == len(json.loads(capsys.readouterr().out)["index"]["skipped"])
    run_doctor(segment=str(segment), as_json=True)
    checks = {check["name"]: check["found"] for check in json.loads(capsys.readouterr().out)["checks"]}
    assert "2 files are not indexed (`ctx stats` lists them)" == checks["skipped"]


def test_an_internal_error_can_be_looked_into(segment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CTX_DEBUG lets the traceback through that is otherwise kept from people."""

    def fails(_services: Services) -> Outcome:
        raise ZeroDivisionError

    monkeypatch.setenv("CTX_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        run_command("probe", fails, segment=str(segment))


def test_interrupt_is_130_and_told(segment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C says that what was finished is kept, and the run is closed in telemetry."""

    def interrupted(_services: Services) -> Outcome:
        raise KeyboardInterrupt

    assert 130 == run_command("probe", interrupted, segment=str(segment))
    assert "ctx: interrupted; what was finished is kept\n" == capsys.readouterr().err
    assert ["command.start", "ctx.probe", "command.end"] == [event["cmd"] for event in _events(segment)]


def test_damage_found_late_is_rebuilt_once(segment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A command that meets damage runs once more on a new index; damage that stays is an error, not a loop."""
    calls = []

    def meets_damage(_services: Services) -> Outcome:
        calls.append(1)
        if len(calls) == 1:
            raise IndexDamagedError("index.db: the index is damaged (page 7); run `ctx index --rebuild`")
        return _fine(_services)

    assert 0 == run_command("probe", meets_damage, segment=str(segment))
    assert "index.db: the index is damaged (page 7); it is thrown away and built anew" in capsys.readouterr().err

    def always(_services: Services) -> Outcome:
        calls.append(1)
        raise IndexDamagedError("index.db: the index is damaged (page 7); run `ctx index --rebuild`")

    calls.clear()
    assert 3 == run_command("probe", always, segment=str(segment))
    assert 2 == len(calls)


def test_a_wrong_segment_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A segment that is none is said before anything is made."""
    assert 2 == run_command("probe", _fine, segment=str(tmp_path / "nowhere"))
    assert "does not exist" in capsys.readouterr().err
    assert [] == list(tmp_path.iterdir())


def test_an_empty_variable_is_none(segment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what is typed is taken at its word: an empty CTX_SEGMENT leaves the choice to where we are."""
    monkeypatch.chdir(segment)
    monkeypatch.setenv("CTX_SEGMENT", "")
    assert 0 == run_command("probe", _fine)
    assert (segment / "_ctx").is_dir()
    assert 2 == run_command("probe", _fine, segment="")


def test_progress_is_silent_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard error that is no terminal gets no bar."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with progress("indexing") as tell:
        for done in range(1_000):
            tell(done, 1_000)
    assert "" == stream.getvalue()


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class _Bar:
    """What `progress` uses of a bar of rich; keeps what it was told."""

    told: ClassVar[list[int]] = []

    def __init__(self, *_columns: object, **_options: object) -> None:
        self.told.clear()

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def add_task(self, _what: str, *, total: int) -> int:
        return total

    def update(self, _task: int, *, completed: int) -> None:
        self.told.append(completed)


def test_progress_moves_whatever_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only where a number that is told happens to be round; every file would be too often."""
    monkeypatch.setattr(sys, "stderr", _Terminal())
    monkeypatch.setattr("rich.progress.Progress", _Bar)
    with progress("reading") as tell:
        for done in (*range(0, 60, 3), 131, 399, 400):
            tell(done, 400)
    assert [33, 131, 399, 400] == _Bar.told
    with progress("reading") as tell:
        tell(10, 20)
    assert [33, 131, 399, 400] == _Bar.told
