"""What language servers give `ctx resolve` within its deadline, server by server, on django's source distribution.

    python benchmarks/language_servers.py [--quick] [--servers ty,basedpyright,...] [--programs DIR...]

Every server that is installed (`make servers` installs more; `--programs` names further folders with some) is asked
about the same uses of names, drawn at random over all kinds:

- *cold*: `ctx resolve PATH:LINE:COL` as a process that starts the server itself: wall time, how long the answer took
  from when the server was to be asked, and who gave it;
- *warm*: a pool as the host keeps it, after its server is ready: 50 definitions, each asked for the first time, then
  again past the cache; the share that was answered within the deadline, by whomever, and by the server;
- *right*: the server's answer in time against its own final one (asked again with a minute's time), and Tree-sitter's
  against the same, where the server was not there in time;
- *memory*: of the server after these, and after as many questions as an hour of one every two seconds makes.

Seconds on a busy machine mean little; what matters is beside it in one run: a bare interpreter, `--no-lsp`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index_search import CACHE, CTX, fetch
from python_uses import sample
from report import Row, machine, write_results
from resolve_agreement import work_copy

from ctx.domain.language_server import ServerQuestion, ServerReply
from ctx.domain.server_backends import backends_of
from ctx.domain.statistics import percentile_ns
from ctx.infrastructure.ast_lsp.language_servers import LanguageServerPool
from ctx.infrastructure.clock import SystemClock
from ctx.infrastructure.config import load_config
from ctx.infrastructure.null_telemetry import NullTelemetry
from ctx.infrastructure.services import Services

if TYPE_CHECKING:
    from collections.abc import Sequence

    from python_uses import Use

COLD_RUNS, COLD_RUNS_QUICK = 7, 3
DEFINITIONS, DEFINITIONS_QUICK = 50, 20
HOUR_OF_QUESTIONS, HOUR_OF_QUESTIONS_QUICK = 1800, 200
FINAL_DEADLINE_MS = 60_000
WARM_UP_S = 60.0
PER_STRATUM = 8
DEADLINE_BAR_MS = 500


@dataclass(frozen=True, slots=True)
class Cold:
    """One `ctx resolve` as a process: milliseconds in all and from when the server was to be asked, and by whom."""

    wall_ms: float
    answer_ms: float
    resolved_by: str
    places: tuple[tuple[str, int], ...]


def main() -> None:
    """Measure and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer runs and questions")
    parser.add_argument("--servers", default="", metavar="NAMES", help="only these, separated by commas")
    parser.add_argument("--programs", nargs="*", default=[], metavar="DIR", help="folders with further servers")
    options = parser.parse_args()
    environ = {**os.environ, "CTX_DAEMON": "off", "PATH": os.pathsep.join([*options.programs, os.environ["PATH"]])}
    tree = work_copy(fetch(), CACHE / "language_servers")
    with Services(str(tree)) as services:
        services.refresh(whole=True)
    uses = [use for use in sample(tree, PER_STRATUM, seed=4)[0] if use.name != "super"]
    uses = uses[:: max(1, len(uses) // (DEFINITIONS_QUICK if options.quick else DEFINITIONS))]
    uses = uses[: DEFINITIONS_QUICK if options.quick else DEFINITIONS]
    rows = floor(tree, uses[0], environ, COLD_RUNS_QUICK if options.quick else COLD_RUNS)
    for name in wanted(options.servers):
        found = measured(name, tree, uses, environ, quick=options.quick)
        if not found:
            print(f"{name}: not installed", file=sys.stderr)
        rows += found
    write_results("language_servers", "ctx resolve with language servers: django 5.2.8", rows, machine())


def wanted(names: str) -> list[str]:
    """Return the Python servers to look at, all of the table by default."""
    known = [backend.name for backend in backends_of("python")]
    return [name for name in known if not names or name in names.split(",")]


def floor(tree: Path, use: Use, environ: dict[str, str], runs: int) -> list[Row]:
    """Return what a command costs without any server, and what the interpreter alone does."""
    bare = [_wall_ms([sys.executable, "-c", "pass"], environ)[0] for _ in range(runs)]
    alone = [cold(tree, use, environ, "--no-lsp").wall_ms for _ in range(runs)]
    return [
        Row("bare interpreter, wall p50", "ms", statistics.median(bare), "none"),
        Row("ctx resolve --no-lsp, wall p50", "ms", statistics.median(alone), "none"),
    ]


def measured(name: str, tree: Path, uses: Sequence[Use], environ: dict[str, str], *, quick: bool) -> list[Row]:
    """Return the figures of one server; none when it is not installed."""
    chosen = {**environ, "CTX_LSP_COLD": name, "CTX_LSP_WARM": name}
    final = final_answers(tree, uses, chosen)
    if final is None:
        return []
    return [
        *cold_rows(name, tree, uses, chosen, final, runs=COLD_RUNS_QUICK if quick else COLD_RUNS),
        *warm_rows(name, tree, uses, chosen, final, hour=HOUR_OF_QUESTIONS_QUICK if quick else HOUR_OF_QUESTIONS),
    ]


def pool_of(tree: Path, environ: dict[str, str], deadline_ms: int = DEADLINE_BAR_MS) -> LanguageServerPool:
    """Return a pool as a host keeps it."""
    config = load_config(str(tree), {**environ, "CTX_LSP_DEADLINE_MS": str(deadline_ms)})
    return LanguageServerPool(str(tree), config, NullTelemetry(), SystemClock(), is_host=True, environ=environ)


def question(use: Use, *, state: str = "") -> ServerQuestion:
    """Return the question that `ctx resolve` asks about a use."""
    return ServerQuestion("definition", use.path, use.line, use.column, "python", use.name, state=state)


def final_answers(tree: Path, uses: Sequence[Use], environ: dict[str, str]) -> list[ServerReply] | None:
    """Return the server's answers when it has all the time it wants; None when there is no server."""
    pool = pool_of(tree, environ, FINAL_DEADLINE_MS)
    try:
        replies = [pool.ask(question(use)).result() for use in uses]
        # Once more: what it said first it may have said before it had seen everything.
        return None if replies[0].status == "no_server" else [pool.ask(question(use)).result() for use in uses]
    finally:
        pool.close()


def cold_rows(
    name: str, tree: Path, uses: Sequence[Use], environ: dict[str, str], final: Sequence[ServerReply], *, runs: int
) -> list[Row]:
    """Ask as a process of its own, place by place, several times each."""
    step = max(1, len(uses) // 10)
    chosen = list(zip(uses, final, strict=True))[::step]
    asked = [(cold(tree, use, environ), reply) for use, reply in chosen for _ in range(runs)]
    by_server = [one for one, _reply in asked if one.resolved_by.startswith("lsp:")]
    own = [(one, reply) for one, reply in asked if not one.resolved_by.startswith("lsp:") and _inside(reply)]
    in_time = sum(one.answer_ms <= DEADLINE_BAR_MS + 20 for one, _reply in asked)
    rows = [
        Row(f"{name} cold: wall p50", "ms", statistics.median(one.wall_ms for one, _reply in asked), "none"),
        Row(f"{name} cold: wait for the server, p50", "ms", statistics.median(o.answer_ms for o, _r in asked), "none"),
        Row(f"{name} cold: answered within {DEADLINE_BAR_MS} ms", "%", 100 * in_time / len(asked), ">= 100"),
        Row(f"{name} cold: of these by the server", "%", 100 * len(by_server) / len(asked), "none"),
    ]
    if by_server:
        right = _agree([one for one in asked if one[0].resolved_by.startswith("lsp:")])
        rows.append(Row(f"{name} cold: the server's answers that are its final ones", "%", right, "none"))
    if own:
        same = _agree(own)
        rows.append(Row(f"{name} cold: Tree-sitter's answers that are the server's final ones", "%", same, "none"))
    return rows


def _agree(asked: Sequence[tuple[Cold, ServerReply]]) -> float:
    """Return the percentage of answers that share a place with the final one, or none in the tree like it."""
    right = [bool(set(one.places) & _inside(reply)) or not (one.places or _inside(reply)) for one, reply in asked]
    return 100 * sum(right) / len(right)


def _inside(reply: ServerReply) -> set[tuple[str, int]]:
    return {(place.path, place.line) for place in reply.places if place.is_inside}


def cold(tree: Path, use: Use, environ: dict[str, str], *options: str) -> Cold:
    """Run `ctx resolve` on a use."""
    place = f"{use.path}:{use.line}:{use.column}"
    command = [CTX, "resolve", place, "--segment", str(tree), "--json", *options]
    wall_ms, out = _wall_ms(command, environ)
    document: dict[str, Any] = json.loads(out)
    server = document["server"] or {}
    places = tuple((found["path"], found["line"]) for found in document["found"])
    return Cold(wall_ms, server.get("elapsed_ms", 0.0), document["resolved_by"], places)


def _wall_ms(command: list[str], environ: dict[str, str]) -> tuple[float, bytes]:
    started_ns = time.perf_counter_ns()
    run = subprocess.run(command, capture_output=True, env=environ, check=False)
    return (time.perf_counter_ns() - started_ns) / 1e6, run.stdout


def warm_rows(
    name: str, tree: Path, uses: Sequence[Use], environ: dict[str, str], final: Sequence[ServerReply], *, hour: int
) -> list[Row]:
    """Ask a server that is ready, each place for the first time, then again, then for an hour's worth."""
    pool = pool_of(tree, environ)
    try:
        end_s = time.monotonic() + WARM_UP_S
        while not pool.ask(question(uses[0])).result().is_answer and time.monotonic() < end_s:
            pass
        first = [pool.ask(question(use)).result() for use in uses]
        again = [pool.ask(question(use)).result() for use in uses]
        memory = max(pool.memory_bytes().values(), default=0)
        kept = [pool.ask(question(use, state="1")).result() for use in uses for _ in range(2)][1::2]
        for at in range(hour):
            use = uses[at % len(uses)]
            method = ("definition", "hover", "definition")[at % 3]
            pool.ask(replace(question(use), method=method)).result()  # type: ignore[arg-type]
        later = max(pool.memory_bytes().values(), default=0)
    finally:
        pool.close()
    answered = [reply for reply in first if reply.is_answer]
    right = [
        _inside(reply) == _inside(last)
        for reply, last in zip(first, final, strict=True)
        if reply.is_answer and last.is_answer
    ]
    in_time = sum(reply.elapsed_ns <= (DEADLINE_BAR_MS + 20) * 1_000_000 for reply in first)
    return [
        Row(f"{name} warm: first asked, p50", "ms", _ms(first, 50), "none"),
        Row(f"{name} warm: first asked, p95", "ms", _ms(first, 95), "none"),
        Row(f"{name} warm: asked again, p50", "ms", _ms(again, 50), "none"),
        Row(f"{name} warm: asked again, p95", "ms", _ms(again, 95), "none"),
        Row(f"{name} warm: from the cache", "%", 100 * sum(r.is_cached for r in kept) / len(kept), "none"),
        Row(f"{name} warm: answered within {DEADLINE_BAR_MS} ms", "%", 100 * in_time / len(first), ">= 100"),
        Row(f"{name} warm: of these by the server", "%", 100 * len(answered) / len(first), "none"),
        Row(f"{name} warm: its answers that are its final ones", "%", 100 * sum(right) / max(1, len(right)), "none"),
        Row(f"{name}: memory after {2 * len(uses)} definitions", "MiB", memory / 2**20, "none"),
        Row(f"{name}: memory after an hour's questions ({hour})", "MiB", later / 2**20, "none"),
    ]


def _ms(replies: Sequence[ServerReply], at: int) -> float:
    return percentile_ns(sorted(reply.elapsed_ns for reply in replies), numerator=at, denominator=100) / 1e6


if __name__ == "__main__":
    main()
