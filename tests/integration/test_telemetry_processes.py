"""Telemetry among processes: real forks, real kills, one folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from ctx.infrastructure import event_sink
from ctx.infrastructure.event_log import read_events
from ctx.infrastructure.telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
    monkeypatch.delenv("CTX_TELEMETRY", raising=False)


def in_children(count: int, work: Callable[[int], object]) -> None:
    """Run `work(number)` in `count` children that start together, and wait for all."""
    start, go = os.pipe()
    pids = []
    for number in range(count):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                os.close(go)
                os.read(start, 1)
                work(number)
                status = 0
            finally:
                os._exit(status)
        pids.append(pid)
    os.close(go)
    os.close(start)
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * count


def test_32_processes_lose_nothing_while_the_file_rotates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every event of every process is there once, every line whole, and every increment counted."""
    # Whoever rotates may stand still with the lock; that lines are given up for it is told in test_event_sink.py.
    monkeypatch.setattr(event_sink, "LOCK_PATIENCE_MS", 60_000)

    def work(number: int) -> None:
        telemetry = Telemetry(tmp_path, rotate_bytes=64 * 1024, keep_rotated=None)
        for i in range(100):
            telemetry.event("ctx.search", {"query": "q"}, {"hits": i}, 1, writer=number)
        telemetry.close()

    in_children(32, work)
    directory = tmp_path / "_ctx" / "telemetry"
    reader = read_events(str(directory))
    seen = Counter((event["writer"], event["result"]["hits"]) for event in reader)
    assert seen == Counter({(number, i): 1 for number in range(32) for i in range(100)})
    assert reader.unreadable == 0
    assert len(list(directory.glob("events.*.jsonl"))) > 5
    assert json.loads((directory / "metrics.json").read_text())["ctx_search_count"] == 3200


def test_flushes_of_many_processes_lose_no_increment(tmp_path: Path) -> None:
    """Eight processes flushing twenty times each."""

    def work(_number: int) -> None:
        telemetry = Telemetry(tmp_path)
        for _ in range(20):
            telemetry.incr("shared")
            telemetry.flush()

    in_children(8, work)
    assert json.loads((tmp_path / "_ctx/telemetry/metrics.json").read_text())["shared"] == 160


WRITE_UNTIL_KILLED = """
import os, sys
from ctx.infrastructure.telemetry import Telemetry
telemetry = Telemetry(sys.argv[1], rotate_bytes=0)
i = 0
while True:
    telemetry.event("ctx.get", {}, {"n": i, "pad": "p" * int(sys.argv[2])}, 1)
    if telemetry.dropped == 0:
        os.write(1, b"%d\\n" % i)
    i += 1
"""


@pytest.mark.parametrize("pad", [100, 300_000])
def test_killed_writer_loses_nothing_it_acknowledged(tmp_path: Path, pad: int) -> None:
    """After kill -9 every acknowledged event is readable, and the next run's first line is not glued to a half one."""
    for round_number in range(5):
        segment = tmp_path / str(round_number)
        segment.mkdir()
        command = [sys.executable, "-c", WRITE_UNTIL_KILLED, str(segment), str(pad)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            for _ in range(5 * round_number + 1):
                writer.stdout.readline()
            writer.send_signal(signal.SIGKILL)
            rest = writer.stdout.read()
        acknowledged = 5 * round_number + 1 + rest.count(b"\n")
        after = Telemetry(segment)
        after.event("ctx.search", {}, {}, 1)
        after.close()
        numbers = [event["result"].get("n") for event in read_events(str(segment / "_ctx" / "telemetry"))]
        assert numbers[:acknowledged] == list(range(acknowledged))
        assert numbers[-1] is None


def test_two_runs_taking_up_the_same_spill_do_not_double_it(tmp_path: Path) -> None:
    """Eight runs start at once on a segment that has something waiting."""
    (tmp_path / "_ctx").write_text("")
    blocked = Telemetry(tmp_path, run_id="run_1_aaaaaaaa")
    for _ in range(50):
        blocked.command_start("search", "cli")
    blocked.flush()
    (tmp_path / "_ctx").unlink()

    def work(_number: int) -> None:
        telemetry = Telemetry(tmp_path)
        telemetry.event("ctx.search", {}, {}, 1)
        telemetry.close()

    in_children(8, work)
    written = [event for event in read_events(str(tmp_path / "_ctx" / "telemetry")) if event["cmd"] == "command.start"]
    assert [event["seq"] for event in written] == list(range(1, 51))


# Everything is imported before the privileges go: the interpreter's own files may be closed to that user.
UNPRIVILEGED = """
import atexit, json, os, re, sys
from ctx.domain.telemetry import latency, summary
from ctx.infrastructure import event_spill, metrics_file
from ctx.infrastructure.telemetry import Telemetry
warm = Telemetry(sys.argv[2])
warm.event("ctx.search", {"file": "/x/y"}, {"total_tokens": 1}, 1)
warm.close()
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
telemetry = Telemetry(sys.argv[1])
telemetry.command_start("search", "cli")
telemetry.event("ctx.search", {}, {}, 1)
telemetry.close()
print(telemetry.counters["telemetry_events_dropped"], telemetry.counters["telemetry_events_written"])
"""


def test_read_only_segment_breaks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a user who may not write there: one line on stderr, exit 0, everything counted, nothing made."""
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/nowhere")
    # Not tmp_path: its parents are closed to other users.
    with tempfile.TemporaryDirectory() as segment:
        os.chmod(segment, 0o555)
        command = [sys.executable, "-c", UNPRIVILEGED, segment, str(tmp_path)]
        # A coverage measurement inherited by that user would complain on stderr about files it cannot write.
        own = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=own)
        made = os.listdir(segment)
    assert (done.returncode, done.stdout, made) == (0, "2 0\n", [])
    assert done.stderr == (
        "ctx: telemetry cannot be written (Permission denied); the command goes on, what is lost is counted\n"
    )


def test_summary_of_each_run_adds_up_to_all_runs(tmp_path: Path) -> None:
    """The deltas of the runs, summed, are metrics.json."""
    total: Counter[str] = Counter()
    for i in range(3):
        telemetry = Telemetry(tmp_path)
        telemetry.event("ctx.search", {}, {}, i)
        telemetry.close()
        summary: dict[str, Any] = json.loads((tmp_path / "_ctx/telemetry/last_run.json").read_text())
        total.update(summary["metrics_delta"])
    assert json.loads((tmp_path / "_ctx/telemetry/metrics.json").read_text()) == dict(total)
