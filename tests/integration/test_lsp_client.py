"""LSPClient against a real process that answers, hangs, dies and lies as its scenario says.

Nothing here waits for a time to pass: a server waits at gates, and deadlines pass because the test moves the clock.
Each test ends with a look at the process tree, and at the thread and the descriptors of the client.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests import language_server_scenarios as act
from tests.language_server_scenarios import DEFINITION, DID_OPEN, HOVER, REFERENCES, SERVER, Scenario, ScriptedServer
from tests.process_tree import PATIENCE_S, process_is_gone, wait_until

from ctx.domain.circuit_breaker import FAILURES_MAX, OPEN_FIRST_S, TIMEOUTS_MAX
from ctx.domain.language_server import Cold, Failed, Ready, ServerPlace, ServerQuestion, ServerReply, Stopped, Warming
from ctx.domain.server_backends import Backend
from ctx.domain.source_files import SourceText, os_path_of
from ctx.domain.symbol_answer import TREE_SITTER
from ctx.infrastructure.ast_lsp import lsp_client
from ctx.infrastructure.ast_lsp.asked_servers import AskedServers
from ctx.infrastructure.ast_lsp.lsp_answers import HOVER_CHARS_MAX, PLACES_MAX
from ctx.infrastructure.ast_lsp.lsp_client import LATE_LIMIT_S, LSPClient
from ctx.infrastructure.ast_lsp.lsp_documents import OPEN_DOCUMENTS_MAX
from ctx.infrastructure.ast_lsp.server_discovery import FoundServer
from ctx.infrastructure.clock import SystemClock
from ctx.infrastructure.event_log import read_events
from ctx.infrastructure.file_system import FileSystemAdapter
from ctx.infrastructure.null_telemetry import NullTelemetry
from ctx.infrastructure.telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

LONG_MS = 60_000
"""A deadline that only passes when a test moves the clock."""

SEGMENT = {
    "a.py": "from b import target\n\ntarget()\n",
    "b.py": "def target():\n    return other()\n\n\ndef other():\n    return 1\n",
}
TARGET_USE = ("a.py", 3, 1, "target")
TARGET = ServerPlace("b.py", 1, 5, is_inside=True)
OTHER_USE = ("b.py", 2, 12, "other")
OTHER = ServerPlace("b.py", 5, 5, is_inside=True)


def without_seconds(described: str) -> str:
    """Return what a breaker does without how long it still will: time goes on between two questions."""
    return re.sub(r"for \d+ s more", "for a while", described)


def at(line: int, character: int) -> dict[str, Any]:
    """Return the range of a name at a place, as the protocol counts."""
    return {"start": {"line": line, "character": character}, "end": {"line": line, "character": character + 6}}


class SteppedClock(SystemClock):
    """The real time and what a test has added to it."""

    def __init__(self) -> None:
        self._added_ns = 0

    def perf_counter_ns(self) -> int:
        return super().perf_counter_ns() + self._added_ns

    def step(self, seconds: float) -> None:
        """Let so much time pass at once."""
        self._added_ns += int(seconds * 1e9)


class Bench:
    """A segment, a scripted server and the client between them."""

    def __init__(
        self,
        folder: Path,
        *lives: Scenario | Callable[[Path], Scenario],
        command: tuple[str, ...] = (),
        deadline_ms: int = LONG_MS,
        backend: Mapping[str, Any] | None = None,
        root: str = "",
        **options: Any,
    ) -> None:
        self.segment = folder / "seg ment"
        for name, text in SEGMENT.items():
            self.write(name, text)
        told = [life if isinstance(life, Scenario) else life(self.segment) for life in lives]
        self.server = ScriptedServer(folder / "scenario", *told)
        self.clock = SteppedClock()
        self.telemetry = Telemetry(self.segment, clock=self.clock)
        self.late: list[ServerReply] = []
        self._files = FileSystemAdapter(str(self.segment), telemetry=NullTelemetry())
        row = Backend("scripted", (self.server.command,), ("python",), 1, 1, **(backend or {}))
        self.client = LSPClient(
            FoundServer(row, command or self.server.command, "configured", root or str(self.segment), "", "", {}),
            segment=str(self.segment),
            telemetry=self.telemetry,
            clock=self.clock,
            read_text=self._text,
            deadline_ms=deadline_ms,
            **options,
        )
        self._asked = AskedServers(self, self.telemetry, self.clock)

    def write(self, name: str, text: str) -> None:
        """Write a file of the segment, its line ends as they are."""
        path = self.segment / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())

    def _text(self, path: str) -> str | None:
        found = self._files.read_source(os_path_of(path))
        return found.text if isinstance(found, SourceText) else None

    def ask(self, question: ServerQuestion) -> Any:
        """Hand a question to the client: what `AskedServers` asks."""
        return self.client.ask(question, on_reply=lambda _asked, reply: self.late.append(reply))

    def begin(self, path: str, line: int, column: int, name: str = "", **more: Any) -> Any:
        """Ask about a place and return what waits for the reply."""
        method = more.pop("method", "definition")
        return self._asked.ask(ServerQuestion(method, path, line, column, "python", name, **more))

    def reply(self, path: str, line: int, column: int, name: str = "", **more: Any) -> ServerReply:
        """Ask about a place and wait."""
        found: ServerReply = self.begin(path, line, column, name, **more).result()
        return found

    def expire(self, pending: Any) -> ServerReply:
        """Let a question's deadline pass."""
        self.clock.step(LONG_MS / 1000)
        found: ServerReply = pending.result()
        return found

    def warm(self) -> None:
        """Have a server that has answered rightly."""
        assert (TARGET,) == self.reply(*TARGET_USE).places

    def until(self, is_so: Callable[[], object]) -> None:
        """Wait for what the client does in its own thread."""
        limit = time.monotonic() + PATIENCE_S
        while not is_so():
            assert time.monotonic() < limit, (self.client.state, self.server.log())
            time.sleep(0.005)

    def until_failed(self) -> str:
        """Wait until the client has given its server up and return why."""
        self.until(lambda: isinstance(self.client.state, Failed) and not self.client.launcher_is_running)
        assert isinstance(self.client.state, Failed)
        return self.client.state.reason

    def events(self, *names: str) -> list[dict[str, Any]]:
        """Return what is on disk of the events of language servers, in the order written."""
        self.telemetry.flush()
        found = [event for event in read_events(self.telemetry.directory) if event["cmd"].startswith("lsp.")]
        return [event for event in found if not names or event["cmd"] in names]

    def told(self) -> list[str]:
        """Return the names of the events."""
        return [event["cmd"].removeprefix("lsp.") for event in self.events()]

    def counters(self) -> dict[str, int]:
        """Return the counters of language servers that are not 0, without those by server."""
        found = self.telemetry.counters
        return {
            name.removeprefix("lsp_").removesuffix("_count"): count
            for name, count in found.items()
            if name.startswith("lsp_") and name.endswith("_count") and count
        }

    def close(self) -> None:
        """End the server and look that nothing is left of it."""
        self.client.stop()
        left = self.server.left()
        self.server.close()
        assert [] == left
        assert not self.client.launcher_is_running


@pytest.fixture(autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
    monkeypatch.delenv("CTX_TELEMETRY", raising=False)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """What sets a bench up; after the test no process, thread or descriptor is left."""
    descriptors = _descriptors()
    made: list[Bench] = []

    def make(*lives: Scenario, **options: Any) -> Bench:
        made.append(Bench(tmp_path / f"bench{len(made)}", *lives, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()
        each.telemetry.close()
    # Told of its end, which is the last that its thread does, we may be further than the thread.
    assert wait_until(lambda: not [one for one in threading.enumerate() if one.name.startswith("ctx-language")])
    assert descriptors == _descriptors()


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


# ---------------------------------------------------------------------- a decent server


def test_life_is_told_from_spawn_to_exit(bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    """One question to a cold server: its life as messages, as events and as counters, each once and in order."""
    monkeypatch.setattr(lsp_client, "STOP_PATIENCE_S", PATIENCE_S)  # it leaves by itself, however busy the machine
    world = bench()
    assert isinstance(world.client.state, Cold)
    reply = world.reply(*TARGET_USE)
    assert ("answered", (TARGET,), True, False) == (reply.status, reply.places, reply.was_sent, reply.is_cached)
    assert isinstance(world.client.state, Ready)
    assert [world.client.process_id] == [event["pid"] for event in world.server.events("spawn")]
    world.client.stop()
    assert isinstance(world.client.state, Stopped)
    methods = ["initialize", "initialized", "workspace/didChangeConfiguration", DID_OPEN, DEFINITION]
    assert [*methods, "shutdown", "exit"] == world.server.methods()
    assert ["spawn", "initialize", "ready", "definition", "exit"] == world.told()
    spawned, initialized, ready, asked, ended = world.events()
    assert (spawned["subprocess_pid"], spawned["cold_start"]) == (world.server.events("spawn")[0]["pid"], True)
    assert ("ok", True, True) == (
        initialized["result"]["status"],
        initialized["workspace_initialized"],
        initialized["capabilities_received"],
    )
    assert "definition" == ready["result"]["ready_via"]
    assert spawned["duration_ns"] < initialized["duration_ns"] < ready["duration_ns"]
    assert {"server": "scripted", "method": "definition", "file": "a.py", "symbol": "target", "line": 3} == asked[
        "args"
    ]
    assert (True, "b.py", 1) == tuple(asked["result"][name] for name in ("resolved", "target_file", "target_line"))
    expected = {"exit_code": 0, "signal": None, "requested": True, "crashed": False, "leftovers_killed": 0}
    assert expected == ended["result"]
    assert {"spawn": 1, "ready": 1, "request": 1} == world.counters()


def test_initialize_says_what_the_client_can(bench: Callable[..., Bench]) -> None:
    """Root, folders, process and encodings are said; diagnostics by pull only where they are needed."""
    world = bench()
    world.warm()
    (asked,) = world.server.messages("initialize")
    parameters = asked["params"]
    uri = world.segment.as_uri()
    assert (uri, [{"uri": uri, "name": "seg ment"}]) == (parameters["rootUri"], parameters["workspaceFolders"])
    assert os.getpid() == parameters["processId"]
    assert {"utf-8", "utf-16", "utf-32"} == set(parameters["capabilities"]["general"]["positionEncodings"])
    assert "diagnostic" not in parameters["capabilities"]["textDocument"]


def test_server_works_in_its_root(bench: Callable[..., Bench]) -> None:
    """The process is started there, not where ctx happens to be."""
    world = bench()
    world.warm()
    assert [str(world.segment)] == [event["cwd"] for event in world.server.events("spawn")]


@pytest.mark.parametrize("shape", ["location", "locations", "links"])
def test_every_shape_of_a_definition_is_understood(bench: Callable[..., Bench], shape: Any) -> None:
    """A Location, several, and LocationLinks are the same place."""
    world = bench(Scenario({DEFINITION: [[act.resolve(shape)]]}))
    assert (TARGET,) == world.reply(*TARGET_USE).places


@pytest.mark.parametrize("nothing", [None, []])
def test_nothing_is_an_answer_of_a_ready_server(bench: Callable[..., Bench], nothing: Any) -> None:
    """Once it is ready, null and an empty list say that it knows no definition."""
    world = bench(Scenario({DEFINITION: [[act.resolve()], [act.answer(nothing)]]}))
    world.warm()
    reply = world.reply(*OTHER_USE)
    assert ("answered", ()) == (reply.status, reply.places)
    assert [True, False] == [event["result"]["resolved"] for event in world.events("lsp.definition")]


@pytest.mark.parametrize(
    "nonsense",
    [
        [None, 7, "x", []],
        {},
        {"uri": 7, "range": {}},
        {"uri": "file:///x", "range": {"start": {"line": "1", "character": 0}}},
        {"uri": "file:///x", "range": {"start": {"line": -1, "character": 0}}},
        {"targetUri": "file:///x"},
        {"targetUri": [], "uri": "file:///x", "range": at(0, 0)},
    ],
)
def test_result_that_is_none_points_nowhere(bench: Callable[..., Bench], nonsense: Any) -> None:
    """What is no Location is left out, and the server goes on to be asked."""
    world = bench(Scenario({DEFINITION: [[act.resolve()], [act.answer(nonsense)], [act.resolve()]]}))
    world.warm()
    assert ("answered", ()) == ((reply := world.reply(*OTHER_USE)).status, reply.places)
    assert (OTHER,) == world.reply(*OTHER_USE).places


@pytest.mark.parametrize("nonsense", [7, "text", True])
def test_result_of_no_form_is_an_error(bench: Callable[..., Bench], nonsense: Any) -> None:
    """It does not even say that there is none; the server goes on to be asked."""
    world = bench(Scenario({DEFINITION: [[act.resolve()], [act.answer(nonsense)], [act.resolve()]]}))
    world.warm()
    assert "error" == world.reply(*OTHER_USE).status
    assert (OTHER,) == world.reply(*OTHER_USE).places


def test_places_outside_the_segment_are_told_as_such(bench: Callable[..., Bench], tmp_path: Path) -> None:
    """A file elsewhere has its absolute path, what is no file its URI; the same place twice is one."""
    (tmp_path / "library é.py").write_text("#\n  𠀀 = target = 1\n", "utf-8")
    uri = (tmp_path / "library é.py").as_uri()
    found = [{"uri": uri, "range": at(1, 7)}] * 2 + [{"uri": "jdt://contents/X.class", "range": at(2, 3)}]
    world = bench(Scenario({DEFINITION: [[act.answer(found)]]}))
    expected = (
        ServerPlace(str(tmp_path / "library é.py"), 2, 7, is_inside=False),
        ServerPlace("jdt://contents/X.class", 3, 4, is_inside=False),
    )
    assert expected == world.reply(*TARGET_USE).places


_ODD_URIS = [
    "",
    "file:",
    "file://",
    "file:///",
    "file:///%zz%",
    "file:///a%00b",
    "file:///" + "a/" * 5000,
    "file://host/share/x.py",
    "file:///dev/zero",
    "FILE:///proc/self/environ",
    "untitled:Untitled-1",
    "not a URI at all",
]


@pytest.mark.parametrize("uri", _ODD_URIS)
def test_odd_uris_disturb_nothing(bench: Callable[..., Bench], uri: str) -> None:
    """Whatever a server points to, the question is answered, and the next one too."""
    odd = act.answer({"uri": uri, "range": at(0, 0)})
    world = bench(Scenario({DEFINITION: [[act.resolve()], [odd], [act.resolve()]]}))
    world.warm()
    reply = world.reply(*OTHER_USE)
    assert "answered" == reply.status
    assert [False] * len(reply.places) == [place.is_inside for place in reply.places]
    assert (OTHER,) == world.reply(*OTHER_USE).places
    assert 1 == len(world.server.events("spawn"))


@pytest.mark.parametrize("is_inside", [True, False])
def test_place_in_a_pipe_is_not_waited_for(bench: Callable[..., Bench], tmp_path: Path, is_inside: bool) -> None:
    """A file that would never come to an end is not read: its line is the server's word."""

    def life(segment: Path) -> Scenario:
        path = (segment if is_inside else tmp_path) / "pipe"
        segment.mkdir(exist_ok=True, parents=True)
        os.mkfifo(path)
        turns = [[act.resolve()], [act.answer({"uri": path.as_uri(), "range": at(6, 2)})], [act.resolve()]]
        return Scenario({DEFINITION: turns})

    world = bench(life)
    world.warm()
    reply = world.reply(*OTHER_USE)
    assert [(7, 3, is_inside)] == [(place.line, place.column, place.is_inside) for place in reply.places]
    assert (OTHER,) == world.reply(*OTHER_USE).places


def test_references_and_hover_are_asked_with_their_words(bench: Callable[..., Bench]) -> None:
    """References come with or without the declaration, a hover as its text; the document is opened once."""
    world = bench(Scenario({DID_OPEN: [[act.diagnostics()]]}))
    world.warm()
    uses = (ServerPlace("a.py", 1, 15, is_inside=True), ServerPlace("a.py", 3, 1, is_inside=True))
    with_itself = world.reply(*TARGET_USE, method="references")
    without = world.reply(*TARGET_USE, method="references", include_declaration=False)
    assert [{*uses, TARGET}, set(uses)] == [set(with_itself.places), set(without.places)]
    assert "def target():" == world.reply(*TARGET_USE, method="hover").hover
    assert 1 == len(world.server.messages(DID_OPEN))
    assert ["definition", "references", "references", "hover"] == [
        event["args"]["method"] for event in world.events() if "method" in event["args"]
    ]


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        ("plain", "plain"),
        ({"kind": "markdown", "value": "**bold**"}, "**bold**"),
        ({"language": "python", "value": "def f()"}, "def f()"),
        (["first", {"language": "python", "value": "second"}, "", 7], "first\n\nsecond"),
        (7, ""),
    ],
)
def test_every_shape_of_a_hover_is_understood(bench: Callable[..., Bench], contents: Any, expected: str) -> None:
    """Marked or not, one or several; what is no text says nothing."""
    world = bench(Scenario({HOVER: [[act.answer({"contents": contents})]]}))
    world.warm()
    reply = world.reply(*TARGET_USE, method="hover")
    assert ("answered", expected) == (reply.status, reply.hover)


# ---------------------------------------------------------------------- positions


@pytest.mark.parametrize(
    "scenario",
    [
        Scenario(),
        Scenario(encodings=["utf-8"]),
        Scenario(encodings=["utf-16"]),
        Scenario(encodings=["utf-32"]),
        Scenario(encodings=["utf-8"], insists=True),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_columns_survive_every_encoding(bench: Callable[..., Bench], scenario: Scenario, end: str) -> None:
    """Emoji, combining characters and letters beyond the BMP stand before both places, in both kinds of line ends."""
    world = bench(scenario)
    world.write("wide.py", f"# 👩‍🚀 é e\u0301{end}class Y:{end}    '''👩‍🚀'''; x = 1{end}    𠀀 = 1; name = 1{end}")
    world.write("use.py", f"'👩‍🚀 e\u0301 𠀀'; target(){end}")
    column = "'👩‍🚀 e\u0301 𠀀'; target()".index("target") + 1
    assert (TARGET,) == world.reply("use.py", 1, column, "target").places
    # The name's last character, and the place after it, are still the name.
    assert (TARGET,) == world.reply("use.py", 1, column + 5, "target").places


@pytest.mark.parametrize(("encoding", "units"), [("utf-8", 11), ("utf-16", 6), ("utf-32", 4)])
def test_columns_of_answers_are_characters(bench: Callable[..., Bench], encoding: str, units: int) -> None:
    """A column that a server counts in its units comes back as a count of characters."""

    def life(segment: Path) -> Scenario:
        found = {"uri": (segment / "wide.py").as_uri(), "range": at(0, units)}
        return Scenario({DEFINITION: [[act.answer(found)]]}, encodings=[encoding])

    world = bench(life)
    world.write("wide.py", "'👩🚀é = target = 1\n")
    assert (ServerPlace("wide.py", 1, 5, is_inside=True),) == world.reply(*TARGET_USE).places


def test_places_past_the_end_are_moved_back(bench: Callable[..., Bench]) -> None:
    """A question past the end of line and text is asked at the end, and an answer there is taken to be at the end."""

    def life(segment: Path) -> Scenario:
        found = [{"uri": (segment / "b.py").as_uri(), "range": at(line, 10**9)} for line in (0, 10**9)]
        return Scenario({DEFINITION: [[act.answer(found)]]})

    world = bench(life)
    reply = world.reply("a.py", 10**6, 10**6)
    lines = SEGMENT["b.py"].split("\n")
    ends = (ServerPlace("b.py", 1, len(lines[0]) + 1, True), ServerPlace("b.py", len(lines), 1, True))
    assert ends == reply.places
    assert {"line": 3, "character": 0} == world.server.messages(DEFINITION)[0]["params"]["position"]


def test_lone_returns_end_lines_for_servers_only(bench: Callable[..., Bench]) -> None:
    """The protocol ends a line at a lone CR, ctx does not; form feeds end none for either."""

    def life(segment: Path) -> Scenario:
        return Scenario({DEFINITION: [[act.answer({"uri": (segment / "mac.py").as_uri(), "range": at(2, 4)})]]})

    world = bench(life)
    world.write("mac.py", "x = 1\ry = 2\x0c\ndef target(): ...\n")
    assert (ServerPlace("mac.py", 2, 5, True),) == world.reply("mac.py", 1, 7, "target").places
    assert {"line": 1, "character": 0} == world.server.messages(DEFINITION)[0]["params"]["position"]


def test_long_file_is_asked_about_at_its_end(bench: Callable[..., Bench]) -> None:
    """100,000 lines go over, and a place in the last one is found."""
    world = bench()
    world.write("long.py", "value = 'é'\n" * 100_000 + "target()\n")
    assert (TARGET,) == world.reply("long.py", 100_001, 1, "target").places


# ---------------------------------------------------------------------- late, never, changing its mind


def test_late_answer_misses_its_deadline_and_is_cancelled(bench: Callable[..., Bench]) -> None:
    """Past the deadline there is no answer but a reason, and the request is cancelled on the wire."""
    world = bench(Scenario({DEFINITION: [[act.resolve()], [act.hang()], [act.resolve()]]}))
    world.warm()
    pending = world.begin(*OTHER_USE)
    (_, hanging) = world.server.wait_for(DEFINITION, 2)
    reply = world.expire(pending)
    assert ("timeout", (), True, LONG_MS) == (reply.status, reply.places, reply.was_sent, reply.deadline_ms)
    assert {"id": hanging["id"]} == world.server.wait_for("$/cancelRequest")[0]["params"]
    assert isinstance(world.client.state, Ready)
    assert (OTHER,) == world.reply(*OTHER_USE).places
    names = ["spawn", "initialize", "ready", "definition", "definition", "timeout", "fallback", "definition"]
    assert names == world.told()
    (timeout,), (fallback,) = world.events("lsp.timeout"), world.events("lsp.fallback")
    assert ({"timeout_ms": LONG_MS}, TREE_SITTER) == (timeout["result"], timeout["fallback_to"])
    assert ({"reason": "timeout"}, TREE_SITTER) == (fallback["result"], fallback["fallback_to"])
    assert {"spawn": 1, "ready": 1, "request": 3, "timeout": 1, "fallback": 1} == world.counters()


def test_late_answer_is_kept_for_the_next(bench: Callable[..., Bench]) -> None:
    """With `keeps_late` nothing is cancelled, and the answer still comes to who keeps it."""
    world = bench(Scenario({DEFINITION: [[act.resolve()], [act.wait("slow"), act.resolve()]]}), keeps_late=True)
    world.warm()
    pending = world.begin(*OTHER_USE)
    world.server.wait_for(DEFINITION, 2)
    assert "timeout" == world.expire(pending).status
    world.server.open_gate("slow")
    world.until(lambda: len(world.late) == 2)
    assert [("answered", (TARGET,)), ("answered", (OTHER,))] == [(one.status, one.places) for one in world.late]
    assert [] == world.server.messages("$/cancelRequest")
    assert "timeout" == pending.result().status


def test_answer_that_is_too_late_is_cancelled_at_last(bench: Callable[..., Bench]) -> None:
    """What is kept is not waited for without end."""
    world = bench(Scenario({DEFINITION: [[act.resolve()], [act.hang()]]}), keeps_late=True)
    world.warm()
    pending = world.begin(*OTHER_USE)
    world.server.wait_for(DEFINITION, 2)
    world.expire(pending)
    world.clock.step(LATE_LIMIT_S)
    assert "answered" == world.reply(*TARGET_USE, method="hover").status
    assert 1 == len(world.server.wait_for("$/cancelRequest"))


@pytest.mark.parametrize("on_cancel", ["request_cancelled", "server_cancelled", "ignore"])
def test_what_a_server_says_to_a_cancellation_disturbs_nothing(bench: Callable[..., Bench], on_cancel: Any) -> None:
    """An error or the answer all the same: the next question has its own answer."""
    turns = [[act.resolve()], [act.wait("slow"), act.resolve()], [act.resolve()]]
    world = bench(Scenario({DEFINITION: turns}, on_cancel=on_cancel))
    world.warm()
    pending = world.begin(*OTHER_USE)
    world.server.wait_for(DEFINITION, 2)
    assert "timeout" == world.expire(pending).status
    world.server.wait_for("$/cancelRequest")
    world.server.open_gate("slow")
    assert (TARGET,) == world.reply(*TARGET_USE).places
    assert "timeout" == pending.result().status
    assert 3 == len(world.server.messages(DEFINITION))


def test_server_that_hangs_at_initialize_was_never_asked(bench: Callable[..., Bench]) -> None:
    """The question is not sent and not called a timeout; past the limit the server is ended."""
    # A notification makes the client look at the clock that the test has moved.
    hanging = [act.wait("later"), act.notify("$/progress", {}), act.hang()]
    world = bench(Scenario({"initialize": [hanging]}), initialize_limit_s=2 * LONG_MS / 1000)
    pending = world.begin(*TARGET_USE)
    world.server.wait_for("initialize")
    world.until(lambda: world.client.process_id is not None)  # the launcher may say so later than the server reads
    reply = world.expire(pending)
    assert ("not_ready", False) == (reply.status, reply.was_sent)
    assert isinstance(world.client.state, Warming)
    world.clock.step(LONG_MS / 1000)
    world.server.open_gate("later")
    assert f"did not answer initialize in {2 * LONG_MS / 1000:g} s" == world.until_failed()
    assert ["initialize"] == world.server.methods()
    assert ["spawn", "definition", "fallback", "initialize", "exit"] == world.told()
    assert ["timeout"] == [event["result"]["status"] for event in world.events("lsp.initialize")]
    assert ["not_ready"] == [event["result"]["reason"] for event in world.events("lsp.fallback")]
    assert {"spawn": 1, "request": 1, "fallback": 1, "failed": 1} == world.counters()


def test_initialize_has_a_limit_of_its_own(bench: Callable[..., Bench]) -> None:
    """It ends a server that nobody asks any more."""
    world = bench(Scenario({"initialize": [[act.hang()]]}), initialize_limit_s=0.2)
    world.client.start()
    assert "did not answer initialize in 0.2 s" == world.until_failed()


def test_one_slow_method_leaves_the_others_alone(bench: Callable[..., Bench]) -> None:
    """Definitions hang, hovers are answered, and neither is taken for the other."""
    world = bench(Scenario({DID_OPEN: [[act.diagnostics()]], DEFINITION: [[act.hang()]]}))
    pending = world.begin(*TARGET_USE)
    world.server.wait_for(DEFINITION)
    assert "def target():" == world.reply(*TARGET_USE, method="hover").hover
    assert "timeout" == world.expire(pending).status
    assert "def target():" == world.reply(*TARGET_USE, method="hover").hover
    assert isinstance(world.client.state, Ready)
    assert "" == world.client.breaker_state


def test_server_that_never_answers_is_left_alone(bench: Callable[..., Bench]) -> None:
    """After several timeouts in a row it is not asked for a while; one try more, and it is ended; then it is anew."""
    turns = {DID_OPEN: [[act.diagnostics()]], DEFINITION: [[act.hang()]]}
    world = bench(Scenario(turns), Scenario())
    assert "def target():" == world.reply(*TARGET_USE, method="hover").hover
    asked, probes = 0, len(world.server.messages(DEFINITION))
    for lasts_s in (OPEN_FIRST_S, 2 * OPEN_FIRST_S):
        for _ in range(1 if asked else TIMEOUTS_MAX):
            pending = world.begin(*TARGET_USE)
            asked += 1
            world.server.wait_for(DEFINITION, probes + asked)
            assert "timeout" == world.expire(pending).status
        reply = world.reply(*TARGET_USE)
        assert ("circuit_open", False) == (reply.status, reply.was_sent)
        assert "not answered in time" in reply.detail
        assert without_seconds(reply.detail) == without_seconds(world.client.breaker_state)
        if asked == TIMEOUTS_MAX:
            assert isinstance(world.client.state, Ready)
        else:
            world.until(lambda: not world.client.launcher_is_running)
            assert [] == world.server.left()
        world.clock.step(lasts_s)
    assert probes + asked == len(world.server.messages(DEFINITION))
    assert asked == world.counters()["timeout"]
    assert (TARGET,) == world.reply(*TARGET_USE).places
    assert "" == world.client.breaker_state
    assert [True, False] == [event["cold_start"] for event in world.events("lsp.spawn")]
    assert [*["timeout"] * TIMEOUTS_MAX, "circuit_open", "timeout", "circuit_open"] == [
        event["result"]["reason"] for event in world.events("lsp.fallback")
    ]


def test_answer_while_indexing_is_not_believed(bench: Callable[..., Bench]) -> None:
    """Null before it is ready is asked again, until the right answer comes; all within one question."""
    indexing = act.when("indexed", [act.resolve()], [act.answer(None)])
    world = bench(Scenario({DEFINITION: [[indexing]]}))
    pending = world.begin(*TARGET_USE)
    world.server.wait_for(DEFINITION, 3)
    world.server.open_gate("indexed")
    assert (TARGET,) == pending.result().places
    assert 1 == world.counters()["request"]
    assert 1 == len(world.server.messages(DID_OPEN))


def test_wrong_answer_does_not_make_a_server_ready(bench: Callable[..., Bench]) -> None:
    """A place whose line does not hold the name is none; the first right one is `lsp.ready`."""

    def life(segment: Path) -> Scenario:
        wrong = act.answer({"uri": (segment / "b.py").as_uri(), "range": at(5, 0)})
        return Scenario({DEFINITION: [[wrong], [wrong], [act.resolve()]]})

    world = bench(life)
    assert (TARGET,) == world.reply(*TARGET_USE).places
    assert 3 == len(world.server.messages(DEFINITION))
    assert ["definition"] == [event["result"]["ready_via"] for event in world.events("lsp.ready")]


def test_server_that_stays_wrong_does_not_answer(bench: Callable[..., Bench]) -> None:
    """At the deadline a server that is still warming up has not answered, whatever it said."""
    world = bench(Scenario({DEFINITION: [[act.answer(None)]]}))
    pending = world.begin(*TARGET_USE)
    world.server.wait_for(DEFINITION, 2)
    reply = world.expire(pending)
    assert reply.status in {"timeout", "not_ready"}
    assert reply.was_sent
    assert () == reply.places
    assert [] == world.events("lsp.ready")


# ---------------------------------------------------------------------- readiness


def test_ready_fires_on_diagnostics(bench: Callable[..., Bench]) -> None:
    """The first publication makes it ready, an empty one too; its texts are not told, its number is."""
    world = bench(Scenario({DID_OPEN: [[act.diagnostics(2)]], DEFINITION: [[act.answer(None)]]}))
    assert ("answered", ()) == ((reply := world.reply(*TARGET_USE)).status, reply.places)
    (ready,) = world.events("lsp.ready")
    assert ({"ready_via": "diagnostics"}, "a.py") == (ready["result"], ready["args"]["file"])
    (told,) = world.events("lsp.diagnostics")
    assert ({"server": "scripted", "file": "a.py"}, {"diag_count": 2}) == (told["args"], told["result"])
    assert "sha256:" == told["snippet_hash"][:7]
    assert "complaint" not in Path(world.telemetry.directory, "events.jsonl").read_text()


@pytest.mark.parametrize("how", ["declared", "registered"])
def test_pulled_diagnostics_make_a_server_ready(bench: Callable[..., Bench], how: str) -> None:
    """Where a server publishes none it is asked for them: if it declares so, or registers it later."""
    scenario = Scenario(
        {
            "initialized": [[act.register("textDocument/diagnostic")] if how == "registered" else []],
            DEFINITION: [[act.answer(None)]],
        },
        capabilities={"diagnosticProvider": {}} if how == "declared" else {},
    )
    world = bench(scenario, backend={"pulls_diagnostics": True})
    assert "answered" == world.reply(*TARGET_USE).status
    assert ["diagnostics"] == [event["result"]["ready_via"] for event in world.events("lsp.ready")]
    (asked,) = world.server.messages("textDocument/diagnostic")
    assert (world.segment / "a.py").as_uri() == asked["params"]["textDocument"]["uri"]
    declared = world.server.messages("initialize")[0]["params"]["capabilities"]["textDocument"]
    assert declared["diagnostic"]["dynamicRegistration"]


def test_diagnostics_are_not_pulled_from_who_publishes(bench: Callable[..., Bench]) -> None:
    """A backend that publishes is not asked, whatever it declares."""
    world = bench(Scenario({}, capabilities={"diagnosticProvider": {}}))
    world.warm()
    assert [] == world.server.messages("textDocument/diagnostic")


def test_hover_alone_makes_a_server_ready_by_a_probe(bench: Callable[..., Bench]) -> None:
    """A question that shows nothing is sent with one for the definition, whose right answer does."""
    world = bench()
    assert "def target():" == world.reply(*TARGET_USE, method="hover").hover
    assert ["definition"] == [event["result"]["ready_via"] for event in world.events("lsp.ready")]
    assert ["hover"] == [event["args"]["method"] for event in world.events() if "method" in event["args"]]


def test_ready_is_told_once_and_is_on_disk_at_once(bench: Callable[..., Bench]) -> None:
    """Diagnostics before and after a right definition tell it once; nothing has to be flushed for it."""
    world = bench(Scenario({DID_OPEN: [[act.diagnostics(), act.diagnostics()]]}))
    world.warm()
    world.reply(*OTHER_USE)
    found = [event["cmd"] for event in read_events(world.telemetry.directory)]
    assert 1 == found.count("lsp.ready")


# ---------------------------------------------------------------------- what servers ask


def test_everything_a_server_asks_is_answered(bench: Callable[..., Bench]) -> None:
    """Before it has answered initialize, and again before an answer: settings by section, folders, nothing else."""
    questions = [
        act.ask(
            "workspace/configuration", {"items": [{"section": "a.b"}, {}, {"section": "none"}, {"section": ""}, 7]}
        ),
        act.ask("workspace/configuration", {"items": []}),
        act.ask("workspace/configuration", {}),
        act.register("workspace/didChangeWatchedFiles"),
        act.ask("client/unregisterCapability", {"unregisterations": [{"id": "none", "method": "x"}, 7]}),
        act.ask("client/registerCapability", {"registrations": 7}),
        act.ask("client/registerCapability", {"registrations": [{"id": [1], "method": {}}, [], None]}),
        act.ask("client/unregisterCapability", {"unregisterations": "all"}),
        act.ask("client/unregisterCapability", [1, 2]),
        act.ask("window/workDoneProgress/create", {"token": 1}),
        act.ask("workspace/workspaceFolders"),
        act.ask("window/showMessageRequest", {"type": 1, "message": "?", "actions": [{"title": "Yes"}]}),
        act.ask("window/showDocument", {"uri": "https://example.org"}),
        act.ask("workspace/applyEdit", {"edit": {"changes": {}}}),
        act.ask("workspace/diagnostic/refresh"),
        act.ask("scripted/unheardOf", [1]),
    ]
    settings = {"a": {"b": {"c": 1}}}
    turns = {"initialize": [[*questions, act.initialize_answer()]], DEFINITION: [[*questions, act.resolve()]]}
    world = bench(Scenario(turns), backend={"settings": lambda _interpreter: settings})
    world.warm()
    folder = {"uri": world.segment.as_uri(), "name": "seg ment"}
    expected: list[Any] = [
        [{"c": 1}, settings, None, settings, settings],
        [],
        [],
        *[None] * 7,
        [folder],
        None,
        {"success": False},
        {"applied": False, "failureReason": "ctx changes no files"},
        None,
    ]
    replies = world.server.replies()
    assert expected * 2 == [reply["result"] for reply in replies if "result" in reply]
    assert [-32601, -32601] == [reply["error"]["code"] for reply in replies if "error" in reply]
    assert [{"settings": settings}] == [
        message["params"] for message in world.server.messages("workspace/didChangeConfiguration")
    ]


# ---------------------------------------------------------------------- broken output

_IN_TIME = {
    "noise before the header": [act.raw(b"Traceback (most recent call last):\r\n\0\xff nonsense\n\n")],
    "not JSON": [act.send("{not JSON")],
    "no object": [act.send([1, 2]), act.send("7"), act.send("null")],
    "empty": [act.send("")],
    "another jsonrpc": [act.resolve(extra={"jsonrpc": "1.0"})],
    "unknown id": [act.answer(None, extra={"id": 10**9}), act.answer(None, extra={"id": "x"})],
    "strange ids": [act.answer(None, extra={"id": strange}) for strange in (None, [], {}, 1.5, True, -1)],
    "unknown notification": [act.notify("scripted/news", {"x": [1]}), act.notify("window/logMessage", 7)],
    "odd progress": [
        act.notify("$/progress", odd)
        for odd in (
            7,
            None,
            [],
            {},
            {"token": [1], "value": {"kind": "begin"}},
            {"token": {}, "value": 7},
            {"token": 1},
        )
    ],
    "odd diagnostics": [
        act.notify("textDocument/publishDiagnostics", {"uri": "file:///a%00b", "diagnostics": odd})
        for odd in (None, 7, "text", [7, None, {"message": 7}, {"message": "\\ud800"}])
    ],
    "odd notifications": [act.notify("textDocument/publishDiagnostics", odd) for odd in (None, [], 7, {}, {"uri": 7})],
    "odd requests": [act.send({"id": "q", "method": "workspace/configuration", "params": [7]})],
    "method is no text": [act.send({"jsonrpc": "2.0", "method": 7, "params": {}})],
    "negative length": [act.send({}, length=-5)],
    "length is no number": [act.send({}, length="many")],
    "other headers": [act.raw(b"Content-Type: text/plain\r\nX: y\r\n\r\n")],
    "bare line ends": [act.raw(b"content-length:   2  \nX: y\n\n{}")],
    "invalid UTF-8": [act.raw(b'Content-Length: 11\r\n\r\n{"x": "\xff\xfe"}')],
    "deep nesting": [act.send("[" * 5000 + "]" * 5000)],
}


@pytest.mark.parametrize("garbage", _IN_TIME.values(), ids=_IN_TIME)
def test_garbage_between_messages_is_passed_over(bench: Callable[..., Bench], garbage: list[act.Action]) -> None:
    """What is no message of the protocol costs nothing: the answer behind it is taken, in this turn and the next."""
    turns = [[act.resolve()], [*garbage, act.resolve()], [*garbage, act.resolve()]]
    world = bench(Scenario({DEFINITION: turns}))
    world.warm()
    assert [(OTHER,), (TARGET,)] == [world.reply(*use).places for use in (OTHER_USE, TARGET_USE)]
    assert isinstance(world.client.state, Ready)
    assert {"spawn": 1, "ready": 1, "request": 3} == world.counters()


def test_second_answer_to_one_request_is_nobodys(bench: Callable[..., Bench]) -> None:
    """It is not taken for the answer to the next question."""
    world = bench(Scenario({DEFINITION: [[act.resolve(times=3)]]}))
    assert [(TARGET,), (OTHER,), (TARGET,)] == [world.reply(*use).places for use in (TARGET_USE, OTHER_USE, TARGET_USE)]


def test_bytes_one_by_one_are_a_message(bench: Callable[..., Bench]) -> None:
    """Headers and characters that are split across writes come together."""
    world = bench(
        Scenario(
            {"initialize": [[act.initialize_answer(chunk=1)]], HOVER: [[act.answer({"contents": "𠀀é" * 99}, chunk=1)]]}
        )
    )
    world.warm()
    assert "𠀀é" * 99 == world.reply(*TARGET_USE, method="hover").hover


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ([act.send({}, length=10**12)], "broke the protocol: a message of 1000000000000 bytes"),
        ([act.send({}, length="9" * 100)], "broke the protocol: a message of 9999"),
        ([act.send("{") for _ in range(100)], "broke the protocol:"),
        ([act.raw(b"x" * 100_000)], "broke the protocol:"),
        ([act.raw(b"x\n" * 100_000)], "broke the protocol:"),
        ([act.raw(b"Content-Length: 2\r\n" + b"x: y\r\n" * 20_000)], "broke the protocol:"),
        ([act.close_output()], "it closed its output and stayed"),
    ],
)
def test_output_that_cannot_be_understood_ends_the_server(
    bench: Callable[..., Bench], output: list[act.Action], reason: str
) -> None:
    """The question is over at once, the server is ended and started again by the next."""
    world = bench(Scenario({DEFINITION: [[act.resolve()], [*output, act.hang()]]}), Scenario())
    world.warm()
    reply = world.reply(*OTHER_USE)
    assert ("crashed", ()) == (reply.status, reply.places)
    assert reason in reply.detail
    assert reason in world.until_failed()
    assert (OTHER,) == world.reply(*OTHER_USE).places
    assert ["crashed"] == [event["result"]["reason"] for event in world.events("lsp.fallback")]
    assert [True] == [event["result"]["crashed"] for event in world.events("lsp.exit")]
    assert {"spawn": 2, "ready": 2, "request": 3, "fallback": 1, "failed": 1} == world.counters()


def test_length_that_is_too_small_loses_one_message(bench: Callable[..., Bench]) -> None:
    """What is left of it is passed over; the next answer is understood."""
    world = bench(Scenario({DEFINITION: [[act.resolve()], [act.resolve(length=20)], [act.resolve()]]}))
    world.warm()
    pending = world.begin(*OTHER_USE)
    world.server.wait_for(DEFINITION, 2)
    assert "def target():" == world.reply(*TARGET_USE, method="hover").hover
    assert "timeout" == world.expire(pending).status
    assert (OTHER,) == world.reply(*OTHER_USE).places


def test_length_that_is_too_large_swallows_what_follows(bench: Callable[..., Bench]) -> None:
    """The answers in it are lost, those after it are not."""
    turns = [[act.resolve()], [act.resolve(length=600)], [act.resolve()]]
    world = bench(Scenario({DEFINITION: turns}))
    world.warm()
    pending = world.begin(*OTHER_USE)
    world.server.wait_for(DEFINITION, 2)
    after = [world.begin("a.py", 3, column, "target") for column in range(1, 7)]
    assert (TARGET,) == after[-1].result().places
    assert ["timeout", "timeout"] == [world.expire(one).status for one in (pending, after[0])]
    assert (OTHER,) == world.reply(*OTHER_USE).places


def test_answer_of_fifty_megabytes_is_taken(bench: Callable[..., Bench]) -> None:
    """A hover comes whole; of a list of places as many as anybody can look at."""
    size_bytes = 50_000_000

    def life(segment: Path) -> Scenario:
        found = [{"uri": (segment / "b.py").as_uri(), "range": at(0, 4)}]
        return Scenario(
            {
                HOVER: [[act.answer({"contents": "é word "}, fill_bytes=size_bytes)]],
                REFERENCES: [[act.answer(found, fill_bytes=size_bytes)]],
                DID_OPEN: [[act.diagnostics()]],
            }
        )

    world = bench(life)
    world.warm()
    hover = world.reply(*TARGET_USE, method="hover").hover
    assert (HOVER_CHARS_MAX, "…") == (len(hover), hover[-1])
    assert (TARGET,) == world.reply(*TARGET_USE, method="references").places
    assert (TARGET,) == world.reply(*TARGET_USE).places


def test_many_places_in_a_long_file_are_counted_once(bench: Callable[..., Bench]) -> None:
    """9,000 uses in 100,000 lines: counting lines anew for each would take minutes, while everybody waits."""

    def life(segment: Path) -> Scenario:
        found = [{"uri": (segment / "long.py").as_uri(), "range": at(90_000 + number, 4)} for number in range(9_000)]
        return Scenario({DID_OPEN: [[act.diagnostics()]], REFERENCES: [[act.answer(found)]]})

    world = bench(life)
    world.write("long.py", "value = 1\n" * 100_000)
    reply = world.reply(*TARGET_USE, method="references")
    expected = [ServerPlace("long.py", 90_001 + number, 5, is_inside=True) for number in range(9_000)]
    assert expected == list(reply.places)


def test_places_have_a_limit(bench: Callable[..., Bench]) -> None:
    """More than can be looked at are left out."""

    def life(segment: Path) -> Scenario:
        uri = (segment / "b.py").as_uri()
        found = [{"uri": uri, "range": at(0, 4)}] * PLACES_MAX + [{"uri": uri, "range": at(4, 4)}]
        return Scenario({DEFINITION: [[act.answer(found)]]})

    assert (TARGET,) == bench(life).reply(*TARGET_USE).places


def test_flood_of_complaints_does_not_hold_it_up(bench: Callable[..., Bench]) -> None:
    """300 kB on standard error before the first answer, and more all the time, are read; its last words are told."""
    flooded = Scenario(
        {
            "spawn": [[act.flood(300_000), act.flood()]],
            DEFINITION: [[act.resolve()], [act.exits(9)]],
        }
    )
    world = bench(flooded)
    world.warm()
    reply = world.reply(*OTHER_USE)
    assert "crashed" == reply.status
    assert "ended with exit code 9" in reply.detail
    assert "that nobody asked for" in reply.detail
    assert len(reply.detail) < 400


# ---------------------------------------------------------------------- errors and ends


@pytest.mark.parametrize("code", [act.CONTENT_MODIFIED, act.SERVER_CANCELLED])
def test_passing_errors_are_asked_again(bench: Callable[..., Bench], code: int) -> None:
    """Content that was modified and a server that cancelled ask for another try, within the same question."""
    world = bench(Scenario({DEFINITION: [[act.resolve()], [act.error(code)], [act.error(code)], [act.resolve()]]}))
    world.warm()
    assert (OTHER,) == world.reply(*OTHER_USE).places
    assert 4 == len(world.server.messages(DEFINITION))
    assert {"spawn": 1, "ready": 1, "request": 2} == world.counters()


@pytest.mark.parametrize("code", [act.REQUEST_FAILED, act.INTERNAL_ERROR, -32601, 7, "x", None, [], {}])
@pytest.mark.parametrize("is_ready", [True, False])
def test_error_is_told_at_once(bench: Callable[..., Bench], code: Any, is_ready: bool) -> None:
    """An error ends the question, not the server."""
    failing = [act.error(code, "it cannot be done")]
    world = bench(Scenario({DEFINITION: [*([[act.resolve()]] if is_ready else []), failing, [act.resolve()]]}))
    if is_ready:
        world.warm()
    reply = world.reply(*OTHER_USE)
    assert ("error", True, "scripted answered with an error: it cannot be done") == (
        reply.status,
        reply.was_sent,
        reply.detail,
    )
    assert (OTHER,) == world.reply(*OTHER_USE).places
    assert ["error"] == [event["result"]["reason"] for event in world.events("lsp.fallback")]
    assert [] == world.events("lsp.timeout")


@pytest.mark.parametrize(
    "answer",
    [act.error(-32002, "no licence"), act.answer(None), act.answer([]), act.answer("fine")],
    ids=["error", "null", "list", "text"],
)
def test_refusal_to_initialize_ends_the_server(bench: Callable[..., Bench], answer: act.Action) -> None:
    """An error, or a result that is no object, is a failed start with its reason."""
    world = bench(Scenario({"initialize": [[answer]]}))
    reply = world.reply(*TARGET_USE)
    assert ("crashed", False) == (reply.status, reply.was_sent)
    assert "refused to initialize" in reply.detail
    world.until_failed()
    assert ["error"] == [event["result"]["status"] for event in world.events("lsp.initialize")]
    assert 1 == world.counters()["failed"]
    assert ["initialize"] == world.server.methods()


@pytest.mark.parametrize("capabilities", [{"positionEncoding": odd} for odd in ("utf-7", 8, None, ["utf-8"], {})])
def test_odd_capabilities_are_passed_over(bench: Callable[..., Bench], capabilities: dict[str, Any]) -> None:
    """An encoding that there is not is none: utf-16."""
    world = bench(Scenario(capabilities=capabilities))
    world.write("wide.py", "'👩🚀'; target()\n")
    assert (TARGET,) == world.reply("wide.py", 1, 7, "target").places


@pytest.mark.parametrize(
    ("turn", "phrase"),
    [([act.exits(3)], "ended with exit code 3"), ([act.dies()], "ended by signal 9")],
    ids=["exit", "signal"],
)
def test_death_at_spawn_is_told_at_once(bench: Callable[..., Bench], turn: act.Turn, phrase: str) -> None:
    """Nobody waits for a dead server; after several it is left alone, and after a while tried once."""
    world = bench(Scenario({"spawn": [turn]}))
    for number in range(FAILURES_MAX):
        reply = world.reply(*TARGET_USE)
        assert ("crashed", False) == (reply.status, reply.was_sent), number
        assert phrase in reply.detail
        world.until(lambda: not world.client.launcher_is_running)
    assert "circuit_open" == world.reply(*TARGET_USE).status
    assert phrase in world.client.breaker_state
    assert FAILURES_MAX == len(world.server.events("spawn"))
    world.clock.step(OPEN_FIRST_S)
    assert "crashed" == world.reply(*TARGET_USE).status
    assert "circuit_open" == world.reply(*TARGET_USE).status
    assert FAILURES_MAX + 1 == len(world.server.events("spawn")) == world.counters()["spawn"]
    assert FAILURES_MAX + 1 == world.counters()["failed"]
    assert ["crashed"] * (FAILURES_MAX + 1) == [event["result"]["status"] for event in world.events("lsp.initialize")]
    assert FAILURES_MAX + 3 == world.counters()["fallback"] == world.counters()["request"]


@pytest.mark.parametrize(
    ("turn", "phrase"),
    [
        ([act.exits(4)], "ended with exit code 4"),
        ([act.dies(signal.SIGSEGV)], "ended by signal 11"),
        ([act.resolve(cut=60), act.exits(0)], "ended with exit code 0"),
        ([act.raw(b"Content-Le"), act.dies()], "ended by signal 9"),
    ],
    ids=["exit", "signal", "in a body", "in a header"],
)
def test_death_on_a_request_is_told_at_once(bench: Callable[..., Bench], turn: act.Turn, phrase: str) -> None:
    """The question is over, its reason is known; the next one starts a server that knows its documents."""
    world = bench(Scenario({DEFINITION: [[act.resolve()], turn]}), Scenario())
    world.warm()
    reply = world.reply(*OTHER_USE)
    assert ("crashed", True) == (reply.status, reply.was_sent)
    assert phrase in reply.detail
    world.until(lambda: not world.client.launcher_is_running)
    assert (OTHER,) == world.reply(*OTHER_USE).places
    assert "" == world.client.breaker_state
    assert ["a.py", "b.py", "b.py"] == [
        message["params"]["textDocument"]["uri"].rpartition("/")[2] for message in world.server.messages(DID_OPEN)
    ]
    names = ["spawn", "initialize", "ready", "definition", "exit", "definition", "fallback"]
    assert names == world.told()[: len(names)]
    assert ["crashed"] == [event["result"]["reason"] for event in world.events("lsp.fallback")]
    assert {"spawn": 2, "ready": 2, "request": 3, "fallback": 1, "failed": 1} == world.counters()


def test_answer_before_death_counts(bench: Callable[..., Bench]) -> None:
    """What was whole when it died is an answer."""
    world = bench(Scenario({DEFINITION: [[act.resolve(), act.exits(1)]]}))
    assert (TARGET,) == world.reply(*TARGET_USE).places


_ENDINGS = {
    "dies on shutdown": {"shutdown": [[act.dies()]]},
    "ignores shutdown": {"shutdown": [[]]},
    "ignores exit": {"exit": [[]]},
    "ignores shutdown and exit": {"shutdown": [[]], "exit": [[]]},
    "ignores all of it": {"spawn": [[act.ignore_sigterm()]], "shutdown": [[]], "exit": [[]], "eof": [[]]},
    "answers shutdown with an error": {"shutdown": [[act.error(-1)]]},
    "is deaf": {"shutdown": [[act.turn_deaf("never")]]},
    "floods": {"shutdown": [[act.flood(), act.hang()]]},
    "leaves a child": {"spawn": [[act.fork()]]},
    "leaves a session": {"spawn": [[act.fork(session=True)]]},
    "leaves a daemon": {"spawn": [[act.fork(session=True, daemon=True)]]},
    "leaves a child with its pipes": {"spawn": [[act.fork(holds_pipes=True)]]},
    "leaves a daemon with its pipes": {"spawn": [[act.fork(session=True, daemon=True, holds_pipes=True)]]},
}


@pytest.mark.parametrize("is_polite", [True, False], ids=["politely", "at once"])
@pytest.mark.parametrize("turns", _ENDINGS.values(), ids=_ENDINGS)
def test_stop_leaves_nothing(bench: Callable[..., Bench], turns: Any, is_polite: bool) -> None:
    """However it takes its end: the process is gone when `stop` returns, and so is all that it started."""
    world = bench(Scenario(turns))
    world.warm()
    world.client.stop(politely=is_polite)
    assert not world.client.launcher_is_running
    assert [True] * len(world.server.pids()) == [process_is_gone(pid, patience_s=0) for pid in world.server.pids()]
    assert isinstance(world.client.state, Stopped)
    (ended,) = world.events("lsp.exit")
    assert (True, False) == (ended["result"]["requested"], ended["result"]["crashed"])
    assert "failed" not in world.counters()


@pytest.mark.parametrize(
    "way", [{}, {"session": True}, {"session": True, "daemon": True}, {"holds_pipes": True}], ids=str
)
def test_dead_server_leaves_no_child(bench: Callable[..., Bench], way: dict[str, bool]) -> None:
    """A child that outlives it is killed and counted, also one that holds the pipes open."""
    world = bench(Scenario({DEFINITION: [[act.resolve()], [act.fork(**way), act.dies()]]}))
    world.warm()
    assert "crashed" == world.reply(*OTHER_USE).status
    world.until_failed()
    assert [] == world.server.left()
    assert [1] == [event["result"]["leftovers_killed"] for event in world.events("lsp.exit")]


def test_stopped_client_starts_again_when_asked(bench: Callable[..., Bench]) -> None:
    """A restart is a stop and a question; stopping twice, or before anything was started, is nothing."""
    world = bench()
    world.client.stop()
    assert isinstance(world.client.state, Stopped)
    world.warm()
    world.client.stop()
    world.client.stop()
    world.warm()
    assert 2 == len(world.server.events("spawn"))
    assert [True, False] == [event["cold_start"] for event in world.events("lsp.spawn")]


def test_question_that_waits_is_over_when_the_server_is_stopped(bench: Callable[..., Bench]) -> None:
    """Nobody waits for a deadline that a stopped server cannot keep."""
    world = bench(Scenario({DEFINITION: [[act.hang()]]}))
    pending = world.begin(*TARGET_USE)
    world.server.wait_for(DEFINITION)
    world.client.stop()
    reply = pending.result()
    assert ("crashed", True) == (reply.status, reply.was_sent)


def test_killed_owner_leaves_nothing(bench: Callable[..., Bench], tmp_path: Path) -> None:
    """SIGKILL to the process that owns the client ends server, children and launcher."""
    world = bench(Scenario({"spawn": [[act.ignore_sigterm(), act.fork(session=True, daemon=True), act.flood()]]}))
    code = """
import sys, time
from ctx.domain.language_server import ServerQuestion
from ctx.infrastructure.ast_lsp.lsp_process import start_server
class Listener:
    def on_started(self, pid): pass
    def on_message(self, message): pass
    def on_tick(self): return None
    def on_end(self, end): pass
server = start_server(sys.argv[1:], "/", {}, Listener())
while True: time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code, *world.server.command]) as owner:
        world.server.wait_for_event("fork")
        owner.kill()
        owner.wait()
    assert 3 == len(world.server.pids())
    assert [] == world.server.left()


# ---------------------------------------------------------------------- bad input


def test_missing_program_is_told_at_once(bench: Callable[..., Bench]) -> None:
    """What is not installed (any more) is no server: the reason is in the reply, the spawn and the state."""
    world = bench(command=("/no/such/server", "--stdio"))
    reply = world.reply(*TARGET_USE)
    assert ("crashed", False) == (reply.status, reply.was_sent)
    assert "could not be started: No such file or directory" in reply.detail
    assert "could not be started: No such file or directory" == world.until_failed()
    assert ["spawn", "definition", "fallback"] == world.told()
    assert ["error"] == [event["result"]["status"] for event in world.events("lsp.spawn")]
    assert {"spawn": 1, "request": 1, "fallback": 1, "failed": 1} == world.counters()


def test_script_of_a_broken_environment_is_told(bench: Callable[..., Bench], tmp_path: Path) -> None:
    """A script whose interpreter is gone cannot be started, and neither can one that is no program."""
    broken = tmp_path / "broken environment" / "server"
    broken.parent.mkdir()
    broken.write_text("#!/no/such/python\n")
    broken.chmod(0o755)
    assert "could not be started: No such file or directory" in bench(command=(str(broken),)).reply(*TARGET_USE).detail
    broken.chmod(0o644)
    assert "could not be started: Permission denied" in bench(command=(str(broken),)).reply(*TARGET_USE).detail


def test_missing_root_is_told(bench: Callable[..., Bench], tmp_path: Path) -> None:
    """A folder that was deleted is not taken for a missing server."""
    reply = bench(root=str(tmp_path / "gone")).reply(*TARGET_USE)
    assert "crashed" == reply.status
    assert "cannot enter its directory" in reply.detail


def test_program_that_is_no_server_is_told(bench: Callable[..., Bench]) -> None:
    """One that prints its usage and ends has its last words in the reply."""
    code = "import sys; print('usage: other'); sys.exit('unknown option --stdio')"
    reply = bench(command=(sys.executable, "-I", "-S", "-c", code)).reply(*TARGET_USE)
    assert "crashed" == reply.status
    assert "ended with exit code 1 (unknown option --stdio)" in reply.detail


def test_server_path_may_hold_spaces(bench: Callable[..., Bench], tmp_path: Path) -> None:
    """Nothing goes through a shell."""
    folder = tmp_path / "a server's $HOME; é"
    folder.mkdir()
    (folder / "my server.py").write_bytes(SERVER.read_bytes())
    world = bench()
    scenario = world.server.command[-1]
    other = bench(command=(*world.server.command[:3], str(folder / "my server.py"), scenario))
    assert (TARGET,) == other.reply(*TARGET_USE).places
    assert [other.client.process_id] == [event["pid"] for event in world.server.events("spawn")]
    other.client.stop()


def test_two_roots_are_two_servers(bench: Callable[..., Bench]) -> None:
    """Each client has its own process, root and readiness."""
    first, second = bench(), bench(Scenario({DEFINITION: [[act.answer(None)]], DID_OPEN: [[act.diagnostics()]]}))
    pending = [world.begin(*TARGET_USE) for world in (first, second)]
    assert [(TARGET,), ()] == [one.result().places for one in pending]
    roots = [world.server.messages("initialize")[0]["params"]["rootUri"] for world in (first, second)]
    assert [first.segment.as_uri(), second.segment.as_uri()] == roots
    first.client.stop()
    assert isinstance(second.client.state, Ready)


def test_changed_file_is_sent_before_the_question(bench: Callable[..., Bench]) -> None:
    """A file that changed on disk under a warm server is the one that is asked about."""
    world = bench()
    world.warm()
    world.write("a.py", "\n\n" + SEGMENT["a.py"])
    assert (TARGET,) == world.reply("a.py", 5, 1, "target").places
    (changed,) = world.server.messages("textDocument/didChange")
    assert 2 == changed["params"]["textDocument"]["version"]
    assert [{"text": "\n\n" + SEGMENT["a.py"]}] == changed["params"]["contentChanges"]
    order = [method for method in world.server.methods() if method.startswith("textDocument/")]
    assert [DID_OPEN, DEFINITION, "textDocument/didChange", DEFINITION] == order


def test_file_deleted_under_a_warm_server_is_told(bench: Callable[..., Bench]) -> None:
    """A question about it is an error without a word to the server; the announcement closes the document."""
    world = bench()
    world.warm()
    (world.segment / "a.py").unlink()
    reply = world.reply(*TARGET_USE)
    assert ("error", False) == (reply.status, reply.was_sent)
    assert "a.py" in reply.detail
    world.client.announce([("a.py", "deleted"), ("c d.py", "created"), ("b.py", "changed")])
    (told,) = world.server.wait_for("workspace/didChangeWatchedFiles")
    uris = [(world.segment / name).as_uri() for name in ("a.py", "c d.py", "b.py")]
    assert [{"uri": uri, "type": kind} for uri, kind in zip(uris, (3, 1, 2), strict=True)] == told["params"]["changes"]
    closed = world.server.messages("textDocument/didClose")
    assert [uris[0]] == [message["params"]["textDocument"]["uri"] for message in closed]


def test_unsaved_text_is_what_is_asked_about(bench: Callable[..., Bench]) -> None:
    """The text of the question counts, the disk's comes back with the next question without one."""
    world = bench()
    unsaved = "import os\n\n# not saved\ntarget()\n"
    assert (TARGET,) == world.reply("a.py", 4, 1, "target", text=unsaved).places
    assert (TARGET,) == world.reply(*TARGET_USE).places
    assert (TARGET,) == world.reply("new.py", 1, 1, "target", text="target()").places
    texts = [message["params"]["textDocument"]["text"] for message in world.server.messages(DID_OPEN)]
    assert [unsaved, "target()"] == texts
    (changed,) = world.server.messages("textDocument/didChange")
    assert [{"text": SEGMENT["a.py"]}] == changed["params"]["contentChanges"]


def test_open_documents_have_a_limit(bench: Callable[..., Bench]) -> None:
    """The one asked about longest ago is closed."""
    world = bench()
    world.warm()
    for number in range(OPEN_DOCUMENTS_MAX):
        world.write(f"more/m{number}.py", "target()\n")
        assert (TARGET,) == world.reply(f"more/m{number}.py", 1, 1, "target").places
    (closed,) = world.server.messages("textDocument/didClose")
    assert (world.segment / "a.py").as_uri() == closed["params"]["textDocument"]["uri"]


def test_paths_that_are_no_text_are_asked_about(bench: Callable[..., Bench]) -> None:
    """Spaces, signs and letters of any script in a name are the same file there and back."""
    name = "sp ace/%41#?&é 𠀀.py"
    world = bench()
    world.write(name, "def strange(): ...\nstrange()\n")
    (place,) = world.reply(name, 2, 1, "strange").places
    assert (name, 1, True) == (place.path, place.line, place.is_inside)


def test_many_questions_at_once_get_their_own_answers(bench: Callable[..., Bench]) -> None:
    """From several threads, to a server that is only just starting."""
    world = bench()
    found: dict[int, tuple[ServerPlace, ...]] = {}

    def ask(number: int) -> None:
        found[number] = world.reply(*(TARGET_USE if number % 2 else OTHER_USE)).places

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {number: (TARGET,) if number % 2 else (OTHER,) for number in range(40)} == found
    assert 1 == len(world.server.events("spawn"))
    assert {"spawn": 1, "ready": 1, "request": 40} == world.counters()


def test_server_that_does_not_read_holds_nobody_up(bench: Callable[..., Bench]) -> None:
    """More than its pipe takes is sent without waiting; the deadline passes as any other."""
    world = bench(Scenario({DID_OPEN: [[act.turn_deaf("ears")]]}))
    world.write("big.py", "# 0123456789\n" * 100_000 + "target()\n")
    pending = world.begin("big.py", 100_001, 1, "target")
    world.server.wait_for_event("deaf")
    more = world.begin("big.py", 100_001, 1, "target", text="# changed\n" * 100_000 + "target()\n")
    assert [True, True] == [not world.expire(one).is_answer for one in (pending, more)]
    world.server.open_gate("ears")
    assert (TARGET,) == world.reply("big.py", 100_001, 1, "target").places
