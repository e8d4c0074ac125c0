"""`ctx telemetry export`: events in forms that other programs read."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ... import __version__
from ...application.telemetry_export import signals_of
from ...domain.errors import NotFoundError, UsageError
from ...domain.source_files import display_path
from ...domain.telemetry.figures import many
from ..event_selection import selection
from ..event_sources import default_places, sources_of
from ..outgoing_events import OutgoingEvents
from ..output_file import STDOUT, check_apart, check_target, interrupted_text, output_stream, temporary_beside
from ..services import say
from .runner import EXIT_OK, progress, reading, write_to_end

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ...domain.telemetry.records import Record

COMMAND = "telemetry export"
FORMATS = ("otlp", "csv", "sqlite", "parquet")
_STREAMS = ("otlp", "csv")
_TELL_EVERY = 4096
_KIB_STEP = 32


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What `ctx telemetry export` was asked for."""

    places: tuple[str, ...]
    form: str
    output: str
    signal: str
    last: int | None
    since: str
    recursive: bool
    force: bool


def run_export(options: ExportOptions, *, segment: str | None) -> int:
    """`ctx telemetry export`: write the selected events; exit code 1 when there is none."""
    return write_to_end(COMMAND, lambda: _export(options, segment), interrupted=interrupted_text(options.output))


def _export(options: ExportOptions, segment: str | None) -> int:
    signals = _check(options)
    with reading():
        sources = sources_of(default_places(options.places, segment), is_recursive=options.recursive)
        check_apart(options.output, (path for source in sources for path in source.paths))
        selected = selection(sources, last=options.last, since=options.since)
    events = OutgoingEvents(sources, selected.takes)
    with progress("exporting KiB") as tell:
        records = _found(_told(events, tell))
        if options.form in _STREAMS:
            from ..telemetry_exports import write_csv, write_otlp

            with output_stream(options.output, replaces=options.force) as stream:
                if options.form == "csv":
                    count = write_csv(records, stream)
                else:
                    count = write_otlp(records, stream, signals=signals, version=__version__)
        else:
            target = check_target(options.output, replaces=options.force)
            with temporary_beside(target, replaces=options.force) as temporary:
                count = _database_writer(options.form)(records, temporary)
    if events.skipped:
        say(
            f"left out: {many(events.skipped, 'line')} that cannot be read as events; ctx telemetry validate says which"
        )
    if options.output != STDOUT:
        say(f"{many(count, 'event')} in {display_path(os.fsencode(options.output))}")
    return EXIT_OK


def _check(options: ExportOptions) -> tuple[str, ...]:
    """Return the signals wanted, after all that can be said before anything is read."""
    if options.form not in FORMATS:
        raise UsageError(f"--format must be {', '.join(FORMATS[:-1])} or {FORMATS[-1]}, found {options.form[:60]!r}")
    signals = signals_of(options.signal)
    if options.form != "otlp" and options.signal != "all":
        raise UsageError(f"--signal is for --format otlp; {options.form} has one table of all events")
    if options.output != STDOUT:
        check_target(options.output, replaces=options.force)
    elif options.form not in _STREAMS:
        raise UsageError(f"--format {options.form} needs a file: give --output FILE")
    if options.form == "parquet":
        from ..telemetry_parquet import check_parquet

        check_parquet()
    return signals


def _database_writer(form: str) -> Callable[[Iterable[Record], str], int]:
    if form == "sqlite":
        from ..telemetry_exports import write_sqlite

        return write_sqlite
    from ..telemetry_parquet import write_parquet

    return write_parquet


def _told(events: OutgoingEvents, tell: Callable[[int, int], None]) -> Iterator[Record]:
    """Yield the records, telling how far the reading is."""
    total_kib = events.size_bytes() >> 10
    with reading():
        for number, record in enumerate(events):
            if not number % _TELL_EVERY:
                tell(min(events.read_bytes >> 10, total_kib) // _KIB_STEP * _KIB_STEP, total_kib)
            yield record


def _found(records: Iterator[Record]) -> Iterator[Record]:
    """Yield the records; raises NotFoundError when there is none, before anything is written under its name."""
    is_empty = True
    for record in records:
        is_empty = False
        yield record
    if is_empty:
        raise NotFoundError("no event was found; run a ctx command there first, or take --last and --since wider")
