"""Telemetry that never happened: any number of events of runs as they are, written as ctx writes them.

A run is a command of some face with what it does inside: looks at the index, cached and new parses, reads at a level of
disclosure, questions to a language server that answers, is late or not there. Times spread over 200 days with working
hours, durations are log-normal. The same seed makes the same files.
"""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SEGMENTS = (("shop", 5), ("compiler", 3), ("docs", 1))
DAYS = 200
EVENTS_PER_RUN = 4.99  # on average, so that the last one ends with the 200 days
END = datetime(2026, 10, 1, tzinfo=UTC)
ROTATE_BYTES = 5_000_000
COMMANDS = {"search": 40, "get": 30, "resolve": 8, "refs": 7, "hover": 5, "map": 4, "index": 4, "stats": 2}
FACES = {"cli": 55, "mcp": 30, "lsp": 15}
SERVERS = {"basedpyright": 60, "ty": 25, "gopls": 10, "": 5}
TYPICAL_MS = {"search": 60, "get": 50, "resolve": 70, "refs": 300, "hover": 80, "map": 200, "index": 400, "stats": 40}
WORDS = (
    "session cookie request parser token index cache rank merge order price basket user query range tree lock".split()
)
_TOKENS = ("input_tokens", "output_tokens", "total_tokens", "retrieved_tokens")


class Maker:
    """Makes the runs of one seed."""

    def __init__(self, seed: int = 1) -> None:
        self._chance = random.Random(seed)
        self._run = 0

    def events(self, count: int) -> Iterator[tuple[str, bytes]]:
        """Yield segment and line of exactly `count` events, in the order of time."""
        made = 0
        step = timedelta(days=DAYS) / (count / EVENTS_PER_RUN)
        at = END - timedelta(days=DAYS)
        while made < count:
            at += step * self._chance.expovariate(1)
            segment = self._drawn(dict(SEGMENTS))
            for line in self._lines(segment, at):
                yield segment, line
                made += 1
                if made == count:
                    return

    def _drawn(self, weights: dict[str, int]) -> str:
        return self._chance.choices(list(weights), weights=list(weights.values()))[0]

    def _lines(self, segment: str, at: datetime) -> Iterator[bytes]:
        self._run += 1
        command, face = self._drawn(COMMANDS), self._drawn(FACES)
        run_id = f"run_{int(at.timestamp())}_{self._chance.getrandbits(32):08x}"
        number = list(dict(SEGMENTS)).index(segment)
        pid = 1000 + self._run % 60_000
        for seq, said in enumerate(self._run_of(command, face), 1):
            at += timedelta(microseconds=(said.get("duration_ns") or 50_000) // 1000)
            line: dict[str, Any] = {
                "ts": at.isoformat(timespec="microseconds"),
                "run_id": run_id,
                "segment": segment,
                "segment_id": f"{number:08x}",
                **said,
            }
            tail = {"seq": seq, "pid": pid, "level": "lite"}
            yield json.dumps(line | tail, separators=(",", ":")).encode() + b"\n"

    def _run_of(self, command: str, face: str) -> Iterator[dict[str, Any]]:
        chance = self._chance
        yield _said("command.start", {"command": command, "face": face}, {}, None)
        if command == "index" or chance.random() < 0.2:
            changed = chance.choice((0, 0, 1, 3))
            figures = {"files_added": 0, "files_changed": changed, "files_removed": 0, "chunks": 3000}
            yield _said("index.update", {}, {**figures, "status": "ok"}, self._taken_ns(40))
        file = f"src/{chance.choice(WORDS)}/{chance.choice(WORDS)}.py"
        whole = chance.randint(200, 9000)
        if command in {"get", "refs", "hover", "resolve"}:
            for _ in range(chance.choice((1, 1, 2, 4))):
                is_hit = chance.random() < 0.85
                yield _said("ast.cache", {"file": file}, {}, None, cache_hit=is_hit, prev_sha=None)
                if not is_hit:
                    result = {"functions": 12, "classes": 2, "status": "ok"}
                    yield _said("ast.parse", {"file": file}, result, self._taken_ns(6), language="python")
        if command in {"refs", "hover", "resolve"}:
            yield from self._asked_server(command, file)
        if command == "get":
            mode = chance.choice(("skeleton", "excerpt", "excerpt", "raw"))
            size = whole * 4
            result = {"bytes": size // chance.randint(2, 20), "file_bytes": size, "status": "ok"}
            yield _said("file.read", {"file": file, "mode": mode}, result, self._taken_ns(3))
        yield self._command(command, face, file, whole)
        is_wrong = chance.random() < 0.04
        taken = self._taken_ns(TYPICAL_MS[command])
        result = {"exit_code": 1 if is_wrong else 0}
        extra = {"bytes_read": 0, "skeleton_bytes": 0, "excerpt_bytes": 0, "raw_bytes": 0}
        yield _said("command.end", {"command": command, "face": face}, result, taken, **extra)

    def _asked_server(self, command: str, file: str) -> Iterator[dict[str, Any]]:
        chance = self._chance
        server, method = self._drawn(SERVERS), {"refs": "references", "hover": "hover"}.get(command, "definition")
        about = {"server": server, "method": method, "file": file}
        fate = chance.choices(("answered", "timeout", "not_ready"), weights=(80, 8, 12))[0] if server else "no_server"
        if server and chance.random() < 0.15:
            yield _said("lsp.spawn", {"server": server}, {"status": "ok"}, self._taken_ns(30), cold_start=True)
            ready = {"ready_via": chance.choice(("diagnostics", "definition"))}
            yield _said("lsp.ready", {"server": server, "file": file}, ready, self._taken_ns(900))
        taken = 500_000_000 if fate == "timeout" else self._taken_ns(25)
        result = {"resolved": fate == "answered", "target_file": None, "target_line": None, "status": fate}
        cached = {"cache_hit": chance.random() < 0.2, "was_sent": bool(server), "waited_ns": taken}
        yield _said(f"lsp.{method}", about | {"symbol": chance.choice(WORDS), "line": 7}, result, taken, **cached)
        if fate == "timeout":
            yield _said("lsp.timeout", about, {"timeout_ms": 500}, None, fallback_to="tree_sitter")
        if fate != "answered":
            yield _said("lsp.fallback", about, {"reason": fate}, None, fallback_to="tree_sitter")

    def _command(self, command: str, face: str, file: str, whole: int) -> dict[str, Any]:
        chance = self._chance
        result: dict[str, Any] = {"hits": chance.choice((0, 1, 3, 5, 10, 10, 10)), "status": "ok"}
        extra: dict[str, Any] = {"face": face, "bytes_read": 0, "cache_hit_rate": None, "repo_sha": None, "dirty": None}
        args: dict[str, Any] = {"symbol_query": chance.choice(WORDS)}
        if command == "search":
            args = {"query": " ".join(chance.sample(WORDS, 3)), "limit": 10, "budget_token_est": 4000}
            extra["disclosure_mode"] = "search"
        elif command == "get":
            args = {"ids": [f"{file}#f@01234567"], "mode": "", "budget_token_est": 8000}
            extra |= {"disclosure_mode": "excerpt", "whole_file_tokens": whole, "file_tokens": {file: whole}}
        if command in {"search", "get", "refs", "map"}:
            tokens = chance.randint(40, 1500)
            result |= dict.fromkeys(("retrieved_tokens", "output_tokens", "total_tokens"), tokens)
        warnings = ["the index was behind; searched what it has"] if chance.random() < 0.01 else []
        if chance.random() < 0.001:
            extra["telemetry_dropped_since_last"] = 2
        return _said(f"ctx.{command}", args, result, self._taken_ns(TYPICAL_MS[command]), warnings, **extra)

    def _taken_ns(self, typical_ms: float) -> int:
        return int(typical_ms * 1e6 * self._chance.lognormvariate(0, 0.7))


def _said(
    cmd: str, args: dict[str, Any], result: dict[str, Any], taken_ns: int | None, warnings: Any = (), **extra: Any
) -> dict[str, Any]:
    return {
        "cmd": cmd,
        "args": args,
        "result": result,
        **extra,
        "timing_ms": (taken_ns or 0) // 1_000_000,
        "duration_ns": taken_ns,
        "tokens": {field: result.get(field, 0) for field in _TOKENS},
        "warnings": list(warnings),
    }


def write_events(folder: Path, count: int, *, seed: int = 1) -> list[Path]:
    """Write `count` events into segments below `folder`, rotated as ctx rotates; return the files."""
    files: dict[str, tuple[Any, int]] = {}
    paths = []
    for segment, line in Maker(seed).events(count):
        file, number = files.get(segment, (None, 0))
        telemetry = folder / segment / "_ctx" / "telemetry"
        if file is not None and file.tell() + len(line) > ROTATE_BYTES:
            file.close()
            number += 1
            rotated = telemetry / f"events.{number}.jsonl"
            (telemetry / "events.jsonl").rename(rotated)
            paths.append(rotated)
            file = None
        if file is None:
            telemetry.mkdir(parents=True, exist_ok=True)
            file = (telemetry / "events.jsonl").open("wb")
            files[segment] = (file, number)
        file.write(line)
    for segment, (file, _number) in files.items():
        file.close()
        paths.append(folder / segment / "_ctx" / "telemetry" / "events.jsonl")
    return paths
