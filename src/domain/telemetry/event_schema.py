"""The JSON Schema of an event line, and of the two files beside it, made from the tables of events and summaries.

`ctx telemetry schema` prints it and docs/telemetry.schema.json is the same. What a later version adds is valid: names
that are not in the table, new keys anywhere. A known field of another type is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .events import (
    COMMON_EXTRA,
    COMMON_RESULT,
    EVENTS,
    LINE_FIELDS,
    LSP_LIFECYCLE,
    PATTERNS,
    SOMETIMES_FIELDS,
    EventKind,
    kind_of,
)
from .field_types import fragment_of
from .summary_fields import BLOCKS, BY_NAME, SUMMARY_FIELDS

if TYPE_CHECKING:
    from .events import Fields

SCHEMA_ID = "https://ctx-code.invalid/telemetry.schema.json"
"""A name, not an address: nothing is ever fetched from it (RFC 2606)."""
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def telemetry_schema() -> dict[str, Any]:
    """Return the schema of one event line; `$defs/metrics` and `$defs/last_run` are those of the files beside it."""
    rows = [*EVENTS.values(), *(kind_of(pattern) for pattern in PATTERNS)]
    return {
        "$schema": DIALECT,
        "$id": SCHEMA_ID,
        "title": "A line of events.jsonl, as ctx writes it",
        "description": "Keys and events that are not listed here are valid: readers must survive new ones.",
        "type": "object",
        "required": [field[0] for field in LINE_FIELDS],
        "properties": _properties(LINE_FIELDS + SOMETIMES_FIELDS),
        "allOf": [
            {
                "if": {"type": "object", "required": ["cmd"], "properties": {"cmd": _names(row)}},
                "then": {"$ref": f"#/$defs/{_definition_name(row)}"},
            }
            for row in rows
        ],
        "$defs": {
            **{_definition_name(row): _event_schema(row) for row in rows},
            "metrics": metrics_schema(),
            "last_run": last_run_schema(),
        },
    }


def metrics_schema() -> dict[str, Any]:
    """Return the schema of `metrics.json`."""
    return {"title": "metrics.json: the counters of all runs", **fragment_of("counts")}


def last_run_schema() -> dict[str, Any]:
    """Return the schema of `last_run.json`."""
    properties = _properties(SUMMARY_FIELDS)
    for name, fields in BLOCKS.items():
        block = {
            "type": "object",
            "required": [field[0] for field in fields],
            "properties": _properties(fields),
        }
        inner = {"additionalProperties": block} if name in BY_NAME else block
        properties[name] = {**properties[name], **inner}
    return {
        "title": "last_run.json: the summary of the run that finished last",
        "type": "object",
        "required": [field[0] for field in SUMMARY_FIELDS],
        "properties": properties,
    }


def fields_of(row: EventKind) -> tuple[Fields, Fields, Fields]:
    """Return what an event may say: its args, its result and its extra fields, those that any may have included."""
    return row.arg_fields, _joined(row.result_fields, COMMON_RESULT), _joined(row.extra_fields, COMMON_EXTRA)


def _joined(own: Fields, common: Fields) -> Fields:
    names = {field[0] for field in own}
    return own + tuple(field for field in common if field[0] not in names)


def _event_schema(row: EventKind) -> dict[str, Any]:
    args, result, extra = fields_of(row)
    return {
        "title": row.name,
        "description": row.when,
        "properties": {
            "args": {"properties": _properties(args)},
            "result": {"properties": _properties(result)},
            **_properties(extra),
        },
    }


def _properties(fields: Fields) -> dict[str, Any]:
    properties = {}
    for name, type_name, unit, meaning in fields:
        properties[name] = {**fragment_of(type_name), "description": meaning, **({"x-unit": unit} if unit else {})}
    return properties


def _definition_name(row: EventKind) -> str:
    # A JSON pointer in a URI fragment: what angle brackets and spaces would need is left out.
    return row.name.replace("<", "").replace(">", "").replace(" ", "_")


def _names(row: EventKind) -> dict[str, Any]:
    if row.name in EVENTS:
        return {"type": "string", "const": row.name}
    prefix = row.name.partition("<")[0]
    names: dict[str, Any] = {"type": "string", "pattern": f"^{prefix.replace('.', '[.]')}"}
    if prefix == "lsp.":
        names["not"] = {"enum": sorted(LSP_LIFECYCLE)}
    return names
