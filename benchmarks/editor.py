"""`ctx lsp` as an editor feels it, on django's source distribution, beside basedpyright alone on the same requests.

    python benchmarks/editor.py [--quick]

Both are started as an editor starts them and asked one request after the other; the clock is the client's, from the
first byte written to the answer read. Every place is drawn at random over all kinds of uses, its file is opened, and
it is asked for the first time, then, when all were asked, for the second.

- *start*: from the process to the first outline; of ctx with the index there, and once with none at all;
- *requests*: documentSymbol, hover, definition, workspace/symbol; p50 and p95;
- *right*: how many definitions of the two point to the same line, of those that basedpyright answers inside the tree;
- *memory*: of the server and all it started (PSS: pages that several share count once), before `workspace/symbol`,
  which ctx answers from its index and basedpyright by reading the tree, and after it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index_search import CACHE, CTX, PACKAGE, VERSION, fetch
from python_uses import sample
from report import Row, machine, write_results
from resolve_agreement import work_copy

from ctx.domain.file_uris import path_of_uri, uri_of_path
from ctx.domain.statistics import percentile_ns
from ctx.infrastructure.ast_lsp.lsp_wire import MessageReader, frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from python_uses import Use

PER_STRATUM = 8
PLACES, PLACES_QUICK = 80, 20
STARTS, STARTS_QUICK = 7, 3
SYMBOLS = ("QuerySet", "get_host", "HttpRequest", "migrate", "ModelAdmin", "as_sql", "Paginator", "resolve")
SETTLED_FOR_S = 1.0
WARM_LIMIT_S = 90.0
ANSWER_LIMIT_S = 120.0
MARK = "CTX_BENCHMARK_OF_EDITORS"
METHODS = ("textDocument/documentSymbol", "textDocument/hover", "textDocument/definition", "workspace/symbol")


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer places and starts")
    quick = parser.parse_args().quick
    tree = work_copy(fetch(), CACHE / "editor")
    uses = sample(tree, PER_STRATUM, seed=5)[0]
    wanted = PLACES_QUICK if quick else PLACES
    uses = uses[:: max(1, len(uses) // wanted)][:wanted]
    shutil.rmtree(tree / "_ctx", ignore_errors=True)
    rows = [Row("ctx lsp: first outline, no index there", "ms", first_outline(ctx_line(), tree, uses[0]), "none")]
    subprocess.run([CTX, "index", "--segment", str(tree)], check=True, stdout=subprocess.DEVNULL)
    count = STARTS_QUICK if quick else STARTS
    for name, line in (("ctx lsp", ctx_line()), ("basedpyright", basedpyright_line())):
        taken = sorted(first_outline(line, tree, uses[0]) for _ in range(count))
        rows.append(Row(f"{name}: first outline, p50", "ms", taken[count // 2], "none"))
    ours, theirs = asked("ctx lsp", ctx_line(), tree, uses), asked("basedpyright", basedpyright_line(), tree, uses)
    for method in METHODS:
        for one in (ours, theirs):
            rows += one.rows(method)
    rows += agreement(ours, theirs)
    rows += [row for one in (ours, theirs) for row in one.memory]
    write_results("editor", f"ctx lsp beside basedpyright: {PACKAGE} {VERSION}", rows, machine())


def ctx_line() -> list[str]:
    """Return the command that editors start for ctx."""
    return [CTX, "lsp"]


def basedpyright_line() -> list[str]:
    """Return the command that editors start for basedpyright."""
    return [os.path.join(os.path.dirname(sys.executable), "basedpyright-langserver"), "--stdio"]


@dataclass(slots=True)
class Asked:
    """What a server answered: nanoseconds by method and round, the places of its definitions, its memory."""

    name: str
    took_ns: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    places: list[tuple[str, int] | None] = field(default_factory=list)
    memory: list[Row] = field(default_factory=list)

    def rows(self, method: str) -> list[Row]:
        """Return the percentiles of a method, round by round."""
        found = []
        for (name, which), taken in self.took_ns.items():
            if name == method:
                for at in (50, 95):
                    value = percentile_ns(sorted(taken), numerator=at, denominator=100) / 1e6
                    found.append(
                        Row(f"{self.name}: {method.removeprefix('textDocument/')}, {which}, p{at}", "ms", value, "none")
                    )
        return found


def asked(name: str, line: Sequence[str], tree: Path, uses: Sequence[Use]) -> Asked:
    """Ask a server everything, twice, after it has had the time to become warm."""
    found = Asked(name)
    with Client(line, tree) as client:
        client.warm_up(uses[0])
        for which in ("first", "again"):
            places = []
            for use in uses:
                client.open(use.path)
                at = client.at(use)
                document = {"textDocument": at["textDocument"]}
                for method, params in (
                    ("textDocument/documentSymbol", document),
                    ("textDocument/hover", at),
                    ("textDocument/definition", at),
                ):
                    begun_ns = time.perf_counter_ns()
                    answer = client.request(method, params)
                    found.took_ns.setdefault((method, which), []).append(time.perf_counter_ns() - begun_ns)
                places.append(first_place(answer, tree))
            found.places = places
        found.memory.append(Row(f"{name}: memory after {6 * len(uses)} requests", "MiB", client.memory_mib(), "none"))
        for which in ("first", "again"):
            for word in SYMBOLS:
                begun_ns = time.perf_counter_ns()
                client.request("workspace/symbol", {"query": word})
                taken = time.perf_counter_ns() - begun_ns
                found.took_ns.setdefault(("workspace/symbol", which), []).append(taken)
        memory = client.memory_mib()
        found.memory.append(Row(f"{name}: memory after workspace/symbol", "MiB", memory, "none"))
    return found


def agreement(ours: Asked, theirs: Asked) -> list[Row]:
    """Return how many definitions point to the same line."""
    both = [(one, other) for one, other in zip(ours.places, theirs.places, strict=True) if other is not None]
    same = sum(one == other for one, other in both)
    return [Row("definitions on the same line", "%", 100 * same / max(1, len(both)), "none")]


def first_outline(line: Sequence[str], tree: Path, use: Use) -> float:
    """Return the milliseconds from the process's start to the outline of a file."""
    begun_ns = time.perf_counter_ns()
    with Client(line, tree) as client:
        client.open(use.path)
        client.request("textDocument/documentSymbol", {"textDocument": client.at(use)["textDocument"]})
        return (time.perf_counter_ns() - begun_ns) / 1e6


def first_place(answer: Any, tree: Path) -> tuple[str, int] | None:
    """Return the first place of a definition's answer as a path in the tree and a line; None for none inside."""
    items = answer if isinstance(answer, list) else [answer] if answer else []
    for item in items:
        uri = item.get("targetUri") or item["uri"]
        span = item.get("targetSelectionRange") or item["range"]
        path = os.fsdecode(path_of_uri(uri))
        if path.startswith(f"{tree}/"):
            return path[len(str(tree)) + 1 :], span["start"]["line"]
    return None


class Client:
    """An editor as far as these requests go; what a server asks of it is answered."""

    def __init__(self, line: Sequence[str], tree: Path) -> None:
        self._tree = tree
        self._mark = f"{MARK}={os.urandom(8).hex()}"
        name, _, value = self._mark.partition("=")
        self._process = subprocess.Popen(
            line,
            cwd=tree,
            env=os.environ | {name: value},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._reader = MessageReader()
        self._waiting: list[dict[str, Any]] = []
        self._number = 0
        self._opened: set[str] = set()
        root = uri_of_path(os.fsencode(tree))
        self.request(
            "initialize",
            {
                "processId": os.getpid(),
                "rootUri": root,
                "workspaceFolders": [{"uri": root, "name": tree.name}],
                "capabilities": {
                    "general": {"positionEncodings": ["utf-16"]},
                    "window": {"workDoneProgress": True},
                    "workspace": {"configuration": True, "workspaceFolders": True},
                    "textDocument": {
                        "documentSymbol": {"hierarchicalDocumentSymbolSupport": True},
                        "definition": {"linkSupport": True},
                        "publishDiagnostics": {},
                    },
                },
            },
        )
        self._tell("initialized", {})

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_exc: object) -> None:
        with contextlib.suppress(OSError, EOFError):
            self.request("shutdown", None)
            self._tell("exit", None)
        try:
            self._process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def open(self, path: str) -> None:
        """Open a file of the tree, once."""
        if path not in self._opened:
            self._opened.add(path)
            text = (self._tree / path).read_bytes().decode()
            item = {"uri": self._uri(path), "languageId": "python", "version": 1, "text": text}
            self._tell("textDocument/didOpen", {"textDocument": item})

    def at(self, use: Use) -> dict[str, Any]:
        """Return a use as the protocol has it. The column counts characters there as here: none of them is astral."""
        place = {"line": use.line - 1, "character": use.column - 1}
        return {"textDocument": {"uri": self._uri(use.path)}, "position": place}

    def warm_up(self, use: Use) -> None:
        """Ask until the same hover comes quickly twice in a row, or the time is up."""
        self.open(use.path)
        ends_s, quick = time.monotonic() + WARM_LIMIT_S, 0
        while quick < 2 and time.monotonic() < ends_s:
            begun_s = time.monotonic()
            self.request("textDocument/definition", self.at(use))
            quick = quick + 1 if time.monotonic() - begun_s < 0.1 else 0
            time.sleep(SETTLED_FOR_S)  # a server that is indexing answers in between: it is to have the cores

    def request(self, method: str, params: Any) -> Any:
        """Ask and return the result; an error is the end of the measurement."""
        self._number += 1
        number = self._number
        self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        ends_s = time.monotonic() + ANSWER_LIMIT_S
        while time.monotonic() < ends_s:
            message = self._next()
            if "method" in message:
                if "id" in message:
                    self._send({"jsonrpc": "2.0", "id": message["id"], "result": answer_to(message)})
            elif message.get("id") == number:
                if "error" in message:
                    raise SystemExit(f"{method}: {message['error']}")
                return message["result"]
        raise SystemExit(f"{method}: no answer")

    def memory_mib(self) -> float:
        """Return what the server and all it started take, a host included."""
        total = 0
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and self._mark.encode() in (entry / "environ").read_bytes().split(b"\0"):
                    lines = (entry / "smaps_rollup").read_text().splitlines()
                    total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        return total / 1024

    def _uri(self, path: str) -> str:
        return uri_of_path(os.fsencode(self._tree / path))

    def _tell(self, method: str, params: Any) -> None:
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(frame(message))
        self._process.stdin.flush()

    def _next(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        while not self._waiting:
            data = os.read(self._process.stdout.fileno(), 1 << 20)
            if not data:
                raise EOFError("the server ended")
            self._waiting += self._reader.feed(data)
        return self._waiting.pop(0)


def answer_to(message: dict[str, Any]) -> Any:
    """Return what an editor without settings answers."""
    if message["method"] == "workspace/configuration":
        return [None for _ in message["params"]["items"]]
    return None


if __name__ == "__main__":
    main()
