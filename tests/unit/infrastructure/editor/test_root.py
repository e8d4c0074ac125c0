"""Tests of ctx.infrastructure.editor.root: threads, the wait for the index, events; the session is this test's own."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from typing import TYPE_CHECKING, Any

import pytest
from tests.editor_parts import OwnSession

from ctx.domain.errors import CtxError
from ctx.infrastructure.editor import root as root_module
from ctx.infrastructure.editor.documents import Documents
from ctx.infrastructure.editor.protocol import AnsweredError
from ctx.infrastructure.editor.root import Answer, Asked, NotIndexedError, Root
from ctx.infrastructure.host.session import HostSession
from ctx.infrastructure.host.unsaved_texts import UnsavedTexts
from ctx.infrastructure.unsaved_files import UnsavedFiles

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ctx.infrastructure.services import Services

PATIENCE_S = 60.0


class AloneSession(HostSession):
    """A session without a host."""

    closed = 0

    def close(self) -> None:
        self.closed += 1
        super().close()


class Notes:
    """What a root tells."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.states: list[str] = []


@pytest.fixture
def segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small segment without language servers, and as much time for its index as a busy machine takes."""
    for name in ("WAIT_LARGE_S", "WAIT_UNKNOWN_S", "WAIT_SMALL_S", "CLOSE_S"):
        monkeypatch.setattr(root_module, name, PATIENCE_S)
    monkeypatch.setenv("CTX_LSP_ENABLED", "0")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    folder = tmp_path / "segment"
    folder.mkdir()
    (folder / "a.py").write_text("def a():\n    return 1\n")
    return folder


def run(
    segment: Path,
    visit: Callable[[Root, OwnSession, Notes], Any],
    *,
    gate: threading.Event | None = None,
    failure: str = "",
    own: AloneSession | None = None,
) -> Any:
    """Visit a root that was started, and close it."""
    is_open = gate or threading.Event()
    if gate is None:
        is_open.set()
    session: Any = own or OwnSession(segment, is_open, failure)
    notes = Notes()

    async def whole() -> Any:
        root = Root(
            str(segment),
            str(segment).encode(),
            segment.as_uri(),
            asyncio.get_running_loop(),
            lambda: session,
            on_progress=lambda _root, _done, _total: None,
            on_change=lambda root: notes.states.append(root.state),
            on_note=lambda _root, text: notes.notes.append(text),
        )
        root.start()
        try:
            return await visit(root, session, notes)
        finally:
            is_open.set()
            root.close(0, wait_s=PATIENCE_S)

    found = asyncio.run(whole())
    assert 1 == session.closed or failure
    return found


def definitions(services: Services) -> Answer:
    """Return the names that the index has."""
    return Answer([stored.row.name for stored in services.store.definitions()], {"hits": 1})


def test_quick_and_slow_questions_wait_for_the_first_index(segment: Path) -> None:
    """On a small tree an answer from the index is worth a moment."""

    async def visit(root: Root, _session: OwnSession, notes: Notes) -> Any:
        found = [await root.ask(Asked("ctx.test"), definitions, is_slow=is_slow) for is_slow in (False, True)]
        return found, root.state, root.index_files, notes.notes

    assert ([["a"], ["a"]], "ready", 1, []) == run(segment, visit)


def test_question_is_answered_from_its_text_when_there_is_no_index(segment: Path) -> None:
    """What cannot be opened is said once, and is no failure for who can do without."""

    async def visit(root: Root, _session: OwnSession, notes: Notes) -> Any:
        answer = await root.ask(Asked("ctx.test"), definitions, otherwise=Answer)
        with pytest.raises(NotIndexedError):
            await root.ask(Asked("ctx.test"), definitions)
        return answer, root.state, notes.notes

    assert ("the disk is gone", "fallback", ["the disk is gone"]) == run(segment, visit, failure="the disk is gone")


def test_events_before_the_telemetry_is_there_are_kept(segment: Path) -> None:
    """An outline may be answered before the segment is open; its event follows the start of the run."""
    gate = threading.Event()

    async def visit(root: Root, session: OwnSession, _notes: Notes) -> Any:
        root.tell(Asked("ctx.lsp.documentSymbol", {"file": "a.py"}), Answer([], {"hits": 0}))
        state = root.state
        gate.set()
        await root.ask(Asked("ctx.test"), definitions, is_slow=True)
        counters = session.services.telemetry.counters
        return state, counters["ctx_lsp_documentSymbol_count"], counters["ctx_test_count"]

    assert ("indexing", 1, 1) == run(segment, visit, gate=gate)


def test_question_about_an_older_text_is_dropped(segment: Path) -> None:
    """Its place is of a text that is not there any more."""
    documents = Documents()
    document = documents.open((segment / "a.py").as_uri(), "python", 1, "")

    async def visit(root: Root, _session: OwnSession, _notes: Notes) -> int:
        is_busy = threading.Event()
        before = root.ask(Asked("ctx.test"), lambda _services: Answer(is_busy.wait()))
        future = root.ask(Asked("ctx.test"), definitions, document=document)
        documents.change(document.uri, 2, [])
        is_busy.set()
        await before
        with pytest.raises(AnsweredError) as caught:
            await future
        return caught.value.code

    assert -32801 == run(segment, visit)


def test_unsaved_text_is_there_before_what_is_asked_after_it(segment: Path) -> None:
    """In their order, and what the segment refuses is said to the person."""

    async def visit(root: Root, session: OwnSession, notes: Notes) -> Any:
        root.set_unsaved("a.py", "x")
        root.set_unsaved(".env", "KEY=1")
        root.set_unsaved("a.py", None)
        seen = await root.ask(Asked("ctx.test"), lambda _services: Answer(list(session.unsaved)))
        await asyncio.sleep(0)
        return seen, notes.notes

    assert ([("a.py", "x"), ("a.py", None)], ["a secrets file"]) == run(segment, visit)


def test_text_that_is_the_files_again_is_not_unsaved(segment: Path) -> None:
    """Undone, loaded anew from disk or opened twice: what others write to the file is then seen."""
    (segment / "a.py").write_bytes(b"\xef\xbb\xbfx = 1\r\ny = 2\r\n")

    async def visit(root: Root, session: OwnSession, _notes: Notes) -> Any:
        for text in ("x = 3\n", "x = 1\r\ny = 2\r\n", "x = 3\n", "x = 1\ny = 2\n", "x = 3\n"):
            root.set_unsaved("a.py", text)
        for text in ("x = 4\n", "\ufeffx = 1\ny = 2\n", "x = 1\ny = 2\n"):
            root.opened("a.py", text, is_small=True)
        return await root.ask(Asked("ctx.test"), lambda _services: Answer(list(session.unsaved)))

    texts = ("x = 3\n", None, "x = 3\n", None, "x = 3\n", "x = 4\n", None)
    assert [("a.py", text) for text in texts] == run(segment, visit)


def test_a_file_is_opened_that_another_editor_has_changed(segment: Path) -> None:
    """The text that it is opened with is the disk's and no newer one than the other's."""
    texts = UnsavedTexts(str(segment), 1 << 20)
    texts.put("another editor", "a.py", "def theirs(): ...\n")

    def see(services: Services) -> Answer:
        services.files = UnsavedFiles(str(segment), texts.current, telemetry=services.telemetry, max_file_bytes=1 << 20)
        return Answer(None)

    async def visit(root: Root, session: OwnSession, _notes: Notes) -> Any:
        await root.ask(Asked("ctx.test"), see)
        root.opened("a.py", "def a():\n    return 1\n", is_small=True)
        return await root.ask(Asked("ctx.test"), lambda _services: Answer(list(session.unsaved)))

    assert [] == run(segment, visit)


def test_server_that_warms_up_is_the_state(segment: Path) -> None:
    """From an opened document to the server's own word that it is ready."""

    async def visit(root: Root, session: OwnSession, _notes: Notes) -> Any:
        await root.ask(Asked("ctx.test"), definitions)
        root.opened("a.py", "", is_small=True)
        await root.ask(Asked("ctx.test"), lambda _services: Answer(None), urgency=9)
        warming = root.state, root.warming
        session.servers = [{"server": "scripted", "state": "ready"}]
        root.ask_status()
        await root.ask(Asked("ctx.test"), lambda _services: Answer(None), urgency=9)
        ready = root.state
        await root.ask(Asked("ctx.test"), lambda _services: Answer(None, server="crashed"))
        return warming, ready, root.state

    assert (("warming", "scripted"), "ready", "fallback") == run(segment, visit)


def test_servers_of_a_host_that_does_not_answer_are_as_they_were(segment: Path) -> None:
    """What is warming up is so until somebody says otherwise."""

    async def visit(root: Root, session: OwnSession, _notes: Notes) -> Any:
        await root.ask(Asked("ctx.test"), definitions)
        seen = []
        for servers in ([{"server": "scripted", "state": "warming up"}], None, []):
            session.servers = servers
            root.ask_status()
            await root.ask(Asked("ctx.test"), lambda _services: Answer(None), urgency=9)
            seen.append((root.warming, root.knows_servers))
        return seen

    assert [("scripted", True), ("scripted", False), ("", True)] == run(segment, visit)


def test_host_that_comes_or_goes_is_asked_for(segment: Path) -> None:
    """Without a document that is touched: the session's word is enough, from whichever thread."""

    async def visit(root: Root, session: OwnSession, _notes: Notes) -> Any:
        await root.ask(Asked("ctx.test"), definitions)
        found = [root.has_host]
        for joined in ("backend", ""):
            session.joined = joined
            await asyncio.to_thread(session.on_lease)
            await root.ask(Asked("ctx.test"), lambda _services: Answer(None), urgency=9)
            found.append(root.has_host)
        return found

    assert [False, True, False] == run(segment, visit)


@pytest.mark.parametrize("is_told", [True, False], ids=["the host says so", "a question finds it"])
def test_folder_that_is_gone_is_a_fallback_until_it_is_back(segment: Path, *, is_told: bool) -> None:
    """Said once; what comes to its place is indexed, and its names are the answers."""

    async def settled(root: Root, session: OwnSession) -> str:
        if is_told:
            session.on_lease()
            await asyncio.sleep(0)
        else:
            root.mark_changed()
            await root.ask(Asked("ctx.test"), definitions, otherwise=Answer)
        await root.ask(Asked("ctx.test"), lambda _services: Answer(None), otherwise=Answer, is_slow=True, urgency=9)
        return root.state

    async def visit(root: Root, session: OwnSession, notes: Notes) -> Any:
        await root.ask(Asked("ctx.test"), definitions)
        away = segment.rename(segment.with_name("away"))
        gone = await settled(root, session)
        with pytest.raises(CtxError):
            await root.ask(Asked("ctx.test"), definitions, is_slow=True)
        shutil.copytree(away, segment)
        (segment / "b.py").write_text("def b():\n    return 1\n")
        back = await settled(root, session)
        names = await root.ask(Asked("ctx.test"), definitions)
        return (gone, back, names), ["segment's directory cannot be opened" in note for note in notes.notes]

    assert (("fallback", "ready", ["a", "b"]), [True]) == run(segment, visit)


def test_change_on_disk_shows_when_it_is_told(segment: Path) -> None:
    """After the editor's word the next answer looks at the files."""

    async def visit(root: Root, _session: OwnSession, _notes: Notes) -> Any:
        await root.ask(Asked("ctx.test"), definitions)
        (segment / "b.py").write_text("def b():\n    return 1\n")
        root.mark_changed()
        return await root.ask(Asked("ctx.test"), definitions)

    assert ["a", "b"] == run(segment, visit)


def test_text_is_seen_by_both_threads_whoever_looks_first(segment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a host each thread has to look for itself."""
    monkeypatch.setenv("CTX_DAEMON", "off")

    async def visit(root: Root, _session: OwnSession, _notes: Notes) -> Any:
        found = []
        for text in (None, "def b(): ...\n", "def c(): ...\n"):
            if text is not None:
                await root.set_unsaved("a.py", text)
            for is_slow in (True, False):
                found += await root.ask(Asked("ctx.test"), definitions, is_slow=is_slow)
        return found

    assert ["a", "a", "b", "b", "c", "c"] == run(segment, visit, own=AloneSession(str(segment), face="lsp"))


@pytest.mark.parametrize("is_opened", [False, True], ids=["it was changed", "it was restored"])
def test_slow_question_waits_for_the_texts_before_it(
    segment: Path, monkeypatch: pytest.MonkeyPatch, *, is_opened: bool
) -> None:
    """Another thread takes them in: what it has not come to yet would be answered as it is on disk."""
    monkeypatch.setenv("CTX_DAEMON", "off")
    may_set = threading.Event()

    class Busy(AloneSession):
        def set_unsaved(self, path: str, text: str | None) -> None:
            may_set.wait()
            super().set_unsaved(path, text)

    async def visit(root: Root, _session: OwnSession, _notes: Notes) -> Any:
        found = [await root.ask(Asked("ctx.test"), definitions, is_slow=True)]
        if is_opened:
            root.opened("a.py", "def b(): ...\n", is_small=True)
        else:
            root.set_unsaved("a.py", "def b(): ...\n")
        asked = root.ask(Asked("ctx.test"), definitions, is_slow=True)
        await asyncio.wait({asked}, timeout=0.2)  # it has to wait for us
        may_set.set()
        return [*found, await asked]

    assert [["a"], ["b"]] == run(segment, visit, own=Busy(str(segment), face="lsp"))


def test_slow_question_does_not_wait_for_a_text_that_nobody_takes_in_any_more(
    segment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the end what was not begun never is."""
    monkeypatch.setenv("CTX_DAEMON", "off")
    is_busy, may_end, waits = threading.Event(), threading.Event(), threading.Event()
    await_texts = Root._await_texts

    def noted(root: Root, told: threading.Event) -> None:
        waits.set()
        await_texts(root, told)

    def be_busy(_services: Services) -> Answer:
        is_busy.set()
        return Answer(may_end.wait())

    async def visit(root: Root, _session: OwnSession, _notes: Notes) -> Any:
        await root.ask(Asked("ctx.test"), definitions)
        root.ask(Asked("ctx.test"), be_busy)
        await asyncio.to_thread(is_busy.wait)
        root.set_unsaved("a.py", "def b(): ...\n")
        monkeypatch.setattr(Root, "_await_texts", noted)
        asked = root.ask(Asked("ctx.test"), definitions, is_slow=True)
        await asyncio.to_thread(waits.wait)
        root.leave()
        may_end.set()
        with pytest.raises(AnsweredError, match="being closed"):
            await asked
        slow = root._slow._thread
        assert slow is not None
        await asyncio.to_thread(slow.join, PATIENCE_S)

    run(segment, visit, own=AloneSession(str(segment), face="lsp"))


def test_paths_are_the_segments(segment: Path, tmp_path: Path) -> None:
    """As the editor spells the folder or as the system does; outside is none."""

    async def visit(root: Root, _session: OwnSession, _notes: Notes) -> Any:
        root.folder = b"/as/the/editor/says"
        paths = (b"/as/the/editor/says/x/a.py", str(segment / "a.py").encode(), str(tmp_path / "c.py").encode())
        return [root.path_of(path) for path in paths]

    assert ["x/a.py", "a.py", ""] == run(segment, visit)


def test_what_ends_with_the_session_is_counted(segment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is ended at the close tells of it after the run's last event."""
    close = OwnSession.close

    def close_with_server(session: OwnSession) -> None:
        session.services.telemetry.event("lsp.exit", {"server": "scripted"}, {"exit_code": 0}, 1)
        close(session)

    monkeypatch.setattr(OwnSession, "close", close_with_server)

    async def visit(root: Root, _session: OwnSession, _notes: Notes) -> None:
        await root.ask(Asked("lsp.definition"), definitions)

    run(segment, visit)
    telemetry = segment / "_ctx/telemetry"
    written = (telemetry / "events.jsonl").read_bytes().splitlines()
    assert b'"lsp.exit"' in written[-1]
    for name in ("metrics.json", "last_run.json"):
        assert f'"telemetry_events_attempted": {len(written)},' in (telemetry / name).read_text()


class Held:
    """Work that waits in its thread, with the index open, until it may go on."""

    def __init__(self) -> None:
        self.is_under_way, self.may_go_on = threading.Event(), threading.Event()

    def __call__(self, services: Services) -> Answer:
        assert services.store.file_count()
        self.is_under_way.set()
        assert self.may_go_on.wait(PATIENCE_S)
        return definitions(services)


def events(segment: Path) -> list[dict[str, Any]]:
    """Return what is recorded."""
    return [json.loads(line) for line in (segment / "_ctx/telemetry/events.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("is_slow", [True, False])
def test_request_that_is_cancelled_while_it_is_answered_is_one_event(segment: Path, *, is_slow: bool) -> None:
    """The client was told that it is cancelled, and so are people."""

    async def visit(root: Root, _session: OwnSession, _notes: Notes) -> None:
        work = Held()
        future = root.ask(Asked("ctx.map"), work, is_slow=is_slow)
        await asyncio.to_thread(work.is_under_way.wait, PATIENCE_S)
        future.cancel()
        await asyncio.sleep(0)
        work.may_go_on.set()
        await root.ask(Asked("ctx.hover"), definitions, is_slow=is_slow)

    run(segment, visit)
    told = [(event["cmd"], event["result"]["status"]) for event in events(segment) if event["cmd"].startswith("ctx.")]
    assert [("ctx.map", "cancelled"), ("ctx.hover", "ok")] == told


@pytest.mark.parametrize("is_hasty", [True, False])
def test_end_of_the_run_is_told_whatever_the_threads_are_at(segment: Path, *, is_hasty: bool) -> None:
    """The process may end as soon as the close returns; what is answered until then is counted."""
    found: list[dict[str, Any]] = []

    async def visit(root: Root, session: OwnSession, _notes: Notes) -> None:
        work = Held()
        root.ask(Asked("ctx.map"), work, is_slow=True)
        await asyncio.to_thread(work.is_under_way.wait, PATIENCE_S)
        root.close(3, wait_s=0.0, is_hasty=is_hasty)
        found.extend(events(segment))
        work.may_go_on.set()
        if is_hasty:
            await root.ask(Asked("ctx.hover"), definitions, is_slow=True)
            session.close()
        while not session.closed:
            await asyncio.sleep(0.01)

    run(segment, visit)
    assert ("command.end", {"exit_code": 3}) == (found[-1]["cmd"], found[-1]["result"])
    written = events(segment)
    assert len(written) > len(found)
    counters = json.loads((segment / "_ctx/telemetry/metrics.json").read_text())
    assert len(written) == counters["telemetry_events_written"]


def test_session_is_not_closed_under_an_answer(segment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is closed or opened anew while the quick thread is at something long: the editor goes on."""
    monkeypatch.setattr(root_module, "CLOSE_S", 0.0)
    is_closed = threading.Event()
    close = OwnSession.close

    def note(session: OwnSession) -> None:
        close(session)
        is_closed.set()

    monkeypatch.setattr(OwnSession, "close", note)

    async def visit(root: Root, _session: OwnSession, _notes: Notes) -> Any:
        work = Held()
        future = root.ask(Asked("ctx.hover"), work)
        await asyncio.to_thread(work.is_under_way.wait, PATIENCE_S)
        root.leave()
        await asyncio.to_thread(is_closed.wait, 0.2)  # in vain
        work.may_go_on.set()
        found = await future
        await asyncio.to_thread(is_closed.wait, PATIENCE_S)
        return found

    assert ["a"] == run(segment, visit)
