"""What is asked of a language server and what comes of it: questions, replies, the states of a server.

Owns the values that the use cases, the client and the host's children share, and what READY means. The protocol itself
(URIs, ranges, offsets in utf-16 units) is known to `infrastructure.ast_lsp` alone; which servers there are stands in
`domain.server_backends`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Method = Literal["definition", "references", "hover"]

FallbackReason = Literal["timeout", "not_ready", "error", "crashed", "circuit_open", "no_server"]
"""Why Tree-sitter answers in a server's place: the deadline passed with the question sent; before it could be sent; the
server answered with an error; it ended; it failed too often lately and is left alone; there is none."""

ReadyVia = Literal["definition", "diagnostics"]


@dataclass(frozen=True, slots=True)
class ServerQuestion:
    """One question about a place of a file.

    `path` is relative to the segment as ctx prints paths; `line` and `column` are 1-based, columns count characters.
    `text` is the file's text where it differs from the disk's (an unsaved buffer), None for what is on disk. `name` is
    the name that stands at the place, "" when it is not known: a definition that does not hold it is not the right one.
    `language` is ctx's name of the file's language. `state` names the state of the segment that is asked about: the
    reply to the same question in the same state may come from the cache, and "" never does.
    """

    method: Method
    path: str
    line: int
    column: int
    language: str
    name: str = ""
    text: str | None = None
    state: str = ""
    include_declaration: bool = True


@dataclass(frozen=True, slots=True)
class ServerPlace:
    """Where a server points: 1-based, columns in characters.

    `path` is relative to the segment when `is_inside`, else absolute (or a URI that is no file).
    """

    path: str
    line: int
    column: int
    is_inside: bool


@dataclass(frozen=True, slots=True)
class ServerReply:
    """What came of a question.

    `status` is "answered" or why not; an answer without places says that the server knows none. `was_sent` tells
    whether the question went over the wire, `is_cached` whether this is an earlier reply to it. `detail` is for people.
    """

    server: str
    status: Literal["answered"] | FallbackReason
    places: tuple[ServerPlace, ...] = ()
    hover: str = ""
    was_sent: bool = False
    is_cached: bool = False
    elapsed_ns: int = 0
    deadline_ms: int = 0
    detail: str = ""

    @property
    def is_answer(self) -> bool:
        """Whether the server itself answered."""
        return self.status == "answered"


NO_SERVER = ServerReply("", "no_server", detail="no language server is installed for it")


@dataclass(frozen=True, slots=True)
class Cold:
    """Not started yet."""

    def describe(self) -> str:
        """Return the state for people."""
        return "not started"


@dataclass(frozen=True, slots=True)
class Warming:
    """Started at `since_ns` (monotonic); `is_initialized` once it answered `initialize`."""

    since_ns: int
    is_initialized: bool = False

    def describe(self) -> str:
        """Return the state for people."""
        return "warming up"


@dataclass(frozen=True, slots=True)
class Ready:
    """Initialized, and it has shown that it knows the sources; `after_ms` since it was started."""

    via: ReadyVia
    after_ms: float

    def describe(self) -> str:
        """Return the state for people."""
        return f"ready after {self.after_ms:.0f} ms ({self.via})"


@dataclass(frozen=True, slots=True)
class Failed:
    """It could not be started, broke the protocol or died."""

    reason: str

    def describe(self) -> str:
        """Return the state for people."""
        return f"failed: {self.reason}"


@dataclass(frozen=True, slots=True)
class Stopped:
    """Ended because we asked it to."""

    def describe(self) -> str:
        """Return the state for people."""
        return "stopped"


ServerState: TypeAlias = Cold | Warming | Ready | Failed | Stopped
