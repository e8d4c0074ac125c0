"""Tests of ctx.infrastructure.editor.worker."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from ctx.infrastructure.editor.worker import Worker

PATIENCE_S = 60.0


def run(visit: Any) -> Any:
    """Run a coroutine function that gets a worker, and end the worker."""

    async def whole() -> Any:
        worker = Worker("test", asyncio.get_running_loop())
        try:
            return await visit(worker)
        finally:
            worker.close(lambda: None, wait_s=PATIENCE_S)

    return asyncio.run(whole())


def test_urgent_jobs_come_first_and_equal_ones_in_their_order() -> None:
    """While one job is under way, those that wait are sorted."""
    done: list[str] = []

    async def visit(worker: Worker) -> None:
        gate = threading.Event()
        futures = [worker.submit(gate.wait)]
        for name, urgency in (("late", 5), ("first", 0), ("second", 1), ("third", 1)):
            futures.append(worker.submit(lambda name=name: done.append(name), urgency=urgency))  # type: ignore[misc]
        gate.set()
        await asyncio.gather(*futures)

    run(visit)
    assert ["first", "second", "third", "late"] == done


def test_jobs_that_wait_at_the_end_are_cancelled() -> None:
    """Whoever awaits one is told that it will not be done."""

    async def visit() -> tuple[bool, list[bool]]:
        worker = Worker("test", asyncio.get_running_loop())
        gate, has_begun = threading.Event(), threading.Event()
        running = worker.submit(lambda: has_begun.set() or gate.wait())  # type: ignore[func-returns-value]
        has_begun.wait()
        waiting = [worker.submit(lambda: None) for _ in range(3)]
        worker.close(lambda: None, wait_s=0)
        gate.set()
        return await running, [future.cancelled() for future in waiting]

    assert (True, [True, True, True]) == asyncio.run(visit())


def test_cancelled_job_is_not_begun() -> None:
    """Nobody works for a result that nobody wants."""
    done: list[str] = []

    async def visit(worker: Worker) -> None:
        gate = threading.Event()
        running = worker.submit(gate.wait)
        unwanted = worker.submit(lambda: done.append("unwanted"))
        wanted = worker.submit(lambda: done.append("wanted"))
        unwanted.cancel()
        assert 2 <= worker.waiting
        gate.set()
        await asyncio.gather(running, wanted)

    run(visit)
    assert ["wanted"] == done


def test_failure_is_the_awaiters() -> None:
    """The error goes to the future, and the thread goes on."""

    async def visit(worker: Worker) -> Any:
        with pytest.raises(ZeroDivisionError):
            await worker.submit(lambda: 1 // 0)
        return await worker.submit(lambda: threading.current_thread().daemon)

    assert run(visit) is True


def test_last_job_is_done_before_what_waits() -> None:
    """A worker that is closed finishes what it does, then the last job, and drops the rest."""
    done: list[str] = []

    async def visit() -> None:
        worker = Worker("test", asyncio.get_running_loop())
        began, pause = threading.Event(), threading.Event()

        def running() -> None:
            began.set()
            while worker.waiting < 2:  # the last job and the end, in the place of the one that waits
                pause.wait(0.002)

        worker.submit(running)
        worker.submit(lambda: done.append("waiting"))
        began.wait()
        worker.close(lambda: done.append("last"), wait_s=PATIENCE_S)

    asyncio.run(visit())
    assert ["last"] == done


def test_close_without_a_job_does_the_last_one() -> None:
    """A thread that was never started is not started for its end."""

    async def visit() -> list[bool]:
        found: list[bool] = []
        here = threading.get_ident()
        Worker("test", asyncio.get_running_loop()).close(
            lambda: found.append(threading.get_ident() == here), wait_s=PATIENCE_S
        )
        return found

    assert [True] == asyncio.run(visit())
