"""Questions and replies on their way to the backend, and what stands for one that does not come."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import orjson

from ctx.domain.language_server import ServerPlace, ServerQuestion, ServerReply
from ctx.infrastructure.host import remote_servers
from ctx.infrastructure.host.backend_link import frames_in
from ctx.infrastructure.host.remote_servers import (
    RemoteServers,
    question_document,
    question_of,
    reply_document,
    reply_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

QUESTION = ServerQuestion("references", "a/ü.py", 3, 7, "python", name="x", text="x = 1\n", state="4 now")


def test_a_question_arrives_as_it_was() -> None:
    """Also with an unsaved text; one that holds undecodable bytes keeps its positions."""
    assert question_of(orjson.loads(orjson.dumps({"question": question_document(QUESTION)}))) == QUESTION
    odd = ServerQuestion("hover", "a.py", 1, 1, "python", text="caf\udce9 = 1")
    arrived = question_of(orjson.loads(orjson.dumps({"question": question_document(odd)})))
    assert "caf? = 1" == arrived.text


def test_a_reply_arrives_as_it_was() -> None:
    """Places and figures survive."""
    places = (ServerPlace("a.py", 1, 2, True), ServerPlace("/usr/lib/x.py", 3, 4, False))
    reply = ServerReply("ty", "answered", places, "text", True, True, 12, 500, "fine")
    assert reply == reply_of(orjson.loads(orjson.dumps({"reply": reply_document(reply)})))


def test_a_backend_that_is_gone_is_a_server_that_crashed(tmp_path: Path) -> None:
    """No exception: a reply that says why, each time it is asked for."""
    pending = RemoteServers(str(tmp_path / "absent"), 500).ask(QUESTION)
    reply = pending.result()
    assert ("crashed", False, 500) == (reply.status, reply.is_answer, reply.deadline_ms)
    assert "did not answer" in reply.detail
    assert reply is pending.result()


def test_a_backend_that_is_late_is_a_server_that_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has not crashed: the system let others go first; and what is waited for is the deadline once."""
    monkeypatch.setattr(remote_servers, "MARGIN_S", 0.0)
    with socket.socket(socket.AF_UNIX) as backend:
        backend.bind(str(tmp_path / "backend"))
        backend.listen()
        servers = RemoteServers(str(tmp_path / "backend"), 10)
        pending = servers.ask(QUESTION)
        assert not pending.is_there()
        reply = pending.result()
        assert ("timeout", True, 10, "") == (reply.status, reply.was_sent, reply.deadline_ms, reply.server)
        assert "the warm host did not answer (timed out)" == reply.detail
        assert pending.is_there()
        connection, _address = backend.accept()
        with connection:
            assert 1 == len(frames_in(bytearray(connection.recv(1 << 16))))
        servers.close()
