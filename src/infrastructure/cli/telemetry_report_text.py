"""The report as tables for a terminal of 80 columns or more; plain lines in a pipe."""

from __future__ import annotations

import io
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...domain.telemetry import figures
from ...domain.telemetry.log_axis import LogAxis
from ...domain.terminal_text import without_controls

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console, RenderableType

    from .paint import Painter

SHOWN_ROWS = 10
"""Of long lists; the document and the page have all of them."""
PIPE_COLUMNS = 160
"""In a pipe nothing is folded to a window; a query has at most 120 characters."""
_COLUMNS_MIN = 60
_DISTRIBUTION_COLUMNS = 12
_DISTRIBUTION_FROM_COLUMNS = 80
"""In a narrower window names would be folded to two letters a line to make room for it."""
_TREND_COLUMNS = 60


def report_text(document: dict[str, Any], paint: Painter) -> str:
    """Return the report for people."""
    return _Report(document, paint).text()


@dataclass(frozen=True, slots=True)
class _Column:
    heading: str
    is_number: bool = True
    style: str = ""


class _Report:
    def __init__(self, document: dict[str, Any], paint: Painter) -> None:
        self.document = document
        encoding = (sys.stdout.encoding or "ascii").lower()
        self.is_unicode = encoding.startswith("utf")
        self.blocks = figures.BLOCKS if self.is_unicode else figures.ASCII_BLOCKS
        self.out = io.StringIO()
        self.console = self._console(paint)

    def _console(self, paint: Painter) -> Console:
        from rich.console import Console

        columns = shutil.get_terminal_size((PIPE_COLUMNS, 24)).columns
        return Console(
            file=self.out,
            width=max(columns, _COLUMNS_MIN),
            force_terminal=paint.paints,
            color_system="standard" if paint.paints else None,
            highlight=False,
            markup=False,
            emoji=False,
            legacy_windows=False,
        )

    def text(self) -> str:
        """Return all sections, one after the other."""
        self._read()
        self._commands()
        self._operations()
        self._servers()
        self._caches()
        self._disclosure()
        self._savings()
        self._zero_hits()
        self._losses()
        self._trends()
        self._slowest()
        lines = [line.rstrip() for line in self.out.getvalue().splitlines()]
        text = "\n".join(lines).strip("\n")
        return text if self.is_unicode else text.replace(figures.UNKNOWN, "-").replace("µ", "u").replace("…", "...")

    # ------------------------------------------------------------------ how it is put on the page

    def _heading(self, title: str, note: str = "") -> None:
        from rich.text import Text

        self.console.print()
        self.console.print(Text.assemble((title, "bold"), (f"  {note}" if note else "", "dim")))

    def _line(self, text: str, style: str = "", *, indent: int = 0) -> None:
        from rich.padding import Padding
        from rich.text import Text

        self.console.print(Padding(Text(self._clean(text), style=style), (0, 0, 0, indent), expand=False))

    def _row(self, name: str, text: str) -> None:
        from rich.text import Text

        self.console.print(Text.assemble("  ", (f"{name:<16} ", "dim"), text))

    def _clean(self, text: str) -> str:
        """Return a text of somebody's on one line, without what would steer a terminal or move a column."""
        whole = text.encode("utf-8", "backslashreplace").decode()  # half a character has no width
        return without_controls(" ".join(whole.split()))

    def _table(self, columns: Sequence[_Column], rows: Iterable[Sequence[str]]) -> None:
        from rich.padding import Padding
        from rich.table import Table

        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for column in columns:
            table.add_column(
                column.heading,
                justify="right" if column.is_number else "left",
                no_wrap=column.is_number,
                overflow="fold",
                style=column.style,
            )
        for row in rows:
            table.add_row(*self._cells(row))
        self.console.print(Padding(table, (0, 0, 0, 2)))

    def _cells(self, row: Sequence[str]) -> Iterable[RenderableType]:
        from rich.text import Text

        return [Text(cell if set(cell) <= set(self.blocks) else self._clean(cell)) for cell in row]

    def _pairs(self, found: dict[str, int]) -> str:
        return ", ".join(f"{key or '(none)'} {figures.count(number)}" for key, number in found.items()) or "none"

    # ------------------------------------------------------------------ sections

    def _read(self) -> None:
        document = self.document
        events, runs, selection = document["events"], document["runs"], document["selection"]
        names = [row["segment"] for row in document["sources"]]
        period = f"{figures.moment(events['first_ts'])} to {figures.moment(events['last_ts'])} UTC"
        self._line(f"Telemetry of {figures.segments(names)}, {period}", "bold")
        self._line(f"{figures.count(events['selected'])} of {figures.many(events['read'], 'event')}")
        if selection["last"]:
            self._line(f"only the last {figures.many(selection['last'], 'run')}")
        if selection["since"]:
            self._line(f"only since {figures.moment(selection['since'])} UTC")
        unended = f", {figures.count(runs['unended'])} without an end" if runs["unended"] else ""
        self._line(f"{figures.many(runs['started'], 'run')}{unended}; {self._pairs(runs['by_face'])}")
        self._line(f"exit codes: {self._pairs(runs['exit_codes'])}")
        for key, words in figures.ODDITIES:
            if events[key]:
                self._line(f"note: {words}: {figures.count(events[key])}", "yellow")
        for what in document.get("capped", ()):
            self._line(f"note: too many to count all: {what}", "yellow")
        if len(names) > 1:
            columns = (_Column("segment", is_number=False), _Column("events"), _Column("files"), _Column("size"))
            rows = document["sources"]
            self._table(
                columns,
                [
                    (
                        self._segment(row, names),
                        figures.count(row["events"]),
                        str(row["files"]),
                        figures.size(row["bytes"]),
                    )
                    for row in rows[:SHOWN_ROWS]
                ],
            )
            self._more(len(rows))

    def _segment(self, row: dict[str, Any], names: Sequence[str]) -> str:
        """Return the name of a segment, with its id where another one has the same name."""
        name = row["segment"] or "(no name)"
        return f"{name} ({row['segment_id']})" if names.count(row["segment"]) > 1 else name

    def _more(self, rows: int) -> None:
        if rows > SHOWN_ROWS:
            self._line(f"… and {figures.count(rows - SHOWN_ROWS)} more (--json and --html have all)", "dim", indent=2)

    def _axis(self, latencies: Iterable[dict[str, Any]]) -> LogAxis:
        return LogAxis.around([latency["hist"] for latency in latencies if latency["hist"]])

    def _distribution(self, latency: dict[str, Any], axis: LogAxis) -> str:
        histogram = latency["hist"]
        if not histogram:
            return ""
        columns = axis.rebinned(histogram["edges_ms"], histogram["counts"], _DISTRIBUTION_COLUMNS)
        return figures.sparkline(columns, self.blocks)

    def _times(self, latency: dict[str, Any]) -> tuple[str, ...]:
        return tuple(figures.duration(latency[key]) for key in ("p50_ms", "p95_ms", "max_ms"))

    def _span(self, axis: LogAxis) -> str:
        return f"distributions from {figures.duration(axis.lower_ms)} to {figures.duration(axis.upper_ms)}, logarithmic"

    def _commands(self) -> None:
        if self.document["commands"]:
            self._latencies("Commands", "command", self.document["commands"])
        else:
            self._heading("Commands")
            self._line("no command ended", indent=2)

    def _operations(self) -> None:
        if self.document["operations"]:
            self._latencies("Operations", "operation", self.document["operations"])

    def _latencies(self, title: str, what: str, rows: Sequence[dict[str, Any]]) -> None:
        """Write how often each was and how long it took; of commands how many tokens they handed on, too."""
        axis = self._axis(row["latency"] for row in rows)
        has_room = self.console.width >= _DISTRIBUTION_FROM_COLUMNS
        has_tokens = "tokens" in rows[0]
        self._heading(title, self._span(axis) if has_room else "")
        columns = [_Column(what, is_number=False, style="bold" if has_tokens else "")]
        columns += [_Column(heading) for heading in ("count", "failed", "p50", "p95", "max")]
        columns += [_Column("tokens")] if has_tokens else []
        columns += [_Column("distribution", is_number=False, style="cyan")] if has_room else []
        self._table(
            columns,
            [
                (
                    row["cmd"].removeprefix("ctx."),
                    figures.count(row["count"]),
                    figures.count(row["errors"]),
                    *self._times(row["latency"]),
                    *((self._tokens(row),) if has_tokens else ()),
                    *((self._distribution(row["latency"], axis),) if has_room else ()),
                )
                for row in rows
            ],
        )

    def _tokens(self, command: dict[str, Any]) -> str:
        tokens = command["tokens"]
        return figures.compact(tokens["output_tokens"]) if tokens["count"] else ""

    def _servers(self) -> None:
        rows = self.document["lsp"]["servers"]
        self._heading("Language servers")
        if not rows:
            self._line("no question for a language server", indent=2)
            return
        columns = (
            _Column("server", is_number=False, style="bold"),
            *(_Column(heading) for heading in ("asked", "timeouts", "fallbacks", "cached", "p50", "p95", "max")),
        )
        self._table(
            columns,
            [
                (
                    row["server"] or "(none)",
                    figures.count(row["requests"]),
                    figures.percent(row["timeout_rate"]),
                    figures.percent(row["fallback_rate"]),
                    figures.count(row["cache_hits"]),
                    *self._times(row["latency"]),
                )
                for row in rows
            ],
        )
        if any(row["spawns"] for row in rows):
            headings = ("starts", "failed", "crashes", "ready", "READY p50", "p95", "max")
            self._table(
                (_Column("server", is_number=False, style="bold"), *(_Column(heading) for heading in headings)),
                [
                    (
                        row["server"] or "(none)",
                        *(figures.count(row[key]) for key in ("spawns", "spawn_failures", "crashes")),
                        figures.count(row["ready"]["count"]),
                        *self._times(row["ready"]),
                    )
                    for row in rows
                    if row["spawns"]
                ],
            )
        for row in rows:
            if row["fallback_reasons"]:
                self._line(f"{row['server'] or '(none)'} fell back: {self._pairs(row['fallback_reasons'])}", indent=2)

    def _caches(self) -> None:
        cache = self.document["cache"]
        self._heading("Caches")
        ast, lsp, index = cache["ast"], cache["lsp"], cache["index"]
        hits = f"{figures.count(ast['hits'])} of {figures.count(ast['hits'] + ast['misses'])}"
        self._row("parsed files", f"{figures.percent(ast['rate'])} hits, {hits}")
        hits = f"{figures.count(lsp['hits'])} of {figures.count(lsp['requests'])}"
        self._row("server answers", f"{figures.percent(lsp['rate'])} hits, {hits}")
        self._row(
            "index",
            f"{figures.count(index['updates'])} updates, {figures.count(index['unchanged_updates'])}"
            f" without a change; files +{figures.count(index['files_added'])} ~{figures.count(index['files_changed'])}"
            f" -{figures.count(index['files_removed'])}",
        )

    def _disclosure(self) -> None:
        reads, answers = self.document["disclosure"], self.document["answers"]
        if not reads and not answers:
            return
        self._heading("Disclosure", "what was handed on of files, and tokens of answers")
        if reads:
            columns = (
                _Column("mode", is_number=False),
                *(_Column(heading) for heading in ("reads", "handed on", "files", "share")),
            )
            self._table(
                columns,
                [
                    (
                        row["mode"],
                        figures.count(row["reads"]),
                        figures.size(row["bytes"]),
                        figures.size(row["file_bytes"]),
                        figures.percent(row["share"]),
                    )
                    for row in reads
                ],
            )
        if answers:
            columns = (
                _Column("answer", is_number=False),
                *(_Column(heading) for heading in ("count", "tokens", "mean")),
            )
            self._table(
                columns,
                [
                    (
                        row["mode"],
                        figures.count(row["count"]),
                        figures.count(row["output_tokens"]),
                        figures.compact(row["output_tokens_mean"]),
                    )
                    for row in answers
                ],
            )

    def _savings(self) -> None:
        saved = self.document["savings"]
        self._heading("Savings")
        self._line(
            f"{figures.count(saved['saved_tokens'])} tokens saved"
            + (f", {figures.percent(saved['saved_share'])}" if saved["saved_share"] is not None else "")
            + f": {figures.count(saved['files'])} files whole {figures.count(saved['whole_file_tokens'])}, "
            f"get {figures.count(saved['get_tokens'])}, search {figures.count(saved['search_tokens'])}",
            indent=2,
        )
        self._line(str(saved["definition"]), "dim", indent=2)

    def _zero_hits(self) -> None:
        zero, rows = self.document["zero_hit"], self.document["zero_hit_queries"]
        note = f"{figures.count(zero['zero'])} of {figures.count(zero['searches'])}, {figures.percent(zero['rate'])}"
        self._heading("Questions without a hit", note)
        if not rows:
            return
        columns = (_Column("times"), *(_Column(heading, is_number=False) for heading in ("command", "query")))
        shown = rows[:SHOWN_ROWS]
        self._table(
            columns,
            [
                (figures.count(row["count"]), row["cmd"].removeprefix("ctx."), row["query"] or "(empty)")
                for row in shown
            ],
        )
        self._more(len(rows))

    def _losses(self) -> None:
        sink, warnings = self.document["telemetry"], self.document["warnings"]
        self._heading("Losses and recoveries")
        self._row(
            "in the events", f"{figures.count(sink['dropped_seen'])} dropped, {figures.count(sink['gaps'])} missing"
        )
        if sink["attempted"] is not None:
            names = ("attempted", "written", "dropped", "recovered")
            said = ", ".join(f"{figures.count(sink[name])} {name}" for name in names)
            self._row("of all runs", said)
        if sink["metrics_damaged"]:
            self._line(f"damaged metrics.json set aside: {figures.count(sink['metrics_damaged'])}", "yellow", indent=2)
        if warnings:
            columns = (_Column("times"), _Column("warning", is_number=False))
            shown = [(figures.count(row["count"]), row["warning"]) for row in warnings[:SHOWN_ROWS]]
            self._table(columns, shown)
            self._more(len(warnings))

    def _trends(self) -> None:
        trends = self.document["trends"]
        buckets = trends["buckets"]
        if len(buckets) < 2:
            return
        # As many buckets side by side as there are columns; the sum, or the greatest of times, stands for each.
        together = -(-len(buckets) // _TREND_COLUMNS)
        groups = [buckets[at : at + together] for at in range(0, len(buckets), together)]
        begin, end = figures.moment(buckets[0]["start"]), figures.moment(buckets[-1]["start"])
        step = figures.duration(trends["bucket_s"] * together * 1000.0)
        self._heading("Trends", f"{begin} to {end}, a column is {step}")
        rows = []
        for name, key in (("commands", "commands"), ("p95", "p95_ms"), ("tokens", "output_tokens")):
            values = [_together([bucket[key] for bucket in group], is_time=key == "p95_ms") for group in groups]
            write = figures.duration if key == "p95_ms" else figures.compact
            rows.append((name, figures.sparkline(values, self.blocks), write(max((v for v in values if v), default=0))))
        self._table(
            (_Column("", is_number=False), _Column("", is_number=False, style="cyan"), _Column("highest")), rows
        )

    def _slowest(self) -> None:
        rows = self.document["top_runs"]
        if not rows:
            return
        self._heading("Slowest runs", "`ctx telemetry trace RUN_ID -o trace.json` shows one")
        columns = (_Column("took"), *(_Column(name, is_number=False) for name in ("command", "face", "run", "ended")))
        self._table(
            columns,
            [
                (
                    figures.duration(row["duration_ms"]),
                    row["cmd"].removeprefix("ctx."),
                    row["face"] or "",
                    row["run_id"],
                    figures.moment(row["ts"]),
                )
                for row in rows[:SHOWN_ROWS]
            ],
        )
        self._more(len(rows))


def _together(values: Sequence[float | None], *, is_time: bool) -> float | None:
    known = [value for value in values if value is not None]
    return (max(known) if is_time else sum(known)) if known else None
