"""A segment at work: what is answered while it is built, what fails, and what is left of it."""

from __future__ import annotations

import json
import queue
import threading
from typing import TYPE_CHECKING, Any

import pytest

from ctx.infrastructure.agent import answers
from ctx.infrastructure.agent import worker as worker_module
from ctx.infrastructure.agent.question import Question
from ctx.infrastructure.agent.tools import tool_named
from ctx.infrastructure.agent.worker import CallError, Phase, SegmentWorker
from ctx.infrastructure.host.session import HostSession
from ctx.infrastructure.services import Services
from ctx.infrastructure.telemetry import Telemetry

from .conftest import HeldSession

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ctx.infrastructure.agent.question import Answer
    from ctx.infrastructure.agent.worker import Call

WAIT_S = 30.0


def question(tool: str, **arguments: Any) -> Question:
    """Return a question with checked arguments."""
    return Question(tool, tool_named(tool).read(arguments))


def events(shop: Path) -> list[dict[str, Any]]:
    """Return what was recorded."""
    return [json.loads(line) for line in (shop / "_ctx/telemetry/events.jsonl").read_text().splitlines()]


@pytest.fixture
def worker(shop: Path) -> Iterator[SegmentWorker]:
    """A worker that is ended."""
    found = SegmentWorker(str(shop))
    yield found
    found.stop(WAIT_S)


def ids(call: Call) -> list[str]:
    """Return the ids of an answer's rows."""
    document = call.future.result(WAIT_S).document
    return [row["id"].partition("@")[0] for key in ("hits", "items", "found") for row in document.get(key, ())]


def test_answers_come_from_a_fresh_index(worker: SegmentWorker, shop: Path) -> None:
    """The first call waits for the index; what is written before a call is in its answer."""
    assert ["shop/cart.py#Cart"] == ids(worker.submit(question("ctx_resolve", symbol="Cart")))
    (shop / "shop/new.py").write_text("def brand_new(): ...\n")
    assert ["shop/new.py#brand_new"] == ids(worker.submit(question("ctx_resolve", symbol="brand_new")))
    assert "ready" == worker.phase.name


def test_index_that_goes_away_is_made_anew(worker: SegmentWorker, shop: Path) -> None:
    """`git clean -dfx` takes `_ctx/` along: the next answer is as ever, from an index that others find, too."""
    assert ["shop/cart.py#Cart"] == ids(worker.submit(question("ctx_resolve", symbol="Cart")))
    (shop / "_ctx").rename(shop.parent / "cleaned away")
    (shop / "shop/new.py").write_text("def brand_new(): ...\n")
    assert ["shop/new.py#brand_new"] == ids(worker.submit(question("ctx_resolve", symbol="brand_new")))
    assert (shop / "_ctx/index.db").is_file()


def test_call_is_answered_meanwhile_from_what_is_there(shop: Path) -> None:
    """While the index is built an answer says so; later the same question has all."""
    AloneIndexed(shop)
    (shop / "shop/late.py").write_text("def price_late(): ...\n")
    session = HeldSession(str(shop))
    worker = SegmentWorker(str(shop), lambda _segment: session)
    phases: queue.SimpleQueue[Phase] = queue.SimpleQueue()
    is_told = worker.listen(phases.put)
    call = worker.submit(question("ctx_resolve", symbol="price_late"))
    while phases.get(timeout=WAIT_S) != Phase("indexing", 3, 10):
        pass
    meanwhile = worker.submit_meanwhile(call)
    assert meanwhile is not None
    early = meanwhile.future.result(WAIT_S)
    assert not early.document["complete"]
    assert "the index is being built (3 of 10 files); this is from what is there" in early.document["reason"]
    assert early.document["reason"] in early.text
    assert call.future.cancelled()
    session.may_go_on.set()
    assert ["shop/late.py#price_late"] == ids(worker.submit(question("ctx_resolve", symbol="price_late")))
    is_told()
    worker.stop(WAIT_S)
    assert Phase("ready") in iter(phases.get_nowait, None)


def AloneIndexed(shop: Path) -> None:  # noqa: N802 - reads as the state it leaves
    """Leave a complete index."""
    worker = SegmentWorker(str(shop))
    worker.submit(question("ctx_status")).future.result(WAIT_S)
    worker.stop(WAIT_S)


def test_error_is_one_line_in_an_agents_words(worker: SegmentWorker) -> None:
    """What is wrong and what is near; the worker goes on."""
    with pytest.raises(CallError) as error:
        worker.submit(question("ctx_get", id="shop/crat.py")).future.result(WAIT_S)
    assert "no such file in the segment" in str(error.value)
    assert str(error.value).endswith("nearest files: shop/cart.py")
    assert ["shop/cart.py"] == ids(worker.submit(question("ctx_get", id="shop/cart.py")))


def test_unexpected_error_tells_nothing_of_its_text(shop: Path) -> None:
    """A defect is named by its kind; paths and words in it stay here."""

    class Broken(HostSession):
        @property
        def services(self) -> Any:
            found = super().services
            found.get = _raise  # type: ignore[method-assign]
            return found

    worker = SegmentWorker(str(shop), lambda segment: Broken(segment, face="mcp"))
    with pytest.raises(CallError) as error:
        worker.submit(question("ctx_get", id="shop/cart.py")).future.result(WAIT_S)
    assert "internal error in ctx_get: ValueError" in str(error.value)
    assert "hidden" not in str(error.value)
    assert ["shop/cart.py#Cart"] == ids(worker.submit(question("ctx_resolve", symbol="Cart")))
    worker.stop(WAIT_S)
    assert ["ValueError", "ok"] == [
        event["result"]["status"] for event in events(shop) if event["cmd"] in {"ctx.get", "ctx.resolve"}
    ]


def _raise() -> None:
    message = "/home/hidden"
    raise ValueError(message)


def test_malformed_settings_are_said_by_every_call(shop: Path) -> None:
    """The server lives, and says what is wrong."""
    (shop / "_ctx").mkdir()
    (shop / "_ctx/config.toml").write_text("[search\n")
    worker = SegmentWorker(str(shop))
    for _ in range(2):
        with pytest.raises(CallError, match=r"config\.toml"):
            worker.submit(question("ctx_search", query="cart")).future.result(WAIT_S)
    worker.stop(WAIT_S)


def test_stop_leaves_a_build(shop: Path) -> None:
    """A build is left at its next file; the run is closed and the call refused."""
    session = HeldSession(str(shop))
    worker = SegmentWorker(str(shop), lambda _segment: session)
    call = worker.submit(question("ctx_search", query="cart"))
    worker.ask_to_stop()
    session.may_go_on.set()
    worker.stop(WAIT_S)
    assert isinstance(call.future.exception(0), CallError)
    assert ["command.start", "command.end"] == [
        event["cmd"] for event in events(shop) if event["cmd"].startswith("command.")
    ]


def test_worker_that_never_started_leaves_nothing(shop: Path) -> None:
    """No folder, no record."""
    worker = SegmentWorker(str(shop))
    worker.stop(WAIT_S)
    worker.start()
    assert ["shop"] == [path.name for path in shop.iterdir()]


def test_taken_back_call_is_not_run(shop: Path) -> None:
    """A cancelled call leaves no trace in the record."""
    session = HeldSession(str(shop))
    worker = SegmentWorker(str(shop), lambda _segment: session)
    first = worker.submit(question("ctx_status"))
    second = worker.submit(question("ctx_map"))
    assert second.future.cancel()
    session.may_go_on.set()
    first.future.result(WAIT_S)
    worker.submit(question("ctx_status")).future.result(WAIT_S)
    worker.stop(WAIT_S)
    assert "ctx.map" not in {event["cmd"] for event in events(shop)}


def test_an_answer_of_two_texts_says_so(worker: SegmentWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody typed from its beginning to its end; a state is none of texts."""
    monkeypatch.setattr(Services, "_has_same_texts", lambda _self: False)
    found = worker.submit(question("ctx_refs", symbol="price")).future.result(WAIT_S)
    said = "a file changed while this was answered: parts of it may be of two texts; ask again"
    assert (False, said) == (found.document["complete"], found.document["reason"])
    assert f"note: {said}" in found.text
    assert "ready" == worker.submit(question("ctx_status")).future.result(WAIT_S).document["state"]


def test_calls_of_a_folder_that_is_left_are_answered(shop: Path) -> None:
    """The one under way, one behind it, one that comes later, and one to a worker that never began."""
    session = HeldSession(str(shop))
    worker = SegmentWorker(str(shop), lambda _segment: session)
    phases: queue.SimpleQueue[Phase] = queue.SimpleQueue()
    worker.listen(phases.put)
    session.may_go_on.set()
    worker.submit(question("ctx_status")).future.result(WAIT_S)
    session.may_go_on.clear()
    calls = [worker.submit(question("ctx_resolve", symbol="price")) for _ in range(2)]
    while phases.get(timeout=WAIT_S) != Phase("ready"):
        pass
    while phases.get(timeout=WAIT_S) != Phase("indexing", 3, 10):
        pass
    worker.ask_to_stop()
    session.may_go_on.set()
    with pytest.raises(CallError, match="this folder is left"):
        calls[1].future.result(WAIT_S)
    calls[0].future.exception(WAIT_S)
    worker.stop(WAIT_S)
    calls.append(worker.submit(question("ctx_status")))
    never = SegmentWorker(str(shop))
    never.ask_to_stop()
    calls.append(never.submit(question("ctx_status")))
    for call in calls[2:]:
        with pytest.raises(CallError, match="this folder is left"):
            call.future.result(WAIT_S)


class HeldAnswer:
    """Answers of `ctx_resolve` that wait until they may go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_under_way, self.may_go_on = threading.Event(), threading.Event()
        self._answer = answers.answer
        monkeypatch.setattr(answers, "answer", self._held)

    def _held(self, question: Question, services: Services) -> Answer:
        if question.tool == "ctx_resolve":
            self.is_under_way.set()
            assert self.may_go_on.wait(WAIT_S)
        return self._answer(question, services)


def test_answer_given_meanwhile_is_waited_for_at_the_end(monkeypatch: pytest.MonkeyPatch, shop: Path) -> None:
    """A folder that is left while its index is built: the second thread's connection is not closed under its answer."""
    AloneIndexed(shop)
    (shop / "shop/late.py").write_text("def price_late(): ...\n")
    held = HeldAnswer(monkeypatch)
    session = HeldSession(str(shop))
    worker = SegmentWorker(str(shop), lambda _segment: session)
    phases: queue.SimpleQueue[Phase] = queue.SimpleQueue()
    worker.listen(phases.put)
    call = worker.submit(question("ctx_resolve", symbol="price"))
    while phases.get(timeout=WAIT_S) != Phase("indexing", 3, 10):
        pass
    meanwhile = worker.submit_meanwhile(call)
    assert meanwhile is not None
    assert held.is_under_way.wait(WAIT_S)
    worker.ask_to_stop()
    session.may_go_on.set()
    worker._thread.join(0.2)  # in vain
    held.may_go_on.set()
    assert ["shop/cart.py#price"] == ids(meanwhile)
    worker.stop(WAIT_S)
    assert "command.end" == events(shop)[-1]["cmd"]


def test_end_of_the_run_is_on_disk_when_stop_returns(monkeypatch: pytest.MonkeyPatch, shop: Path) -> None:
    """Whichever thread writes it: the process may end then."""
    is_written, may_write = threading.Event(), threading.Event()
    command_end = Telemetry.command_end

    def slow(telemetry: Telemetry, command: str, face: str, exit_code: int, duration_ns: int) -> None:
        may_write.set()
        is_written.wait(0.2)  # in vain
        command_end(telemetry, command, face, exit_code, duration_ns)

    monkeypatch.setattr(Telemetry, "command_end", slow)
    monkeypatch.setattr(worker_module, "LAST_WORDS_S", WAIT_S)
    worker = SegmentWorker(str(shop))
    worker.submit(question("ctx_status")).future.result(WAIT_S)
    worker.ask_to_stop()
    assert may_write.wait(WAIT_S)
    worker.stop(0.0)
    assert "command.end" == events(shop)[-1]["cmd"]
    assert (shop / "_ctx/telemetry/last_run.json").is_file()
    is_written.set()
    worker.stop(WAIT_S)


def test_answer_after_the_end_of_the_run_is_counted(monkeypatch: pytest.MonkeyPatch, shop: Path) -> None:
    """A call that is not waited for may still end before the process does: events and counters agree."""
    held = HeldAnswer(monkeypatch)
    worker = SegmentWorker(str(shop))
    call = worker.submit(question("ctx_resolve", symbol="price"))
    assert held.is_under_way.wait(WAIT_S)
    worker.stop(0.0)
    held.may_go_on.set()
    call.future.result(WAIT_S)
    counters = json.loads((shop / "_ctx/telemetry/metrics.json").read_text())
    assert len(events(shop)) == counters["telemetry_events_written"]
    worker.stop(WAIT_S)


def test_start_that_meets_the_end_is_waited_for(monkeypatch: pytest.MonkeyPatch, shop: Path) -> None:
    """Whoever ends what another thread is about to start neither fails nor leaves it."""
    worker = SegmentWorker(str(shop))
    failed: list[Exception] = []

    def stop() -> None:
        try:
            worker.stop(WAIT_S)
        except RuntimeError as error:
            failed.append(error)

    stopping, start = threading.Thread(target=stop), worker._thread.start

    def slow() -> None:
        stopping.start()
        stopping.join(0.2)  # in vain
        start()

    monkeypatch.setattr(worker._thread, "start", slow)
    worker.start()
    stopping.join(WAIT_S)
    assert ([], False) == (failed, worker._thread.is_alive())
