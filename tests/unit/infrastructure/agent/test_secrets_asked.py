"""Questions that hold a secret: answered, and repeated nowhere; sources that do: marked, and said so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.made_secrets import Maker, windows

from ctx.domain.errors import UsageError
from ctx.infrastructure.agent.question import Question, holds_secret, json_of
from ctx.infrastructure.agent.tools import tool_named
from ctx.infrastructure.agent.worker import CallError, SegmentWorker

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ctx.infrastructure.agent.question import Answer

_KEYS = {made.kind: made.secret for made in Maker(31).providers()}
_SECRET = _KEYS["anthropic"]


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("ctx_search", {"query": f"why does {_SECRET} fail"}),
        ("ctx_search", {"query": _SECRET, "mode": "literal"}),
        ("ctx_search", {"query": f"cart {_SECRET}"}),
        ("ctx_resolve", {"symbol": f"cart.{_SECRET}"}),
    ],
)
def test_no_part_of_a_secret_is_repeated(ask: Callable[..., Answer], tool: str, arguments: dict[str, Any]) -> None:
    """Neither the query nor the reason, which quotes words of it, nor the nearest names."""
    found = ask(tool, **arguments)
    said = json_of(found.document) + found.text
    assert [] == [window for window in windows(_SECRET) if window in said]
    assert "[REDACTED:anthropic]" in found.document["query"]
    if not any(found.document.get(key) for key in ("hits", "found")):
        assert "no part of it is repeated" in found.document["reason"]


def test_an_error_repeats_nothing_either(shop: Path) -> None:
    """What is refused says its kind, and no word of what was asked."""
    worker = SegmentWorker(str(shop))
    question = Question("ctx_get", tool_named("ctx_get").read({"id": f"{_SECRET[:40]}#{_SECRET}"}))
    with pytest.raises(CallError) as refused:
        worker.submit(question).future.result(30.0)
    worker.stop(30.0)
    assert "ctx_get: NotFoundError; what was asked holds a secret, so no part of it is repeated" == str(refused.value)


def test_wrong_values_are_shown_without_secrets() -> None:
    """A value is redacted before its first 60 characters are taken."""
    text = "x" * 40 + " " + _SECRET
    with pytest.raises(UsageError) as refused:
        tool_named("ctx_search").read({"query": "x", "limit": text})
    assert [] == [window for window in windows(_SECRET) if window in str(refused.value)]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"query": "signed cookie", "limit": 3, "focus": ["a.py"]}, False),
        ({"query": "x", "focus": ["a.py", f"{_SECRET}/b"]}, True),
        ({"query": "password=x"}, True),
        ({"query": "x", "cursor": "10-0-0-d3ad3fcc3627x"}, False),
    ],
)
def test_where_a_secret_may_be_asked(arguments: dict[str, Any], expected: bool) -> None:
    """In any text, and in any text of a list; a cursor's digits are none."""
    assert expected == holds_secret(Question("ctx_search", arguments))


def test_secrets_of_sources_are_counted_page_by_page(ask: Callable[..., Answer], shop: Path) -> None:
    """Each page counts what is on it, and its text says that the marks are not in the files."""
    for number, kind in enumerate(("github", "gitlab", "stripe")):
        (shop / f"needle{number}.py").write_text(f'def needle(key="{_KEYS[kind]}"):\n    return key\n')
    first = ask("ctx_search", query="needle", limit=2)
    assert 2 == first.document["redacted"]
    assert "note: secrets are left out in 2 places" in first.text
    rest = ask("ctx_search", query="needle", limit=2, cursor=first.document["next_cursor"])
    assert 1 == rest.document["redacted"]
    item = ask("ctx_get", id="needle0.py", mode="raw")
    assert ("[REDACTED:github]", 1) == (
        json.loads(json_of(item.document))["items"][0]["text"].split('"')[1],
        item.document["redacted"],
    )
    assert "redacted" not in ask("ctx_search", query="Cart").document
