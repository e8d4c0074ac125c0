"""Language servers: lives, READY times, what they answered and why they did not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...domain.telemetry import figures
from .markup import Markup, tag
from .parts import axis_of, distributions, latency_cells, named, nothing, section
from .plots import Bar, Part, bars, figure, legend
from .tables import Column, table
from .values import Value, name

if TYPE_CHECKING:
    from collections.abc import Sequence

REASONS = ("not_ready", "timeout", "error", "crashed", "circuit_open", "no_server")
"""Of fallbacks, in the order of their colours; what else a file says shares the last one."""


def servers(report: Value) -> Markup:
    """Return the section of language servers: lives, READY times, what they answered and why they did not."""
    about = (
        "READY is when a server has shown that it knows the sources: its first diagnostics, or a definition that holds "
        "the name asked for. A fallback is Tree-sitter's answer in a server's place."
    )
    rows = list(report["lsp"]["servers"])
    if not rows:
        return section("servers", "Language servers", about, nothing("No question for a language server."))
    questions = table(
        "Language servers: questions and answers",
        (
            Column("Server"),
            Column("Questions", figures.count, "meant for a server, sent or not"),
            Column("Answered", figures.count),
            Column("Timeouts", figures.count),
            Column("Timeout rate", figures.percent),
            Column("Fallbacks", figures.count),
            Column("Fallback rate", figures.percent),
            Column("From cache", figures.count),
            Column("p50", figures.duration),
            Column("p95", figures.duration),
            Column("Max", figures.duration),
        ),
        [
            (
                named(row["server"]),
                *(
                    row[key]
                    for key in (
                        "requests",
                        "answered",
                        "timeouts",
                        "timeout_rate",
                        "fallbacks",
                        "fallback_rate",
                        "cache_hits",
                    )
                ),
                *latency_cells(row["latency"])[:3],
            )
            for row in rows
        ],
    )
    lives = table(
        "Language servers: lives and waiting",
        (
            Column("Server"),
            Column("Starts", figures.count),
            Column("Failed starts", figures.count),
            Column("Crashes", figures.count),
            Column("Ready", figures.count),
            Column("READY p50", figures.duration, "since the start of the server"),
            Column("READY p95", figures.duration),
            Column("READY max", figures.duration),
            Column("Waited p50", figures.duration, "how long an asker had nothing else to do"),
            Column("Waited p95", figures.duration),
            Column("Waited total", figures.duration),
        ),
        [
            (
                named(row["server"]),
                *(row[key] for key in ("spawns", "spawn_failures", "crashes")),
                row["ready"]["count"],
                *latency_cells(row["ready"])[:3],
                *(row["waited"][key] for key in ("p50_ms", "p95_ms", "sum_ms")),
            )
            for row in rows
        ],
    )
    started = [row for row in rows if row["ready"]["hist"]]
    ready = distributions(
        [(f"ready-{at}", f"{_server_name(row)}: READY", row["ready"]) for at, row in enumerate(started)],
        axis_of(row["ready"] for row in started),
        {f"ready-{at}": _ready_via(row) for at, row in enumerate(started)},
    )
    answer_axis = axis_of(row[key] for row in rows for key in ("latency", "waited"))
    answering = distributions(
        [
            (f"{words}-{at}", f"{_server_name(row)}: {words}", row[key])
            for at, row in enumerate(rows)
            for key, words in (("latency", "answers"), ("waited", "waiting"))
        ]
        + [
            (f"method-{at}-{number}", f"{_server_name(row)}: {method['method'].raw}", method["latency"])
            for at, row in enumerate(rows)
            for number, method in enumerate(row["methods"])
        ],
        answer_axis,
    )
    return section(
        "servers",
        "Language servers",
        about,
        questions,
        lives,
        tag("h3", "Why Tree-sitter answered"),
        _reasons(rows),
        tag("h3", "Time to READY"),
        ready if started else nothing("No server became ready."),
        tag("h3", "By method"),
        _methods(rows),
        tag("details", tag("summary", "Distributions of answers, waiting and methods"), answering, class_="more"),
    )


def _ready_via(row: Value) -> list[object]:
    return [[", ", tag("bdi", via), " ", number.shown(figures.count)] for via, number in row["ready_via"].members()]


def _reasons(rows: Sequence[Value]) -> Markup:
    asked = [row for row in rows if row["fallback_reasons"]]
    if not asked:
        return nothing("No fallback: servers answered every question.")
    drawn = [
        Bar(
            _server_name(row),
            f"{figures.count(row['fallbacks'].raw)} of {figures.count(row['requests'].raw)} questions, "
            f"{figures.percent(row['fallback_rate'].raw)}",
            tuple(
                Part(reason, count.raw, _reason_class(reason))
                for reason, count in sorted(row["fallback_reasons"].members(), key=lambda pair: _reason_order(pair[0]))
            ),
        )
        for row in asked
    ]
    drawing, height = bars(drawn, figures.count)
    found = {reason for row in asked for reason, _count in row["fallback_reasons"].members()}
    key = legend([(reason, _reason_class(reason)) for reason in sorted(found, key=_reason_order)])
    says = "; ".join(
        f"{bar.label}: " + ", ".join(f"{part.name} {figures.count(int(part.value))}" for part in bar.parts)
        for bar in drawn
    )
    values = table(
        "Fallbacks by reason",
        (Column("Server"), Column("Reason"), Column("Fallbacks", figures.count)),
        [
            (named(row["server"]), name(reason), count)
            for row in asked
            for reason, count in row["fallback_reasons"].members()
        ],
    )
    plot = figure("reasons", "Fallbacks by reason", "", height=height, says=says, drawing=drawing, legend=key)
    return tag("div", plot, values, class_="panels two")


def _reason_order(reason: str) -> tuple[int, str]:
    return (REASONS.index(reason) if reason in REASONS else len(REASONS), reason)


def _reason_class(reason: str) -> str:
    return f"c{min(_reason_order(reason)[0], 5) + 1}"


def _methods(rows: Sequence[Value]) -> Markup:
    return table(
        "Questions by server and method",
        (
            Column("Server"),
            Column("Method"),
            Column("Questions", figures.count),
            Column("Answered", figures.count),
            Column("Timeouts", figures.count),
            Column("Fallbacks", figures.count),
            Column("p50", figures.duration),
            Column("p95", figures.duration),
            Column("Max", figures.duration),
        ),
        [
            (
                named(row["server"]),
                named(method["method"]),
                *(method[key] for key in ("requests", "answered", "timeouts", "fallbacks")),
                *latency_cells(method["latency"])[:3],
            )
            for row in rows
            for method in row["methods"]
        ],
        can_filter=True,
    )


def _server_name(server: Value) -> str:
    return server["server"].raw or "(none)"
