"""Event lines for tests: one run told event by event, with the keys that every line has, and files of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ctx.domain.telemetry.moments import moment_text, moment_us
from ctx.domain.telemetry.records import Record, record_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

BEGIN_US = moment_us("2026-01-02T03:04:05.000000+00:00") or 0
ZERO_TOKENS = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0, "retrieved_tokens": 0}


class ToldRun:
    """The events of one process of a run; `at_us` is counted from the same moment for all."""

    def __init__(
        self, run_id: str = "run_1767323045_0badcafe", *, pid: int = 100, segment_id: str = "5e60e001"
    ) -> None:
        self.run_id = run_id
        self.pid = pid
        self.segment_id = segment_id
        self.events: list[dict[str, Any]] = []

    def tell(
        self,
        cmd: str,
        at_us: int,
        *,
        took_us: int | None = None,
        args: dict[str, Any] | None = None,
        result: dict[str, Any] | None = None,
        **extra: Any,
    ) -> ToldRun:
        """Add an event that was written at a moment; of nothing but `timing_ms` 0 when it took nothing."""
        event = {
            "ts": moment_text(BEGIN_US + at_us),
            "run_id": self.run_id,
            "segment": "segment",
            "segment_id": self.segment_id,
            "cmd": cmd,
            "args": args or {},
            "result": result or {},
            "timing_ms": (took_us or 0) // 1000,
            "duration_ns": None if took_us is None else took_us * 1000,
            "tokens": ZERO_TOKENS,
            "warnings": [],
            "seq": len(self.events) + 1,
            "pid": self.pid,
            "level": "lite",
        }
        self.events.append(event | extra)
        return self

    def begin(self, command: str, at_us: int, face: str = "cli") -> ToldRun:
        """Add a `command.start`."""
        return self.tell("command.start", at_us, args={"command": command, "face": face})

    def end(self, command: str, at_us: int, *, took_us: int, face: str = "cli", exit_code: int = 0) -> ToldRun:
        """Add a `command.end`."""
        args, result = {"command": command, "face": face}, {"exit_code": exit_code}
        return self.tell("command.end", at_us, took_us=took_us, args=args, result=result, bytes_read=0)

    @property
    def records(self) -> list[Record]:
        """The events as records."""
        return [record for event in self.events if (record := record_of(event)) is not None]


def resolve_with_server() -> ToldRun:
    """Return a `ctx resolve` that starts a server, waits for its answer in vain and ends before the server does."""
    server = {"server": "ty"}
    asked = {**server, "method": "definition", "file": "a.py", "symbol": "f", "line": 3}
    run = ToldRun().begin("resolve", 1_000)
    run.tell("lsp.spawn", 51_000, took_us=30_000, args=server, result={"status": "ok"}, subprocess_pid=4242)
    run.tell("lsp.initialize", 81_000, took_us=60_050, args=server, result={"status": "ok"})
    run.tell("lsp.diagnostics", 100_000, args={**server, "file": "a.py"}, result={"diag_count": 0})
    run.tell("lsp.ready", 101_000, took_us=80_100, args=server, result={"ready_via": "diagnostics"})
    failed = {"resolved": False, "status": "timeout"}
    run.tell("lsp.definition", 521_000, took_us=500_000, args=asked, result=failed, waited_ns=200_000_000)
    run.tell("lsp.timeout", 521_100, args=asked, result={"timeout_ms": 500}, fallback_to="tree_sitter")
    run.tell("lsp.fallback", 521_200, args=asked, result={"reason": "timeout"}, fallback_to="tree_sitter")
    run.tell("selector.resolve", 522_000, took_us=511_000, args={"symbol_query": "f"}, result={"resolved": True})
    tokens = {"input_tokens": 1, "output_tokens": 7, "total_tokens": 8, "retrieved_tokens": 7}
    run.tell("ctx.resolve", 523_000, took_us=521_500, args={"symbol_query": "f"}, tokens=tokens, result={"hits": 1})
    run.end("resolve", 524_000, took_us=524_000)
    return run.tell("lsp.exit", 530_000, took_us=509_000, args=server, result={"signal": 9, "crashed": False})


def lines_of_events(events: Iterable[dict[str, Any]]) -> bytes:
    """Return the events as a file holds them."""
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def write_segment(folder: Path, *parts: Iterable[dict[str, Any]]) -> Path:
    """Make a segment whose event files hold the parts, the last one the live file, and return its telemetry folder."""
    telemetry = folder / "_ctx" / "telemetry"
    telemetry.mkdir(parents=True, exist_ok=True)
    for number, part in enumerate(parts, 1):
        name = "events.jsonl" if number == len(parts) else f"events.{number}.jsonl"
        (telemetry / name).write_bytes(lines_of_events(part))
    return telemetry
