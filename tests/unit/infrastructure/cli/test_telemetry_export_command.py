"""`ctx telemetry export`, in process."""

from __future__ import annotations

import csv
import io
import json
import os
import resource
import sqlite3
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from tests.event_lines import ToldRun, write_segment
from tests.otlp_lines import read_line

from ctx.infrastructure import outgoing_events
from ctx.infrastructure.cli import telemetry_export_command
from ctx.infrastructure.cli.telemetry_export_command import ExportOptions, run_export

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import ModuleType


@pytest.fixture
def segment(two_runs: Path) -> Path:
    """A segment with two runs of 12 and 2 events."""
    return two_runs


def export(segment: Path, **options: Any) -> int:
    default: dict[str, Any] = {
        "places": (),
        "form": "otlp",
        "output": "-",
        "signal": "all",
        "last": None,
        "since": "",
        "recursive": False,
        "force": False,
    }
    return run_export(ExportOptions(**default | options), segment=str(segment))


def test_otlp_goes_to_standard_output(segment: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing is said beside it."""
    assert 0 == export(segment)
    out, err = capfd.readouterr()
    assert (4, "") == (len([read_line(line) for line in out.splitlines()]), err)


@pytest.mark.parametrize("form", ["otlp", "csv", "sqlite", "parquet"])
def test_a_file_is_written_and_said_to_be(
    segment: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], form: str
) -> None:
    """Once: a second time it is there, and --force replaces it."""
    if form == "parquet":
        pytest.importorskip("duckdb", reason="the extra `parquet` is not installed")
    folder = tmp_path / "out"
    folder.mkdir()
    codes = [export(segment, form=form, output=str(folder / "o"), force=force) for force in (False, False, True)]
    assert ([0, 2, 0], ["o"]) == (codes, os.listdir(folder))
    err = capfd.readouterr().err
    assert (2, True) == (err.count("14 events in "), "is there already" in err)


def test_only_the_selected_events_are_written(segment: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The last run, and what was since then."""
    assert 0 == export(segment, form="csv", last=1)
    rows = list(csv.DictReader(io.StringIO(capfd.readouterr().out, newline="")))
    assert ["command.start", "command.end"] == [row["cmd"] for row in rows]
    assert 0 == export(segment, form="csv", since="2026-01-02T03:04:10+00:00")
    assert 3 == capfd.readouterr().out.count("\r\n")


def test_nothing_found_writes_nothing(segment: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, and no file."""
    for form in ("csv", "sqlite"):
        assert 1 == export(segment, form=form, output=str(tmp_path / "o"), since="2100-01-01")
    assert [["segment"], 2] == [os.listdir(tmp_path), capfd.readouterr().err.count("no event was found")]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"form": "xml"}, "--format must be otlp, csv, sqlite or parquet, found 'xml'"),
        ({"form": "sqlite"}, "--format sqlite needs a file"),
        ({"form": "csv", "signal": "logs"}, "--signal is for --format otlp"),
        ({"signal": "x"}, "--signal must be"),
        ({"output": "/"}, "is a directory"),
        ({"last": 0}, "--last must be"),
        ({"since": "x"}, "--since must be"),
    ],
)
def test_mistakes_are_one_line(
    segment: Path, capfd: pytest.CaptureFixture[str], options: dict[str, Any], message: str
) -> None:
    """Exit code 2."""
    assert 2 == export(segment, **options)
    err = capfd.readouterr().err
    assert (1, True) == (err.count("\n"), message in err)


def test_without_duckdb_parquet_says_how_to_get_it(
    segment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """One line, exit code 3, no file."""
    monkeypatch.setitem(sys.modules, "duckdb", None)
    assert 3 == export(segment, form="parquet", output=str(tmp_path / "o"))
    assert "pip install 'ctx-code[parquet]'" in capfd.readouterr().err


def test_lines_that_are_none_are_counted(segment: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """And the rest is exported."""
    with (segment / "_ctx" / "telemetry" / "events.jsonl").open("ab") as file:
        file.write(b'{"torn":\n{"foreign":1}\n')
    assert 0 == export(segment, form="csv")
    assert "left out: 2 lines that cannot be read as events; " in capfd.readouterr().err


def test_hostile_names_get_out_harmless(segment: Path, tmp_path: Path) -> None:
    """Formulas, markup, marks that turn a line around and NUL in names and texts."""
    hostile = "=cmd|' /C calc'!A0<script>\u202e\x00"
    event = ToldRun().tell("ctx.search", 0, args={"query": hostile}, result={hostile: hostile}).events[0]
    write_segment(tmp_path / "hostile", [event | {"segment": hostile, "cmd": hostile}])
    assert 0 == export(tmp_path / "hostile", form="csv", output=str(tmp_path / "o.csv"))
    (row,) = csv.DictReader(io.StringIO((tmp_path / "o.csv").read_bytes().decode(), newline=""))
    shown = hostile.replace("\u202e", "\ufffd")
    assert ("'=cmd", "'=cmd", {shown: shown}) == (row["cmd"][:5], row["segment"][:5], json.loads(row["result"]))
    assert 0 == export(tmp_path / "hostile", form="sqlite", output=str(tmp_path / "o.db"))
    with closing(sqlite3.connect(tmp_path / "o.db")) as connection:
        assert [(hostile,)] == connection.execute("SELECT cmd FROM events").fetchall()


def test_an_interrupt_leaves_nothing(
    segment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Exit code 130; under its name is what was there before, if anything was."""

    @contextmanager
    def interrupted(_what: str) -> Iterator[Any]:
        def tell(_done: int, _total: int) -> None:
            raise KeyboardInterrupt

        yield tell

    monkeypatch.setattr(telemetry_export_command, "progress", interrupted)
    for form in ("otlp", "csv", "sqlite"):
        assert 130 == export(segment, form=form, output=str(tmp_path / "o"))
    assert 130 == export(segment)
    assert ["segment"] == os.listdir(tmp_path)
    assert ["ctx: interrupted; nothing was written"] * 3 + ["ctx: interrupted"] == capfd.readouterr().err.splitlines()


def test_a_closed_pipe_is_no_error_and_a_full_disk_is(
    segment: Path, capfd: pytest.CaptureFixture[str], on_refusing_outputs: Callable[[Callable[[], int]], list[int]]
) -> None:
    """Of standard output."""
    assert [0, 3] == on_refusing_outputs(lambda: export(segment))
    assert "standard output: cannot be written" in capfd.readouterr().err


@pytest.mark.parametrize("form", ["otlp", "csv", "sqlite", "parquet"])
def test_a_disk_that_takes_no_more_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str], form: str) -> None:
    """Exit code 3; what was written so far goes."""
    if form == "parquet":
        pytest.importorskip("duckdb", reason="the extra `parquet` is not installed")
    run = ToldRun()
    for number in range(1000):
        run.tell(f"ctx.search{number}", number, took_us=1)
    write_segment(tmp_path / "segment", run.events)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        code = export(tmp_path / "segment", form=form, output=str(tmp_path / "o"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (3, ["segment"]) == (code, os.listdir(tmp_path))
    err = capfd.readouterr().err
    assert (1, True) == (err.count("\n"), "free space" in err)


def test_what_cannot_be_read_is_not_said_to_be_the_output(
    segment: Path, says_unreadable: Callable[[ModuleType, str, Callable[[], int]], None]
) -> None:
    """A folder without permission: exit code 3 and the place."""
    says_unreadable(telemetry_export_command, "sources_of", lambda: export(segment))


def test_a_disk_that_fails_while_it_is_read_is_named(
    segment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """In the middle of an export: not the output, of which nothing is left."""

    def failing(_path: str, _identity: object) -> Iterator[bytes]:
        raise OSError(5, "Input/output error")
        yield b""

    monkeypatch.setattr(outgoing_events, "lines_of_file", failing)
    codes = [export(segment, form=form, output=str(tmp_path / "o")) for form in ("csv", "sqlite")]
    assert ([3, 3], ["segment"]) == (codes, os.listdir(tmp_path))
    assert 2 * "ctx: a file: cannot be read (Input/output error); check its permissions and the disk\n" == (
        capfd.readouterr().err
    )


@pytest.mark.parametrize("form", ["otlp", "sqlite"])
def test_what_is_exported_is_not_replaced(
    segment: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], form: str
) -> None:
    """Not in its folder and not elsewhere, also with --force."""
    events = segment / "_ctx" / "telemetry" / "events.jsonl"
    taken = tmp_path / "taken.jsonl"
    taken.write_bytes(before := events.read_bytes())
    codes = [export(segment, form=form, places=(str(path),), output=str(path), force=True) for path in (events, taken)]
    assert [2, 2, before, before] == [*codes, events.read_bytes(), taken.read_bytes()]
    first, second = capfd.readouterr().err.splitlines()
    assert ("is in a telemetry folder" in first, "is read for this" in second) == (True, True)
