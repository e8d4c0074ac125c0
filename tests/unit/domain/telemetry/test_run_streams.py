"""Losses, repetitions and clock steps, out of numbers and times."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctx.domain.telemetry import run_streams
from ctx.domain.telemetry.run_streams import RunStreams

KEY = ("segment", "run_1", 7)
OTHER_KEY = ("segment", "run_2", 7)


def streams_of(events: list[tuple[int, int]]) -> RunStreams:
    streams = RunStreams()
    for seq, at_us in events:
        streams.add(KEY, seq, at_us)
    return streams


def test_numbers_in_a_row_are_whole() -> None:
    """Wherever they begin: what came before may have been rotated away."""
    streams = streams_of([(5, 0), (6, 1), (7, 2)])
    assert (0, 0, 0) == streams.figures()
    assert 0 == streams.repeated


def test_missing_numbers_are_counted_unless_a_line_says_they_were_dropped() -> None:
    """A gap of four, of which one was dropped."""
    streams = streams_of([(1, 0), (2, 0), (5, 0), (8, 0)])
    streams.drops(KEY, 1)
    streams.add(OTHER_KEY, 3, 0)
    assert (3, 0, 0) == streams.figures()


def test_a_late_event_closes_its_gap() -> None:
    """Critical events wait in a queue and are written later than what follows them: no loss, no clock step."""
    assert (0, 0, 0) == streams_of([(1, 0), (3, 20_000_000), (4, 30_000_000), (2, 10_000_000)]).figures()


def test_a_clock_that_goes_back_is_a_step() -> None:
    """By more than a second, between two events that follow each other by number, also over a gap."""
    assert 1 == streams_of([(1, 9_000_000), (2, 7_999_999)]).figures()[1]
    assert 0 == streams_of([(1, 9_000_000), (2, 8_000_000)]).figures()[1]
    assert 1 == streams_of([(1, 9_000_000), (3, 1_000_000)]).figures()[1]
    assert 1 == streams_of([(1, 9_000_000), (3, 1_000_001), (2, 1_000_000)]).figures()[1]


def test_the_same_number_again_is_repeated() -> None:
    """A file that was copied into itself; within a span, at its end, and many at once."""
    streams = streams_of([(1, 0), (2, 0), (3, 0), (3, 0), (2, 0)])
    streams.merge(streams_of([(2, 0), (3, 0), (4, 0)]))
    streams.merge(streams_of([(1, 0), (2, 0), (3, 0), (4, 0), (5, 0)]))
    assert 8 == streams.repeated
    assert (0, 0, 0) == streams.figures()


def test_commands_without_an_end_are_counted_by_process() -> None:
    """An end whose beginning was rotated away does not hide a command that never ended."""
    streams = RunStreams()
    streams.opens(KEY, 1)
    streams.opens(KEY, 1)
    streams.opens(KEY, -1)
    streams.opens(OTHER_KEY, -1)
    assert 1 == streams.figures()[2]


@given(
    st.lists(st.tuples(st.sampled_from([KEY, OTHER_KEY]), st.integers(1, 30)), unique=True),
    st.lists(st.integers(0, 5_000_000), min_size=60, max_size=60),
    st.integers(0, 60),
)
def test_parts_put_together_are_the_whole(
    events: list[tuple[run_streams.Key, int]], times: list[int], cut: int
) -> None:
    """In whatever order the events are, and wherever they are cut."""
    whole, one, other = (RunStreams() for _ in range(3))
    for number, (key, seq) in enumerate(events):
        for streams in (whole, one if number < cut else other):
            streams.add(key, seq, times[seq])
    one.merge(other)
    assert whole.figures() == one.figures()
    assert whole.repeated == one.repeated == 0
    seqs = {key: [seq for each, seq in events if each == key] for key, _seq in events}
    assert sum(max(found) - min(found) + 1 - len(found) for found in seqs.values()) == one.figures()[0]


def test_any_number_of_streams_takes_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that have been silent longest are closed with what is known of them, and that is said."""
    monkeypatch.setattr(run_streams, "STREAMS_MAX", 10)
    streams = RunStreams()
    for number in range(100):
        key = ("segment", f"run_{number}", 1)
        streams.opens(key, 1)
        streams.add(key, 1, 9_000_000)
        streams.add(key, 3, 0)
        assert len(streams._streams) + len(streams._quiet) <= 30
        assert (number >= 30) == streams.has_forgotten
    assert (100, 100, 100) == streams.figures()


def test_finished_streams_are_closed_without_a_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen from their first event to their end; what began before, or goes on, is kept meanwhile."""
    monkeypatch.setattr(run_streams, "STREAMS_MAX", 4)
    parts = RunStreams(), RunStreams()
    parts[0].opens(KEY, 1)
    parts[0].add(KEY, 1, 0)
    parts[1].add(KEY, 2, 0)
    parts[1].opens(KEY, -1)
    for streams in parts:
        for number in range(100):
            key = ("segment", f"run_{number}_{id(streams)}", 1)
            streams.opens(key, 1)
            streams.add(key, 1, 0)
            streams.add(key, 3, 0)
            streams.opens(key, -1)
            assert len(streams._streams) + len(streams._quiet) <= 12
    parts[0].merge(parts[1])
    assert (200, 0, 0) == parts[0].figures()
    assert not parts[0].has_forgotten


def test_a_stream_that_comes_back_in_time_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that writes once in a while is one stream."""
    monkeypatch.setattr(run_streams, "STREAMS_MAX", 2)
    streams = streams_of([(1, 0)])
    for number in range(2):
        streams.add(("segment", f"run_{number + 5}", 1), 1, 0)
    streams.add(("segment", *KEY[1:]), 2, 0)
    assert (0, 0, 0) == streams.figures()
    assert not streams.has_forgotten


def test_a_stream_in_many_pieces_keeps_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every second number only: the oldest pieces are joined, what is missing between them stays missing."""
    monkeypatch.setattr(run_streams, "SPANS_MAX", 3)
    streams = streams_of([(number, 0) for number in range(1, 100, 2)])
    assert 49 == streams.figures()[0]
    assert streams.has_forgotten
