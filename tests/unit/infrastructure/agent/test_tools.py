"""The tools' schemas and arguments: what an agent is told, and what it is told when it errs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctx.domain.errors import UsageError
from ctx.infrastructure.agent.tools import BY_NAME, INSTRUCTIONS, TOOLS, Argument, tool_named
from ctx.infrastructure.tokenizer import BpeTokenCounter

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def test_defaults_are_filled_in() -> None:
    """What is not given, or null, is the default."""
    read = BY_NAME["ctx_search"].read({"query": "cart", "limit": None})
    assert ("cart", "words", None, 8000, None) == tuple(
        read[name] for name in ("query", "mode", "limit", "max_tokens", "cursor")
    )


@given(st.sampled_from(TOOLS), st.dictionaries(st.text(max_size=12), ANYTHING, max_size=4))
def test_anything_is_read_or_refused_in_one_line(tool: Any, arguments: dict[str, Any]) -> None:
    """Whatever a client sends under whatever names, there is a value or one short line."""
    known = [argument.name for argument in tool.arguments]
    said = [_said(tool, arguments), *(_said(tool, {name: value}) for name in known for value in arguments.values())]
    assert [] == [line for line in said if "\n" in line or len(line) > 400]


def _said(tool: Any, arguments: dict[str, Any]) -> str:
    """Return why arguments are refused, "" when they are taken."""
    try:
        tool.read(arguments)
    except UsageError as error:
        return str(error)
    return ""


@given(ANYTHING)
def test_read_values_have_the_promised_type(value: Any) -> None:
    """A number comes back as one in its range, a text as a text."""
    for argument, kind in ((Argument("n", "number"), int), (Argument("t"), str), (Argument("f", "flag"), bool)):
        try:
            read = argument.read(value)
        except UsageError:
            continue
        assert kind is type(read)
        if kind is int:
            assert 1 <= read <= 100


def test_whole_number_may_be_written_as_a_float() -> None:
    """JSON knows one kind of number; 10.0 is 10, 10.5 is none."""
    assert 10 == Argument("n", "number").read(10.0)
    for wrong in (10.5, float("nan"), float("inf"), "10"):
        with pytest.raises(UsageError, match="n must be a whole number from 1 to 100"):
            Argument("n", "number").read(wrong)


def test_unknown_tool_names_those_there_are() -> None:
    """The nearest first, all of them."""
    with pytest.raises(UsageError) as error:
        tool_named("ctx_reff")
    assert str(error.value).startswith("there is no tool 'ctx_reff'; there is ctx_refs, ")
    assert all(tool.name in str(error.value) for tool in TOOLS)


def test_root_is_an_argument_where_there_are_several() -> None:
    """With one root nobody pays for it."""
    tool = BY_NAME["ctx_status"]
    assert {} == tool.input_schema(("one",))["properties"]
    assert {"root": {"type": "string", "enum": ["one", "two"], "default": "one"}} == tool.input_schema(("one", "two"))[
        "properties"
    ]
    assert {"root": "two"} == tool.read({"root": "two"}, ("one", "two"))
    with pytest.raises(UsageError, match="ctx_status has no argument 'root'"):
        tool.read({"root": "one"}, ("one",))


def test_schemas_stay_small() -> None:
    """What every agent pays in every conversation; a word more is argued for by raising this number."""
    listed = [
        {
            "name": tool.name,
            "description": tool.about,
            "inputSchema": tool.input_schema(),
        }
        for tool in TOOLS
    ]
    tokens = BpeTokenCounter().count(json.dumps(listed, separators=(",", ":")))
    assert tokens <= 640, tokens
    assert BpeTokenCounter().count(INSTRUCTIONS) <= 40
