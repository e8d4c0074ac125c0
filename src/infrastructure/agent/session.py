"""What an agent's server works with in one segment: services that outlive many calls, one for each thread that asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ..host.session import HostSession

if TYPE_CHECKING:
    from typing import Any

    from ..services import Services

FACE = "mcp"


class AgentSession(Protocol):
    """A segment as one face has it; see `HostSession`."""

    @property
    def services(self) -> Services:
        """The calling thread's own, after `open`; all write to one telemetry."""
        ...

    def open(self) -> None:
        """Begin.

        Raises: CtxError when the segment's settings are no settings.
        """
        ...

    def status(self) -> dict[str, Any]:
        """Return who else works on the segment."""
        ...

    def close(self) -> None:
        """End what `open` began, for all threads."""
        ...


def session_of(segment: str) -> AgentSession:
    """Return a session of an agent's server: with the segment's warm host if one can be had, else alone."""
    return HostSession(segment, face=FACE)
