"""A copy of the front that waits for one command, becomes what its client is, runs it and ends.

Owns everything that must be the client's for the command to do what it would have done in the client's own process:
descriptors, directory, environment, umask, limits, priority, the standard streams' encodings. What cannot be made so
(other capabilities, another mount namespace, limits we may not raise) is refused, and the client runs it itself.

Interrupts arrive on the connection: the kernel is asked to signal (SIGIO) whatever comes there, also its end, because
a thread that reads it would make the process one that may not be forked (see `parse_pool.can_fork`).
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import resource
import select
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING, NoReturn, cast

from .. import services
from .handover import (
    ACCEPTED,
    EXIT,
    HEAD_BYTES,
    INTERRUPT,
    OUTPUT,
    REFUSED,
    Handover,
    decoded,
    length_in,
    packed_descriptors,
    peer_of,
    unpacked_descriptors,
)
from .host_access import CLEAN_WAIT_S, FACES_WAIT_S, HostAccess
from .powers import powers_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

HANDOVER_WAIT_S = 3.0
"""A client sends everything at once; one that says nothing for so long is none."""
LOST_GRACE_S = 5.0
"""What a command whose client is gone gets for cleaning up."""
TAKEN = b"T"
"""A copy has a connection, and the front needs another one that waits."""
RUNS = b"R"
"""It runs a command."""
NOTICE_BYTES = 5
_STREAM_NAMES = ("stdin", "stdout", "stderr")
_DESCRIPTORS_MAX = 4
_LIMITS = tuple(sorted({getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")}))


class Refused(Exception):  # noqa: N818 - an outcome, not a fault
    """This command has to be run by its client."""


class HostFacts:
    """What a child knows of its host."""

    __slots__ = ("backend_path", "deadline_ms", "has_faces", "installation", "powers", "segment")

    def __init__(
        self,
        segment: str,
        backend_path: str,
        installation: bytes,
        deadline_ms: int,
        has_faces: Callable[[], bool],
    ) -> None:
        self.segment = segment
        self.has_faces = has_faces
        """Whether anybody has a lease on the host now."""
        self.deadline_ms = deadline_ms
        """What a question to a language server has in the backend."""
        self.backend_path = backend_path
        self.installation = installation
        self.powers = powers_of("self")


def tell_front(descriptor: int, what: bytes) -> None:
    """Tell the front, through its pipe, what became of this copy; written at once, whoever else writes there."""
    os.write(descriptor, what + os.getpid().to_bytes(NOTICE_BYTES - 1, sys.byteorder))


def serve_one(listener: socket.socket, alive_fd: int, taken_fd: int, facts: HostFacts) -> NoReturn:
    """Wait for a connection, or for the front's end; run what it asks for and end the process."""
    exit_code = 1
    try:
        connection = _accept(listener, alive_fd)
        if connection is None:
            os._exit(0)
        tell_front(taken_fd, TAKEN)
        for descriptor in (listener.detach(), alive_fd):
            os.close(descriptor)
        exit_code = _serve(connection, taken_fd, facts)
    except BaseException:  # noqa: BLE001 - the rim of a process that is a copy: nothing of the front may run on in it
        exit_code = 1
    finally:
        os._exit(exit_code)


def _accept(listener: socket.socket, alive_fd: int) -> socket.socket | None:
    """Return the next connection; None when the front is gone."""
    poll = select.poll()
    poll.register(listener.fileno(), select.POLLIN)
    poll.register(alive_fd, select.POLLIN)
    while True:
        ready = {descriptor for descriptor, _event in poll.poll()}
        if alive_fd in ready:
            return None
        try:
            connection, _address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):  # another child was faster; the client went away
            continue
        return connection


def _serve(connection: socket.socket, taken_fd: int, facts: HostFacts) -> int:
    try:
        client_pid, client_uid = peer_of(connection)
        if client_uid != os.geteuid():
            return 1
        handover, descriptors = _received(connection)
        _become_like(client_pid, handover, descriptors, facts)
        _use_backend(facts)
        _listen_to(connection)
    except (Refused, OSError, ValueError, LookupError):
        with contextlib.suppress(OSError):
            connection.send(REFUSED)
        return 1
    exit_code = _run(connection, taken_fd)
    signal.signal(signal.SIGIO, signal.SIG_IGN)
    with contextlib.suppress(OSError):  # nobody waits for it any more
        connection.send(EXIT + bytes([exit_code & 0xFF]))
    return exit_code


def _received(connection: socket.socket) -> tuple[Handover, list[int]]:
    """Return what the client hands over.

    Raises: Refused for what is no hand-over of our protocol, or does not come in time.
    """
    ends_s = time.monotonic() + HANDOVER_WAIT_S
    connection.settimeout(HANDOVER_WAIT_S)
    space = socket.CMSG_SPACE(len(packed_descriptors(list(range(_DESCRIPTORS_MAX)))))
    data, ancillary, flags, _address = connection.recvmsg(1 << 18, space, socket.MSG_CMSG_CLOEXEC)
    descriptors: list[int] = []
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors += unpacked_descriptors(content)
    if flags & socket.MSG_CTRUNC:
        raise Refused
    whole = bytearray(data)
    needed = HEAD_BYTES
    while len(whole) < needed or needed == HEAD_BYTES:
        if len(whole) >= HEAD_BYTES and needed == HEAD_BYTES:
            needed += length_in(bytes(whole[:HEAD_BYTES]))
            continue
        left_s = ends_s - time.monotonic()
        if left_s <= 0:
            raise Refused
        connection.settimeout(left_s)
        part = connection.recv(1 << 18)
        if not part:
            raise Refused
        whole += part
    return decoded(bytes(whole[HEAD_BYTES:])), descriptors


def _become_like(client_pid: int, handover: Handover, descriptors: list[int], facts: HostFacts) -> None:
    """Take over everything of the client that a command can tell.

    Raises: Refused, OSError or LookupError when that is not possible.
    """
    if handover.installation != facts.installation or os.fsdecode(handover.segment) != facts.segment:
        raise Refused
    if len(descriptors) != 1 + sum(handover.is_open) or powers_of(client_pid) != facts.powers:
        raise Refused
    _take_limits(client_pid)
    os.fchdir(descriptors[0])
    os.close(descriptors[0])
    taken = iter(descriptors[1:])
    for number in range(3):
        if handover.is_open[number]:
            descriptor = next(taken)
            os.dup2(descriptor, number)
            os.close(descriptor)
    os.umask(handover.umask)
    _take_environment(handover.environment)
    sys.argv = [os.fsdecode(word) for word in handover.argv]
    for number, name in enumerate(_STREAM_NAMES):
        stream = _stream(number, *handover.streams[number]) if handover.is_open[number] else None
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _take_limits(client_pid: int) -> None:
    for limit in _LIMITS:
        theirs = resource.prlimit(client_pid, limit)
        if theirs != resource.getrlimit(limit):
            resource.setrlimit(limit, theirs)
    cores = os.sched_getaffinity(client_pid)
    if cores != os.sched_getaffinity(0):
        os.sched_setaffinity(0, cores)
    priority = os.getpriority(os.PRIO_PROCESS, client_pid)
    if priority != os.getpriority(os.PRIO_PROCESS, 0):
        os.setpriority(os.PRIO_PROCESS, 0, priority)


def _take_environment(entries: list[bytes]) -> None:
    zone_before = os.environb.get(b"TZ")
    wanted = dict(entry.split(b"=", 1) for entry in entries)
    for name in [name for name in os.environb if name not in wanted]:
        del os.environb[name]
    for name, value in wanted.items():
        if os.environb.get(name) != value:
            os.environb[name] = value
    if os.environb.get(b"TZ") != zone_before:
        time.tzset()


def _stream(number: int, encoding: str, errors: str) -> TextIO:
    """Return a standard stream as the interpreter makes it at its start."""
    raw = open(number, "rb" if number == 0 else "wb", closefd=False)  # noqa: SIM115 - it is the process's
    is_line_buffered = number == 2 or (number == 1 and os.isatty(1))
    text = io.TextIOWrapper(
        raw, encoding, errors or "strict", newline=None if number == 0 else "\n", line_buffering=is_line_buffered
    )
    return cast("TextIO", text)


def _use_backend(facts: HostFacts) -> None:
    """Have the command ask the host's backend before it looks or starts servers itself."""

    def host_of(segment: str) -> HostAccess | None:
        if segment != facts.segment:
            return None
        has_faces = facts.has_faces()
        wait_s = FACES_WAIT_S if has_faces else CLEAN_WAIT_S
        return HostAccess(facts.backend_path, facts.deadline_ms, clean_wait_s=wait_s, has_faces=has_faces)

    services.default_host = host_of


def _listen_to(connection: socket.socket) -> None:
    """Have Ctrl-C in the client, and the client's end, interrupt this process as Ctrl-C does."""
    connection.setblocking(False)

    def on_message(_signal: int, _frame: object) -> None:
        try:
            said = connection.recv(16)
        except BlockingIOError:  # it read something of ours, which the kernel tells in the same way
            return
        except OSError:
            said = b""
        if not said:
            _leave_lost_client()
            raise KeyboardInterrupt
        if INTERRUPT in said:
            raise KeyboardInterrupt

    signal.signal(signal.SIGIO, on_message)
    fcntl.fcntl(connection, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(connection, fcntl.F_SETFL, fcntl.fcntl(connection, fcntl.F_GETFL) | os.O_ASYNC)


def _leave_lost_client() -> None:
    """Let go of what was the client's, and do not outlive it for long."""
    signal.signal(signal.SIGIO, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDWR)
    for number in (1, 2):
        os.dup2(null, number)
    os.close(null)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # whoever started the host may ignore it, and hands that on
    signal.setitimer(signal.ITIMER_REAL, LOST_GRACE_S)


def _run(connection: socket.socket, taken_fd: int) -> int:
    """Run the command as `ctx.__main__` does and return its exit code."""
    from ..cli import entry, runner

    def mark_output() -> None:
        runner.on_output = lambda: None
        with contextlib.suppress(OSError):  # its end arrives as a signal
            connection.send(OUTPUT)

    exit_code = 1
    try:
        runner.on_output = mark_output
        try:
            connection.send(ACCEPTED)
        except OSError:  # the client did not wait for it: it runs the command itself, and has these streams
            return exit_code
        tell_front(taken_fd, RUNS)
        os.close(taken_fd)
        # What came before there was somebody to signal is not told again.
        os.kill(os.getpid(), signal.SIGIO)
        exit_code = entry.main(sys.argv[1:])
    except KeyboardInterrupt:
        exit_code = 130
    except SystemExit as stop:
        exit_code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:  # noqa: BLE001 - what an interpreter does with it at its end
        sys.excepthook(*cast("tuple[type[BaseException], BaseException, None]", sys.exc_info()))
    # What could not be said on standard error is no reason to fail: `say` has let it pass.
    with contextlib.suppress(OSError, ValueError):
        if sys.stderr is not None:
            sys.stderr.flush()
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OSError, ValueError):
        exit_code = 120  # the interpreter's code for that
    return exit_code
