"""What an agent pays for `ctx mcp` on django's source distribution: schemas, answers, time, memory.

Tokens are counted as ctx counts them (cl100k_base). An answer has two forms, and clients show one or the other: both
are counted. Times are at the client, over the pipe. Writes results/agent.json and .md beside this file.
"""

from __future__ import annotations

import argparse
import asyncio
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

from index_search import CTX, PACKAGE, QUESTIONS, VERSION, fetch
from mcp import Client, StdioServerParameters
from report import Row, machine, write_results

from ctx.infrastructure.agent.tools import INSTRUCTIONS
from ctx.infrastructure.process_tree import resident_bytes, tree_of
from ctx.infrastructure.tokenizer import BpeTokenCounter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mcp.types import CallToolResult

SYMBOLS = ("QuerySet", "get_object_or_404", "ModelAdmin", "prefetch_related_objects", "ImproperlyConfigured")
count = BpeTokenCounter().count


def main() -> None:
    """Measure and write the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="one repeat")
    options.add_argument("--tree", type=Path, help="an unpacked source distribution; default: downloaded once")
    given = options.parse_args()
    repeats = 1 if given.quick else 5
    with tempfile.TemporaryDirectory(prefix="ctx-bench-") as folder:
        tree = Path(folder) / "django"
        shutil.copytree(given.tree or fetch(), tree, symlinks=True, ignore=shutil.ignore_patterns("_ctx"))
        (tree / ".git").mkdir(exist_ok=True)
        rows = asyncio.run(first_contact(tree))
        rows += asyncio.run(answers(tree))
        rows += asyncio.run(starts(tree, repeats))
        # The warm host that the servers share ends by itself, two seconds later; the folder goes now.
        subprocess.run([CTX, "daemon", "stop", "--segment", str(tree)], capture_output=True, check=False)
    write_results("agent", f"ctx mcp: {PACKAGE} {VERSION}", rows, machine())


async def connected(tree: Path, body: Callable[[Client], Awaitable[None]], mode: str = "auto") -> None:
    """Run a conversation with a server of its own."""
    server = StdioServerParameters(command=CTX, args=["mcp"], cwd=tree, env=dict(os.environ))
    async with Client(server, mode=mode, read_timeout_seconds=300) as client:
        await body(client)


async def first_contact(tree: Path) -> list[Row]:
    """Measure schemas, and the first calls while the index is built."""
    rows: list[Row] = []

    async def body(client: Client) -> None:
        tools = (await client.list_tools()).tools
        whole = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]
        asked = [{key: tool[key] for key in ("name", "description", "inputSchema")} for tool in whole]
        rows.append(Row("schemas: names, descriptions, arguments", "tokens", tokens(asked), "<= 640"))
        rows.append(Row("schemas with those of the answers", "tokens", tokens(whole), "none"))
        rows.append(Row("instructions", "tokens", count(INSTRUCTIONS), "<= 40"))
        started = time.perf_counter()
        await client.call_tool("ctx_status", {})
        rows.append(Row("ctx_status while the index is built", "ms", ms_since(started), "none"))
        started = time.perf_counter()
        found = await client.call_tool("ctx_search", {"query": QUESTIONS[0]})
        rows.append(Row("first search while the index is built", "ms", ms_since(started), "none"))
        while not found.structured_content["complete"]:
            found = await client.call_tool("ctx_search", {"query": QUESTIONS[0]})
        rows.append(Row("from the first call to a complete answer", "ms", ms_since(started), "none"))

    await connected(tree, body)
    return rows


async def answers(tree: Path) -> list[Row]:
    """Measure answers to the development questions, warm."""
    rows: list[Row] = []

    async def body(client: Client) -> None:
        await client.call_tool("ctx_search", {"query": "warm up"})
        await client.call_tool("ctx_map", {})
        searches = [await timed(client, "ctx_search", {"query": question}) for question in QUESTIONS]
        rows.extend(figures("ctx_search, 20 questions", searches))
        best = [found.structured_content["hits"][0]["id"] for found, _ms in searches]
        rows.extend(figures("ctx_get of each first hit", [await timed(client, "ctx_get", {"id": one}) for one in best]))
        rows.extend(figures("ctx_map", [await timed(client, "ctx_map", {}) for _ in range(5)]))
        rows.extend(figures("ctx_resolve", [await timed(client, "ctx_resolve", {"symbol": one}) for one in SYMBOLS]))
        refs = [await timed(client, "ctx_refs", {"symbol": one}) for one in SYMBOLS]
        rows.extend(figures("ctx_refs", refs))
        server = next(pid for pid in tree_of(os.getpid())[1:] if b"mcp" in Path(f"/proc/{pid}/cmdline").read_bytes())
        rows.append(Row("memory of the server after all of this", "MB", resident_bytes(server) / 1e6, "none"))

    await connected(tree, body)
    return rows


async def starts(tree: Path, repeats: int) -> list[Row]:
    """Measure from the start of the process to the handshake, in turn with an interpreter that imports the SDK."""
    rows: list[Row] = []
    import_ms = []
    for _ in range(repeats):
        started = time.perf_counter()
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", "import mcp.server.lowlevel")
        await process.wait()
        import_ms.append(ms_since(started))
    for mode in ("auto", "legacy"):
        shake_ms, list_ms, memory = [], [], []

        async def body(client: Client, list_ms: list[float] = list_ms, memory: list[float] = memory) -> None:
            shaken = time.perf_counter()
            await client.list_tools()
            list_ms.append(ms_since(shaken))
            await client.call_tool("ctx_search", {"query": QUESTIONS[0]})
            server = tree_of(os.getpid())[1]
            memory.append(resident_bytes(server) / 1e6)

        for _ in range(repeats):
            started = time.perf_counter()
            await connected(tree, lambda client: shaken(client, started, shake_ms, body), mode)  # noqa: B023 - awaited here
        rows.append(Row(f"start to handshake, {mode}, p50", "ms", statistics.median(shake_ms), "none"))
        rows.append(Row(f"tools/list, {mode}, p50", "ms", statistics.median(list_ms), "none"))
        rows.append(Row(f"memory after one search, {mode}", "MB", statistics.median(memory), "none"))
    rows.append(Row("interpreter that imports the SDK, p50", "ms", statistics.median(import_ms), "none"))
    return rows


async def shaken(client: Client, started: float, into: list[float], body: Callable[[Client], Awaitable[None]]) -> None:
    """Note the time of a finished handshake and go on."""
    into.append(ms_since(started))
    await body(client)


async def timed(client: Client, tool: str, arguments: dict[str, Any]) -> tuple[CallToolResult, float]:
    """Return an answer and the milliseconds it took."""
    started = time.perf_counter()
    found = await client.call_tool(tool, arguments)
    took = ms_since(started)
    assert not found.is_error, found.content
    return found, took


def figures(what: str, found: list[tuple[CallToolResult, float]]) -> list[Row]:
    """Return means of both forms and the times of some answers."""
    texts = [count(one.content[0].text) for one, _ms in found]
    objects = [tokens(one.structured_content) for one, _ms in found]
    times = sorted(took for _one, took in found)
    return [
        Row(f"{what}: text, mean", "tokens", statistics.mean(texts), "none"),
        Row(f"{what}: object, mean", "tokens", statistics.mean(objects), "none"),
        Row(f"{what}: largest form of any answer", "tokens", max(texts + objects), "<= 8000"),
        Row(f"{what}: p50", "ms", times[len(times) // 2], "none"),
        Row(f"{what}: p95", "ms", times[min(int(0.95 * len(times)), len(times) - 1)], "none"),
    ]


def tokens(value: Any) -> int:
    """Return what an object costs as it travels."""
    return count(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def ms_since(started: float) -> float:
    """Return the milliseconds since a time of the performance counter."""
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    main()
