"""Tests of ctx.infrastructure.host.session: whose host a face works with; the hosts are this test's own."""

from __future__ import annotations

import contextlib
import os
import queue
import select
import shutil
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from ctx.infrastructure.host import session as session_module
from ctx.infrastructure.host.alone import AloneHost
from ctx.infrastructure.host.backend_link import STOPPED, UNASKED, BackendLink, LinkBrokenError, framed, frames_in
from ctx.infrastructure.host.places import HostPlace
from ctx.infrastructure.host.session import HostSession
from ctx.infrastructure.services import UNSAVED_MISSING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE_S = 60.0


class Hosts:
    """Hosts by the directory that they serve, and what they were asked; one socket for all of them."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[tuple[str, str]] = []
        self.starts = 0
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.left: queue.Queue[int] = queue.Queue()
        """How often a connection ended from the other side."""
        self._served: set[int] = set()
        self._place = HostPlace(str(folder), "host")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self._place.backend)
        self._listener.listen()
        self._connections: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def running(self, segment: str) -> tuple[HostPlace | None, int]:
        """Stand in for `running_host`."""
        return (self._place, 1) if os.stat(segment).st_ino in self._served else (None, 0)

    def spawn(self, segment: str, *, until_unused: bool) -> int:
        """Stand in for `spawn_host`; the number is no child's."""
        assert until_unused
        self.starts += 1
        self._served.add(os.stat(segment).st_ino)
        return os.getpid()

    def stop(self) -> None:
        """Have every host say that it ends on purpose, and end."""
        self._served.clear()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.sendall(framed({"id": UNASKED, "event": STOPPED}))
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of the sockets."""
        for one in (self._listener, *self._connections):
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _address = self._listener.accept()
                self._connections.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        buffer = bytearray()
        with contextlib.suppress(OSError):
            while data := connection.recv(1 << 16):
                buffer += data
                for request in frames_in(buffer):
                    self.asked.append((request["verb"], request.get("path", "")))
                    self.may_answer.wait()
                    connection.sendall(framed({"id": request["id"]}))
            self.left.put(1)


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosts]:
    """Hosts in place of processes."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("CTX_LSP_ENABLED", "0")
    monkeypatch.delenv("CTX_DAEMON", raising=False)
    made = Hosts(tmp_path)
    monkeypatch.setattr(session_module, "running_host", made.running)
    monkeypatch.setattr(session_module, "spawn_host", made.spawn)
    monkeypatch.setattr(HostSession, "_has_place", lambda _self: True)
    yield made
    made.close()


@pytest.fixture
def segment(tmp_path: Path) -> Path:
    """A small segment."""
    folder = tmp_path / "segment"
    folder.mkdir()
    (folder / "a.py").write_text("def a():\n    return 1\n")
    return folder


@pytest.fixture
def joined(segment: Path, hosts: Hosts) -> Iterator[tuple[HostSession, queue.Queue[str]]]:
    """A session that has a host and one text there, and what it tells of its lease from then on."""
    told: queue.Queue[str] = queue.Queue()
    session = HostSession(str(segment), face="lsp")
    session.on_lease = lambda: told.put(session.joined)
    session.open(wait_s=PATIENCE_S)
    assert session.joined == told.get(timeout=PATIENCE_S) != ""
    session.set_unsaved("a.py", "x = 1\n")
    assert ("set_unsaved", "a.py") == hosts.asked[-1]
    yield session, told
    session.close()
    assert told.empty(), "an end of our own is nothing to tell"


@pytest.mark.parametrize("is_told", [True, False], ids=["the host ends", "the host stays"])
def test_folder_that_is_replaced_gets_a_host_of_its_own(
    segment: Path, hosts: Hosts, joined: tuple[HostSession, queue.Queue[str]], *, is_told: bool
) -> None:
    """While it is gone the face works alone with its texts; what comes to its place gets a host, and them."""
    session, told = joined
    away: Any = segment.rename(segment.with_name("away"))
    if is_told:
        hosts.stop()
        assert "" == told.get(timeout=PATIENCE_S)
    assert 0 == session.lease_number()
    if not is_told:
        assert "" == told.get(timeout=PATIENCE_S)
    status: dict[str, Any] = session.status()
    assert (False, ["a.py"]) == (status["host"], status["unsaved"])
    assert "the segment's folder" in status["reason"]
    hosts.asked.clear()
    shutil.copytree(away, segment)
    assert "" != told.get(timeout=PATIENCE_S)
    assert [("lease", ""), ("set_unsaved", "a.py"), ("given", "")] == hosts.asked
    assert 2 == hosts.starts


def test_text_is_not_given_to_the_host_of_another_folder(
    segment: Path, hosts: Hosts, joined: tuple[HostSession, queue.Queue[str]]
) -> None:
    """A folder that was replaced a moment ago: the host that still runs is that of the old one."""
    session, told = joined
    away: Any = segment.rename(segment.with_name("away"))
    shutil.copytree(away, segment)
    hosts.asked.clear()
    session.set_unsaved("a.py", "y = 2\n")
    assert "" == told.get(timeout=PATIENCE_S)
    assert "" != told.get(timeout=PATIENCE_S)
    assert [("lease", ""), ("set_unsaved", "a.py"), ("given", "")] == hosts.asked


def test_texts_are_here_before_the_lease_is_gone(
    monkeypatch: pytest.MonkeyPatch, hosts: Hosts, joined: tuple[HostSession, queue.Queue[str]]
) -> None:
    """Who finds no host asks the face itself, also while its own thread is about to notice."""
    session, told = joined
    seen: queue.Queue[tuple[int, list[str]]] = queue.Queue()
    put = AloneHost.set_unsaved

    def look() -> None:
        number = session.lease_number()
        seen.put((number, session.own_backend.unsaved_paths()))

    def slow(alone: AloneHost, path: str, text: str | None) -> None:
        looking = threading.Thread(target=look, daemon=True)
        looking.start()
        looking.join(0.2)  # it has to wait for us
        put(alone, path, text)

    monkeypatch.setattr(AloneHost, "set_unsaved", slow)
    hosts.stop()
    assert "" == told.get(timeout=PATIENCE_S)
    assert (0, ["a.py"]) == seen.get(timeout=PATIENCE_S)


def test_what_is_not_known_of_texts_is_said(segment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When whoever has the texts is always about to end, the disk answers, and the answer says what is missing."""
    monkeypatch.setenv("CTX_DAEMON", "off")
    session = HostSession(str(segment), face="lsp")
    session.open()
    services = session.services
    session.set_unsaved("a.py", "def unsaved():\n    return 1\n")
    services.refresh()
    assert (["unsaved"], []) == (
        [one.row.name for one in services.store.definitions_named("unsaved", 5)],
        services.warnings,
    )
    session.own_backend.close()
    services.refresh()
    assert [UNSAVED_MISSING] == services.warnings
    session.close()


def test_state_of_a_host_that_is_silent_is_not_that_of_nobody(
    monkeypatch: pytest.MonkeyPatch, hosts: Hosts, joined: tuple[HostSession, queue.Queue[str]]
) -> None:
    """What it has is not known, but it is there, and so are our texts; one that has ended has left them to us."""
    session, told = joined
    hosts.may_answer.clear()
    with monkeypatch.context() as impatient:
        impatient.setattr(session_module, "SET_WAIT_S", 0.01)
        status = session.status()
    hosts.may_answer.set()
    assert (True, "joined", ["a.py"]) == (status["host"], status["state"], status["unsaved"])
    assert status["servers"] is None
    assert "timed out" in status["reason"]

    def it_ends(_link: BackendLink, _verb: str, _content: Any, *, wait_s: float) -> dict[str, Any]:
        assert wait_s
        hosts.stop()
        raise LinkBrokenError("the host's backend ended")

    monkeypatch.setattr(BackendLink, "call", it_ends)
    status = session.status()
    assert (False, "alone", ["a.py"]) == (status["host"], status["state"], status["unsaved"])
    assert "" == told.get(timeout=PATIENCE_S)


def test_host_that_was_stopped_is_not_started_again(hosts: Hosts, joined: tuple[HostSession, queue.Queue[str]]) -> None:
    """In the same folder the word of whoever stopped it counts."""
    session, told = joined
    hosts.stop()
    assert "" == told.get(timeout=PATIENCE_S)
    assert (0, 1) == (session.lease_number(), hosts.starts)


def test_closing_waits_for_what_left_when_a_host_came(
    segment: Path, hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Servers of the session's own that make room for the host's tell of their end before its record is closed."""
    leaving, is_closed = threading.Event(), threading.Event()
    ended: list[AloneHost] = []
    close = AloneHost.close

    def slow(alone: AloneHost) -> None:
        if not leaving.is_set():
            leaving.set()
            is_closed.wait(0.2)  # in vain
        close(alone)
        ended.append(alone)

    monkeypatch.setattr(AloneHost, "close", slow)
    session = HostSession(str(segment), face="lsp")
    session.open(wait_s=PATIENCE_S)
    leaving.wait()
    session.close()
    is_closed.set()
    assert 2 == len(ended)


def test_lease_that_a_question_finds_broken_at_once_is_taken_again(
    monkeypatch: pytest.MonkeyPatch, segment: Path, hosts: Hosts
) -> None:
    """Who asks may let go of it while the session's own thread is about to wait for its end."""
    told: queue.Queue[str] = queue.Queue()
    session = HostSession(str(segment), face="lsp")
    session.on_lease = lambda: told.put(session.joined)
    fileno, lost = BackendLink.fileno, threading.Event()

    def slow(link: BackendLink) -> int:
        if not lost.is_set():
            lost.set()
            asking = threading.Thread(target=session.lose, args=(session.lease_number(),))
            asking.start()
            asking.join(PATIENCE_S)
        return fileno(link)

    monkeypatch.setattr(BackendLink, "fileno", slow)
    session.open(wait_s=PATIENCE_S)
    said = [told.get(timeout=PATIENCE_S) for _ in range(3)]
    session.close()
    assert [True, False, True] == [joined != "" for joined in said]
    assert ["lease", "given"] * 2 == [verb for verb, _path in hosts.asked]


def test_host_that_answers_after_the_close_is_let_go(
    monkeypatch: pytest.MonkeyPatch, segment: Path, hosts: Hosts
) -> None:
    """The session's own thread then ends by itself, without a word and without a lease."""
    failed: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", failed.append)
    monkeypatch.setattr(session_module, "CLOSE_S", 0.0)
    monkeypatch.setattr(session_module, "LEASE_WAIT_S", PATIENCE_S)
    hosts.may_answer.clear()
    hosts.spawn(str(segment), until_unused=True)
    session = HostSession(str(segment), face="lsp")
    session.open(wait_s=0.0)
    keeper = session._keeper
    assert keeper is not None
    while not hosts.asked:
        select.select([], [], [], 0.01)
    session.close()
    hosts.may_answer.set()
    keeper.join(PATIENCE_S)
    assert (False, []) == (keeper.is_alive(), failed)
    assert 1 == hosts.left.get(timeout=PATIENCE_S)
    assert "" == session.joined
