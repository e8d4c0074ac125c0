"""The wire: what is held back, what is let through, and who notices the end."""

from __future__ import annotations

import json
import os
import threading
from typing import TYPE_CHECKING

import pytest

from ctx.infrastructure.agent import stdio
from ctx.infrastructure.agent.stdio import REQUESTS_MAX, Input, Output

if TYPE_CHECKING:
    from collections.abc import Iterator

WAIT_S = 60.0


class Wire:
    """Two pipes with a client's ends, and a reader of the server's."""

    def __init__(self) -> None:
        self._in, self.asks = os.pipe()
        self.reads, self._out = os.pipe()
        self.has_ended = threading.Event()
        self.output = Output(self._out)
        self.input = Input(self._in, self.output, self.has_ended.set)
        self.lines: list[str] = []
        self.has_line = threading.Semaphore(0)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while line := self.input.readline():
            self.lines.append(line)
            self.has_line.release()

    def ask(self, *numbers: int) -> None:
        """Write requests."""
        lines = [json.dumps({"jsonrpc": "2.0", "id": number, "method": "tools/list"}) + "\n" for number in numbers]
        os.write(self.asks, "".join(lines).encode())

    def answer(self, number: int) -> None:
        """Write an answer."""
        self.output.write(json.dumps({"jsonrpc": "2.0", "id": number, "result": {}}) + "\n")

    def takes(self, count: int) -> bool:
        """Whether so many more lines are read."""
        return all(self.has_line.acquire(timeout=WAIT_S) for _ in range(count))

    def is_held(self) -> bool:
        """Whether no line more is read."""
        return not self.has_line.acquire(timeout=0.2)

    def close(self) -> None:
        """End the client."""
        os.close(self.asks)
        self.asks = -1


@pytest.fixture
def wire() -> Iterator[Wire]:
    """A wire that is ended."""
    found = Wire()
    yield found
    if found.asks >= 0:
        found.close()
    assert found.has_ended.wait(WAIT_S)


def test_requests_above_the_limit_wait_for_answers(wire: Wire) -> None:
    """One answer lets one request through, and so does one that is cancelled."""
    wire.ask(*range(REQUESTS_MAX))
    assert wire.takes(REQUESTS_MAX)
    wire.ask(1000, 1001)
    assert wire.is_held()
    wire.answer(5)
    assert wire.takes(1)
    assert wire.is_held()
    wire.answer(1000)
    assert wire.takes(1)


def test_cancelled_request_makes_room(wire: Wire) -> None:
    """It may never be answered."""
    wire.ask(*range(REQUESTS_MAX - 1))
    cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 3}}
    os.write(wire.asks, json.dumps(cancelled).encode() + b"\n")
    wire.ask(1000, 1001, 1002)
    assert wire.takes(REQUESTS_MAX + 2)
    assert wire.is_held()


def test_requests_that_are_never_answered_do_not_hold_for_ever(monkeypatch: pytest.MonkeyPatch, wire: Wire) -> None:
    """After a while without any answer, while answers could be written, they are given up."""
    wire.ask(*range(REQUESTS_MAX))
    assert wire.takes(REQUESTS_MAX)
    wire.ask(1000)
    assert wire.is_held()
    monkeypatch.setattr(stdio, "_FORGOTTEN_S", 0.1)
    assert wire.takes(1)


def test_end_is_noticed_while_requests_wait(wire: Wire) -> None:
    """What is behind the limit is not read any more."""
    wire.ask(*range(REQUESTS_MAX + 50))
    assert wire.takes(REQUESTS_MAX)
    assert not wire.has_ended.is_set()
    wire.close()
    assert wire.has_ended.wait(WAIT_S)
    assert REQUESTS_MAX == len(wire.lines)


def test_end_is_noticed_while_a_complaint_is_not_read(wire: Wire) -> None:
    """The pipe is full, and the reader of the input waits for it."""
    thread = threading.Thread(target=lambda: wire.output.write(json.dumps("x" * 100_000)), daemon=True)
    thread.start()
    os.write(wire.asks, b"no message\n")
    assert wire.is_held()
    wire.close()
    assert wire.has_ended.wait(WAIT_S)


class SlowList(list[int | str]):
    """Requests in flight that take their time to be counted."""

    def __init__(self) -> None:
        super().__init__()
        self.is_counted = threading.Event()
        self.may_go_on = threading.Event()

    def __len__(self) -> int:
        self.is_counted.set()
        self.may_go_on.wait(WAIT_S)
        return super().__len__()


def test_end_is_not_noticed_before_what_a_slow_reader_has_not_read(wire: Wire) -> None:
    """A reader that waits for the processor does not wait for answers: what the client wrote is read."""
    wire.ask(1)
    assert wire.takes(1)
    slow = SlowList()
    wire.output._waiting = slow
    wire.ask(2, 3)
    assert slow.is_counted.wait(WAIT_S)
    wire.close()
    assert not wire.has_ended.wait(0.2)
    slow.may_go_on.set()
    assert wire.has_ended.wait(WAIT_S)
    assert 3 == len(wire.lines)


def test_complaint_that_can_be_written_is_no_end(monkeypatch: pytest.MonkeyPatch, wire: Wire) -> None:
    """However long it takes, while the pipe has room what is behind the bad line is read."""
    is_writing, may_go_on = threading.Event(), threading.Event()
    write = wire.output.write

    def slow(text: str) -> None:
        is_writing.set()
        may_go_on.wait(WAIT_S)
        write(text)

    monkeypatch.setattr(wire.output, "write", slow)
    os.write(wire.asks, b"no message\n")
    wire.ask(1)
    assert is_writing.wait(WAIT_S)
    wire.close()
    assert not wire.has_ended.wait(0.2)
    may_go_on.set()
    assert wire.has_ended.wait(WAIT_S)
    assert 1 == len(wire.lines)


def test_everything_before_the_end_is_read(wire: Wire) -> None:
    """A client that writes all it has and closes is not cut short."""
    wire.ask(*range(REQUESTS_MAX - 1))
    wire.close()
    assert wire.has_ended.wait(WAIT_S)
    assert REQUESTS_MAX - 1 == len(wire.lines)
