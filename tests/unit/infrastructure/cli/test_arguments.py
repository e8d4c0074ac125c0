"""The thin parser: what it reads, what it leaves to the full command line, and that both know the same options."""

from __future__ import annotations

import inspect

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from ctx.infrastructure.cli import commands, hover_command, map_command, navigation
from ctx.infrastructure.cli.app import app
from ctx.infrastructure.cli.arguments import (
    MAP,
    MAP_DEFAULTS,
    REFS,
    REFS_DEFAULTS,
    SEARCH,
    SEARCH_DEFAULTS,
    THIN,
    parse,
)

_FUNCTIONS = {
    "search": commands.run_search,
    "get": commands.run_get,
    "resolve": navigation.run_resolve,
    "refs": navigation.run_refs,
    "hover": hover_command.run_hover,
    "map": map_command.run_map,
}


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


@pytest.mark.parametrize("command", THIN)
def test_both_parsers_know_the_same_options(command: str) -> None:
    """Every option of the full command line is in the thin one's table under the same name and kind, and vice versa."""
    table, defaults = THIN[command]
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
            (kind,) = {kind for name, kind in table.values() if name == parameter.name}
            nothing = {list: None, tuple: ()}
            assert parameter.multiple == (kind in nothing), parameter.name
            assert nothing.get(kind, parameter.default) == defaults[parameter.name], parameter.name


def test_a_list_grows_with_each_repetition() -> None:
    """As if it had been written with commas."""
    given = ["x", "--lang", "go,c", "--lang=rust", "--path", "", "--path", "!a", "--path", "b"]
    options, words = parse(given, SEARCH, SEARCH_DEFAULTS)
    assert (["x"], "go,c,rust", "!a,b", None) == (words, options["lang"], options["path"], options["kind"])


def test_paths_of_a_focus_stay_apart() -> None:
    """A path may have a comma in it; each given one is kept as it is, in order."""
    given = ["--focus", "a,b.py", "src", "--focus=c.py", "--focus", ""]
    assert (MAP_DEFAULTS | {"focus": ("a,b.py", "c.py", "")}, ["src"]) == parse(given, MAP, MAP_DEFAULTS)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2", 2.0), ("0.5", 0.5), ("1e-3", 0.001), ("-1", -1.0), ("soon", None), ("", None), ("٣", None)],
)
def test_seconds_may_have_a_fraction(text: str, seconds: float | None) -> None:
    """What is no number in ASCII is left to the full command line."""
    expected = None if seconds is None else (REFS_DEFAULTS | {"deadline_s": seconds}, ["f"])
    assert expected == parse(["f", "--deadline", text], REFS, REFS_DEFAULTS)


@pytest.mark.parametrize("command", THIN)
def test_the_command_takes_what_the_parser_gives(command: str) -> None:
    """Names and defaults of the parser are those of the function it calls."""
    _table, defaults = THIN[command]
    taken = inspect.signature(_FUNCTIONS[command]).parameters
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
