"""An event as a row: the columns that CSV, SQLite and Parquet share, and cells that a spreadsheet does not run."""

from __future__ import annotations

from functools import lru_cache

from ..terminal_text import without_controls
from .moments import moment_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .records import Record

COLUMNS: tuple[tuple[str, type[int] | type[str]], ...] = (
    ("ts", str),
    ("ts_us", int),
    ("run_id", str),
    ("segment", str),
    ("segment_id", str),
    ("cmd", str),
    ("level", str),
    ("pid", int),
    ("seq", int),
    ("timing_ms", int),
    ("duration_ns", int),
    ("input_tokens", int),
    ("output_tokens", int),
    ("total_tokens", int),
    ("retrieved_tokens", int),
    ("dropped_before", int),
    ("warnings", str),
    ("args", str),
    ("result", str),
    ("extra", str),
)
"""Names and types; `duration_ns` is null where nothing was measured, the last four are JSON."""

_KNOWN_CHARS_MAX = 200
# Spreadsheets of some languages take the wide forms, too.
_FORMULA_STARTS = (
    *("=", "+", "-", "@", "\t", "\n"),
    *("\N{FULLWIDTH EQUALS SIGN}", "\N{FULLWIDTH PLUS SIGN}", "\N{FULLWIDTH HYPHEN-MINUS}"),
    "\N{FULLWIDTH COMMERCIAL AT}",
)


def row_of(record: Record, dumps: Callable[[Any], str]) -> tuple[int | str | None, ...]:
    """Return the cells of an event in the order of `COLUMNS`; `dumps` makes the JSON ones."""
    tokens = record.tokens
    return (
        moment_text(record.end_us),
        record.end_us,
        record.run_id,
        record.segment,
        record.segment_id,
        record.cmd,
        record.level,
        record.pid,
        record.seq,
        record.timing_ms,
        record.duration_ns if record.is_timed else None,
        tokens["input_tokens"],
        tokens["output_tokens"],
        tokens["total_tokens"],
        tokens["retrieved_tokens"],
        record.dropped_before,
        dumps(record.warnings),
        dumps(record.args),
        dumps(record.result),
        dumps(record.extra),
    )


def spreadsheet_row(row: tuple[int | str | None, ...]) -> tuple[int | str | None, ...]:
    """Return a row whose cells a spreadsheet takes for what they are: numbers and texts, none of them a formula."""
    return tuple(
        cell if not isinstance(cell, str) else _known(cell) if len(cell) <= _KNOWN_CHARS_MAX else spreadsheet_cell(cell)
        for cell in row
    )


def spreadsheet_cell(text: str) -> str:
    """Return a text that a spreadsheet takes for one: an apostrophe stands before what would begin a formula.

    Controls, NUL among them, and marks that reorder a line are replaced, in JSON the marks alone: it escapes controls.
    """
    text = without_controls(text)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


# Names come again and again, in millions of cells.
_known = lru_cache(maxsize=4096)(spreadsheet_cell)
