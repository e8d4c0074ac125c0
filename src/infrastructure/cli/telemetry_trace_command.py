"""`ctx telemetry trace`: one run as a file that trace viewers open."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ... import __version__
from ...application.telemetry_trace import RunChooser, trace_of
from ...domain.terminal_text import without_controls
from ..event_sources import default_places, sources_of
from ..outgoing_events import OutgoingEvents
from ..output_file import STDOUT, check_target, interrupted_text, output_stream
from ..services import say
from .runner import EXIT_OK, reading, write_to_end

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMAND = "telemetry trace"
_BEGIN = b'{"traceEvents":['


def run_trace(run_id: str, places: tuple[str, ...], *, output: str, is_recursive: bool, segment: str | None) -> int:
    """`ctx telemetry trace`: write the trace of a run, the last that ended when none is named.

    What is given first is a place when it is one: other telemetry commands take nothing else.
    """
    if os.path.exists(run_id):
        run_id, places = "", (run_id, *places)

    def write() -> int:
        return _write(run_id, places, output, segment, is_recursive=is_recursive)

    return write_to_end(COMMAND, write, interrupted=interrupted_text(output))


def _write(run_id: str, places: tuple[str, ...], output: str, segment: str | None, *, is_recursive: bool) -> int:
    import orjson

    if output != STDOUT:
        check_target(output, replaces=True, own=_BEGIN)  # before the reading, which may take a while
    chooser = RunChooser()

    def look(event: Mapping[str, Any]) -> bool:
        chooser.see(event)
        return False

    with reading():
        sources = sources_of(default_places(places, segment), is_recursive=is_recursive)
        for _none in OutgoingEvents(sources, look):
            pass  # pragma: no cover - `look` takes none
    key = chooser.chosen(run_id)
    if chooser.segments_of(key.run_id) > 1:
        say(f"{key.run_id} is in several segments; drawn is the one of segment {key.segment_id}, which was active last")
    with reading():
        trace = trace_of(OutgoingEvents(sources, key.is_of), version=__version__)
    with output_stream(output, replaces=True, own=_BEGIN) as stream:
        # One event a line: the file can be read and searched as it is.
        events = trace.pop("traceEvents")
        stream.write(_BEGIN + b"\n")
        stream.write(b",\n".join(orjson.dumps(event) for event in events))
        stream.write(b"\n]," + orjson.dumps(trace)[1:] + b"\n")
    if output != STDOUT:
        drawn = sum(1 for event in events if event["ph"] != "M")
        say(
            f"{without_controls(key.run_id)}: {drawn} spans and instants; open {output} in ui.perfetto.dev or chrome://tracing"
        )
    return EXIT_OK
