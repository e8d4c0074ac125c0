"""Queries: their shape, their identifiers, their terms, and that no text makes a search expression invalid."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctx.application.search import match_expression
from ctx.domain.errors import UsageError
from ctx.domain.query import QUERY_TERMS_MAX, parse_query

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.parametrize(
    ("text", "shape", "identifiers"),
    [
        ("parse_config", "identifier", ("parse_config",)),
        ("parse_config()", "identifier", ("parse_config",)),
        ("  Session  ", "identifier", ("Session",)),
        ("Session.get", "qualified", ("get",)),
        ("std::vector", "qualified", ("vector",)),
        ("src/app.py", "qualified", ("py",)),
        ("Foo#bar", "qualified", ("bar",)),
        ("ptr->next", "qualified", ("next",)),
        ("where is parse_config called", "sentence", ("parse_config",)),
        ("how does HTTPServer use getUser", "sentence", ("HTTPServer", "getUser")),
        ("how are sessions stored", "sentence", ()),
        ("TypeError: 'NoneType' object is not iterable", "sentence", ("TypeError", "NoneType")),
    ],
)
def test_shape_and_identifiers(text: str, shape: str, identifiers: tuple[str, ...]) -> None:
    """A bare name, a qualified one, or a sentence with names that show by their form."""
    query = parse_query(text)
    assert (shape, identifiers) == (query.shape, query.identifiers)


def test_words_carry_meaning_and_terms_hold_their_parts() -> None:
    """Stop words are gone, repeats too; the parts of names follow the words."""
    query = parse_query("how does the getUserName of a getUserName work")
    assert ("getusername", "work") == query.words
    assert ("getusername", "work", "get", "user", "name") == query.terms


def test_a_question_of_stop_words_alone_asks_for_them() -> None:
    """Something was said, so something is looked for."""
    assert ("what", "is", "this") == parse_query("what is this").words


def test_qualified_parts_are_the_parts_of_a_qualified_name_only() -> None:
    """Lower case, in order."""
    assert ("app", "session", "get") == parse_query("app.Session.get()").qualified_parts
    assert () == parse_query("Session").qualified_parts


@pytest.mark.parametrize("text", ["", "   ", "\n", "...", "->", "\0", "\ud800", "🙂"])
def test_a_query_without_a_word_is_refused_in_one_line(text: str) -> None:
    """The message says what is missing and gives an example."""
    with pytest.raises(UsageError) as caught:
        parse_query(text)
    assert "\n" not in str(caught.value)
    assert "ctx search" in str(caught.value)


def test_a_pasted_text_is_cut_to_its_first_words() -> None:
    """Forty-eight different words are enough to say what it is about, and take no time."""
    started = time.process_time()
    query = parse_query(" ".join(f"word{at}" for at in range(20_000)))
    assert QUERY_TERMS_MAX == len(query.words)
    assert len(query.terms) <= 2 * QUERY_TERMS_MAX
    assert time.process_time() - started < 1


@settings(max_examples=300)
@given(st.text() | st.text(alphabet="aB_1. \"'*:^(){}+-\\\0$#/²ßﬁǅ͏\u0661", max_size=40))
def test_any_text_is_refused_as_usage_or_gives_a_valid_expression(text: str) -> None:
    """FTS5 takes every expression made from a query, quotes and operators in it or not."""
    try:
        query = parse_query(text)
    except UsageError:
        return
    assert query.terms
    assert query.words
    with_terms = _database()
    for expression in (match_expression(query.terms), f"{{name body}} : {match_expression(query.terms[:1])}"):
        with_terms.execute("SELECT rowid FROM chunk_terms WHERE chunk_terms MATCH ?", (expression,)).fetchall()


def _database() -> sqlite3.Connection:
    if not _OPENED:
        _OPENED.append(sqlite3.connect(":memory:"))
        _OPENED[0].execute(
            """CREATE VIRTUAL TABLE chunk_terms USING fts5(name, body, content='',
            tokenize="porter unicode61 remove_diacritics 2 tokenchars '_'")"""
        )
        _OPENED[0].execute("INSERT INTO chunk_terms VALUES ('a', 'b c d')")
    return _OPENED[0]


_OPENED: list[sqlite3.Connection] = []


@pytest.fixture(autouse=True, scope="module")
def _close_database() -> Iterator[None]:
    yield
    while _OPENED:
        _OPENED.pop().close()
