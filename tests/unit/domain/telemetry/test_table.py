"""An event as a row."""

from __future__ import annotations

import json

import pytest
from tests.event_lines import BEGIN_US, ToldRun

from ctx.domain.telemetry.table import COLUMNS, row_of, spreadsheet_cell, spreadsheet_row


def test_a_row_has_a_cell_for_each_column() -> None:
    """Numbers as numbers, what is nested as JSON."""
    run = ToldRun().tell("ctx.get", 0, took_us=1500, args={"ids": ["a"]}, result={"hits": 1}, face="cli")
    row = dict(zip((name for name, _type in COLUMNS), row_of(run.records[0], json.dumps), strict=True))
    assert ("2026-01-02T03:04:05.000000+00:00", BEGIN_US, 1, 1_500_000) == (
        row["ts"],
        row["ts_us"],
        row["timing_ms"],
        row["duration_ns"],
    )
    assert ('{"ids": ["a"]}', '{"hits": 1}', '{"face": "cli"}', "[]") == (
        row["args"],
        row["result"],
        row["extra"],
        row["warnings"],
    )
    types = {name: type(row[name]) for name, _type in COLUMNS}
    assert dict(COLUMNS) == types


def test_what_was_not_measured_is_null() -> None:
    """Not 0: something that took no time was measured."""
    row = row_of(ToldRun().tell("ast.cache", 0).records[0], json.dumps)
    assert None is row[[name for name, _type in COLUMNS].index("duration_ns")]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("=1+1", "'=1+1"),
        ("+x", "'+x"),
        ("-x", "'-x"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\tx", "'\tx"),
        ("a=1", "a=1"),
        ("a\x00b\u202ec", "a\ufffdb\ufffdc"),
        ("\r=1", "\ufffd=1"),
        ("", ""),
        ("\n=1+1", "'\n=1+1"),
        ("\N{FULLWIDTH EQUALS SIGN}1", "'\N{FULLWIDTH EQUALS SIGN}1"),
        ("\N{FULLWIDTH COMMERCIAL AT}SUM(1)", "'\N{FULLWIDTH COMMERCIAL AT}SUM(1)"),
    ],
)
def test_a_cell_is_no_formula(cell: str, expected: str) -> None:
    """Nor does it steer a terminal or turn a line around."""
    assert expected == spreadsheet_cell(cell)


def test_a_row_keeps_its_numbers() -> None:
    """They cannot be formulas."""
    assert (-5, None, "'-5") == spreadsheet_row((-5, None, "-5"))
