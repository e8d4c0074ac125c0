"""`ctx telemetry`: the command line of everything that looks at, checks and takes away what was recorded."""

from __future__ import annotations

from typing import Annotated

import typer

telemetry = typer.Typer(
    help="Look at what commands cost, check it, take it away. Nothing is sent anywhere.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Places = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[PLACE]...",
        help="Segments, telemetry folders or event files; default: the segment (--segment or the one around here).",
        show_default=False,
    ),
]
Recursive = Annotated[bool, typer.Option("--recursive", "-r", help="Take every segment in and below the places.")]
Since = Annotated[
    str, typer.Option(metavar="WHEN", help="Only events since then: 90s, 30m, 12h, 7d, 2w, or a date and time.")
]
Last = Annotated[
    int | None, typer.Option("--last", "-n", min=1, metavar="N", help="Only the last N runs.", show_default=False)
]
Segment = Annotated[
    str | None,
    typer.Option("--segment", "-s", metavar="DIR", help="The segment, when no place is given.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


@telemetry.command("report")
def report(
    places: Places = None,
    last: Last = None,
    since: Since = "",
    recursive: Recursive = False,
    html: Annotated[
        str | None, typer.Option(metavar="FILE", help="Also write a page that opens without a network.")
    ] = None,
    segment: Segment = None,
    as_json: AsJson = False,
) -> None:
    """Show latencies, language servers, caches, bytes and tokens, savings, losses and trends.

    Exit code 1 means that no event was found.
    """
    from .telemetry_report_command import ReportOptions, run_report

    options = ReportOptions(tuple(places or ()), last, since, recursive, html)
    raise typer.Exit(run_report(options, segment=segment, as_json=as_json))


@telemetry.command("tail")
def tail(
    places: Places = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Begin with this many of the last events.")] = 10,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as events come, across rotation.")] = False,
    cmd: Annotated[str, typer.Option("--cmd", metavar="PREFIX", help="Only events whose name begins so.")] = "",
    run: Annotated[str, typer.Option("--run", metavar="RUN_ID", help="Only events of this run.")] = "",
    recursive: Recursive = False,
    segment: Segment = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the lines as they are in the file.")] = False,
) -> None:
    """Show the latest events, one line each; with --follow until it is interrupted.

    With --recursive it looks for segments that come later, through a thousand folders a second.
    """
    from .telemetry_tail_command import TailOptions, run_tail

    options = TailOptions(tuple(places or ()), lines, follow, cmd, run, recursive)
    raise typer.Exit(run_tail(options, segment=segment, as_json=as_json))


@telemetry.command("trace")
def trace(
    run_id: Annotated[
        str, typer.Argument(metavar="[RUN_ID]", help="The run; default: the last one that ended.", show_default=False)
    ] = "",
    places: Places = None,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="Where to write it; - is standard output.")
    ] = "-",
    recursive: Recursive = False,
    segment: Segment = None,
) -> None:
    """Write one run as Chrome trace-event JSON: nested spans, with the life of its language servers.

    Open it in Perfetto (ui.perfetto.dev, which reads it in the browser) or chrome://tracing. Without RUN_ID a place can
    stand alone.
    """
    from .telemetry_trace_command import run_trace

    raise typer.Exit(run_trace(run_id, tuple(places or ()), output=output, is_recursive=recursive, segment=segment))


@telemetry.command("export")
def export(
    places: Places = None,
    form: Annotated[str, typer.Option("--format", metavar="otlp|csv|sqlite|parquet", help="What to write.")] = "otlp",
    output: Annotated[
        str,
        typer.Option("--output", "-o", metavar="FILE", help="Where to write it; - is standard output (otlp and csv)."),
    ] = "-",
    signal: Annotated[
        str, typer.Option("--signal", metavar="all|traces|logs|metrics", help="Which of OTLP's signals.")
    ] = "all",
    last: Last = None,
    since: Since = "",
    recursive: Recursive = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    segment: Segment = None,
) -> None:
    """Write the events in a form that other programs read; redaction is applied again on the way out.

    Exit code 1 means that no event was found.
    """
    from .telemetry_export_command import ExportOptions, run_export

    options = ExportOptions(tuple(places or ()), form, output, signal, last, since, recursive, force)
    raise typer.Exit(run_export(options, segment=segment))


@telemetry.command("validate")
def validate(
    places: Places = None,
    strict: Annotated[bool, typer.Option("--strict", help="What is only odd (a gap, a new field) fails, too.")] = False,
    recursive: Recursive = False,
    segment: Segment = None,
    as_json: AsJson = False,
) -> None:
    """Check every line, metrics.json and last_run.json against the published schema; exit code 1 when one is wrong."""
    from .telemetry_validate_command import run_validate

    code = run_validate(tuple(places or ()), is_strict=strict, is_recursive=recursive, segment=segment, as_json=as_json)
    raise typer.Exit(code)


@telemetry.command("schema")
def schema() -> None:
    """Print the JSON Schema of an event line; docs/telemetry.schema.json is the same."""
    from .telemetry_validate_command import run_schema

    raise typer.Exit(run_schema())


@telemetry.command("prune")
def prune(
    places: Places = None,
    keep: Annotated[
        int | None,
        typer.Option("--keep", min=0, metavar="N", help="Keep the newest N rotated files (3).", show_default=False),
    ] = None,
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="AGE", help="Remove rotated files that end before: 12h, 7d, 2w.")
    ] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="Remove every event, the counters and the last summary.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    recursive: Recursive = False,
    segment: Segment = None,
    as_json: AsJson = False,
) -> None:
    """Remove old events. Without --keep, --older-than or --all the newest three rotated files stay, as ever."""
    from .telemetry_prune_command import PruneOptions, run_prune

    options = PruneOptions(tuple(places or ()), keep, older_than, everything, dry_run, recursive)
    raise typer.Exit(run_prune(options, segment=segment, as_json=as_json))
