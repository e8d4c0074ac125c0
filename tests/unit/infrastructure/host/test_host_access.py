"""What a backend knows of a segment, over its socket and back."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

import pytest

from ctx.domain.language_server import ServerQuestion
from ctx.infrastructure.host.backend_link import LinkBrokenError, frames_in
from ctx.infrastructure.host.host_access import HostAccess, look_document, look_of
from ctx.infrastructure.warm_host import HostLook, UnsavedIndex

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "look",
    [
        HostLook(),
        HostLook("7"),
        HostLook(is_pending=True),
        HostLook("7", is_unknown=True),
        HostLook(unsaved=UnsavedIndex("/run/index.db", {b"a.py": (3, -1), b"caf\xe9.py": (0, -2)}, ("b.py",), 5)),
    ],
)
def test_a_look_comes_back(look: HostLook) -> None:
    """Also with names that are no Unicode."""
    assert look == look_of(look_document(look))


@pytest.mark.parametrize("said", [{"unsaved": {}}, {"unsaved": {"index": "x", "files": [["zz", 1, 2]], "stale": []}}])
def test_what_is_no_look_is_a_broken_link(said: dict[str, object]) -> None:
    """The command then looks itself."""
    with pytest.raises(LinkBrokenError):
        look_of(said)


def test_nobody_there_knows_nothing() -> None:
    """And is not waited for."""
    access = HostAccess("/nowhere/backend", 500)
    assert HostLook() == access.look("settings")
    assert access.unsaved_data(b"a.py") is None
    assert not access.has_texts_of(0, "settings")
    access.renew_unsaved()
    access.prepare("python", "a.py")
    assert "crashed" == access.servers().ask(ServerQuestion("hover", "a.py", 1, 1, "python")).result().status
    access.close()


def test_a_backend_that_is_silent_is_asked_once(tmp_path: Path) -> None:
    """A command whose host was stopped does not wait again for each thing that it would like to know."""
    path = str(tmp_path / "backend")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(path)
        listener.listen()
        access = HostAccess(path, 500, clean_wait_s=0.01)
        servers = access.servers()
        access.prepare("python", "a.py")
        assert HostLook() == access.look("settings")
        reply = servers.ask(ServerQuestion("hover", "a.py", 1, 1, "python")).result()
        access.close()
        connection, _address = listener.accept()
        with connection:
            (asked,) = frames_in(bytearray(connection.recv(1 << 16)))
    assert "prepare" == asked["verb"]
    assert "the warm host did not answer (it was silent a moment ago)" == reply.detail


def test_what_a_silent_backend_may_know_is_unknown() -> None:
    """Where somebody uses the host who may hold unsaved texts."""
    access = HostAccess("/nowhere/backend", 500, has_faces=True)
    assert HostLook(is_unknown=True) == access.look("settings")
