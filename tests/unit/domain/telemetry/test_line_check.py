"""Compiled checks of lines: they agree with the published schema, and say what is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator
from tests.telemetry_lines import any_value, damaged_lines, event, good_lines

from ctx.domain.telemetry.event_schema import telemetry_schema
from ctx.domain.telemetry.line_check import LineCheck

LIBRARY = Draft202012Validator(telemetry_schema())
CHECK = LineCheck()


@settings(max_examples=300)
@given(good_lines())
def test_a_line_of_the_table_is_fine(line: dict[str, Any]) -> None:
    """What the table allows passes the quick check, has no faults, and the library takes it."""
    assert CHECK.is_fine(line), CHECK.faults(line) or CHECK.novelties(line)
    assert [] == CHECK.faults(line)
    assert LIBRARY.is_valid(line)


@settings(max_examples=500)
@given(damaged_lines() | any_value)
def test_the_quick_check_the_messages_and_the_library_agree(line: Any) -> None:
    """Of any line: no faults just when the library takes it; fine just when it has nothing new either."""
    faults = CHECK.faults(line)
    assert LIBRARY.is_valid(line) is (not faults), faults
    assert CHECK.is_fine(line) is (not faults and not CHECK.novelties(line))


@pytest.mark.parametrize(
    ("line", "messages"),
    [
        (event(duration_ns=-3), ['"duration_ns" must be an integer >= 0 or null, found -3']),
        (event(result={"hits": "7"}), ['"result.hits" must be an integer >= 0, found "7"']),
        (event(args={"limit": [1]}), ['"args.limit" must be an integer or null, found a list']),
        (
            event(tokens={"total_tokens": 1, "input_tokens": 0}, pid="x"),
            [
                '"output_tokens", "retrieved_tokens" are missing in "tokens"',
                '"pid" must be an integer >= 1, found "x"',
            ],
        ),
        (event("of.a.script", args=None), ['"args" must be an object, found null']),
        (
            {**event(), "cmd": 5, "args": []},
            ['"cmd" must be a text that is not empty, found 5', '"args" must be an object, found a list'],
        ),
        ({name: value for name, value in event().items() if name not in {"ts", "pid"}}, ['"pid", "ts" are missing']),
        ({name: value for name, value in event().items() if name != "cmd"}, ['"cmd" is missing']),
        ([1], ["an event must be an object, found a list"]),
    ],
)
def test_messages_name_field_expectation_and_finding(line: Any, messages: list[str]) -> None:
    """Each fault is one sentence with the field's path."""
    assert messages == CHECK.faults(line)


def test_novelties_are_named() -> None:
    """What a later version added is named with its place."""
    line = event("ctx.get", args={"colour": 1}, result={"mood": 1}, weather=1)
    assert [
        'field "weather" of "ctx.get" is not in the table',
        'field "args.colour" of "ctx.get" is not in the table',
        'field "result.mood" of "ctx.get" is not in the table',
    ] == CHECK.novelties(line)
    assert ['event "of.a.script" is not in the table'] == CHECK.novelties(event("of.a.script", weather=1))


def test_names_that_stand_for_many_share_their_checks() -> None:
    """A file with another command in every line does not fill the memory."""
    check = LineCheck()
    size = len(check._by_cmd)
    assert all(check.is_fine(event(f"ctx.{number}")) for number in range(100))
    assert all(check.is_fine(event(f"lsp.{number}")) for number in range(100))
    assert len(check._by_cmd) == size
