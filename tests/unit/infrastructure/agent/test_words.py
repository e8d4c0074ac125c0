"""Messages of the command line in an agent's words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctx.infrastructure.agent.words import ends_of, for_agents


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("4 more lines: a larger --budget", "4 more lines: a larger max_tokens"),
        ("4 more lines: `ctx get a.py:3-9 --mode raw`", "4 more lines: ctx_get a.py:3-9, mode raw"),
        ("it is now a#b (--latest gets it without asking)", "it is now a#b (latest: true gets it without asking)"),
        ("--regex: column 4: (", "query: column 4: ("),
        ("3 more candidates (--limit)", "3 more candidates"),
        (
            "x: the file is there and not indexed; `ctx stats` says why",
            "x: the file is there and not indexed; ctx_status says why",
        ),
        (
            "query is empty: give a name, e.g. ctx search 'parse config'",
            "query is empty: give a name, e.g. 'parse config'",
        ),
        ("selector column 1: expected a name", "symbol, column 1: expected a name"),
        ("two\nlines", "two lines"),
    ],
)
def test_options_and_commands_become_arguments_and_tools(said: str, expected: str) -> None:
    """What an agent cannot type is not what it is told to."""
    assert expected == for_agents(said)


@given(st.text(st.characters(exclude_characters="…")), st.integers(20, 60))
def test_ends_are_short_and_true(text: str, size_max: int) -> None:
    """What fits is not touched; of what does not, the beginning and the end stay, whatever it is written in."""
    found = ends_of(text, size_max)
    size = sum(len(ascii(character)) - 2 for character in text)
    head, _, tail = found.partition(" … ")
    if size <= size_max:
        assert text == found
    else:
        assert text.startswith(head)
        assert text.endswith(tail)
        assert sum(len(ascii(character)) - 2 for character in head + tail) <= size_max
