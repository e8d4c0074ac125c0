"""AskedServers: the events of questions, written by the run that asks them, whoever runs the server.

One question is one `lsp.<method>`; one that passed its deadline after it was sent is an `lsp.timeout`, too, and each
that the server did not answer an `lsp.fallback`. What happens in a server's life is told by who owns it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from ...domain.symbol_answer import TREE_SITTER

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...domain.language_server import ServerQuestion, ServerReply
    from ...domain.ports import Clock, LanguageServers, PendingReply, TelemetryPort


class OwnedServers(Protocol):
    """Language servers of this process: they can be started before they are asked, and have to be ended."""

    def ask(self, question: ServerQuestion) -> PendingReply:
        """Ask and return at once; see `LanguageServers`."""
        ...

    def prepare(self, language: str, path: str) -> None:
        """Start the server that questions about a file would go to."""
        ...

    def close(self) -> None:
        """End all servers."""
        ...


class LateServers:
    """Makes servers at the first question: most commands have none, and need not even import them."""

    def __init__(self, make: Callable[[], OwnedServers]) -> None:
        """Make nothing yet."""
        self._make = make
        self._made: OwnedServers | None = None

    def ask(self, question: ServerQuestion) -> PendingReply:
        """Ask and return at once; see `LanguageServers`."""
        return self._servers().ask(question)

    def prepare(self, language: str, path: str) -> None:
        """Start the server that questions about a file would go to."""
        self._servers().prepare(language, path)

    def close(self) -> bool:
        """End what was made and return whether there was anything; the next question would make it again."""
        made, self._made = self._made, None
        if made is not None:
            made.close()
        return made is not None

    def _servers(self) -> OwnedServers:
        if self._made is None:
            self._made = self._make()
        return self._made


class AskedServers:
    """Hands questions on and tells telemetry what came of them, once each, when the reply is taken."""

    def __init__(self, servers: LanguageServers, telemetry: TelemetryPort, clock: Clock) -> None:
        """Take who answers and where to tell of it."""
        self._servers = servers
        self._telemetry = telemetry
        self._clock = clock

    def ask(self, question: ServerQuestion) -> PendingReply:
        """Ask and return at once; see `LanguageServers`."""
        return _ToldReply(self._servers.ask(question), question, self._telemetry, self._clock)


class _ToldReply:
    """A pending reply that is told when it is taken."""

    def __init__(self, pending: PendingReply, question: ServerQuestion, telemetry: TelemetryPort, clock: Clock) -> None:
        self._pending = pending
        self._question = question
        self._telemetry = telemetry
        self._clock = clock
        self._reply: ServerReply | None = None

    def result(self) -> ServerReply:
        """Wait for the reply, tell of it the first time, and return it."""
        if self._reply is None:
            begun_ns = self._clock.perf_counter_ns()
            self._reply = self._pending.result()
            self._tell(self._reply, self._clock.perf_counter_ns() - begun_ns)
        return self._reply

    def is_there(self) -> bool:
        """Tell whether there is a reply; see `PendingReply`."""
        return self._pending.is_there()

    def _tell(self, reply: ServerReply, waited_ns: int) -> None:
        question = self._question
        about = {"server": reply.server, "method": question.method, "file": question.path}
        place = next((place for place in reply.places if place.is_inside), next(iter(reply.places), None))
        result: dict[str, Any] = {
            "resolved": bool(reply.hover) if question.method == "hover" else bool(reply.places),
            "target_file": place.path if place is not None else None,
            "target_line": place.line if place is not None else None,
            "status": reply.status,
        }
        self._telemetry.event(
            f"lsp.{question.method}",
            {**about, "symbol": question.name, "line": question.line},
            result,
            reply.elapsed_ns // 1_000_000,
            duration_ns=reply.elapsed_ns,
            cache_hit=reply.is_cached,
            was_sent=reply.was_sent,
            waited_ns=waited_ns,
        )
        if reply.status == "timeout" and reply.was_sent:
            self._telemetry.event(
                "lsp.timeout", about, {"timeout_ms": reply.deadline_ms}, reply.deadline_ms, fallback_to=TREE_SITTER
            )
        if not reply.is_answer:
            self._telemetry.event(
                "lsp.fallback", {**about, "symbol": question.name}, {"reason": reply.status}, 0, fallback_to=TREE_SITTER
            )
