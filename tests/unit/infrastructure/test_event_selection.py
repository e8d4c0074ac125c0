"""What `--last` and `--since` come to on real files."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from ctx.domain.errors import UsageError
from ctx.domain.telemetry.moments import moment_us
from ctx.domain.telemetry.selection import Selection
from ctx.infrastructure.event_selection import selection
from ctx.infrastructure.event_sources import EventSource

if TYPE_CHECKING:
    from pathlib import Path


def line(minute: int, run_id: str) -> str:
    ts = f"2026-01-01T00:{minute:02}:00.000000+00:00"
    return json.dumps({"ts": ts, "run_id": run_id}, separators=(",", ":"))


@pytest.fixture
def source(tmp_path: Path) -> EventSource:
    """Three runs in two files; the oldest run is the one that was last active."""
    rotated, live = tmp_path / "events.1.jsonl", tmp_path / "events.jsonl"
    rotated.write_text("\n".join([line(1, "run_a"), line(2, "run_b"), "{torn", "[]", '{"ts":1}', '{"run_id":"x"}']))
    spaced = json.dumps({"cmd": "x", "run_id": "run_a", "ts": "2026-01-01T01:09:00+01:00"})
    live.write_text("\n".join([line(3, "run_c"), "x" * 5_000_000, spaced, ""]))
    return EventSource(str(tmp_path), (str(rotated), str(live)))


def test_the_last_runs_are_found_over_all_files(source: EventSource) -> None:
    """By their latest event, however its line is written; what cannot be read counts for nothing."""
    assert Selection(2, None, frozenset({"run_a", "run_c"})) == selection([source], last=2)


def test_since_limits_the_runs_that_count(source: EventSource) -> None:
    """The last runs are taken from the events since then."""
    now = datetime(2026, 1, 1, 0, 10, tzinfo=UTC)
    since_us = moment_us("2026-01-01T00:05:00Z")
    assert Selection(None, since_us) == selection([source], since="5m", now=now)
    assert Selection(3, since_us, frozenset({"run_a"})) == selection([source], last=3, since="5m", now=now)


def test_everything_needs_no_pass(tmp_path: Path) -> None:
    """Without a wish no file is opened."""
    assert selection([EventSource(str(tmp_path), ("none",))]).is_everything


def test_a_wish_that_makes_no_sense_is_refused() -> None:
    """With the clock of this machine, too."""
    with pytest.raises(UsageError, match="--since must be"):
        selection([], since="soon")
    with pytest.raises(UsageError, match="--last must be"):
        selection([], last=0)
