"""Telemetry that never happened is like telemetry that did."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import made_telemetry
from made_telemetry import Maker, write_events

from ctx.domain.telemetry.line_check import LineCheck
from ctx.domain.telemetry.selection import Selection
from ctx.infrastructure.event_scan import EventScan
from ctx.infrastructure.event_sources import sources_below

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_every_line_is_one_that_ctx_could_have_written() -> None:
    """By the event table, without a field that it does not know."""
    check = LineCheck()
    events = [json.loads(line) for _segment, line in Maker().events(2000)]
    assert 2000 == len(events)
    assert [] == [(each["cmd"], found) for each in events if (found := check.faults(each))]
    assert [] == [(each["cmd"], found) for each in events if (found := check.novelties(each))]


def test_a_seed_makes_the_same_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rotated as ctx does it, every event in one of them."""
    monkeypatch.setattr(made_telemetry, "ROTATE_BYTES", 100_000)
    one, other = (sorted(write_events(tmp_path / name, 1000, seed=7)) for name in "ab")
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]
    assert len(one) > 3
    scan = EventScan(sources_below(str(tmp_path / "a")))
    tally = scan.tally(1 << 60, Selection(), lambda _done, _total: None)
    assert (1000, 0) == (tally.read, tally.streams.figures()[0])
