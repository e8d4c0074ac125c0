"""Telemetry files as they are checked: numbered lines, the two summaries, what waits in the user's state directory.

Nothing here writes, or makes a folder.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..application.telemetry_validate import EventFile, SummaryFile, TelemetryFiles
from ..domain.source_files import display_path
from .event_sources import LINE_BYTES_MAX, identity_of, opened, pass_rest_of_line, sources_of
from .metrics_file import LAST_RUN_FILE, METRICS_FILE
from .regular_file import open_regular
from .state_folder import spill_dir

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from io import BufferedReader

    from ..application.telemetry_validate import Line
    from .event_sources import EventSource, Identity

SUMMARY_BYTES_MAX = 16 << 20
_WAITING_FILES_MAX = 1024


def telemetry_files(places: Sequence[str], *, is_recursive: bool = False) -> tuple[TelemetryFiles, ...]:
    """Return the files of every place; a place that is a file has no summaries.

    Raises: NotFoundError, CtxError as `sources_of` does.
    """
    sources = sources_of(places, is_recursive=is_recursive)
    lone = {(os.path.realpath(place),) for place in places if os.path.isfile(place)}
    is_one = len(sources) == 1
    return tuple(_files_of(source, is_one=is_one, is_lone=source.paths in lone) for source in sources)


def numbered_lines(path: str) -> Iterator[Line]:
    """Yield the lines of a file that are not empty; see `Line`. A file that is gone or no regular file has none."""
    return _numbered(path, identity_of(path))


def _numbered(path: str, identity: Identity | None) -> Iterator[Line]:
    fd = opened(path, identity)
    if fd is None:
        return
    number = 0
    with open(fd, "rb") as file:
        while line := file.readline(LINE_BYTES_MAX + 1):
            number += 1
            size = len(line)
            if line[-1:] == b"\n":
                if line := line.strip():
                    yield number, line, size, True
                else:
                    number += _pass_newlines(file)
            elif size > LINE_BYTES_MAX:
                yield number, b"", size + pass_rest_of_line(file, None), True
            elif line := line.strip():
                yield number, line, size, False


def _pass_newlines(file: BufferedReader) -> int:
    """Go behind the newlines that are read already and return how many they were: a billion of them take seconds."""
    ahead = file.peek()
    count = len(ahead) - len(ahead.lstrip(b"\n"))
    file.read(count)
    return count


def _files_of(source: EventSource, *, is_one: bool, is_lone: bool) -> TelemetryFiles:
    def shown(name: str) -> str:
        path = name if is_one else os.path.relpath(os.path.join(source.directory, name))
        return display_path(os.fsencode(path))

    events = tuple(_event_file(path, shown(os.path.basename(path))) for path in source.paths)
    if is_lone:
        return TelemetryFiles(shown(""), events)
    metrics, last_run = (_summary_file(source.directory, name, shown(name)) for name in (METRICS_FILE, LAST_RUN_FILE))
    return TelemetryFiles(shown(""), events, metrics, last_run, _waiting_lines)


def _event_file(path: str, name: str) -> EventFile:
    identity = identity_of(path)  # rotation may rename it while others are read
    try:
        size_bytes = os.stat(path).st_size
    except OSError:  # retention, just now
        size_bytes = 0
    return EventFile(name, size_bytes, lambda: _numbered(path, identity))


def _summary_file(directory: str, name: str, shown: str) -> SummaryFile | None:
    try:
        fd = open_regular(os.path.join(directory, name), os.O_RDONLY)
    except FileNotFoundError:
        return None
    except OSError as error:
        return SummaryFile(shown, None, f"cannot be read ({error.strerror})")
    with open(fd, "rb") as file:
        content = file.read(SUMMARY_BYTES_MAX + 1)
    if len(content) > SUMMARY_BYTES_MAX:
        return SummaryFile(shown, None, f"has more than {SUMMARY_BYTES_MAX >> 20} MiB; it is none of ctx's")
    return SummaryFile(shown, content)


def _waiting_lines(segment_ids: Iterable[str]) -> list[bytes]:
    """Return the whole lines that wait for a run of these segments."""
    starts = tuple(f"{segment_id}-" for segment_id in segment_ids)
    try:
        names = sorted(name for name in os.listdir(spill_dir()) if name.startswith(starts))
    except OSError:
        return []
    lines: list[bytes] = []
    for name in names[:_WAITING_FILES_MAX]:
        found = numbered_lines(os.path.join(spill_dir(), name))
        lines += [line for _number, line, _size_bytes, is_ended in found if is_ended and line]
    return lines
