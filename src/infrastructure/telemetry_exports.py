"""Records written in forms that other programs read: OTLP lines, CSV, SQLite. Parquet is in `telemetry_parquet`.

Each writer takes records as they come, holds a few thousand at most, and returns how many there were.
"""

from __future__ import annotations

import csv
import io
import sqlite3
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson

from ..application.telemetry_export import otlp_lines
from ..domain.telemetry.table import COLUMNS, row_of, spreadsheet_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

    from ..domain.telemetry.records import Record

ROWS_PER_WRITE = 2000
_RUNS_VIEW = """
CREATE VIEW runs AS
SELECT segment_id, run_id, min(segment) AS segment, count(*) AS events, count(DISTINCT pid) AS processes,
       min(ts) AS first_ts, max(ts) AS last_ts,
       min(CASE WHEN cmd = 'command.start' THEN json_extract(args, '$.command') END) AS command,
       min(CASE WHEN cmd = 'command.start' THEN json_extract(args, '$.face') END) AS face,
       max(CASE WHEN cmd = 'command.end' THEN duration_ns END) / 1e6 AS duration_ms,
       max(CASE WHEN cmd = 'command.end' THEN json_extract(result, '$.exit_code') END) AS exit_code,
       sum(output_tokens) AS output_tokens, sum(cmd = 'lsp.fallback') AS lsp_fallbacks
FROM events GROUP BY segment_id, run_id
"""


def write_otlp(records: Iterable[Record], stream: BinaryIO, *, signals: Iterable[str], version: str) -> int:
    """Write OTLP lines, each of one signal.

    Raises: OSError.
    """
    counted = Counted(records)
    stream.writelines(orjson.dumps(data) + b"\n" for data in otlp_lines(counted, signals, version))
    return counted.count


def write_csv(records: Iterable[Record], stream: BinaryIO) -> int:
    """Write CSV as of RFC 4180 in UTF-8, with a header, and cells that a spreadsheet does not run as formulas.

    Raises: OSError.
    """
    counted = Counted(records)
    rows = (spreadsheet_row(row_of(record, dumps)) for record in counted)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([name for name, _type in COLUMNS])
    for batch in _batches(rows):
        writer.writerows(batch)
        stream.write(text.getvalue().encode())
        text.seek(0)
        text.truncate()
    if not counted.count:
        stream.write(text.getvalue().encode())
    return counted.count


def write_sqlite(records: Iterable[Record], path: str) -> int:
    """Write a new SQLite database at `path`: a table of events, indexes, a view of runs.

    Raises: OSError when the disk refuses.
    """
    counted = Counted(records)
    try:
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            _fill(connection, counted)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise OSError(None, str(error), path) from error
    return counted.count


def _fill(connection: sqlite3.Connection, records: Iterable[Record]) -> None:
    # Whole or not at all is what the file's name says: a journal would only write everything twice.
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("PRAGMA synchronous = OFF")
    types = {int: "INTEGER", str: "TEXT"}
    columns = ", ".join(f"{name} {types[kind]}{'' if name == 'duration_ns' else ' NOT NULL'}" for name, kind in COLUMNS)
    connection.execute(f"CREATE TABLE events ({columns})")
    connection.execute("BEGIN")
    places = ", ".join("?" * len(COLUMNS))
    for batch in _batches(row_of(record, dumps) for record in records):
        connection.executemany(f"INSERT INTO events VALUES ({places})", batch)  # noqa: S608 - our own constants
    connection.execute("CREATE INDEX events_by_run ON events (segment_id, run_id, seq)")
    connection.execute("CREATE INDEX events_by_cmd ON events (cmd, ts_us)")
    connection.execute("CREATE INDEX events_by_time ON events (ts_us)")
    connection.execute(_RUNS_VIEW)
    connection.execute("COMMIT")


def dumps(value: Any) -> str:
    """Return JSON as text."""
    return orjson.dumps(value).decode()


class Counted:
    """Iterates over records once and counts them."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._records = records
        self.count = 0

    def __iter__(self) -> Iterator[Record]:
        for record in self._records:
            self.count += 1
            yield record


def _batches(rows: Iterable[Any]) -> Iterator[list[Any]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, ROWS_PER_WRITE)):
        yield batch
