"""Selector: from the spelling of a symbol to its definitions, and the event that tells of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...application.resolve import RESOLVE_LIMIT, ResolveRequest
from ...domain.errors import CtxError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...domain.ports import Clock, TelemetryPort
    from ...domain.symbol_answer import SymbolAnswer


class Selector:
    """Resolves symbols and writes one `selector.resolve` event each, also for one that is not found."""

    def __init__(
        self, resolve: Callable[[ResolveRequest], SymbolAnswer], telemetry: TelemetryPort, clock: Clock
    ) -> None:
        """Take the use case and where to tell of it."""
        self._resolve = resolve
        self._telemetry = telemetry
        self._clock = clock

    def resolve_symbol(self, query: str, *, limit: int = RESOLVE_LIMIT) -> SymbolAnswer:
        """Return where a symbol is defined; the spellings are those of `ctx.domain.selectors`.

        Raises: UsageError, NotFoundError as `application.resolve.Resolve`.
        """
        started_ns = self._clock.perf_counter_ns()
        answer: SymbolAnswer | None = None
        status = "error"
        try:
            answer = self._resolve(ResolveRequest(query, limit))
            status = "ok" if answer.found else "nothing"
            return answer
        except CtxError as error:
            status = type(error).__name__
            raise
        finally:
            duration_ns = self._clock.perf_counter_ns() - started_ns
            self._telemetry.event(
                "selector.resolve",
                {"symbol_query": query},
                {
                    "resolved": answer is not None and answer.resolved,
                    "matches": answer.total if answer is not None else 0,
                    "ambiguous": answer is not None and answer.ambiguous,
                    "status": status,
                },
                duration_ns // 1_000_000,
                duration_ns=duration_ns,
                resolved_by=answer.resolved_by if answer is not None else None,
            )
