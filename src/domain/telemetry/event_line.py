"""An event line as the parts of a report look at it: what was decoded, and what was found out of it once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .trends import Cell

    Json = Mapping[str, Any]


class EventLine:
    """One line at a time: the tally fills the same object in for each, as a new one would cost more than a look at it.

    `event` is the whole object, `args` and `result` are objects whatever the line says. `key` names the stream it is of
    (see `run_streams`), `taken_ns` is its latency sample, None when it has none, `cell` its bucket in the trends.
    """

    __slots__ = ("args", "at_us", "cell", "cmd", "event", "key", "result", "taken_ns")

    event: Json
    args: Json
    result: Json
    cmd: str
    at_us: int
    key: tuple[str, str, int]
    taken_ns: int | None
    cell: Cell

    def __reduce__(self) -> tuple[type[EventLine], tuple[()]]:
        """What it was filled with last is no part of a tally that is handed on."""
        return EventLine, ()
