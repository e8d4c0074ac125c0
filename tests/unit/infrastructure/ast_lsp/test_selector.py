"""Selector: the answer is handed on, and one event tells of it, found or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.fakes import ManualClock, RecordingTelemetry

from ctx.application.resolve import ResolveRequest
from ctx.domain.errors import UsageError
from ctx.domain.symbol_answer import SymbolAnswer, SymbolCandidate
from ctx.infrastructure.ast_lsp import Selector

if TYPE_CHECKING:
    from collections.abc import Callable

FOUND = SymbolCandidate("a.py", 1, 5, 2, "function", "f", "f", "def f()", "", "a.py#f@00000000", "python", "exact")


def answering(clock: ManualClock, *found: SymbolCandidate) -> Callable[[ResolveRequest], SymbolAnswer]:
    def resolve(request: ResolveRequest) -> SymbolAnswer:
        clock.advance_ns(2_500_000)
        return SymbolAnswer(request.query, found, "index", True, "", len(found))

    return resolve


@pytest.mark.parametrize(("found", "status"), [((FOUND, FOUND), "ok"), ((), "nothing")])
def test_each_answer_is_told_once(found: tuple[SymbolCandidate, ...], status: str) -> None:
    """The event has the query, what came of it, who answered, and how long it took."""
    clock, telemetry = ManualClock(), RecordingTelemetry()
    answer = Selector(answering(clock, *found), telemetry, clock).resolve_symbol("f", limit=7)
    assert found == answer.found
    (event,) = telemetry.named("selector.resolve")
    assert ({"symbol_query": "f"}, 2) == (event.args, event.timing_ms)
    assert {
        "resolved": bool(found),
        "matches": len(found),
        "ambiguous": len(found) > 1,
        "status": status,
    } == event.result
    assert {"duration_ns": 2_500_000, "resolved_by": "index"} == event.extra


def test_a_selector_that_is_none_is_told_too() -> None:
    """The error goes on to the caller, the event says its kind."""

    def refuse(request: ResolveRequest) -> SymbolAnswer:
        raise UsageError(request.query)

    telemetry = RecordingTelemetry()
    with pytest.raises(UsageError):
        Selector(refuse, telemetry, ManualClock()).resolve_symbol("a b")
    (event,) = telemetry.events
    assert {"resolved": False, "matches": 0, "ambiguous": False, "status": "UsageError"} == event.result
