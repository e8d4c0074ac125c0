"""Tests of ctx.infrastructure.editor.progress."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from ctx.infrastructure.editor import progress as module
from ctx.infrastructure.editor.progress import REPORT_EVERY_S, Progress


class Client:
    """A protocol's two ways to speak, and the client's agreement."""

    def __init__(self) -> None:
        self.asked: list[Future[Any]] = []
        self.told: list[dict[str, Any]] = []

    def send_request(self, _method: str, _params: Any) -> Future[Any]:
        self.asked.append(Future())
        return self.asked[-1]

    def tell(self, _method: str, params: dict[str, Any]) -> None:
        self.told.append(params["value"])


@pytest.fixture
def client() -> Client:
    """A client that agrees when the test says so."""
    return Client()


def progress_of(client: Client, *, is_wanted: bool = True) -> Progress:
    return Progress(client, "work", is_wanted=lambda: is_wanted)  # type: ignore[arg-type]  # what is used of a protocol


class Clock:
    """The module's clock: time that passes when a test says so, however long that takes."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def monotonic(self) -> float:
        return self.now_s


def test_work_is_shown_from_begin_to_end(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Begun once, reported at most ten times a second, ended with a last word."""
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    progress = progress_of(client)
    progress.begin("10 files")
    progress.begin("again")
    client.asked[0].set_result(None)
    for done in range(8):
        progress.report(f"{done} of 10", done * 10)
        clock.now_s += REPORT_EVERY_S * 0.26
    progress.end("done")
    assert 1 == len(client.asked)
    assert ["begin", "report", "report", "end"] == [value["kind"] for value in client.told]
    assert ("10 files", 0, 40, "done") == (
        client.told[0]["message"],
        *(told["percentage"] for told in client.told[1:3]),
        client.told[3]["message"],
    )


def test_work_that_is_over_before_the_client_agreed(client: Client) -> None:
    """It begins and ends at once: a token that was made is always ended."""
    progress = progress_of(client)
    progress.begin()
    progress.report("half", 50)
    progress.end()
    client.asked[0].set_result(None)
    assert ["begin", "end"] == [value["kind"] for value in client.told]
    assert not progress.is_begun


def test_client_that_wants_none_gets_none(client: Client) -> None:
    """Neither one that cannot show it nor one that refuses."""
    progress_of(client, is_wanted=False).begin()
    assert [] == client.asked
    progress = progress_of(client)
    progress.begin()
    client.asked[0].set_exception(RuntimeError("no"))
    progress.report("half", 50)
    progress.end()
    assert [] == client.told
