"""What an answer is worth beside the server's, and what the shares count."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from definition_server import Place
from python_uses import CALL, LOCAL, Use
from resolve_agreement import (
    Comparison,
    Said,
    Truth,
    _is_of,
    agreement,
    judge,
    stated_precision,
    table,
    weighted_agreement,
)

A, B, C = ("a.py", 1), ("b.py", 2), ("c.py", 3)
INSIDE = Truth((A, B), False, 0)
OUTSIDE = Truth((), True, 0)
NO_ANSWER = Truth((), False, 0)


@pytest.mark.parametrize(
    ("truth", "places", "is_claim", "verdict"),
    [
        (INSIDE, [A], True, "same"),
        (INSIDE, [A, C], False, "same"),
        (INSIDE, [B, A], True, "another"),
        (INSIDE, [C, A], True, "listed"),
        (INSIDE, [C, C, C, C, C, A], True, "wrong"),
        (INSIDE, [("a.py", 2)], True, "wrong"),
        (INSIDE, [], False, "nothing"),
        (Truth((A,), True, 0), [A], True, "same"),
        (OUTSIDE, [], False, "silent"),
        (OUTSIDE, [C], False, "silent"),
        (OUTSIDE, [C], True, "false claim"),
        (NO_ANSWER, [C], True, "server silent"),
        (NO_ANSWER, [], False, "server silent"),
    ],
)
def test_verdict(truth: Truth, places: list[tuple[str, int]], is_claim: bool, verdict: str) -> None:
    """The first place decides; outside the tree only a claim is wrong."""
    assert verdict == judge(truth, Said(tuple(places), is_claim, 0))


def _comparison(truth: Truth, said: list[tuple[str, int]], stratum: str = CALL) -> Comparison:
    return Comparison("shop", Use("a.py", 1, 1, "name", stratum), truth, Said(tuple(said), True, 0))


SAMPLE = [
    _comparison(INSIDE, [A]),
    _comparison(INSIDE, []),
    _comparison(OUTSIDE, []),
    _comparison(OUTSIDE, [A]),
    _comparison(NO_ANSWER, [A]),
    _comparison(INSIDE, [A], LOCAL),
]


def test_agreement_leaves_out_what_the_server_does_not_know() -> None:
    """Three of five agree; the sixth has nothing to be compared with."""
    assert agreement(SAMPLE) == pytest.approx(60.0)
    assert math.isnan(agreement(SAMPLE[4:5]))


def test_weighted_agreement_counts_a_stratum_as_often_as_it_occurs() -> None:
    """Calls agree in half, locals always: with three locals to a call that is 7/8; strata without answers are out."""
    population = Counter({CALL: 10, LOCAL: 30, "decorator": 1000})
    assert weighted_agreement(SAMPLE, population) == pytest.approx(87.5)
    assert math.isnan(weighted_agreement([], population))


def test_precision_counts_what_is_stated_as_found_only() -> None:
    """Right: the server's first or a further place. Guesses, silence and what the server does not know are left out."""
    guess = Comparison("shop", SAMPLE[0].use, INSIDE, Said((C,), False, 0))
    further = _comparison(INSIDE, [B])
    assert stated_precision([*SAMPLE, guess, further]) == pytest.approx(75.0)
    assert math.isnan(stated_precision([guess]))


def test_table_has_a_row_for_each_stratum_and_one_for_all() -> None:
    """The last row adds up the rows above it."""
    lines = table(SAMPLE)
    assert "| shop | all | 6 | 60.0 | 2 | 0 | 0 | 0 | 1 | 1 | 1 | 1 |" == lines[-1]
    assert "| shop | local variable or parameter | 1 | 100.0 | 1 | 0 | 0 | 0 | 0 | 0 | 0 | 0 |" in lines


def test_place_of_another_name_is_no_answer_about_an_attribute() -> None:
    """What the server falls back to, the function called, carries another name; a module carries none."""
    assert _is_of(Place("a.py", 7, "total(self):"), "total")
    assert not _is_of(Place("a.py", 7, "total_of(self):"), "total")
    assert _is_of(Place("a.py", 1, '"""A module."""'), "total")
