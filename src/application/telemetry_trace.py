"""Use case: which run is to be drawn, and its trace."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from ..domain.errors import NotFoundError, UsageError
from ..domain.telemetry.moments import moment_us
from ..domain.telemetry.selection import RUN_ID_CHARS_MAX
from ..domain.telemetry.spans import spans_of
from ..domain.telemetry.trace import trace_document

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..domain.telemetry.records import Record

RUNS_MAX = 200_000
"""Of more runs, the ones that were seen first are forgotten: nobody draws one of those by default."""
_SHOWN_RUNS = 5
_NEAR_RUNS = 2000
_RUN = "run_"


@dataclass(frozen=True, slots=True)
class RunKey:
    """One run in one segment: two segments may hold the same run, when one is a part or a copy of the other."""

    segment_id: str
    run_id: str

    def is_of(self, event: Mapping[str, Any]) -> bool:
        """Tell whether an event belongs to this run."""
        return event.get("run_id") == self.run_id and _segment_of(event) == self.segment_id


class RunChooser:
    """Finds the run somebody means among the events of all: `see` each, then ask once."""

    def __init__(self) -> None:
        self._last_us: dict[RunKey, int] = {}
        self._ended_us: dict[RunKey, int] = {}

    def see(self, event: Mapping[str, Any]) -> None:
        """Take note of one decoded event; what is none is passed over."""
        run_id, at_us = event.get("run_id"), moment_us(event.get("ts"))
        if not isinstance(run_id, str) or not run_id or len(run_id) > RUN_ID_CHARS_MAX or at_us is None:
            return
        key = RunKey(_segment_of(event), run_id)
        if at_us >= self._last_us.get(key, at_us):
            self._last_us[key] = at_us
        if event.get("cmd") == "command.end":
            self._ended_us[key] = at_us
        if len(self._last_us) > RUNS_MAX:
            oldest = next(iter(self._last_us))
            del self._last_us[oldest]
            self._ended_us.pop(oldest, None)

    def chosen(self, wanted: str) -> RunKey:
        """Return the run whose id is or begins with `wanted`, with or without `run_`; without it the last that ended.

        Raises: NotFoundError when there is none; UsageError when several begin so.
        """
        if not self._last_us:
            raise NotFoundError("no event of a run was found; run a ctx command in the segment first")
        if not wanted:
            # None has ended while the first host of a segment lives.
            runs = self._ended_us or self._last_us
            return max(runs, key=lambda key: (runs[key], key.run_id))
        found = [key for key in self._last_us if key.run_id == wanted]
        found = found or [key for key in self._last_us if key.run_id.startswith((wanted, _RUN + wanted))]
        if not found:
            raise NotFoundError(f"run {_quoted(wanted)}: no event of it was found; {self._near(wanted)}")
        ids = list(dict.fromkeys(key.run_id for key in found))
        if len(ids) > 1:
            shown = ", ".join(_quoted(run_id) for run_id in ids[-_SHOWN_RUNS:])
            raise UsageError(
                f"run {_quoted(wanted)}: {len(ids)} runs begin so, {shown} among them; give more of the id"
            )
        return max(found, key=lambda key: self._last_us[key])

    def segments_of(self, run_id: str) -> int:
        """Return in how many segments the run was seen."""
        return sum(1 for key in self._last_us if key.run_id == run_id)

    def _near(self, wanted: str) -> str:
        newest = sorted(self._last_us, key=lambda key: self._last_us[key], reverse=True)
        names = list(dict.fromkeys(key.run_id for key in newest))
        near = get_close_matches(wanted[:RUN_ID_CHARS_MAX], names[:_NEAR_RUNS], n=_SHOWN_RUNS, cutoff=0.75)
        what, shown = ("near it are", near) if near else ("the last ones are", names[:_SHOWN_RUNS])
        return f"{what} {', '.join(_quoted(run_id) for run_id in shown)}"


def trace_of(records: Iterable[Record], *, version: str) -> dict[str, Any]:
    """Return the trace of one run's records, which come in any order."""
    spans, servers = spans_of(records)
    return trace_document(spans, servers, version=version)


def _segment_of(event: Mapping[str, Any]) -> str:
    segment_id = event.get("segment_id")
    return segment_id if isinstance(segment_id, str) else ""


def _quoted(text: str) -> str:
    return text if text.isascii() and text.isprintable() else ascii(text)
