"""LSPClient: states, READY, deadlines, late answers, documents, what servers ask, the breaker; on a manual clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.fakes import ManualClock, RecordingTelemetry

from ctx.domain.circuit_breaker import OPEN_FIRST_S, TIMEOUTS_MAX
from ctx.domain.language_server import Cold, Failed, Ready, ServerPlace, ServerQuestion, ServerReply, Stopped, Warming
from ctx.domain.server_backends import Backend
from ctx.infrastructure.ast_lsp.lsp_answers import HOVER_CHARS_MAX
from ctx.infrastructure.ast_lsp.lsp_client import LATE_LIMIT_S, SETTLED_AFTER_S, LSPClient
from ctx.infrastructure.ast_lsp.lsp_documents import OPEN_DOCUMENTS_MAX
from ctx.infrastructure.ast_lsp.lsp_process import ProcessEnd
from ctx.infrastructure.ast_lsp.lsp_record import DIAGNOSES_TOLD_MAX
from ctx.infrastructure.ast_lsp.server_discovery import FoundServer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ctx.infrastructure.ast_lsp.lsp_process import Listener

MS = 1_000_000
FILES = {
    "a.py": "from b import thing\n\nthing()\n",
    "b.py": "import os\n\n\ndef thing():\n    return 1\n",
    "é x.py": "x = '\U0001d4b3'; thing()\n",
}


class FakeConnection:
    """Keeps what is sent; the test is the server."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.sent: list[dict[str, Any]] = []
        self.is_killed = False
        self.input_is_closed = False
        self.ends_when_closed = True

    def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    def wake(self) -> None:
        pass

    def close_input(self) -> None:
        self.input_is_closed = True

    def kill(self) -> None:
        self.is_killed = True

    def join(self, timeout_s: float) -> bool:
        if self.is_killed or self.ends_when_closed:
            self.listener.on_end(ProcessEnd(signal=9) if self.is_killed else ProcessEnd(exit_code=0))
            return True
        return False

    def of(self, method: str) -> list[dict[str, Any]]:
        """Return what was sent of a method."""
        return [message for message in self.sent if message.get("method") == method]


class Bench:
    """A client with everything around it in the test's hands."""

    def __init__(self, *, keeps_late: bool = False, pulls: bool = False, opens: bool = True) -> None:
        self.clock = ManualClock()
        self.telemetry = RecordingTelemetry()
        self.connections: list[FakeConnection] = []
        self.opens = opens
        self.files = dict(FILES)
        self.late: list[ServerReply] = []
        self.directories: list[str] = []
        self.environments: list[dict[str, str]] = []
        backend = Backend(
            "scripted",
            (("scripted",),),
            ("python",),
            0,
            0,
            settings=lambda interpreter: {"python": {"pythonPath": interpreter, "analysis": {"x": [1]}}},
            initialization_options={"o": 1},
            pulls_diagnostics=pulls,
        )
        found = FoundServer(backend, ("scripted",), "path", "/seg", "/py", "", {"VIRTUAL_ENV": "/v"}, ())
        self.client = LSPClient(
            found,
            segment="/seg",
            telemetry=self.telemetry,
            clock=self.clock,
            read_text=self.files.get,
            keeps_late=keeps_late,
            environ={"PATH": "/bin"},
            open_connection=self.open,
        )

    def open(
        self, command: Sequence[str], directory: str, environment: Mapping[str, str], listener: Listener
    ) -> FakeConnection:
        """Be what starts a process."""
        assert ("scripted",) == command
        self.directories.append(directory)
        self.environments.append(dict(environment))
        if not self.opens:
            raise OSError(12, "Cannot allocate memory")
        self.connections.append(FakeConnection(listener))
        return self.connections[-1]

    @property
    def server(self) -> FakeConnection:
        """The connection of the present life."""
        return self.connections[-1]

    def pass_ms(self, elapsed_ms: float) -> None:
        """Let time pass, and the client do what is due."""
        self.clock.advance_ns(int(elapsed_ms * MS))
        self.server.listener.on_tick()

    def initialize(self, **capabilities: Any) -> None:
        """Start the server and have it answer `initialize`."""
        self.client.start()
        self.server.listener.on_started(4711)
        self.say({"id": self.server.of("initialize")[0]["id"], "result": {"capabilities": capabilities}})

    def make_ready(self) -> None:
        """Have an initialized server publish its first diagnostics."""
        self.initialize()
        self.diagnose("/seg/a.py")

    def diagnose(self, path: str, *messages: str) -> None:
        """Publish diagnostics."""
        rows = [{"message": message} for message in messages]
        parameters = {"uri": f"file://{path}", "diagnostics": rows}
        self.say({"method": "textDocument/publishDiagnostics", "params": parameters})

    def say(self, message: dict[str, Any]) -> None:
        """Be the server saying something."""
        self.server.listener.on_message({"jsonrpc": "2.0", **message})

    def ask(self, method: Any = "definition", path: str = "a.py", line: int = 3, column: int = 1, **more: Any) -> Any:
        """Ask about the call of `thing` in a.py."""
        question = ServerQuestion(method, path, line, column, "python", **({"name": "thing"} | more))
        return self.client.ask(question, on_reply=lambda _question, reply: self.late.append(reply))

    def answer(self, result: Any, method: str = "textDocument/definition", which: int = -1) -> None:
        """Answer the last request of a method."""
        self.say({"id": self.server.of(method)[which]["id"], "result": result})


RIGHT = {"uri": "file:///seg/b.py", "range": {"start": {"line": 3, "character": 4}, "end": {"line": 3, "character": 9}}}
WRONG = {"uri": "file:///seg/b.py", "range": {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 1}}}
PLACE = ServerPlace("b.py", 4, 5, is_inside=True)


def test_nothing_is_started_before_the_first_question() -> None:
    """The state says so."""
    bench = Bench()
    assert Cold() == bench.client.state
    assert [] == bench.connections
    bench.ask()
    assert isinstance(bench.client.state, Warming)
    assert ["/seg"] == bench.directories
    assert [{"PATH": "/bin", "VIRTUAL_ENV": "/v"}] == bench.environments


def test_initialize_says_who_asks_and_what_we_can() -> None:
    """Folder, options, encodings; pull diagnostics only for a server that publishes none."""
    for pulls in (False, True):
        bench = Bench(pulls=pulls)
        bench.client.start()
        parameters = bench.server.of("initialize")[0]["params"]
        assert [{"uri": "file:///seg", "name": "seg"}] == parameters["workspaceFolders"]
        assert {"o": 1} == parameters["initializationOptions"]
        assert ["utf-32", "utf-8", "utf-16"] == parameters["capabilities"]["general"]["positionEncodings"]
        assert pulls == ("diagnostic" in parameters["capabilities"]["textDocument"])


def test_a_right_definition_makes_it_ready() -> None:
    """Not empty, and the line it points to holds the name."""
    bench = Bench()
    pending = bench.ask()
    bench.initialize()
    bench.clock.advance_ns(70 * MS)
    bench.answer([RIGHT])
    assert Ready("definition", 70.0) == bench.client.state
    reply = pending.result()
    assert ("answered", (PLACE,), True, 70 * MS, 500) == (
        reply.status,
        reply.places,
        reply.was_sent,
        reply.elapsed_ns,
        reply.deadline_ms,
    )
    (ready,) = bench.telemetry.named("lsp.ready")
    assert ({"server": "scripted", "file": "a.py"}, {"ready_via": "definition"}, 70) == ready[1:4]


@pytest.mark.parametrize("provisional", [None, [], [WRONG], WRONG])
def test_an_empty_or_wrong_definition_is_asked_again_until_it_is_ready(provisional: Any) -> None:
    """Before that a server does not know yet; the deadline holds all the same."""
    bench = Bench()
    pending = bench.ask()
    bench.initialize()
    bench.answer(provisional)
    assert isinstance(bench.client.state, Warming)
    bench.pass_ms(29)
    assert 1 == len(bench.server.of("textDocument/definition"))
    bench.pass_ms(1)
    assert 2 == len(bench.server.of("textDocument/definition"))
    bench.answer(provisional)
    bench.pass_ms(60)
    bench.answer(RIGHT)
    assert (PLACE,) == pending.result().places


def test_diagnostics_make_it_ready_and_what_it_said_before_is_asked_again() -> None:
    """An answer of a ready server is final, also an empty one."""
    bench = Bench()
    pending = bench.ask()
    bench.initialize()
    bench.answer(None)
    bench.clock.advance_ns(9 * MS)
    bench.diagnose("/seg/b.py", "a secret", "another")
    assert Ready("diagnostics", 9.0) == bench.client.state
    bench.answer(None)
    assert ("answered", ()) == (pending.result().status, pending.result().places)
    (told,) = bench.telemetry.named("lsp.diagnostics")
    assert ({"server": "scripted", "file": "b.py"}, {"diag_count": 2}) == told[1:3]
    assert "secret" not in str(told)
    assert told.extra["snippet_hash"].startswith("sha256:")
    assert 19 == len(told.extra["snippet_hash"])


def test_diagnostics_are_told_when_they_change() -> None:
    """A server that floods them, the same or others, does not push everything else out of the record."""
    bench = Bench()
    bench.make_ready()
    for _ in range(5):
        bench.diagnose("/seg/b.py", "one")
    bench.diagnose("/seg/b.py", "two")
    assert [("a.py", 0), ("b.py", 1), ("b.py", 1)] == [
        (event.args["file"], event.result["diag_count"]) for event in bench.telemetry.named("lsp.diagnostics")
    ]
    for number in range(2 * DIAGNOSES_TOLD_MAX):
        bench.diagnose("/seg/b.py", str(number))
    assert DIAGNOSES_TOLD_MAX == len(bench.telemetry.named("lsp.diagnostics"))


def test_a_pulled_diagnostic_makes_it_ready() -> None:
    """For a server that publishes none, whether it offers that at once or registers it later."""
    for registers in (False, True):
        bench = Bench(pulls=True)
        bench.ask()
        bench.initialize(**({} if registers else {"diagnosticProvider": {}}))
        if registers:
            assert [] == bench.server.of("textDocument/diagnostic")
            rows = [{"id": "1", "method": "textDocument/diagnostic"}]
            bench.say({"id": 7, "method": "client/registerCapability", "params": {"registrations": rows}})
        (pull,) = bench.server.of("textDocument/diagnostic")
        assert "file:///seg/a.py" == pull["params"]["textDocument"]["uri"]
        bench.say({"id": pull["id"], "result": {"kind": "full", "items": [{"message": "m"}]}})
        assert "diagnostics" == getattr(bench.client.state, "via", "")


def test_the_deadline_counts_from_when_it_was_asked() -> None:
    """Before the server could be asked: not ready. Afterwards: a timeout, and the request is cancelled on the wire."""
    bench = Bench()
    early = bench.ask()
    bench.clock.advance_ns(500 * MS)
    assert ("not_ready", False, "warming up") == (early.result().status, early.result().was_sent, early.result().detail)
    bench.initialize()
    assert [] == bench.server.of("textDocument/definition")
    sent = bench.ask()
    bench.clock.advance_ns(499 * MS)
    bench.clock.advance_ns(1 * MS)
    reply = sent.result()
    assert ("timeout", True, 500 * MS) == (reply.status, reply.was_sent, reply.elapsed_ns)
    (request,) = bench.server.of("textDocument/definition")
    assert [{"id": request["id"]}] == [message["params"] for message in bench.server.of("$/cancelRequest")]


def test_a_reply_that_is_there_counts_however_late_it_came() -> None:
    """Whoever was busy meanwhile gets it."""
    bench = Bench()
    bench.make_ready()
    pending = bench.ask()
    bench.clock.advance_ns(900 * MS)
    bench.answer(RIGHT)
    assert ("answered", 900 * MS) == (pending.result().status, pending.result().elapsed_ns)


@pytest.mark.parametrize("keeps_late", [False, True])
def test_a_late_answer_is_kept_for_the_next(keeps_late: bool) -> None:
    """Who asked has had Tree-sitter's; where the server lives on, it is not even cancelled before a limit."""
    bench = Bench(keeps_late=keeps_late)
    bench.make_ready()
    pending = bench.ask()
    bench.clock.advance_ns(500 * MS)
    assert "timeout" == pending.result().status
    assert (0 if keeps_late else 1) == len(bench.server.of("$/cancelRequest"))
    bench.answer(RIGHT)
    assert [(PLACE,)] == [reply.places for reply in bench.late]
    assert "timeout" == pending.result().status


def test_what_is_too_late_is_cancelled() -> None:
    """A host does not wait for ever."""
    bench = Bench(keeps_late=True)
    bench.make_ready()
    pending = bench.ask()
    bench.clock.advance_ns(500 * MS)
    pending.result()
    bench.pass_ms(LATE_LIMIT_S * 1000 - 1)
    assert [] == bench.server.of("$/cancelRequest")
    bench.pass_ms(1)
    assert 1 == len(bench.server.of("$/cancelRequest"))


def test_what_is_never_answered_is_not_kept_for_ever() -> None:
    """Not even of a server that answers others meanwhile, and never what was cancelled."""
    bench = Bench(keeps_late=True)
    bench.make_ready()
    for _ in range(50):
        pending = bench.ask()
        bench.clock.advance_ns(500 * MS)
        pending.result()
        bench.ask(line=1)
        bench.answer(RIGHT)
        bench.pass_ms(LATE_LIMIT_S * 1000)
    life = bench.client._life
    assert life is not None
    assert ({}, []) == (life.requests, bench.client._asks)


def test_a_question_that_came_too_early_is_asked_when_the_server_is_there() -> None:
    """In a host: the better answer is there for the next who asks."""
    bench = Bench(keeps_late=True)
    pending = bench.ask()
    bench.clock.advance_ns(500 * MS)
    assert "not_ready" == pending.result().status
    bench.clock.advance_ns(5000 * MS)
    bench.initialize()
    bench.answer(RIGHT)
    assert [(PLACE,)] == [reply.places for reply in bench.late]


def test_an_answer_that_crosses_the_cancellation_is_one() -> None:
    """Also the first right one, which makes the server ready."""
    bench = Bench()
    bench.initialize()
    pending = bench.ask()
    bench.clock.advance_ns(500 * MS)
    assert "timeout" == pending.result().status
    bench.answer(RIGHT)
    assert isinstance(bench.client.state, Ready)
    assert [(PLACE,)] == [reply.places for reply in bench.late]


@pytest.mark.parametrize("keeps_late", [False, True])
def test_the_same_question_is_on_its_way_once(keeps_late: bool) -> None:
    """One answer is for all who asked; when whose question it is gives up, the next one's takes its place."""
    bench = Bench(keeps_late=keeps_late)
    bench.make_ready()
    first = bench.ask()
    bench.clock.advance_ns(400 * MS)
    second, other = bench.ask(), bench.ask(line=1)
    assert 2 == len(bench.server.of("textDocument/definition"))
    bench.clock.advance_ns(100 * MS)
    assert "timeout" == first.result().status
    assert (2 if keeps_late else 3) == len(bench.server.of("textDocument/definition"))
    bench.answer(RIGHT, which=0 if keeps_late else 2)
    assert ("answered", 100 * MS) == (second.result().status, second.result().elapsed_ns)
    bench.answer(None, which=1)
    assert () == other.result().places


def test_who_rides_on_a_question_that_failed_is_told() -> None:
    """It is asked itself then, and has its own answer; past its deadline it is a timeout like any other."""
    bench = Bench()
    bench.make_ready()
    first, second = bench.ask(), bench.ask()
    request = bench.server.of("textDocument/definition")[0]
    bench.say({"id": request["id"], "error": {"code": -32603, "message": "boom"}})
    assert "error" == first.result().status
    bench.answer(RIGHT)
    assert (PLACE,) == second.result().places
    bench.ask()
    riding = bench.ask()
    bench.clock.advance_ns(500 * MS)
    assert ("timeout", True) == (riding.result().status, riding.result().was_sent)


def test_references_wait_for_the_whole_project() -> None:
    """A server is ready by a definition before it knows all files; its references then are those it knows."""
    bench = Bench()
    pending = bench.ask("references")
    bench.initialize()
    probe = bench.server.of("textDocument/definition")[0]
    bench.say({"id": probe["id"], "result": RIGHT})
    assert isinstance(bench.client.state, Ready)
    bench.answer([RIGHT], "textDocument/references")
    bench.say({"method": "$/progress", "params": {"token": "t", "value": {"kind": "begin", "title": "indexing"}}})
    bench.diagnose("/seg/a.py")
    bench.answer([RIGHT], "textDocument/references")
    assert [] == bench.late
    bench.say({"method": "$/progress", "params": {"token": "t", "value": {"kind": "end"}}})
    bench.answer([RIGHT, WRONG], "textDocument/references")
    assert (PLACE, ServerPlace("b.py", 1, 1, is_inside=True)) == pending.result().places


def test_references_of_a_server_without_diagnostics_are_believed_after_a_while() -> None:
    """It must not wait for what never comes."""
    bench = Bench()
    bench.ask()
    bench.initialize()
    bench.answer(RIGHT)
    bench.clock.advance_ns(int(SETTLED_AFTER_S * 1000) * MS)
    pending = bench.ask("references")
    bench.answer([RIGHT], "textDocument/references")
    assert (PLACE,) == pending.result().places


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({"contents": {"kind": "markdown", "value": "**x**"}}, "**x**"),
        ({"contents": "plain"}, "plain"),
        ({"contents": ["a", {"language": "python", "value": "b"}, "  "]}, "a\n\nb"),
        ({"contents": {"kind": "plaintext", "value": 3}}, ""),
        ({"contents": None}, ""),
        (None, ""),
        ([], ""),
        ({"contents": "x" * (HOVER_CHARS_MAX + 1)}, "x" * (HOVER_CHARS_MAX - 1) + "…"),
    ],
)
def test_a_hover_is_read_in_every_form(result: Any, text: str) -> None:
    """Marked up, plain, a list; nothing else."""
    bench = Bench()
    bench.make_ready()
    pending = bench.ask("hover")
    bench.answer(result, "textDocument/hover")
    assert text == pending.result().hover


@pytest.mark.parametrize(
    ("result", "places"),
    [
        (RIGHT, [("b.py", 4, 5, True)]),
        ([RIGHT, RIGHT], [("b.py", 4, 5, True)]),
        (
            [{"targetUri": "file:///seg/b.py", "targetRange": RIGHT["range"], "targetSelectionRange": WRONG["range"]}],
            [("b.py", 1, 1, True)],
        ),
        ([{"targetUri": "file:///seg/b.py", "targetRange": RIGHT["range"]}], [("b.py", 4, 5, True)]),
        ({**RIGHT, "uri": "file:///nowhere/lib.py"}, [("/nowhere/lib.py", 4, 5, False)]),
        ({**RIGHT, "uri": "file:///seg/../etc/passwd-not"}, [("/etc/passwd-not", 4, 5, False)]),
        ({**RIGHT, "uri": "untitled:Untitled-1"}, [("untitled:Untitled-1", 4, 5, False)]),
        ({"uri": "file:///seg/b.py", "range": {"start": {"line": 999, "character": 9}}}, [("b.py", 6, 1, True)]),
        ({"uri": 3, "range": {}}, []),
        ({"uri": "file:///seg/b.py", "range": {"start": {"line": -1, "character": 0}}}, []),
        ({"uri": "file:///seg/b.py", "range": {"start": {"line": True, "character": 0}}}, []),
        ([None, 7, "x", {}], []),
    ],
)
def test_places_are_read_in_every_form(result: Any, places: list[tuple[str, int, int, bool]]) -> None:
    """Location, list, LocationLink; outside the segment with its whole path; nonsense is left out."""
    bench = Bench()
    bench.make_ready()
    pending = bench.ask()
    bench.answer(result)
    found = [(place.path, place.line, place.column, place.is_inside) for place in pending.result().places]
    assert places == found


@pytest.mark.parametrize(("encoding", "character"), [("utf-8", 12), ("utf-16", 10), ("utf-32", 9), ("nonsense", 10)])
def test_positions_are_in_the_servers_encoding(encoding: str, character: int) -> None:
    """What it does not say or we do not know is utf-16."""
    bench = Bench()
    bench.initialize(positionEncoding=encoding)
    bench.ask(path="é x.py", line=1, column=10)
    (request,) = bench.server.of("textDocument/definition")
    assert {"line": 0, "character": character} == request["params"]["position"]
    assert "file:///seg/%C3%A9%20x.py" == request["params"]["textDocument"]["uri"]


def test_documents_follow_the_text_that_is_asked_about() -> None:
    """Opened once, changed when the text is another one, an unsaved one and the disk's again; the oldest are closed."""
    bench = Bench()
    bench.make_ready()
    bench.ask()
    bench.ask()
    assert 1 == len(bench.server.of("textDocument/didOpen"))
    bench.ask(text="thing()\n", line=1)
    bench.ask(line=1)
    changes = bench.server.of("textDocument/didChange")
    assert [(2, "thing()\n"), (3, FILES["a.py"])] == [
        (change["params"]["textDocument"]["version"], change["params"]["contentChanges"][0]["text"])
        for change in changes
    ]
    for n in range(OPEN_DOCUMENTS_MAX):
        bench.files[f"f{n}.py"] = "thing()\n"
        bench.ask(path=f"f{n}.py", line=1)
    closed = [message["params"]["textDocument"]["uri"] for message in bench.server.of("textDocument/didClose")]
    assert ["file:///seg/a.py"] == closed


def test_unsaved_texts_stay_open_at_the_server() -> None:
    """Told at its start, changed, closed; never closed for others' sake, and not of languages it does not read."""
    bench = Bench()
    bench.client.set_unsaved("a.py", "python", "first")
    bench.client.set_unsaved("x.go", "go", "package x")
    bench.make_ready()
    bench.client.set_unsaved("a.py", "python", "second")
    for n in range(OPEN_DOCUMENTS_MAX + 1):
        bench.files[f"f{n}.py"] = "thing()\n"
        bench.ask(path=f"f{n}.py", line=1)
    opened = [message["params"]["textDocument"] for message in bench.server.of("textDocument/didOpen")]
    assert [("file:///seg/a.py", "first")] == [(one["uri"], one["text"]) for one in opened[:1]]
    assert ["file:///seg/x.go"] != [one["uri"] for one in opened if one["uri"].endswith(".go")]
    changes = [message["params"]["contentChanges"] for message in bench.server.of("textDocument/didChange")]
    assert [[{"text": "second"}]] == changes
    closed = [message["params"]["textDocument"]["uri"] for message in bench.server.of("textDocument/didClose")]
    assert ["file:///seg/f0.py"] == closed
    bench.client.announce([("a.py", "deleted")])
    bench.client.set_unsaved("a.py", "python", None)
    bench.client.set_unsaved("a.py", "python", None)
    closed = [message["params"]["textDocument"]["uri"] for message in bench.server.of("textDocument/didClose")]
    assert ["file:///seg/f0.py", "file:///seg/a.py"] == closed


def test_changed_files_are_announced() -> None:
    """One message; a deleted one that was open is closed; a server that is not initialized reads them afterwards."""
    bench = Bench()
    bench.client.announce([("a.py", "changed")])
    bench.client.start()
    bench.client.announce([("a.py", "changed")])
    assert [] == bench.server.of("workspace/didChangeWatchedFiles")
    bench.make_ready()
    bench.ask()
    bench.client.announce([("b.py", "created"), ("é x.py", "changed"), ("a.py", "deleted")])
    bench.client.announce([])
    (told,) = bench.server.of("workspace/didChangeWatchedFiles")
    assert [("file:///seg/b.py", 1), ("file:///seg/%C3%A9%20x.py", 2), ("file:///seg/a.py", 3)] == [
        (one["uri"], one["type"]) for one in told["params"]["changes"]
    ]
    assert 1 == len(bench.server.of("textDocument/didClose"))


def test_an_open_document_follows_its_file() -> None:
    """A server goes by the text it has open: it is told the new one before the changed files, but for unsaved texts."""
    bench = Bench()
    bench.make_ready()
    for path in ("a.py", "b.py"):
        bench.ask(path=path)
    bench.client.set_unsaved("b.py", "python", "unsaved\n")
    before = len(bench.server.of("textDocument/didChange"))
    bench.files.update({"a.py": "def moved(): ...\n", "b.py": "on disk\n", "c.py": "never opened\n"})
    bench.client.announce([("a.py", "changed"), ("b.py", "changed"), ("c.py", "changed")])
    (changed,) = bench.server.of("textDocument/didChange")[before:]
    assert "file:///seg/a.py" == changed["params"]["textDocument"]["uri"]
    assert [{"text": "def moved(): ...\n"}] == changed["params"]["contentChanges"]
    assert [changed, *bench.server.of("workspace/didChangeWatchedFiles")] == bench.server.sent[-2:]
    del bench.files["a.py"]
    bench.client.announce([("a.py", "changed")])
    (closed,) = bench.server.of("textDocument/didClose")
    assert "file:///seg/a.py" == closed["params"]["textDocument"]["uri"]


@pytest.mark.parametrize("is_unsaved", [False, True])
@pytest.mark.parametrize("is_initialized", [False, True])
def test_a_text_that_is_over_does_not_come_back(is_initialized: bool, is_unsaved: bool) -> None:
    """What waits to be asked again, in time or late, must not have the server know a text that was changed since."""
    bench = Bench(keeps_late=True)
    late = bench.ask()
    if is_initialized:
        bench.initialize()
        bench.answer([])
    bench.clock.advance_ns(500 * MS)
    assert "answered" != late.result().status
    waiting = bench.ask("references")
    if is_initialized:
        bench.answer([], "textDocument/references")
    bench.files["a.py"] = "changed()\n"
    before = len(bench.server.sent)
    if is_unsaved:
        bench.client.set_unsaved("a.py", "python", "changed()\n")
    else:
        bench.client.announce([("a.py", "changed")])
    if not is_initialized:
        bench.initialize()
    bench.pass_ms(31)
    bench.diagnose("/seg/b.py")
    assert "from b import" not in str(bench.server.sent[before:])
    assert ("error", "a.py was changed while it was asked about") == (waiting.reply.status, waiting.reply.detail)
    assert [] == bench.late
    bench.ask(line=1)
    known = [*bench.server.of("textDocument/didOpen"), *bench.server.of("textDocument/didChange")]
    assert "changed()" in str(known[-1])


@pytest.mark.parametrize("is_initialized", [False, True])
@pytest.mark.parametrize("change", ["typed", "discarded", "written"])
def test_a_text_that_is_over_when_it_was_read_is_not_told(change: str, is_initialized: bool) -> None:
    """Another thread may tell of the next one just then, and what it told stands."""
    bench = Bench()
    if change == "discarded":
        bench.client.set_unsaved("a.py", "python", "over()\n")
    if is_initialized:
        bench.make_ready()
        bench.ask(line=1, name="", text="over()\n")
        bench.answer([])

    def reads(path: str) -> str | None:
        bench.client._read_text = bench.files.get
        bench.files["a.py"] = "thing()\n"
        if change == "typed":
            bench.client.set_unsaved("a.py", "python", "thing()\n")
        elif change == "discarded":
            bench.client.set_unsaved("a.py", "python", None)
        else:
            bench.client.announce([(path, "changed")])
        return "over()\n"

    bench.client._read_text = reads
    pending = bench.ask(line=1)
    if not is_initialized:
        bench.initialize()
    assert ("error", "a.py was changed while it was asked about") == (pending.reply.status, pending.reply.detail)
    told = [message for message in bench.server.sent if message["method"].startswith("textDocument/did")]
    assert "over()" not in str(told[-1:])
    assert bench.ask(line=1).reply is None


def test_a_question_goes_on_when_its_file_has_the_same_text_again() -> None:
    """A file that was written anew with what it held, or a text that was saved, changes nothing about it."""
    bench = Bench(keeps_late=True)
    bench.client.set_unsaved("a.py", "python", "thing()\n")
    bench.files["a.py"] = "thing()\n"
    bench.initialize()
    pending = bench.ask(line=1)
    bench.answer([])
    bench.client.set_unsaved("a.py", "python", None)
    bench.client.announce([("a.py", "changed")])
    bench.pass_ms(31)
    bench.answer([RIGHT])
    assert (PLACE,) == pending.result().places


def test_a_file_that_cannot_be_read_is_not_asked_about() -> None:
    """And the server lives on."""
    bench = Bench()
    bench.make_ready()
    reply = bench.ask(path="gone.py").result()
    assert ("error", "gone.py cannot be read as text", False) == (reply.status, reply.detail, reply.was_sent)
    assert isinstance(bench.client.state, Ready)


@pytest.mark.parametrize(
    ("method", "parameters", "result"),
    [
        (
            "workspace/configuration",
            {"items": [{"section": "python"}, {"section": "python.analysis"}, {"section": "x.y"}, {}, None]},
            [{"pythonPath": "/py", "analysis": {"x": [1]}}, {"x": [1]}, None],
        ),
        ("workspace/configuration", {}, []),
        ("workspace/workspaceFolders", None, [{"uri": "file:///seg", "name": "seg"}]),
        ("client/registerCapability", {"registrations": [{"id": "1", "method": "m"}, 3]}, None),
        ("client/unregisterCapability", {"unregisterations": [{"id": "1", "method": "m"}, 3]}, None),
        ("window/workDoneProgress/create", {"token": 1}, None),
        ("window/showMessageRequest", {"type": 1, "message": "m"}, None),
        ("workspace/diagnostic/refresh", None, None),
        ("workspace/semanticTokens/refresh", None, None),
        (
            "workspace/applyEdit",
            {"edit": {"changes": {}}},
            {"applied": False, "failureReason": "ctx changes no files"},
        ),
        ("window/showDocument", {"uri": "https://x"}, {"success": False}),
    ],
)
def test_what_the_server_asks_is_answered(method: str, parameters: Any, result: Any) -> None:
    """From the first byte on: before it has answered `initialize`, too."""
    bench = Bench()
    bench.client.start()
    bench.say({"id": "their-1", "method": method, "params": parameters})
    answer = bench.server.sent[-1]
    assert "their-1" == answer["id"]
    if method == "workspace/configuration" and parameters:
        assert result == answer["result"][:3]
        assert len(parameters["items"]) == len(answer["result"])
    else:
        assert result == answer["result"]


def test_what_we_do_not_know_is_refused() -> None:
    """With the protocol's own code."""
    bench = Bench()
    bench.client.start()
    bench.say({"id": 5, "method": "custom/secret"})
    assert (5, -32601) == (bench.server.sent[-1]["id"], bench.server.sent[-1]["error"]["code"])


def test_errors_of_the_protocol_are_taken_as_they_are_meant() -> None:
    """Changed content and a cancelling server are asked again, any other error is one."""
    bench = Bench()
    bench.make_ready()
    pending = bench.ask()
    for code in (-32801, -32802):
        bench.say({"id": bench.server.of("textDocument/definition")[-1]["id"], "error": {"code": code, "message": "m"}})
        bench.pass_ms(100)
    bench.answer(RIGHT)
    assert (PLACE,) == pending.result().places
    failing = bench.ask()
    request = bench.server.of("textDocument/definition")[-1]
    bench.say({"id": request["id"], "error": {"code": -32603, "message": "boom"}})
    assert ("error", "scripted answered with an error: boom") == (failing.result().status, failing.result().detail)
    assert isinstance(bench.client.state, Ready)


@pytest.mark.parametrize("message", [{"result": 5}, {"result": True}, {"result": "text"}, {"error": "boom"}])
def test_an_answer_that_is_none_is_an_error(message: dict[str, Any]) -> None:
    """It says nothing about whether there is a definition; the server lives on."""
    bench = Bench()
    bench.make_ready()
    pending = bench.ask()
    bench.say({"id": bench.server.of("textDocument/definition")[-1]["id"], **message})
    assert ("error", "scripted answered with what is no answer") == (pending.result().status, pending.result().detail)
    assert isinstance(bench.client.state, Ready)


def test_answers_to_nothing_are_ignored() -> None:
    """Unknown numbers, the same answer twice, numbers that are none."""
    bench = Bench()
    bench.make_ready()
    pending = bench.ask()
    bench.say({"id": 999, "result": RIGHT})
    bench.say({"id": "x", "result": RIGHT})
    bench.say({"id": None, "result": RIGHT})
    bench.say({"result": RIGHT})
    bench.answer(RIGHT)
    bench.answer(WRONG)
    assert (PLACE,) == pending.result().places


def test_a_server_that_dies_answers_who_waits_and_is_started_again() -> None:
    """With its last words; the next question starts a new one, what comes of the old one counts no more."""
    bench = Bench()
    bench.make_ready()
    pending = bench.ask()
    bench.server.listener.on_end(ProcessEnd(exit_code=3, stderr="warning\nout of cheese\n"))
    reply = pending.result()
    assert "crashed" == reply.status
    assert "scripted failed: ended with exit code 3 (out of cheese)" == reply.detail
    assert Failed("ended with exit code 3 (out of cheese)") == bench.client.state
    (told,) = bench.telemetry.named("lsp.exit")
    assert (3, None, False, True) == tuple(told.result[key] for key in ("exit_code", "signal", "requested", "crashed"))
    bench.ask()
    assert 2 == len(bench.connections)
    bench.connections[0].listener.on_message({"method": "textDocument/publishDiagnostics", "params": {}})
    bench.connections[0].listener.on_end(ProcessEnd(exit_code=0))
    assert isinstance(bench.client.state, Warming)
    assert [True, False] == [event.extra["cold_start"] for event in bench.telemetry.named("lsp.spawn")] + [False]


def test_a_server_that_keeps_dying_is_left_alone() -> None:
    """Three times in a row; then the answer comes at once and says so, until its time is over."""
    bench = Bench()
    for _ in range(3):
        bench.ask()
        bench.server.listener.on_started(1)
        bench.server.listener.on_end(ProcessEnd(exit_code=1))
    reply = bench.ask().result()
    assert "circuit_open" == reply.status
    assert "left alone for 15 s more: ended with exit code 1" == reply.detail == bench.client.breaker_state
    assert 3 == len(bench.connections)
    bench.clock.advance_ns(int(OPEN_FIRST_S * 1e9))
    bench.ask()
    assert 4 == len(bench.connections)
    bench.make_ready()
    pending = bench.ask()
    bench.answer(RIGHT)
    assert "answered" == pending.result().status
    assert "" == bench.client.breaker_state


def time_out(bench: Bench) -> None:
    """Ask in vain."""
    pending = bench.ask(line=1 + len(bench.server.of("textDocument/definition")) % 3)
    bench.clock.advance_ns(500 * MS)
    assert "timeout" == pending.result().status


def test_a_busy_server_is_left_alone_until_it_answers() -> None:
    """It works on a large question and hears nothing meanwhile: others are answered at once, without it."""
    bench = Bench(keeps_late=True)
    bench.make_ready()
    for _ in range(TIMEOUTS_MAX):
        time_out(bench)
    assert "circuit_open" == bench.ask().result().status
    bench.answer(RIGHT, which=0)
    assert not bench.server.is_killed
    pending = bench.ask(path="b.py", line=4, column=5)
    bench.answer(RIGHT)
    assert "answered" == pending.result().status


def test_many_questions_at_once_are_one_busy_moment() -> None:
    """Those on their way when it was left alone are no tries after that; once it answers, it is asked again."""
    bench = Bench(keeps_late=True)
    bench.make_ready()
    asks = [bench.ask(line=1, column=column) for column in range(1, 3 * TIMEOUTS_MAX)]
    bench.clock.advance_ns(500 * MS)
    assert {"timeout"} == {ask.result().status for ask in asks}
    assert not bench.server.is_killed
    assert bench.client.breaker_state.startswith(f"left alone for {OPEN_FIRST_S:.0f} s more")
    bench.answer(RIGHT, which=0)
    assert "" == bench.client.breaker_state


def test_a_ready_server_that_answers_nothing_any_more_is_ended() -> None:
    """Not a word from it until the breaker opens again; it is no crash, and a new one is left alone for a while."""
    bench = Bench()
    bench.make_ready()
    for _ in range(TIMEOUTS_MAX):
        time_out(bench)
    assert not bench.server.is_killed
    bench.clock.advance_ns(int(OPEN_FIRST_S * 1e9))
    time_out(bench)
    assert bench.server.is_killed
    assert "circuit_open" == bench.ask().result().status
    bench.server.listener.on_end(ProcessEnd(signal=9))
    assert Stopped() == bench.client.state
    assert bench.telemetry.named("lsp.exit")[0].result["requested"] is True


def test_a_server_that_cannot_be_started_is_said_so() -> None:
    """Whether the system refuses or the program is not there."""
    bench = Bench(opens=False)
    reply = bench.ask().result()
    assert ("crashed", "failed: could not be started: Cannot allocate memory") == (reply.status, reply.detail)
    assert "error" == bench.telemetry.named("lsp.spawn")[0].result["status"]
    bench = Bench()
    pending = bench.ask()
    bench.server.listener.on_end(ProcessEnd(failed_to_start="No such file or directory"))
    assert "crashed" == pending.result().status
    assert Failed("could not be started: No such file or directory") == bench.client.state
    assert [] == bench.telemetry.named("lsp.exit")


@pytest.mark.parametrize("message", [{"error": {"code": 1, "message": "no licence"}}, {"result": None}, {"result": 3}])
def test_a_server_that_refuses_to_initialize_is_ended(message: dict[str, Any]) -> None:
    """Once counted, with its reason."""
    bench = Bench()
    pending = bench.ask()
    bench.server.listener.on_started(1)
    bench.say({"id": bench.server.of("initialize")[0]["id"], **message})
    assert bench.server.is_killed
    bench.server.listener.on_end(ProcessEnd(signal=9))
    assert "crashed" == pending.result().status
    assert "refused to initialize" in bench.client.state.describe()
    assert "error" == bench.telemetry.named("lsp.initialize")[0].result["status"]
    assert bench.telemetry.named("lsp.exit")[0].result["crashed"] is False


def test_a_server_that_never_answers_initialize_is_ended() -> None:
    """After a minute; questions meanwhile fell back at their own deadline."""
    bench = Bench()
    bench.ask()
    bench.server.listener.on_started(1)
    assert 60.0 == bench.server.listener.on_tick()
    bench.pass_ms(59_999)
    assert not bench.server.is_killed
    bench.pass_ms(1)
    assert bench.server.is_killed
    assert "timeout" == bench.telemetry.named("lsp.initialize")[0].result["status"]
    bench.server.listener.on_end(ProcessEnd(signal=9))
    assert Failed("did not answer initialize in 60 s") == bench.client.state


def test_a_broken_protocol_is_the_reason() -> None:
    """And a crash of a server that had not been initialized says so in both events."""
    bench = Bench()
    pending = bench.ask()
    bench.server.listener.on_started(1)
    bench.server.listener.on_end(ProcessEnd(signal=9, broken="broke the protocol: a message of 7 bytes"))
    assert "crashed" == pending.result().status
    assert Failed("broke the protocol: a message of 7 bytes") == bench.client.state
    assert "crashed" == bench.telemetry.named("lsp.initialize")[0].result["status"]
    assert bench.telemetry.named("lsp.exit")[0].result["crashed"] is True


def test_stopping_is_asking_first() -> None:
    """shutdown, exit, the end of its input; whoever waits is answered, the exit is no crash."""
    bench = Bench()
    bench.make_ready()
    pending = bench.ask()
    connection = bench.server

    def send(message: dict[str, Any]) -> None:
        connection.sent.append(message)
        if message["method"] == "shutdown":
            connection.listener.on_message({"id": message["id"], "result": None})

    connection.send = send  # type: ignore[method-assign]
    bench.client.stop()
    assert ["shutdown", "exit"] == [message["method"] for message in connection.sent[-2:]]
    assert connection.input_is_closed
    assert not connection.is_killed
    assert Stopped() == bench.client.state
    assert "crashed" == pending.result().status
    told = bench.telemetry.named("lsp.exit")[0].result
    assert (0, True, False) == (told["exit_code"], told["requested"], told["crashed"])
    bench.client.stop()


def test_nothing_that_a_server_says_on_its_way_out_is_an_answer() -> None:
    """Asked to shut down, many let go of what they know and name nothing: that would be kept for who asks next."""
    bench = Bench(keeps_late=True)
    bench.make_ready()
    early = bench.ask()
    pending: list[Any] = []
    connection = bench.server

    def send(message: dict[str, Any]) -> None:
        connection.sent.append(message)
        if message.get("method") == "shutdown":
            bench.answer(None)
            pending.extend([bench.ask(line=1), bench.ask("references")])
            if asked := bench.server.of("textDocument/references"):
                connection.listener.on_message({"id": asked[-1]["id"], "result": []})
            connection.listener.on_message({"id": message["id"], "result": None})

    connection.send = send  # type: ignore[method-assign]
    bench.client.stop()
    assert [] == bench.late
    assert 1 == len(bench.server.of("textDocument/definition"))
    assert [("crashed", "scripted is being ended")] * 3 == [
        (one.result().status, one.result().detail) for one in (early, *pending)
    ]
    bench.ask()
    assert 2 == len(bench.connections)


def test_one_that_does_not_go_is_killed() -> None:
    """Politeness has an end; without it there is none."""
    bench = Bench()
    bench.make_ready()
    bench.server.ends_when_closed = False
    bench.client.stop(politely=False)
    assert bench.server.is_killed
    assert [] == bench.server.of("shutdown")
    assert Stopped() == bench.client.state
    fresh = Bench()
    fresh.client.stop()
    assert Stopped() == fresh.client.state
