"""Telemetry that keeps nothing, for processes whose work another process reports."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


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

    def timed(self, cmd: str, args: dict[str, Any], **extra: Any) -> AbstractContextManager[Any]:
        """Time nothing."""
        return contextlib.nullcontext(self)
