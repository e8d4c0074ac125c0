"""The events of questions: one each, and what did not come of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.fakes import ManualClock, RecordingTelemetry, ScriptedReplies

from ctx.domain.language_server import NO_SERVER, ServerPlace, ServerQuestion, ServerReply
from ctx.domain.telemetry.events import kind_of
from ctx.infrastructure.ast_lsp.asked_servers import AskedServers, LateServers

if TYPE_CHECKING:
    from ctx.domain.language_server import Method

PLACE = ServerPlace("shop/cart.py", 6, 5, is_inside=True)
STUB = ServerPlace("/env/typeshed/builtins.pyi", 9, 1, is_inside=False)


def question(method: Method = "definition") -> ServerQuestion:
    return ServerQuestion(method, "shop/jobs.py", 7, 5, "python", "price")


def told(reply: ServerReply, method: Method = "definition") -> RecordingTelemetry:
    """Return what telemetry is told of one question, of which the reply is taken twice."""
    telemetry, clock = RecordingTelemetry(), ManualClock()
    servers = AskedServers(ScriptedReplies(clock=clock, **{method: reply}), telemetry, clock)
    pending = servers.ask(question(method))
    assert [] == telemetry.events
    clock.advance_ns(1_000_000)
    assert reply == pending.result() == pending.result()
    return telemetry


def test_an_answer_is_one_event() -> None:
    """With the question, where it leads, how long it took, and how long anybody waited for it."""
    (event,) = told(ServerReply("ty", "answered", (STUB, PLACE), was_sent=True, elapsed_ns=3_500_000)).events
    assert ("lsp.definition", 3) == (event.cmd, event.timing_ms)
    assert {"server": "ty", "method": "definition", "file": "shop/jobs.py", "symbol": "price", "line": 7} == event.args
    assert {
        "resolved": True,
        "target_file": "shop/cart.py",
        "target_line": 6,
        "status": "answered",
    } == event.result
    assert {"duration_ns": 3_500_000, "cache_hit": False, "was_sent": True, "waited_ns": 2_500_000} == event.extra
    assert set(event.args) <= kind_of("lsp.definition").args


@pytest.mark.parametrize(
    ("method", "reply", "resolved", "file"),
    [
        ("definition", ServerReply("ty", "answered"), False, None),
        ("definition", ServerReply("ty", "answered", (STUB,), is_cached=True), True, STUB.path),
        ("references", ServerReply("ty", "answered", (PLACE,)), True, PLACE.path),
        ("hover", ServerReply("ty", "answered", hover="int"), True, None),
        ("hover", ServerReply("ty", "answered"), False, None),
    ],
)
def test_what_came_of_it_is_told(method: Method, reply: ServerReply, resolved: bool, file: str | None) -> None:
    """A hover is resolved by its text, the others by their places; one outside is telemetry's to redact."""
    (event,) = told(reply, method).events
    assert (f"lsp.{method}", resolved, file) == (event.cmd, event.result["resolved"], event.result["target_file"])
    assert reply.is_cached == event.extra["cache_hit"]


TIMEOUT = ServerReply("ty", "timeout", was_sent=True, elapsed_ns=500_000_000, deadline_ms=500)
UNANSWERED: tuple[tuple[ServerReply, list[str]], ...] = (
    (TIMEOUT, ["lsp.definition", "lsp.timeout", "lsp.fallback"]),
    (ServerReply("ty", "timeout", deadline_ms=500), ["lsp.definition", "lsp.fallback"]),
    (ServerReply("ty", "not_ready"), ["lsp.definition", "lsp.fallback"]),
    (ServerReply("ty", "error", was_sent=True), ["lsp.definition", "lsp.fallback"]),
    (ServerReply("ty", "crashed", was_sent=True), ["lsp.definition", "lsp.fallback"]),
    (ServerReply("ty", "circuit_open"), ["lsp.definition", "lsp.fallback"]),
    (NO_SERVER, ["lsp.definition", "lsp.fallback"]),
)


@pytest.mark.parametrize(("reply", "expected"), UNANSWERED, ids=lambda case: str(getattr(case, "status", "")))
def test_what_was_not_answered_is_a_fallback(reply: ServerReply, expected: list[str]) -> None:
    """With its reason; a timeout only when the question had been sent."""
    telemetry = told(reply)
    assert expected == [event.cmd for event in telemetry.events]
    fallback = telemetry.events[-1]
    assert ({"reason": reply.status}, {"fallback_to": "tree_sitter"}) == (fallback.result, fallback.extra)
    for event in telemetry.events:
        assert set(event.args) <= kind_of(event.cmd).args


def test_a_timeout_says_after_how_long() -> None:
    """The deadline that counted."""
    (event,) = told(TIMEOUT).named("lsp.timeout")
    assert ({"timeout_ms": 500}, {"fallback_to": "tree_sitter"}) == (event.result, event.extra)
    assert {"server": "ty", "method": "definition", "file": "shop/jobs.py"} == event.args


class NotedServers(ScriptedReplies):
    """Servers that remember being prepared and closed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.done: list[str] = []

    def prepare(self, language: str, path: str) -> None:
        self.done.append(f"prepare {language} {path}")

    def close(self) -> None:
        self.done.append("close")


def test_servers_are_made_by_the_first_that_needs_them() -> None:
    """Once; one that nobody needed is not made to be ended."""
    made: list[NotedServers] = []

    def make() -> NotedServers:
        made.append(NotedServers())
        return made[-1]

    servers = LateServers(make)
    assert (False, []) == (servers.close(), made)
    servers.prepare("python", "a.py")
    servers.ask(question())
    (one,) = made
    assert (True, ["prepare python a.py", "close"], [question()]) == (servers.close(), one.done, one.questions)
    assert servers.close() is False
