"""The context manager behind `Telemetry.timed`."""

from __future__ import annotations

TYPE_CHECKING = False  # importing `typing` for it would double what this module costs at start
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

    from .telemetry import Telemetry


class TimedEvent:
    """One timed piece of work; what it puts into `result`, `extra` and `warnings` is in the event."""

    __slots__ = ("_begun_ns", "_cmd", "_telemetry", "args", "extra", "result", "warnings")

    def __init__(self, telemetry: Telemetry, cmd: str, args: dict[str, Any], extra: dict[str, Any]) -> None:
        self._telemetry = telemetry
        self._cmd = cmd
        self._begun_ns = 0
        self.args = args
        self.result: dict[str, Any] = {}
        self.extra = extra
        self.warnings: list[str] = []

    def __enter__(self) -> TimedEvent:
        self._begun_ns = self._telemetry.clock.perf_counter_ns()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        duration_ns = self._telemetry.clock.perf_counter_ns() - self._begun_ns
        # The class and not the message: a message may quote what was read.
        result = self.result if kind is None else {"status": "error", "error": kind.__name__}
        extra = {**self.extra, "duration_ns": duration_ns}
        self._telemetry.event(self._cmd, self.args, result, duration_ns // 1_000_000, self.warnings, **extra)
