"""One language server as a process: its streams, its end, and what it must not leave behind.

Owns the pipes and the one thread that serves them. What the messages mean is `lsp_client`. The server is started
through `infrastructure/launcher.py`, which ends it and all it started when the pipe to us closes, however we end.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import sys
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from .lsp_wire import MessageReader, WireError, frame

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LAUNCHER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "launcher.py")
STDERR_TAIL_BYTES = 8 << 10
OUTGOING_BYTES_MAX = 256 << 20
"""What may wait for a server that does not read; more means that it never will."""
_READ_BYTES = 1 << 20
_LOWEST_FD = 10  # so that what the child gets as 0 to 4 is never one of ours
_CONTROL_FD, _REPORT_FD = 3, 4
_IDLE_S = 3600.0
_EXIT_PATIENCE_S = 1.0
"""Between the end of its output and its exit; a server that closed the one and still runs then is ended."""


@dataclass(frozen=True, slots=True)
class ProcessEnd:
    """How a server ended: by itself with a code, by a signal, or never started (`failed_to_start` says why).

    It is none of these where its launcher was ended before it said so.
    `leftovers_killed` are processes it left behind, `broken` what was wrong with its output, `stderr` its last words.
    """

    exit_code: int | None = None
    signal: int | None = None
    leftovers_killed: int = 0
    failed_to_start: str = ""
    broken: str = ""
    stderr: str = ""

    def describe(self) -> str:
        """Return it in a phrase for people, with the last line it wrote to standard error."""
        lines = [line for line in self.stderr.splitlines() if line.strip()]
        said = f" ({lines[-1].strip()[:200]})" if lines else ""
        if self.failed_to_start:
            return f"could not be started: {self.failed_to_start}"
        if self.broken:
            return f"{self.broken}{said}"
        if self.signal is not None:
            return f"ended by signal {self.signal}{said}"
        if self.exit_code is None:
            return f"ended, and its launcher did not say how{said}"
        return f"ended with exit code {self.exit_code}{said}"


class Listener(Protocol):
    """Who is told what the process does; every call comes from the thread that serves its streams."""

    def on_started(self, pid: int) -> None:
        """The server's process runs."""
        ...

    def on_message(self, message: dict[str, Any]) -> None:
        """A message arrived."""
        ...

    def on_tick(self) -> float | None:
        """Time has passed or `wake` was called; returns the seconds until it wants to be called again."""
        ...

    def on_end(self, end: ProcessEnd) -> None:
        """The process is gone, and so is what it left behind; nothing is called after this."""
        ...


class Connection(Protocol):
    """A running server to talk to."""

    def send(self, message: dict[str, Any]) -> None:
        """Have a message written; returns at once, and does nothing once the server is gone."""
        ...

    def wake(self) -> None:
        """Have `on_tick` called soon."""
        ...

    def close_input(self) -> None:
        """Close its standard input once what waits is written."""
        ...

    def kill(self) -> None:
        """End it and all it started, at once."""
        ...

    def join(self, timeout_s: float) -> bool:
        """Wait for its end; tell whether it came in time."""
        ...


class ServerProcess:
    """A server behind pipes; made by `start_server`."""

    def __init__(self, listener: Listener, fds: _Pipes) -> None:
        self._listener = listener
        self._fds = fds
        self._lock = threading.Lock()
        self._outgoing: deque[bytes] = deque()
        self._outgoing_bytes = 0
        self._closes_input = False
        self._is_killed = False
        self._is_awake = False
        self._broken = ""
        self._pid = 0
        self._is_over = False
        self._gone = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="ctx-language-server", daemon=True)

    def run(self) -> None:
        """Begin to serve its streams."""
        self._thread.start()

    def send(self, message: dict[str, Any]) -> None:
        """See `Connection`."""
        data = frame(message)
        with self._lock:
            if self._is_over or self._closes_input:
                return
            self._outgoing.append(data)
            self._outgoing_bytes += len(data)
        self.wake()

    def wake(self) -> None:
        """See `Connection`."""
        with self._lock:
            if self._is_awake or self._is_over:
                return
            self._is_awake = True
            os.write(self._fds.wake_write, b"w")

    def close_input(self) -> None:
        """See `Connection`."""
        with self._lock:
            self._closes_input = True
        self.wake()

    def kill(self) -> None:
        """See `Connection`."""
        with self._lock:
            self._is_killed = True
        self.wake()

    def join(self, timeout_s: float) -> bool:
        """See `Connection`."""
        return self._gone.wait(timeout_s)

    # ------------------------------------------------------------------ the thread

    def _serve(self) -> None:
        reader, stderr, report = MessageReader(), bytearray(), bytearray()
        for hear in (self._exchange, self._hear_the_rest):
            try:
                hear(reader, stderr, report)
            except Exception as error:  # noqa: BLE001 - the rim of this thread: whoever waits for an answer is told
                self._broken = f"internal error in the client: {type(error).__name__}: {error}"
                self._fds.close(self._fds.control)
        self._finish(stderr, report)

    def _exchange(self, reader: MessageReader, stderr: bytearray, report: bytearray) -> None:
        """Serve the streams until the launcher has said its last word."""
        fds = self._fds
        poll = select.poll()
        for fd in (fds.report, fds.stderr, fds.wake_read):
            poll.register(fd, select.POLLIN)
        hears = waits_to_write = False
        wait_s: float | None = 0.0
        while fds.report >= 0:
            for fd, _mask in poll.poll(int(min(_IDLE_S if wait_s is None else wait_s, _IDLE_S) * 1000 + 0.999)):
                if fd == fds.wake_read:
                    os.read(fd, 4096)
                    with self._lock:
                        self._is_awake = False
                elif fd in (fds.stdout, fds.stderr, fds.report) and not self._take(fd, reader, stderr, report):
                    poll.unregister(fd)
                    if fd == fds.stdout:
                        self._await_exit()
                    fds.close(fd)
            if self._pid and not hears:
                # Not before: on a busy machine the server may have answered by the time the launcher says who it is.
                hears = True
                poll.register(fds.stdout, select.POLLIN)
            if waits_to_write:
                poll.unregister(fds.stdin)
            waits_to_write = self._write()
            if waits_to_write:
                poll.register(fds.stdin, select.POLLOUT)
            wait_s = self._listener.on_tick()
            if self._is_killed and fds.control >= 0:
                fds.close(fds.control)

    def _await_exit(self) -> None:
        """Its output is over: give it a moment to end, else end it.

        One that has ended is not ended: the launcher is late with its word, or has children to kill.
        """
        report = self._fds.report
        while report >= 0 and not self._is_killed and not _is_readable(report, _EXIT_PATIENCE_S):
            if not _has_ended(self._pid):
                self._broken = self._broken or "it closed its output and stayed"
                self._is_killed = True

    def _take(self, fd: int, reader: MessageReader, stderr: bytearray, report: bytearray) -> bool:
        """Read one of the streams once; tell whether there was anything, which there always is before its end."""
        data = _read(fd)
        if fd == self._fds.report:
            self._take_report(report, data)
        elif fd == self._fds.stderr:
            stderr += data
            del stderr[:-STDERR_TAIL_BYTES]
        elif not self._broken:
            self._take_output(reader, data)
        return bool(data)

    def _take_output(self, reader: MessageReader, data: bytes) -> None:
        try:
            for message in reader.feed(data):
                self._listener.on_message(message)
        except WireError as error:
            self._broken = f"broke the protocol: {error}"
            self._is_killed = True

    def _take_report(self, report: bytearray, data: bytes) -> None:
        """Keep what the launcher says; its first line is the process that was started."""
        had_pid = b"\n" in report
        report += data
        if not had_pid and b"\n" in report:
            said = orjson.loads(bytes(report).partition(b"\n")[0])
            if "pid" in said and "exit_code" not in said and "signal" not in said:
                self._pid = said["pid"]
                self._listener.on_started(self._pid)

    def _write(self) -> bool:
        """Write what the pipe takes; tell whether something is left."""
        fds = self._fds
        with self._lock:
            while self._outgoing and fds.stdin >= 0:
                data = self._outgoing[0]
                try:
                    written = os.write(fds.stdin, data)
                except BlockingIOError:
                    break
                except OSError:  # it closed its input or is gone: the report will tell
                    fds.close(fds.stdin)
                    break
                self._outgoing_bytes -= written
                if written < len(data):
                    self._outgoing[0] = data[written:]
                else:
                    self._outgoing.popleft()
            if self._outgoing_bytes > OUTGOING_BYTES_MAX:
                self._broken = "does not read what it is sent"
                self._is_killed = True
            if self._closes_input and not self._outgoing:
                fds.close(fds.stdin)
            return bool(self._outgoing) and fds.stdin >= 0

    def _hear_the_rest(self, reader: MessageReader, stderr: bytearray, report: bytearray) -> None:
        """Take what it said last: it may still be in the pipes, which somebody who escaped may hold, too."""
        for fd in (self._fds.stderr, self._fds.stdout):
            if fd >= 0:
                os.set_blocking(fd, False)
                while self._take(fd, reader, stderr, report):
                    pass
        while self._fds.report >= 0:
            if not self._take(self._fds.report, reader, stderr, report):
                self._fds.close(self._fds.report)

    def _finish(self, stderr: bytearray, report: bytearray) -> None:
        """Tell of the end."""
        said: dict[str, Any] = {}
        for line in bytes(report).split(b"\n"):
            if line.strip():
                said |= orjson.loads(line)
        end = ProcessEnd(
            said.get("exit_code"),
            said.get("signal"),
            said.get("leftovers_killed", 0),
            said.get("failed_to_start", ""),
            self._broken,
            stderr[-STDERR_TAIL_BYTES:].decode("utf-8", "replace"),
        )
        with self._lock:
            self._is_over = True
            self._outgoing.clear()
            self._fds.close_all()
        os.waitpid(self._fds.launcher_pid, 0)
        try:
            self._listener.on_end(end)
        finally:
            self._gone.set()  # last: whoever waits for the end finds it told


@dataclass(slots=True)
class _Pipes:
    """Our ends, -1 once closed."""

    launcher_pid: int
    stdin: int
    stdout: int
    stderr: int
    control: int
    report: int
    wake_read: int
    wake_write: int

    def close(self, fd: int) -> None:
        """Close one of them; fine when it is."""
        for name in ("stdin", "stdout", "stderr", "control", "report", "wake_read", "wake_write"):
            if fd >= 0 and getattr(self, name) == fd:
                setattr(self, name, -1)
                os.close(fd)

    def close_all(self) -> None:
        """Close what is still open."""
        for fd in (self.stdin, self.stdout, self.stderr, self.control, self.report, self.wake_read, self.wake_write):
            self.close(fd)


def start_server(
    command: Sequence[str], directory: str, environment: Mapping[str, str], listener: Listener
) -> ServerProcess:
    """Start a server in a directory and begin to serve its streams; whether it runs is told to the listener.

    Raises: OSError when not even the launcher can be started (no memory, no descriptors, no threads).
    """
    made: list[int] = []

    def pipe() -> tuple[int, int]:
        ends = os.pipe2(os.O_CLOEXEC)
        made.extend(ends)
        made.append(fcntl.fcntl(ends[0], fcntl.F_DUPFD_CLOEXEC, _LOWEST_FD))
        made.append(fcntl.fcntl(ends[1], fcntl.F_DUPFD_CLOEXEC, _LOWEST_FD))
        for end in ends:
            made.remove(end)
            os.close(end)
        return made[-2], made[-1]

    try:
        stdin, stdout, stderr, control, report, wake = (pipe() for _ in range(6))
        arguments = [sys.executable, "-I", "-S", LAUNCHER, "--control", str(_CONTROL_FD), "--report", str(_REPORT_FD)]
        arguments += ["--directory", directory, "--", *command]
        # Not `subprocess`: importing it takes longer than the launcher does to start.
        pid = os.posix_spawn(
            sys.executable,
            arguments,
            dict(environment),
            file_actions=[
                (os.POSIX_SPAWN_DUP2, source, target)
                for source, target in (
                    (stdin[0], 0),
                    (stdout[1], 1),
                    (stderr[1], 2),
                    (control[0], _CONTROL_FD),
                    (report[1], _REPORT_FD),
                )
            ],
        )
    except OSError:
        for fd in made:
            os.close(fd)
        raise
    for fd in (stdin[0], stdout[1], stderr[1], control[0], report[1]):
        os.close(fd)
    os.set_blocking(stdin[1], False)
    pipes = _Pipes(pid, stdin[1], stdout[0], stderr[0], control[1], report[0], wake[0], wake[1])
    process = ServerProcess(listener, pipes)
    try:
        process.run()
    except RuntimeError as error:  # no room for a thread
        pipes.close_all()
        os.waitpid(pid, 0)
        raise OSError(errno.EAGAIN, str(error)) from error
    return process


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, _READ_BYTES)
    except BlockingIOError:
        return b""


def _is_readable(fd: int, timeout_s: float) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(int(timeout_s * 1000)))


def _has_ended(pid: int) -> bool:
    """Tell whether a process that is not our child has ended, collected or not, where the system says so."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b") ")[2][:1] in {b"Z", b"X"}
    except OSError:
        return True
