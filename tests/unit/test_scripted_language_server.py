"""The scripted server does what a scenario says: spoken to raw, byte by byte."""

from __future__ import annotations

import contextlib
import json
import select
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from tests import language_server_scenarios as act
from tests.language_server_scenarios import DEFINITION, DID_OPEN, HOVER, REFERENCES, Scenario, ScriptedServer
from tests.process_tree import PATIENCE_S, process_is_gone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SOURCE = "def 𠀀ée(): ...\nvalue = 𠀀ée()\n"


class Peer:
    """The other end of a server's pipes."""

    def __init__(self, server: ScriptedServer, root: Path) -> None:
        self.server = server
        self.root = root
        self.process = subprocess.Popen(
            server.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        )
        self._last_id = 100

    def send(self, message: dict[str, Any]) -> None:
        """Write a message."""
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self.process.stdin
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    def request(self, method: str, params: Any = None) -> int:
        """Write a request and return its number."""
        self._last_id += 1
        self.send({"id": self._last_id, "method": method, "params": params})
        return self._last_id

    def call(self, method: str, params: Any = None) -> Any:
        """Write a request and return the result that comes next."""
        request_id = self.request(method, params)
        found = self.receive()
        assert request_id == found["id"]
        return found["result"]

    def read(self, count: int) -> bytes:
        """Return so many bytes of its output; fewer at its end."""
        assert self.process.stdout
        found = b""
        while len(found) < count:
            assert select.select([self.process.stdout], [], [], PATIENCE_S)[0], found
            data = self.process.stdout.read(count - len(found))
            if not data:
                break
            found += data
        return found

    def receive(self) -> dict[str, Any]:
        """Return its next message."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = self.read(1)
            assert byte, head
            head += byte
        found: dict[str, Any] = json.loads(self.read(int(head.split(b":")[1])))
        return found

    def initialize(self, *encodings: str) -> dict[str, Any]:
        """Initialize it with its root and what a client offers."""
        general = {"positionEncodings": list(encodings)} if encodings else {}
        found: dict[str, Any] = self.call(
            "initialize", {"rootUri": self.root.as_uri(), "capabilities": {"general": general}}
        )
        return found

    def open(self, name: str, text: str) -> None:
        """Open a document."""
        self.send({"method": DID_OPEN, "params": {"textDocument": {"uri": self.uri(name), "text": text}}})

    def uri(self, name: str) -> str:
        """Return the URI of a file below the root."""
        return (self.root / name).as_uri()

    def at(self, name: str, line: int, character: int, **more: Any) -> dict[str, Any]:
        """Return the parameters of a question about a place."""
        return {"textDocument": {"uri": self.uri(name)}, "position": {"line": line, "character": character}, **more}

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream
            with contextlib.suppress(BrokenPipeError):
                stream.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Peer]]:
    """What starts a server that lives as told; nothing of it outlives the test."""
    root = tmp_path / "root"
    root.mkdir()
    peers: list[Peer] = []

    def make(*lives: Scenario) -> Peer:
        server = peers[0].server if peers else ScriptedServer(tmp_path / "scenario", *lives)
        peers.append(Peer(server, root))
        return peers[-1]

    yield make
    for peer in peers:
        peer.close()
        peer.server.close()


def test_decent_server_goes_through_its_life(start: Callable[..., Peer]) -> None:
    """Told nothing, it initializes, shuts down and exits, and its log has every message in order."""
    peer = start()
    assert {"name": "scripted", "version": "1.0"} == peer.initialize()["serverInfo"]
    peer.send({"method": "initialized", "params": {}})
    assert None is peer.call("shutdown")
    peer.send({"method": "exit"})
    assert 0 == peer.process.wait(PATIENCE_S)
    assert ["initialize", "initialized", "shutdown", "exit"] == peer.server.methods()
    assert [{"event": "exits", "code": 0}] == peer.server.events("exits")


@pytest.mark.parametrize(
    ("scenario", "offered", "said", "end"),
    [
        (Scenario(), ["utf-8"], None, 8),
        (Scenario(encodings=["utf-8", "utf-16"]), ["utf-32", "utf-8"], "utf-8", 11),
        (Scenario(encodings=["utf-32"]), ["utf-32", "utf-8"], "utf-32", 7),
        (Scenario(encodings=["utf-8"]), [], "utf-16", 8),
        (Scenario(encodings=["utf-8"], insists=True), ["utf-16"], "utf-8", 11),
    ],
)
def test_columns_are_in_the_encoding_agreed_on(
    start: Callable[..., Peer], scenario: Scenario, offered: list[str], said: str | None, end: int
) -> None:
    """A definition is found from the end of its use, and its range is as long as the name is in that encoding."""
    peer = start(scenario)
    assert said == peer.initialize(*offered)["capabilities"].get("positionEncoding")
    (peer.root / "a.py").write_text(SOURCE, "utf-8")
    peer.open("b.py", "x = 𠀀ée\n")
    span = {"start": {"line": 0, "character": 4}, "end": {"line": 0, "character": end}}
    assert {"uri": peer.uri("a.py"), "range": span} == peer.call(DEFINITION, peer.at("b.py", 0, end))


def test_built_in_sight_answers_every_question(start: Callable[..., Peer]) -> None:
    """References with and without the definition, a hover, all shapes of a definition, and null for what is unknown."""
    turns = [[act.resolve()], [act.resolve("locations")], [act.resolve("links")], [act.resolve()]]
    peer = start(Scenario({DEFINITION: turns}))
    peer.initialize()
    peer.open("a.py", "def f():\r\n\tpass\x0c\r\nf(f)\r\n")
    place = peer.at("a.py", 2, 0)
    span = {"start": {"line": 0, "character": 4}, "end": {"line": 0, "character": 5}}
    location = {"uri": peer.uri("a.py"), "range": span}
    link = {"targetUri": location["uri"], "targetRange": span, "targetSelectionRange": span}
    assert [location, [location], [link]] == [peer.call(DEFINITION, place) for _ in range(3)]
    assert None is peer.call(DEFINITION, peer.at("a.py", 9, 9))
    places = [
        [(one["range"]["start"]["line"], one["range"]["start"]["character"]) for one in peer.call(REFERENCES, asked)]
        for asked in [{**place, "context": {"includeDeclaration": included}} for included in (True, False)]
    ]
    assert [[(0, 4), (2, 0), (2, 2)], [(2, 0), (2, 2)]] == places
    assert {"contents": {"kind": "plaintext", "value": "def f():"}} == peer.call(HOVER, place)


def test_tables_answer_verbatim(start: Callable[..., Peer]) -> None:
    """What stands in the table comes, whatever it is, and null for other places."""
    peer = start(Scenario({HOVER: [[act.answer_from({"a.py:3:5": ["any", 7]})]]}))
    peer.initialize()
    assert [["any", 7], None] == [peer.call(HOVER, peer.at("a.py", 3, column)) for column in (5, 6)]


def test_turns_are_taken_one_after_the_other(start: Callable[..., Peer]) -> None:
    """The n-th message takes the n-th turn, and the last one goes on."""
    peer = start(Scenario({HOVER: [[act.answer(1)], [act.answer(2)]]}))
    assert [1, 2, 2] == [peer.call(HOVER, {}) for _ in range(3)]


def test_lives_are_lived_one_after_the_other(start: Callable[..., Peer]) -> None:
    """The first process ends before it reads, the next one does not."""
    first = start(Scenario({"spawn": [[act.exits(3)]]}), Scenario())
    assert 3 == first.process.wait(PATIENCE_S)
    assert "capabilities" in start().initialize()


def test_gate_holds_one_answer_and_nothing_else(start: Callable[..., Peer]) -> None:
    """While a request waits, others are served; `when` decides by the same gate."""
    by_gate = act.when("known", [act.answer("right")], [act.answer("wrong")])
    peer = start(Scenario({DEFINITION: [[act.wait("known"), act.answer("late")]], HOVER: [[by_gate]]}))
    waiting = peer.request(DEFINITION, {})
    assert "wrong" == peer.call(HOVER, {})
    peer.server.open_gate("known")
    assert {"jsonrpc": "2.0", "id": waiting, "result": "late"} == peer.receive()
    assert "right" == peer.call(HOVER, {})


def test_pause_comes_before_the_answer(start: Callable[..., Peer]) -> None:
    """What is paused is overtaken by what came later, if that came before the pause was over."""
    peer = start(Scenario({DEFINITION: [[act.pause(50), act.answer(1)]], HOVER: [[act.answer(2)]]}))

    def is_overtaken() -> bool:
        first, second = peer.request(DEFINITION, {}), peer.request(HOVER, {})
        return [second, first] == [peer.receive()["id"] for _ in range(2)]

    assert any(is_overtaken() for _ in range(20))


@pytest.mark.parametrize(("how", "code"), [("request_cancelled", -32800), ("server_cancelled", act.SERVER_CANCELLED)])
def test_cancelled_request_is_answered_with_an_error(start: Callable[..., Peer], how: Any, code: int) -> None:
    """A request that hangs ends when it is cancelled."""
    peer = start(Scenario({DEFINITION: [[act.hang()]]}, on_cancel=how))
    request_id = peer.request(DEFINITION, {})
    peer.send({"method": "$/cancelRequest", "params": {"id": request_id}})
    assert (request_id, code) == ((found := peer.receive())["id"], found["error"]["code"])


def test_cancelling_can_be_ignored(start: Callable[..., Peer]) -> None:
    """The answer comes all the same, and the cancellation is in the log."""
    peer = start(Scenario({DEFINITION: [[act.wait("later"), act.answer("late")]]}, on_cancel="ignore"))
    request_id = peer.request(DEFINITION, {})
    peer.send({"method": "$/cancelRequest", "params": {"id": request_id}})
    assert [{"id": request_id}] == [message["params"] for message in peer.server.wait_for("$/cancelRequest")]
    peer.server.open_gate("later")
    assert "late" == peer.receive()["result"]


def test_questions_are_waited_for_and_their_answers_kept(start: Callable[..., Peer]) -> None:
    """It does not answer before it is answered, and the log has what the client said."""
    turn = [act.ask("workspace/configuration", {"items": [{}, {}]}), act.register(HOVER), act.initialize_answer()]
    peer = start(Scenario({"initialize": [turn]}))
    peer.request("initialize", {"rootUri": peer.root.as_uri(), "capabilities": {}})
    for method, result in (("workspace/configuration", [1, 2]), ("client/registerCapability", None)):
        question = peer.receive()
        assert method == question["method"]
        peer.send({"id": question["id"], "result": result})
    assert "capabilities" in peer.receive()["result"]
    assert [[1, 2], None] == [reply["result"] for reply in peer.server.replies()]


def test_diagnostics_are_published_for_what_was_opened(start: Callable[..., Peer]) -> None:
    """As many as the scenario says."""
    peer = start(Scenario({DID_OPEN: [[act.diagnostics(2)]]}))
    peer.open("a.py", "")
    found = peer.receive()
    assert ("textDocument/publishDiagnostics", peer.uri("a.py"), 2) == (
        found["method"],
        found["params"]["uri"],
        len(found["params"]["diagnostics"]),
    )


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (act.raw(b"\0\xffno header"), b"\0\xffno header"),
        (act.send("not JSON", length=3), b"Content-Length: 3\r\n\r\nnot JSON"),
        (act.send([1]), b"Content-Length: 3\r\n\r\n[1]"),
        (act.send({}, length="many"), b"Content-Length: many\r\n\r\n{}"),
        (act.send({"é": 1}, chunk=1), 'Content-Length: 9\r\n\r\n{"é": 1}'.encode()),
        (act.send({"method": "m"}, cut=21), b"Content-Length: 15\r\n\r\n{"[:21]),
        (
            act.answer(1, times=2, extra={"jsonrpc": "1.0", "id": 9}),
            b'Content-Length: 40\r\n\r\n{"jsonrpc": "1.0", "id": 9, "result": 1}' * 2,
        ),
        (
            act.error(-1, "x"),
            b'Content-Length: 68\r\n\r\n{"jsonrpc": "2.0", "id": 101, "error": {"code": -1, "message": "x"}}',
        ),
    ],
)
def test_output_is_broken_as_told(start: Callable[..., Peer], action: act.Action, expected: bytes) -> None:
    """Every byte is as the scenario has it, and none follows."""
    peer = start(Scenario({HOVER: [[action, act.exits(0)]]}))
    peer.request(HOVER, {})
    assert expected == peer.read(1 << 20)


def test_answers_grow_to_a_size(start: Callable[..., Peer]) -> None:
    """A list by its item, a hover by its text."""
    peer = start(
        Scenario({HOVER: [[act.answer([7, 8], fill_bytes=100_000)], [act.answer({"contents": "ab"}, fill_bytes=99)]]})
    )
    assert {7, 8} == set(found := peer.call(HOVER, {}))
    assert 30_000 < len(found) < 40_000
    assert {"contents": "ab" * 50} == peer.call(HOVER, {})


def test_flood_of_complaints_holds_it_up(start: Callable[..., Peer]) -> None:
    """It answers after so many bytes on standard error, which do not fit into the pipe."""
    peer = start(Scenario({HOVER: [[act.flood(300_000), act.answer(1)]]}))
    peer.request(HOVER, {})
    peer.server.wait_for(HOVER)
    assert not select.select([peer.process.stdout], [], [], 0)[0]
    assert peer.process.stderr
    left = 300_000
    while left:
        left -= len(peer.process.stderr.read(left))
    assert 1 == peer.receive()["result"]


def test_flood_without_end_goes_on_beside_the_answers(start: Callable[..., Peer]) -> None:
    """Requests are answered while nobody reads the complaints."""
    peer = start(Scenario({"spawn": [[act.flood()]]}))
    assert "capabilities" in peer.initialize()
    assert peer.process.stderr
    assert select.select([peer.process.stderr], [], [], PATIENCE_S)[0]


def test_deaf_server_reads_nothing_until_the_gate_opens(start: Callable[..., Peer]) -> None:
    """What it was sent meanwhile is served afterwards."""
    peer = start(Scenario({"spawn": [[act.turn_deaf("ears")]]}))
    request_id = peer.request("shutdown")
    peer.server.wait_for_event("deaf")
    assert [] == peer.server.messages()
    peer.server.open_gate("ears")
    assert request_id == peer.receive()["id"]


@pytest.mark.parametrize(
    ("turn", "code"), [([act.exits(3)], 3), ([act.dies()], -signal.SIGKILL), ([act.answer(cut=5), act.dies(15)], -15)]
)
def test_ends_are_as_told(start: Callable[..., Peer], turn: act.Turn, code: int) -> None:
    """With a code or by a signal, on the message that it is told to."""
    peer = start(Scenario({HOVER: [turn]}))
    peer.request(HOVER, {})
    assert code == peer.process.wait(PATIENCE_S)


def test_end_of_input_ends_it_unless_told_otherwise(start: Callable[..., Peer]) -> None:
    """A decent server exits; one that ignores the end, `exit` and SIGTERM has to be killed."""
    stays = Scenario({"spawn": [[act.ignore_sigterm()]], "exit": [[]], "eof": [[]]})
    stubborn = start(stays, Scenario())
    stubborn.server.wait_for_event("spawn")
    stubborn.send({"method": "exit"})
    assert stubborn.process.stdin
    stubborn.process.stdin.close()
    stubborn.server.wait_for_event("eof")
    stubborn.process.terminate()
    assert None is stubborn.process.poll()
    decent = start()
    assert decent.process.stdin
    decent.process.stdin.close()
    assert 1 == decent.process.wait(PATIENCE_S)


def test_children_outlive_it(start: Callable[..., Peer]) -> None:
    """In its group, in a session of their own, adopted by another; holding the pipes or not; all known by the log."""
    ways = [{}, {"session": True}, {"daemon": True, "session": True}, {"holds_pipes": True}]
    peer = start(Scenario({HOVER: [[*(act.fork(**way) for way in ways), act.exits(0)]]}))
    peer.request(HOVER, {})
    peer.process.wait(PATIENCE_S)
    children = [event["pid"] for event in peer.server.events("fork")]
    assert [False] * len(ways) == [process_is_gone(pid, patience_s=0) for pid in children]
    assert not select.select([peer.process.stdout], [], [], 0)[0]
    peer.server.close()
    assert b"" == peer.read(1)
    assert [] == peer.server.left()
