"""A day of use, made: hundreds of real ctx commands over three repositories, for telemetry worth looking at.

    python scripts/day_of_use.py --out DIR [--commands 500] [--seed 6] [REPOSITORY ...]

Copies each repository into DIR (default: ctx's own source and two packages it depends on) and works in the copies as
people, an agent and an editor do: questions about what is there and what is not, texts behind the hits, maps, uses,
definitions, edits, mistakes; first from a shell without a warm host, then with one, then over `ctx mcp` and `ctx lsp`.
What is asked is drawn by a seeded generator; what comes of it is real. The telemetry is in DIR/*/_ctx/telemetry.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctx.domain.file_uris import uri_of_path
from ctx.infrastructure.ast_lsp.lsp_wire import MessageReader, frame

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("rich", "pygls")
CTX = (sys.executable, "-P", "-m", "ctx")  # -P: a repository may have a logging.py
COMMAND_LIMIT_S = 120
# Of what a repository is asked: by a shell alone, by one beside a warm host, by an agent; the rest is an editor's.
SHARES = {"cold": 0.35, "warm": 0.45, "agent": 0.12}
KEYWORDS = {ast.FunctionDef: "def", ast.AsyncFunctionDef: "async def", ast.ClassDef: "class"}
UNKNOWN = (
    "kubernetes ingress controller",
    "how are invoices paid by credit card",
    "websocket heartbeat for the chess server",
    "OAuthTokenRefresher",
    "flux capacitor calibration",
    "zzqxv_unfindable",
)
MISTAKES = (
    ("get", "no/such/file.py"),
    ("get", "../../outside.py"),
    ("get", "sym://nowhere/at/all"),
    ("search", "--regex", "(unclosed"),
    ("search", "x", "--kind", "nonsense"),
    ("resolve", "no_such_name_anywhere"),
    ("refs", "missing.py:1:1"),
    ("hover", "NoSuchClass.method"),
    ("map", "no/such/folder"),
    ("search", ""),
)


@dataclass(frozen=True, slots=True)
class Named:
    """A definition in a repository: what people ask about."""

    name: str
    path: str
    line: int
    column: int
    about: str

    @property
    def place(self) -> str:
        """Return where its name stands, as ctx takes a position: from 1."""
        return f"{self.path}:{self.line}:{self.column}"


def main() -> int:
    """Make the day and say what was done."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("repositories", nargs="*", type=Path)
    options.add_argument("--out", type=Path, required=True, help="an empty folder, or one that is made")
    options.add_argument("--commands", type=int, default=500)
    options.add_argument("--seed", type=int, default=6)
    given = options.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if any(given.out.iterdir()):
        sys.exit(f"{given.out}: is not empty; give another folder")
    sources = given.repositories or [ROOT / "src", *(package_folder(name) for name in PACKAGES)]
    done: Counter[str] = Counter()
    for number, source in enumerate(sources):
        name = "ctx" if source == ROOT / "src" else source.name
        copy = given.out.resolve() / name
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__", "_ctx", ".git", "*.so"))
        (copy / ".git").mkdir()
        share = given.commands // len(sources) + (number < given.commands % len(sources))
        done += Day(copy, random.Random(given.seed + number)).spend(share)  # noqa: S311 - the same day again, no secret
    for what, count in done.most_common():
        print(f"{count:>5} {what}")
    print(f"{done.total():>5} commands in {len(sources)} repositories below {given.out}")
    return 0


def package_folder(name: str) -> Path:
    """Return where an installed package's source lies."""
    found = importlib.util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        sys.exit(f"{name} is not installed; give repositories as arguments")
    return Path(found.submodule_search_locations[0])


class Day:
    """What happens in one repository."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self._folder = folder
        self._chance = chance
        self._named = names_in(folder)
        self._files = sorted({named.path for named in self._named})
        self._ids: list[str] = []
        self._edits = 0
        self._done: Counter[str] = Counter()

    def spend(self, commands: int) -> Counter[str]:
        """Run so many commands; return how many of which face and kind there were."""
        counts = {phase: round(commands * share) for phase, share in SHARES.items()}
        for _ in range(counts["cold"]):
            self._shell("cli", {"CTX_DAEMON": "off"})
        self._run(["daemon", "start"], {})
        try:
            for _ in range(counts["warm"]):
                self._shell("cli, warm", {})
            self._agent(counts["agent"])
            self._editor(commands - sum(counts.values()))
        finally:
            self._run(["daemon", "stop"], {})
        return self._done

    # From a shell.

    def _shell(self, face: str, environment: dict[str, str]) -> None:
        steps: dict[Callable[[], list[str]], int] = {
            self._search: 30,
            self._get: 24,
            self._map: 4,
            self._refs: 8,
            self._resolve: 10,
            self._hover: 6,
            self._index: 3,
            self._unknown: 7,
            self._mistake: 6,
            lambda: ["stats"]: 2,
        }
        line = self._chance.choices(list(steps), weights=list(steps.values()))[0]()
        self._done[f"{face}: {line[0]}"] += 1
        output = self._run(line, environment)
        if line[0] == "search" and "--json" in line:
            self._keep_ids(output)

    def _run(self, line: Sequence[str], environment: dict[str, str]) -> str:
        done = subprocess.run(
            [*CTX, *line],
            cwd=self._folder,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_LIMIT_S,
        )
        return done.stdout

    def _keep_ids(self, output: str) -> None:
        hits = json.loads(output).get("hits", ()) if output.strip() else ()
        self._ids = ([hit["id"] for hit in hits[:3]] + self._ids)[:40]

    def _search(self) -> list[str]:
        named = self._one()
        style = self._chance.random()
        if style < 0.45 and named.about:
            query = named.about
        elif style < 0.75:
            query = named.name
        else:
            query = " ".join(sorted({*words_of(named.name), *words_of(self._one().name)})[:4])
        line = ["search", query, "--json", "--limit", str(self._chance.choice((3, 5, 10)))]
        if self._chance.random() < 0.15:
            line += ["--budget", str(self._chance.choice((300, 800, 2000)))]
        if self._chance.random() < 0.12:
            line = ["search", "--regex", rf"def {named.name[:6]}\w*", "--json"]
        return line

    def _get(self) -> list[str]:
        named = self._one()
        target = self._chance.choice(self._ids) if self._ids and self._chance.random() < 0.6 else ""
        target = target or self._chance.choice((named.path, f"{named.path}#{named.name}", f"{named.path}:{named.line}"))
        mode = self._chance.choices(("", "skeleton", "excerpt", "raw"), weights=(5, 2, 3, 1))[0]
        return ["get", target, *(["--mode", mode] if mode else [])]

    def _map(self) -> list[str]:
        line = ["map", "--budget", str(self._chance.choice((500, 1000, 2000)))]
        return [*line, "--focus", self._one().path] if self._chance.random() < 0.5 else line

    def _refs(self) -> list[str]:
        line = ["refs", self._one().name if self._chance.random() < 0.7 else self._one().place]
        return [*line, "--callers"] if self._chance.random() < 0.3 else line

    def _resolve(self) -> list[str]:
        return ["resolve", self._one().place if self._chance.random() < 0.6 else self._one().name]

    def _hover(self) -> list[str]:
        return ["hover", self._one().place]

    def _index(self) -> list[str]:
        self._edits += 1
        path = self._folder / self._chance.choice(self._files)
        with path.open("a", encoding="utf-8") as file:
            file.write(
                f'\n\ndef step_{self._edits}(value: int) -> int:\n    """Return the value of step {self._edits}."""\n'
                "    return value\n"
            )
        return ["index"]

    def _unknown(self) -> list[str]:
        return ["search", self._chance.choice(UNKNOWN), "--json"]

    def _mistake(self) -> list[str]:
        return list(self._chance.choice(MISTAKES))

    def _one(self) -> Named:
        return self._chance.choice(self._named)

    # From an agent and from an editor.

    def _agent(self, calls: int) -> None:
        with Conversation([*CTX, "mcp"], self._folder, is_framed=False) as client:
            client.ask(
                "initialize",
                {
                    "protocolVersion": "2025-06-18",
                    "capabilities": {},
                    "clientInfo": {"name": "day of use", "version": "1"},
                },
            )
            client.tell("notifications/initialized", {})
            for _ in range(calls):
                name, arguments = self._call()
                self._done[f"agent: {name}"] += 1
                answer = client.ask("tools/call", {"name": name, "arguments": arguments}) or {}
                hits = (answer.get("structuredContent") or {}).get("hits") or []
                self._ids = ([hit["id"] for hit in hits[:3] if "id" in hit] + self._ids)[:40]

    def _call(self) -> tuple[str, dict[str, Any]]:
        named = self._one()
        calls: list[tuple[str, dict[str, Any], int]] = [
            ("ctx_search", {"query": named.about or named.name}, 34),
            ("ctx_search", {"query": self._chance.choice(UNKNOWN)}, 5),
            ("ctx_get", {"id": self._chance.choice(self._ids or [named.path])}, 26),
            ("ctx_get", {"id": f"{named.path}#{named.name}", "mode": "raw"}, 8),
            ("ctx_map", {"max_tokens": 1500}, 5),
            ("ctx_resolve", {"symbol": named.place}, 10),
            ("ctx_refs", {"symbol": named.name}, 8),
            ("ctx_status", {}, 4),
        ]
        name, arguments, _weight = self._chance.choices(calls, weights=[weight for _n, _a, weight in calls])[0]
        return name, arguments

    def _editor(self, requests: int) -> None:
        root = uri_of_path(os.fsencode(self._folder))
        with Conversation([*CTX, "lsp"], self._folder, is_framed=True) as client:
            client.ask(
                "initialize",
                {
                    "processId": os.getpid(),
                    "rootUri": root,
                    "workspaceFolders": [{"uri": root, "name": self._folder.name}],
                    "capabilities": {"textDocument": {"definition": {"linkSupport": True}, "publishDiagnostics": {}}},
                },
            )
            client.tell("initialized", {})
            for _ in range(requests):
                named = self._one()
                uri = uri_of_path(os.fsencode(self._folder / named.path))
                text = (self._folder / named.path).read_text(encoding="utf-8")
                item = {"uri": uri, "languageId": "python", "version": 1, "text": text}
                client.tell("textDocument/didOpen", {"textDocument": item})
                method = self._chance.choice(("documentSymbol", "definition", "hover", "references"))
                params: dict[str, Any] = {"textDocument": {"uri": uri}}
                if method != "documentSymbol":
                    params["position"] = {"line": named.line - 1, "character": named.column - 1}
                if method == "references":
                    params["context"] = {"includeDeclaration": True}
                self._done[f"editor: {method}"] += 1
                client.ask(f"textDocument/{method}", params)
                client.tell("textDocument/didClose", {"textDocument": {"uri": uri}})
            client.ask("shutdown", None)
            client.tell("exit", None)


class Conversation:
    """JSON-RPC with a child process: framed as the language server protocol does, or a message a line."""

    def __init__(self, line: Sequence[str], folder: Path, *, is_framed: bool) -> None:
        self._process = subprocess.Popen(
            line, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._is_framed = is_framed
        self._reader = MessageReader()
        self._waiting: list[dict[str, Any]] = []
        self._number = 0

    def __enter__(self) -> Conversation:
        return self

    def __exit__(self, *_exc: object) -> None:
        try:
            self._process.communicate(timeout=30)  # closes its input, which ends it
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def ask(self, method: str, params: Any) -> Any:
        """Return the result of a request, None for an error; answer what is asked meanwhile with nothing."""
        self._number += 1
        number = self._number
        self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        while True:
            message = self._next()
            if "method" in message and "id" in message:
                items = (message.get("params") or {}).get("items")
                result = [None] * len(items) if isinstance(items, list) else None
                self._send({"jsonrpc": "2.0", "id": message["id"], "result": result})
            elif "method" not in message and message.get("id") == number:
                return message.get("result")

    def tell(self, method: str, params: Any) -> None:
        """Send a notification."""
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(frame(message) if self._is_framed else json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()

    def _next(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        if not self._is_framed:
            line = self._process.stdout.readline()
            if not line:
                raise EOFError("the server ended")
            message: dict[str, Any] = json.loads(line)
            return message
        while not self._waiting:
            data = os.read(self._process.stdout.fileno(), 1 << 20)
            if not data:
                raise EOFError("the server ended")
            self._waiting += self._reader.feed(data)
        return self._waiting.pop(0)


def names_in(folder: Path) -> list[Named]:
    """Return every function and class of a repository's Python files, with the first line of its documentation."""
    found = []
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                about = (ast.get_docstring(node) or "").partition("\n")[0].rstrip(".")
                if not node.name.startswith("__"):
                    column = node.col_offset + len(KEYWORDS[type(node)]) + 2
                    found.append(Named(node.name, path.relative_to(folder).as_posix(), node.lineno, column, about))
    return found


def words_of(name: str) -> list[str]:
    """Return the words an identifier is made of."""
    spaced = "".join(f" {char.lower()}" if char.isupper() else char for char in name)
    return spaced.replace("_", " ").split()


if __name__ == "__main__":
    sys.exit(main())
