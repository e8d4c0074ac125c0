"""What has been seen of each process of each run: repetitions, gaps, clocks that step, runs of one name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.telemetry_lines import event

from ctx.domain.telemetry import run_ledger
from ctx.domain.telemetry.run_ledger import Gap, RunLedger


def start(command: str, **changes: Any) -> dict[str, Any]:
    return event("command.start", args={"command": command, "face": "cli"}, **changes)


def seen(ledger: RunLedger, *seqs: int, **changes: Any) -> list[str]:
    return [kind for seq in seqs for kind, _message in ledger.see(event(seq=seq, **changes))]


def test_numbers_in_order_are_fine() -> None:
    """One after the other, from any number on: what was before may have been rotated away."""
    ledger = RunLedger()
    assert [] == seen(ledger, 5, 6, 7)
    assert [] == list(ledger.gaps())


@given(st.lists(st.integers(1, 12), max_size=30))
def test_repetitions_and_gaps_are_those_of_a_set(seqs: list[int]) -> None:
    """In any order: what a set already holds is a repetition, what lies between and is not in it is missing."""
    ledger, known = RunLedger(), set[int]()
    for seq in seqs:
        assert (["duplicate"] if seq in known else []) == seen(ledger, seq)
        known.add(seq)
    missing = len(set(range(min(known), max(known) + 1)) - known) if known else 0
    assert missing == sum(gap.missing for gap in ledger.gaps())


def test_a_repetition_is_named() -> None:
    """Number, run and process."""
    ledger = RunLedger()
    ledger.see(event(seq=3))
    assert [("duplicate", '"seq" 3 of run run_1767045999_0123abcd, process 4711, is there twice')] == ledger.see(
        event(seq=3)
    )


def test_a_number_of_any_size_and_spelling_is_one() -> None:
    """1.0 is 1, and 1e21 more than anybody has written."""
    ledger = RunLedger()
    ledger.see(event(seq=1))
    assert ["duplicate"] == [kind for kind, _message in ledger.see(event(seq=1.0))]
    ledger.see(event(seq=1e21))
    assert [10**21 - 2] == [gap.missing for gap in ledger.gaps()]


def test_processes_runs_and_segments_count_for_themselves() -> None:
    """The same number in another process, run or segment is no repetition."""
    ledger = RunLedger()
    assert [] == seen(ledger, 1) + seen(ledger, 1, pid=2) + seen(ledger, 1, run_id="r") + seen(
        ledger, 1, segment_id="f" * 8
    )


def test_a_gap_is_what_no_line_says_was_dropped() -> None:
    """Dropped events leave numbers out and the next line says how many."""
    ledger = RunLedger()
    seen(ledger, 1, 2)
    seen(ledger, 6, telemetry_dropped_since_last=3)
    assert [] == list(ledger.gaps())
    seen(ledger, 9, 10)
    assert [Gap("run_1767045999_0123abcd", 4711, 2)] == list(ledger.gaps())


def test_an_event_that_is_not_valid_is_not_missing() -> None:
    """Its number counts, where it has one of a process that is known."""
    ledger = RunLedger()
    seen(ledger, 1)
    for bad in ({"args": 0}, {"pid": [4711]}, {"seq": "2"}, {"run_id": "another"}):
        ledger.note(event(**{"seq": 2, **bad}))
    seen(ledger, 3)
    assert [] == list(ledger.gaps())


def test_a_clock_that_is_set_back_is_named() -> None:
    """By more than a second, within one process, in the order of its numbers; a late line has its own old time."""
    ledger = RunLedger()
    seen(ledger, 1, ts="2025-12-29T22:06:52.000000+00:00")
    assert [] == seen(ledger, 2, ts="2025-12-29T22:06:51.500000+00:00")
    seen(ledger, 5, ts="2025-12-29T22:06:59.000000+00:00")
    assert [] == seen(ledger, 3, ts="2025-12-29T22:06:52.000000+00:00")
    ((kind, message),) = ledger.see(event(seq=6, ts="2025-12-29T22:00:00.000000+00:00"))
    assert "clock_step" == kind
    assert message.startswith('"ts" goes back by 419.0 s within run run_1767045999_0123abcd, process 4711')


def test_a_day_that_no_month_has_is_an_early_time() -> None:
    """A time that passes the pattern and is none is not followed by an exception."""
    ledger = RunLedger()
    seen(ledger, 1, ts="2025-12-29T22:06:52.000000+00:00")
    assert ["clock_step"] == seen(ledger, 2, ts="2025-02-31T22:06:52.000000+00:00")


def test_two_runs_with_one_id_are_named() -> None:
    """Another process that begins another command under the same id is another run."""
    ledger = RunLedger()
    assert [] == ledger.see(start("search"))
    assert [] == ledger.see(start("search", pid=2))  # a host's copy, or a fork
    assert [] == ledger.see(start("get", seq=2))  # one process that runs several
    message = "two runs have the id run_1767045999_0123abcd: search cli (process 4711) and get cli (process 3)"
    assert [("two_runs", message)] == ledger.see(start("get", pid=3))
    assert 1 == ledger.runs


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was seen longest ago is forgotten; numbers in too many pieces are looked at from the last ones on."""
    monkeypatch.setattr(run_ledger, "PROCESSES_MAX", 3)
    monkeypatch.setattr(run_ledger, "SPANS_MAX", 3)
    ledger = RunLedger()
    for number in range(10):
        ledger.see(start("search", run_id=f"run_{number}"))
    assert 3 == len(ledger._processes) == len(ledger._starts)
    seen(ledger, 1, 3, 5, 7, 9)
    spans = ledger._processes["0123abcd", "run_1767045999_0123abcd", 4711].spans
    assert [[5, 5], [7, 7], [9, 9]] == spans
    assert [] == seen(ledger, 12, 20, 16, 14, 18)  # also those that come late
    assert [[16, 16], [18, 18], [20, 20]] == spans
