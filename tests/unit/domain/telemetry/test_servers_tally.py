"""What language servers did."""

from __future__ import annotations

from typing import Any

from tests.telemetry_lines import event

from ctx.domain.telemetry.report import report_document
from ctx.domain.telemetry.report_tally import ReportTally
from ctx.domain.telemetry.servers_tally import METHODS_MAX, SERVERS_MAX
from ctx.domain.telemetry.tally_values import OTHER


def tally_of(*events: dict[str, Any]) -> ReportTally:
    tally = ReportTally(1 << 60)
    for each in events:
        tally.add(each)
    return tally


def servers_of(tally: ReportTally) -> list[dict[str, Any]]:
    document = report_document(tally, generated_us=0, version="1", counters=None, redact=lambda text: text)
    found: list[dict[str, Any]] = document["lsp"]["servers"]
    return found


def of(server: str, method: str = "definition") -> dict[str, Any]:
    return {"server": server, "method": method}


def test_a_servers_life_is_counted() -> None:
    """Starts that failed, the time until READY and what showed it, crashes; an end that was asked for is none."""
    (found,) = servers_of(
        tally_of(
            event("lsp.spawn", args={"server": "ty"}, result={"status": "ok"}),
            event("lsp.spawn", args={"server": "ty"}, result={"status": "error"}),
            event("lsp.initialize", args={"server": "ty"}, result={"status": "timeout"}),
            event("lsp.initialize", args={"server": "ty"}, result={"status": "crashed"}),
            event("lsp.ready", args={"server": "ty"}, result={"ready_via": "diagnostics"}, duration_ns=5_000_000),
            event(
                "lsp.ready", args={"server": "ty"}, result={"ready_via": "definition"}, duration_ns=None, timing_ms=0
            ),
            event("lsp.exit", args={"server": "ty"}, result={"crashed": True}),
            event("lsp.exit", args={"server": "ty"}, result={}, crashed=True),
            event("lsp.exit", args={"server": "ty"}, result={"crashed": False, "requested": True}),
        )
    )
    assert (2, 2, 2) == tuple(found[key] for key in ("spawns", "spawn_failures", "crashes"))
    assert (1, 5.0) == (found["ready"]["count"], found["ready"]["max_ms"])
    assert {"definition": 1, "diagnostics": 1} == found["ready_via"]
    assert (0, None, None) == tuple(found[key] for key in ("requests", "timeout_rate", "fallback_rate"))


def test_questions_are_counted_by_server_and_method() -> None:
    """The server that was asked most first; the one that was not there has no name."""
    first, second = servers_of(
        tally_of(
            event("lsp.definition", args=of("ty"), result={"status": "answered"}, duration_ns=1_000_000, waited_ns=7),
            event(
                "lsp.definition", args=of("ty"), result={"status": "answered"}, duration_ns=3_000_000, cache_hit=True
            ),
            event(
                "lsp.hover", args=of("ty", "hover"), result={"status": "timeout"}, duration_ns=9_000_000, waited_ns=-1
            ),
            event("lsp.timeout", args=of("ty", "hover")),
            event("lsp.fallback", args=of("ty", "hover"), result={"reason": "timeout"}),
            event("lsp.definition", args=of(""), result={"status": "no_server"}, duration_ns=None, timing_ms=0),
            event("lsp.fallback", args=of(""), result={"reason": "no_server"}),
        )
    )
    assert ("ty", 3, 2, 1, 1, 1 / 3, 1 / 3, 1, {"timeout": 1}) == tuple(
        first[key]
        for key in (
            "server",
            "requests",
            "answered",
            "timeouts",
            "fallbacks",
            "timeout_rate",
            "fallback_rate",
            "cache_hits",
            "fallback_reasons",
        )
    )
    assert (3, 3.0, 9.0) == tuple(first["latency"][key] for key in ("count", "p50_ms", "max_ms"))
    assert (2, 7 / 1e6) == tuple(first["waited"][key] for key in ("count", "max_ms"))
    assert [("definition", 2, 2, 0, 0), ("hover", 1, 0, 1, 1)] == [
        tuple(each[key] for key in ("method", "requests", "answered", "timeouts", "fallbacks"))
        for each in first["methods"]
    ]
    assert ("", 1, 0, 1.0, 0) == tuple(
        second[key] for key in ("server", "requests", "answered", "fallback_rate", "spawns")
    )
    assert {"hits": 1, "requests": 4, "rate": 0.25} == tally_of(
        *(event("lsp.hover", args=of("ty"), cache_hit=number == 0) for number in range(4))
    ).servers.cache()


def test_servers_and_methods_beyond_the_limits_count_as_other() -> None:
    """A client can make up any name of either."""
    tally = tally_of(
        *(event("lsp.hover", args=of(f"server {number}")) for number in range(SERVERS_MAX + 5)),
        *(event("lsp.timeout", args=of("server 0", f"method {number}")) for number in range(METHODS_MAX + 5)),
    )
    found = {each["server"]: each for each in servers_of(tally)}
    assert tally.servers.is_full
    assert (SERVERS_MAX + 1, 5) == (len(found), found[OTHER]["requests"])
    methods = {each["method"]: each["timeouts"] for each in found["server 0"]["methods"]}
    assert (METHODS_MAX + 1, 6) == (len(methods), methods[OTHER])
