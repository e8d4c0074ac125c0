"""`ctx telemetry trace`, `export`, `tail` and `prune` on what real commands, servers and faces wrote."""

from __future__ import annotations

import csv
import io
import json
import os
import select
import shlex
import shutil
import signal
import sqlite3
import subprocess
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from tests.event_lines import lines_of_events
from tests.integration.conftest import UNWATCHED
from tests.language_server_scenarios import DEFINITION, Scenario, ScriptedServer, asked_in_vain, hang
from tests.mcp_lines import LineClient
from tests.otlp_lines import read_line
from tests.trace_rules import trace_faults

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Sandbox

FULL = {"CTX_TELEMETRY": "full", "CTX_DAEMON": "off"}
STORE = "shop/cart.py:22:21"
PATIENCE_MS = 60_000


@pytest.fixture
def used(repository: Sandbox, tmp_path: Path) -> Sandbox:
    """A segment after a resolve whose server hangs, some commands, and an agent's session."""
    repository.ok("index", env={"CTX_TELEMETRY": "off", "CTX_DAEMON": "off"})

    def ask(deadline_ms: int) -> dict[str, Any]:
        shutil.rmtree(repository.segment / "_ctx" / "telemetry", ignore_errors=True)
        with ScriptedServer(tmp_path / str(deadline_ms), Scenario({DEFINITION: [[hang()]]})) as server:
            command = f"ty={shlex.join(server.command)}"
            asking = {"CTX_LSP_ENABLED": "1", "CTX_LSP_COMMANDS": command, "CTX_LSP_COLD": "ty"}
            env = FULL | asking | {"CTX_LSP_DEADLINE_MS": str(deadline_ms)}
            answer = repository.json("resolve", STORE, env=env)
            assert [] == server.left()
            return answer

    assert "timeout" == asked_in_vain(ask, first_ms=500)["server"]["status"]
    for arguments in (("index",), ("search", "signed cookie"), ("get", "shop/cart.py"), ("map",), ("search", "zzqqxx")):
        repository.run(*arguments, env=FULL)
    agent = LineClient(repository.start("mcp", stdin=subprocess.PIPE, env=FULL))
    agent.handshake()
    for query in ("cookie", "cart"):
        agent.call("ctx_search", {"query": query})
    assert 0 == agent.end()
    return repository


def _run_of(events: list[dict[str, Any]], cmd: str) -> str:
    run_id: str = next(event["run_id"] for event in events if event["cmd"] == cmd)
    return run_id


def _spans(trace: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {event["name"]: event for event in trace["traceEvents"] if event["ph"] != "M"}


def test_a_resolve_is_drawn_with_the_life_of_its_server(used: Sandbox) -> None:
    """Every event of the run is there; durations are the measured ones, parts lie in what they are parts of."""
    events = used.events()
    run_id = _run_of(events, "ctx.resolve")
    trace = json.loads(used.run("telemetry", "trace", run_id.removeprefix("run_")).out)
    assert [] == trace_faults(trace)
    spans = _spans(trace)
    own = {event["cmd"]: event for event in events if event["run_id"] == run_id}
    assert {"ctx resolve", "ctx.resolve", "ty", "lsp.definition", "lsp.spawn", "lsp.initialize"} <= spans.keys()
    assert {"lsp.timeout", "lsp.fallback", "wait for ty: definition"} <= spans.keys()
    assert own["command.end"]["duration_ns"] / 1000 == spans["ctx resolve"]["dur"]
    assert own["lsp.definition"]["duration_ns"] / 1000 == spans["lsp.definition"]["dur"]
    assert own["lsp.spawn"]["subprocess_pid"] == spans["ty"]["pid"] != spans["ctx resolve"]["pid"]
    whole, part = spans["ctx resolve"], spans["ctx.resolve"]
    assert whole["ts"] <= part["ts"] <= part["ts"] + part["dur"] <= whole["ts"] + whole["dur"]
    assert own["lsp.fallback"]["result"]["reason"] == spans["lsp.fallback"]["args"]["failure"] == "timeout"


def test_an_agent_s_session_is_one_trace_of_many_questions(used: Sandbox) -> None:
    """Each within the session."""
    trace = json.loads(used.run("telemetry", "trace", _run_of(used.events()[::-1], "command.end")).out)
    assert [] == trace_faults(trace)
    names = Counter(event["name"] for event in trace["traceEvents"] if event["ph"] != "M")
    assert (1, 2) == (names["ctx mcp"], names["ctx.search"])


def test_all_forms_hold_all_events(used: Sandbox, tmp_path: Path) -> None:
    """OTLP as the official classes read it, CSV, SQLite and Parquet; the counters are those of metrics.json."""
    duckdb = pytest.importorskip("duckdb", reason="the extra `parquet` is not installed")
    events = used.events()
    wanted = Counter(event["cmd"] for event in events)
    messages = [read_line(line) for line in used.ok("telemetry", "export").out.splitlines()]
    logs = Counter(
        record.event_name
        for message in messages
        if message.DESCRIPTOR.name == "LogsData"
        for each in message.resource_logs
        for record in each.scope_logs[0].log_records
    )
    assert wanted == logs
    spans = [
        span
        for message in messages
        if message.DESCRIPTOR.name == "TracesData"
        for each in message.resource_spans
        for span in each.scope_spans[0].spans
    ]
    assert len(spans) == len({span.span_id for span in spans})
    assert len({event["run_id"] for event in events}) == len({span.trace_id for span in spans})
    ids = {span.span_id for span in spans}
    assert [] == [span.name for span in spans if span.parent_span_id and span.parent_span_id not in ids]
    counted = {
        metric.name.removeprefix("ctx."): sum(point.as_int for point in metric.sum.data_points)
        for message in messages
        if message.DESCRIPTOR.name == "MetricsData"
        for metric in message.resource_metrics[0].scope_metrics[0].metrics
    }
    totals = used.telemetry_file("metrics.json")
    for name in ("ctx_search_count", "ctx_get_count", "lsp_timeout_count", "lsp_fallback_count", "lsp_request_count"):
        assert totals[name] == counted[name], name
    rows = csv.DictReader(io.StringIO(used.run("telemetry", "export", "--format", "csv").out, newline=""))
    assert wanted == Counter(row["cmd"] for row in rows)
    for form in ("sqlite", "parquet"):
        exported = used.run("telemetry", "export", "--format", form, "-o", str(tmp_path / form))
        assert (0, f"ctx: {len(events)} events in {tmp_path / form}\n") == (exported.exit_code, exported.err)
    with closing(sqlite3.connect(tmp_path / "sqlite")) as connection:
        assert wanted == dict(connection.execute("SELECT cmd, count(*) FROM events GROUP BY cmd"))
        slowest = connection.execute("SELECT max(duration_ms) FROM runs").fetchone()[0]
    assert max(event["duration_ns"] for event in events if event["cmd"] == "command.end") / 1e6 == slowest
    found = duckdb.sql(
        "SELECT cmd, count(*) FROM read_parquet($path) GROUP BY cmd", params={"path": f"{tmp_path}/parquet"}
    )
    assert wanted == dict(found.fetchall())


def test_looking_changes_nothing(used: Sandbox, tmp_path: Path) -> None:
    """No event is written by it, no file and no folder."""
    before = used.events()
    empty = tmp_path / "empty"
    empty.mkdir()
    for arguments in (("trace",), ("export",), ("tail",), ("prune", "--dry-run")):
        assert 0 == used.run("telemetry", *arguments).exit_code
        assert {0, 1} >= {used.run("telemetry", *arguments, "-s", str(empty)).exit_code}
    assert before == used.events()
    assert [] == os.listdir(empty)


def _line(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], PATIENCE_MS / 1000)[0], "no line came"
    return process.stdout.readline().decode()


def _started_tail(sandbox: Sandbox, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a follower that shows one event, so that it is known to follow when that came."""
    tail = sandbox.start(
        "telemetry", "tail", "-f", "-n", "1", *arguments, bufsize=0, env={"COVERAGE_PROCESS_CONFIG": ""}
    )
    assert "command.end" in _line(tail)
    return tail


def test_tail_follows_commands_and_ends_with_130(used: Sandbox) -> None:
    """Each event once, over a rotation and a folder that was removed."""
    tail = _started_tail(used, "--cmd", "command.")
    used.ok("search", "cart", env=FULL)
    assert ["command.start", "command.end"] == [_line(tail).split()[2] for _event in range(2)]
    telemetry = used.segment / "_ctx" / "telemetry"
    os.rename(telemetry / "events.jsonl", telemetry / "events.1.jsonl")
    used.ok("search", "cookie", env=FULL)
    assert ["command.start", "command.end"] == [_line(tail).split()[2] for _event in range(2)]
    for path in telemetry.iterdir():
        path.unlink()
    telemetry.rmdir()
    used.ok("search", "cookie", env=FULL)
    assert ["command.start", "command.end"] == [_line(tail).split()[2] for _event in range(2)]
    tail.send_signal(signal.SIGINT)
    ended = used.finish(tail)
    assert (130, "", "") == (ended.exit_code, ended.out, ended.err)


def test_tail_ends_when_nobody_reads(used: Sandbox) -> None:
    """Without an event, and without a word."""
    tail = _started_tail(used)
    assert tail.stdout is not None
    tail.stdout.close()
    tail.stdout = None
    assert (0, "") == (tail.wait(PATIENCE_MS / 1000), (tail.stderr.read() if tail.stderr else b"").decode())


def test_an_interrupted_export_leaves_nothing(used: Sandbox, tmp_path: Path) -> None:
    """However far it was: 130, one line, no file."""
    run = used.events()
    with (used.segment / "_ctx" / "telemetry" / "events.jsonl").open("ab") as file:
        for _copy in range(60_000 // len(run)):
            file.write(lines_of_events(run))
    folder = tmp_path / "out"
    folder.mkdir()
    while True:
        export = used.start("telemetry", "export", "-o", str(folder / "o.jsonl"), env=UNWATCHED)
        while export.poll() is None and not os.listdir(folder):
            os.sched_yield()
        if export.poll() is None:
            break
        # We stood still for as long as it took: another one.
        assert 0 == used.finish(export).exit_code
        (folder / "o.jsonl").unlink()
    export.send_signal(signal.SIGINT)
    ended = used.finish(export)
    assert (130, "ctx: interrupted; nothing was written\n", []) == (ended.exit_code, ended.err, os.listdir(folder))


def test_prune_removes_all_and_commands_go_on(used: Sandbox) -> None:
    """What is written after it is all there is."""
    pruned = used.json("telemetry", "prune", "--all")
    names = {os.path.basename(each["path"]) for each in pruned["removed"]}
    assert ({"events.jsonl", "metrics.json", "last_run.json"}, []) == (names, used.events())
    used.ok("search", "cart", env=FULL)
    assert 1 == used.telemetry_file("metrics.json")["ctx_search_count"]
    assert "command.end" == used.events()[-1]["cmd"]
