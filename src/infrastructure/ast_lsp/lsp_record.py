"""What telemetry is told of the life of a language server: spawn, initialize, ready, diagnostics, exit.

docs/telemetry.md describes the events; what is asked of a server is told by who asks (`asked_servers`).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...domain.language_server import ReadyVia
    from ...domain.ports import Clock, TelemetryPort
    from .lsp_process import ProcessEnd

DIAGNOSES_TOLD_MAX = 2000
"""Events of one life of a server."""


class LifeRecord:
    """Tells of one process of a server, from its start on."""

    def __init__(self, server: str, telemetry: TelemetryPort, clock: Clock, *, is_first: bool) -> None:
        """`is_first` when no process of this server ran before."""
        self._about = {"server": server}
        self._telemetry = telemetry
        self._clock = clock
        self._is_first = is_first
        self._diagnosed: dict[str, tuple[int, str]] = {}
        self._diagnoses_told = 0
        self.started_ns = clock.perf_counter_ns()

    def since_start_ns(self) -> int:
        """Return how long ago the process was started."""
        return self._clock.perf_counter_ns() - self.started_ns

    def spawned(self, pid: int | None, *, status: str) -> None:
        """Tell that it runs, or that it could not be started."""
        self._tell("lsp.spawn", {"status": status}, subprocess_pid=pid, cold_start=self._is_first)

    def initialized(self, status: str, *, capabilities: bool) -> None:
        """Tell what came of `initialize`: ok, error, timeout or crashed."""
        self._tell(
            "lsp.initialize",
            {"status": status},
            workspace_initialized=status == "ok",
            capabilities_received=capabilities,
        )

    def ready(self, via: ReadyVia, path: str) -> None:
        """Tell that it knows the sources, which it showed by `path`."""
        self._tell("lsp.ready", {"ready_via": via}, **({"file": path} if path else {}))

    def diagnosed(self, path: str, found: Any) -> None:
        """Tell of a file's diagnostics when they are others than before: how many, and a hash of what they say."""
        rows = found if isinstance(found, list) else []
        texts = "\n".join(str(row.get("message", "")) for row in rows if isinstance(row, dict))
        digest = hashlib.sha256(texts.encode("utf-8", "replace")).hexdigest()[:12]
        if self._diagnosed.get(path) == (len(rows), digest) or self._diagnoses_told >= DIAGNOSES_TOLD_MAX:
            return  # servers say the same again and again; a record of that would push out all others
        self._diagnosed[path] = len(rows), digest
        self._diagnoses_told += 1
        self._telemetry.event(
            "lsp.diagnostics",
            {**self._about, "file": path},
            {"diag_count": len(rows)},
            0,
            snippet_hash=f"sha256:{digest}",
        )

    def ended(self, end: ProcessEnd, *, requested: bool, crashed: bool) -> None:
        """Tell how it ended."""
        self._telemetry.event(
            "lsp.exit",
            self._about,
            {
                "exit_code": end.exit_code,
                "signal": end.signal,
                "requested": requested,
                "crashed": crashed,
                "leftovers_killed": end.leftovers_killed,
            },
            self.since_start_ns() // 1_000_000,
        )

    def _tell(self, cmd: str, result: dict[str, Any], *, file: str = "", **extra: Any) -> None:
        duration_ns = self.since_start_ns()
        arguments = {**self._about, "file": file} if file else self._about
        self._telemetry.event(cmd, arguments, result, duration_ns // 1_000_000, duration_ns=duration_ns, **extra)
