"""A segment at work: what is answered while it is built, what fails, and what is left of it."""

from __future__ import annotations

import json
import queue
from typing import TYPE_CHECKING, Any

import pytest

from ctx.infrastructure.agent.question import Question
from ctx.infrastructure.agent.tools import tool_named
from ctx.infrastructure.agent.worker import CallError, Phase, SegmentWorker
from ctx.infrastructure.host.session import HostSession
from ctx.infrastructure.services import Services

from .conftest import HeldSession

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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
