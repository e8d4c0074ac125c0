"""What real commands leave in the telemetry: every metric of a search, nothing lost or doubled, sums that agree."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from tests.editor_client import RawEditor
from tests.language_server_scenarios import DEFINITION, Scenario, ScriptedServer, asked_in_vain, hang
from tests.made_secrets import Maker
from tests.mcp_lines import LineClient

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Sandbox

PACK_TEXTS = (
    "def charge_card(number: str, cents: int) -> str:\n    '''Ask the bank for money.'''\n    return bank(cents)\n",
    "Refunds are booked back to the card that paid, within 14 days.\n",
)
"""What a hand-made pack adds: places that are not in the tree."""


def _write_pack(sandbox: Sandbox) -> None:
    chunks = [
        {"id": "charge", "path": "bank/charge.py", "kind": "function", "name": "charge_card", "text": PACK_TEXTS[0]},
        {"id": "refunds", "path": "bank/refunds.txt", "text": PACK_TEXTS[1]},
    ]
    sandbox.write({"_ctx/context_pack.json": json.dumps({"schema_version": 1, "segment": "shop", "chunks": chunks})})


def _of(events: list[dict[str, Any]], cmd: str) -> list[dict[str, Any]]:
    return [event for event in events if event["cmd"] == cmd]


def test_full_search_flow_logs_all_metrics(repository: Sandbox) -> None:
    """A search on a segment with a pack finds the pack's text and logs the search, the read and its bytes."""
    _write_pack(repository)
    pack_bytes = sum(len(text.encode()) for text in PACK_TEXTS)

    found = repository.json("search", "charge_card")

    assert "bank/charge.py" == found["hits"][0]["path"]
    events = repository.events()
    (search,) = _of(events, "ctx.search")
    assert "charge_card" == search["args"]["query"]
    assert len(found["hits"]) == search["result"]["hits"]
    assert [hit["id"] for hit in found["hits"]] == search["result"]["returned_ids"]
    assert pack_bytes <= search["bytes_read"]
    assert 0 < search["duration_ns"]
    assert found["total_tokens"] == search["tokens"]["retrieved_tokens"]
    (read,) = _of(events, "file.read")
    assert {"file": "_ctx/context_pack.json", "mode": "raw"} == read["args"]
    assert pack_bytes <= read["result"]["bytes"] == search["bytes_read"]
    assert ["command.start", "command.end"] == [e["cmd"] for e in events if e["cmd"].startswith("command.")]
    (end,) = _of(events, "command.end")
    assert search["bytes_read"] == end["bytes_read"] == end["raw_bytes"]
    assert 0 == end["result"]["exit_code"]
    assert 1 == len(_of(events, "index.update")) == len(_of(events, "index.search"))
    assert list(range(1, len(events) + 1)) == [event["seq"] for event in events]
    last_run = repository.telemetry_file("last_run.json")
    assert search["bytes_read"] == last_run["file_read"]["raw_bytes"] == last_run["file_read"]["total_bytes"]
    assert 1 == last_run["latencies"]["ctx.search"]["count"]
    assert last_run["pack_state"]["stale_detected"] is False
    assert 16 == len(last_run["pack_state"]["pack_sha"])


def test_filters_are_told_alike_by_every_face(repository: Sandbox) -> None:
    """What narrows a search or a map is in its event, redacted like a query, and what was not given is not."""
    key = next(made.secret for made in Maker(5).providers() if made.kind == "github")
    filters: dict[str, Any] = {"kind": "class", "lang": "python", "path": "!tests"}
    searched = {"query": "cart", "mode": "search", **filters, "focus": ["shop/jobs.py", "[REDACTED:github]"]}
    listed = {"query": "Cart(", "mode": "literal", **filters, "path": "[REDACTED:github]"}
    mapped = {"files": ["shop"], "mode": "map", "focus": ["shop/jobs.py"]}
    narrowed = ("--kind", "class", "--lang", "python")

    repository.run("search", "cart", *narrowed, "--path", "!tests", "--focus", "shop/jobs.py", "--focus", key)
    repository.run("search", "-F", "Cart(", *narrowed, "--path", key)
    repository.run("map", "shop", "--focus", "shop/jobs.py")
    repository.run("search", "cart")

    agent = LineClient(repository.start("mcp", stdin=subprocess.PIPE))
    agent.handshake()
    agent.call("ctx_search", {"query": "cart", **filters, "focus": ["shop/jobs.py", key]})
    agent.call("ctx_search", {"query": "Cart(", "mode": "literal", **filters, "path": key})
    agent.call("ctx_map", {"paths": ["shop"], "focus": ["shop/jobs.py"]})
    agent.call("ctx_search", {"query": "cart"})
    assert 0 == agent.end()

    editor = RawEditor(repository)
    editor.initialize()
    for command, arguments in (
        ("ctx.search", {"query": "cart", **filters, "focus": ["shop/jobs.py", key]}),
        ("ctx.search", {"query": "Cart(", "literal": True, **filters, "path": key}),
        ("ctx.map", {"paths": ["shop"], "focus": ["shop/jobs.py"]}),
        ("ctx.search", {"query": "cart"}),
    ):
        # Refused or not: the answer is waited for, as what an end overtakes is not done.
        editor.answer(editor.begin("workspace/executeCommand", {"command": command, "arguments": [arguments]}))
    editor.ask("shutdown", None)
    editor.tell("exit", None)
    editor.process.wait(60)
    editor.end()

    asked: dict[str, list[dict[str, Any]]] = {"cli": [], "mcp": [], "lsp": []}
    for event in repository.events():
        if event["cmd"] in {"ctx.search", "ctx.map"}:
            kept = {name: value for name, value in event["args"].items() if name not in {"limit", "budget_token_est"}}
            asked[event["face"]].append(kept)
    expected = [searched, listed, mapped, {"query": "cart", "mode": "search"}]
    assert {"cli": expected, "mcp": expected, "lsp": expected} == asked


def test_bytes_of_a_get_are_those_it_printed(repository: Sandbox) -> None:
    """What `ctx get` accounts for at each mode is the UTF-8 length of the text it handed on."""
    for mode in ("skeleton", "excerpt", "raw"):
        (item,) = repository.json("get", "shop/session.py#SignedCookie", "--mode", mode)["items"]
        printed = len(item["text"].encode())
        last_run = repository.telemetry_file("last_run.json")
        assert printed == last_run["file_read"][f"{mode}_bytes"], mode
        assert item["tokens"] == last_run["tokens"]["ctx.get"]["retrieved_tokens"]


STORE = "shop/cart.py:22:21"
"""Where the cart calls `store` of a signed cookie, which shop/session.py defines."""


def _asking(server: ScriptedServer, deadline_ms: int) -> dict[str, str]:
    """Return the settings by which a command asks this server, under the name of a known one."""
    return {
        "CTX_LSP_ENABLED": "1",
        "CTX_LSP_COMMANDS": f"ty={shlex.join(server.command)}",
        "CTX_LSP_COLD": "ty",
        "CTX_LSP_DEADLINE_MS": str(deadline_ms),
    }


def test_lsp_lifecycle_complete(repository: Sandbox, tmp_path: Path) -> None:
    """A command that asks a cold server tells its life in order, each part once, and leaves nothing of it."""
    repository.ok("index")
    with ScriptedServer(tmp_path / "server") as server:
        found = repository.json("resolve", STORE, env=_asking(server, 60_000))
        assert [] == server.left()
    assert ("lsp:ty", True, "answered") == (found["resolved_by"], found["complete"], found["server"]["status"])
    assert ["SignedCookie.store"] == [candidate["qualname"] for candidate in found["found"]]
    run_id = repository.telemetry_file("last_run.json")["run_id"]
    events = [event for event in repository.events() if event["run_id"] == run_id]
    life = ("lsp.spawn", "lsp.initialize", "lsp.ready", "lsp.definition")
    assert list(life) == [event["cmd"] for event in events if event["cmd"] in life]
    (asked,) = _of(events, "lsp.definition")
    assert {"server": "ty", "method": "definition", "file": "shop/cart.py", "symbol": "store", "line": 22} == asked[
        "args"
    ]
    assert (True, "shop/session.py", 14) == tuple(
        asked["result"][key] for key in ("resolved", "target_file", "target_line")
    )
    (ready,) = _of(events, "lsp.ready")
    last_run = repository.telemetry_file("last_run.json")
    assert {
        "lsp_spawn_count": 1,
        "lsp_ready_count": 1,
        "lsp_timeout_count": 0,
        "lsp_fallback_count": 0,
        "lsp_timeout_rate": 0.0,
        "lsp_request_timeout_rate": 0.0,
        "lsp_fallback_rate": 0.0,
    } == last_run["lsp"]
    assert (1, 0.0, 1, ready["timing_ms"]) == tuple(
        last_run["lsp_servers"]["ty"][key] for key in ("request_count", "fallback_rate", "ready_count", "ready_ms_mean")
    )
    assert 1 == last_run["latencies"]["lsp.definition"]["count"]


def test_fallback_on_lsp_timeout(repository: Sandbox, tmp_path: Path) -> None:
    """A server that hangs costs its deadline; answer and grade are Tree-sitter's, and both are counted."""
    repository.ok("index")
    alone = repository.json("resolve", STORE)
    deadlines: list[int] = []

    def ask(deadline_ms: int) -> dict[str, Any]:
        deadlines.append(deadline_ms)
        with ScriptedServer(tmp_path / str(deadline_ms), Scenario({DEFINITION: [[hang()]]})) as server:
            answer = repository.json("resolve", STORE, env=_asking(server, deadline_ms))
            assert [] == server.left()
            return answer

    found = asked_in_vain(ask)
    for key in ("found", "total", "resolved_by", "complete", "reason"):
        assert alone[key] == found[key], key
    assert ("tree_sitter", "timeout", None) == (found["resolved_by"], found["server"]["status"], alone["server"])
    last_run = repository.telemetry_file("last_run.json")
    assert (1, 1, 1, 1.0, 1.0) == tuple(
        last_run["lsp"][key]
        for key in (
            *("lsp_spawn_count", "lsp_timeout_count", "lsp_fallback_count"),
            *("lsp_request_timeout_rate", "lsp_fallback_rate"),
        )
    )
    events = [event for event in repository.events() if event["run_id"] == last_run["run_id"]]
    (timeout,) = _of(events, "lsp.timeout")
    (fallback,) = _of(events, "lsp.fallback")
    assert (deadlines[-1], "tree_sitter") == (timeout["result"]["timeout_ms"], timeout["fallback_to"])
    assert ("timeout", "tree_sitter") == (fallback["result"]["reason"], fallback["fallback_to"])


@pytest.mark.parametrize("count", [3, 32])
def test_concurrent_commands_no_corruption(repository: Sandbox, count: int) -> None:
    """Commands at the same time on an indexed segment lose no event, write none twice and add up their counters."""
    repository.ok("index")
    before = len(repository.events())
    queries = [f"signed cookie number{n}" for n in range(count)]

    started = [repository.start("search", query, "--json") for query in queries]
    runs = [repository.finish(process) for process in started]

    assert [(0, "")] * count == [(run.exit_code, run.err) for run in runs]
    events = repository.events()[before:]
    run_ids = {event["run_id"] for event in events}
    assert count == len(run_ids)
    for cmd in ("command.start", "ctx.search", "command.end"):
        assert Counter(dict.fromkeys(run_ids, 1)) == Counter(event["run_id"] for event in _of(events, cmd)), cmd
    assert sorted(queries) == sorted(event["args"]["query"] for event in _of(events, "ctx.search"))
    for run_id in run_ids:
        numbers = [event["seq"] for event in events if event["run_id"] == run_id]
        assert list(range(1, len(numbers) + 1)) == sorted(numbers)
    metrics = repository.telemetry_file("metrics.json")
    assert count == metrics["ctx_search_count"]
    assert before + len(events) == metrics["telemetry_events_written"] == metrics["telemetry_events_attempted"]


def test_summary_consistency(repository: Sandbox) -> None:
    """`metrics_delta` summed over the runs is `metrics.json`, and p50 <= p95 <= max for every command."""
    sums: Counter[str] = Counter()
    for arguments in (
        ("search", "shipping costs"),
        ("get", "shop/cart.py"),
        ("get", "shop/cart.py#Cart.add_line", "--mode", "raw"),
        ("get", "no/such/file.py"),
        ("search", "zzqqxx"),
        ("index",),
        ("build",),
        ("validate",),
        ("search", "x", "--budget", "-1"),
        ("stats",),
    ):
        repository.run(*arguments)
        last_run = repository.telemetry_file("last_run.json")
        sums.update(last_run["metrics_delta"])
        for cmd, row in last_run["latencies"].items():
            assert 0 <= row["p50_ms"] <= row["p95_ms"] <= row["max_ms"], cmd
        assert last_run["telemetry"]["attempted"] == last_run["metrics_delta"]["telemetry_events_attempted"]
        parts = (last_run["file_read"][f"{mode}_bytes"] for mode in ("skeleton", "excerpt", "raw"))
        assert sum(parts) == last_run["file_read"]["total_bytes"]
    assert dict(+sums) == {name: n for name, n in repository.telemetry_file("metrics.json").items() if n}
    events = repository.events()
    assert len(events) == sums["telemetry_events_written"]
    assert 3 == sums["ctx_get_count"] == len(_of(events, "ctx.get"))
