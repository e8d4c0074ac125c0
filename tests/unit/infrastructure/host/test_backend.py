"""The backend's answers and its limits, with servers that are scripted."""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from ctx.domain.language_server import ServerQuestion, ServerReply
from ctx.infrastructure.host import backend as module
from ctx.infrastructure.host import leases as leases_module
from ctx.infrastructure.host import session as session_module
from ctx.infrastructure.host.alone import AloneHost
from ctx.infrastructure.host.backend import Backend
from ctx.infrastructure.host.backend_link import STOPPED, BackendLink, LinkBrokenError
from ctx.infrastructure.host.host_access import HostAccess
from ctx.infrastructure.host.host_log import HostLog
from ctx.infrastructure.host.remote_servers import RemoteServers
from ctx.infrastructure.host.session import HostSession
from ctx.infrastructure.host.shared_figures import SharedFigures
from ctx.infrastructure.host.unsaved_texts import UnsavedTexts
from ctx.infrastructure.services import UNSAVED_MISSING, Services

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ctx.infrastructure.warm_host import HostLook

MIB = 1 << 20


class ScriptedPool:
    """Servers that answer when they are let, and take what memory they are told."""

    def __init__(self) -> None:
        self.may_answer = threading.Event()
        self.asked: list[ServerQuestion] = []
        self.taken = {"small .": 10 * MIB, "large .": 10 * MIB}
        self.restarted: list[str] = []
        self.status_at_deadline: Any = "answered"
        self.late: ServerReply | None = None

    def kept(self, _question: ServerQuestion) -> ServerReply | None:
        return self.late

    def ask(self, question: ServerQuestion) -> ScriptedPool:
        self.asked.append(question)
        return self

    def result(self) -> ServerReply:
        self.may_answer.wait(60)
        return ServerReply("scripted", self.status_at_deadline, hover=f"{len(self.asked)} asked")

    def memory_bytes(self) -> dict[str, int]:
        return dict(self.taken)

    def memory_limit_bytes(self, _key: str) -> int:
        return 100 * MIB

    def restart(self, key: str) -> None:
        self.restarted.append(key)

    def status(self) -> list[dict[str, Any]]:
        return [{"server": "scripted", "root": ".", "state": "ready"}]

    def set_unsaved(self, path: str, text: str | None) -> None:
        """Nobody reads it."""

    def close(self) -> None:
        """Nothing runs."""


class Rig:
    """A backend that serves in a thread."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, *, leases_before: int = 0) -> None:
        self.path = str(folder / "backend")
        self.segment = folder / "segment"
        (self.segment / ".git").mkdir(parents=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.figures = SharedFigures()
        self.figures.set("front_pid", os.getpid())
        self.figures.set("leases", leases_before)
        self.log = HostLog(str(folder), str(self.segment))
        self.pool = ScriptedPool()
        # Handlers can be set in the main thread only, and nobody sends a signal here.
        monkeypatch.setattr(module.signal, "signal", lambda *_: None)
        monkeypatch.setattr(module, "MEMORY_LOOK_EVERY_S", 3600.0)  # the one look is the test's
        for limit in ("LEASE_WAIT_S", "SET_WAIT_S"):  # a busy machine is no host that does not answer
            monkeypatch.setattr(session_module, limit, 60.0)
        monkeypatch.setattr(leases_module, "BACK_WAIT_S", 3600.0)
        self.backend = Backend(self.listener, str(self.segment), self.figures, self.log)
        monkeypatch.setattr(self.backend, "_pool", self.pool)
        monkeypatch.setattr(module.signal, "set_wakeup_fd", lambda *_args, **_options: None)
        alive_r, self.alive_w = os.pipe()
        self.alive_r = alive_r
        self.thread = threading.Thread(target=self.backend.run, args=(alive_r,))
        self.thread.start()

    def close(self) -> None:
        """Be the front that ends."""
        os.close(self.alive_w)
        self.thread.join(60)
        assert not self.thread.is_alive()
        os.close(self.alive_r)
        self.listener.close()


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    """A backend with scripted servers."""
    made = Rig(tmp_path, monkeypatch)
    yield made
    made.close()


def face_with_a_text(rig: Rig, text: str) -> tuple[BackendLink, dict[str, str]]:
    """Index the segment, take a lease and set a text for a.py; return the face's link, and what it says of itself."""
    with Services(str(rig.segment)) as services:
        services.refresh()
        about = {"installation": os.fsdecode(module.installation()), "settings": services.settings_mark}
    face = BackendLink(rig.path)
    assert "" == face.call("lease", {"face": "lsp", "pid": os.getpid(), **about}, wait_s=60)["refused"]
    assert "refused" not in face.call("set_unsaved", {"path": "a.py", "text": text}, wait_s=60)
    return face, about


def test_questions_wait_side_by_side(rig: Rig) -> None:
    """Several questions are with the servers at once, and other verbs are answered meanwhile."""
    servers = RemoteServers(rig.path, 60_000)
    pending = [servers.ask(ServerQuestion("hover", "a.py", line, 1, "python")) for line in (1, 2, 3)]
    link = BackendLink(rig.path)
    assert 0 == link.call("status", {}, wait_s=60)["running"]
    while len(rig.pool.asked) < 3:
        select.select([], [], [], 0.01)
    rig.pool.may_answer.set()
    assert ["3 asked"] * 3 == [one.result().hover for one in pending]
    assert 3 == link.call("status", {}, wait_s=60)["questions"]
    servers.close()
    link.close()


@pytest.mark.parametrize("status", ["timeout", "not_ready"])
def test_an_answer_that_came_after_the_deadline_counts_when_it_is_taken(rig: Rig, status: str) -> None:
    """Whoever was busy meanwhile has it; `is_there` does not take the timeout for an answer."""
    rig.pool.status_at_deadline = status
    rig.pool.may_answer.set()
    servers = RemoteServers(rig.path, 60_000)
    question = ServerQuestion("references", "a.py", 1, 1, "python")
    assert status == servers.ask(question).result().status
    pending = servers.ask(question)
    while not pending._link.is_there(pending._number):
        select.select([], [], [], 0.01)
    assert not pending.is_there()
    rig.pool.late = ServerReply("scripted", "answered", hover="late")
    assert "late" == pending.result().hover
    assert pending.is_there()
    servers.close()


def test_an_answer_that_is_there_is_said_to_be(rig: Rig) -> None:
    """Without waiting for one that is not."""
    servers = RemoteServers(rig.path, 60_000)
    pending = servers.ask(ServerQuestion("hover", "a.py", 1, 1, "python"))
    assert not pending.is_there()
    rig.pool.may_answer.set()
    while not pending.is_there():
        select.select([], [], [], 0.01)
    assert "1 asked" == pending.result().hover
    servers.close()


def test_a_bad_request_is_answered(rig: Rig) -> None:
    """An unknown verb and a question that is none get an error, and the connection lives on."""
    link = BackendLink(rig.path)
    assert "no such verb" in link.call("dance", {}, wait_s=60)["error"]
    assert "error" in link.call("ask", {"question": {"method": "hover"}}, wait_s=60)
    assert "error" in link.call("ask", {}, wait_s=60)
    assert "error" in link.call("kept", {}, wait_s=60)
    assert "scripted" == link.call("status", {}, wait_s=60)["servers"][0]["server"]
    link.close()


def test_clean_is_known_for_the_same_settings_only(rig: Rig) -> None:
    """The mark is the generation once the watch has looked; for an index of other settings it is never known."""
    (rig.segment / "a.py").write_text("def f(): ...\n")
    with Services(str(rig.segment)) as services:
        mark, link = services.settings_mark, BackendLink(rig.path)
        while not (found := link.call("clean", {"settings": mark}, wait_s=60)["mark"]):
            select.select([], [], [], 0.02)
        assert services.store.meta("generation") == found
        assert "" == link.call("clean", {"settings": mark + "x"}, wait_s=60)["mark"]
        link.close()


def test_a_backend_that_ends_does_not_answer_without_the_texts(rig: Rig) -> None:
    """Its index over them is gone first: whoever asks then finds the connection ended, and asks elsewhere."""
    face, about = face_with_a_text(rig, "x = 1\n")
    command = BackendLink(rig.path)
    assert [[b"a.py".hex(), 6]] == [one[:2] for one in command.call("unsaved", about, wait_s=60)["unsaved"]["files"]]
    assert rig.backend._overlay is not None
    rig.backend._overlay.close()
    with pytest.raises(LinkBrokenError, match="ended"):
        command.call("unsaved", about, wait_s=60)
    command.close()
    face.close()


def test_a_backend_that_others_came_back_to_has_their_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of one that died it says to everybody that it does not know them, until it was given all of them."""
    rig = Rig(tmp_path, monkeypatch, leases_before=2)
    monkeypatch.setenv("CTX_DAEMON", "off")
    monkeypatch.setattr(session_module, "running_host", lambda _segment: (SimpleNamespace(backend=rig.path), 1))
    (rig.segment / "a.py").write_text("def saved(): ...\n")
    found: list[tuple[tuple[str, ...], list[str]]] = []

    def look() -> None:
        with Services(str(rig.segment), host=HostAccess(rig.path, 60_000, clean_wait_s=60)) as services:
            services.refresh()
            found.append((services.unsaved_paths, services.warnings))

    sessions = [HostSession(str(rig.segment), face="lsp") for _ in range(2)]
    look()
    for number, session in enumerate(sessions):
        session.open()
        session.set_unsaved(f"{number}.py", "def unsaved(): ...\n")
        assert session._join()
        look()
    assert [
        ((), [UNSAVED_MISSING]),
        (("0.py",), [UNSAVED_MISSING]),
        (("0.py", "1.py"), []),
    ] == found
    for session in sessions:
        session.close()
    rig.close()


def test_who_leaves_because_of_the_end_does_not_take_its_texts_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that asks after it must not hear that there are none: it would answer from the disk."""
    rig = Rig(tmp_path, monkeypatch)
    with Services(str(rig.segment)) as services:
        about = {"installation": os.fsdecode(module.installation()), "settings": services.settings_mark}
    face, command = BackendLink(rig.path), BackendLink(rig.path)
    assert "" == face.call("lease", {"face": "lsp", "pid": os.getpid(), **about}, wait_s=60)["refused"]
    face.call("set_unsaved", {"path": "a.py", "text": "x = 1\n"}, wait_s=60)
    said = [command.call("clean", about, wait_s=60)]

    def close() -> None:
        face.close()
        while rig.backend.leases.holders():
            select.select([], [], [], 0.01)
        said.append(command.call("clean", about, wait_s=60))

    monkeypatch.setattr(rig.pool, "close", close)
    rig.close()
    command.close()
    assert [True, True] == [one.get("has_unsaved") for one in said]


def test_who_joins_at_the_end_is_told_of_it(rig: Rig) -> None:
    """Else it would take the end for an accident and start another host."""
    with Services(str(rig.segment)) as services:
        about = {"installation": os.fsdecode(module.installation()), "settings": services.settings_mark}
    rig.figures.set("is_told", 1)
    face = BackendLink(rig.path)
    assert "" == face.call("lease", {"face": "lsp", "pid": os.getpid(), **about}, wait_s=60)["refused"]
    assert face.was_told(STOPPED)
    face.close()


def test_who_asks_a_host_to_stay_that_ends_is_told_so(rig: Rig) -> None:
    """It would have none, and think that it has."""
    link = BackendLink(rig.path)
    assert "error" not in link.call("keep", {}, wait_s=60)
    assert 1 == rig.figures.get("is_kept")
    rig.figures.set("is_ending", 1)
    assert "about to end" in link.call("keep", {}, wait_s=60)["error"]
    link.close()


def test_an_answer_that_a_backend_died_under_is_made_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one soon has the same texts: that they are those of the answer does not follow."""
    (rig.segment / "a.py").write_text("def saved(): ...\n")
    face, _about = face_with_a_text(rig, "def unsaved(): ...\n")

    text_of, deaths = rig.backend.text_of, [1]

    def and_it_dies(os_path: bytes) -> str | None:
        if not deaths:
            return text_of(os_path)
        deaths.clear()
        texts = UnsavedTexts(str(rig.segment), MIB)
        texts.put(face, "a.py", "def unsaved(): ...\n")
        assert rig.backend._overlay is not None
        rig.backend._texts = rig.backend._overlay._texts = texts
        raise ConnectionResetError

    monkeypatch.setattr(rig.backend, "text_of", and_it_dies)
    with Services(str(rig.segment), host=HostAccess(rig.path, 60_000, clean_wait_s=60)) as services:
        services.refresh()
        assert (("a.py",), True) == (services.unsaved_paths, services.steadied(lambda: None)[1])
        answers: list[str | None] = []

        def answer() -> str | None:
            answers.append(services._text_of("a.py"))
            return answers[-1]

        assert ("def unsaved(): ...\n", True) == services.steadied(answer)
        assert "def saved(): ...\n" == answers[0]
    face.close()


@pytest.mark.parametrize("moment", ["it is found out who answers", "it is asked"])
def test_a_text_stays_one_while_a_host_takes_over(rig: Rig, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """Whoever had it has it as long as somebody may ask; the one for the time after the host is not asked before."""
    (rig.segment / "a.py").write_text("def saved(): ...\n")
    monkeypatch.setenv("CTX_DAEMON", "off")
    session = HostSession(str(rig.segment), face="lsp")
    session.open()
    session.set_unsaved("a.py", "def unsaved(): ...\n")
    services = session.services
    services.refresh()
    assert ("a.py",) == services.unsaved_paths
    monkeypatch.setattr(session_module, "running_host", lambda _segment: (SimpleNamespace(backend=rig.path), 1))
    joins = [session._join]
    own, data = session.own_backend, AloneHost.unsaved_data

    def found_out(asked: HostSession) -> AloneHost:
        if joins and moment == "it is found out who answers":
            assert joins.pop()()
        return asked._by_itself

    def asked(alone: AloneHost, os_path: bytes) -> bytes | None:
        if joins:
            assert joins.pop()()
        return data(alone, os_path)

    monkeypatch.setattr(HostSession, "own_backend", property(found_out))
    monkeypatch.setattr(AloneHost, "unsaved_data", asked)
    assert "def unsaved(): ...\n" == services._text_of("a.py")
    assert ([], True) == (joins, session.own_backend is not own)
    session.close()


def test_a_host_that_came_and_went_during_a_look_takes_no_text_along(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """That there is none before and after it does not mean that the one who answered had them."""
    monkeypatch.setenv("CTX_DAEMON", "off")
    session = HostSession(str(rig.segment), face="lsp")
    session.open()
    session.set_unsaved("a.py", "def unsaved(): ...\n")
    services = session.services
    monkeypatch.setattr(session_module, "running_host", lambda _segment: (SimpleNamespace(backend=rig.path), 1))
    joins = [session._join]
    look = AloneHost.look

    def and_it_comes(asked: HostSession) -> AloneHost:
        if joins:
            assert joins.pop()()
        return asked._by_itself

    def and_it_goes(alone: AloneHost) -> HostLook:
        found = look(alone)
        session.lose(session.lease_number())
        return found

    monkeypatch.setattr(HostSession, "own_backend", property(and_it_comes))
    monkeypatch.setattr(AloneHost, "look", and_it_goes)
    services.refresh()
    assert (("a.py",), []) == (services.unsaved_paths, services.warnings)
    session.close()


def test_a_server_over_its_share_is_restarted_first(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it took does not count against the host then; what still is too much ends the host."""
    link = BackendLink(rig.path)
    link.call("status", {}, wait_s=60)  # it serves from here on
    link.close()
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(module.os, "kill", lambda pid, number: sent.append((pid, number)))
    monkeypatch.setattr(module, "proportional_bytes", lambda _pid: 50 * MIB)
    monkeypatch.setattr(rig.pool, "taken", {"small .": 10 * MIB, "large .": 4_000 * MIB})
    rig.backend._keep_within_memory()
    assert (["large ."], []) == (rig.pool.restarted, sent)
    monkeypatch.setattr(module, "proportional_bytes", lambda _pid: 1_100 * MIB)
    rig.backend._keep_within_memory()
    assert [(os.getpid(), signal.SIGTERM)] == sent
    assert "the host ends" in rig.log.tail(1)[0]


def test_the_end_of_the_front_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the pipe ends, the backend closes what it has and writes the end of its run."""
    rig = Rig(tmp_path, monkeypatch)
    link = BackendLink(rig.path)
    link.call("status", {}, wait_s=60)
    rig.close()
    link.close()
    with pytest.raises(LinkBrokenError):
        link.call("status", {}, wait_s=0.2)
    assert '"cmd":"command.end"' in (rig.segment / "_ctx/telemetry/events.jsonl").read_text()


@pytest.mark.parametrize("was_asked", [True, False])
def test_who_asks_at_the_end_starts_no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, was_asked: bool) -> None:
    """Nobody would end it, and what it tells would come after the last counts."""
    rig = Rig(tmp_path, monkeypatch)
    if not was_asked:
        monkeypatch.setattr(rig.backend, "_pool", None)
    link = BackendLink(rig.path)
    link.call("status", {}, wait_s=60)  # it serves from here on
    link.close()
    rig.close()
    pool = rig.backend.servers()
    assert was_asked is (pool is rig.pool)
    if not was_asked:
        assert "crashed" == pool.ask(ServerQuestion("definition", "a.py", 1, 1, "python")).result().status
