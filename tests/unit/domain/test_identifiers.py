"""Words of code: how identifiers come apart and what a text is found by."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctx.domain.identifiers import index_terms, split_identifier, words_of


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("getHTTPUser_name2", ["get", "http", "user", "name", "2"]),
        ("HTTPServer", ["http", "server"]),
        ("parseURL", ["parse", "url"]),
        ("snake_case_word", ["snake", "case", "word"]),
        ("SCREAMING_CASE", ["screaming", "case"]),
        ("__init__", ["init"]),
        ("utf8_to_utf16", ["utf", "8", "to", "utf", "16"]),
        ("größeÄndern", ["größeändern"]),
        ("x", ["x"]),
        ("XMLHttpRequest", ["xml", "http", "request"]),
        ("A", ["a"]),
        ("___", []),
        ("", []),
    ],
)
def test_identifiers_come_apart_at_case_digits_and_underscores(word: str, parts: list[str]) -> None:
    """Camel case, snake case, runs of capitals and numbers; other scripts' capitals do not divide."""
    assert parts == split_identifier(word)


@given(st.text())
def test_parts_are_all_the_letters_and_digits_in_order(word: str) -> None:
    """Nothing is lost and nothing invented."""
    letters = "".join(character for character in word if character.isalnum())
    assert letters.casefold() == "".join(split_identifier(word)).casefold()


def test_words_keep_their_underscores() -> None:
    """What people write with underscores is one word."""
    assert ["load_config", "of", "_x", "größe"] == words_of("load_config() of _x: größe!")


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", ""),
        ("plain words here", "plain words here"),
        ("call getUserName twice getUserName", "call getUserName twice getUserName get user name"),
        ("_private", "_private private"),
        ("Straße größeÄndern x1", "Straße größeÄndern x1 x 1"),
    ],
)
def test_terms_are_the_text_and_the_parts_of_its_identifiers(text: str, terms: str) -> None:
    """The parts of each identifier that has several stand once behind the text."""
    assert terms == index_terms(text)


@given(st.text())
def test_every_short_word_and_its_parts_are_among_the_terms(text: str) -> None:
    """Whatever the text, what a query would ask for is there."""
    found = set(words_of(index_terms(text)))
    folded = {word.casefold() for word in found}
    for word in words_of(text):
        if len(word) <= 64:
            assert word in found
            parts = split_identifier(word)
            assert len(parts) < 2 or {part.casefold() for part in parts} <= folded


def test_words_too_long_to_be_asked_for_are_left_out() -> None:
    """Hashes and base64 would fill the index; what stands around them stays, and so does what they contain."""
    key = "a1" * 40
    assert ["key", "is", "a1", "a", "1"] == index_terms(f"key {key} is a1").split()
    assert [] == index_terms(f"{key} b_{key}").split()


def test_many_long_words_take_linear_time() -> None:
    """A file of a hundred thousand hashes is no reason to wait."""
    started = time.process_time()
    assert "" == index_terms(" ".join(f"{at:0128x}" for at in range(30_000))).strip()
    assert time.process_time() - started < 2


@given(st.text("abXY_09 .\n"))
def test_words_all_in_small_letters_need_no_look(text: str) -> None:
    """The short way for ASCII adds the parts that the way for any text does."""
    other = f"{text} é"
    assert index_terms(other).removeprefix(other) == index_terms(text).removeprefix(text)
