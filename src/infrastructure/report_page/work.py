"""Commands and operations: how often, how long, how many tokens."""

from __future__ import annotations

from ...domain.telemetry import figures
from .markup import Markup, tag
from .parts import LATENCY_COLUMNS, axis_of, distributions, failed, latency_cells, named, nothing, section
from .plots import small_distribution
from .tables import Column, chips, table
from .values import Value


def commands(report: Value) -> Markup:
    """Return the section of ctx's own commands: latencies and tokens."""
    rows = list(report["commands"])
    if not rows:
        return section("commands", "Commands", "", nothing("No command ended in this time."))
    axis = axis_of(row["latency"] for row in rows)
    columns = (
        Column("Command"),
        Column("Count", figures.count),
        Column("Failed", figures.count, "ended with an error"),
        *LATENCY_COLUMNS,
        Column("Distribution", hint="On one logarithmic axis; lines at p50 and p95", is_sortable=False),
        Column("Faces", is_sortable=False),
    )
    cells = [
        (
            named(row["cmd"]),
            row["count"],
            failed(row["errors"]),
            *latency_cells(row["latency"]),
            small_distribution(row["cmd"].raw, row["latency"], axis),
            chips(f"Faces of {row['cmd'].raw}", list(row["by_face"].members()), figures.count),
        )
        for row in rows
    ]
    return section(
        "commands",
        "Commands",
        "What people, editors and agents asked for, most used first. A percentile is an observed duration: of n sorted "
        "samples the one at rank floor(q·n).",
        table("Commands: how often, how long, by which face", columns, cells, can_filter=True),
        tag("h3", "Latency distributions"),
        distributions([(f"latency-{at}", row["cmd"].raw, row["latency"]) for at, row in enumerate(rows)], axis),
        tag("h3", "Tokens of answers"),
        table(
            "Tokens by command",
            (
                Column("Command"),
                Column("Answers", figures.count, "events that reported tokens"),
                Column("Output", figures.count, "tokens of what was printed"),
                Column("Total", figures.count, "input and output"),
                Column("Retrieved", figures.count, "tokens of the texts that were found and handed on"),
                Column("Mean", figures.compact, "total tokens of an answer"),
            ),
            [
                (
                    named(row["cmd"]),
                    *(
                        row["tokens"][key]
                        for key in ("count", "output_tokens", "total_tokens", "retrieved_tokens", "total_tokens_mean")
                    ),
                )
                for row in rows
            ],
        ),
    )


def operations(report: Value) -> Markup:
    """Return the section of what commands are made of."""
    rows = list(report["operations"])
    about = "What commands consist of: parsing, reading, index and language server work."
    if not rows:
        return section("operations", "Operations", about, nothing("None was recorded."))
    axis = axis_of(row["latency"] for row in rows)
    columns = (
        Column("Operation"),
        Column("Count", figures.count),
        Column("Failed", figures.count),
        *LATENCY_COLUMNS,
        Column("Distribution", hint="On one logarithmic axis; lines at p50 and p95", is_sortable=False),
    )
    cells = [
        (
            named(row["cmd"]),
            row["count"],
            failed(row["errors"]),
            *latency_cells(row["latency"]),
            small_distribution(row["cmd"].raw, row["latency"], axis),
        )
        for row in rows
    ]
    panels = distributions([(f"operation-{at}", row["cmd"].raw, row["latency"]) for at, row in enumerate(rows)], axis)
    folded = tag("details", tag("summary", "Latency distributions of operations"), panels, class_="more")
    return section(
        "operations",
        "Operations",
        about,
        table("Operations: how often, how long", columns, cells, can_filter=True),
        folded,
    )
