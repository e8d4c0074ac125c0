"""Pages of rows: what a row that does not fit does to them, and what a long question costs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ctx.infrastructure.agent.question import Answer

NEEDLE = {"query": "needle", "mode": "literal"}


@pytest.fixture
def wide(shop: Path) -> Path:
    """Four places that match; the second and the last are so far down that their names are a small answer."""
    far = "/".join("-".join(f"f{n}" for n in range(40)) for _ in range(4))
    (shop / "b" / far).mkdir(parents=True)
    (shop / "d" / far).mkdir(parents=True)
    for name in ("a.py", f"b/{far}/b.py", "c.py", f"d/{far}/d.py"):
        (shop / name).write_text("needle = 1\n")
    return shop


def pages(ask: Callable[..., Answer], **arguments: Any) -> list[Answer]:
    """Return every page of a search."""
    found = [ask("ctx_search", **arguments)]
    while "next_cursor" in found[-1].document:
        found.append(ask("ctx_search", **arguments, cursor=found[-1].document["next_cursor"]))
    return found


def paths(answers: list[Answer]) -> list[str]:
    """Return the files of the rows that were handed on."""
    return [hit["path"].rpartition("/")[2] for answer in answers for hit in answer.document["hits"]]


def test_row_that_does_not_fit_is_stepped_over(ask: Callable[..., Answer], wide: Path) -> None:
    """All others come; its page says in both forms what it needs, and with that it is there."""
    found = pages(ask, **NEEDLE, max_tokens=500)
    assert ["a.py", "b.py", "c.py", "d.py"] == sorted(paths(pages(ask, **NEEDLE)))
    assert ["a.py", "c.py"] == sorted(paths(found))
    empty = [at for at, page in enumerate(found) if not page.document["hits"]]
    assert 2 == len(empty)
    gotten = []
    for at in empty:
        document = found[at].document
        assert (False, True, 0) == (document["complete"], document["truncated"], document["total_tokens"])
        needed = re.search(
            r"the row here costs more than max_tokens 500; the same call with (\d+) gets it", found[at].text
        )
        assert needed is not None
        assert needed[0] in document["reason"]
        cursor = found[at - 1].document["next_cursor"] if at else None
        gotten.append(ask("ctx_search", **NEEDLE, max_tokens=int(needed[1]), limit=1, cursor=cursor))
    assert ["b.py", "d.py"] == sorted(paths(gotten))
    assert wide.is_dir()


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("ctx_search", {"query": "q " * 1900}),
        ("ctx_search", {"query": "é" * 3900}),
        ("ctx_search", {"query": "😀" * 900, "mode": "literal"}),
        ("ctx_resolve", {"symbol": "x" * 1900}),
        ("ctx_resolve", {"symbol": "é" * 1900}),
        ("ctx_refs", {"symbol": "x" * 1900}),
        ("ctx_refs", {"symbol": "é" * 1900}),
    ],
)
def test_long_question_is_not_repeated_whole(ask: Callable[..., Answer], tool: str, arguments: dict[str, Any]) -> None:
    """What is answered is worth the budget, not what was asked."""
    said = ask(tool, **arguments, max_tokens=500).document["query"]
    assert " … " in said
    assert 210 >= len(said)


def test_names_of_files_worked_on_leave_room_for_rows(ask: Callable[..., Answer], shop: Path) -> None:
    """Fifty long names are not repeated whole."""
    names = [f"shop/a_file_with_a_rather_long_name_that_is_worked_on_{n}.py" for n in range(50)]
    for n, name in enumerate(names):
        (shop / name).write_text(f"def price_{n}(): ...\n")
    assert ask("ctx_search", query="price", focus=names, max_tokens=500).document["hits"]
    assert ask("ctx_map", focus=names, max_tokens=500).document["files"]
