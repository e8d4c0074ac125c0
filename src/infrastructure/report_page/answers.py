"""What answers handed on: bytes and tokens by mode, what that saved, what found nothing, what caches held."""

from __future__ import annotations

from ...domain.telemetry import figures
from .markup import Markup, tag
from .parts import moment, named, nothing, panel, section
from .plots import Bar, Part, bars, figure, legend
from .tables import Column, table
from .values import Value


def caches(report: Value) -> Markup:
    """Return the section of what did not have to be done again."""
    cache = report["cache"]
    index = cache["index"]
    return section(
        "caches",
        "Caches",
        "A hit is work that was not done again.",
        tag(
            "div",
            panel(
                "Parsed files",
                [
                    ("hit rate", cache["ast"]["rate"].shown(figures.percent)),
                    ("hits", cache["ast"]["hits"].shown(figures.count)),
                    ("misses", cache["ast"]["misses"].shown(figures.count)),
                ],
            ),
            panel(
                "Answers of language servers",
                [
                    ("hit rate", cache["lsp"]["rate"].shown(figures.percent)),
                    ("hits", cache["lsp"]["hits"].shown(figures.count)),
                    ("questions", cache["lsp"]["requests"].shown(figures.count)),
                ],
            ),
            panel(
                "Index",
                [
                    ("updates", index["updates"].shown(figures.count)),
                    ("updates that found no change", index["unchanged_updates"].shown(figures.count)),
                    ("files added", index["files_added"].shown(figures.count)),
                    ("files changed", index["files_changed"].shown(figures.count)),
                    ("files removed", index["files_removed"].shown(figures.count)),
                ],
            ),
            class_="pairs",
        ),
    )


def disclosure(report: Value) -> Markup:
    """Return the section of bytes and tokens by mode."""
    reads, answers = list(report["disclosure"]), list(report["answers"])
    parts: list[object] = []
    if reads:
        drawn = [
            Bar(
                row["mode"].raw,
                f"{figures.size(row['bytes'].raw)} of {figures.size(row['file_bytes'].raw)}, "
                f"{figures.percent(row['share'].raw)}",
                (Part("handed on", row["bytes"].raw, "c1"),),
                whole=row["file_bytes"].raw,
            )
            for row in reads
        ]
        drawing, height = bars(drawn, figures.size)
        plot = figure(
            "bytes",
            "Bytes by mode",
            "handed on, of the files' size",
            height=height,
            says="; ".join(f"{bar.label}: {bar.note}" for bar in drawn),
            drawing=drawing,
            legend=legend([("handed on", "c1"), ("size of the files", "track")]),
        )
        values = table(
            "Bytes by mode of disclosure",
            (
                Column("Mode"),
                Column("Reads", figures.count),
                Column("Handed on", figures.size),
                Column("Files", figures.size),
                Column("Share", figures.percent),
            ),
            [(named(row["mode"]), *(row[key] for key in ("reads", "bytes", "file_bytes", "share"))) for row in reads],
        )
        parts.append(tag("div", plot, values, class_="panels two"))
    if answers:
        parts += [
            tag("h3", "Tokens by kind of answer"),
            table(
                "Tokens by kind of answer",
                (
                    Column("Answer"),
                    Column("Count", figures.count),
                    Column("Tokens", figures.count),
                    Column("Mean", figures.compact, "tokens of an answer"),
                ),
                [
                    (named(row["mode"]), *(row[key] for key in ("count", "output_tokens", "output_tokens_mean")))
                    for row in answers
                ],
            ),
        ]
    return section(
        "disclosure",
        "Disclosure",
        "How much of a file was handed on: its skeleton, an excerpt, or all of it. The text of a context pack is "
        "not counted.",
        parts or nothing("No file was handed on."),
    )


def savings(report: Value) -> Markup:
    """Return the section of what answers saved, with its definition."""
    saved = report["savings"]
    about = [str(saved["definition"].raw or "")]
    if saved["capped"]:
        about.append(" There were more files than are counted: later ones are not credited.")
    whole, get, search = (saved[key].raw for key in ("whole_file_tokens", "get_tokens", "search_tokens"))
    drawn = [
        Bar("files read whole", f"{figures.compact(whole)} tokens", (Part("files read whole", whole, "c6"),)),
        Bar(
            "ctx get and search",
            f"{figures.compact(get + search)} tokens",
            (Part("ctx get", get, "c1"), Part("ctx search", search, "c2")),
        ),
    ]
    drawing, height = bars(drawn, figures.count)
    plot = figure(
        "saved",
        "Shown against whole",
        "tokens",
        height=height,
        says=f"Reading the files whole: {figures.count(whole)} tokens. "
        f"ctx get {figures.count(get)}, ctx search {figures.count(search)}.",
        drawing=drawing,
        legend=legend([("files read whole", "c6"), ("ctx get", "c1"), ("ctx search", "c2")]),
    )
    figures_of = panel(
        "In tokens",
        [
            ("answers", saved["answers"].shown(figures.count)),
            ("of them older, cost only", saved["uncredited"].shown(figures.count)),
            ("files they are from", saved["files"].shown(figures.count)),
            ("the files read whole", saved["whole_file_tokens"].shown(figures.count)),
            ("answers of ctx get", saved["get_tokens"].shown(figures.count)),
            ("answers of ctx search", saved["search_tokens"].shown(figures.count)),
            (tag("b", "saved"), tag("b", saved["saved_tokens"].shown(figures.count))),
            ("share of reading whole", saved["saved_share"].shown(figures.percent)),
        ],
    )
    return section(
        "savings", "Savings", about, tag("div", plot, tag("div", figures_of, class_="pairs"), class_="panels two")
    )


def zero_hits(report: Value) -> Markup:
    """Return the section of searches that found nothing."""
    zero, rows = report["zero_hit"], list(report["zero_hit_queries"])
    about = [
        zero["zero"].shown(figures.count),
        " of ",
        zero["searches"].shown(figures.count),
        " questions found nothing, ",
    ]
    about += [zero["rate"].shown(figures.percent), ". Most frequent first."]
    columns = (Column("Query"), Column("Command"), Column("Times", figures.count), Column("Last (UTC)"))
    cells = [
        (named(row["query"], empty="(empty)"), named(row["cmd"]), row["count"], moment(row["last_ts"])) for row in rows
    ]
    content = (
        table("Queries without a hit", columns, cells, can_filter=True)
        if cells
        else nothing("Every question was answered.")
    )
    return section("zero-hits", "Questions without a hit", about, content)
