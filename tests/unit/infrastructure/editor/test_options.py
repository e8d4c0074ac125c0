"""Tests of ctx.infrastructure.editor.options."""

from __future__ import annotations

from typing import Any

import pytest

from ctx.infrastructure.config import load_config
from ctx.infrastructure.editor.options import FEATURES, EditorOptions, options_of


def test_defaults_are_the_tables() -> None:
    """Nothing given, an empty object and an empty section are the same."""
    for given in (None, {}, {"ctx": None}, {"ctx": {}}):
        options, problems = options_of(given)
        assert (FEATURES, {}, []) == (dict(options.features), dict(options.lsp), problems)


def test_what_is_right_counts_beside_what_is_wrong() -> None:
    """A wrong key takes nothing from the others."""
    options, problems = options_of({"hover": False, "codeLenses": True, "lsp": {"deadline_ms": 200, "cold": "ty"}})
    assert not options.has("hover")
    assert options.has("codeLens")
    assert {"deadline_ms": 200} == dict(options.lsp)
    assert [
        "option 'codeLenses' is none of ctx's; did you mean codeLens?",
        "option \"lsp.cold\" must be a list of texts, found 'ty'; it is left out",
    ] == problems


def test_servers_that_are_known_and_trusted_are_asked() -> None:
    """What is left of a list counts; of nothing else than what is left out, nothing; an empty one is one."""
    options, problems = options_of({"lsp": {"cold": ["ty", "nope", "none"], "warm": ["rust-analyzer"]}})
    assert ({"cold": ("ty", "none")}, 2) == (dict(options.lsp), len(problems))
    assert {"cold": ()} == dict(options_of({"lsp": {"cold": []}})[0].lsp)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ([], "options must be an object, found []; the defaults are used"),
        ({"hover": 1}, 'option "hover" must be true or false, found 1; True is used'),
        ({"lsp": True}, 'option "lsp" must be an object, found True; it is left out'),
        ({"lsp": {"enabled": "no"}}, "option \"lsp.enabled\" must be true or false, found 'no'; it is left out"),
        ({"lsp": {"deadline_ms": True}}, 'option "lsp.deadline_ms" must be a whole number >= 1, found True;'),
        ({"lsp": {"commands": ["x=y"]}}, 'option "lsp.commands" is none of ctx\'s; known are cold, deadline_ms'),
        (
            {"lsp": {"warm": ["pyrigt"]}},
            "option \"lsp.warm\": 'pyrigt' is left out, it is no server ctx knows; did you mean pyr",
        ),
        ({"lsp": {"cold": ["rust-analyzer"]}}, "option \"lsp.cold\": 'rust-analyzer' is left out, it asks cargo"),
        ({"x" * 100: 1}, "option 'xxx"),
    ],
)
def test_problem_names_key_expectation_and_finding(given: Any, problem: str) -> None:
    """One sentence each; programs to run are no option, because a folder can bring an editor's settings along."""
    (found,) = options_of(given)[1]
    assert found.startswith(problem)
    assert len(found) < 250


def test_settings_of_servers_beat_those_of_the_files(tmp_path: Any) -> None:
    """What the editor sets is in force and says where it is from; the rest stays."""
    options = EditorOptions(lsp={"enabled": False, "warm": ("ty",)})
    config = options.applied_to(load_config(str(tmp_path), {"XDG_CONFIG_HOME": str(tmp_path)}))
    assert (False, ("ty",), 500) == (
        config.flag("lsp.enabled"),
        config.items("lsp.warm"),
        config.number("lsp.deadline_ms"),
    )
    assert "the editor" == config.sources["lsp.enabled"]
