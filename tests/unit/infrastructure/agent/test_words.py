"""Messages of the command line in an agent's words."""

from __future__ import annotations

import pytest

from ctx.infrastructure.agent.words import for_agents


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
        ("two\nlines", "two lines"),
    ],
)
def test_options_and_commands_become_arguments_and_tools(said: str, expected: str) -> None:
    """What an agent cannot type is not what it is told to."""
    assert expected == for_agents(said)
