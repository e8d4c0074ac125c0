"""What a copy takes over, and what it refuses."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import pytest

from ctx.infrastructure.host import child
from ctx.infrastructure.host.child import Refused, powers_of
from ctx.infrastructure.host.handover import head_of, packed_descriptors


def test_powers_are_those_of_the_process() -> None:
    """The same for us and for a process we start, other ones for one that gave something up."""
    ours = powers_of("self")
    assert ours == powers_of(os.getpid())
    script = (
        "import ctypes, struct, sys\n"
        "prctl = ctypes.CDLL(None).prctl\n"
        "assert prctl(38, 1, 0, 0, 0) == 0\n"  # PR_SET_NO_NEW_PRIVS, which many a container has set before
        "allow = ctypes.create_string_buffer(struct.pack('HBBI', 6, 0, 0, 0x7FFF0000))\n"
        "prctl(22, 2, struct.pack('HP', 1, ctypes.addressof(allow)), 0, 0)\n"  # PR_SET_SECCOMP: one filter more
        "print(flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert ours != powers_of(process.pid)
        process.communicate()
    with pytest.raises(OSError, match="No such"):
        powers_of(process.pid)


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\n\r\n" * 3, head_of(100) + b"too little"])
def test_what_is_no_handover_is_refused(said: bytes) -> None:
    """Nothing, something else and a broken-off hand-over end the copy, which tells the client."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        if said:
            theirs.sendmsg([said], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, packed_descriptors([0]))])
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises((Refused, ValueError)):
            child._received(ours)


def test_a_silent_client_is_waited_for_no_longer_than_that(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that connects and says nothing ends the copy when its time is over."""
    monkeypatch.setattr(child, "HANDOVER_WAIT_S", 0.05)
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(TimeoutError):
        child._received(ours)


def test_the_environment_becomes_the_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the client has not is taken away, what it has is set, also bytes that are no UTF-8."""
    before = dict(os.environb)
    monkeypatch.setenv("HOSTS_OWN", "1")
    try:
        child._take_environment([b"PATH=/bin", b"ODD=caf\xe9=x", b"EMPTY="])
        assert {b"PATH": b"/bin", b"ODD": b"caf\xe9=x", b"EMPTY": b""} == dict(os.environb)
    finally:
        os.environb.clear()
        os.environb.update(before)


def test_a_command_whose_client_is_gone_does_not_stay() -> None:
    """Also where whoever started the host ignores the signal of its clock."""
    script = (
        "import signal, time\n"
        "from ctx.infrastructure.host import child\n"
        "signal.signal(signal.SIGALRM, signal.SIG_IGN)\n"
        "child.LOST_GRACE_S = 0.01\n"
        "child._leave_lost_client()\n"
        "time.sleep(30)\n"
    )
    assert -signal.SIGALRM == subprocess.run([sys.executable, "-c", script]).returncode


def test_a_command_that_nobody_waits_for_any_more_is_not_run() -> None:
    """Its client runs it itself, with the same streams: nothing may be said there."""
    script = (
        "import os, socket, sys\n"
        "from ctx.infrastructure.host import child\n"
        "ours, theirs = socket.socketpair()\n"
        "theirs.close()\n"
        "told, tells = os.pipe()\n"
        "sys.argv = ['ctx', '--version']\n"
        "code = child._run(ours, tells)\n"
        "os.set_blocking(told, False)\n"
        "try:\n"
        "    os.read(told, 1)\n"
        "except BlockingIOError:\n"
        "    sys.exit(40 + code)\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True)
    assert (41, b"", b"") == (run.returncode, run.stdout, run.stderr)
