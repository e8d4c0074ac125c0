"""The one table of events."""

from __future__ import annotations

import pytest
from tests.telemetry_lines import ROWS

from ctx.domain.telemetry.event_schema import fields_of
from ctx.domain.telemetry.events import COMMON_ARGS, EVENTS, LINE_FIELDS, RESERVED_FIELDS, EventKind, kind_of
from ctx.domain.telemetry.field_types import TYPES


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_field_has_a_known_type_and_a_meaning(row: EventKind) -> None:
    """No field is without a type that can be checked and a sentence; none stands twice in one part of a row."""
    assert row.when
    for part in fields_of(row):
        assert len(part) == len({field[0] for field in part})
        for name, type_name, unit, meaning in part:
            assert type_name.removesuffix("?") in TYPES, (row.name, name)
            assert meaning, (row.name, name)
            assert unit == unit.strip()


def test_a_name_ends_with_its_unit_where_it_has_one() -> None:
    """Milliseconds, nanoseconds and bytes are what the name says."""
    units = {"_ms": "ms", "_ns": "ns", "_bytes": "bytes", "_tokens": "tokens"}
    for row in ROWS:
        for part in fields_of(row):
            for name, _type, unit, _meaning in part:
                for end, expected in units.items():
                    if name.endswith(end):
                        assert expected == unit, (row.name, name)


def test_an_extra_field_never_has_the_name_of_a_key_of_the_line() -> None:
    """What `Telemetry.event` would refuse is in no row."""
    assert {name for name, *_ in LINE_FIELDS} - {"duration_ns"} < RESERVED_FIELDS
    for row in ROWS:
        assert RESERVED_FIELDS.isdisjoint(field[0] for field in row.extra_fields)


def test_the_allow_list_is_the_names_of_the_arguments() -> None:
    """What an event may show of its arguments is what its row describes."""
    assert {field[0] for field in EVENTS["file.read"].arg_fields} == EVENTS["file.read"].args == {"file", "mode"}
    assert COMMON_ARGS == kind_of("ctx.search").args == kind_of("of.a.script").args


def test_names_that_stand_for_many_get_their_rows() -> None:
    """A command, an editor's request and a question for a server know their fields; another name has none."""
    assert "hits" in {field[0] for field in kind_of("ctx.get").result_fields}
    assert kind_of("ctx.lsp.codeLens").when != kind_of("ctx.get").when
    assert "waited_ns" in {field[0] for field in kind_of("lsp.hover").extra_fields}
    assert () == kind_of("of.a.script").result_fields
