"""Texts in pages: lines that fit no page, and lists of what is left out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ctx.infrastructure.agent.question import Answer

LONG = "long = '" + " ".join(f"word{n}" for n in range(900)) + "'"


def pages(ask: Callable[..., Answer], **arguments: Any) -> list[Answer]:
    """Return every page of what is read."""
    found = [ask("ctx_get", **arguments)]
    while "next_cursor" in found[-1].document:
        found.append(ask("ctx_get", **arguments, cursor=found[-1].document["next_cursor"]))
    return found


@pytest.mark.parametrize(
    "lines",
    [
        [LONG],
        [LONG, "b = 1"],
        ["a = 1", LONG, "b = 1", "", ""],
        ["a = 1", LONG, LONG, "", "b = 1", LONG],
        ["a = 1", "", LONG, "", ""],
    ],
)
def test_line_that_does_not_fit_is_stepped_over(ask: Callable[..., Answer], shop: Path, lines: list[str]) -> None:
    """Every other line comes, and those of the next file; its page says which it is and what it needs."""
    (shop / "odd.txt").write_text("\n".join(lines) + "\n")
    (shop / "next.txt").write_text("the next\n")
    asked: dict[str, Any] = {"ids": ["odd.txt", "next.txt"], "mode": "raw"}
    found = pages(ask, **asked, max_tokens=500)
    shown = "".join(item["text"] for page in found for item in page.document["items"])
    assert "\n".join(line for line in [*lines, "the next", ""] if line != LONG) == shown
    held = [at for at, page in enumerate(found) if "reason" in page.document]
    assert lines.count(LONG) == len(held)
    numbers = []
    for at in held:
        document = found[at].document
        assert (False, True) == (document["complete"], document["truncated"])
        said = re.search(
            r"line (\d+) here costs more than max_tokens 500; the same call with (\d+) gets it", found[at].text
        )
        assert said is not None
        assert said[0] == document["reason"]
        assert "ctx_get" not in found[at].text
        numbers.append(int(said[1]))
        cursor = found[at - 1].document["next_cursor"] if at else None
        again = ask("ctx_get", **asked, max_tokens=int(said[2]), cursor=cursor).document
        assert again["items"][0]["text"].startswith(LONG)
    assert [number for number, line in enumerate(lines, 1) if line == LONG] == numbers


def test_line_that_fits_no_answer_is_said(ask: Callable[..., Answer], shop: Path) -> None:
    """Nothing is advised that would not help."""
    (shop / "odd.txt").write_text(" ".join(f"word{n}" for n in range(60_000)) + "\nb = 1\n")
    first, second = pages(ask, id="odd.txt", mode="raw")
    assert "more than max_tokens can be" in first.text
    assert "b = 1\n" == second.document["items"][0]["text"]


def test_names_of_what_is_left_out_are_cut(ask: Callable[..., Answer], shop: Path) -> None:
    """Fifty long names would leave no room for a text; all of them come."""
    names = [f"a_folder_with_a_long_name/and_a_file_with_a_longer_name_{n}.txt" for n in range(50)]
    (shop / "a_folder_with_a_long_name").mkdir()
    for n, name in enumerate(names):
        (shop / name).write_text(f"text {n}\n")
    found = pages(ask, ids=names, max_tokens=500)
    assert names == [item["path"] for page in found for item in page.document["items"]]
    assert re.search(r"left out for the budget of 500 tokens: .*, \d+ more", found[0].text)


def test_names_of_what_is_not_on_a_map_are_cut(ask: Callable[..., Answer], shop: Path) -> None:
    """However many files there are that cannot be parsed."""
    for n in range(60):
        (shop / f"shop/a_file_with_a_rather_long_name_{n}.md").write_text("# Title\n\ntext\n")
    assert ask("ctx_map", max_tokens=500).document["files"]


def test_both_forms_name_what_an_agent_can_give(ask: Callable[..., Answer], shop: Path) -> None:
    """An agent has no options of a command line, in the object as little as in the text."""
    (shop / "many.py").write_text("".join(f"def f{n}(argument, other): ...\n" for n in range(2000)))
    found = ask("ctx_get", id="many.py", max_tokens=500)
    more = found.document["items"][0]["more"]
    assert ("a larger max_tokens" in more, more in found.text) == (True, True)
    nothing = ask("ctx_search", query="zzz_nowhere", mode="regex")
    assert nothing.document["reason"].endswith("in a regex, (?i) in front ignores case")
