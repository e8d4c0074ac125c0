"""`ctx telemetry report`: what the record says, as text for people, as JSON, as a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ... import __version__
from ...domain.errors import UsageError
from ...domain.telemetry.figures import many
from .runner import EXIT_NOTHING, EXIT_OK, Outcome, look_and_show, progress, spelled

if TYPE_CHECKING:
    from collections.abc import Callable

    from .paint import Painter

COMMAND = "telemetry report"
_OPTION = "--html"
_PROGRESS_SHIFT = 20  # a bar counts MiB


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What the command line says: `html` is None when no page is wanted."""

    places: tuple[str, ...] = ()
    last: int | None = None
    since: str = ""
    recursive: bool = False
    html: str | None = None


def run_report(options: ReportOptions, *, segment: str | None, as_json: bool) -> int:
    """`ctx telemetry report`: show it, and write the page when one is wanted; exit code 1 when there is nothing."""
    return look_and_show(COMMAND, lambda: _report(options, segment), as_json=as_json)


def _report(options: ReportOptions, segment: str | None) -> Outcome:
    if options.html is not None:
        _check_page(options.html)  # before the reading, which may take a while
    document = _document(options, segment)
    events = document["events"]
    if not events["selected"]:
        return Outcome(document, lambda _paint: _nothing(events), EXIT_NOTHING)
    if options.html is not None:
        _write_page(options.html, document)
    return Outcome(document, _text(document, options.html or ""), EXIT_OK)


def _check_page(path: str) -> None:
    from ..output_file import STDOUT, check_target
    from ..report_page import START

    if path == STDOUT:
        raise UsageError(f"{_OPTION} -: standard output has the report as text; give a file, such as report.html")
    check_target(path, replaces=True, own=START.encode(), option=_OPTION)


def _write_page(path: str, document: dict[str, Any]) -> None:
    from ..output_file import output_stream
    from ..report_page import START, page

    with output_stream(path, replaces=True, own=START.encode(), option=_OPTION) as stream:
        stream.write(page(document))


def _document(options: ReportOptions, segment: str | None) -> dict[str, Any]:
    from ...application.telemetry_report import telemetry_report
    from ..clock import SystemClock
    from ..event_scan import EventScan
    from ..event_sources import default_places, sources_of

    sources = sources_of(default_places(options.places, segment), is_recursive=options.recursive)
    with progress("reading, MiB") as tell:
        document: dict[str, Any] = telemetry_report(
            EventScan(sources),
            SystemClock(),
            last=options.last,
            since=options.since,
            version=__version__,
            on_progress=lambda done, total: tell(done >> _PROGRESS_SHIFT, total >> _PROGRESS_SHIFT),
        )
    return document


def _nothing(events: dict[str, Any]) -> str:
    if events["read"]:
        return (
            f"none of {many(events['read'], 'event')} is in what was asked for; give a longer --since, or leave it out"
        )
    if lines := sum(events[key] for key in ("unreadable", "too_long", "foreign", "future")):
        return (
            f"none of {many(lines, 'line')} is an event that can be read; `ctx telemetry validate` says what they are"
        )
    return "no event is there yet; run a ctx command in the segment, then look again"


def _text(document: dict[str, Any], wrote: str) -> Callable[[Painter], str]:
    def text(paint: Painter) -> str:
        from .telemetry_report_text import report_text

        said = report_text(document, paint)
        return f"{said}\n\nThe page is written: {paint('path', spelled(wrote))}" if wrote else said

    return text
