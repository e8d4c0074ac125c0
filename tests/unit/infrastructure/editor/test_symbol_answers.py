"""Tests of ctx.infrastructure.editor.symbol_answers and places: answers of real use cases in the protocol's form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ctx.domain.symbol_answer import HoverAnswer
from ctx.infrastructure.editor import symbol_answers
from ctx.infrastructure.editor.places import Places
from ctx.infrastructure.services import Services

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILES = {
    "cart.py": '"""é"""\n\n\nclass Café:\n    """A small cart.\n\n    More.\n    """\n\n    def add(self): ...\n',
    "use.py": "from cart import Café\n\ncart = Café()\ncart.add()\nother.add()\n",
    "tests/test_cart.py": "from cart import Café\n\n\ndef test_add():\n    Café().add()\n",
}


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """A small segment, indexed, without language servers; however busy the machine, what is counted is."""
    monkeypatch.setenv("CTX_RESOLVE_DEADLINE_MS", "60000")
    monkeypatch.setattr("ctx.application.hover.CALLERS_DEADLINE_S", 60.0)
    monkeypatch.setattr(symbol_answers, "LENS_DEADLINE_S", 60.0)
    monkeypatch.setattr(symbol_answers, "REFERENCES_DEADLINE_S", 60.0)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    segment = tmp_path / "segment"
    for name, text in FILES.items():
        (segment / name).parent.mkdir(parents=True, exist_ok=True)
        (segment / name).write_text(text, "utf-8")
    with Services(str(segment)) as made:
        made.refresh()
        yield made


def places_of(services: Services, encoding: Any = "utf-16", **open_uris: str) -> Places:
    uris = {f"/as/opened/{name}.py".encode(): uri for name, uri in open_uris.items()}
    return Places(services, b"/as/opened", uris, encoding)


def span(line: int, start: int, end: int) -> dict[str, Any]:
    return {"start": {"line": line, "character": start}, "end": {"line": line, "character": end}}


@pytest.mark.parametrize(("encoding", "end"), [("utf-8", 11), ("utf-16", 10), ("utf-32", 10)])
def test_definition_is_a_location_or_a_link(services: Services, encoding: str, end: int) -> None:
    """Both hold the name; the link also what is around it and where it was asked."""
    origin = span(2, 7, 11)
    for can_link in (False, True):
        answer = symbol_answers.definition(
            services, places_of(services, encoding), "use.py:3:9", origin=origin, can_link=can_link, asks_servers=False
        )
        (found,) = answer.result
        name = span(3, 6, end)
        if can_link:
            assert {"originSelectionRange", "targetUri", "targetRange", "targetSelectionRange"} == set(found)
            assert (name, 9) == (found["targetSelectionRange"], found["targetRange"]["end"]["line"])
        else:
            assert {"uri": "file:///as/opened/cart.py", "range": name} == found
        assert ("ok", "tree_sitter") == (answer.told["status"], answer.extra["resolved_by"])


def test_uri_is_the_one_the_editor_uses(services: Services) -> None:
    """A file that is open goes by the very text the editor opened it with."""
    places = places_of(services, cart="file:///as/opened/c%61rt.py")
    assert ["file:///as/opened/c%61rt.py", "file:///as/opened/use.py"] == [places.uri(p) for p in ("cart.py", "use.py")]


def test_place_outside_the_segment_is_not_read(services: Services) -> None:
    """A library's file has a location all the same; what is no file keeps its own URI."""
    places = places_of(services)
    assert {"uri": "file:///usr/lib/x.py", "range": span(4, 2, 2)} == places.outside("/usr/lib/x.py", 5, 3)
    assert "jdt://x" == places.outside("jdt://x", 1, 1)["uri"]


def test_certain_uses_leave_out_the_others(services: Services) -> None:
    """`other.add()` may be another's; tests come last, the declaration only when it is asked for."""

    def uses(query: str, *, with_declaration: bool) -> list[tuple[str, int]]:
        answer = symbol_answers.references(
            services, places_of(services), query, with_declaration=with_declaration, asks_servers=False
        )
        return [(one["uri"].rpartition("opened/")[2], one["range"]["start"]["line"]) for one in answer.result or []]

    expected = [("use.py", 3), ("tests/test_cart.py", 4)]
    assert expected == uses("cart.py:10:9", with_declaration=False)
    assert [("cart.py", 9), *expected] == uses("cart.py:10:9", with_declaration=True)


def hover(services: Services, query: str, *, is_markdown: bool = True) -> Any:
    return symbol_answers.hover(
        services, query, origin=None, language="python", is_markdown=is_markdown, asks_servers=False, note=""
    ).result


def test_hover_says_what_it_is_and_what_seeing_more_costs(services: Services) -> None:
    """Signature, documentation, place, callers, tokens; marked where the client can show that."""
    text = hover(services, "use.py:3:9")["contents"]
    assert "markdown" == text["kind"]
    assert text["value"].startswith("```python\nclass Café\n```\n\nA small cart.\n\ncart.py:4 · ")
    assert "tokens: skeleton " in text["value"]
    plain = hover(services, "use.py:3:9", is_markdown=False)["contents"]
    assert ("plaintext", "class Café") == (plain["kind"], plain["value"].split("\n")[0])
    assert hover(services, "cart.py:2:1") is None


def test_code_that_holds_fences_stays_code() -> None:
    """Three backticks in somebody's text end nothing."""
    assert "````python\n```\n````" == symbol_answers.code("```", "python", is_markdown=True)


def test_server_alone_is_a_hover_too(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a name from outside the segment only a server tells: its type, then its documentation."""
    answer = HoverAnswer("q", None, "", None, {}, "(type) int\n\nA number.", "lsp:x", True, "", 0)
    monkeypatch.setattr(services, "hover", lambda **_options: lambda _query: answer)
    text = hover(services, "use.py:1:1")["contents"]["value"]
    assert "```python\n(type) int\n```\n\nA number." == text


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("Café", ["Café"]),
        ("add", ["add", "test_add"]),
        ("Café.add", ["add"]),
        ("tests.test_add", ["test_add"]),
        ("Shop.add", []),
        ("est_ad", ["test_add"]),
        ("", []),
        ("%", []),
    ],
)
def test_workspace_symbols_by_name(services: Services, query: str, names: list[str]) -> None:
    """Exactly, by the beginning, by a part; what stands before a dot has to be around it."""
    answer = symbol_answers.workspace_symbols(services, places_of(services), query, is_lazy=False)
    assert names == [symbol["name"] for symbol in answer.result]


def test_workspace_symbol_may_leave_its_range_for_later(services: Services) -> None:
    """A client that resolves gets the file, and what to ask with."""
    (symbol,) = symbol_answers.workspace_symbols(services, places_of(services), "Café", is_lazy=True).result
    assert {"uri": "file:///as/opened/cart.py"} == symbol["location"]
    assert {"path": "cart.py", "line": 4, "column": 7, "name": "Café"} == symbol["data"]


def test_lens_counts_uses_without_the_definition(services: Services) -> None:
    """Imports and calls count, what is certain apart, and the text's tokens."""
    figures = symbol_answers.lens_figures(services, "cart.py:4:7", "class Café: ...").result
    assert (4, 4, True) == (figures["refs"], figures["certain"], figures["complete"])
    assert figures["tokens"] > 0
