"""The record itself: what was read and what is odd in it, losses, trends over time, the slowest runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...domain.telemetry import figures
from .markup import Markup, tag
from .parts import moment, named, nothing, panel, section
from .plots import Series, all_of, figure, legend, trend
from .tables import Cell, Column, table, values_of_plot
from .values import Value

if TYPE_CHECKING:
    from collections.abc import Callable


def oddities(report: Value) -> list[tuple[Value, str]]:
    """Return what is not as it should be in the files, as (how many, what); empty for a clean record."""
    return [(report["events"][key], words) for key, words in figures.ODDITIES if report["events"][key]]


def sources(report: Value) -> Markup:
    """Return the section of what was read."""
    events, selection, runs = report["events"], report["selection"], report["runs"]
    chosen: list[object] = []
    if selection["last"]:
        chosen = [" Of these, the last ", selection["last"].shown(figures.count), " runs."]
    if selection["since"]:
        chosen += [" Only events since ", moment(selection["since"]), " UTC."]
    about = [events["selected"].shown(figures.count), " of ", events["read"].shown(figures.count), " events.", chosen]
    notes = [tag("li", words, ": ", number.shown(figures.count)) for number, words in oddities(report)]
    notes += [tag("li", "too many to count all: ", tag("bdi", what.raw)) for what in report["capped"]]
    columns = (
        Column("Segment"),
        Column("Id"),
        Column("Files", figures.count),
        Column("Size", figures.size),
        Column("Events", figures.count),
    )
    rows = [
        (named(row["segment"]), named(row["segment_id"]), row["files"], row["bytes"], row["events"])
        for row in report["sources"]
    ]
    lines = [("read", "read"), ("selected", "selected"), *((words, key) for key, words in figures.ODDITIES)]
    pairs = tag(
        "div",
        panel(
            "Runs",
            [
                ("started", runs["started"].shown(figures.count)),
                ("ended", runs["ended"].shown(figures.count)),
                ("no end recorded", runs["unended"].shown(figures.count)),
            ],
        ),
        panel("Runs by face", [(key, value.shown(figures.count)) for key, value in runs["by_face"].members()]),
        panel("Runs by exit code", [(key, value.shown(figures.count)) for key, value in runs["exit_codes"].members()]),
        panel(
            "Events",
            [
                *((words.removesuffix(", skipped"), events[key].shown(figures.count)) for words, key in lines),
                ("with a time that cannot be, in no trend", report["trends"]["left_out"].shown(figures.count)),
            ],
        ),
        class_="pairs",
    )
    return section(
        "read",
        "What was read",
        about,
        table("Segments whose events were read", columns, rows, can_filter=len(rows) > 8),
        tag("ul", notes, class_="notes", aria_label="What is odd in the files") if notes else None,
        tag("h3", "Runs"),
        pairs,
    )


def losses(report: Value) -> Markup:
    """Return the section of what was lost and recovered, and of warnings."""
    sink, warnings = report["telemetry"], list(report["warnings"])
    rows = [
        ("events dropped, as later events say", "dropped_seen"),
        ("numbers missing in a process's sequence", "gaps"),
        ("attempted", "attempted"),
        ("written", "written"),
        ("dropped", "dropped"),
        ("recovered from the queue", "recovered"),
        ("damaged metrics.json set aside", "metrics_damaged"),
    ]
    shown = [(words, sink[key].shown(figures.count)) for words, key in rows]
    found = [(tag("span", row["warning"].raw, class_="name"), row["count"]) for row in warnings]
    return section(
        "losses",
        "Losses, recoveries, warnings",
        "What the record itself says about what is missing from it. The counters are of all runs of the segments read.",
        tag("div", panel("In the events", shown[:2]), panel("Counters of all runs", shown[2:]), class_="pairs"),
        tag("h3", "Warnings"),
        table("Warnings of commands", (Column("Warning"), Column("Times", figures.count)), found)
        if found
        else nothing("none"),
    )


_TRENDS: tuple[tuple[str, str, tuple[Series, ...], Callable[..., str], bool], ...] = (
    ("Commands", "", (Series("commands", "commands", "c1"),), figures.count, False),
    (
        "Latency of commands",
        "p50 and p95",
        (Series("p95_ms", "p95", "p95"), Series("p50_ms", "p50", "p50")),
        figures.duration,
        True,
    ),
    ("Tokens of answers", "", (Series("output_tokens", "tokens", "c4"),), figures.compact, False),
    (
        "Language server questions",
        "and fallbacks",
        (Series("lsp_requests", "questions", "c1"), Series("lsp_fallbacks", "fallbacks", "c2")),
        figures.count,
        False,
    ),
    ("Questions without a hit", "", (Series("zero_hits", "questions", "c5"),), figures.count, False),
    ("Events", "", (Series("events", "events", "c6"),), figures.count, False),
)


def trends(report: Value) -> Markup:
    """Return the section of figures over time."""
    buckets, bucket_s = report["trends"]["buckets"], report["trends"]["bucket_s"]
    about = [
        "A column is ",
        bucket_s.shown(lambda seconds: figures.duration(None if seconds is None else seconds * 1000)),
        ". Times are UTC.",
    ]
    if not buckets:
        return section("trends", "Trends", "", nothing("No event has a time."))
    panels = []
    for at, (title, note, series, write, is_line) in enumerate(_TRENDS):
        drawing, height = trend(buckets, bucket_s.raw, series, write, is_line=is_line)
        tops = [max((bucket[each.key].raw or 0 for bucket in buckets), default=0) for each in series]
        says = f"{len(buckets.raw)} columns over time; highest " + ", ".join(
            f"{each.name} {write(top)}" for each, top in zip(series, tops, strict=True)
        )
        key = legend([(each.name, each.class_) for each in series]) if len(series) > 1 else None
        panels.append(figure(f"trend-{at}", title, note, height=height, says=says, drawing=drawing, legend=key))
    columns = (
        Column("Start (UTC)"),
        Column("Runs", figures.count),
        Column("Events", figures.count),
        Column("Commands", figures.count),
        Column("p50", figures.duration),
        Column("p95", figures.duration),
        Column("Tokens", figures.count),
        Column("LSP questions", figures.count),
        Column("LSP fallbacks", figures.count),
        Column("Zero hits", figures.count),
    )
    keys = (
        "runs",
        "events",
        "commands",
        "p50_ms",
        "p95_ms",
        "output_tokens",
        "lsp_requests",
        "lsp_fallbacks",
        "zero_hits",
    )
    rows: list[tuple[Cell, ...]] = [(moment(bucket["start"]), *(bucket[key] for key in keys)) for bucket in buckets]
    return section("trends", "Trends", about, all_of(panels, ""), values_of_plot("all trends", columns, rows))


def top_runs(report: Value) -> Markup:
    """Return the section of the slowest commands and how to look into one."""
    rows = list(report["top_runs"])
    about = [
        "The slowest commands. ",
        tag("code", "ctx telemetry trace RUN_ID -o trace.json"),
        " writes one as nested spans that Perfetto opens.",
    ]
    columns = (
        Column("Run"),
        Column("Command"),
        Column("Face"),
        Column("Duration", figures.duration),
        Column("Ended (UTC)"),
    )
    cells = [
        (named(row["run_id"]), named(row["cmd"]), named(row["face"]), row["duration_ms"], moment(row["ts"]))
        for row in rows
    ]
    content = table("Slowest commands", columns, cells, can_filter=True) if cells else nothing("No command ended.")
    return section("slowest", "Slowest runs", about, content)
