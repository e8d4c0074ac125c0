"""What a report counts with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctx.domain.telemetry.tally_values import (
    FIGURE_MAX,
    OTHER,
    SAMPLE_NS_MAX,
    TOO_LONG,
    Counts,
    FrequentTexts,
    figure,
    name,
    sample_ns,
    text,
)


@pytest.mark.parametrize("value", [-1, FIGURE_MAX + 1, 10**18, 1.5, 1e308, True, "7", None, [], {}])
def test_what_nobody_counted_is_no_figure(value: object) -> None:
    """Negative, enormous, fractions, truth values, texts: nothing is added for them."""
    assert 0 == figure(value)


def test_figures_are_whole_numbers() -> None:
    """From 0 to the largest."""
    assert [0, 7, FIGURE_MAX] == [figure(value) for value in (0, 7, FIGURE_MAX)]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"duration_ns": 5, "timing_ms": 9}, 5),
        ({"duration_ns": 0, "timing_ms": 9}, 0),
        ({"duration_ns": None, "timing_ms": 9}, 9_000_000),
        ({"duration_ns": "5", "timing_ms": 9}, 9_000_000),
        ({"duration_ns": -5, "timing_ms": 0}, None),
        ({"duration_ns": SAMPLE_NS_MAX + 1, "timing_ms": 10**18}, None),
        ({"duration_ns": 1e308, "timing_ms": True}, None),
        ({}, None),
    ],
)
def test_a_sample_is_the_duration_else_the_milliseconds(event: dict[str, object], expected: int | None) -> None:
    """As the writer counts it; 0 ms without a duration was not measured, and neither was a year."""
    assert expected == sample_ns(event)


def test_names_and_texts_have_a_length() -> None:
    """What is longer than anything ctx writes is not kept; a cut could leave half a secret that nobody finds."""
    assert ["", "x" * 120, TOO_LONG] == [name(value) for value in (7, "x" * 120, "x" * 121)]
    assert ["", "x" * 1000, "(a text of 1,001 characters)"] == [text(v) for v in (None, "x" * 1000, "x" * 1001)]


def test_names_beyond_the_limit_count_as_other() -> None:
    """Known ones go on being counted; what redaction makes equal is one; the most frequent come first."""
    counts = Counts(2)
    for key in ("a", "b", "c", "d", "a"):
        counts.add(key)
    assert counts.is_full
    assert {"a": 2, OTHER: 2, "b": 1} == counts.document(lambda key: key)
    assert {"x": 5} == counts.document(lambda _key: "x")


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 9))), st.integers(0, 50))
def test_frequent_texts_can_be_put_together(seen: list[tuple[str, int]], cut: int) -> None:
    """Counted apart and merged is counted at once, with the latest moment of each."""
    whole, one, other = (FrequentTexts(10) for _ in range(3))
    for shown, at_us in seen:
        whole.add("ctx.search", shown, at_us)
    for part, mine in ((one, seen[:cut]), (other, seen[cut:])):
        for shown, at_us in mine:
            part.add("ctx.search", shown, at_us)
    one.merge(other)
    assert list(whole.most_frequent(3, str)) == list(one.most_frequent(3, str))


def test_a_million_texts_take_little_memory_and_the_frequent_stay() -> None:
    """The rare ones are forgotten, which is said; the frequent one keeps its count."""
    texts = FrequentTexts(100)
    for number in range(10_000):
        texts.add("ctx.search", f"once {number}", number)
        texts.add("ctx.search", "often", number)
        assert len(texts._texts) <= 100
    assert texts.has_forgotten
    assert [("ctx.search", "often", 10_000, 9_999)] == list(texts.most_frequent(1, str))


def test_texts_that_redaction_makes_equal_are_one() -> None:
    """Two secrets become one entry, which is then the most frequent."""
    texts = FrequentTexts(10)
    for shown, count in (("plain", 3), ("secret one", 2), ("secret two", 2)):
        texts.add("ctx.search", shown, count, count)
    found = list(texts.most_frequent(2, lambda shown: "[REDACTED]" if "secret" in shown else shown))
    assert [("ctx.search", "[REDACTED]", 4, 2), ("ctx.search", "plain", 3, 3)] == found
