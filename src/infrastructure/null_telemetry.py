"""Telemetry that keeps nothing, for processes whose work another process reports."""

from __future__ import annotations

from typing import Any


class NullTelemetry:
    """Takes everything, writes nothing."""

    def event(
        self,
        cmd: str,
        args: dict[str, Any],
        result: dict[str, Any],
        timing_ms: int,
        warnings: list[str] | None = None,
        **extra_fields: Any,
    ) -> None:
        """Forget an event."""

    def observe(self, cmd: str, ms: float) -> None:
        """Forget a sample."""

    def incr(self, name: str, n: int = 1) -> None:
        """Forget a count."""
