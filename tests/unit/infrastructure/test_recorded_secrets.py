"""What one run leaves behind when secrets come as its name, its events' names, servers and counters."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.made_secrets import Maker

from ctx.infrastructure.host.host_log import HostLog
from ctx.infrastructure.telemetry import Telemetry

if TYPE_CHECKING:
    from pathlib import Path

_KEY = next(made.secret for made in Maker(41).providers() if made.kind == "github")


@pytest.fixture
def telemetry(tmp_path: Path) -> Telemetry:
    """A run that is called after a key."""
    return Telemetry(tmp_path, run_id=f"run_{_KEY}")


def test_counters_and_latencies(telemetry: Telemetry) -> None:
    """A server's name and an event's become parts of names: the key is marked before that."""
    telemetry.event("lsp.ready", {"server": _KEY}, {}, 3)
    telemetry.event("lsp.ready", {"server": _KEY}, {}, 3)
    telemetry.event(f"ctx.{_KEY}", {}, {"output_tokens": 2}, 4)
    telemetry.observe(_KEY, 2.0)
    telemetry.observe(_KEY, 2.0)
    telemetry.incr(_KEY)
    telemetry.incr(_KEY)
    telemetry.flush()
    summary = telemetry.summary()
    counters = telemetry.counters
    assert (2, 2, 1) == tuple(
        counters[name]
        for name in ("lsp_ready_count__REDACTED_github_", "[REDACTED:github]", "ctx_[REDACTED:github]_count")
    )
    assert {"lsp.ready": 2, "ctx.[REDACTED:github]": 1, "[REDACTED:github]": 2} == {
        name: row["count"] for name, row in summary["latencies"].items()
    }
    assert ["ctx.[REDACTED:github]"] == list(summary["tokens"])
    assert "[REDACTED:github]" == summary["run_id"]


def test_fields(telemetry: Telemetry, tmp_path: Path) -> None:
    """Values, keys, warnings; the value of a key that announces a secret; a path with a secret in it."""
    telemetry.event(
        "ctx.search",
        {"query": f"why {_KEY}", "file": f"src/{_KEY}/x.py"},
        {"api_key": "x", _KEY: [f"/srv/a/{_KEY}/b.txt"]},
        1,
        [f"{'x' * 110} {_KEY}"],
    )
    telemetry.close()
    (event,) = [json.loads(line) for line in (tmp_path / "_ctx/telemetry/events.jsonl").read_text().splitlines()]
    assert {"query": "why [REDACTED:github]", "file": "src/[REDACTED:github]/x.py"} == event["args"]
    assert ["api_key", "[REDACTED:github]"] == list(event["result"])
    assert "[REDACTED:credential]" == event["result"]["api_key"]
    assert event["result"]["[REDACTED:github]"][0].endswith("-b.txt")
    assert [f"{'x' * 110} [REDACTE…"] == event["warnings"]
    assert "[REDACTED:github]" == event["run_id"]


def test_a_segment_below_a_secret_keeps_its_relative_paths(tmp_path: Path) -> None:
    """A directory with a secret in its name is still the segment that paths are relative to."""
    segment = tmp_path / _KEY
    segment.mkdir()
    telemetry = Telemetry(segment)
    telemetry.event("ctx.get", {"ids": [str(segment / "src/x.py")]}, {}, 1)
    telemetry.close()
    event = json.loads((segment / "_ctx/telemetry/events.jsonl").read_text())
    assert ("[REDACTED:github]", ["src/x.py"]) == (event["segment"], event["args"]["ids"])


def test_the_hosts_log(tmp_path: Path) -> None:
    """A line is redacted before it is cut to its longest."""
    log = HostLog(str(tmp_path), str(tmp_path))
    log.write("backend", "x" * 1990 + f" {_KEY}")
    (line,) = log.tail(5)
    assert line.endswith("xxx [REDACTED")
