"""Event lines as the table allows them, and ways to damage one, for tests of what reads them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from ctx.domain.telemetry.event_schema import fields_of
from ctx.domain.telemetry.events import EVENTS, LEVELS, PATTERNS, kind_of
from ctx.domain.telemetry.field_types import fragment_of

if TYPE_CHECKING:
    from ctx.domain.telemetry.events import Fields

ROWS = (*EVENTS.values(), *(kind_of(pattern) for pattern in PATTERNS))
_TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)

any_value = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=5,
)


def event(cmd: str = "ctx.search", **changes: Any) -> dict[str, Any]:
    """Return a decoded line as `Telemetry` writes it; `changes` are set at its top level."""
    return {
        "ts": "2025-12-29T22:06:52.060304+00:00",
        "run_id": "run_1767045999_0123abcd",
        "segment": "shop",
        "segment_id": "0123abcd",
        "cmd": cmd,
        "args": {},
        "result": {},
        "timing_ms": 3,
        "duration_ns": 3_141_592,
        "tokens": {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0, "retrieved_tokens": 0},
        "warnings": [],
        "seq": 1,
        "pid": 4711,
        "level": "lite",
        **changes,
    }


def raw(*events: dict[str, Any]) -> bytes:
    """Return lines as they are in the file."""
    return b"".join(json.dumps(one, ensure_ascii=False, separators=(",", ":")).encode() + b"\n" for one in events)


def values_of(fragment: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return values that a fragment of schema allows."""
    types = [fragment["type"]] if isinstance(fragment["type"], str) else fragment["type"]
    return st.one_of(*(_values_of_type(kind, fragment) for kind in types))


def _values_of_type(kind: str, fragment: dict[str, Any]) -> st.SearchStrategy[Any]:
    least, most = fragment.get("minimum"), fragment.get("maximum")
    match kind:
        case "string" if "enum" in fragment:
            return st.sampled_from([value for value in fragment["enum"] if value is not None])
        case "string" if "pattern" in fragment:
            return st.from_regex(fragment["pattern"].replace("$", r"\Z"), fullmatch=True)
        case "string":
            return st.text(st.characters(exclude_categories=("Cs",)), min_size=fragment.get("minLength", 0), max_size=9)
        case "array":
            return st.lists(values_of(fragment["items"]), max_size=3)
    others: dict[str, st.SearchStrategy[Any]] = {
        "null": st.none(),
        "boolean": st.booleans(),
        "integer": st.integers(least, 2**62 if most is None else most),
        "number": st.integers(least, most) | st.floats(least, most, allow_nan=False),
        "object": st.fixed_dictionaries({name: values_of(one) for name, one in fragment.get("properties", {}).items()}),
    }
    return others[kind]


def _fields(draw: st.DrawFn, fields: Fields) -> dict[str, Any]:
    chosen = draw(st.lists(st.sampled_from(fields), unique=True)) if fields else []
    return {name: draw(values_of(fragment_of(type_name))) for name, type_name, _unit, _meaning in chosen}


@st.composite
def good_lines(draw: st.DrawFn) -> dict[str, Any]:
    """Return any line of the table."""
    row = draw(st.sampled_from(ROWS))
    args, result, extra = fields_of(row)
    return event(
        row.name,
        args=_fields(draw, args),
        result=_fields(draw, result),
        level=draw(st.sampled_from(LEVELS[1:])),
        **_fields(draw, extra),
    )


@st.composite
def damaged_lines(draw: st.DrawFn) -> Any:
    """Return a line with one to three of its values exchanged, taken out, or put in."""
    line = draw(good_lines())
    for _ in range(draw(st.integers(1, 3))):
        part = draw(st.sampled_from([line, line.get("args"), line.get("result"), line.get("tokens")]))
        if not isinstance(part, dict):
            continue
        names = st.sampled_from(sorted(part)) if part else _TEXTS
        name = draw(names | _TEXTS | st.sampled_from(["cmd", "args", "mode", "status", "duration_ns", "hits", "limit"]))
        if draw(st.booleans()) and name in part:
            del part[name]
        else:
            part[name] = draw(any_value | st.sampled_from(["lsp.x", "ctx.x", "lsp.ready", "x", "2025-12-29", 1.0, -1]))
    return line
