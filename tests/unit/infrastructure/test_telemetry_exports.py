"""Records written in forms that other programs read."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from tests.event_lines import ToldRun, resolve_with_server
from tests.otlp_lines import read_line

from ctx.domain.telemetry.table import COLUMNS
from ctx.infrastructure import telemetry_exports
from ctx.infrastructure.telemetry_exports import write_csv, write_otlp, write_sqlite

if TYPE_CHECKING:
    from pathlib import Path

NAMES = [name for name, _type in COLUMNS]


def test_otlp_is_a_line_for_each_object() -> None:
    """UTF-8 and a line feed."""
    stream = io.BytesIO()
    assert 12 == write_otlp(resolve_with_server().records, stream, signals=("traces", "metrics"), version="1")
    lines = stream.getvalue().splitlines()
    assert 2 == len(lines)
    for line in lines:
        read_line(line)


def test_csv_has_a_header_and_a_row_for_each_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines end as RFC 4180 says; quotes, commas and line ends in a cell are read back."""
    monkeypatch.setattr(telemetry_exports, "ROWS_PER_WRITE", 2)
    run = ToldRun().tell("ctx.search", 0, args={"query": 'a "b",\nc'}).tell("=1", 1).tell("c", 2, took_us=1)
    run.events[0]["segment"] = 'a "b",\nc'
    stream = io.BytesIO()
    assert 3 == write_csv(run.records, stream)
    text = stream.getvalue().decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [*NAMES] == list(rows[0])
    assert ('a "b",\nc', {"query": 'a "b",\nc'}) == (rows[0]["segment"], json.loads(rows[0]["args"]))
    assert ["ctx.search", "'=1", "c"] == [row["cmd"] for row in rows]
    assert ["", "", "1000"] == [row["duration_ns"] for row in rows]
    assert 4 == text.count("\r\n")


def test_csv_without_events_is_its_header() -> None:
    """A reader learns the columns."""
    stream = io.BytesIO()
    assert 0 == write_csv([], stream)
    assert ",".join(NAMES) + "\r\n" == stream.getvalue().decode()


def test_sqlite_has_typed_columns_indexes_and_runs(tmp_path: Path) -> None:
    """What is asked most is answered by an index."""
    path = tmp_path / "out.sqlite"
    assert 12 == write_sqlite(resolve_with_server().records, str(path))
    with closing(sqlite3.connect(path)) as connection:
        types = dict(connection.execute("SELECT name, type FROM pragma_table_info('events')").fetchall())
        assert {name: {int: "INTEGER", str: "TEXT"}[kind] for name, kind in COLUMNS} == types
        row = connection.execute(
            "SELECT command, face, duration_ms, exit_code, events, output_tokens, lsp_fallbacks FROM runs"
        ).fetchall()
        assert [("resolve", "cli", 524.0, 0, 12, 7, 1)] == row
        assert [("integer",)] == connection.execute("SELECT DISTINCT typeof(seq) FROM events").fetchall()
        plan = connection.execute("EXPLAIN QUERY PLAN SELECT * FROM events WHERE cmd = 'x' AND ts_us > 5").fetchall()
        assert "events_by_cmd" in str(plan)
        assert [("ok",)] == connection.execute("PRAGMA integrity_check").fetchall()


def test_what_sqlite_cannot_write_is_an_error_of_the_system(tmp_path: Path) -> None:
    """Said as any other full or missing disk."""
    with pytest.raises(OSError, match="unable to open database file"):
        write_sqlite([], str(tmp_path / "no" / "out.sqlite"))
