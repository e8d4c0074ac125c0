"""Index and search on django's source distribution and on growing parts of it, beside a bare Tree-sitter parse.

Every figure is a median or a share of the same run's yardstick: seconds on a busy machine mean little, ratios hold.
Bars are those of docs/benchmarks.md. Writes results/index_search.json and .md beside this file.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from pathlib import Path

from report import Row, machine, write_results

from ctx.application.search import SearchRequest, search
from ctx.infrastructure.clock import SystemClock
from ctx.infrastructure.index_store import IndexStore
from ctx.infrastructure.null_telemetry import NullTelemetry

PACKAGE, VERSION = "django", "5.2.8"
CACHE = Path(__file__).resolve().parent.parent / ".cache" / "bench"
CTX = os.path.join(os.path.dirname(sys.executable), "ctx")
QUESTIONS = (
    "how are migrations applied in order",
    "QuerySet",
    "django.db.models.query.QuerySet.filter",
    "csrf token validation",
    "where is the session cookie set",
    "get_object_or_404",
    "template loader cache",
    "url resolver reverse",
    "password hashing pbkdf2 iterations",
    "atomic transaction savepoint rollback",
    "ImproperlyConfigured: settings not configured",
    "form field clean validation error",
    "admin changelist filters",
    "ModelAdmin",
    "middleware chain for async handlers",
    "serialize queryset to json",
    "static files storage hashed names",
    "prefetch_related_objects",
    "test client login",
    "email backend smtp connection",
)


def main() -> None:
    """Measure and write the tables."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="one repeat, no growth series")
    quick = options.parse_args().quick
    repeats = 1 if quick else 5
    source = fetch()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="ctx-bench-") as folder:
        python_only = Path(folder) / "django-python"
        copy_python(source, python_only)
        whole = Path(folder) / "django"
        shutil.copytree(source, whole, symlinks=True)
        rows += full_index(python_only, repeats, "Python files only")
        rows += full_index(whole, max(1, repeats // 2), "whole distribution")
        rows += update(whole, 2 * repeats + 1)
        rows += cold_search(whole, 4 * repeats + 1)
        rows += warm_search(whole)
        if not quick:
            rows += growth(python_only, Path(folder))
    write_results("index_search", f"Index and search: {PACKAGE} {VERSION}", rows, machine())


def fetch(package: str = PACKAGE, version: str = VERSION) -> Path:
    """Return an unpacked source distribution, downloaded from the package registry once."""
    source = CACHE / f"{package}-{version}"
    if not source.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        subprocess.run([*pip, "--dest", str(CACHE), f"{package}=={version}"], check=True)
        with tarfile.open(next(CACHE.glob(f"{package}-{version}.tar.gz"))) as tar:
            tar.extractall(CACHE, filter="data")
    return source


def copy_python(source: Path, target: Path) -> None:
    """Copy the .py files of a tree."""
    for path in source.rglob("*.py"):
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)


def bare_parse(tree: Path) -> float:
    """Return the seconds Tree-sitter takes to parse the .py files of a tree on one core, nothing else."""
    import tree_sitter_python
    from tree_sitter import Language, Parser

    parser = Parser(Language(tree_sitter_python.language()))
    sources = [path.read_bytes() for path in tree.rglob("*.py")]
    started = time.perf_counter()
    for source in sources:
        parser.parse(source)
    return time.perf_counter() - started


def full_index(tree: Path, repeats: int, what: str) -> list[Row]:
    """Index a tree from nothing, in turn with the yardstick."""
    walls, parses, peaks = [], [], []
    for _ in range(repeats):
        shutil.rmtree(tree / "_ctx", ignore_errors=True)
        parses.append(bare_parse(tree))
        started = time.perf_counter()
        peaks.append(peak_rss_mb([CTX, "index", "--segment", str(tree)]))
        walls.append(time.perf_counter() - started)
    ratio = statistics.median(wall / parse for wall, parse in zip(walls, parses, strict=True))
    size = sum(path.stat().st_size for path in (tree / "_ctx").glob("index.db*"))
    bar = "<= 2.5" if "Python" in what else "none"
    workers = max((max(peak[1:], default=0.0) for peak in peaks), default=0.0)
    return [
        Row(f"full index, {what}", "s", statistics.median(walls), "none"),
        Row(f"bare parse of its .py files, one core, {what}", "s", statistics.median(parses), "none"),
        Row(f"full index / bare parse, {what}", "x", ratio, bar),
        Row(f"peak memory of a parsing process, {what}", "MB", workers, "<= 300"),
        Row(f"peak memory of the indexing command, {what}", "MB", max(peak[0] for peak in peaks), "<= 300"),
        Row(f"index size, {what}", "MB", size / 1e6, "none"),
    ]


def update(tree: Path, repeats: int) -> list[Row]:
    """Change one file and time what a search adds over one that finds nothing changed."""
    victim = next(tree.glob("django/db/models/query.py"))
    run([CTX, "search", "QuerySet", "--segment", str(tree)])
    plain, changed, renamed, read = [], [], [], []
    for at in range(repeats):
        plain.append(wall_ms([CTX, "search", "QuerySet", "--segment", str(tree)]))
        with victim.open("a", encoding="utf-8") as file:
            file.write(f"# {at}\n")
        before = counter(tree, "index_read_bytes_total")
        changed.append(wall_ms([CTX, "search", "QuerySet", "--segment", str(tree)]))
        read.append(counter(tree, "index_read_bytes_total") - before)
        # Most editors write beside the file and rename: the folder's time moves, too.
        beside = victim.with_suffix(".tmp")
        beside.write_bytes(victim.read_bytes() + b"#\n")
        beside.rename(victim)
        renamed.append(wall_ms([CTX, "search", "QuerySet", "--segment", str(tree)]))
    extra_renamed = statistics.median(b - a for a, b in zip(plain, renamed, strict=True))
    extra = statistics.median(b - a for a, b in zip(plain, changed, strict=True))
    is_only = all(abs(size - victim.stat().st_size) < 1000 for size in read)
    return [
        Row("one file changed: search takes longer by", "ms", extra, "<= 50"),
        Row("one file saved by rename: search takes longer by", "ms", extra_renamed, "none"),
        Row("one file changed: other files read again", "files", 0.0 if is_only else 1.0, "<= 0"),
    ]


def cold_search(tree: Path, repeats: int) -> list[Row]:
    """Time whole processes, in turn with a bare interpreter and one that imports typer."""
    search_ms, bare_ms, typer_ms = [], [], []
    for at in range(repeats):
        question = QUESTIONS[at % len(QUESTIONS)]
        search_ms.append(wall_ms([CTX, "search", question, "--segment", str(tree)]))
        bare_ms.append(wall_ms([sys.executable, "-c", "pass"]))
        typer_ms.append(wall_ms([sys.executable, "-c", "import typer"]))
    peak = peak_rss_mb([CTX, "search", QUESTIONS[0], "--segment", str(tree)])[0]
    return [
        Row("ctx search, cold process, p50", "ms", statistics.median(search_ms), "<= 180 (aim 120)"),
        Row("ctx search, cold process, p95", "ms", sorted(search_ms)[int(0.95 * len(search_ms))], "none"),
        Row("bare interpreter, p50", "ms", statistics.median(bare_ms), "none"),
        Row("interpreter that imports typer, p50", "ms", statistics.median(typer_ms), "none"),
        Row("peak memory of a search", "MB", peak, "<= 80"),
    ]


def warm_search(tree: Path) -> list[Row]:
    """Time the use case inside one process with the index open."""
    clock, telemetry = SystemClock(), NullTelemetry()
    samples = []
    with IndexStore(str(tree / "_ctx" / "index.db")) as store:
        for _ in range(10):
            for question in QUESTIONS:
                started = time.perf_counter()
                search(SearchRequest(question), store, telemetry, clock)
                samples.append((time.perf_counter() - started) * 1000)
    samples = sorted(samples[len(QUESTIONS) :])
    return [
        Row("query inside a warm process, p50", "ms", samples[len(samples) // 2], "<= 5"),
        Row("query inside a warm process, p95", "ms", samples[int(0.95 * len(samples))], "<= 20"),
    ]


def growth(tree: Path, folder: Path) -> list[Row]:
    """Index growing parts of the tree; linear growth keeps seconds per MB level."""
    files = sorted(path for path in tree.rglob("*.py") if "_ctx" not in path.parts)
    rows = []
    for share in (8, 4, 2, 1):
        part = folder / f"part-{share}"
        size = 0
        for path in files[::share]:
            place = part / path.relative_to(tree)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
            size += place.stat().st_size
        started = time.perf_counter()
        run([CTX, "index", "--segment", str(part)])
        wall = time.perf_counter() - started
        stored = (part / "_ctx" / "index.db").stat().st_size
        rows.append(Row(f"1/{share} of the files ({size / 1e6:.1f} MB): index", "s/MB", wall / size * 1e6, "none"))
        rows.append(Row(f"1/{share} of the files: index size / source size", "x", stored / size, "none"))
    return rows


def run(command: list[str]) -> None:
    """Run a command to its end; a failure ends the benchmark."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def wall_ms(command: list[str]) -> float:
    """Return the wall time of one process, in milliseconds."""
    started = time.perf_counter()
    run(command)
    return (time.perf_counter() - started) * 1000


def counter(tree: Path, name: str) -> int:
    """Return a cumulative counter of a segment."""
    import json

    metrics = json.loads((tree / "_ctx" / "telemetry" / "metrics.json").read_text(encoding="utf-8"))
    return int(metrics.get(name, 0))


def peak_rss_mb(command: list[str]) -> list[float]:
    """Run a command and return the peak resident memory of it and of each child, in MB.

    From VmHWM, which starts anew at exec: getrusage would report the peak of whoever spawned the process.
    """
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peaks: dict[int, float] = {process.pid: 0.0}
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            for pid in [process.pid, *children(process.pid)]:
                peaks[pid] = max(peaks.get(pid, 0.0), high_water_mb(pid))
            done.wait(0.01)

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    done.set()
    watcher.join()
    if code:
        raise SystemExit(f"{command}: exit {code}")
    return [peaks.pop(process.pid), *peaks.values()]


def children(pid: int) -> list[int]:
    """Return the direct children of a process."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [int(word) for word in text.split()]


def high_water_mb(pid: int) -> float:
    """Return a process's peak resident memory so far, 0 when it is gone."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1000
    except OSError:
        pass
    return 0.0


if __name__ == "__main__":
    main()
