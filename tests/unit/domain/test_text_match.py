"""Text patterns: what they mean, what they refuse, and how a match is shown."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctx.domain.errors import UsageError
from ctx.domain.text_match import (
    NESTING_MAX,
    PATTERN_CHARS_MAX,
    LineMatch,
    cut_around,
    literal_pattern,
    names_matched,
    regex_pattern,
)


@pytest.mark.parametrize(
    ("pattern", "exact", "wide"),
    [
        ("a.b", "a.b", "a.b"),
        ("^a$", "^a$", r"^a(?:\r?$)"),
        (r"\bx\B", r"\bx\B", r"(?-u:\b)x(?:)"),
        (r"\d\w", "[0-9][0-9A-Z\\x{5F}a-z]", "[0-9][0-9A-Z\\x{5F}a-z]"),
        (r"\W", r"[\W]", "."),
        (r"\p{Lu}\PN\p{^L}", r"[\p{Lu}][\P{N}][\P{L}]", "..."),
        ("[^a-c]", r"[^a-c\x{A}]", "."),
        (r"[\x00-\x20]", r"[\x{0}-\x{9}\x{B}-\x{20}]", r"[\x{0}-\x{9}\x{B}-\x{20}]"),
        ("[]a-]", r"[\x{5D}a\x{2D}]", r"[\x{5D}a\x{2D}]"),
        ("[[:digit:][:^alpha:]]", "[0-9[:^alpha:]]", "."),
        (r"[\t\-\d]", r"[\x{9}\x{2D}0-9]", r"[\x{9}\x{2D}0-9]"),
        (r"[\S]", r"[\x{0}-\x{8}\x{E}-\x{1F}\x{21}-\x{10FFFF}]", "."),
        ("a|b|", "(?:a|b|(?:))", "(?:a|b|(?:))"),
        ("(a)(?:b)(?P<n>c)(?<m>d)", "(?:a)(?:b)(?:c)(?:d)", "(?:a)(?:b)(?:c)(?:d)"),
        ("a*b+?c{2}d{1,}e{1,3}?", "(?:a)*(?:b)+?(?:c){2}(?:d){1,}(?:e){1,3}?", None),
        ("f{x}{", r"f\x{7B}x\x{7D}\x{7B}", None),
        (r"\x41\x{e9}\u00e9\.\\", r"A\x{E9}\x{E9}\x{2E}\x{5C}", None),
    ],
)
def test_a_pattern_is_written_anew_for_each_engine(pattern: str, exact: str, wide: str | None) -> None:
    """In spellings that mean the same to all of them; None: the wide form is the exact one."""
    made = regex_pattern(pattern)
    assert ("(?m)" + exact, "(?m)" + (exact if wide is None else wide)) == (made.exact, made.wide)


def test_case_beyond_ascii_is_left_to_one_engine() -> None:
    """Their tables of letters differ in age."""
    made = regex_pattern("é[ä-ü]k", ignore_case=True)
    assert (r"(?mi)\x{E9}[\x{E4}-\x{FC}]k", "(?mi)..k") == (made.exact, made.wide)
    assert made.exact == regex_pattern("(?i)é[ä-ü]k").exact
    assert (r"(?i)a\x{E9}", "(?i)a.") == (
        literal_pattern("aé", ignore_case=True).exact,
        literal_pattern("aé", ignore_case=True).wide,
    )


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("", "the pattern is empty"),
        ("x" * (PATTERN_CHARS_MAX + 1), "the pattern is 4001 characters long, at most 4000"),
        ("a(b", r"column 2: this \( is not closed"),
        ("a)b", r"column 2: this \) closes nothing"),
        ("ab[c", r"column 3: this \[ is not closed"),
        ("[]", r"column 1: this \[ is not closed"),
        ("[z-a]", "column 2: not a range"),
        (r"[a-\d]", "column 2: not a range"),
        (r"[\x0A-\x0A]", "column 2: a line break"),
        ("*a", r"column 1: nothing before \*"),
        ("a|+", r"column 3: nothing before \+"),
        ("a**", "column 3: a repeat of a repeat"),
        ("a{2}{3}", "column 5: a repeat of a repeat"),
        ("a{3,2}", "column 2: the first number of the repeat is the larger"),
        ("a{1001}", "column 2: a repeat of more than 1000"),
        ("ab\\", r"column 3: a \\ at the end"),
        (r"(a)\1", "column 4: references to groups"),
        ("x(?=a)", "column 2: looking ahead or behind"),
        ("x(?<!a)", "column 2: looking ahead or behind"),
        ("(?x)a", "column 1: an unknown kind of group"),
        (r"a\z", r"column 2: \\z is not supported"),
        (r"a\q", r"column 2: \\q means nothing"),
        (r"a\<", r"column 2: \\< means nothing"),
        (r"\p{Greek}", "column 1: not a general category"),
        (r"a\xg", "column 2: not a character's number"),
        (r"a\x{110000}", "column 2: no character has this number"),
        (r"a\ud800", "column 2: no character has this number"),
        (r"a\n", "column 2: a line break"),
        ("a\nb", "column 2: a line break"),
        ("[a\n]", "column 3: a line break"),
        (r"[\b]", "column 2: a word's end is no character"),
        ("[[:no:]]", "column 2: an unknown class; known are alnum"),
        ("(" * (NESTING_MAX + 1), f"column {NESTING_MAX + 1}: more than {NESTING_MAX} groups"),
    ],
)
def test_a_bad_pattern_is_refused_with_its_column(pattern: str, message: str) -> None:
    """One line: where, what, what to do."""
    with pytest.raises(UsageError, match=rf"^--regex: {message}") as caught:
        regex_pattern(pattern)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "a\nb", "x" * (PATTERN_CHARS_MAX + 1)])
def test_a_literal_is_one_line(text: str) -> None:
    """With something in it, and bounded."""
    with pytest.raises(UsageError, match=r"^--literal: the"):
        literal_pattern(text)


@given(st.text(alphabet="ab(|)[]{}*+?\\^$.-,:d19pLxu<i=!P \né", max_size=20))
def test_any_pattern_is_taken_or_refused(pattern: str) -> None:
    """Never another error, whatever a person types; what is taken holds no line break."""
    try:
        made = regex_pattern(pattern)
    except UsageError as error:
        assert str(error).startswith("--regex: ")  # noqa: PT017
        return
    assert made.exact.isascii()
    assert made.wide.isascii()
    assert "\n" not in made.exact


@given(st.text(max_size=300), st.data(), st.integers(10, 80))
def test_what_is_cut_keeps_the_match(line: str, data: st.DataObject, width: int) -> None:
    """At most so wide, the match's beginning always in it, … exactly where something is left out."""
    line = line.replace("\n", " ")
    start = data.draw(st.integers(0, len(line)))
    end = data.draw(st.integers(start, len(line)))
    text, shown_start, shown_end = cut_around(line, start, end, width)
    assert len(text) <= width
    assert 0 <= shown_start <= shown_end <= len(text)
    if len(line.rstrip()) <= width:
        assert line.rstrip() == text
    elif start < len(line.rstrip()):
        shown = text[shown_start:shown_end]
        kept = shown.strip("…")
        assert kept in line
        assert "…" in text


def test_the_names_of_a_match_are_within_it_or_touched_by_it() -> None:
    """`user` in `get_user(x)` touches get_user and holds no whole name."""
    text = "def get_user(self, x9):"
    inside = LineMatch(1, 9, text, 8, 12)
    assert (frozenset(), frozenset({"get_user"})) == names_matched(inside)
    whole = LineMatch(1, 5, text, 4, 18)
    assert (frozenset({"get_user"}), frozenset({"get_user", "self"})) == (
        names_matched(LineMatch(1, 5, text, 4, 13))[0],
        names_matched(whole)[1],
    )


def test_meaning_is_that_of_pythons_ascii_patterns() -> None:
    """The exact spelling is also Python's, but for `\\x{…}`: a check that needs no engine."""
    for pattern, text, expected in (
        ("a{2,3}b", "aab", True),
        (r"^\s*def \w+\(", "  def f(", True),
        ("x|y", "z", False),
    ):
        exact = re.sub(r"\\x\{([0-9A-F]+)\}", lambda m: re.escape(chr(int(m[1], 16))), regex_pattern(pattern).exact)
        assert expected == (re.search(exact, text, re.ASCII) is not None)
