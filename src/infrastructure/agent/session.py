"""What an agent's server works with in one segment: a `Services` that outlives many calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ..services import Services

if TYPE_CHECKING:
    from typing import Any


class AgentSession(Protocol):
    """A segment as one face has it; everything is called from one and the same thread."""

    @property
    def services(self) -> Services:
        """What the use cases are made from; there after `open`."""
        ...

    def open(self) -> None:
        """Make the services.

        Raises: CtxError when the segment's settings are no settings.
        """
        ...

    def status(self) -> dict[str, Any]:
        """Return who else works on the segment."""
        ...

    def close(self) -> None:
        """End what `open` began."""
        ...


class AloneSession:
    """A session with servers and looks of its own."""

    def __init__(self, segment: str) -> None:
        """Remember the segment; nothing is opened yet."""
        self.segment = segment
        self._services: Services | None = None

    @property
    def services(self) -> Services:
        """The services made by `open`."""
        if self._services is None:
            message = "the session is not open"
            raise RuntimeError(message)
        return self._services

    def open(self) -> None:
        """Make the services."""
        self._services = Services(self.segment)

    def status(self) -> dict[str, Any]:
        """Return that there is nobody else."""
        return {"host": None}

    def close(self) -> None:
        """Close index, watcher and servers."""
        services, self._services = self._services, None
        if services is not None:
            services.__exit__()
