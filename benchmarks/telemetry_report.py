"""Telemetry of a million events: `ctx telemetry report` and the exports, beside DuckDB and jq on the same files.

    python benchmarks/telemetry_report.py [--quick] [--events N]

The files are made (see `made_telemetry`): runs of three segments over 200 days, in rotated files. All that is measured
is a command of its own, from its start to its end; medians of three, exports once. Memory is the sum of the high-water
marks of a command's processes, each read from /proc while it runs. The three programs compute the same: per event name
count, p50 and p95 by the product's definition of a percentile, output tokens; per language server the fallbacks. Their
answers are compared, and a difference ends the benchmark; of a name with more than 100,000 samples the report's
percentiles may be 1/64 off, which is what it promises.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index_search import CTX
from made_telemetry import write_events
from report import Row, machine, write_results

from ctx.domain.telemetry.latency import EXACT_SAMPLES_MAX
from ctx.infrastructure.process_tree import tree_of

if TYPE_CHECKING:
    from collections.abc import Sequence

EVENTS, EVENTS_QUICK = 1_000_000, 50_000
REPEATS = 3
LOOK_EVERY_S = 0.02
JQ = shutil.which("jq")
FORMATS = (
    ("otlp", ("telemetry", "export", "--format", "otlp")),
    ("csv", ("telemetry", "export", "--format", "csv")),
    ("sqlite", ("telemetry", "export", "--format", "sqlite")),
    ("parquet", ("telemetry", "export", "--format", "parquet")),
)

SQL = """
with events as (
    select cmd, result, tokens, args,
           case when duration_ns is not null then duration_ns when timing_ms > 0 then timing_ms * 1000000 end as taken
    from read_json($files, format = 'newline_delimited', columns = {
        cmd: 'VARCHAR', duration_ns: 'BIGINT', timing_ms: 'BIGINT', args: 'STRUCT(server VARCHAR)',
        result: 'STRUCT(hits BIGINT)', tokens: 'STRUCT(output_tokens BIGINT)'})
), ranked as (
    select cmd, taken, row_number() over (partition by cmd order by taken) - 1 as rank,
           count(*) over (partition by cmd) as n
    from events where taken is not null
), latencies as (
    select cmd, any_value(n) as samples, any_value(taken) filter (rank = least(n * 50 // 100, n - 1)) as p50,
           any_value(taken) filter (rank = least(n * 95 // 100, n - 1)) as p95
    from ranked group by cmd
), counts as (
    select cmd, count(*) as n, sum(tokens.output_tokens)::BIGINT as tokens from events group by cmd
), fallbacks as (
    select args.server as server, count(*) as n from events where cmd = 'lsp.fallback' group by 1
)
select to_json({
    cmds: (select list({cmd: counts.cmd, count: counts.n, tokens: tokens, samples: samples, p50: p50, p95: p95})
           from counts left join latencies on counts.cmd = latencies.cmd),
    fallbacks: (select list({server: server, count: n}) from fallbacks)})
"""
# Its progress would be in the answer.
DUCKDB = f"""import duckdb, sys
duckdb.execute("set enable_progress_bar = false")
print(duckdb.execute({SQL!r}, dict(files=sys.argv[1:])).fetchone()[0])"""

# The first reads one event at a time and keeps what is needed; the second needs all samples of a name at once.
JQ_EACH = "[.cmd, (.duration_ns // (if .timing_ms > 0 then .timing_ms * 1000000 else null end)), .tokens.output_tokens,"
JQ_EACH += ' if .cmd == "lsp.fallback" then .args.server else null end]'
JQ_ALL = """
{cmds: (group_by(.[0]) | map((map(.[1] | select(. != null)) | sort) as $taken | ($taken | length) as $n | {
    cmd: .[0][0], count: length, tokens: (map(.[2]) | add), samples: $n,
    p50: $taken[[($n * 50 / 100 | floor), $n - 1] | min], p95: $taken[[($n * 95 / 100 | floor), $n - 1] | min]})),
 fallbacks: (map(.[3] | select(. != null)) | group_by(.) | map({server: .[0], count: length}))}
"""


def main() -> None:
    """Measure, compare, and write the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help=f"{EVENTS_QUICK:,} events, one repeat")
    options.add_argument("--events", type=int, default=0)
    given = options.parse_args()
    events = given.events or (EVENTS_QUICK if given.quick else EVENTS)
    repeats = 1 if given.quick else REPEATS
    with tempfile.TemporaryDirectory(prefix="ctx-bench-") as folder:
        tree = Path(folder) / "segments"
        files = sorted(write_events(tree, events))
        size_mb = sum(path.stat().st_size for path in files) / 1e6
        rows = measured(tree, files, Path(folder), repeats)
    title = f"ctx telemetry: {events:,} events, {size_mb:.0f} MB in {len(files)} files"
    write_results("telemetry_report", title, rows, machine())


def measured(tree: Path, files: Sequence[Path], folder: Path, repeats: int) -> list[Row]:
    """Return the figures of the report, of its rivals, and of the exports."""
    names = [str(path) for path in files]
    answers: dict[str, Any] = {}
    times: dict[str, float] = {}
    rows: list[Row] = []
    rivals = {"ctx telemetry report": [CTX, "telemetry", "report", "--recursive", "--json", str(tree)]}
    if importlib.util.find_spec("duckdb") is not None:
        rivals["DuckDB"] = [sys.executable, "-c", DUCKDB, *names]
    if JQ:
        each, whole = folder / "each.jq", folder / "all.jq"
        each.write_text(JQ_EACH)
        whole.write_text(JQ_ALL)
        rivals["jq"] = ["sh", "-c", f'"$0" -c -f {each} "$@" | "$0" -s -f {whole}', JQ, *names]
    for name, line in rivals.items():
        output, times[name], memory_mb = medians(line, repeats)
        answers[name] = json.loads(output)
        rows.append(Row(f"{name}: time", "s", times[name], "<= 10" if name.startswith("ctx") else "none"))
        rows.append(
            Row(f"{name}: memory of all its processes", "MB", memory_mb, "<= 400" if name[0] == "c" else "none")
        )
    report = "ctx telemetry report"
    for name in rivals.keys() - {report}:
        compare(answers[report], answers[name], name)
        rows.append(Row(f"report / {name}", "x", times[report] / times[name], "none"))
    rows.append(
        Row("figures compared with the others, all equal", "", float(len(expected_of(answers[report]))), "none")
    )
    line = [*rivals[report], "--last", "1000"]
    rows.append(Row("ctx telemetry report --last 1000: time", "s", medians(line, repeats)[1], "none"))
    for name, words in FORMATS:
        output_file = folder / f"events.{name}"
        line = [CTX, *words, "--recursive", "--force", "--output", str(output_file), str(tree)]
        _output, taken_s, memory_mb = run(line)
        rows.append(Row(f"export --format {name}: time", "s", taken_s, "none"))
        rows.append(Row(f"export --format {name}: memory of all its processes", "MB", memory_mb, "none"))
        rows.append(Row(f"export --format {name}: size", "MB", output_file.stat().st_size / 1e6, "none"))
        output_file.unlink()
    return rows


def medians(line: Sequence[str], repeats: int) -> tuple[bytes, float, float]:
    """Return a command's last output and the medians of its time in s and its memory in MB; a failure is the end."""
    outputs, times, peaks = zip(*(run(line) for _ in range(repeats)), strict=True)
    return outputs[-1], statistics.median(times), statistics.median(peaks)


def run(line: Sequence[str]) -> tuple[bytes, float, float]:
    """Return output, time in s, and the sum of the peaks in MB of all processes of a command."""
    peaks: dict[int, int] = {}
    with tempfile.TemporaryFile() as output:
        begun = time.perf_counter()
        process = subprocess.Popen(
            line, stdout=output, stdin=subprocess.DEVNULL, env=os.environ | {"CTX_DAEMON": "off"}
        )
        while True:
            for pid in tree_of(process.pid):
                peaks[pid] = high_water_bytes(pid) or peaks.get(pid, 0)  # not the most: a copy begins with its maker's
            try:
                code = process.wait(LOOK_EVERY_S)
                break
            except subprocess.TimeoutExpired:
                continue
        taken_s = time.perf_counter() - begun
        if code:
            raise SystemExit(f"{' '.join(line[:6])} …: exit code {code}")
        output.seek(0)
        return output.read(), taken_s, sum(peaks.values()) / 1e6


def high_water_bytes(pid: int) -> int:
    """Return the most memory a process had so far, of its own since it began its program; 0 when it is gone."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    return next((int(row.split()[1]) * 1024 for row in text.splitlines() if row.startswith("VmHWM:")), 0)


def expected_of(document: dict[str, Any]) -> dict[str, float]:
    """Return the figures of a report that the others compute, too, by name."""
    figures: dict[str, float] = {}
    for row in (*document["commands"], *document["operations"]):
        latency = row["latency"]
        figures[f"{row['cmd']} count"] = row["count"]
        figures |= {f"{row['cmd']} {key}": latency[f"{key}_ms"] for key in ("p50", "p95") if latency["count"]}
        if "tokens" in row:
            figures[f"{row['cmd']} tokens"] = row["tokens"]["output_tokens"]
    for server in document["lsp"]["servers"]:
        figures[f"{server['server']} fallbacks"] = server["fallbacks"]
    return figures


def compare(document: dict[str, Any], other: dict[str, Any], name: str) -> None:
    """End the benchmark unless a rival computed the same."""
    theirs: dict[str, float] = {}
    bucketed = set()
    for row in other["cmds"]:
        theirs[f"{row['cmd']} count"] = row["count"]
        theirs[f"{row['cmd']} tokens"] = row["tokens"]
        for key in ("p50", "p95"):
            if row["samples"]:
                theirs[f"{row['cmd']} {key}"] = row[key] / 1e6
            if (row["samples"] or 0) > EXACT_SAMPLES_MAX:
                bucketed.add(f"{row['cmd']} {key}")
    for row in other["fallbacks"]:
        theirs[f"{row['server']} fallbacks"] = row["count"]
    for figure, ours in expected_of(document).items():
        found = theirs.get(figure, 0)
        allowed = found / 64 if figure in bucketed else found * 1e-9
        if abs(ours - found) > allowed:
            raise SystemExit(f"{figure}: the report says {ours}, {name} {found}")


if __name__ == "__main__":
    main()
