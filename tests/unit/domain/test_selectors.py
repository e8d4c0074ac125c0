"""The grammar of selectors: every spelling, errors with their column, and the way back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import any_line

from ctx.domain.errors import UsageError
from ctx.domain.selectors import (
    SELECTOR_CHARS_MAX,
    DottedName,
    FileName,
    ModuleName,
    Position,
    Selector,
    format_selector,
    parse_selector,
)

SPELLINGS: list[tuple[str, Selector]] = [
    ("sym://python/a.b/C.d", ModuleName("python", "a.b", ("C", "d"))),
    ("sym://python/a.b", ModuleName("python", "a.b")),
    ("sym://py/a/f()", ModuleName("python", "a", ("f",))),
    ("sym://Go/github.com/x/y/Run", ModuleName("go", "github.com/x/y", ("Run",))),
    ("sym://rust/crate::a::b/S::new", ModuleName("rust", "crate::a::b", ("S", "new"))),
    ("sym://c++/net/http/Socket", ModuleName("cpp", "net/http", ("Socket",))),
    ("Cart", DottedName(("Cart",))),
    (" Cart.add_line() ", DottedName(("Cart", "add_line"))),
    ("shop.cart.Cart", DottedName(("shop", "cart", "Cart"))),
    ("a::b::c", DottedName(("a", "b", "c"))),
    ("p->q", DottedName(("p", "q"))),
    ("App\\Models\\User", DottedName(("App", "Models", "User"))),
    ("Foo::operator==", DottedName(("Foo", "operator=="))),
    ("Worker.empty?", DottedName(("Worker", "empty?"))),
    ("Shape.~Shape", DottedName(("Shape", "~Shape"))),
    ("<=>", DottedName(("<=>",))),
    ("größe", DottedName(("größe",))),
    ("src/a.py#C.d", FileName("src/a.py", ("C", "d"))),
    ("src/a.py#C.d@0123abcd~2", FileName("src/a.py", ("C", "d"))),
    ("README.md#quick-start", FileName("README.md", ("quick-start",))),
    ("a.js#Box.#size", FileName("a.js", ("Box", "#size"))),
    ("a#b.py#c", FileName("a#b.py", ("c",))),
    ("a.py:3", Position("a.py", 3)),
    ("dir with space/a.py:3:14", Position("dir with space/a.py", 3, 14)),
    ("../a.py:3", Position("../a.py", 3)),
]


@pytest.mark.parametrize(("text", "expected"), SPELLINGS)
def test_spellings(text: str, expected: Selector) -> None:
    """Each form is read, and what is read is written so that it reads the same."""
    assert expected == parse_selector(text)
    assert expected == parse_selector(format_selector(expected))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sym://python//x", "column 14: expected a module path after 'sym://python/', found '/'"),
        ("sym://", "column 7: expected a language after 'sym://', found the end"),
        ("sym:///x", "column 7: expected a language after 'sym://', found '/'"),
        ("sym://python", "column 13: expected '/' and a module path after 'sym://python', found the end"),
        ("sym://python/", "column 14: expected a module path after 'sym://python/', found the end"),
        ("sym://python/a..b/C", "column 16: expected a part of the module path, found '.'"),
        ("sym://python/a b/C", "column 15: expected '.', '/' or '::' between parts of the module path, found ' '"),
        ("sym://python/a/", "column 16: expected a name after 'sym://python/a/', found the end"),
        ("sym://python/a/b..c", "column 18: expected a name after the separator, found '.'"),
        ("", "column 1: expected a name, PATH#name"),
        ("   ", "column 1: expected a name, PATH#name"),
        ("a b", "column 2: expected '.' or the end of the name, found ' '"),
        ("a..b", "column 3: expected a name after the separator, found '.'"),
        ("a.", "column 3: expected a name after the separator, found the end"),
        ("a.py#", "column 6: expected a name after '#', found the end"),
        ("src/a.py", "column 9: expected '#' and a name, or ':' and a line, after the path 'src/a.py', found the end"),
        ("a.py:0", "column 6: expected a line from 1 on, found '0'"),
        ("a.py:3:0", "column 8: expected a column from 1 on, found '0'"),
        ("a.py:99999999999999", "column 6: expected a line from 1 on"),
        ("x\0y", "column 2: expected a printable character, found '\\x00'"),
        ("x\ny", "column 2: expected a printable character, found '\\n'"),
    ],
)
def test_errors_name_the_column(text: str, message: str) -> None:
    """A mistake says where it is, what was expected and what is there."""
    with pytest.raises(UsageError) as error:
        parse_selector(text)
    assert f"selector {message}" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_pasted_text_is_refused_by_its_length() -> None:
    """A hundred kilobytes are not repeated in the error."""
    with pytest.raises(UsageError, match=f"100000 characters long, at most {SELECTOR_CHARS_MAX}") as error:
        parse_selector("a" * 100_000)
    assert len(str(error.value)) < 300


_parts = st.lists(st.from_regex(r"\A[\w$]+[?!]?\Z"), min_size=1, max_size=4).map(tuple)
_paths = st.from_regex(r"\A[a-z]{1,5}(/[a-z_ ]{1,5}[a-z])*\.[a-z]{1,3}\Z")


@given(
    st.builds(ModuleName, st.sampled_from(["python", "go"]), st.from_regex(r"\A[a-z]+([./][a-z]+)*\Z"), _parts)
    | st.builds(FileName, _paths, _parts)
    | st.builds(Position, _paths, st.integers(1, 10**9), st.integers(0, 10**9))
    | st.builds(DottedName, _parts)
)
def test_every_selector_has_a_spelling(selector: Selector) -> None:
    """What is written is read back as the same selector."""
    assert selector == parse_selector(format_selector(selector))


@given(any_line | st.from_regex(r"\A(sym://)?[\w./:#@~\\ -]{0,30}\Z"))
def test_any_text_is_a_selector_or_wrong_use(text: str) -> None:
    """Nothing but a UsageError is raised, and what is read is read again the same."""
    try:
        selector = parse_selector(text)
    except UsageError:
        with pytest.raises(UsageError, match=r"\Aselector column \d+: expected .*, found "):
            parse_selector(text)
    else:
        assert selector == parse_selector(format_selector(selector))
