"""One segment at work: a thread that keeps its index fresh and answers calls one after the other.

An index and its connection belong to one thread, and an agent must not wait for a long build: what is asked meanwhile
is answered by a second thread from what is committed, and says that there is more to come. Both write to the one
telemetry of the process.
"""

from __future__ import annotations

import gc
import os
import queue
import threading
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from time import perf_counter_ns
from typing import TYPE_CHECKING

from ...domain.errors import CtxError, IndexDamagedError, UsageError
from ..answer_documents import UNSTEADY
from ..secrets import redact_secrets
from ..segment import repository_sha
from .question import holds_secret, told_of
from .session import FACE, session_of
from .words import for_agents

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...application.refresh_index import RefreshReport
    from ..services import Services
    from ..telemetry import Telemetry
    from .question import Answer, Question
    from .session import AgentSession

FLUSH_S = 30.0
LAST_WORDS_S = 0.4
"""As long as the end of the process waits for a record that another thread is writing."""
MESSAGE_CHARS_MAX = 1200
LEFT = "this folder is left: the client names others now, or the server ends; ask again"
UPDATING = "changes are being taken in; this is from what was there before, ask again for the rest"


class CallError(Exception):
    """What a call that cannot be answered says, in one line."""


class StoppedError(Exception):
    """The server ends; raised out of a build to leave it."""


@dataclass(frozen=True, slots=True)
class Call:
    """One question under way; `future` becomes its answer, or a `CallError`."""

    question: Question
    future: Future[Answer] = field(default_factory=Future)
    received_ns: int = field(default_factory=perf_counter_ns)


@dataclass(frozen=True, slots=True)
class Phase:
    """What the worker does: "starting", "indexing" (with how far it is) or "ready"."""

    name: str
    done: int = 0
    total: int = 0

    @property
    def missing(self) -> str:
        """What answers lack meanwhile."""
        if self.name == "ready":
            return ""
        so_far = f" ({self.done} of {self.total} files)" if self.total else ""
        return f"the index is being built{so_far}; this is from what is there, ask again for the rest"


class SegmentWorker:
    """The segment's threads, started by `start` and ended by `stop`."""

    def __init__(
        self, segment: str, make_session: Callable[[str], AgentSession] = session_of, *, refusal: str = ""
    ) -> None:
        """Remember the segment; nothing is read yet, and with a `refusal` never: every call is answered with it."""
        self.segment = segment
        self._refusal = refusal
        self.phase = Phase("starting")
        self._make_session = make_session
        self._calls: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._meanwhile: queue.SimpleQueue[Call | None] | None = None
        self._meanwhile_thread: threading.Thread | None = None
        self._listeners: list[Callable[[Phase], None]] = []
        self._lock = threading.Lock()
        self._is_stopping = False
        self.has_left = False
        """Whether nothing is answered any more but with that."""
        self._is_open = threading.Event()
        self._failure: CtxError | None = None
        self._session: AgentSession | None = None
        self._telemetry: Telemetry | None = None
        self._started_ns = 0
        self._ending = threading.Lock()
        self._has_ended = False
        self._thread = threading.Thread(target=self._work, name=f"ctx-{os.path.basename(segment)}", daemon=True)

    # ------------------------------------------------------------------ for the server's thread

    def start(self) -> None:
        """Begin to open and index, once."""
        with self._lock:
            if self._started_ns or self._is_stopping:
                return
            self._started_ns = perf_counter_ns()
            self._thread.start()  # with the lock: whoever stops what was started waits for the thread

    def submit(self, question: Question) -> Call:
        """Have a question answered after the calls before it, from an index that is up to date."""
        self.start()
        call = Call(question)
        with self._lock:
            if not self.has_left:
                self._calls.put(call)
                return call
        _refuse(call)
        return call

    def submit_meanwhile(self, call: Call) -> Call | None:
        """Have a call answered from what is committed; returns the new call in its place.

        None when its answer is under way already, or there is nothing to answer from.
        """
        if not self._is_open.is_set() or self._session is None or not call.future.cancel():
            return None
        missing = self.phase.missing or UPDATING
        again = Call(replace(call.question, missing=missing), received_ns=call.received_ns)
        with self._lock:
            if self._is_stopping:
                _refuse(again)
                return again
            if self._meanwhile is None:
                self._meanwhile = queue.SimpleQueue()
                self._meanwhile_thread = threading.Thread(target=self._answer_meanwhile, daemon=True)
                self._meanwhile_thread.start()
            self._meanwhile.put(again)
        return again

    def listen(self, listener: Callable[[Phase], None]) -> Callable[[], None]:
        """Have every phase told, from another thread; returns what ends it."""
        with self._lock:
            self._listeners.append(listener)

        def end() -> None:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return end

    def ask_to_stop(self) -> None:
        """Leave whatever goes on as soon as it can be left; returns at once."""
        with self._lock:
            self._is_stopping = True
            self.has_left = self.has_left or not self._started_ns
            if self._meanwhile is not None:
                self._meanwhile.put(None)
        self._calls.put(None)

    def stop(self, wait_s: float) -> None:
        """End the threads; what does not end in time is left to the process's end, and its record is written."""
        self.ask_to_stop()
        if self._started_ns:
            self._thread.join(wait_s)
            if self._meanwhile_thread is not None:
                self._meanwhile_thread.join(0.2)
            self._end()

    # ------------------------------------------------------------------ in the worker's thread

    def _work(self) -> None:
        try:
            if self._refusal:
                self._refuse_all(UsageError(self._refusal))
            else:
                self._work_in_session()
        finally:
            self._leave()

    def _leave(self) -> None:
        """Answer the calls that came too late: nobody may wait for them."""
        with self._lock:
            self.has_left = True
        with suppress(queue.Empty):
            while True:
                _refuse(self._calls.get_nowait())

    def _work_in_session(self) -> None:
        session = self._make_session(self.segment)
        try:
            session.open()
        except CtxError as error:
            self._failure = error
            self._is_open.set()
            self._refuse_all(error)
            return
        services = session.services
        self._session, self._telemetry = session, services.telemetry
        services.telemetry.command_start(FACE, FACE)
        try:
            self._warm_up(services)
            while self._take_one(services):
                pass
        except StoppedError:
            pass
        finally:
            self._leave_meanwhile()
            session.close()
            if self._has_ended:
                services.telemetry.flush()  # what servers of its own told of their end
            self._end()

    def _leave_meanwhile(self) -> None:
        """Wait for the answer that the second thread is at: it works in the session that is about to be closed."""
        self.ask_to_stop()
        if self._meanwhile_thread is not None:
            self._meanwhile_thread.join()

    def _warm_up(self, services: Services) -> None:
        try:
            services.store  # noqa: B018 - opening it is what others wait for
            self._is_open.set()
            self._refresh(services)
        except StoppedError:
            raise
        except Exception as error:  # noqa: BLE001 - the rim: every call will try again, and say what is wrong
            services.warn(f"the index could not be built: {type(error).__name__}")
            self._is_open.set()
        self._become(Phase("ready"))
        with _unbothered():
            services.counter.count("")
            from . import answers  # noqa: F401 - loaded before it is asked for

    def _take_one(self, services: Services) -> bool:
        """Answer the next call; tell whether to go on."""
        try:
            call = self._calls.get(timeout=FLUSH_S)
        except queue.Empty:
            services.telemetry.flush(is_last=False)
            return not self._is_stopping
        if call is None or self._is_stopping:
            _refuse(call)
            return False
        if call.future.cancelled():
            return True
        report = None
        try:
            report = self._refresh(services)
        except StoppedError:
            _refuse(call)
            return False
        except Exception as error:  # noqa: BLE001 - the rim: it is told, and the next call may fare better
            if call.future.set_running_or_notify_cancel():
                self._finish(call, services, None, error)
            return True
        finally:
            self._become(Phase("ready"))
        if report is not None:
            call = replace(call, question=replace(call.question, report=report))
        self._answer(call, services)
        return True

    def _refresh(self, services: Services) -> RefreshReport:
        def on_progress(done: int, total: int) -> None:
            if self._is_stopping:
                raise StoppedError
            self._become(Phase("indexing", done, total))

        if self.phase.name == "starting":
            self._become(Phase("indexing"))
        return services.refresh_again(on_progress)

    def _answer(self, call: Call, services: Services) -> None:
        if not call.future.set_running_or_notify_cancel():
            return
        from . import answers

        question = call.question
        if question.tool == "ctx_status" and self._session is not None:
            question = replace(question, others=self._session.status())
        read_before = services.telemetry.bytes_read

        def steady() -> Answer:
            found, is_steady = services.steadied(lambda: answers.answer(question, services))
            if is_steady or question.missing or question.tool == "ctx_status":
                return found
            return answers.answer(replace(question, missing=UNSTEADY), services)

        try:
            try:
                found = steady()
            except IndexDamagedError as error:
                services.rebuild_damaged(error)
                services.refresh()
                found = steady()
        except Exception as error:  # noqa: BLE001 - the rim: a call must not end the server, and it is told
            self._finish(call, services, None, error, read_before)
            return
        self._finish(call, services, found, None, read_before)

    def _finish(
        self,
        call: Call,
        services: Services,
        found: Answer | None,
        error: Exception | None,
        read_before: int | None = None,
    ) -> None:
        telemetry = services.telemetry
        duration_ns = perf_counter_ns() - call.received_ns
        warnings, services.warnings[:] = list(services.warnings), []
        command = call.question.tool.removeprefix("ctx_")
        telemetry.event(
            f"ctx.{command}",
            found.args if found is not None else told_of(call.question),
            found.result if found is not None else {"status": type(error).__name__},
            duration_ns // 1_000_000,
            warnings=warnings,
            duration_ns=duration_ns,
            face=FACE,
            bytes_read=telemetry.bytes_read - read_before if read_before is not None else 0,
            repo_sha=repository_sha(self.segment) if telemetry.level != "off" else None,
            dirty=None,
            **(found.extra if found is not None else {}),
        )
        if self._has_ended:
            telemetry.flush()  # the run was closed without waiting for this
        if found is not None:
            call.future.set_result(found)
        else:
            call.future.set_exception(CallError(_message(call.question, error)))

    def _become(self, phase: Phase) -> None:
        if phase == self.phase:
            return
        self.phase = phase
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener(phase)

    def _refuse_all(self, error: CtxError) -> None:
        """Answer every call with why the segment cannot be worked on."""
        while (call := self._calls.get()) is not None:
            if call.future.set_running_or_notify_cancel():
                call.future.set_exception(CallError(_message(call.question, error)))

    def _end(self) -> None:
        """Write the end of the run, once, from whichever thread comes first; the other waits for it, but not for ever.

        The process may end as soon as this returned.
        """
        telemetry = self._telemetry
        if telemetry is None or not self._ending.acquire(timeout=LAST_WORDS_S):
            return
        try:
            if not self._has_ended:
                self._has_ended = True
                telemetry.command_end(FACE, FACE, 0, perf_counter_ns() - self._started_ns)
                telemetry.close()
        finally:
            self._ending.release()

    # ------------------------------------------------------------------ in the second thread

    def _answer_meanwhile(self) -> None:
        calls, session = self._meanwhile, self._session
        if calls is None or session is None:
            return
        services = session.services
        while (call := calls.get()) is not None:
            self._answer(call, services)


def _refuse(call: Call | None) -> None:
    """Answer a call that came too late."""
    if call is not None and call.future.set_running_or_notify_cancel():
        call.future.set_exception(CallError(LEFT))


def _message(question: Question, error: Exception | None) -> str:
    if isinstance(error, CtxError) and holds_secret(question):
        message = (
            f"{question.tool}: {type(error).__name__}; what was asked holds a secret, so no part of it is repeated"
        )
    elif isinstance(error, CtxError):
        message = redact_secrets(for_agents(str(error)))
        if question.missing:
            message = f"{message.removesuffix('; ctx_status says why')} ({question.missing})"
    else:  # its text may name what is nobody's business: a path outside, somebody's words
        message = f"internal error in {question.tool}: {type(error).__name__}; `ctx doctor` in a shell may say more"
    if len(message) > MESSAGE_CHARS_MAX:
        half = MESSAGE_CHARS_MAX // 2
        message = f"{message[: half - 3]} … {message[-half:]}"
    return message


class _unbothered:  # noqa: N801 - reads as the statement it is
    """Leave the garbage collector out of a block that makes much and drops nothing."""

    def __enter__(self) -> None:
        gc.disable()

    def __exit__(self, *_exc: object) -> None:
        gc.enable()
