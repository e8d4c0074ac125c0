"""Tests of ctx.infrastructure.editor.editor_commands: arguments; what commands answer is in the integration tests."""

from __future__ import annotations

from typing import Any

import pytest

from ctx.domain.errors import UsageError
from ctx.infrastructure.editor.editor_commands import COMMANDS, arguments_of


@pytest.mark.parametrize(
    ("command", "given", "expected"),
    [
        ("ctx.search", ["words", 3], {"query": "words", "limit": 3}),
        ("ctx.search", [{"query": "words", "lang": None}], {"query": "words"}),
        ("ctx.search", None, {}),
        ("ctx.get", ["a", "b"], {"targets": ["a", "b"]}),
        ("ctx.get", [["a", "b"]], {"targets": ["a", "b"]}),
        ("ctx.get", [{"targets": ["a"], "mode": "raw"}], {"targets": ["a"], "mode": "raw"}),
        ("ctx.map", [], {}),
        ("ctx.refs", [{"selector": "a", "deadline": 1}], {"selector": "a", "deadline": 1}),
        ("ctx.telemetry", [None], {}),
    ],
)
def test_arguments_by_name_and_by_position(command: str, given: Any, expected: dict[str, Any]) -> None:
    """Both forms that editors can send are one; null is what was left out."""
    assert expected == arguments_of(command, given)


@pytest.mark.parametrize(
    ("command", "given", "message"),
    [
        ("ctx.search", ["a", 1, 2], "ctx.search takes at most 2 arguments, found 3"),
        ("ctx.search", [{"limit": True}], "ctx.search: limit must be a whole number, found True"),
        ("ctx.search", [{"limit": 1.5}], "ctx.search: limit must be a whole number, found 1.5"),
        ("ctx.search", [{"regex": 1}], "ctx.search: regex must be true or false, found 1"),
        ("ctx.refs", [{"deadline": "x"}], "ctx.refs: deadline must be a number, found 'x'"),
        ("ctx.refs", [{"position": []}], r"ctx.refs: position must be an object, found \[\]"),
        ("ctx.get", [1], r"ctx.get: targets must be a list of texts, found \[1\]"),
        ("ctx.restart", [{"now": True}], "ctx.restart has no argument 'now'; it takes root"),
    ],
)
def test_wrong_arguments_are_named(command: str, given: Any, message: str) -> None:
    """Which argument, what it must be, what was found."""
    with pytest.raises(UsageError, match=message):
        arguments_of(command, given)


def test_positions_are_arguments() -> None:
    """Every name that may come by its position is one the command takes."""
    for form in COMMANDS.values():
        assert {*form.positions, *([form.rest] if form.rest else [])} <= set(form.types)
