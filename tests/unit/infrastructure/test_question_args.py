"""What telemetry is told of a search or a map: the same words from every face."""

from __future__ import annotations

from typing import Any

import pytest

from ctx.domain.telemetry.events import kind_of
from ctx.infrastructure.editor.editor_commands import told_of
from ctx.infrastructure.question_args import map_args, search_args

FILTERS: dict[str, Any] = {"kind": "function,!test", "lang": "python", "path": "!vendor", "focus": ["a.py"]}


def test_filters_are_told_when_they_were_given() -> None:
    """An empty filter is none, a default stays null."""
    assert {"query": "x", "limit": None, "mode": "search"} == search_args("x", "search", kind="", path="", focus=())
    assert {"query": "x", "limit": 3, "mode": "regex", **FILTERS} == search_args("x", "regex", limit=3, **FILTERS)
    assert {"files": [], "mode": "map"} == map_args((), ())
    assert {"files": ["src"], "mode": "map", "focus": ["a.py"]} == map_args(("src",), ("a.py",))


@pytest.mark.parametrize("args", [search_args("x", "search", **FILTERS), map_args(("a",), ("b",))])
def test_the_table_of_events_has_all_of_them(args: dict[str, Any]) -> None:
    """Nothing of it is dropped before it is written."""
    assert set(args) <= kind_of("ctx.search").args


@pytest.mark.parametrize(
    ("command", "arguments", "expected"),
    [
        ("ctx.search", {"query": "x", "regex": True, **FILTERS}, search_args("x", "regex", **FILTERS)),
        ("ctx.search", {"query": "x", "literal": True, "limit": 2}, search_args("x", "literal", limit=2)),
        ("ctx.search", {"query": "x", "budget": 9}, {**search_args("x", "search"), "budget_token_est": 9}),
        ("ctx.map", {"paths": ["src"], "focus": ["a.py"]}, map_args(["src"], ["a.py"])),
        ("ctx.map", {}, map_args([], [])),
        ("ctx.refs", {"selector": "f", "view": "callers"}, {"symbol_query": "f", "mode": "callers"}),
        ("ctx.get", {"targets": ["a"], "mode": "raw", "latest": True}, {"ids": ["a"], "mode": "raw"}),
    ],
)
def test_what_an_editor_asks(command: str, arguments: dict[str, Any], expected: dict[str, Any]) -> None:
    """A command's arguments become those of the event of that name."""
    assert expected == told_of(command, arguments)
