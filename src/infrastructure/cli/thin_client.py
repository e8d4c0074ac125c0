"""The first thing `ctx` does: hand the command line to the segment's warm host, if there is one.

Imported at every start, so only what is cheap: `_socket` and not `socket` (see `host.handover`), no `typing`, `signal`
or `json`. Owns what a client decides: whether the command may be handed over, what it brings along, and what is done
when the host does not answer as it should: until the command's first output, run it here as if there were no host.
"""

from __future__ import annotations

import _socket
import os
import sys

from ..host.handover import (
    ACCEPTED,
    EXIT,
    INTERRUPT,
    OUTPUT,
    REFUSED,
    Handover,
    installation,
    packed_descriptors,
    peer_of,
)
from ..host.places import can_host, is_private, is_switched_on, places
from ..segment_walk import nearest_segment, real_path
from .arguments import read

ANSWER_WAIT_S = 1.0
"""How long an acceptance is waited for before looking whether the host is stopped."""
ANSWER_WAITS_MAX = 15
"""A queue of hundreds of commands takes seconds; a host that answers nobody for longer is no help."""
SEND_WAIT_S = 5.0
_EXIT_CANNOT = 3
_EXIT_INTERRUPTED = 130


def run_in_host(argv: list[str]) -> int | None:
    """Run a whole command line (`sys.argv`) in the segment's host and return its exit code.

    None when that is not possible, for whatever reason: nothing was printed then, and the caller runs it itself.
    """
    if not can_host() or not is_switched_on():
        return None
    line = read(argv[1:])
    if line is None:
        return None
    try:
        segment = _segment(line[1]["segment"])
        connection = _connected(os.stat(segment))
        if connection is None:
            return None
        try:
            _hand_over(connection, segment, argv)
            return _Conversation(connection).exit_code()
        finally:
            connection.close()
    except (OSError, ValueError):
        return None


def _segment(given: str | None) -> str:
    """Return the directory the command works on, by the rules of `segment.find_segment`.

    Raises: OSError where that one has something to say; it will.
    """
    if given is None:
        given = os.environ.get("CTX_SEGMENT") or None
    if given is None:
        return nearest_segment(real_path(os.getcwd()))
    if not given:
        raise FileNotFoundError
    return real_path(given)


def _connected(segment_stat: os.stat_result) -> _socket.socket | None:
    for place in places(segment_stat):
        if not is_private(place.folder):
            continue
        connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            connection.settimeout(SEND_WAIT_S)
            connection.connect(place.socket)
            if peer_of(connection)[1] == os.geteuid():
                return connection
        except OSError:
            pass
        connection.close()
    return None


def _hand_over(connection: _socket.socket, segment: str, argv: list[str]) -> None:
    streams = (sys.stdin, sys.stdout, sys.stderr)
    umask = os.umask(0o077)
    os.umask(umask)
    message = Handover(
        installation=installation(),
        segment=os.fsencode(segment),
        umask=umask,
        is_open=(sys.stdin is not None, sys.stdout is not None, sys.stderr is not None),
        streams=tuple(
            ("utf-8", "") if stream is None else (stream.encoding, stream.errors or "") for stream in streams
        ),
        argv=[os.fsencode(word) for word in argv],
        environment=[name + b"=" + value for name, value in os.environb.items()],
    ).encoded()
    # O_PATH: a directory that may be entered may not be readable.
    here = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        rights = packed_descriptors([here, *(number for number in range(3) if streams[number] is not None)])
        sent = connection.sendmsg([message], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])
    finally:
        os.close(here)
    if sent < len(message):
        connection.sendall(message[sent:])


class _Conversation:
    """What is heard of a command that was handed over."""

    def __init__(self, connection: _socket.socket) -> None:
        self._connection = connection
        self._is_accepted = False
        self._has_output = False
        self._was_interrupted = False
        self._waits = 0
        self._heard = b""

    def exit_code(self) -> int | None:
        """Wait for the end; None when the command has to be run here."""
        while True:
            try:
                return self._listen()
            except KeyboardInterrupt:
                # The host's child is in no terminal's foreground: what a terminal sends to us is passed on, each time.
                self._was_interrupted = True
                self._connection.settimeout(SEND_WAIT_S)
                try:
                    self._connection.sendall(INTERRUPT)
                except OSError:
                    return _EXIT_INTERRUPTED

    def _listen(self) -> int | None:
        while True:
            self._connection.settimeout(None if self._is_accepted else ANSWER_WAIT_S)
            try:
                part = self._connection.recv(64)
            except TimeoutError:
                self._waits += 1
                if self._waits < ANSWER_WAITS_MAX and not _is_stopped(peer_of(self._connection)[0]):
                    continue
                return _EXIT_INTERRUPTED if self._was_interrupted else None
            except OSError:
                part = b""
            self._heard += part
            if self._heard[:1] == ACCEPTED:
                self._is_accepted = True
                self._heard = self._heard[1:]
            if self._heard[:1] == OUTPUT:
                self._has_output = True
                self._heard = self._heard[1:]
            if self._heard[:1] == EXIT and len(self._heard) > 1:
                return self._heard[1]
            if not part or self._heard[:1] == REFUSED:
                return self._broken()

    def _broken(self) -> int | None:
        if self._was_interrupted:
            return _EXIT_INTERRUPTED
        if not self._has_output:
            return None
        sys.stderr.write("ctx: the warm host lost this command; what was printed may not be all: run it again\n")
        return _EXIT_CANNOT


def _is_stopped(pid: int) -> bool:
    """Tell whether the process that listens was stopped (SIGSTOP) or is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b") ")[2][:1] in {b"T", b"t", b"Z", b"X"}
    except OSError:
        return True
