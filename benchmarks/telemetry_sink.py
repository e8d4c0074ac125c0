"""Measure the telemetry sink against its bars: cost of an event, loss under concurrency, kills and faults, import time.

    python benchmarks/telemetry_sink.py [--quick] [--out DIR]

Every cost is a ratio to a raw `os.write` of the same bytes, taken in turns in the same process, so the machine cancels
out. Every loss is counted by reading the files back. Writes telemetry_sink.json and telemetry_sink.md into
benchmarks/results/ and prints the Markdown, which says which bars are missed. Uses the `ctx` that is importable.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import mmap
import os
import platform
import random
import resource
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctx.infrastructure.event_log import read_events
from ctx.infrastructure.telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import Callable

ARGS = {"query": "where is the telemetry rotation policy decided", "limit": 10}
RESULT = {"hits": 7, "total_tokens": 1834, "returned_ids": ["repo:telemetry.py:0b2ce5", "prime:1687ec6b"]}
WARM_UP = 500


def emit(telemetry: Telemetry, writer: int, number: int, pad: str = "") -> bool:
    """Write one event such as `ctx search` writes, and tell whether it was accepted."""
    before = telemetry.dropped
    telemetry.event("ctx.search", ARGS, RESULT, 12, None, bytes_read=40960, writer=writer, number=number, pad=pad)
    return telemetry.dropped == before


def in_child(work: Callable[[], Any]) -> Any:
    """Run `work` in a forked child and return what it returns."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(write_end, json.dumps(work()).encode())
        finally:
            os._exit(0)
    os.close(write_end)
    with open(read_end, "rb") as answer:
        data = answer.read()
    os.waitpid(pid, 0)
    return json.loads(data)


def percentile(values: list[int], percent: int) -> int:
    """Return the product's percentile: the sample at min(floor(q * n), n - 1)."""
    ordered = sorted(values)
    return ordered[min(percent * len(ordered) // 100, len(ordered) - 1)]


def throughput(directory: str, events: int, *, with_orjson: bool) -> dict[str, Any]:
    """Time raw writes and events in turns of 100, so both see the same moods of the machine."""

    def work() -> dict[str, Any]:
        if with_orjson:
            __import__("orjson")
        telemetry = Telemetry(directory, directory=directory, keep_rotated=None)
        for number in range(WARM_UP):
            emit(telemetry, 0, number)
        line = Path(directory, "events.jsonl").read_bytes().splitlines(keepends=True)[-1]
        fd = os.open(os.path.join(directory, "raw"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        raw_ns, event_ns = [], []
        clock, write, event = time.perf_counter_ns, os.write, telemetry.event
        for start in range(0, events, 100):
            for _ in range(100):
                begun = clock()
                write(fd, line)
                raw_ns.append(clock() - begun)
            for number in range(start, start + 100):
                begun = clock()
                event("ctx.search", ARGS, RESULT, 12, None, bytes_read=40960, writer=0, number=number, pad="")
                event_ns.append(clock() - begun)
        os.close(fd)
        telemetry.close()
        kept = sum(1 for _ in read_events(directory))
        return {
            "encoder": "orjson" if with_orjson else "json",
            "events": events,
            "kept": kept - WARM_UP,
            "line_bytes": len(line),
            "raw_us_p50": percentile(raw_ns, 50) / 1000,
            "event_us_p50": percentile(event_ns, 50) / 1000,
            "event_us_p99": percentile(event_ns, 99) / 1000,
            "ratio_p50": round(percentile(event_ns, 50) / percentile(raw_ns, 50), 2),
        }

    result: dict[str, Any] = in_child(work)
    return result


def concurrency(directory: str, processes: int, events: int) -> dict[str, Any]:
    """Let many processes write at once with rotation at 256 KB and retention off, and read everything back."""
    start, go = os.pipe()
    results, pids = [], []
    for writer in range(processes):
        read_end, write_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(go)
            telemetry = Telemetry(directory, directory=directory, rotate_bytes=256 * 1024, keep_rotated=None)
            os.read(start, 1)
            accepted = bytes(emit(telemetry, writer, number) for number in range(events))
            os.write(write_end, accepted)
            os._exit(0)
        os.close(write_end)
        pids.append(pid)
        results.append(read_end)
    os.close(start)
    begun = time.perf_counter()
    os.close(go)
    accepted = set()
    for writer, read_end in enumerate(results):
        with open(read_end, "rb") as answer:
            accepted |= {(writer, number) for number, was_accepted in enumerate(answer.read()) if was_accepted}
    for pid in pids:
        os.waitpid(pid, 0)
    wall_s = time.perf_counter() - begun
    reader = read_events(directory)
    seen = Counter((event["writer"], event["number"]) for event in reader)
    return {
        "processes": processes,
        "sent": processes * events,
        "dropped": processes * events - len(accepted),
        "lost_accepted": len(accepted - seen.keys()),
        "duplicated": sum(count - 1 for count in seen.values()),
        "corrupt": reader.unreadable,
        "files": len(list(Path(directory).glob("*.jsonl"))),
        "events_per_s": round(len(seen) / wall_s),
    }


def crash(parent: str, kills: int, pad_bytes: int, random_source: random.Random) -> dict[str, Any]:
    """Kill a writer at random moments; count accepted events that are gone, and first lines of the next run glued."""
    total = Counter[str]()
    for kill in range(kills):
        directory = os.path.join(parent, str(kill))
        os.mkdir(directory)
        shared = mmap.mmap(-1, 8)
        shared[:] = struct.pack("<q", -1)
        pid = os.fork()
        if pid == 0:
            telemetry = Telemetry(directory, directory=directory, rotate_bytes=0)
            number, pad = 0, "p" * pad_bytes
            while True:
                if emit(telemetry, 0, number, pad):
                    shared[:] = struct.pack("<q", number)
                number += 1
        while struct.unpack("<q", shared[:])[0] < 0:
            time.sleep(0.0005)
        time.sleep(random_source.uniform(0.001, 0.04))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        accepted = struct.unpack("<q", shared[:])[0] + 1
        after = Telemetry(directory, directory=directory)
        emit(after, 1, 0)
        after.close()
        reader = read_events(directory)
        seen = {(event["writer"], event["number"]) for event in reader}
        total["accepted"] += accepted
        total["lost_accepted"] += accepted - len(
            [number for writer, number in seen if not writer and number < accepted]
        )
        total["torn"] += reader.unreadable
        total["glued"] += (1, 0) not in seen
        shutil.rmtree(directory)
    return {"kills": kills, "pad_bytes": pad_bytes, **{name: total[name] for name in _CRASH_FIELDS}}


_CRASH_FIELDS = ("accepted", "lost_accepted", "torn", "glued")


def drive(telemetry: Telemetry, directory: str, events: int, recover: Callable[[], object]) -> dict[str, Any]:
    """Emit into a fault, lift it, emit ten more, and compare what was accepted with what is readable."""
    accepted = [number for number in range(events) if emit(telemetry, 0, number)]
    recover()
    accepted += [number for number in range(events, events + 10) if emit(telemetry, 0, number)]
    telemetry._sink.close()
    reader = read_events(directory)
    readable = {event["number"] for event in reader}
    return {
        "accepted": len(accepted),
        "refused": events + 10 - len(accepted),
        "accepted_but_gone": len(set(accepted) - readable),
        "torn": reader.unreadable,
        "after_recovery": f"{len(readable & set(range(events, events + 10)))}/10",
    }


def fault_size_limit(directory: str) -> dict[str, Any]:
    """RLIMIT_FSIZE of 64 KiB: needs no privilege, and cuts the line that crosses it."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    telemetry = Telemetry(directory, directory=directory)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, hard))
    return drive(telemetry, directory, 1000, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard)))


def fault_full_disk(directory: str) -> dict[str, Any]:
    """Fill a 1 MiB tmpfs; skipped where mounting is not permitted."""
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", directory]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        return {"skipped": "mount not permitted"}
    try:
        filler = Path(directory, "filler")
        filler.write_bytes(b"x" * 600_000)
        telemetry = Telemetry(directory, directory=directory)
        return drive(telemetry, directory, 2000, filler.unlink)
    finally:
        subprocess.run(["umount", "-l", directory], capture_output=True, check=False)


def fault_read_only(directory: str) -> dict[str, Any]:
    """A directory of mode 0555, as uid 65534 when started as root; everything is imported before."""
    warm = os.path.join(directory, "warm")
    os.mkdir(warm)
    emit(Telemetry(warm, directory=warm), 0, 0)
    closed = os.path.join(directory, "closed")
    os.mkdir(closed)
    os.chmod(directory, 0o755)
    os.chmod(closed, 0o555)
    if os.getuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    telemetry = Telemetry(closed, directory=closed)
    accepted = sum(emit(telemetry, 0, number) for number in range(5))
    return {"accepted": accepted, "refused": 5 - accepted, "accepted_but_gone": accepted}


def fault_deleted_folder(directory: str) -> dict[str, Any]:
    """The folder is removed under an open sink; only what was accepted afterwards must be there."""
    folder = os.path.join(directory, "folder")
    telemetry = Telemetry(folder, directory=folder)
    for number in range(5):
        emit(telemetry, 0, number)
    shutil.rmtree(folder)
    accepted = {number for number in range(100, 105) if emit(telemetry, 0, number)}
    readable = {event["number"] for event in read_events(folder)}
    return {"accepted": len(accepted), "refused": 5 - len(accepted), "accepted_but_gone": len(accepted - readable)}


FAULTS = (fault_size_limit, fault_full_disk, fault_read_only, fault_deleted_folder)


def counters(directory: str, processes: int, flushes: int) -> dict[str, Any]:
    """Let many processes flush an increment each time; count what metrics.json has lost."""
    pids = []
    for _ in range(processes):
        pid = os.fork()
        if pid == 0:
            telemetry = Telemetry(directory, directory=directory)
            for _ in range(flushes):
                telemetry.incr("shared")
                telemetry.flush()
            os._exit(0)
        pids.append(pid)
    for pid in pids:
        os.waitpid(pid, 0)
    stored = json.loads(Path(directory, "metrics.json").read_text())["shared"]
    return {"processes": processes, "expected": processes * flushes, "lost": processes * flushes - stored}


def import_ms(runs: int) -> dict[str, Any]:
    """Return the median of paired differences between an interpreter that imports Telemetry and a bare one."""

    def start_ms(code: str) -> float:
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-I", "-c", code], check=True)
        return (time.perf_counter() - begun) * 1000

    code = "from ctx.infrastructure.telemetry import Telemetry"
    start_ms(code)
    bare = [start_ms("pass") for _ in range(runs)]
    differences = [start_ms(code) - start_ms("pass") for _ in range(runs)]
    return {"bare_ms": round(statistics.median(bare), 1), "import_ms": round(statistics.median(differences), 1)}


def measure(*, quick: bool) -> dict[str, Any]:
    """Run everything and return the report."""
    random_source = random.Random(1)
    events, kills = (5000, 8) if quick else (50_000, 50)
    crowd, each = ((2, 8), 500) if quick else ((2, 8, 32), 2000)
    report: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "quick": quick,
    }
    with contextlib.ExitStack() as stack:

        def fresh() -> str:
            return stack.enter_context(tempfile.TemporaryDirectory(prefix="ctx-telemetry-"))

        # Nothing of the user's own state is read or left behind.
        os.environ["XDG_STATE_HOME"] = fresh()
        os.environ.pop("CTX_TELEMETRY", None)
        report["throughput"] = [throughput(fresh(), events, with_orjson=False)]
        with contextlib.suppress(ImportError):
            import importlib.util

            if importlib.util.find_spec("orjson"):
                report["throughput"].append(throughput(fresh(), events, with_orjson=True))
        report["concurrency"] = [concurrency(fresh(), processes, each) for processes in crowd]
        report["crash"] = [crash(fresh(), kills, pad, random_source) for pad in (0, 300_000)]
        report["faults"] = {}
        for fault in FAULTS:
            directory = fresh()
            report["faults"][fault.__name__.removeprefix("fault_")] = in_child(lambda f=fault, d=directory: f(d))
        report["counters"] = [counters(fresh(), processes, 50) for processes in crowd]
        report["import"] = import_ms(5 if quick else 15)
    report["bars"] = bars(report)
    return report


def bars(report: dict[str, Any]) -> dict[str, bool]:
    """Return every bar and whether it is met."""
    limits = {"json": 10, "orjson": 5}
    met = {
        f"event p50 <= {limits[row['encoder']]}x raw write with {row['encoder']}": row["ratio_p50"]
        <= limits[row["encoder"]]
        for row in report["throughput"]
    }
    met["every timed event is readable"] = all(row["kept"] == row["events"] for row in report["throughput"])
    met["0 lost, corrupt or duplicated under concurrency"] = not any(
        row["dropped"] + row["lost_accepted"] + row["corrupt"] + row["duplicated"] for row in report["concurrency"]
    )
    met["0 accepted lost, 0 glued after kill -9"] = not any(
        row["lost_accepted"] + row["glued"] for row in report["crash"]
    )
    met["0 accepted but gone in every fault"] = not any(
        row.get("accepted_but_gone", 0) for row in report["faults"].values()
    )
    met["0 counter increments lost"] = not any(row["lost"] for row in report["counters"])
    met["import <= 10 ms"] = report["import"]["import_ms"] <= 10
    return met


def table(rows: list[dict[str, Any]]) -> str:
    """Return rows of like keys as a Markdown table."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [names, ["---"] * len(names), *([str(row.get(name, "")) for name in names] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def markdown(report: dict[str, Any]) -> str:
    """Return the report for people."""
    faults = [{"fault": name, **row} for name, row in report["faults"].items()]
    parts = [
        "# Telemetry sink",
        f"{report['machine']}; Python {report['python']}{'; quick' if report['quick'] else ''}",
        *(f"- {'met' if met else '**missed**'}: {bar}" for bar, met in report["bars"].items()),
    ]
    for title in ("throughput", "concurrency", "crash", "counters"):
        parts += [f"\n## {title.capitalize()}\n", table(report[title])]
    parts += ["\n## Faults\n", table(faults), "\n## Import\n", table([report["import"]])]
    return "\n".join(parts) + "\n"


def main() -> None:
    """Measure, write both files, print the Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="seconds instead of a minute; for trying out")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    report = measure(quick=options.quick)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "telemetry_sink.json").write_text(json.dumps(report, indent=2) + "\n")
    (options.out / "telemetry_sink.md").write_text(markdown(report))
    print(markdown(report), end="")


if __name__ == "__main__":
    main()
