"""The pool: who is asked about which file, what is kept of the answers, what the servers are told of changes."""

from __future__ import annotations

import stat
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.fakes import ManualClock, RecordingTelemetry

from ctx.domain.errors import CtxError
from ctx.domain.language_server import Failed, ServerQuestion
from ctx.infrastructure.ast_lsp.language_servers import CLIENTS_MAX, PLACES_KEPT, LanguageServerPool
from ctx.infrastructure.ast_lsp.lsp_process import ProcessEnd
from ctx.infrastructure.config import load_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from ctx.domain.source_files import FileStat
    from ctx.infrastructure.ast_lsp.lsp_process import Listener

MS = 1_000_000


class QuickConnection:
    """A server that is ready at once and answers every definition with the first line of b.py, unless told to wait."""

    def __init__(self, command: Sequence[str], directory: str, listener: Listener) -> None:
        self.command = tuple(command)
        self.directory = directory
        self.listener = listener
        self.sent: list[dict[str, Any]] = []
        self.waits = False
        self.was_killed = False
        self.on_send: Callable[[dict[str, Any]], None] = lambda _message: None

    def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)
        self.on_send(message)
        match message.get("method"):
            case "initialize":
                self.listener.on_started(1)
                self.say({"id": message["id"], "result": {"capabilities": {}}})
            case "shutdown":
                self.say({"id": message["id"], "result": None})
            case "textDocument/definition" if not self.waits:
                self.answer(message)

    def answer(self, message: dict[str, Any]) -> None:
        """Answer a definition."""
        place = {"uri": f"file://{self.directory}/b.py", "range": {"start": {"line": 0, "character": 4}}}
        self.say({"id": message["id"], "result": [place]})

    def say(self, message: dict[str, Any]) -> None:
        """Say something to the client."""
        self.listener.on_message({"jsonrpc": "2.0", **message})

    def wake(self) -> None:
        pass

    def close_input(self) -> None:
        pass

    def kill(self) -> None:
        self.was_killed = True

    def join(self, timeout_s: float) -> bool:
        self.listener.on_end(ProcessEnd(signal=9) if self.was_killed else ProcessEnd(exit_code=0))
        return True

    def of(self, method: str) -> list[dict[str, Any]]:
        """Return what was sent of a method."""
        return [message for message in self.sent if message.get("method") == method]


class Segment:
    """A folder with two files, a PATH with servers that are never run, and pools over them."""

    def __init__(self, root: Path) -> None:
        self.root = root / "segment"
        self.programs = root / "bin"
        self.root.mkdir()
        self.programs.mkdir()
        (self.root / "a.py").write_text("from b import thing\nthing()\n")
        (self.root / "b.py").write_text("def thing(): ...\n")
        self.clock = ManualClock()
        self.connections: list[QuickConnection] = []
        self.listing: list[FileStat] = []
        self.fails_to_list = False
        self.on_list: Callable[[], None] = lambda: None
        self.environ = {"PATH": str(self.programs), "HOME": str(root), "XDG_CONFIG_HOME": str(root / "config")}

    def install(self, *names: str) -> None:
        """Put programs of these names on PATH."""
        for name in names:
            (self.programs / name).write_text("#!/bin/false\n")
            (self.programs / name).chmod(stat.S_IRWXU)

    def pool(self, *, is_host: bool = True, **settings: str) -> LanguageServerPool:
        """Return a pool whose servers are quick."""
        config = load_config(str(self.root), self.environ | settings)
        return LanguageServerPool(
            str(self.root),
            config,
            RecordingTelemetry(),
            self.clock,
            is_host=is_host,
            listing=self.list,
            environ=self.environ,
            open_connection=self.open,
        )

    def list(self) -> list[FileStat]:
        """Return what the index holds."""
        self.on_list()
        if self.fails_to_list:
            raise CtxError("no index")
        return self.listing

    def open(
        self, command: Sequence[str], directory: str, environment: Mapping[str, str], listener: Listener
    ) -> QuickConnection:
        """Start a quick server."""
        self.connections.append(QuickConnection(command, directory, listener))
        return self.connections[-1]


@pytest.fixture
def segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Segment:
    """A segment on a machine where no server is installed but those of the test."""
    monkeypatch.setattr("sys.executable", str(tmp_path / "nowhere/python"))
    return Segment(tmp_path)


def question(path: str = "a.py", *, state: str = "1", line: int = 2, **more: Any) -> ServerQuestion:
    return ServerQuestion("definition", path, line, 1, "python", "thing", state=state, **more)


def test_without_a_server_the_answer_is_there_at_once(segment: Segment) -> None:
    """And says so; also for a language nobody has a server for, and when servers are switched off."""
    reply = segment.pool().ask(question()).result()
    assert ("no_server", "", 500, 0) == (reply.status, reply.server, reply.deadline_ms, reply.elapsed_ns)
    segment.install("ty")
    cobol = ServerQuestion("definition", "a.cob", 1, 1, "cobol")
    assert "no_server" == segment.pool().ask(cobol).result().status
    off = segment.pool(CTX_LSP_ENABLED="0").ask(question())
    assert off.is_there()
    assert "no_server" == off.result().status
    assert [] == segment.connections


def test_a_command_asks_the_quick_one_and_a_host_the_thorough_one(segment: Segment) -> None:
    """By the table, or by what is configured."""
    segment.install("ty", "basedpyright-langserver")
    for is_host, settings, expected in (
        (False, {}, "ty"),
        (True, {}, "basedpyright"),
        (True, {"CTX_LSP_WARM": "ty"}, "ty"),
        (False, {"CTX_LSP_COLD": "basedpyright"}, "basedpyright"),
    ):
        reply = segment.pool(is_host=is_host, **settings).ask(question()).result()
        assert ("answered", expected) == (reply.status, reply.server)
        assert [("b.py", 1, 5)] == [(place.path, place.line, place.column) for place in reply.places]


def test_one_server_serves_all_files_of_a_root(segment: Segment) -> None:
    """It is started by the first question, or before it."""
    segment.install("ty")
    (segment.root / "deep").mkdir()
    (segment.root / "deep/c.py").write_text("thing()\n")
    pool = segment.pool()
    pool.prepare("python", "deep/c.py")
    assert 1 == len(segment.connections)
    pool.prepare("cobol", "a.cob")
    for path in ("a.py", "b.py", "deep/c.py"):
        assert pool.ask(question(path, line=1)).result().is_answer
    assert [str(segment.root)] == [connection.directory for connection in segment.connections]


def test_an_answer_is_kept_for_the_state_it_was_given_about(segment: Segment) -> None:
    """The next one to ask has it without the server; another state, another place or an unsaved text has not."""
    segment.install("ty")
    pool = segment.pool()
    assert not pool.ask(question()).result().is_cached
    again = pool.ask(question())
    assert again.is_there()
    reply = again.result()
    assert (True, False, 0, "answered", "ty") == (
        *(reply.is_cached, reply.was_sent, reply.elapsed_ns),
        *(reply.status, reply.server),
    )
    for other in (question(state="2"), question(line=1), question(state=""), question(text="thing()\nthing()\n")):
        assert not pool.ask(other).result().is_cached, other
    assert not pool.ask(question(state="")).result().is_cached
    assert 6 == len(segment.connections[0].of("textDocument/definition"))


def test_a_late_answer_is_there_for_the_next(segment: Segment) -> None:
    """Who asked first has had to do without."""
    segment.install("ty")
    pool = segment.pool()
    pool.prepare("python", "a.py")
    server = segment.connections[0]
    server.waits = True
    pending = pool.ask(question())
    segment.clock.advance_ns(500 * MS)
    assert "timeout" == pending.result().status
    server.answer(server.of("textDocument/definition")[0])
    assert pool.ask(question()).result().is_cached
    kept = pool.kept(question())
    assert kept is not None
    assert not kept.is_cached
    assert pool.kept(question(state="2")) is None
    assert pool.kept(ServerQuestion("definition", "a.cob", 1, 1, "cobol")) is None


def test_uses_are_not_asked_of_one_that_does_not_know_the_project(segment: Segment) -> None:
    """It would list those it happens to have seen; definitions it knows."""
    segment.install("clangd")
    pool = segment.pool()
    (segment.root / "a.c").write_text("int thing;\n")
    asked = ServerQuestion("references", "a.c", 1, 5, "c", "thing", state="1")
    reply = pool.ask(asked).result()
    assert ("no_server", "clangd", "clangd does not know all files of the project") == (
        *(reply.status, reply.server, reply.detail),
    )
    assert [] == segment.connections
    assert pool.ask(replace(asked, method="definition")).result().is_answer


def test_what_changed_is_announced_before_the_next_question(segment: Segment) -> None:
    """Once for each state: files that came, changed and went."""
    segment.install("ty")
    pool = segment.pool()
    segment.listing = [(b"a.py", 1, 1), (b"b.py", 1, 1)]
    pool.ask(question())
    server = segment.connections[0]
    assert [] == server.of("workspace/didChangeWatchedFiles")
    segment.listing = [(b"b.py", 1, 2), (b"new.py", 1, 1)]
    pool.ask(question(state=""))
    pool.ask(question())
    assert [] == server.of("workspace/didChangeWatchedFiles")
    pool.ask(question("b.py", state="2", line=1))
    pool.ask(question("b.py", state="2", line=1))
    (told,) = server.of("workspace/didChangeWatchedFiles")
    assert {("b.py", 2), ("new.py", 1), ("a.py", 3)} == {
        (change["uri"].rpartition("/")[2], change["type"]) for change in told["params"]["changes"]
    }


def test_what_changed_while_a_server_was_only_started_is_announced(segment: Segment) -> None:
    """It may have been started long before anybody asks; without an index there is nothing to compare with yet."""
    segment.install("ty")
    segment.listing = [(b"a.py", 1, 1), (b"b.py", 1, 1)]
    for begin in (lambda pool: pool.prepare("python", "a.py"), lambda pool: pool.ask(question(state=""))):
        pool = segment.pool()
        segment.fails_to_list = True
        begin(pool)
        segment.fails_to_list = False
        known, segment.listing = segment.listing, []  # it is being made
        begin(pool)
        segment.listing = known
        begin(pool)
        server = segment.connections[-1]
        segment.listing = [(b"a.py", 1, 1), (b"b.py", 2, 2)]
        pool.ask(question())
        (told,) = server.of("workspace/didChangeWatchedFiles")
        assert [2] == [change["type"] for change in told["params"]["changes"]]
        segment.listing = []
        pool.ask(question(state="2"))
        segment.listing = known
        pool.ask(question(state="3"))
        told = server.of("workspace/didChangeWatchedFiles")
        assert [[2], [2]] == [[change["type"] for change in one["params"]["changes"]] for one in told]


def two_servers(segment: Segment) -> tuple[LanguageServerPool, QuickConnection, QuickConnection]:
    """Return a pool with a server for Python and one for C."""
    segment.install("ty", "clangd")
    (segment.root / "a.c").write_text("int thing;\n")
    segment.listing = [(b"a.py", 1, 1)]
    pool = segment.pool()
    assert pool.ask(question()).result().is_answer
    assert pool.ask(in_c()).result().is_answer
    python, c = segment.connections
    return pool, python, c


def in_c(state: str = "1", column: int = 5) -> ServerQuestion:
    return ServerQuestion("definition", "a.c", 1, column, "c", "thing", state=state)


def test_nobody_is_answered_by_a_server_that_has_not_heard_of_the_changes(segment: Segment) -> None:
    """Another question about the same state waits while servers are told one after the other."""
    pool, python, c = two_servers(segment)
    asking = threading.Thread(target=lambda: pool.ask(question(state="2", line=1)).result())

    def ask_meanwhile(message: dict[str, Any]) -> None:
        if message["method"] == "workspace/didChangeWatchedFiles":
            asking.start()
            asking.join(0.2)  # it has all the time it needs to be too early

    c.on_send = ask_meanwhile  # the first one to be told: it was asked longest ago
    segment.listing = [(b"a.py", 1, 2)]
    before = len(python.sent)
    pool.ask(question(state="2"))
    asking.join()
    methods = [message["method"] for message in python.sent[before:]]
    assert ["workspace/didChangeWatchedFiles", *["textDocument/definition"] * 2] == methods


def test_an_answer_may_come_while_a_text_is_told(segment: Segment) -> None:
    """Whoever types must not wait for whoever answers, who waits for whoever types."""
    pool, python, c = two_servers(segment)
    c.waits = True
    pending = pool.ask(in_c(column=6))
    asked = c.of("textDocument/definition")[-1]
    answering = threading.Thread(target=c.answer, args=(asked,), daemon=True)

    def answer_meanwhile(message: dict[str, Any]) -> None:
        if message["method"] == "textDocument/didChange":
            answering.start()
            answering.join(60)
            assert not answering.is_alive()

    python.on_send = answer_meanwhile
    pool.set_unsaved("a.py", "thing()\n")
    assert pending.result().is_answer


def test_an_answer_about_a_text_that_came_and_went_is_not_kept(segment: Segment) -> None:
    """The texts are those again that were asked about, but the answer may be about the one in between."""
    segment.install("ty")
    pool = segment.pool()
    pool.prepare("python", "a.py")
    server = segment.connections[0]
    server.waits = True
    pool.ask(question())
    pool.set_unsaved("b.py", "def between(): ...\n")
    pool.set_unsaved("b.py", None)
    server.answer(server.of("textDocument/definition")[0])
    assert pool.kept(question()) is None


def test_answers_are_about_the_texts_that_there_were(segment: Segment) -> None:
    """A kept answer is good again when the texts are those it was given about; questions go out with the text."""
    segment.install("ty")
    pool = segment.pool()
    assert not pool.ask(question()).result().is_cached
    pool.set_unsaved("b.py", "def other(): ...\ndef thing(): ...\n")
    reply = pool.ask(question()).result()
    assert not reply.is_cached
    assert pool.ask(question()).result().is_cached
    pool.set_unsaved("a.py", "from b import thing\n\nthing()\n")
    pool.ask(question(line=3)).result()
    opened = [one["params"]["textDocument"] for one in segment.connections[0].of("textDocument/didOpen")]
    assert ["def other(): ...\ndef thing(): ...\n"] == [one["text"] for one in opened if one["uri"].endswith("b.py")]
    pool.set_unsaved("a.py", None)
    pool.set_unsaved("b.py", None)
    assert pool.ask(question()).result().is_cached
    pool.close()


def test_an_answer_that_texts_overtook_is_not_kept(segment: Segment) -> None:
    """Nobody knows which of them it is about."""
    segment.install("ty")
    pool = segment.pool()
    reply = pool.ask(question()).result()
    client = next(iter(pool._clients.values()))
    pool._replies.clear()
    pool.set_unsaved("b.py", "def overtaking(): ...\n")
    pool._keep(client, question(), reply, (0, 0))
    assert {} == pool._replies
    pool.close()


def test_what_is_kept_is_bounded_by_its_places(segment: Segment) -> None:
    """The replies of long ago go when those that came after them are large; the same one again counts once."""
    segment.install("ty")
    pool = segment.pool()
    reply = pool.ask(question()).result()
    client = next(iter(pool._clients.values()))
    large = replace(reply, places=reply.places * (PLACES_KEPT // 2))
    for state in ("2", "2", "3"):
        pool._keep(client, question(state=state), large, (0, 0))
    kept = [state for state in ("1", "2", "3") if pool.kept(question(state=state)) is not None]
    assert (["2", "3"], PLACES_KEPT) == (kept, pool._places_kept)
    pool.close()


def test_a_server_that_starts_later_learns_of_unsaved_texts(segment: Segment) -> None:
    """Whoever is started by the next question knows them, too."""
    segment.install("ty")
    pool = segment.pool()
    pool.set_unsaved("b.py", "def thing(): return 1\n")
    pool.ask(question()).result()
    opened = [one["params"]["textDocument"]["text"] for one in segment.connections[0].of("textDocument/didOpen")]
    assert "def thing(): return 1\n" in opened
    pool.close()


def test_status_memory_and_restart_are_by_server(segment: Segment) -> None:
    """One that was ended is started by the next question; a key of nobody is no error."""
    segment.install("ty")
    pool = segment.pool()
    assert [] == pool.status()
    pool.ask(question())
    (row,) = pool.status()
    assert ("ty", ".", "") == (row["server"], row["root"], row["breaker"])
    assert row["state"].startswith("ready after")
    (key,) = pool.memory_bytes()
    assert 768 << 20 == pool.memory_limit_bytes(key)
    assert 0 == pool.memory_limit_bytes("nobody")
    pool.restart("nobody")
    pool.restart(key)
    assert "stopped" == pool.status()[0]["state"]
    assert {} == pool.memory_bytes()
    assert pool.ask(question(line=1)).result().is_answer
    assert 2 == len(segment.connections)


def _with_environments(segment: Segment, count: int) -> Iterator[str]:
    """Yield files below roots with an environment each, which is then the activated one."""
    for number in range(count):
        folder = segment.root / f"p{number}"
        (folder / ".venv/bin").mkdir(parents=True)
        (folder / ".venv/bin/python").symlink_to("/bin/true")
        (folder / ".venv/pyvenv.cfg").write_text("home = /bin\n")
        (folder / "a.py").write_text("thing()\n")
        segment.environ["VIRTUAL_ENV"] = str(folder / ".venv")
        yield f"p{number}/a.py"


def test_the_server_that_was_asked_longest_ago_makes_room(segment: Segment) -> None:
    """A segment of many environments does not fill the memory."""
    segment.install("ty")
    pool = segment.pool()
    for number, path in enumerate(_with_environments(segment, CLIENTS_MAX + 1)):
        pool.ask(question(path, line=1, state=f"{number}"))
    assert CLIENTS_MAX + 1 == len({connection.directory for connection in segment.connections})
    assert CLIENTS_MAX == len(pool.status())
    pool.close()


def test_closing_waits_for_a_server_that_makes_room(segment: Segment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its end is told, like that of the others, before whoever closes the pool writes the last counts."""
    leaving, killed = threading.Event(), threading.Event()
    join = QuickConnection.join

    def ends_late(server: QuickConnection, timeout_s: float) -> bool:
        if not server.was_killed:
            leaving.set()
            killed.wait()
        return join(server, timeout_s)

    segment.install("ty")
    pool = segment.pool(is_host=False)
    monkeypatch.setattr(QuickConnection, "join", ends_late)
    try:
        for number, path in enumerate(_with_environments(segment, CLIENTS_MAX + 1)):
            pool.ask(question(path, line=1, state=f"{number}"))
        leaving.wait()
        pool.close()
        assert [True] * (CLIENTS_MAX + 1) == [server.was_killed for server in segment.connections]
    finally:
        killed.set()


@pytest.mark.parametrize("is_host", [True, False])
def test_closing_ends_every_server(segment: Segment, is_host: bool) -> None:
    """A host asks them to go, a command takes them along; who asks then does not hear that none is installed."""
    segment.install("ty")
    pool = segment.pool(is_host=is_host)
    pool.ask(question())
    pool.close()
    pool.close()
    (server,) = segment.connections
    assert (1 if is_host else 0) == len(server.of("shutdown"))
    assert is_host is not server.was_killed
    reply = pool.ask(question()).result()
    assert ("crashed", "the language servers are being ended", 500) == (reply.status, reply.detail, reply.deadline_ms)
    assert 1 == len(segment.connections)


def test_nothing_is_started_by_who_began_to_ask_before_the_end(segment: Segment) -> None:
    """A server that is started after its pool was closed would be ended by nobody."""
    segment.install("ty")
    segment.listing = [(b"a.py", 1, 1)]
    for begin in (lambda pool: pool.ask(question()).result(), lambda pool: pool.prepare("python", "a.py")):
        pool = segment.pool()
        segment.on_list = pool.close
        begin(pool)
        assert [] == segment.connections


def test_a_file_that_is_not_there_is_no_question(segment: Segment) -> None:
    """It says which one."""
    segment.install("ty")
    reply = segment.pool().ask(question("gone.py")).result()
    assert ("error", "gone.py cannot be read as text") == (reply.status, reply.detail)


def test_a_dead_server_is_in_the_status(segment: Segment) -> None:
    """With its reason and what the breaker has counted."""
    segment.install("ty")
    pool = segment.pool()
    pool.ask(question())
    segment.connections[0].listener.on_end(ProcessEnd(exit_code=7, stderr="panicked"))
    (row,) = pool.status()
    assert Failed("ended with exit code 7 (panicked)").describe() == row["state"]
    assert "1 failures in a row: ended with exit code 7 (panicked)" == row["breaker"]
    assert row["pid"] is None
