"""EditorClient: the editor at the other end: what it can, what is set there, and what its person is told.

Owns the client's capabilities, the options in force and which messages were shown already. Left to others: the wire
(`protocol`), the table of options (`options`), what follows from a change of them (`server`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lsprotocol import types

from ..secrets import redact_secrets
from .options import EditorOptions
from .progress import Progress

if TYPE_CHECKING:
    from .protocol import EditorProtocol

_SAID_CHARS_MAX = 1_000
"""Of a message to people; a longer one (a path can be of any length) is told by its two ends."""


class EditorClient:
    """One client; for the event loop's thread alone."""

    def __init__(self, protocol: EditorProtocol) -> None:
        """Know nothing of it yet; `capabilities` and `options` are set when it says what they are."""
        self.options = EditorOptions()
        self.capabilities: dict[str, Any] = {}
        self._protocol = protocol
        self._said: set[str] = set()

    def can(self, *path: str) -> bool:
        """Tell whether the client has a capability."""
        return bool(self.capability(*path))

    def capability(self, *path: str) -> Any:
        """Return what the client says of a capability, None when it does not know of it."""
        found: Any = self.capabilities
        for part in path:
            found = found.get(part) if isinstance(found, dict) else None
        return found

    def tell(self, method: str, params: dict[str, Any]) -> None:
        """Send a notification."""
        self._protocol.tell(method, params)

    def show(self, text: str) -> None:
        """Show a message once."""
        text = _ends_of(redact_secrets(text))
        if text not in self._said:
            self._said.add(text)
            self.tell(types.WINDOW_SHOW_MESSAGE, {"type": 2, "message": f"ctx: {text}"})

    def note(self, text: str, *, kind: int = 2) -> None:
        """Write a line into the editor's log, once; 1 error, 2 warning, 3 information."""
        text = _ends_of(redact_secrets(" ".join(text.split())))
        if text not in self._said:
            self._said.add(text)
            self.tell(types.WINDOW_LOG_MESSAGE, {"type": kind, "message": f"ctx: {text}"})

    def progress(self, title: str) -> Progress:
        """Return a piece of work that is shown where the client can and its user wants it."""
        return Progress(self._protocol, title, is_wanted=self._shows_progress)

    def register(self, number: str, method: str, options: Any = None) -> None:
        """Have the client send a method's messages from now on."""
        registration = types.Registration(id=number, method=method, register_options=options)
        params = types.RegistrationParams(registrations=[registration])
        self._protocol.send_request(types.CLIENT_REGISTER_CAPABILITY, params)

    def unstructured(self, value: Any) -> Any:
        """Return what the client sent as the plain object or list that it was on the wire."""
        return self._protocol.unstructured(value)

    def _shows_progress(self) -> bool:
        return self.options.has("progress") and self.can("window", "workDoneProgress")


def _ends_of(text: str) -> str:
    """Return a message whole, or its two ends."""
    half = _SAID_CHARS_MAX // 2
    return text if len(text) <= _SAID_CHARS_MAX else f"{text[:half]} … {text[-half:]}"
