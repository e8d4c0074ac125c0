"""What the telemetry of parsing, reading and language servers promises, seen through `Telemetry` alone."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from tests.fakes import ManualClock, ScriptedReplies
from tests.fixtures.synthetic_telemetry import generate_synthetic_events
from tests.unit.application.navigable_segment import NavigableSegment

from ctx.domain.language_server import ServerReply
from ctx.infrastructure.ast_lsp.asked_servers import AskedServers
from ctx.infrastructure.telemetry import Telemetry

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
    monkeypatch.delenv("CTX_TELEMETRY", raising=False)


def events(segment: Path) -> list[dict[str, Any]]:
    text = (segment / "_ctx/telemetry/events.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines() if line]


def last_run(segment: Path) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads((segment / "_ctx/telemetry/last_run.json").read_text())
    return summary


def test_ast_event_uses_monotonic_clock(tmp_path: Path) -> None:
    """The duration is what the monotonic clock says, also when the wall clock steps back in between."""
    clock = ManualClock()
    telemetry = Telemetry(tmp_path, clock=clock)
    with telemetry.timed("ast.parse", {"file": "a.py"}) as work:
        clock.advance_ns(250_000)
        clock.set_wall(datetime(2001, 1, 1, tzinfo=UTC))
        work.result = {"functions": 1, "classes": 0, "status": "ok"}
    (event,) = events(tmp_path)
    assert event["duration_ns"] == 250_000
    assert event["timing_ms"] == 0
    assert event["ts"] == "2001-01-01T00:00:00.000000+00:00"


def test_ast_event_redacts_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path in the segment becomes relative, one outside a hash and a name; neither home nor user is left."""
    home = "/home/somebody"
    monkeypatch.setenv("HOME", home)
    telemetry = Telemetry(tmp_path)
    telemetry.event("ast.parse", {"file": tmp_path / "pkg" / "a.py"}, {"status": "ok"}, 1)
    telemetry.event("ast.parse", {"file": f"{home}/other/b.py"}, {"status": f"cannot read {home}/c.py: denied"}, 1)
    telemetry.event("file.read", {"file": "/home/somebody/x"}, {}, 1, [f"see file://{home}/d%20e.py"])
    inside, outside, warned = events(tmp_path)
    assert inside["args"]["file"] == "pkg/a.py"
    assert outside["args"]["file"].startswith("external/")
    assert outside["args"]["file"].endswith("-b.py")
    assert warned["warnings"][0].startswith("see external/")
    raw = (tmp_path / "_ctx/telemetry/events.jsonl").read_text()
    assert home + "/" not in raw
    assert str(tmp_path) not in raw
    assert "somebody" not in raw


def test_bytes_read_per_command_aggregated(tmp_path: Path) -> None:
    """Bytes are summed by mode for the closing event, the summary and the counters of all runs."""
    telemetry = Telemetry(tmp_path)
    for mode, size in (("skeleton", 10), ("excerpt", 200), ("raw", 3000), ("raw", 1)):
        telemetry.event("file.read", {"file": "a.py", "mode": mode}, {"bytes": size, "status": "ok"}, 1)
    telemetry.command_end("get", "cli", 0, 5_000_000)
    telemetry.flush()
    end = events(tmp_path)[-1]
    assert {key: end[key] for key in ("bytes_read", "skeleton_bytes", "excerpt_bytes", "raw_bytes")} == {
        "bytes_read": 3211,
        "skeleton_bytes": 10,
        "excerpt_bytes": 200,
        "raw_bytes": 3001,
    }
    assert last_run(tmp_path)["file_read"] == {
        "skeleton_bytes": 10,
        "excerpt_bytes": 200,
        "raw_bytes": 3001,
        "total_bytes": 3211,
    }
    assert json.loads((tmp_path / "_ctx/telemetry/metrics.json").read_text())["file_read_raw_bytes_total"] == 3001


def test_event_extra_fields_serialized(tmp_path: Path) -> None:
    """Extra fields stand at the top level of the line, beside the keys every line has."""
    telemetry = Telemetry(tmp_path, run_id="run_1_00000000")
    telemetry.event("ctx.search", {"query": "x"}, {"hits": 1}, 3, bytes_read=7, disclosure_mode="raw", cache_hit=True)
    (event,) = events(tmp_path)
    assert event.keys() == {
        *("ts", "run_id", "segment", "segment_id", "cmd", "args", "result", "timing_ms", "duration_ns", "tokens"),
        *("warnings", "pid", "seq", "level", "bytes_read", "disclosure_mode", "cache_hit"),
    }
    assert (event["bytes_read"], event["disclosure_mode"], event["cache_hit"]) == (7, "raw", True)
    assert (event["segment"], event["run_id"], event["level"]) == (tmp_path.name, "run_1_00000000", "lite")


@pytest.mark.parametrize("name", ["ts", "run_id", "segment", "segment_id", "tokens", "pid", "seq", "level"])
def test_reserved_extra_field_is_refused(tmp_path: Path, name: str) -> None:
    """An extra field cannot replace a key of the line; the message names it."""
    telemetry = Telemetry(tmp_path)
    with pytest.raises(ValueError, match=f'"{name}"'):
        telemetry.event("ctx.search", {}, {}, 1, **{name: 1})
    with pytest.raises(ValueError, match=f'"{name}"'):
        telemetry.timed("ctx.search", {}, **{name: 1})


HOLD_LOCK = """
import fcntl, os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(fd, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def test_no_lock_skip_on_critical_events(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A critical event that finds the lock held by another process waits in the queue; an ordinary one is counted."""
    telemetry = Telemetry(tmp_path)
    telemetry.command_start("search", "cli")
    lock = tmp_path / "_ctx/telemetry/events.jsonl.lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_LOCK, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        telemetry.event("lsp.ready", {"server": "s"}, {"ready_via": "diagnostics"}, 900)
        telemetry.event("ctx.search", {"query": "lost"}, {}, 1)
        telemetry.command_end("search", "cli", 0, 1_000_000)
        assert [event["cmd"] for event in events(tmp_path)] == ["command.start"]
        assert holder.stdin is not None
        holder.stdin.close()
        holder.wait()
    telemetry.event("ctx.get", {}, {}, 1)
    telemetry.flush()
    written = events(tmp_path)
    assert [event["cmd"] for event in written] == ["command.start", "lsp.ready", "command.end", "ctx.get"]
    assert [event["seq"] for event in written] == [1, 2, 4, 5]
    assert written[-1]["telemetry_dropped_since_last"] == 1
    assert last_run(tmp_path)["telemetry"] == {"attempted": 5, "written": 4, "dropped": 1, "drop_rate": 0.2}
    with open(lock, "rb") as free:
        fcntl.flock(free, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_summary_calculates_p50_p95_correctly(tmp_path: Path) -> None:
    """Percentiles are observed samples: the duration where there is one, else timing_ms, else none."""
    telemetry = Telemetry(tmp_path)
    for milliseconds in (1, 2, 3, 4):
        telemetry.event("lsp.definition", {}, {}, 0, duration_ns=milliseconds * 1_000_000)
    telemetry.event("lsp.definition", {}, {}, 100)
    telemetry.event("lsp.definition", {}, {}, 0)
    telemetry.observe("ast.parse", 0.25)
    telemetry.flush()
    assert last_run(tmp_path)["latencies"] == {
        "ast.parse": {"count": 1, "p50_ms": 0.25, "p95_ms": 0.25, "max_ms": 0.25},
        "lsp.definition": {"count": 5, "p50_ms": 3.0, "p95_ms": 100.0, "max_ms": 100.0},
    }


def test_summary_p50_p95_calculation(tmp_path: Path) -> None:
    """100 events of 10..109 ms give 60 and 105 through the whole way to last_run.json."""
    telemetry = Telemetry(tmp_path)
    for event in generate_synthetic_events(100):
        telemetry.event(**event)
    telemetry.flush()
    assert last_run(tmp_path)["latencies"]["ctx.search"] == {
        "count": 100,
        "p50_ms": 60.0,
        "p95_ms": 105.0,
        "max_ms": 109.0,
    }


def test_lsp_timeout_falls_back_to_tree_sitter(tmp_path: Path) -> None:
    """A server that lets its deadline pass costs that, one timeout and one fallback; Tree-sitter answers."""
    folder = tmp_path / "segment"
    folder.mkdir()
    late = ServerReply("ty", "timeout", was_sent=True, elapsed_ns=500_000_000, deadline_ms=500)
    with NavigableSegment(folder, tmp_path / "index/index.db") as segment:
        segment.fill({"cart.py": "def price(): ...\n", "jobs.py": "from cart import price\n\nprice()\n"})
        telemetry = Telemetry(folder, clock=segment.clock)
        segment.servers = AskedServers(ScriptedReplies(clock=segment.clock, definition=late), telemetry, segment.clock)
        begun_ns = segment.clock.perf_counter_ns()
        answer = segment.resolve("jobs.py:3:1")
        took_ns = segment.clock.perf_counter_ns() - begun_ns
        telemetry.flush()
    assert [("cart.py", 1, "import")] == [(found.path, found.line, found.reason) for found in answer.found]
    assert ("tree_sitter", True, late, 500_000_000) == (answer.resolved_by, answer.complete, answer.server, took_ns)
    asked, timeout, fallback = events(folder)
    assert ("lsp.definition", False, "timeout") == (
        asked["cmd"],
        asked["result"]["resolved"],
        asked["result"]["status"],
    )
    assert ("lsp.timeout", 500, "tree_sitter") == (
        *(timeout["cmd"], timeout["result"]["timeout_ms"], timeout["fallback_to"]),
    )
    assert ("lsp.fallback", "timeout", "tree_sitter") == (
        *(fallback["cmd"], fallback["result"]["reason"], fallback["fallback_to"]),
    )
    summary = last_run(folder)
    assert (1, 1, 1.0) == tuple(
        summary["lsp"][key] for key in ("lsp_timeout_count", "lsp_fallback_count", "lsp_request_timeout_rate")
    )
    assert {"count": 1, "p50_ms": 500.0, "p95_ms": 500.0, "max_ms": 500.0} == summary["latencies"]["lsp.definition"]
    assert (1, 1, 1.0) == tuple(
        summary["lsp_servers"]["ty"][key] for key in ("request_count", "timeout_count", "fallback_rate")
    )


def test_no_duration_from_the_wall_clock() -> None:
    """`time.time(` appears nowhere in the package: a stepped clock would make negative durations."""
    import ctx

    package = os.path.dirname(os.path.abspath(ctx.__file__))
    offenders = []
    for folder, _folders, names in os.walk(package):
        for name in names:
            if name.endswith(".py"):
                path = os.path.join(folder, name)
                with open(path, encoding="utf-8") as file:
                    if "time.time(" in file.read():
                        offenders.append(path)
    assert offenders == []


def test_timestamps_of_a_moving_clock_are_utc_with_microseconds(tmp_path: Path) -> None:
    """The cached second is left when the clock leaves it, forwards and backwards."""
    clock = ManualClock(datetime(2025, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
    telemetry = Telemetry(tmp_path, clock=clock)
    telemetry.event("ctx.x", {}, {}, 0)
    clock.advance_ns(1_000)
    telemetry.event("ctx.x", {}, {}, 0)
    clock.set_wall(clock.now() - timedelta(days=1))
    telemetry.event("ctx.x", {}, {}, 0)
    assert [event["ts"] for event in events(tmp_path)] == [
        "2025-12-31T23:59:59.999999+00:00",
        "2026-01-01T00:00:00.000000+00:00",
        "2025-12-31T00:00:00.000000+00:00",
    ]
