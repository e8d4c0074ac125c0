"""Records as a Parquet file, through DuckDB, which the extra `parquet` installs.

DuckDB reads rows fastest from a file, so they are written to one beside the output first, as JSON lines.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

import orjson

from ..domain.errors import CtxError, UsageError
from ..domain.telemetry.table import COLUMNS, row_of
from .telemetry_exports import Counted, dumps

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..domain.telemetry.records import Record

MEMORY_BYTES_MAX = 512 << 20
_NAMES = tuple(name for name, _type in COLUMNS)
_BUFFER_BYTES = 1 << 20


def check_parquet() -> None:
    """Import what is needed.

    Raises: CtxError with the way to install it.
    """
    try:
        import duckdb  # noqa: F401 - only whether it is there
    except ImportError:
        raise CtxError(
            "parquet is written through DuckDB, which is not installed: pip install 'ctx-code[parquet]'"
        ) from None


def write_parquet(records: Iterable[Record], path: str) -> int:
    """Write a Parquet file (zstd) at `path` and return how many rows it has.

    Raises: OSError when the disk refuses; CtxError when DuckDB does; UsageError for a path that is no UTF-8.
    """
    import duckdb

    if not path.isascii() and path.encode("utf-8", "replace").decode() != path:
        raise UsageError("--output must be UTF-8 for parquet: DuckDB takes no other paths; give another name")

    rows_path = f"{path}.rows"
    counted = Counted(records)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with open(os.open(rows_path, flags, 0o600), "wb", buffering=_BUFFER_BYTES) as rows:
            rows.writelines(map(_line, counted))
        try:
            _convert(duckdb, rows_path, path)
        except duckdb.Error as error:
            first_line = str(error).partition("\n")[0]
            raise CtxError(f"parquet: DuckDB could not write the file ({first_line}); check free space") from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(rows_path)
    return counted.count


def _line(record: Record) -> bytes:
    return orjson.dumps(dict(zip(_NAMES, row_of(record, dumps), strict=True))) + b"\n"


def _convert(duckdb: Any, rows_path: str, path: str) -> None:
    settings = {
        "memory_limit": f"{MEMORY_BYTES_MAX >> 20}MB",
        "temp_directory": os.path.dirname(path),
        "autoinstall_known_extensions": "false",  # nothing is fetched: all that is needed is built in
    }
    types = {int: "BIGINT", str: "VARCHAR"}
    columns = ", ".join(f"{name}: '{types[kind]}'" for name, kind in COLUMNS)
    connection = duckdb.connect(":memory:", config=settings)
    try:
        connection.execute(
            f"COPY (SELECT make_timestamptz(ts_us) AS ts, * EXCLUDE (ts) "  # noqa: S608 - names are ours, paths quoted
            f"FROM read_json({_quoted(rows_path)}, format = 'newline_delimited', columns = {{{columns}}}, "
            f"maximum_object_size = {64 << 20})) TO {_quoted(path)} (FORMAT parquet, COMPRESSION zstd)"
        )
    finally:
        connection.close()


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
