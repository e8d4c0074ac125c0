"""Small real classes in place of what the parts of the editor's server are handed; `Manual…` is moved by the test."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from lsprotocol.converters import get_converter

from ctx.domain.errors import CtxError
from ctx.infrastructure.editor.client import EditorClient
from ctx.infrastructure.editor.diagnostics import Diagnostics
from ctx.infrastructure.editor.documents import Documents
from ctx.infrastructure.editor.questions import Questions
from ctx.infrastructure.editor.root import Answer
from ctx.infrastructure.editor.text_sync import TextSync
from ctx.infrastructure.services import Services

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ctx.infrastructure.editor.root import Asked


class HeardProtocol:
    """A protocol's ways to speak: what was told and asked, in order; the test gives the client's replies."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []
        self.asked: list[tuple[str, Any, Future[Any]]] = []
        self._converter = get_converter()

    def tell(self, method: str, params: dict[str, Any]) -> None:
        self.told.append((method, params))

    def send_request(self, method: str, params: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.asked.append((method, params, future))
        return future

    def unstructured(self, value: Any) -> Any:
        return self._converter.unstructure(value)


class ManualTimer:
    """What `call_later` returns."""

    def __init__(self, due_s: float, call: Callable[[], None]) -> None:
        self.due_s = due_s
        self.call = call
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class ManualLoop:
    """An event loop's time and timers, and nothing else of it."""

    def __init__(self) -> None:
        self._now_s = 1_000.0
        self._timers: list[ManualTimer] = []

    def time(self) -> float:
        return self._now_s

    def call_later(self, delay_s: float, call: Callable[..., None], *arguments: Any) -> ManualTimer:
        timer = ManualTimer(self._now_s + delay_s, lambda: call(*arguments))
        self._timers.append(timer)
        return timer

    def advance_s(self, elapsed_s: float) -> None:
        """Let time pass, and call what is due on the way, in its order."""
        until_s = self._now_s + elapsed_s
        while due := [timer for timer in self._timers if timer.due_s <= until_s]:
            first = min(due, key=lambda timer: timer.due_s)
            self._timers.remove(first)
            self._now_s = max(self._now_s, first.due_s)
            if not first.is_cancelled:
                first.call()
        self._now_s = until_s


class ManualWorker:
    """A worker that does its jobs when the test says so, in the test's thread."""

    def __init__(self) -> None:
        self.urgencies: list[int] = []
        self._jobs: list[tuple[Callable[[], Any], Future[Any]]] = []

    def submit(self, work: Callable[[], Any], *, urgency: int = 0) -> Future[Any]:
        future: Future[Any] = Future()
        self.urgencies.append(urgency)
        self._jobs.append((work, future))
        return future

    def work(self) -> None:
        """Do what waits."""
        jobs, self._jobs = self._jobs, []
        for work, future in jobs:
            if future.cancelled():
                continue
            try:
                future.set_result(work())
            except Exception as error:  # noqa: BLE001 - the rim of a thread, as the real one's
                future.set_exception(error)


class RecordingRoot:
    """A root that keeps what it is told and asked; `folder` is its segment."""

    def __init__(self, folder: Path) -> None:
        self.segment = str(folder)
        self.folder = str(folder).encode()
        self.uri = folder.as_uri()
        self.name = folder.name
        self.is_indexed = True
        self.failure = self.last_server = self.warming = ""
        self.state = "ready"
        self.servers: list[dict[str, str]] = []
        self.has_host = False
        self.knows_servers = True
        self.tokens_handed_on = self.index_files = 0
        self.looks = 0
        self.unsaved: list[tuple[str, str | None]] = []
        self.told: list[tuple[Asked, Answer]] = []
        self.asked: list[tuple[Asked, Callable[..., Answer], Future[Any]]] = []

    def path_of(self, path: bytes) -> str:
        start = self.folder + b"/"
        return path[len(start) :].decode() if path.startswith(start) else ""

    def set_unsaved(self, path: str, text: str | None) -> None:
        self.unsaved.append((path, text))

    def ask_status(self) -> None:
        self.looks += 1

    def tell(self, asked: Asked, answer: Answer) -> None:
        self.told.append((asked, answer))

    def tell_cancelled(self, asked: Asked, future: Future[Any]) -> None:
        if future.cancelled():
            self.told.append((asked, Answer(None, {"status": "cancelled"})))

    def ask(self, asked: Asked, work: Callable[..., Answer], **_options: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.asked.append((asked, work, future))
        return future


class RecordingRoots:
    """Roots that are there from the start."""

    def __init__(self, *roots: RecordingRoot) -> None:
        self.opened: list[str] = []
        self.restarted: list[RecordingRoot] = []
        self._roots = roots

    def __iter__(self) -> Iterator[RecordingRoot]:
        return iter(self._roots)

    def __len__(self) -> int:
        return len(self._roots)

    def at(self, path: bytes) -> tuple[RecordingRoot | None, str]:
        return next(((root, inside) for root in self._roots if (inside := root.path_of(path))), (None, ""))

    def named(self, _wanted: str | None) -> RecordingRoot:
        return self._roots[0]

    def restart(self, roots: list[RecordingRoot]) -> None:
        self.restarted += roots

    def tell_opened(self, document: Any) -> None:
        self.opened.append(document.uri)


class OwnSession:
    """A session of real services, one a thread, without a host; it opens when the test lets it."""

    def __init__(self, segment: Path, gate: threading.Event, failure: str = "") -> None:
        self.joined = ""
        self.on_lease: Callable[[], None] = lambda: None
        self.unsaved: list[tuple[str, str | None]] = []
        self.servers: list[dict[str, Any]] | None = []
        self.closed = 0
        self._segment = segment
        self._gate = gate
        self._failure = failure
        self._made: dict[int, Services] = {}

    @property
    def services(self) -> Services:
        number = threading.get_ident()
        if number not in self._made:
            self._made[number] = Services(str(self._segment))
            self._made[number].telemetry = next(iter(self._made.values())).telemetry
        return self._made[number]

    def open(self) -> None:
        self._gate.wait()
        if self._failure:
            raise CtxError(self._failure)

    def set_unsaved(self, path: str, text: str | None) -> None:
        if path.startswith(".env"):
            raise CtxError("a secrets file")
        self.unsaved.append((path, text))

    def prepare(self, path: str) -> None:
        self.servers = [{"server": "scripted", "state": "warming up"}]

    def status(self) -> dict[str, Any]:
        return {"host": bool(self.joined), "servers": self.servers}

    def close(self) -> None:
        self.closed += 1
        for services in self._made.values():
            services.__exit__()


class AskingEditor:
    """Everything that the answers to features are handed, over recording roots; `work` does what waits for texts."""

    def __init__(self, *roots: RecordingRoot) -> None:
        self.roots, self.worker, self.documents = RecordingRoots(*roots), ManualWorker(), Documents()
        self.protocol, self.loop = HeardProtocol(), ManualLoop()
        self.client = EditorClient(self.protocol)  # type: ignore[arg-type]
        diagnostics = Diagnostics(self.client, self.documents, self.worker)  # type: ignore[arg-type]
        known: Any = self.roots
        self.sync = TextSync(self.loop, self.client, self.documents, known, diagnostics)  # type: ignore[arg-type]
        self.questions = Questions(self.client, self.documents, known, self.sync, self.worker)  # type: ignore[arg-type]

    def answer(self, future: Any) -> Any:
        """Return what the thread of texts answers."""
        self.worker.work()
        return future.result()
