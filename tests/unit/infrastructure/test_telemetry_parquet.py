"""Records as a Parquet file."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from tests.event_lines import BEGIN_US, ToldRun, resolve_with_server

from ctx.domain.errors import CtxError, UsageError
from ctx.domain.telemetry.table import COLUMNS
from ctx.infrastructure.telemetry_parquet import check_parquet, write_parquet

if TYPE_CHECKING:
    from pathlib import Path

duckdb = pytest.importorskip("duckdb", reason="the extra `parquet` is not installed")


def test_a_parquet_file_has_the_same_columns_typed(tmp_path: Path) -> None:
    """The time is one; what was not measured is null; nothing else stays in the folder."""
    path = str(tmp_path / "it's.parquet")
    run = resolve_with_server().tell("ast.cache", 600_000, args={"file": 'a"b\n.py'}, prev_sha=None)
    assert 13 == write_parquet(run.records, path)
    assert ["it's.parquet"] == os.listdir(tmp_path)
    table = duckdb.sql("SELECT * FROM read_parquet($path)", params={"path": path})
    types = dict(zip(table.columns, map(str, table.types), strict=True))
    assert {name: {int: "BIGINT", str: "VARCHAR"}[kind] for name, kind in COLUMNS} | {
        "ts": "TIMESTAMP WITH TIME ZONE"
    } == types
    rows = duckdb.sql(
        "SELECT epoch_us(ts) - ts_us, args->>'file', duration_ns FROM read_parquet($path) WHERE cmd = 'ast.cache'",
        params={"path": path},
    ).fetchall()
    assert [(0, 'a"b\n.py', None)] == rows
    moments = duckdb.sql("SELECT min(ts_us) FROM read_parquet($path)", params={"path": path}).fetchall()
    assert [(BEGIN_US + 1000,)] == moments


def test_what_duckdb_cannot_write_is_one_line(tmp_path: Path) -> None:
    """And the rows beside it go."""
    (tmp_path / "taken.parquet").mkdir()
    with pytest.raises(CtxError, match="parquet: DuckDB could not write the file"):
        write_parquet(ToldRun().tell("a", 0).records, str(tmp_path / "taken.parquet"))
    assert ["taken.parquet"] == os.listdir(tmp_path)


def test_without_duckdb_the_way_to_get_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is read."""
    check_parquet()
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(CtxError, match=r"pip install 'ctx-code\[parquet\]'"):
        check_parquet()


def test_a_path_that_duckdb_does_not_take_is_said(tmp_path: Path) -> None:
    """Before anything is written; one with other letters is taken."""
    run = ToldRun().tell("a", 0)
    with pytest.raises(UsageError, match="--output must be UTF-8 for parquet"):
        write_parquet(run.records, str(tmp_path / "\udcff.parquet"))
    assert 1 == write_parquet(run.records, str(tmp_path / "\N{LATIN SMALL LETTER E WITH ACUTE}.parquet"))
    assert 1 == len(os.listdir(tmp_path))
