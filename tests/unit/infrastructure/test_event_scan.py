"""Reading telemetry in one process and in several."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests.telemetry_lines import event, raw

from ctx.domain.telemetry.report import report_document
from ctx.domain.telemetry.selection import RecentRuns, Selection
from ctx.infrastructure import parse_pool
from ctx.infrastructure.event_scan import EventScan, shares_of
from ctx.infrastructure.event_sources import EventSource, source_of
from ctx.infrastructure.process_tree import tree_of
from ctx.infrastructure.scan_worker import Part

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NOW_US = 1 << 60
PYTHON = (sys.executable, "-c")


@pytest.fixture
def source(tmp_path: Path) -> EventSource:
    """Three files of a few runs each."""
    telemetry = tmp_path / "shop" / "_ctx" / "telemetry"
    telemetry.mkdir(parents=True)
    for file, name in enumerate(("events.1.jsonl", "events.2.jsonl", "events.jsonl")):
        lines = [
            event(
                ("command.start", "lsp.hover", "ctx.search")[seq % 3],
                run_id=f"run_{file}",
                seq=seq,
                duration_ns=seq * 1000,
                ts=f"2025-12-29T22:0{file}:00.{seq:06}+00:00",
                args={"server": "ty", "query": f"query {seq % 7}"},
                result={"hits": seq % 2},
            )
            for seq in range(1, 60)
        ]
        (telemetry / name).write_bytes(raw(*lines))
    return source_of(str(tmp_path / "shop"))


def silent(_done: int, _total: int) -> None:
    pass


def document(scan: EventScan, selection: Selection | None = None) -> dict[str, Any]:
    tally = scan.tally(NOW_US, selection or Selection(), silent)
    return report_document(tally, generated_us=0, version="1", counters=scan.counters(), redact=scan.redact)


@pytest.mark.parametrize("workers", [2, 3, 7])
def test_several_processes_count_what_one_does(source: EventSource, workers: int) -> None:
    """However the bytes are divided; none is left behind."""
    before = set(tree_of(os.getpid()))
    alone = document(EventScan([source], workers=1))
    assert 177 == alone["events"]["read"] == alone["events"]["selected"]
    assert alone == document(EventScan([source], workers=workers, share_bytes_min=1))
    assert before.issuperset(tree_of(os.getpid()))


def test_the_last_runs_are_found_by_several_processes(source: EventSource) -> None:
    """And then only these count."""
    scan = EventScan([source], workers=2, share_bytes_min=1)
    run_ids = scan.recent_runs(RecentRuns(2), None, silent).run_ids()
    assert frozenset({"run_1", "run_2"}) == run_ids
    assert 118 == document(scan, Selection(2, None, run_ids))["events"]["selected"]


@pytest.mark.parametrize(
    "command",
    [
        (*PYTHON, "raise SystemExit(1)"),
        (
            *PYTHON,
            "import sys; sys.stdin.buffer.read(); sys.stdout.buffer.write(b'P' + bytes(8) + b'O' + b'\\xff' * 8)",
        ),
        (*PYTHON, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"),
        ("/no/such/program",),
    ],
)
def test_a_lost_process_costs_time_and_no_event(source: EventSource, command: Sequence[str]) -> None:
    """Its share is read here: it ended early, answered half, was killed, never began."""
    expected = document(EventScan([source], workers=1))
    assert expected == document(EventScan([source], workers=2, share_bytes_min=1, worker_command=command))


def test_an_interrupt_ends_every_process(source: EventSource) -> None:
    """Also those that have not answered yet."""

    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    program = (
        "import sys; sys.stdout.buffer.write(b'P' + bytes(8)); sys.stdout.flush(); sys.stdin.buffer.read(); input()"
    )
    scan = EventScan(
        [source], workers=2, share_bytes_min=1, worker_command=(*PYTHON, program + "; import signal; signal.pause()")
    )
    before = set(tree_of(os.getpid()))
    with pytest.raises(KeyboardInterrupt):
        scan.tally(NOW_US, Selection(), interrupt)
    assert before.issuperset(tree_of(os.getpid()))


def test_an_interrupt_while_processes_are_started_ends_those_that_are(
    source: EventSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are in groups of their own, where no Ctrl-C comes."""
    spawn = parse_pool.spawned
    started = []

    def interrupted(command: Sequence[str]) -> parse_pool.ParserProcess:
        if started:
            raise KeyboardInterrupt
        started.append(spawn(command))
        return started[0]

    monkeypatch.setattr(parse_pool, "spawned", interrupted)
    program = "import signal; signal.pause()"
    scan = EventScan([source], workers=2, share_bytes_min=1, worker_command=(*PYTHON, program))
    try:
        with pytest.raises(KeyboardInterrupt):
            scan.tally(NOW_US, Selection(), silent)
        assert -signal.SIGKILL == started[0].exit_code
    finally:
        started[0].kill()


@pytest.mark.parametrize(("cores", "size_mb", "workers"), [(2, 1, 1), (2, 31, 1), (2, 32, 2), (64, 1000, 8)])
def test_only_large_input_is_divided(
    source: EventSource, monkeypatch: pytest.MonkeyPatch, cores: int, size_mb: int, workers: int
) -> None:
    """Among the cores there are, but not too many."""
    monkeypatch.setattr(parse_pool, "usable_cores", lambda: cores)
    assert workers == EventScan([source])._share_count(size_mb << 20)


def test_progress_is_told_in_bytes(source: EventSource) -> None:
    """Up to all of them, never beyond."""
    told: list[tuple[int, int]] = []
    EventScan([source], workers=2, share_bytes_min=1).tally(NOW_US, Selection(), lambda *each: told.append(each))
    total = sum(os.path.getsize(path) for path in source.paths)
    assert (total, total) == max(told)
    assert sorted(told) == told


def test_shares_have_about_as_many_bytes_each() -> None:
    """Side by side, in order, without a gap; an empty file is in none."""
    parts = [Part(f"{number}", (0, number), 0, size, number) for number, size in enumerate((10, 0, 35, 5))]
    shares = shares_of(parts, 3)
    assert [[(0, 0, 10), (2, 0, 6)], [(2, 6, 23)], [(2, 23, 35), (3, 0, 5)]] == [
        [(part.file, part.start, part.end) for part in share] for share in shares
    ]
    assert [(), ()] == shares_of([], 2)


def test_files_that_are_gone_or_named_twice_count_once(source: EventSource, tmp_path: Path) -> None:
    """Retention and hard links."""
    os.link(source.paths[0], tmp_path / "again.jsonl")
    again = EventSource(str(tmp_path), (str(tmp_path / "again.jsonl"), str(tmp_path / "none.jsonl")))
    assert 177 == document(EventScan([source, again]))["events"]["read"]
    assert 0 == document(EventScan([EventSource(str(tmp_path), ())]))["events"]["read"]


def test_counters_are_summed_over_the_sources(source: EventSource, tmp_path: Path) -> None:
    """One that is damaged, enormous or absent counts as none; figures nobody counted are 0."""
    assert EventScan([source]).counters() is None
    folder = tmp_path / "other"
    folder.mkdir()
    other = EventSource(str(folder), ())
    (tmp_path / "shop/_ctx/telemetry/metrics.json").write_text('{"telemetry_events_attempted": 5, "x": -7}')
    assert {"telemetry_events_attempted": 5, "x": 0} == EventScan([source, source, other]).counters()
    (folder / "metrics.json").write_text('{"telemetry_events_attempted": 3}')
    assert {"telemetry_events_attempted": 8, "x": 0} == EventScan([source, other]).counters()
    (folder / "metrics.json").write_text("[]")
    assert {"telemetry_events_attempted": 5, "x": 0} == EventScan([source, other]).counters()
    with (folder / "metrics.json").open("w") as file:
        file.truncate(100 << 30)
    assert {"telemetry_events_attempted": 5, "x": 0} == EventScan([source, other]).counters()


def test_texts_are_redacted_by_the_places_of_all_segments(source: EventSource, tmp_path: Path) -> None:
    """Paths inside become relative, others are marked as outside, secrets are marked."""
    scan = EventScan([source, EventSource(str(tmp_path), ())])
    assert "see src/a.py" == scan.redact(f"see {tmp_path}/shop/src/a.py")
    assert scan.redact("see /srv/other/b.py").startswith("see external/")
    assert "AKIAIOSFODNN7EXAMPLF" not in scan.redact("key AKIAIOSFODNN7EXAMPLF")
