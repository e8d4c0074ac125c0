"""The warm host on django's source distribution: one search cold, through the host, and what the floor is.

Four ways alternate, so that a busy moment hits each of them: an interpreter that does nothing, one that sends the
hand-over with the bare socket module's core and reads the answer, `ctx search` through the host, and without it. Then
many clients at once, each with a question of its own whose answer is known. Then what host and language server take
after 50 definitions and after an hour's questions (one every two seconds), and that a host which may take less than
that ends with everything it started. Writes results/host.json and .md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from index_search import CTX, PACKAGE, QUESTIONS, VERSION, fetch
from python_uses import sample
from report import Row, machine, write_results

CLIENTS = 200
DEFINITIONS = 50
HOUR_OF_QUESTIONS, HOUR_OF_QUESTIONS_QUICK = 1800, 100
LOW_LIMIT_MIB = 128
LIMIT_WAIT_S = 60.0
QUESTION = QUESTIONS[0]
COLD = os.environ | {"CTX_DAEMON": "off"}
# What a client cannot do without: an interpreter, a connection, the hand-over, the wait. The bytes are those of a
# hand-over that was encoded before.
_RAW = """
import _socket, os, sys
message, path = sys.stdin.buffer.read(), sys.argv[1]
c = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
c.connect(path)
here = os.open(".", os.O_PATH | os.O_DIRECTORY)
rights = b"".join(fd.to_bytes(4, sys.byteorder) for fd in (here, 0, 1, 2))
c.sendmsg([message], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])
heard = b""
while b"X" not in heard:
    heard += c.recv(64)
"""


def main() -> None:
    """Measure and write the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="few repeats")
    quick = options.parse_args().quick
    repeats = 7 if quick else 41
    with tempfile.TemporaryDirectory(prefix="ctx-bench-") as folder:
        tree = Path(folder) / "django"
        shutil.copytree(fetch(), tree, symlinks=True)
        run([CTX, "index"], tree)
        started_ns = time.perf_counter_ns()
        run([CTX, "daemon", "start"], tree)
        start_ms = (time.perf_counter_ns() - started_ns) / 1e6
        try:
            wait_until_clean(tree)
            rows = [Row("ctx daemon start, until it answers", "ms", start_ms, "none")]
            rows += one_search(tree, repeats)
            rows += other_commands(tree, repeats // 2 + 1)
            rows += memory(tree)
            rows += many_clients(tree)
            rows += memory_with_servers(tree, HOUR_OF_QUESTIONS_QUICK if quick else HOUR_OF_QUESTIONS)
        finally:
            run([CTX, "daemon", "stop"], tree)
        rows += limit_at_work(tree)
    write_results("host", f"Warm host: {PACKAGE} {VERSION}", rows, machine())


def one_search(tree: Path, repeats: int) -> list[Row]:
    """Return wall times of one search each way."""
    message, path = handover(tree)
    search = [CTX, "search", QUESTION]
    ways: dict[str, tuple[list[str], dict[str, str], bytes]] = {
        "bare interpreter": ([sys.executable, "-c", "pass"], dict(os.environ), b""),
        "raw socket client": ([sys.executable, "-c", _RAW, path], dict(os.environ), message),
        "ctx search, warm host": (search, dict(os.environ), b""),
        "ctx search, no host": (search, COLD, b""),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, (command, env, stdin) in ways.items():
            taken[name].append(wall_ms(command, tree, env, stdin))
    rows = []
    for name, figures in taken.items():
        bar = "<= 60" if name == "ctx search, warm host" else "none"
        rows.append(Row(f"{name}, p50", "ms", statistics.median(figures), bar))
        rows.append(Row(f"{name}, p95", "ms", percentile(figures, 95), "none"))
    warm, bare = taken["ctx search, warm host"], taken["bare interpreter"]
    rows.append(
        Row(
            "ctx search, warm host / bare interpreter, p50",
            "ratio",
            statistics.median(warm) / statistics.median(bare),
            "none",
        )
    )
    return rows


def other_commands(tree: Path, repeats: int) -> list[Row]:
    """Return the wall times of the other commands through the host."""
    commands = (
        ("get", "django/http/request.py"),
        ("resolve", "HttpRequest", "--no-lsp"),
        ("refs", "HttpRequest.get_host", "--no-lsp"),
        ("map",),
    )
    rows = []
    for command in commands:
        for env, name in ((dict(os.environ), "warm host"), (COLD, "no host")):
            figures = [wall_ms([CTX, *command], tree, env) for _ in range(repeats)]
            rows.append(Row(f"ctx {command[0]}, {name}, p50", "ms", statistics.median(figures), "none"))
    return rows


def many_clients(tree: Path) -> list[Row]:
    """Return what came of many clients at once: lost, mixed, time to the answer."""
    commands = [["resolve", "--no-lsp", name] for name in ("HttpRequest", "QuerySet", "ModelAdmin", "Paginator")]
    commands += [["search", question, "-n", "3"] for question in QUESTIONS[:16]]
    expected = [output([CTX, *command], tree, COLD) for command in commands]
    served_before = status(tree)["served"]

    def ask(number: int) -> tuple[bool, bool, float]:
        command = commands[number % len(commands)]
        started_ns = time.perf_counter_ns()
        got = output([CTX, *command], tree, dict(os.environ))
        took_ms = (time.perf_counter_ns() - started_ns) / 1e6
        return not got, bool(got) and got != expected[number % len(commands)], took_ms

    started_ns = time.perf_counter_ns()
    with ThreadPoolExecutor(CLIENTS) as pool:
        asked = list(pool.map(ask, range(CLIENTS)))
    whole_s = (time.perf_counter_ns() - started_ns) / 1e9
    took = [ms for _lost, _mixed, ms in asked]
    return [
        Row(f"{CLIENTS} clients at once, lost", "clients", sum(lost for lost, _, _ in asked), "<= 0"),
        Row(f"{CLIENTS} clients at once, mixed", "clients", sum(mixed for _, mixed, _ in asked), "<= 0"),
        Row(
            f"{CLIENTS} clients at once, answered by the host",
            "clients",
            status(tree)["served"] - served_before,
            f">= {CLIENTS}",
        ),
        Row(f"{CLIENTS} clients at once, p50", "ms", statistics.median(took), "none"),
        Row(f"{CLIENTS} clients at once, p95", "ms", percentile(took, 95), "none"),
        Row(f"{CLIENTS} clients at once, a second", "commands", CLIENTS / whole_s, "none"),
    ]


def memory(tree: Path) -> list[Row]:
    """Return what the host takes, without language servers."""
    return [Row("memory of the host, shared pages once", "MiB", status(tree)["host_memory_bytes"] / 2**20, "none")]


def places(tree: Path) -> list[str]:
    """Return places of names, as `ctx resolve` takes them."""
    uses = [use for use in sample(tree / "django", 8, seed=4)[0] if use.name != "super"]
    step = max(1, len(uses) // DEFINITIONS)
    return [f"django/{use.path}:{use.line}:{use.column}" for use in uses[::step][:DEFINITIONS]]


def memory_with_servers(tree: Path, hour: int) -> list[Row]:
    """Return what host and servers take after definitions, and after as many questions as an hour has."""
    asked = places(tree)
    rows = []
    commands = [["resolve", place] for place in asked]
    for name, more in (
        (f"after {len(asked)} definitions", commands),
        (
            f"after an hour's questions ({hour})",
            [
                [*(["search", QUESTIONS[at % len(QUESTIONS)]] if at % 3 else commands[at % len(asked)])]
                for at in range(hour)
            ],
        ),
    ):
        for command in more:
            output([CTX, *command], tree, dict(os.environ))
        known = status(tree)
        rows += [
            Row(f"memory of the host {name}", "MiB", known["host_memory_bytes"] / 2**20, "none"),
            Row(f"memory of its language servers {name}", "MiB", known["servers_memory_bytes"] / 2**20, "none"),
        ]
    return rows


def limit_at_work(tree: Path) -> list[Row]:
    """Return what is left of a host, and how soon, that may take less than its language server wants."""
    environ = os.environ | {"CTX_DAEMON_MEMORY_MIB": str(LOW_LIMIT_MIB)}
    subprocess.run([CTX, "daemon", "start"], cwd=tree, check=True, stdout=subprocess.DEVNULL, env=environ)
    pids = [status(tree)["front_pid"], status(tree)["backend_pid"]]
    started_s = time.monotonic()
    output([CTX, "resolve", places(tree)[0]], tree, dict(environ))
    pids += [row["pid"] for row in status(tree)["servers"] if row["pid"]]
    while (
        alive := sum(os.path.exists(f"/proc/{pid}") for pid in pids)
    ) and time.monotonic() < started_s + LIMIT_WAIT_S:
        time.sleep(0.1)
    took_s = time.monotonic() - started_s
    answered = bool(output([CTX, "resolve", places(tree)[0]], tree, dict(environ)))
    return [
        Row(f"processes left of a host over its {LOW_LIMIT_MIB} MiB", "processes", alive, "<= 0"),
        Row("seconds until it has ended", "s", took_s, "none"),
        Row("the next command answers all the same", "yes", answered, ">= 1"),
    ]


def handover(tree: Path) -> tuple[bytes, str]:
    """Return the bytes of a search's hand-over, and the host's socket."""
    script = (
        "import os, sys\n"
        "from ctx.infrastructure.cli import thin_client as t\n"
        "from ctx.infrastructure.host import places\n"
        "class Kept:\n"
        "    def sendmsg(self, parts, rights):\n"
        "        sys.stderr.buffer.write(parts[0])\n"
        "        return len(parts[0])\n"
        "segment = t._segment(None)\n"
        "print(next(p.socket for p in places.places(os.stat(segment)) if os.path.exists(p.socket)))\n"
        "t._hand_over(Kept(), segment, ['ctx', 'search', sys.argv[1]])\n"
    )
    done = subprocess.run([sys.executable, "-c", script, QUESTION], cwd=tree, capture_output=True, check=True)
    return done.stderr, done.stdout.decode().strip()


def wait_until_clean(tree: Path) -> None:
    """Wait until the host knows that the index is what the files are."""
    ends_s = time.monotonic() + 60
    while not status(tree)["index"]["is_clean"]:
        if time.monotonic() > ends_s:
            raise SystemExit("the host did not bring the index up to date within a minute")
        time.sleep(0.1)


def status(tree: Path) -> dict[str, Any]:
    """Return what `ctx daemon status` says."""
    found: dict[str, Any] = json.loads(output([CTX, "daemon", "status", "--json"], tree, dict(os.environ)))
    return found


def run(command: list[str], tree: Path) -> None:
    """Run a command that has to succeed."""
    subprocess.run(command, cwd=tree, check=True, stdout=subprocess.DEVNULL)


def output(command: list[str], tree: Path, env: dict[str, str]) -> bytes:
    """Return what a command prints."""
    return subprocess.run(
        command, check=False, cwd=tree, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ).stdout


def wall_ms(command: list[str], tree: Path, env: dict[str, str], stdin: bytes = b"") -> float:
    """Return how long a command takes, from its start to its end."""
    started_ns = time.perf_counter_ns()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(command, check=False, cwd=tree, env=env, input=stdin, **quiet)
    return (time.perf_counter_ns() - started_ns) / 1e6


def percentile(figures: list[float], percent: int) -> float:
    """Return the nearest-rank percentile."""
    ordered = sorted(figures)
    return ordered[max(0, -(-percent * len(ordered) // 100) - 1)]


if __name__ == "__main__":
    main()
