"""How cost grows with size: flask, django, the interpreter's own library, and whatever trees are given.

Each tree is copied, so that its own `_ctx` and what lies above it do not count, indexed from nothing by the real
command, and searched. Writes growth.json, growth.md and growth.svg (a log-log plot) to a folder. The exponent of a cost
is the slope of the least-squares line through the points' logarithms: 1 is linear growth.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import shutil
import sqlite3
import statistics
import sys
import sysconfig
import tempfile
import time
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path

from index_search import CTX, QUESTIONS, fetch, peak_rss_mb, run, wall_ms
from report import RESULTS, machine

from ctx.application.search import SearchRequest, search
from ctx.infrastructure.clock import SystemClock
from ctx.infrastructure.index_store import IndexStore
from ctx.infrastructure.null_telemetry import NullTelemetry

COLD_SEARCHES = 7
NOT_COPIED = ("_ctx", "site-packages", "__pycache__", ".git")


@dataclass(frozen=True, slots=True)
class Point:
    """One tree: what is in its index and what that cost.

    Memory is the high-water mark of one process, CPU time that of the command and its workers together: on a machine
    that does other things as well it tells more than the time that passed.
    """

    tree: str
    files: int
    lines: int
    source_mb: float
    index_s: float
    index_cpu_s: float
    index_mb: float
    command_mb: float
    worker_mb: float
    query_ms_p50: float
    cold_search_ms_p50: float
    search_mb: float


COSTS = (
    ("index_s", "index, s", "#1f77b4"),
    ("index_cpu_s", "index, CPU s", "#17becf"),
    ("index_mb", "index size, MB", "#2ca02c"),
    ("command_mb", "memory of the command, MB", "#d62728"),
    ("worker_mb", "memory of a worker, MB", "#ff7f0e"),
    ("query_ms_p50", "query p50, ms", "#9467bd"),
    ("cold_search_ms_p50", "ctx search p50, ms", "#8c564b"),
)


def main() -> None:
    """Measure every tree and write the three files."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("trees", nargs="*", help="NAME=DIR[:DIR…], several directories making one tree")
    options.add_argument("--output", type=Path, default=RESULTS, help="where the files go (default: results/)")
    options.add_argument("--note", default="", help="a remark on the run for the report, such as a shared machine")
    arguments = options.parse_args()
    trees = [("flask 3.1.2", [fetch("flask", "3.1.2")]), ("django 5.2.8", [fetch()])]
    trees.append(("Python's library", [Path(sysconfig.get_path("stdlib"))]))
    for given in arguments.trees:
        name, mark, directories = given.partition("=")
        if not mark or not all(Path(part).is_dir() for part in directories.split(":")):
            options.error(f"{given}: expected NAME=DIR[:DIR…] of directories that exist")
        trees.append((name, [Path(part) for part in directories.split(":")]))
    points = []
    for name, directories in trees:
        points.append(measured(name, directories))
        print(points[-1], file=sys.stderr)
    write(points, arguments.output, arguments.note)


def measured(name: str, directories: list[Path]) -> Point:
    """Return what one tree costs."""
    with tempfile.TemporaryDirectory(prefix="ctx-growth-") as folder:
        tree = Path(folder)
        for at, directory in enumerate(directories):
            copied = tree / f"{at}-{directory.name}"
            shutil.copytree(directory, copied, symlinks=True, ignore=shutil.ignore_patterns(*NOT_COPIED))
        started, started_cpu_s = time.perf_counter(), cpu_s_of_children()
        peaks = peak_rss_mb([CTX, "index", "--segment", folder])
        index_s, index_cpu_s = time.perf_counter() - started, cpu_s_of_children() - started_cpu_s
        index = tree / "_ctx" / "index.db"
        database = sqlite3.connect(index)
        files, lines, source_bytes = database.execute(
            "SELECT count(*), sum(lines), sum(size_bytes) FROM files WHERE status <> 'skipped'"
        ).fetchone()
        database.close()
        command = [CTX, "search", "--segment", folder]
        run([*command, QUESTIONS[1]])
        return Point(
            name,
            files,
            lines,
            source_bytes / 1e6,
            index_s,
            index_cpu_s,
            index.stat().st_size / 1e6,
            peaks[0],
            max(peaks[1:], default=0.0),
            query_ms_p50(index),
            statistics.median(wall_ms([*command, QUESTIONS[at]]) for at in range(COLD_SEARCHES)),
            peak_rss_mb([*command, QUESTIONS[0]])[0],
        )


def cpu_s_of_children() -> float:
    """Return the CPU time of all processes that were started here and have ended, their own children included."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def query_ms_p50(index: Path) -> float:
    """Return the median time of a question inside a warm process."""
    clock, telemetry = SystemClock(), NullTelemetry()
    samples = []
    with IndexStore(str(index)) as store:
        for is_counted in (False, True, True, True):
            for question in QUESTIONS:
                started = time.perf_counter()
                search(SearchRequest(question), store, telemetry, clock)
                if is_counted:
                    samples.append((time.perf_counter() - started) * 1000)
    return statistics.median(samples)


def exponent(points: list[Point], cost: str) -> float:
    """Return the slope of log(cost) over log(source size) by least squares."""
    xs = [math.log(point.source_mb) for point in points]
    ys = [math.log(getattr(point, cost)) for point in points]
    return statistics.linear_regression(xs, ys).slope


def write(points: list[Point], folder: Path, note: str) -> None:
    """Write growth.json, growth.md and growth.svg."""
    folder.mkdir(parents=True, exist_ok=True)
    exponents = {cost: round(exponent(points, cost), 3) for cost, _what, _colour in COSTS}
    document = {
        "title": "Growth with size",
        "machine": machine(),
        "note": note,
        "points": [asdict(point) for point in points],
        "exponents": exponents,
    }
    (folder / "growth.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    columns = ["files", "lines", "source_mb", *(cost for cost, _what, _colour in COSTS), "search_mb"]
    heads = ["files", "lines", "source, MB", *(what for _cost, what, _colour in COSTS), "memory of a search, MB"]
    rows = [f"# {document['title']}", "", ", ".join(f"{key} {value}" for key, value in machine().items())]
    rows += ["", note, ""] if note else [""]
    rows += ["| tree | " + " | ".join(heads) + " |", "| --- |" + " ---: |" * len(heads)]
    rows += [
        f"| {point.tree} | " + " | ".join(number(getattr(point, column)) for column in columns) + " |"
        for point in points
    ]
    slopes = " | ".join(f"{exponents[column]:.2f}" if column in exponents else "" for column in columns)
    rows.append(f"| exponent | {slopes} |")
    text = "\n".join(rows) + "\n"
    (folder / "growth.md").write_text(text, encoding="utf-8")
    (folder / "growth.svg").write_text(plot(points, exponents), encoding="utf-8")
    print(text)


def number(value: float) -> str:
    """Return a count with its thousands apart, a measure with three digits that count."""
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


LEFT, TOP, WIDTH, HEIGHT = 70, 60, 560, 420


def plot(points: list[Point], exponents: dict[str, float]) -> str:
    """Return a log-log plot of every cost over the size of the source, as SVG."""
    values = [getattr(point, cost) for point in points for cost, _what, _colour in COSTS]
    x_low, x_high = decades([point.source_mb for point in points])
    y_low, y_high = decades(values)

    def x(value: float) -> float:
        return LEFT + WIDTH * (math.log10(value) - x_low) / (x_high - x_low)

    def y(value: float) -> float:
        return TOP + HEIGHT * (y_high - math.log10(value)) / (y_high - y_low)

    size = f'width="{LEFT + WIDTH + 330}" height="{TOP + HEIGHT + 60}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for decade in range(x_low, x_high + 1):
        at = x(10.0**decade)
        parts.append(f'<line x1="{at:.1f}" y1="{TOP}" x2="{at:.1f}" y2="{TOP + HEIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{at:.1f}" y="{TOP + HEIGHT + 18}" text-anchor="middle">{10.0**decade:g}</text>')
    for decade in range(y_low, y_high + 1):
        at = y(10.0**decade)
        parts.append(f'<line x1="{LEFT}" y1="{at:.1f}" x2="{LEFT + WIDTH}" y2="{at:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{10.0**decade:g}</text>')
    parts.append(f'<text x="{LEFT + WIDTH / 2}" y="{TOP + HEIGHT + 42}" text-anchor="middle">indexed source, MB</text>')
    parts += [
        f'<text x="{x(point.source_mb):.1f}" y="{TOP - 8 - 16 * (at % 3)}" text-anchor="middle" fill="#555">'
        f"{escape(point.tree)}</text>"
        for at, point in enumerate(points)  # one above the other: trees may be of one size
    ]
    for row, (cost, what, colour) in enumerate(COSTS):
        places = [(x(point.source_mb), y(getattr(point, cost))) for point in sorted(points, key=lambda p: p.source_mb)]
        line = " ".join(f"{across:.1f},{down:.1f}" for across, down in places)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{across:.1f}" cy="{down:.1f}" r="3.5" fill="{colour}"/>' for across, down in places]
        down = TOP + 20 + 22 * row
        label = f"{what} (exponent {exponents[cost]:.2f})"
        parts.append(f'<rect x="{LEFT + WIDTH + 16}" y="{down - 10}" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{LEFT + WIDTH + 34}" y="{down}">{escape(label)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def decades(values: list[float]) -> tuple[int, int]:
    """Return the powers of ten around some positive values."""
    return math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))


if __name__ == "__main__":
    main()
