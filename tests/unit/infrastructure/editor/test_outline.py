"""Tests of ctx.infrastructure.editor.outline."""

from __future__ import annotations

from typing import Any

import pytest

from ctx.infrastructure.ast_lsp import SkeletonMapBuilder
from ctx.infrastructure.editor.outline import OutlineSpans, flat, hierarchy, symbol_kind

TEXT = '''"""é"""
LIMIT = 3


@final
class Café:
    """Doc."""

    def __init__(self): ...

    def brühe(self, é="🛒"): return é
'''


def spans_and_skeleton(text: str, language: str = "python", encoding: Any = "utf-16") -> Any:
    source = text.encode()
    return SkeletonMapBuilder().parse(source, "x", language), OutlineSpans(text, source, encoding)


def test_symbols_are_nested_as_they_are_written() -> None:
    """A class holds its methods; detail is the signature, the range begins at the decorator."""
    skeleton, spans = spans_and_skeleton(TEXT)
    limit, cafe = hierarchy(skeleton, spans)
    assert ("LIMIT", 14, []) == (limit["name"], limit["kind"], limit["children"])
    assert ("Café", 5, 4, 5) == (
        cafe["name"],
        cafe["kind"],
        cafe["range"]["start"]["line"],
        cafe["selectionRange"]["start"]["line"],
    )
    assert [("__init__", 9), ("brühe", 6)] == [(child["name"], child["kind"]) for child in cafe["children"]]
    assert 'def brühe(self, é="🛒")' == cafe["children"][1]["detail"]


@pytest.mark.parametrize(("encoding", "end"), [("utf-8", 42), ("utf-16", 37), ("utf-32", 36)])
def test_ranges_are_in_the_units_of_the_client(encoding: str, end: int) -> None:
    """The end of a line with an é and a 🛒 has another number in each encoding."""
    skeleton, spans = spans_and_skeleton(TEXT, encoding=encoding)
    whole = hierarchy(skeleton, spans)[1]["children"][1]["range"]
    assert {"line": 10, "character": end} == whole["end"]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("python", "a = b = 1\nclass A:\n    x: int = 1\n"),
        ("go", "package a\n\nfunc (r *Rec) Do() {}\n\ntype (\n\tA int\n\tB struct{}\n)\n"),
        ("javascript", "exports.run = function () {};\nconst o = { f() {}, g: () => 1 };\n"),
        ("cpp", "namespace a::b { struct S { void f(); }; }\nvoid S::f() {}\n"),
        ("rust", "impl<T> A<T> { fn f() {} }\n"),
        ("bash", "f() { :; }\r\ng() { :; }\r\n"),
    ],
)
def test_name_lies_inside_its_symbol(language: str, text: str) -> None:
    """Editors refuse an outline where it does not; no name is empty."""
    skeleton, spans = spans_and_skeleton(text, language)
    assert skeleton.definitions

    def place(position: dict[str, int]) -> tuple[int, int]:
        return position["line"], position["character"]

    def check(symbols: list[dict[str, Any]]) -> None:
        for symbol in symbols:
            outer, inner = symbol["range"], symbol["selectionRange"]
            assert symbol["name"]
            assert place(outer["start"]) <= place(inner["start"]) <= place(inner["end"]) <= place(outer["end"])
            check(symbol["children"])

    check(hierarchy(skeleton, spans))


def test_flat_form_names_what_is_around() -> None:
    """A client without nesting gets a list in source order with containers."""
    skeleton, spans = spans_and_skeleton(TEXT)
    symbols = flat(skeleton, spans, "file:///x")
    assert [("LIMIT", ""), ("Café", ""), ("__init__", "Café"), ("brühe", "Café")] == [
        (symbol["name"], symbol["containerName"]) for symbol in symbols
    ]
    assert {"file:///x"} == {symbol["location"]["uri"] for symbol in symbols}


def test_lone_returns_are_lines_of_the_editor() -> None:
    """Behind a lone CR a definition is a line further down for the editor than for ctx."""
    skeleton, spans = spans_and_skeleton("a = 1\rb = 2\ndef f(): ...\n")
    names = {symbol["name"]: symbol["selectionRange"]["start"]["line"] for symbol in hierarchy(skeleton, spans)}
    assert 2 == names["f"]


def test_kinds_of_what_is_no_definition() -> None:
    """A section is a text, a file a file."""
    assert (15, 1, 12) == (symbol_kind("section"), symbol_kind("file"), symbol_kind("macro"))
