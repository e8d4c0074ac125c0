"""The sections of the page, in the order of the questions people have: what it cost, what failed, what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...domain.telemetry import figures
from .answers import caches, disclosure, savings, zero_hits
from .markup import Markup, tag
from .record import losses, sources, top_runs, trends
from .servers import servers
from .values import Value
from .work import commands, operations

if TYPE_CHECKING:
    from collections.abc import Callable


def tiles(report: Value) -> Markup:
    """Return the few figures that most questions begin with."""
    used, asked_servers = list(report["commands"]), list(report["lsp"]["servers"])
    errors = sum(command["errors"].raw for command in used)
    asked = sum(server["requests"].raw for server in asked_servers)
    lost = sum(server["fallbacks"].raw for server in asked_servers)
    saved, zero, sink = report["savings"], report["zero_hit"], report["telemetry"]
    rows: list[tuple[object, object, object]] = [
        (
            "Runs",
            report["runs"]["started"].shown(figures.count),
            [report["runs"]["unended"].shown(figures.count), " without an end"],
        ),
        (
            "Commands",
            figures.count(sum(command["count"].raw for command in used)),
            tag("span", f"{figures.count(errors)} failed", class_="bad" if errors else None),
        ),
        *(
            (
                [tag("bdi", command["cmd"].raw), ", p50"],
                command["latency"]["p50_ms"].shown(figures.duration),
                _p95_note(command),
            )
            for command in used[:1]
        ),
        (
            "Fallback rate",
            figures.percent(lost / asked if asked else None),
            f"{figures.count(lost)} of {figures.count(asked)} questions for servers",
        ),
        (
            "Parse cache",
            report["cache"]["ast"]["rate"].shown(figures.percent),
            [report["cache"]["ast"]["hits"].shown(figures.count), " hits"],
        ),
        (
            "Tokens saved",
            saved["saved_tokens"].shown(figures.compact),
            [saved["saved_share"].shown(figures.percent), " of reading files whole"],
        ),
        (
            "Questions without a hit",
            zero["rate"].shown(figures.percent),
            [zero["zero"].shown(figures.count), " of ", zero["searches"].shown(figures.count)],
        ),
        (
            "Events lost",
            sink["dropped_seen"].shown(figures.count),
            [sink["gaps"].shown(figures.count), " missing in sequence"],
        ),
    ]
    return tag(
        "dl",
        [
            tag("div", tag("dt", label), tag("dd", tag("span", big, class_="big"), tag("span", note, class_="note")))
            for label, big, note in rows
        ],
        class_="tiles",
    )


def _p95_note(command: Value) -> list[object]:
    return [
        "p95 ",
        command["latency"]["p95_ms"].shown(figures.duration),
        ", ",
        command["count"].shown(figures.count),
        " times",
    ]


SECTIONS: tuple[tuple[str, str, Callable[[Value], Markup]], ...] = (
    ("commands", "Commands", commands),
    ("servers", "Language servers", servers),
    ("savings", "Savings", savings),
    ("disclosure", "Disclosure", disclosure),
    ("trends", "Trends", trends),
    ("zero-hits", "Zero hits", zero_hits),
    ("slowest", "Slowest runs", top_runs),
    ("caches", "Caches", caches),
    ("operations", "Operations", operations),
    ("losses", "Losses", losses),
    ("read", "What was read", sources),
)
