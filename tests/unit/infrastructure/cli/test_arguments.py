"""The thin parser: what it reads, what it leaves to the full command line, and that both know the same options."""

from __future__ import annotations

import inspect

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from ctx.infrastructure.cli import commands
from ctx.infrastructure.cli.app import app
from ctx.infrastructure.cli.arguments import GET, GET_DEFAULTS, SEARCH, SEARCH_DEFAULTS, parse

_OF_COMMAND = {"search": (SEARCH, SEARCH_DEFAULTS), "get": (GET, GET_DEFAULTS)}


@pytest.mark.parametrize(
    ("arguments", "changed", "words"),
    [
        ([], {}, []),
        (["word"], {}, ["word"]),
        (["two words"], {}, ["two words"]),
        (["-n", "3", "word"], {"limit": 3}, ["word"]),
        (["word", "--limit=3"], {"limit": 3}, ["word"]),
        (["word", "--limit", "3", "--limit", "4"], {"limit": 4}, ["word"]),
        (["word", "-b", "-1"], {"budget": -1}, ["word"]),
        (["word", "--budget-token-est", "9"], {"budget": 9}, ["word"]),
        (["word", "--json"], {"as_json": True}, ["word"]),
        (["word", "--kind", "--json"], {"kind": "--json"}, ["word"]),
        (["word", "--path="], {"path": ""}, ["word"]),
        (["word", "--path=a=b"], {"path": "a=b"}, ["word"]),
        (["--", "--json"], {}, ["--json"]),
        (["-"], {}, ["-"]),
        ([""], {}, [""]),
    ],
)
def test_well_formed_lines_are_read(arguments: list[str], changed: dict[str, object], words: list[str]) -> None:
    """Known options in both spellings, values that look like options, and the end of options."""
    assert (SEARCH_DEFAULTS | changed, words) == parse(arguments, SEARCH, SEARCH_DEFAULTS)


@pytest.mark.parametrize(
    "arguments",
    [
        ["-h"],
        ["--help"],
        ["--nope"],
        ["-n"],
        ["--limit"],
        ["-n", "many"],
        ["-n", ""],
        ["--json=1"],
        ["-n3"],
        ["--lim=3"],
    ],
)
def test_everything_else_is_left_to_the_full_command_line(arguments: list[str]) -> None:
    """Help, unknown or shortened options, a missing value, a value that is no number."""
    assert parse(["word", *arguments], SEARCH, SEARCH_DEFAULTS) is None


@pytest.mark.parametrize("command", _OF_COMMAND)
def test_both_parsers_know_the_same_options(command: str) -> None:
    """Every option of the full command line is in the thin one's table under the same name and kind, and vice versa."""
    table, defaults = _OF_COMMAND[command]
    full = typer.main.get_command(app).commands[command]  # type: ignore[attr-defined]
    options = {
        flag: (parameter.name, parameter.is_flag)
        for parameter in full.params
        if parameter.param_type_name == "option" and parameter.name != "help"
        for flag in (*parameter.opts, *parameter.secondary_opts)
    }
    assert options == {flag: (name, kind is bool) for flag, (name, kind) in table.items()}
    assert {name for name, _kind in table.values()} == set(defaults)
    for parameter in full.params:
        if parameter.param_type_name == "option" and parameter.name != "help":
            assert defaults[parameter.name] == ("" if parameter.multiple else parameter.default), parameter.name
            kinds = {kind for name, kind in table.values() if name == parameter.name}
            assert parameter.multiple == (kinds == {list}), parameter.name


def test_a_list_grows_with_each_repetition() -> None:
    """As if it had been written with commas."""
    given = ["x", "--lang", "go,c", "--lang=rust", "--path", "", "--path", "!a", "--path", "b"]
    options, words = parse(given, SEARCH, SEARCH_DEFAULTS)
    assert (["x"], "go,c,rust", "!a,b", "") == (words, options["lang"], options["path"], options["kind"])


@pytest.mark.parametrize("command", _OF_COMMAND)
def test_the_command_takes_what_the_parser_gives(command: str) -> None:
    """Names and defaults of the parser are those of the function it calls."""
    _table, defaults = _OF_COMMAND[command]
    taken = inspect.signature(getattr(commands, f"run_{command}")).parameters
    assert {name: taken[name].default for name in defaults} == defaults


@given(st.lists(st.text(max_size=8) | st.sampled_from([*SEARCH, "--", "-", "--limit=2", "3"]), max_size=8))
def test_no_line_breaks_the_parser(arguments: list[str]) -> None:
    """Any line is read or refused; what is read keeps every word in its order and changes no default."""
    before = dict(SEARCH_DEFAULTS)
    found = parse(arguments, SEARCH, SEARCH_DEFAULTS)
    assert before == SEARCH_DEFAULTS
    if found is not None:
        options, words = found
        assert set(before) == set(options)
        rest = iter(arguments)
        assert all(word in rest for word in words)
