"""ServerProcess behind launchers that are late with their word, as a busy machine has them."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import os
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from ctx.infrastructure.ast_lsp import lsp_process
from ctx.infrastructure.ast_lsp.lsp_process import ProcessEnd, start_server
from ctx.infrastructure.process_tree import tree_of

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE_S = 60.0


class _Heard:
    """A listener that remembers what it was told, in order."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def on_started(self, pid: int) -> None:
        self.told.append(pid)

    def on_message(self, message: dict[str, Any]) -> None:
        self.told.append(message["method"])

    def on_tick(self) -> float | None:
        return None

    def on_end(self, end: ProcessEnd) -> None:
        self.told.append(end.describe())


def _heard_of(launcher: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return what is told of a server that this script in the launcher's place starts."""
    script = tmp_path / "launcher.py"
    script.write_text(launcher)
    monkeypatch.setattr(lsp_process, "LAUNCHER", str(script))
    heard = _Heard()
    server = start_server(("server",), str(tmp_path), {}, heard)
    assert server.join(PATIENCE_S)
    return heard.told


def test_a_server_is_told_of_before_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when it has spoken before the launcher said that it runs."""
    launcher = """
import os
os.write(1, b'Content-Length: 34\\r\\n\\r\\n{"jsonrpc":"2.0","method":"hello"}')
os.write(4, b'{"pid": 1}\\n')
os.write(4, b'{"pid": 1, "exit_code": 0, "leftovers_killed": 0}\\n')
"""
    assert [1, "hello", "ended with exit code 0"] == _heard_of(launcher, tmp_path, monkeypatch)


def test_an_error_over_its_last_words_hides_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when they are found behind a launcher that was killed: whoever waits for answers is told of the end."""
    launcher = """
import os
os.write(1, b'Content-Length: 34\\r\\n\\r\\n{"jsonrpc":"2.0","method":"hello"}')
os.write(2, b'out of luck')
"""

    def refuse(_heard: _Heard, _message: dict[str, Any]) -> None:
        raise LookupError("hello")

    monkeypatch.setattr(_Heard, "on_message", refuse)
    told = _heard_of(launcher, tmp_path, monkeypatch)
    assert ["internal error in the client: LookupError: hello (out of luck)"] == told


def open_pipes() -> Counter[str]:
    """Return the ends of pipes that this process has; what earlier tests left may be closed at any time."""
    found = []
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the listing's own is gone
            found.append(os.readlink(f"/proc/self/fd/{fd}"))
    return Counter(name for name in found if name.startswith("pipe:"))


def test_a_server_without_a_thread_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no thread can be had the launcher is ended again, and its pipes are closed."""

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    processes, pipes = set(tree_of(os.getpid())), open_pipes()
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(OSError, match="can't start new thread"):
        start_server(("server",), str(tmp_path), {}, _Heard())
    assert (set(), Counter()) == (set(tree_of(os.getpid())) - processes, open_pipes() - pipes)


@pytest.mark.parametrize("number", [1, 2, 12])
def test_where_descriptors_run_out_none_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """What was opened before that is closed again."""
    duplicate = fcntl.fcntl
    calls = itertools.count(1)

    def refuse(fd: int, *how: int) -> int:
        if next(calls) == number:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return duplicate(fd, *how)

    before = open_pipes()
    monkeypatch.setattr(fcntl, "fcntl", refuse)
    with pytest.raises(OSError, match="Too many open files"):
        start_server(("server",), str(tmp_path), {}, _Heard())
    assert Counter() == open_pipes() - before


def test_a_server_that_ended_did_not_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However late the launcher says how it ended: its own exit code is the reason, and nobody ends it."""
    door = tmp_path / "door"
    os.mkfifo(door)
    launcher = f"""
import os
pid = os.fork()
if pid == 0:
    os._exit(3)
os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
os.write(4, b'{{"pid": %d}}\\n' % pid)
os.close(1)
os.close(2)
os.read(os.open({str(door)!r}, os.O_RDONLY), 1)
os.write(4, b'{{"pid": %d, "exit_code": 3, "leftovers_killed": 0}}\\n' % pid)
"""
    look = lsp_process._is_readable

    def looks(fd: int, _patience_s: float) -> bool:
        """Let the patience pass at once the first time, and the launcher say how it ended then."""
        if door.exists():
            with door.open("wb"):
                door.unlink()
            return False
        return look(fd, PATIENCE_S)

    monkeypatch.setattr(lsp_process, "_is_readable", looks)
    _pid, said = _heard_of(launcher, tmp_path, monkeypatch)
    assert "ended with exit code 3" == said


def test_an_end_that_nobody_told_of_has_no_exit_code() -> None:
    """The launcher may have been killed before it could say how the server ended."""
    assert "ended, and its launcher did not say how (out of cheese)" == ProcessEnd(stderr="out of cheese\n").describe()
    assert "ended with exit code 0" == ProcessEnd(exit_code=0).describe()
