"""Which run is to be drawn, and its trace."""

from __future__ import annotations

import pytest
from tests.event_lines import ToldRun, resolve_with_server

from ctx.application import telemetry_trace
from ctx.application.telemetry_trace import RunChooser, RunKey, trace_of
from ctx.domain.errors import NotFoundError, UsageError


def chooser(*runs: ToldRun) -> RunChooser:
    made = RunChooser()
    for run in runs:
        for event in run.events:
            made.see(event)
    return made


def run(run_id: str, at_us: int, *, ends: bool = True, segment_id: str = "5e60e001") -> ToldRun:
    told = ToldRun(run_id, segment_id=segment_id).begin("search", at_us)
    return told.end("search", at_us + 9, took_us=9) if ends else told


def test_the_last_run_that_ended_is_drawn_by_default() -> None:
    """Not the host that lives on, though it may have written last."""
    runs = chooser(
        run("run_1_aaaa", 10), run("run_2_bbbb", 50), run("run_3_cccc", 30), run("run_4_dddd", 90, ends=False)
    )
    assert "run_2_bbbb" == runs.chosen("").run_id


def test_without_any_end_the_run_that_wrote_last_is_drawn() -> None:
    """The first host of a segment still lives."""
    runs = chooser(run("run_1_aaaa", 10, ends=False), run("run_2_bbbb", 50, ends=False))
    assert "run_2_bbbb" == runs.chosen("").run_id


@pytest.mark.parametrize("wanted", ["run_12_abcd", "run_12", "12_ab"])
def test_an_unambiguous_beginning_is_enough(wanted: str) -> None:
    """With or without what every id begins with."""
    assert "run_12_abcd" == chooser(run("run_12_abcd", 1), run("run_34_abcd", 2)).chosen(wanted).run_id


def test_a_whole_id_is_not_taken_for_a_beginning() -> None:
    """Another run's id may begin with all of it."""
    assert "run_1_a" == chooser(run("run_1_a", 1), run("run_1_ab", 2)).chosen("run_1_a").run_id


def test_several_runs_that_begin_so_are_named() -> None:
    """With a way on."""
    with pytest.raises(UsageError, match=r"run 1: 2 runs begin so, run_12_a, run_13_b among them; give more of the id"):
        chooser(run("run_12_a", 1), run("run_13_b", 2)).chosen("1")


def test_an_unknown_run_is_answered_with_the_nearest() -> None:
    """A digit was mistyped; without a near one the last ones are named."""
    runs = chooser(run("run_1767323045_0badcafe", 1), run("run_9_b", 2))
    with pytest.raises(NotFoundError, match=r"near it are run_1767323045_0badcafe$"):
        runs.chosen("run_1767323045_0badcaff")
    with pytest.raises(
        NotFoundError, match=r"run '\\x1b\[': no event of it was found; the last ones are run_9_b, run_1"
    ):
        runs.chosen("\x1b[")


def test_nothing_recorded_is_nothing_found() -> None:
    """Foreign objects, ids of megabytes and times that are none are no runs."""
    runs = RunChooser()
    for event in ({}, {"run_id": "r", "ts": 3}, {"run_id": "r" * 1000, "ts": "2026-01-01T00:00:00Z"}):
        runs.see(event)
    with pytest.raises(NotFoundError, match="no event of a run was found"):
        runs.chosen("")


def test_a_run_seen_in_two_segments_is_drawn_where_it_was_active_last() -> None:
    """A copied folder holds the same runs; an edited line may have no segment."""
    other = run("run_1_a", 50, segment_id="copy")
    other.events[0]["segment_id"] = 7
    runs = chooser(run("run_1_a", 10), other)
    key = runs.chosen("run_1_a")
    assert (RunKey("copy", "run_1_a"), 3) == (key, runs.segments_of("run_1_a"))
    assert [False, True] == [key.is_of(event) for event in other.events]


def test_the_runs_that_were_seen_first_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory stays bounded, whatever the files hold."""
    monkeypatch.setattr(telemetry_trace, "RUNS_MAX", 2)
    runs = chooser(run("run_1_a", 1), run("run_2_b", 2), run("run_3_c", 3))
    assert (0, 1, 1) == tuple(runs.segments_of(run_id) for run_id in ("run_1_a", "run_2_b", "run_3_c"))


def test_the_trace_is_of_the_records_given() -> None:
    """One event for each span."""
    names = {event["name"] for event in trace_of(resolve_with_server().records, version="1")["traceEvents"]}
    assert {"ctx resolve", "ctx.resolve", "lsp.definition", "ty"} < names
