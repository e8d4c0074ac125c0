"""Counting marks in answers; that use cases mark before they count is in `test_shown_secrets`."""

from __future__ import annotations

import pytest

from ctx.application.excerpts import SHOWN_AS_IT_IS, joined, marked_places

_M = "[REDACTED:x]"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({}, 0),
        ({"text": f"{_M} {_M}", "query": _M, "n": 3}, 2),
        ({"hits": [{"signature": _M, "snippet": f"{_M}\n{_M}", "matches": [{"text": _M}]}], "names": [_M]}, 3),
        ({"found": {"signature": _M, "doc": "plain"}, "doc": "plain", "text": _M}, 2),
        ({"text": _M, "files": [{"definitions": [{"signature": _M}]}]}, 1),
    ],
)
def test_marks_are_counted_once(answer: dict[str, object], expected: int) -> None:
    """What an answer says twice, a signature within its snippet or the files of a map, is one place."""
    assert expected == marked_places(answer)


def test_as_it_is() -> None:
    """Who asked for that gets what there is."""
    assert ("password='x1'", "AKIA", "a\nb") == (
        SHOWN_AS_IT_IS("password='x1'"),
        SHOWN_AS_IT_IS.line("AKIA"),
        joined(("a", "b")),
    )
