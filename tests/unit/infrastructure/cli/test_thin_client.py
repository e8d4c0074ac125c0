"""What the client does when a host answers, and that it is silent about one that does not."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from typing import TYPE_CHECKING

import pytest

from ctx.infrastructure.cli import thin_client
from ctx.infrastructure.cli.thin_client import run_in_host
from ctx.infrastructure.host.handover import HEAD_BYTES, decoded, length_in
from ctx.infrastructure.host.places import places

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SEARCH = ["ctx", "search", "cookie"]


class ScriptedHost:
    """Listens where a segment's host would, and answers each hand-over with the bytes it is told to."""

    def __init__(self, path: str) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen()
        self.taken: list[tuple[bytes, int]] = []

    def answer(self, said: bytes) -> threading.Thread:
        """Take one hand-over in a thread, say the bytes and close."""

        def serve() -> None:
            connection, _address = self._listener.accept()
            with connection:
                data, ancillary, _flags, _from = connection.recvmsg(1 << 20, 1024)
                for _level, _kind, rights in ancillary:
                    for at in range(0, len(rights), 4):
                        os.close(int.from_bytes(rights[at : at + 4], "little"))
                self.taken.append((data, len(ancillary[0][2]) // 4))
                connection.sendall(said)

        thread = threading.Thread(target=serve)
        thread.start()
        return thread

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedHost]:
    """A host of a segment, in which the test is."""
    segment = tmp_path / "segment"
    (segment / ".git").mkdir(parents=True)
    monkeypatch.chdir(segment)
    # Standard streams as a process has them; pytest's own have no file behind them.
    monkeypatch.setattr("sys.stdin", open(0, closefd=False))  # noqa: SIM115
    monkeypatch.setattr("sys.stdout", open(1, "w", closefd=False))  # noqa: SIM115
    monkeypatch.delenv("CTX_SEGMENT", raising=False)
    monkeypatch.setenv("CTX_DAEMON", "on")
    folder = tempfile.mkdtemp(prefix="ctx")  # short, because a socket's path holds 107 bytes
    monkeypatch.setattr("ctx.infrastructure.host.places.runtime_folders", lambda: [folder])
    place = places(segment.stat())[0]
    scripted = ScriptedHost(place.socket)
    yield scripted
    scripted.close()
    os.unlink(place.socket)
    os.rmdir(folder)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (b"AOX\x00", 0),
        (b"AX\x01", 1),
        (b"AOX\x82", 130),
        (b"R", None),
        (b"", None),
        (b"A", None),
        (b"AX", None),
        (b"nonsense", None),
        (b"AO", 3),
    ],
)
def test_what_the_host_says_decides(
    host: ScriptedHost, said: bytes, expected: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """An exit code is the command's; without one the command is run here, unless its output had begun."""
    thread = host.answer(said)
    assert expected == run_in_host(SEARCH)
    thread.join()
    assert (expected == 3) == ("lost this command" in capsys.readouterr().err)


def test_what_is_handed_over(host: ScriptedHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arguments, segment, environment and umask, and four descriptors."""
    monkeypatch.setenv("ODD", os.fsdecode(b"caf\xe9"))
    thread = host.answer(b"AX\x00")
    assert 0 == run_in_host(["ctx", "search", os.fsdecode(b"caf\xe9")])
    thread.join()
    ((data, descriptors),) = host.taken
    assert length_in(data[:HEAD_BYTES]) == len(data) - HEAD_BYTES
    found = decoded(data[HEAD_BYTES:])
    assert [b"ctx", b"search", b"caf\xe9"] == found.argv
    assert os.fsencode(tmp_path.resolve() / "segment") == found.segment
    assert b"ODD=caf\xe9" in found.environment
    assert 1 + sum(found.is_open) == descriptors


@pytest.mark.parametrize(
    "argv",
    [
        ["ctx"],
        ["ctx", "index"],
        ["ctx", "search"],
        ["ctx", "search", "--help"],
        ["ctx", "search", "x", "--segment", ""],
        ["ctx", "search", "x", "--segment", "/nowhere/at/all"],
    ],
)
def test_what_is_never_handed_over(host: ScriptedHost, argv: list[str]) -> None:
    """Other commands, mistakes and directories that are none are for the command line itself."""
    assert run_in_host(argv) is None
    assert [] == host.taken


def test_switched_off(host: ScriptedHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """CTX_DAEMON=off leaves the host alone."""
    monkeypatch.setenv("CTX_DAEMON", "off")
    assert run_in_host(SEARCH) is None
    assert [] == host.taken


def test_a_host_of_somebody_else_is_left_alone(host: ScriptedHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket in whose place another user listens gets nothing."""
    monkeypatch.setattr(thin_client, "peer_of", lambda _connection: (1, os.geteuid() + 1))
    assert run_in_host(SEARCH) is None


def test_a_stopped_host_is_not_waited_for(host: ScriptedHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that does not answer and is stopped costs one wait; the command then runs here."""
    monkeypatch.setattr(thin_client, "ANSWER_WAIT_S", 0.01)
    monkeypatch.setattr(thin_client, "_is_stopped", lambda _pid: True)
    assert run_in_host(SEARCH) is None
