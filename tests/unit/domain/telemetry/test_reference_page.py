"""docs/telemetry-reference.md has the tables of events, counters and summaries; CTX_REWRITE_GOLD=1 writes them anew."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.telemetry_lines import ROWS

from ctx.domain.telemetry.counters import COUNTERS
from ctx.domain.telemetry.events import COMMON_ARGS, COMMON_RESULT, LINE_FIELDS, SOMETIMES_FIELDS, kind_of
from ctx.domain.telemetry.field_types import fragment_of, words_of
from ctx.domain.telemetry.summary_fields import BLOCKS, BY_NAME, SUMMARY_FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ctx.domain.telemetry.events import EventKind, Fields

PAGE = Path(__file__).parents[4] / "docs/telemetry-reference.md"


def table(head: str, rows: Iterable[Sequence[str]]) -> str:
    columns = head.split("|")
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def type_words(type_name: str) -> str:
    words = words_of(fragment_of(type_name)).partition(" as 2025")[0]
    return re.sub(r"\b(?:an?|as) ", "", words).replace("integer >= 0", "count").replace("integer >= 1", "count from 1")


def field_rows(fields: Fields, *first: str) -> list[list[str]]:
    return [[*first, f"`{name}`", type_words(type_name), unit, meaning] for name, type_name, unit, meaning in fields]


def event_text(row: EventKind) -> str:
    critical = " **Critical.**" if row.critical else ""
    rows: list[list[str]] = []
    if row.args == COMMON_ARGS and row.name != "ctx.<command>":
        args = " Arguments as of `ctx.<command>`."
        result = "" if row.result_fields != kind_of("ctx.x").result_fields else " Fields, too."
        return f"### `{row.name}`\n\n{row.when[0].upper()}{row.when[1:]}.{critical}{args}{result}"
    for part, fields in (("args", row.arg_fields), ("result", row.result_fields), ("top", row.extra_fields)):
        rows += field_rows(fields, part)
    head = "in|field|type|unit|meaning"
    return f"### `{row.name}`\n\n{row.when[0].upper()}{row.when[1:]}.{critical}\n\n{table(head, rows)}"


def summary_text() -> str:
    parts = [table("key|type|unit|meaning", field_rows(SUMMARY_FIELDS))]
    for name, fields in BLOCKS.items():
        key = f"{name}.<name>" if name in BY_NAME else name
        parts.append(f"### `{key}`\n\n{table('field|type|unit|meaning', field_rows(fields))}")
    return "\n\n".join(parts)


BLOCKS_OF_THE_PAGE = {
    "table: line": table("key|type|unit|meaning", field_rows(LINE_FIELDS + SOMETIMES_FIELDS)),
    "table: common": table("field|type|unit|meaning", field_rows(COMMON_RESULT)),
    "events": "\n\n".join(event_text(row) for row in ROWS),
    "table: counters": table("counter|counts|moved by", [[f"`{name}`", unit, how] for name, unit, how in COUNTERS]),
    "summary": summary_text(),
}


@pytest.mark.parametrize("mark", BLOCKS_OF_THE_PAGE)
def test_the_page_has_the_table(mark: str) -> None:
    """Every name, type, unit and meaning of the table is in the page, and nothing else is in its tables."""
    page = PAGE.read_text(encoding="utf-8")
    begin = f"<!-- {mark} -->\n"
    before, found, after = page.partition(begin)
    assert found, f"no {begin.strip()}"
    text, end, rest = after.partition("<!-- end -->")
    assert end
    expected = BLOCKS_OF_THE_PAGE[mark] + "\n"
    if os.environ.get("CTX_REWRITE_GOLD"):
        PAGE.write_text(f"{before}{begin}{expected}{end}{rest}", encoding="utf-8")
        return
    assert text == expected
