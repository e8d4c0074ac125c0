"""`ctx map` as people and programs call it: the answer, its object, exit codes and what is written of it."""

from __future__ import annotations

import os
import pty
from typing import TYPE_CHECKING

import pytest

from ctx.infrastructure.tokenizer import BpeTokenCounter

if TYPE_CHECKING:
    from tests.integration.conftest import Sandbox


def test_a_map_is_the_skeleton_by_rank(repository: Sandbox) -> None:
    """What the rest leans on comes first, with lines to get, and the README is left out."""
    text = repository.ok("map").out
    assert text.startswith("shop/session.py\n 7 class SignedCookie\n  10 def __init__(self, secret: bytes) -> None\n")
    assert "\n 9 FREE_SHIPPING_FROM = Decimal" in text
    assert "README.md" not in text
    assert text.index("shop/cart.py") < text.index("tests/test_cart.py")
    line = next(line.split()[0] for line in text.splitlines() if "def load_cookie" in line)
    assert "def load_cookie" in repository.ok("get", f"shop/session.py:{line}").out


@pytest.mark.parametrize("budget", [10, 60, 100_000])
def test_the_object_says_what_the_text_shows(repository: Sandbox, budget: int) -> None:
    """Never over the budget, counted on the very text; files and definitions are those of the text."""
    document = repository.json("map", "-b", str(budget))
    assert [
        "schema",
        "segment",
        "files",
        "text",
        "total_tokens",
        "budget",
        "truncated",
        "files_total",
        "definitions_total",
        "focus",
        "not_parsed",
        "took_ms",
        "resolved_by",
        "complete",
    ] == list(document)
    assert ("ctx.map/1", budget, []) == (document["schema"], document["budget"], document["focus"])
    assert BpeTokenCounter().count(document["text"]) == document["total_tokens"] <= budget
    shown = [d for file in document["files"] for d in file["definitions"]]
    assert (document["definitions_total"] > len(shown)) == document["truncated"] == (budget < 1000)
    assert all(f" {d['start_line']} {d['signature'][:20]}" in document["text"] for d in shown)
    assert repository.ok("map", "-b", str(budget)).out == document["text"] + "\n"
    assert all(file["path"].rpartition("/")[2] in document["text"] for file in document["files"])


def test_paths_and_focus(repository: Sandbox) -> None:
    """A map of a part, of a text asked for by name, and around a file."""
    parts, text, focused = (
        repository.json("map", "tests", "shop/cart.py"),
        repository.json("map", "README.md"),
        repository.json("map", "--focus", "shop/cart.py", "-b", "40"),
    )
    assert ["shop/cart.py", "tests/test_cart.py"] == [file["path"] for file in parts["files"]]
    assert "./: README.md" == text["text"]
    assert ["shop/cart.py"] == focused["focus"]
    assert {"shop/cart.py", "shop/session.py", "tests/test_cart.py"} == {file["path"] for file in focused["files"]}


def test_mistakes_are_one_line(repository: Sandbox) -> None:
    """Each says what, where and what to do next, with its exit code."""
    unknown, outside, too_small, zero, folder = repository.run_each(
        [
            ["map", "shop/sesion.py"],
            ["map", "/etc"],
            ["map", "-b", "1"],
            ["map", "-b", "0"],
            ["map", "--focus", "shop"],
        ]
    )
    assert (1, "ctx: shop/sesion.py: no such file or folder here; the nearest: shop/session.py") == (
        unknown.exit_code,
        unknown.err.partition(",")[0].strip(),
    )
    assert (2, True) == (outside.exit_code, "outside the segment" in outside.err)
    assert (1, "", "ctx: no map: a budget of 1 tokens holds not even the first line; give a larger --budget\n") == (
        too_small.exit_code,
        too_small.out,
        too_small.err,
    )
    assert (2, True) == (zero.exit_code, "--budget must be a whole number" in zero.err)
    assert (2, "ctx: --focus shop: not an indexed file; give a file as `ctx search` prints it\n") == (
        folder.exit_code,
        folder.err,
    )


def test_an_empty_repository_says_why(sandbox: Sandbox) -> None:
    """No files, then no code: exit code 1, and the object has the reason."""
    empty = sandbox.run("map", "--json")
    assert (1, "ctx.map/1", "") == (empty.exit_code, empty.document["schema"], empty.document["text"])
    assert "nothing in this segment is indexed" in empty.document["reason"]
    sandbox.write({"notes.md": "# Notes\n"})
    assert "none of the 1 indexed files defines anything (markdown)" in sandbox.run("map").err


def test_files_that_do_not_parse_are_named(repository: Sandbox) -> None:
    """Syntax errors are said, and four files are three and an ellipsis."""
    for name in "abcd":
        repository.write({f"shop/{name}.py": "def whole():\n    pass\n\n\ndef broken(:\n"})
    run = repository.run("map")
    assert (0, True) == (run.exit_code, "def whole" in run.out)
    assert "ctx: 4 files are in the map as far as syntax errors allow: shop/a.py, shop/b.py, shop/c.py, …\n" == run.err


def test_a_map_is_told_to_telemetry(repository: Sandbox) -> None:
    """The command with its tokens, and the ranking it needed; the second map ranks nothing."""
    repository.ok("map")
    repository.ok("map", "-b", "50", env={"CTX_MAP_BUDGET": "20"})
    small = repository.json("map", env={"CTX_MAP_BUDGET": "20"})
    assert 20 == small["budget"]
    told = [event for event in repository.events() if event["cmd"] == "ctx.map"]
    assert ["ok", "truncated", "truncated"] == [event["result"]["status"] for event in told]
    assert small["total_tokens"] == told[-1]["result"]["total_tokens"]
    assert 1 == sum(event["cmd"] == "map.rank" for event in repository.events())


def test_a_terminal_gets_painted_paths(repository: Sandbox) -> None:
    """On a terminal paths are painted and the words are the same."""
    repository.ok("map")
    leader, follower = pty.openpty()
    try:
        process = repository.start("map", "shop/session.py", stdout=follower, env={"TERM": "xterm-256color"})
        repository.finish(process)
        os.close(follower)
        follower = -1
        painted = os.read(leader, 65536).decode()
    finally:
        os.close(leader)
        if follower >= 0:
            os.close(follower)
    assert "\x1b[1;36mshop/session.py\x1b[0m" in painted
    assert " 7 class SignedCookie" in painted
