"""`ctx telemetry validate` and `schema`: what they print and end with."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests.telemetry_lines import event, raw

from ctx.infrastructure.cli import runner
from ctx.infrastructure.cli import telemetry_validate_command as command
from ctx.infrastructure.cli.telemetry_validate_command import run_schema, run_validate
from ctx.infrastructure.telemetry import Telemetry

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A segment with one good run."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in ("CTX_TELEMETRY", "CTX_SEGMENT"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "shop"
    path.mkdir()
    telemetry = Telemetry(path)
    telemetry.command_start("search", "cli")
    telemetry.event("ctx.search", {"query": "x"}, {"hits": 3, "total_tokens": 4}, 5, bytes_read=1)
    telemetry.command_end("search", "cli", 0, 5_000_000)
    telemetry.close()
    return path


def validate(
    *places: Path,
    is_strict: bool = False,
    is_recursive: bool = False,
    segment: str | None = None,
    as_json: bool = False,
) -> int:
    names = tuple(str(place) for place in places)
    return run_validate(names, is_strict=is_strict, is_recursive=is_recursive, segment=segment, as_json=as_json)


def append(segment: Path, content: bytes) -> None:
    with (segment / "_ctx/telemetry/events.jsonl").open("ab") as file:
        file.write(content)


def test_what_telemetry_writes_is_valid(segment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run of the real writer, also when strict, also by --segment and below a folder."""
    assert 0 == validate(segment, is_strict=True)
    assert 0 == validate(segment=str(segment))
    assert 0 == validate(segment.parent, is_recursive=True)
    line = "3 events of 1 run in 3 files: valid; 0 wrong, 0 odd\n"
    assert (line * 3, "") == capsys.readouterr()


def test_what_is_wrong_is_named_with_file_and_line(segment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, one line a problem, and a verdict."""
    append(segment, raw(event(duration_ns=-3)) + b"hello\n")
    assert 1 == validate(segment)
    assert [
        'wrong events.jsonl line 4: "duration_ns" must be an integer >= 0 or null, found -3',
        "wrong events.jsonl line 5: is no JSON",
        "3 events of 1 run in 3 files: not valid; 2 wrong, 0 odd",
    ] == capsys.readouterr().out.splitlines()


def test_many_problems_are_counted(segment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first hundred are printed."""
    append(segment, b"hello\n" * 1_234)
    assert 1 == validate(segment)
    printed = capsys.readouterr().out.splitlines()
    assert 102 == len(printed)
    assert ["wrong … and 1,134 more", "3 events of 1 run in 3 files: not valid; 1,234 wrong, 0 odd"] == printed[-2:]


def test_what_is_odd_is_named_when_strict(segment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --strict it is counted and nothing fails."""
    append(segment, b'{"ts":"2025')
    assert 0 == validate(segment)
    printed = capsys.readouterr().out
    assert "valid; 0 wrong, 1 odd" in printed
    assert "--strict names it" in printed
    assert 1 == validate(segment, is_strict=True)
    assert capsys.readouterr().out.startswith("odd events.jsonl line 4: is half a line")


def test_json_has_counts_kinds_and_the_first_of_each(segment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For scripts: the same as the text."""
    append(segment, b'hello\n{"ts":"2025')
    (segment / "_ctx/telemetry/metrics.json").write_text("")
    assert 1 == validate(segment, as_json=True)
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert {
        "schema": "ctx.telemetry_validate/1",
        "valid": False,
        "strict": False,
        "files": 3,
        "events": 3,
        "runs": 1,
        "bytes": (segment / "_ctx/telemetry/events.jsonl").stat().st_size,
        "wrong": {
            "total": 2,
            "kinds": {"metrics.json": 1, "no_json": 1},
            "first": [
                {"kind": "no_json", "file": "events.jsonl", "line": 4, "message": "is no JSON"},
                {"kind": "metrics.json", "file": "metrics.json", "message": "is empty"},
            ],
        },
        "odd": {
            "total": 1,
            "kinds": {"torn_tail": 1},
            "first": [
                {
                    "kind": "torn_tail",
                    "file": "events.jsonl",
                    "line": 5,
                    "message": "is half a line: a process was killed while it wrote, or writes; "
                    "the next event begins a new line",
                }
            ],
        },
    } == document


def test_a_secret_in_a_file_is_not_printed(segment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither as text nor as JSON, wherever in the file it is; a long name is cut."""
    secret = "AKIA" + "QRSTUVWXYZ234567"
    append(segment, raw(event(timing_ms=secret), event(run_id=secret), event(run_id=secret), event(**{secret: 1})))
    append(segment, raw(event(run_id="r" * 1_000, seq=9), event(run_id="r" * 1_000, seq=9)))
    assert 1 == validate(segment, is_strict=True)
    assert 1 == validate(segment, is_strict=True, as_json=True)
    printed = capsys.readouterr().out
    assert secret not in printed
    assert 4 <= printed.count("[REDACTED:")
    assert "r" * 400 not in printed


def test_looking_writes_nothing(segment: Path) -> None:
    """No event, no folder: what is looked at stays as it is."""
    before = sorted((path, path.stat().st_mtime_ns) for path in segment.parent.rglob("*"))
    assert 0 == validate(segment)
    assert before == sorted((path, path.stat().st_mtime_ns) for path in segment.parent.rglob("*"))


def test_a_place_without_events_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line that says what to give; with --json as an object, too."""
    (tmp_path / "empty").mkdir()
    assert 1 == validate(tmp_path / "empty", as_json=True)
    out, err = capsys.readouterr()
    assert "no events.jsonl in it" in err
    assert json.loads(out)["error"]["message"] in err
    assert not (tmp_path / "empty/_ctx").exists()


class _Full(io.StringIO):
    def write(self, _text: str) -> int:
        raise OSError(28, "No space left on device")


class _Closed(io.StringIO):
    def write(self, _text: str) -> int:
        raise BrokenPipeError


def test_an_output_that_cannot_be_written_is_an_error(segment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk ends with 3, a closed pipe quietly."""
    monkeypatch.setattr(runner, "leave_closed_pipe", lambda: None)
    monkeypatch.setattr(runner, "show", lambda _outcome, as_json: _Full().write(""))
    assert 3 == validate(segment)
    monkeypatch.setattr(sys, "stdout", _Full())
    assert 3 == run_schema()
    monkeypatch.setattr(sys, "stdout", _Closed())
    assert 0 == run_schema()


def test_an_interrupt_ends_with_130(segment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As everywhere."""

    def interrupted(*_args: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "_validated", interrupted)
    assert 130 == validate(segment)


def test_an_interrupt_of_the_schema_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while it is printed."""

    def interrupted() -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "schema_text", interrupted)
    assert 130 == run_schema()


def test_what_cannot_be_read_is_not_said_to_be_the_output(
    segment: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A failing disk, in the words of a file and not of standard output."""

    def failing(*_args: object, **_options: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(command, "_validated", failing)
    assert 3 == validate(segment)
    assert ("", "ctx: a file: cannot be read (Input/output error); check its permissions and the disk\n") == tuple(
        capsys.readouterr()
    )


def test_texts_of_a_file_steer_nothing(segment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither a terminal nor what a pipe hands on to one."""
    append(segment, raw(event(face="a\N{RIGHT-TO-LEFT OVERRIDE}b\x9b31m")))
    assert 1 == validate(segment)
    assert 'found "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}31m"\n' in capsys.readouterr().out


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON, readable by people."""
    assert 0 == run_schema()
    printed = capsys.readouterr().out
    assert "https://json-schema.org/draft/2020-12/schema" == json.loads(printed)["$schema"]
    assert 1_000 < printed.count("\n")
