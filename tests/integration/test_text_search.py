"""`ctx search --regex` and `--literal` as a person and an agent use them, with ripgrep on PATH and without."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Sandbox

WITHOUT_RIPGREP = "/nowhere"


def hits(document: dict[str, Any]) -> list[tuple[str, str, list[tuple[int, int]]]]:
    return [
        (hit["path"], hit["name"], [(match["line"], match["column"]) for match in hit["matches"]])
        for hit in document["hits"]
    ]


@pytest.mark.parametrize("path", [None, WITHOUT_RIPGREP])
def test_every_matching_line_by_its_chunk(repository: Sandbox, path: str | None) -> None:
    """Definitions first, then uses, then tests; the ids go on to `ctx get`."""
    env = {} if path is None else {"PATH": path}
    found = repository.json("search", "--literal", "shipping_costs", env=env)
    assert [
        ("shop/cart.py", "Cart", [(24, 9)]),
        ("tests/test_cart.py", "test_shipping_costs_nothing_for_large_carts", [(6, 10), (7, 23)]),
    ] == hits(found)
    assert ("ctx.search/1", "literal", "text", True, False, 3) == tuple(
        found[key] for key in ("schema", "mode", "resolved_by", "complete", "truncated", "total_matches")
    )
    got = repository.json("get", found["hits"][0]["id"], env=env)
    assert "def shipping_costs" in got["items"][0]["text"]
    regex = repository.json("search", "-e", r"raise \w+\(|^class \w+:$", env=env)
    assert {("shop/cart.py", "Cart"), ("shop/session.py", "SignedCookie"), ("shop/session.py", "load_cookie")} == {
        (place, name) for place, name, _lines in hits(regex)
    }


def test_ignored_and_secret_files_are_not_searched(repository: Sandbox) -> None:
    """What the index leaves out, a pattern does not find, whatever ripgrep sees."""
    repository.write({".env": "IgnoredByRule = 1\n", "_ctx/note.txt": "IgnoredByRule\n"})
    run = repository.run("search", "-F", "IgnoredByRule")
    assert (1, "") == (run.exit_code, run.out)
    assert "no line of the 6 indexed files matches" in run.complaint


def test_text_is_that_on_disk_now(repository: Sandbox) -> None:
    """An edit is found by the very next search, in the chunk it made."""
    repository.ok("index")
    repository.write(
        {"shop/new.py": "def brand_new():\n    return 'caf\xe9'\n", "old.txt": "na\xefve\n".encode("latin-1")}
    )
    assert [("shop/new.py", "brand_new", [(2, 13)])] == hits(repository.json("search", "-F", "caf\xe9"))
    assert [("old.txt", "old", [(1, 1)])] == hits(repository.json("search", "-e", "na.ve"))


def test_text_output_shows_the_lines(repository: Sandbox) -> None:
    """Number and text below the id, and how many more there are."""
    out = repository.ok("search", "-F", "self", "--path", "shop/session.py", "-n", "1").out.splitlines()
    assert out[0].startswith("shop/session.py#SignedCookie@")
    assert "  10: def __init__(self, secret: bytes) -> None:" == out[1]
    assert "  and 2 more lines" == out[-1]


def test_filters_are_lists_and_may_be_repeated(repository: Sandbox) -> None:
    """In both kinds of search, on the thin path and the full one."""
    for options in (["-F"], []):
        for flags in (["--lang", "markdown,python"], ["--lang=markdown", "--lang", "python"]):
            found = repository.json("search", *options, "cookie", *flags, "--path", "!shop/session.py", "--path=!tests")
            assert {"README.md", "shop/cart.py"} == {hit["path"] for hit in found["hits"]}
            assert (
                found["hits"]
                == repository.json(
                    "search", *options, "cookie", "--path", "!shop/session.py,!tests", "--lang", "python, Markdown"
                )["hits"]
            )
        refused = repository.run("search", *options, "cookie", "--lang", "python,gooo")
        assert (2, "--lang must be one of markdown, python, text, found 'gooo'") == (
            refused.exit_code,
            refused.complaint,
        )


def test_the_budget_holds_over_snippets_and_lines(repository: Sandbox) -> None:
    """And what was left out is said."""
    everything = repository.json("search", "-e", ".")
    budget = everything["total_tokens"] - 1
    run = repository.run("search", "-e", ".", "--budget", str(budget), "--json")
    assert (0, True) == (run.exit_code, run.document["truncated"])
    assert run.document["total_tokens"] <= budget
    assert "did not fit the budget" in run.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-e", "a(b"], r"--regex: column 2: this ( is not closed; add ), or write \( for the character"),
        (["-e", r"(a)\1"], "--regex: column 4: references to groups are not supported"),
        (["-F", ""], "--literal: the pattern is empty"),
        (["-e", "-F", "x"], "--regex and --literal exclude each other"),
        (["-i", "x"], "--ignore-case belongs to --regex or --literal"),
    ],
)
def test_wrong_use_is_one_line(repository: Sandbox, arguments: list[str], message: str) -> None:
    """Code 2, and an object for `--json`."""
    run = repository.run("search", *arguments)
    assert (2, "") == (run.exit_code, run.out)
    assert run.complaint.startswith(message)
    assert run.complaint == repository.run("search", *arguments, "--json").document["error"]["message"]


def test_a_folder_cannot_bring_its_own_ripgrep(repository: Sandbox) -> None:
    """With `.` on PATH, a program of that name in the segment is not run."""
    repository.write({"rg": '#!/bin/sh\ntouch "$HOME/was-run"\n'})
    (repository.segment / "rg").chmod(0o755)
    repository.write({f"many/f{at}.py": "cookie = 1\n" for at in range(80)})
    found = repository.json("search", "-F", "cookie = 1", "-n", "100", env={"PATH": ".:/nowhere"})
    assert 80 == len(found["hits"])
    assert not (repository.home / "was-run").exists()


def test_the_answer_is_the_same_without_ripgrep(repository: Sandbox) -> None:
    """Over enough files that ripgrep is asked; where there is none this compares a search with itself and the count."""
    repository.write(
        {f"pkg/m{at}.py": f"def handler_{at}(request):\n    return render(request, {at})\n" for at in range(90)}
        | {f"old/l{at}.txt": f"gr\xf6\xdfe {at}\n".encode("latin-1") for at in range(5)}
        | {f"dos/d{at}.txt": f"render\r\nend {at}\r\n".encode() for at in range(5)}
    )
    for options, total in (
        (["-e", r"render\(request, \d+\)$"], 90),
        (["-e", r"gr..e \d"], 5),
        (["-e", "^render$"], 5),
        (["-F", "-i", "HANDLER_1"], 11),
    ):
        documents = [
            repository.json("search", *options, "-n", "200", "-b", "100000", env=env)
            for env in ({}, {"PATH": WITHOUT_RIPGREP})
        ]
        for document in documents:
            assert total == document["total_matches"]
            del document["took_ms"]
        assert documents[0] == documents[1]
    engines = {event.get("engine") for event in repository.events() if event["cmd"] == "ctx.search"}
    assert ({"re2", "ripgrep+re2"} if shutil.which("rg") else {"re2"}) == engines


def test_a_linked_folder_stays_closed(repository: Sandbox, tmp_path: Path) -> None:
    """Text outside the segment is never found."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret.py").write_text("cookie_secret = 1\n")
    os.symlink(tmp_path / "outside", repository.segment / "link")
    assert 1 == repository.run("search", "-F", "cookie_secret").exit_code
