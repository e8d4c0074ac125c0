"""Worker: one thread that does jobs in the order of their arrival, the urgent ones first, and never holds up an end."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


@dataclass(slots=True)
class Job:
    """One piece of work, and the future that its result goes to; a cancelled one is not begun."""

    work: Callable[[], Any]
    future: asyncio.Future[Any]


class Worker:
    """Runs jobs in a thread of its own; SQLite's connections, a parser and what else is one thread's live there.

    The thread is a daemon: a job that hangs does not keep the process alive.
    """

    def __init__(self, name: str, loop: asyncio.AbstractEventLoop) -> None:
        """Start nothing yet."""
        self._name = name
        self._loop = loop
        self._condition = threading.Condition()
        self._jobs: list[tuple[int, int, Job | None]] = []
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None

    def submit(self, work: Callable[[], Any], *, urgency: int = 0) -> asyncio.Future[Any]:
        """Have work done and return the future of its result; of two that wait, the one of lower `urgency` is first.

        For the event loop's thread.
        """
        future: asyncio.Future[Any] = self._loop.create_future()
        self._put(urgency, Job(work, future))
        return future

    def close(self, last: Callable[[], Any], *, wait_s: float) -> None:
        """Do a last piece of work after the job under way, cancel those that wait, and wait for it so long.

        For the event loop's thread.
        """
        if self._thread is None:
            last()
            return
        done = threading.Event()

        def finish() -> None:
            try:
                last()
            finally:
                done.set()

        with self._condition:
            dropped = [job.future for _urgency, _number, job in self._jobs if job is not None]
            self._jobs = [
                (-2, next(self._numbers), Job(finish, self._loop.create_future())),
                (-1, next(self._numbers), None),
            ]
            heapq.heapify(self._jobs)
            self._condition.notify()
        for future in dropped:
            future.cancel()
        done.wait(wait_s)

    @property
    def waiting(self) -> int:
        """Jobs that were not begun."""
        return len(self._jobs)

    def _put(self, urgency: int, job: Job) -> None:
        with self._condition:
            heapq.heappush(self._jobs, (urgency, next(self._numbers), job))
            self._condition.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            with self._condition:
                while not self._jobs:
                    self._condition.wait()
                job = heapq.heappop(self._jobs)[2]
            if job is None:
                return
            if job.future.cancelled():
                continue
            try:
                result = job.work()
            except BaseException as error:  # noqa: BLE001 - the rim of a thread: whoever awaits the job is told
                self._tell(job.future, error=error)
            else:
                self._tell(job.future, result)

    def _tell(self, future: asyncio.Future[Any], result: Any = None, *, error: BaseException | None = None) -> None:
        def settle() -> None:
            if future.done():
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody awaits anything any more
            self._loop.call_soon_threadsafe(settle)
