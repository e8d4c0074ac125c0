"""The host's language servers, as a command that runs in the host asks them: over the backend's socket."""

from __future__ import annotations

from dataclasses import asdict
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from ...domain.language_server import ServerPlace, ServerQuestion, ServerReply
from .backend_link import BackendLink, LinkBrokenError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CONNECT_WAIT_S = 0.5
_MAY_COME_LATE = frozenset({"timeout", "not_ready"})
MARGIN_S = 0.5
"""What an answer may take on its way beyond the deadline, which the backend keeps."""


class RemoteServers:
    """Implements `domain.ports.LanguageServers`; a backend that cannot be reached answers like a server that crashed.

    One that is late, as the system let others go first, like a server that is.
    """

    def __init__(self, backend_path: str, deadline_ms: int, *, is_silent: Callable[[], bool] = lambda: False) -> None:
        """Connect to nothing yet; `deadline_ms` is the one questions have in the backend.

        While `is_silent`, the backend is known not to answer, and nothing is asked of it.
        """
        self._link = BackendLink(backend_path)
        self._deadline_ms = deadline_ms
        self._is_silent = is_silent

    def ask(self, question: ServerQuestion) -> _PendingAnswer:
        """Send the question and return at once."""
        broken = "it was silent a moment ago" if self._is_silent() else ""
        pending = _PendingAnswer(self._link, question, self._deadline_ms, broken=broken)
        if not broken:
            pending.send()
        return pending

    def close(self) -> None:
        """Let go of the connection."""
        self._link.close()


class _PendingAnswer:
    """A question on its way; implements `domain.ports.PendingReply`."""

    def __init__(self, link: BackendLink, question: ServerQuestion, deadline_ms: int, *, broken: str = "") -> None:
        self._link = link
        self._question = question
        self._deadline_ms = deadline_ms
        self._asked_ns = perf_counter_ns()
        self._number = 0
        self._broken = broken
        self._has_answered = False
        self._at_deadline: ServerReply | None = None
        self._reply: ServerReply | None = None

    def send(self) -> None:
        """Have the question be on its way."""
        content = {"question": question_document(self._question)}
        try:
            self._number = self._link.send("ask", content, wait_s=CONNECT_WAIT_S)
        except LinkBrokenError as error:
            self._broken = str(error)

    def result(self) -> ServerReply:
        if self._reply is None:
            reply = self._first()
            # A backend that has let more than the deadline pass is not asked once more: it would take as long again.
            may_come = reply.status in _MAY_COME_LATE and self._has_answered
            self._reply = (self._late_answer() or reply) if may_come else reply
        return self._reply

    def _first(self) -> ServerReply:
        """Return what the backend answered at the deadline or before; waits for it."""
        if self._at_deadline is None:
            self._at_deadline = self._failed(self._broken) if self._broken else self._answer()
        return self._at_deadline

    def _late_answer(self) -> ServerReply | None:
        """Return what has come since the deadline: whoever was busy meanwhile has it all the same."""
        try:
            content = {"question": question_document(self._question)}
            reply = self._link.call("kept", content, wait_s=CONNECT_WAIT_S)["reply"]
            return reply_of({"reply": reply}) if reply is not None else None
        except (LinkBrokenError, KeyError, TypeError, ValueError):
            return None

    def is_there(self) -> bool:
        if self._reply is not None or self._broken:
            return True
        is_known = self._at_deadline is not None or self._link.is_there(self._number)
        return is_known and self._first().status not in _MAY_COME_LATE

    def _answer(self) -> ServerReply:
        passed_s = (perf_counter_ns() - self._asked_ns) / 1e9
        wait_s = max(self._deadline_ms / 1e3 + MARGIN_S - passed_s, 0.01)
        try:
            reply = reply_of(self._link.answer(self._number, wait_s=wait_s))
        except (LinkBrokenError, KeyError, TypeError, ValueError) as error:
            return self._failed(str(error), is_late=isinstance(error.__cause__, TimeoutError))
        self._has_answered = True
        return reply

    def _failed(self, why: str, *, is_late: bool = False) -> ServerReply:
        return ServerReply(
            "",
            "timeout" if is_late else "crashed",
            was_sent=is_late,
            elapsed_ns=perf_counter_ns() - self._asked_ns,
            deadline_ms=self._deadline_ms,
            detail=f"the warm host did not answer ({why})",
        )


def question_document(question: ServerQuestion) -> dict[str, Any]:
    """Return a question as JSON carries it; text that is no Unicode (it stands for bytes) keeps its positions."""
    content = asdict(question)
    if question.text is not None:
        content["text"] = question.text.encode("utf-8", "replace").decode("utf-8")
    return content


def question_of(content: Mapping[str, Any]) -> ServerQuestion:
    """Return the question in a document.

    Raises: TypeError for a document that holds none.
    """
    return ServerQuestion(**content["question"])


def reply_document(reply: ServerReply) -> dict[str, Any]:
    """Return a reply as JSON carries it."""
    return asdict(reply)


def reply_of(content: Mapping[str, Any]) -> ServerReply:
    """Return the reply in a document.

    Raises: KeyError, TypeError or ValueError for a document that holds none.
    """
    reply = dict(content["reply"])
    reply["places"] = tuple(ServerPlace(**place) for place in reply["places"])
    return ServerReply(**reply)
