"""What language servers did, by server: life, time until READY, questions, answers, failures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .latency import LatencySamples
from .latency_report import latency_document
from .summary import rate
from .tally_values import OTHER, Counts, figure, name

if TYPE_CHECKING:
    from collections.abc import Callable

    from .event_line import EventLine

SERVERS_MAX = 32
METHODS_MAX = 24
_EXACT_MAX = 20_000
_EXACT_METHOD_MAX = 5_000
_FAILED_STARTS = {"lsp.spawn": ("error",), "lsp.initialize": ("error", "timeout")}


class _Method:
    __slots__ = ("answered", "fallbacks", "latency", "requests", "timeouts")

    def __init__(self) -> None:
        self.requests = self.answered = self.timeouts = self.fallbacks = 0
        self.latency = LatencySamples(_EXACT_METHOD_MAX)

    def merge(self, other: _Method) -> None:
        self.requests += other.requests
        self.answered += other.answered
        self.timeouts += other.timeouts
        self.fallbacks += other.fallbacks
        self.latency.merge(other.latency)

    def document(self, shown: str) -> dict[str, Any]:
        return {
            "method": shown,
            "requests": self.requests,
            "answered": self.answered,
            "timeouts": self.timeouts,
            "fallbacks": self.fallbacks,
            "latency": latency_document(self.latency),
        }


class _Server:
    __slots__ = (
        "cache_hits",
        "crashes",
        "latency",
        "methods",
        "ready",
        "ready_via",
        "reasons",
        "spawn_failures",
        "spawns",
        "waited",
    )

    def __init__(self) -> None:
        self.spawns = self.spawn_failures = self.crashes = self.cache_hits = 0
        self.ready, self.latency, self.waited = (LatencySamples(_EXACT_MAX) for _ in range(3))
        self.ready_via = Counts()
        self.reasons = Counts()
        self.methods: dict[str, _Method] = {}

    def method(self, method: str) -> _Method:
        found = self.methods.get(method)
        if found is None:
            if len(self.methods) >= METHODS_MAX:
                method = OTHER
            found = self.methods.setdefault(method, _Method())
        return found

    def merge(self, other: _Server) -> None:
        self.spawns += other.spawns
        self.spawn_failures += other.spawn_failures
        self.crashes += other.crashes
        self.cache_hits += other.cache_hits
        self.ready.merge(other.ready)
        self.latency.merge(other.latency)
        self.waited.merge(other.waited)
        self.ready_via.merge(other.ready_via)
        self.reasons.merge(other.reasons)
        for method, theirs in other.methods.items():
            self.method(method).merge(theirs)

    def total(self) -> _Method:
        total = _Method()
        for method in self.methods.values():
            total.requests += method.requests
            total.answered += method.answered
            total.timeouts += method.timeouts
            total.fallbacks += method.fallbacks
        return total

    def document(self, shown: str, redact: Callable[[str], str]) -> dict[str, Any]:
        total = self.total()
        methods = sorted(self.methods.items(), key=lambda item: (-item[1].requests, item[0]))
        return {
            "server": shown,
            "spawns": self.spawns,
            "spawn_failures": self.spawn_failures,
            "crashes": self.crashes,
            "ready": latency_document(self.ready),
            "ready_via": self.ready_via.document(redact),
            "requests": total.requests,
            "answered": total.answered,
            "timeouts": total.timeouts,
            "fallbacks": total.fallbacks,
            "timeout_rate": rate(total.timeouts, total.requests),
            "fallback_rate": rate(total.fallbacks, total.requests),
            "fallback_reasons": self.reasons.document(redact),
            "cache_hits": self.cache_hits,
            "latency": latency_document(self.latency),
            "waited": latency_document(self.waited),
            "methods": [method.document(redact(key)) for key, method in methods],
        }


class ServersTally:
    """The servers of one report; "" is the one that was not there."""

    __slots__ = ("_servers",)

    def __init__(self) -> None:
        self._servers: dict[str, _Server] = {}

    def add_life(self, line: EventLine) -> None:
        """Take in an event of a server's life, a timeout or a fallback."""
        cmd, args, result = line.cmd, line.args, line.result
        server = self._server(name(args.get("server")))
        server.spawn_failures += result.get("status") in _FAILED_STARTS.get(cmd, ())
        if cmd == "lsp.spawn":
            server.spawns += 1
        elif cmd == "lsp.ready":
            server.ready_via.add(name(result.get("ready_via")))
            if line.taken_ns is not None:
                server.ready.add(line.taken_ns)
        elif cmd == "lsp.exit":
            server.crashes += (result.get("crashed") or line.event.get("crashed")) is True
        elif cmd == "lsp.timeout":
            server.method(name(args.get("method"))).timeouts += 1
        elif cmd == "lsp.fallback":
            server.method(name(args.get("method"))).fallbacks += 1
            server.reasons.add(name(result.get("reason")))

    def add_request(self, line: EventLine) -> None:
        """Take in a question that was meant for a server."""
        server = self._server(name(line.args.get("server")))
        method = server.method(line.cmd[len("lsp.") :])
        method.requests += 1
        method.answered += line.result.get("status") == "answered"
        server.cache_hits += line.event.get("cache_hit") is True
        if line.taken_ns is not None:
            method.latency.add(line.taken_ns)
            server.latency.add(line.taken_ns)
        if "waited_ns" in line.event:
            server.waited.add(figure(line.event["waited_ns"]))

    def merge(self, other: ServersTally) -> None:
        """Add what another one has counted."""
        for key, theirs in other._servers.items():
            self._server(key).merge(theirs)

    @property
    def is_full(self) -> bool:
        """Tell whether servers or methods were counted as OTHER."""
        return OTHER in self._servers or any(OTHER in server.methods for server in self._servers.values())

    def cache(self) -> dict[str, Any]:
        """Return how many questions were answered from what was kept."""
        hits = sum(server.cache_hits for server in self._servers.values())
        requests = sum(server.total().requests for server in self._servers.values())
        return {"hits": hits, "requests": requests, "rate": rate(hits, requests)}

    def document(self, redact: Callable[[str], str]) -> list[dict[str, Any]]:
        """Return the servers, the one that was asked most first."""
        servers = sorted(self._servers.items(), key=lambda item: (-item[1].total().requests, item[0]))
        return [server.document(redact(key), redact) for key, server in servers]

    def _server(self, key: str) -> _Server:
        server = self._servers.get(key)
        if server is None:
            if len(self._servers) >= SERVERS_MAX:
                key = OTHER
            server = self._servers.setdefault(key, _Server())
        return server
