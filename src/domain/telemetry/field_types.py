"""What the types' names in the event table stand for: a fragment of JSON Schema each, its check, and its words.

The fragment is the only definition: `check_of` compiles it to a function for millions of values, `faults_of` says in
words what is wrong with one, `event_schema` publishes it. Only the keywords that stand in `TYPES` and in the schemas
made from them are understood; a test compares both with the `jsonschema` library.

Not imported on the way of a command: it costs what `re` and the enumerations cost.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, get_args

from ..language_server import FallbackReason, ReadyVia
from .counters import FILE_READ_MODES
from .events import FACES, LEVELS, TOKEN_FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Fragment = Mapping[str, Any]
    Check = Callable[[Any], bool]

FOUND_CHARS_MAX = 40
"""A wrong value that is longer is not repeated."""

# RFC 3339 as ctx writes it. The month's length is left to whoever reads a calendar.
_TIMESTAMP = (
    "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9][.][0-9]{6}[+]00:00$"
)
_COUNT = {"type": "integer", "minimum": 0}


def _enum(*values: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(values)}


TYPES: dict[str, dict[str, Any]] = {
    "string": {"type": "string"},
    "name": {"type": "string", "minLength": 1},
    "strings": {"type": "array", "items": {"type": "string"}},
    "short_texts": {"type": "array", "items": {"type": "string", "maxLength": 120}},
    "bool": {"type": "boolean"},
    "int": {"type": "integer"},
    "count": _COUNT,
    "ordinal": {"type": "integer", "minimum": 1},
    "number": {"type": "number"},
    "ratio": {"type": "number", "minimum": 0},
    "share": {"type": "number", "minimum": 0, "maximum": 1},
    "object": {"type": "object"},
    "numbers": {"type": "object", "additionalProperties": {"type": "number"}},
    "counts": {"type": "object", "additionalProperties": _COUNT},
    # `$` alone would let a newline follow, in Python's reading of it.
    "timestamp": {"type": "string", "pattern": _TIMESTAMP, "maxLength": 32},
    "hex8": {"type": "string", "pattern": "^[0-9a-f]{8}$", "maxLength": 8},
    "sha256_12": {"type": "string", "pattern": "^sha256:[0-9a-f]{12}$", "maxLength": 19},
    "tokens": {
        "type": "object",
        "properties": dict.fromkeys(TOKEN_FIELDS, _COUNT),
        "required": list(TOKEN_FIELDS),
    },
    "level": _enum(*LEVELS[1:]),
    "face": _enum(*FACES),
    "read_mode": _enum(*FILE_READ_MODES),
    "spawn_status": _enum("ok", "error"),
    "initialize_status": _enum("ok", "error", "timeout", "crashed"),
    "ready_via": _enum(*get_args(ReadyVia)),
    "fallback_reason": _enum(*get_args(FallbackReason)),
    "reply_status": _enum("answered", *get_args(FallbackReason)),
}


def fragment_of(type_name: str) -> dict[str, Any]:
    """Return the fragment of JSON Schema that a type's name stands for, a trailing `?` included.

    Raises: KeyError for a name that is none.
    """
    fragment = TYPES[type_name.removesuffix("?")]
    if not type_name.endswith("?"):
        return dict(fragment)
    nullable = {**fragment, "type": [fragment["type"], "null"]}
    if "enum" in fragment:
        nullable["enum"] = [*fragment["enum"], None]
    return nullable


# ---------------------------------------------------------------------- words


_WORDS = {
    "string": "a text",
    "boolean": "true or false",
    "integer": "an integer",
    "number": "a number",
    "object": "an object",
    "array": "a list",
    "null": "null",
}
_PATTERNS_IN_WORDS = {
    _TIMESTAMP: "a time as 2025-12-29T22:06:52.060304+00:00",
    "^[0-9a-f]{8}$": "8 hex digits",
    "^sha256:[0-9a-f]{12}$": "sha256: and 12 hex digits",
}


def words_of(fragment: Fragment) -> str:
    """Return what a value must be, as it stands after "must be"."""
    types = _types_of(fragment)
    if "enum" in fragment:
        names = ["null" if value is None else str(value) for value in fragment["enum"]]
        return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]
    words = []
    for kind in types:
        word = _WORDS[kind]
        if kind in {"integer", "number"} and "minimum" in fragment:
            is_range = "maximum" in fragment
            word += (
                f" from {fragment['minimum']} to {fragment['maximum']}" if is_range else f" >= {fragment['minimum']}"
            )
        elif kind == "string":
            word = _PATTERNS_IN_WORDS[fragment["pattern"]] if "pattern" in fragment else word
            word = f"{word} that is not empty" if "minLength" in fragment else word
            if "maxLength" in fragment and "pattern" not in fragment:
                word += f" of at most {fragment['maxLength']} characters"
        words.append(word)
    return " or ".join(words)


def found(value: Any) -> str:
    """Return a value as a message repeats it: JSON where it is short, else what kind of value it is.

    Half of a long text is not shown: nobody could tell a secret in it any more.
    """
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    text = json.dumps(value, ensure_ascii=False)
    if len(text) <= FOUND_CHARS_MAX:
        return text
    return f"a text of {len(value)} characters" if isinstance(value, str) else f"a number of {len(text)} digits"


def faults_of(value: Any, fragment: Fragment, place: str) -> Iterator[str]:
    """Yield what is wrong with a value, one message each; nothing when it is as it must be."""
    if not _has_type(value, _types_of(fragment)) or not _is_in_bounds(value, fragment):
        yield f'"{place}" must be {words_of(fragment)}, found {found(value)}'
        return
    if isinstance(value, dict):
        properties = fragment.get("properties", {})
        missing = [name for name in fragment.get("required", ()) if name not in value]
        if missing:
            is_one = len(missing) == 1
            names = ", ".join(f'"{name}"' for name in missing)
            yield f"{names} {'is' if is_one else 'are'} missing" + (f' in "{place}"' if place else "")
        others = fragment.get("additionalProperties")
        for name, item in value.items():
            inner = properties.get(name, others)
            if inner:
                yield from faults_of(item, inner, f"{place}.{name}" if place else name)
    elif isinstance(value, list) and "items" in fragment:
        for number, item in enumerate(value):
            yield from faults_of(item, fragment["items"], f"{place}[{number}]")


def _types_of(fragment: Fragment) -> list[str]:
    types = fragment.get("type", [])
    return [types] if isinstance(types, str) else list(types)


def _has_type(value: Any, types: list[str]) -> bool:
    return not types or any(_OF_TYPE[kind](value) for kind in types)


def _is_in_bounds(value: Any, fragment: Fragment) -> bool:
    if "enum" in fragment and value not in fragment["enum"]:
        return False
    if isinstance(value, str):
        size = len(value)
        is_short = size <= fragment.get("maxLength", size)
        return is_short and size >= fragment.get("minLength", 0) and bool(re.search(fragment.get("pattern", ""), value))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return bool(fragment.get("minimum", value) <= value <= fragment.get("maximum", value))
    return True


# ---------------------------------------------------------------------- checks


def _is_integer(value: Any) -> bool:
    # 1.0 is an integer in JSON Schema, and True is none.
    return value.__class__ is int or (value.__class__ is float and value.is_integer())


def _is_number(value: Any) -> bool:
    return value.__class__ is int or value.__class__ is float


_OF_TYPE: dict[str, Check] = {
    "string": lambda value: value.__class__ is str,
    "boolean": lambda value: value is True or value is False,
    "integer": _is_integer,
    "number": _is_number,
    "object": lambda value: value.__class__ is dict,
    "array": lambda value: value.__class__ is list,
    "null": lambda value: value is None,
}


def check_of(fragment: Fragment) -> Check:
    """Return a quick function that tells whether a value, as a JSON decoder gives it, is as it must be."""
    kind, *others = _types_of(fragment)
    make = _MAKERS.get(kind)
    check = make(fragment) if make is not None else _OF_TYPE[kind]
    if not others:
        return check
    return lambda value: value is None or check(value)


def _string_check(fragment: Fragment) -> Check:
    if "enum" in fragment:
        values = frozenset(fragment["enum"])
        return lambda value: value.__class__ is str and value in values
    if "pattern" in fragment:
        search, longest = re.compile(fragment["pattern"]).search, fragment["maxLength"]
        return lambda value: value.__class__ is str and len(value) <= longest and search(value) is not None
    if "minLength" in fragment or "maxLength" in fragment:
        return lambda value: value.__class__ is str and _is_in_bounds(value, fragment)
    return _OF_TYPE["string"]


def _number_check(fragment: Fragment) -> Check:
    is_of_type = _OF_TYPE["integer" if "integer" in _types_of(fragment) else "number"]
    if "maximum" in fragment:
        return lambda value: is_of_type(value) and fragment["minimum"] <= value <= fragment["maximum"]
    if "minimum" not in fragment:
        return is_of_type
    minimum = fragment["minimum"]
    # What nearly every number of a line is comes first.
    return lambda value: value >= minimum if value.__class__ is int else is_of_type(value) and value >= minimum


def _list_check(fragment: Fragment) -> Check:
    check = check_of(fragment["items"])
    return lambda value: value.__class__ is list and all(map(check, value))


def _object_check(fragment: Fragment) -> Check:
    required = frozenset(fragment.get("required", ()))
    checks = {name: check_of(inner) for name, inner in fragment.get("properties", {}).items()}
    others = fragment.get("additionalProperties")
    other_check = check_of(others) if others else None

    def check(value: Any) -> bool:
        if value.__class__ is not dict or not required <= value.keys():
            return False
        for name, item in value.items():
            item_check = checks.get(name, other_check)
            if item_check is not None and not item_check(item):
                return False
        return True

    return check


_MAKERS: dict[str, Callable[[Fragment], Check]] = {
    "string": _string_check,
    "integer": _number_check,
    "number": _number_check,
    "array": _list_check,
    "object": _object_check,
}
