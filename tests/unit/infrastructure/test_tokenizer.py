"""Token counts: the encoding's own, on any text, without a network."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctx.domain.errors import UsageError
from ctx.infrastructure.tokenizer import DEFAULT_ENCODING, ENCODINGS, BpeTokenCounter, DeferredCounter, text_key

_COUNTERS = {name: BpeTokenCounter(name) for name in ENCODINGS}


@pytest.mark.parametrize(
    ("encoding", "text", "tokens"),
    [
        ("cl100k_base", "", 0),
        ("cl100k_base", "hello world", 2),
        ("cl100k_base", "tiktoken is great!", 6),
        ("cl100k_base", "antidisestablishmentarianism", 6),
        ("cl100k_base", "2 + 2 = 4", 7),
        ("cl100k_base", "お誕生日おめでとう", 9),
        ("o200k_base", "お誕生日おめでとう", 8),
        ("o200k_base", "antidisestablishmentarianism", 6),
    ],
)
def test_counts_are_those_openai_publishes(encoding: str, text: str, tokens: int) -> None:
    """The examples of OpenAI's cookbook on counting tokens."""
    assert tokens == _COUNTERS[encoding].count(text)


@given(st.text(max_size=200))
def test_any_text_has_a_count(text: str) -> None:
    """Lone surrogates, control characters and what looks like a special token are text."""
    for counter in _COUNTERS.values():
        count = counter.count(text)
        assert (count == 0) == (text == "")
        assert count <= 4 * len(text)


def test_what_looks_like_a_special_token_is_text() -> None:
    """A file may speak of them."""
    assert 7 == _COUNTERS["cl100k_base"].count("<|endoftext|>")


def test_a_long_text_counts_as_its_pieces_do() -> None:
    """Cut at line ends, where no token crosses; one unbroken run takes no quadratic time."""
    counter = _COUNTERS[DEFAULT_ENCODING]
    line = "a line of some words\n"
    per_line = counter.count(line * 100) / 100
    assert abs(counter.count(line * 20_000) - per_line * 20_000) <= 10
    started = time.process_time()
    assert 100_000 < counter.count("ab" * 500_000) < 1_000_000
    assert time.process_time() - started < 5


def test_an_unknown_encoding_is_refused() -> None:
    """The message names those there are."""
    with pytest.raises(UsageError, match="cl100k_base, o200k_base, found 'p50k_base'"):
        BpeTokenCounter("p50k_base")


def test_a_deferred_counter_notes_what_it_does_not_know() -> None:
    """What is known is answered; the n-th other text is -n, and after `take` they count from 1 again."""
    counter = DeferredCounter(DEFAULT_ENCODING, {text_key("größe"): 5, text_key(""): 0})
    assert [5, -1, 0, -2, 5] == [counter.count(text) for text in ("größe", "a", "", "b", "größe")]
    assert ["a", "b"] == counter.take()
    assert -1 == counter.count("c")
    assert ["c"] == counter.take()
