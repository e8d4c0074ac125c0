"""Reading events back: the rotated files in order, then the live one; what cannot be read is counted, not raised."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from .event_sink import rotated_numbers, rotated_path
from .regular_file import open_regular

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENTS_FILE = "events.jsonl"


class EventReader:
    """Iterates over the events in a telemetry folder, oldest file first; `unreadable` counts what was skipped.

    An empty line is no event and no damage: a writer puts a newline before its line when it finds a torn tail.
    """

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.unreadable = 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for line in self.lines():
            try:
                event = json.loads(line)
            except (ValueError, RecursionError):
                event = None
            if isinstance(event, dict):
                yield event
            else:
                self.unreadable += 1

    def lines(self) -> Iterator[bytes]:
        """Yield every non-empty line without its newline, unparsed."""
        for path in event_files(self.directory):
            try:
                fd = open_regular(path, os.O_RDONLY)
            except OSError:
                # Retention removed it since it was listed, or it is no file of ours.
                continue
            with open(fd, "rb") as file:
                for line in file:
                    if stripped := line.strip():
                        yield stripped


def read_events(directory: str) -> EventReader:
    """Return an iterable of the events in a telemetry folder; empty when there is no folder."""
    return EventReader(directory)


def event_files(directory: str) -> list[str]:
    """Return the paths of the event files, oldest first, the live one last; it may be missing."""
    live = os.path.join(directory, EVENTS_FILE)
    return [*(rotated_path(live, number) for number in rotated_numbers(live)), live]
