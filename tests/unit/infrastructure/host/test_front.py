"""Where the front puts its socket, and how it ends; the rest of its life is in tests/integration/test_daemon.py."""

from __future__ import annotations

import os
import signal
import socket
from typing import TYPE_CHECKING, Any

import pytest

from ctx.domain.errors import CtxError
from ctx.infrastructure.config import load_config
from ctx.infrastructure.host import front, places
from ctx.infrastructure.host.front import Front, choose_place
from ctx.infrastructure.host.host_log import HostLog
from ctx.infrastructure.host.places import HostPlace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Childless(Front):
    """A front that is not copied: the processes that it asks for are numbers from `pids`, 0 at their end."""

    def __init__(self, folder: Path, *, pids: tuple[int, ...] = (), until_unused: bool = False) -> None:
        segment, self.place = folder / "segment", HostPlace(str(folder), "host")
        segment.mkdir()
        self.asked: list[str] = []
        self._pids = list(pids)
        log = HostLog(str(folder), str(segment))
        config = load_config(str(segment), {})
        super().__init__(str(segment), self.place, config, log, index_path="", until_unused=until_unused)

    def _forked(self, become: Callable[[], Any]) -> int:
        self.asked.append(become.__name__)
        return self._pids.pop(0) if self._pids else 0

    @property
    def figures(self) -> front.SharedFigures:
        """What a backend would see."""
        return self._figures


@pytest.fixture
def handlers(monkeypatch: pytest.MonkeyPatch) -> dict[int, Callable[[int, object], None]]:
    """The signal handlers of a front that looks without a pause, in place of this process's."""
    found: dict[int, Callable[[int, object], None]] = {}
    monkeypatch.setattr(front.signal, "signal", found.__setitem__)
    monkeypatch.setattr(front.signal, "set_wakeup_fd", lambda *_args, **_options: None)
    monkeypatch.setattr(front, "preload", lambda *_args: None)
    monkeypatch.setattr(front, "LOOK_EVERY_S", 0.0)
    monkeypatch.setattr(front, "FINISH_WAIT_S", 0.0)
    return found


@pytest.mark.parametrize("is_told", [True, False])
def test_only_who_is_told_to_end_says_so(
    tmp_path: Path, handlers: dict[int, Callable[[int, object], None]], *, is_told: bool
) -> None:
    """A face that joins a host just when nobody uses it any more may start another one."""
    host = Childless(tmp_path, until_unused=True)
    why = host.serve(lambda: handlers[signal.SIGTERM](signal.SIGTERM, None) if is_told else None)
    assert ("SIGTERM" if is_told else "nobody uses it any more") == why
    assert is_told == host.figures.get("is_told")


def test_a_host_that_is_kept_just_when_it_is_about_to_end_stays(
    tmp_path: Path, handlers: dict[int, Callable[[int, object], None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asked for it has been told so; who asks later than it says that it ends is not."""
    host = Childless(tmp_path, until_unused=True)
    put, looked = host.figures.set, host._look
    seen: list[int] = []

    def and_it_is_kept(name: str, value: int) -> None:
        if name == "is_ending":
            put("is_kept", 1)
        put(name, value)

    def look() -> None:
        looked()
        if host.figures.get("is_kept"):
            seen.append(host.figures.get("is_ending"))
            if len(seen) == 3:
                handlers[signal.SIGTERM](signal.SIGTERM, None)

    monkeypatch.setattr(host.figures, "set", and_it_is_kept)
    monkeypatch.setattr(host, "_look", look)
    assert "SIGTERM" == host.serve()
    assert ([0, 0, 0], 1) == (seen, host.figures.get("is_ending"))


@pytest.mark.usefixtures("handlers")
def test_end_leaves_the_sockets_of_the_next_host(tmp_path: Path) -> None:
    """Whoever removes the folder of a host that runs can start another one before the first one looks."""
    host = Childless(tmp_path)
    others = [host.place.socket, host.place.backend, host.place.lock]

    def replace() -> None:
        for path in others:
            os.unlink(path)
        for path in others[:2]:
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(path)
        with open(others[2], "w", encoding="utf-8"):
            pass

    assert "the socket is gone" == host.serve(replace)
    assert [True] * 3 == [os.path.exists(path) for path in others]


def test_backend_for_which_there_was_no_room_is_made_later(
    tmp_path: Path, handlers: dict[int, Callable[[int, object], None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host without one keeps each command and face waiting for answers that nobody gives."""
    host = Childless(tmp_path, pids=(0, 0, 4_000_001))
    monkeypatch.setattr(host, "_top_up", lambda: None)
    monkeypatch.setattr(host, "_kill", lambda _pids, _number: None)
    looked, looks = host._look, iter(range(10))

    def look() -> None:
        looked()
        if next(looks) == 9:
            handlers[signal.SIGTERM](signal.SIGTERM, None)

    monkeypatch.setattr(host, "_look", look)
    assert "SIGTERM" == host.serve()
    assert ["_be_backend"] * 3 == host.asked
    assert 1 == host.figures.get("backend_starts")


def test_no_backend_is_begun_for_the_end(
    tmp_path: Path, handlers: dict[int, Callable[[int, object], None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that was told to end while it had none only ends."""
    host = Childless(tmp_path, pids=(0, 4_000_001))
    monkeypatch.setattr(host, "_top_up", lambda: None)
    monkeypatch.setattr(host, "_kill", lambda _pids, _number: None)
    looked = host._look

    def look() -> None:
        handlers[signal.SIGTERM](signal.SIGTERM, None)
        looked()

    monkeypatch.setattr(host, "_look", look)
    assert "SIGTERM" == host.serve()
    assert ["_be_backend"] == host.asked


def test_the_first_folder_that_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that others may enter is passed over, a new one is made for the user alone."""
    taken, new = tmp_path / "taken", tmp_path / "new" / "ctx"
    taken.mkdir()
    taken.chmod(0o755)
    monkeypatch.setattr(places, "runtime_folders", lambda: [str(taken), str(new)])
    monkeypatch.setattr(places, "SOCKET_PATH_BYTES_MAX", 400)
    assert str(new) == choose_place(str(tmp_path)).folder
    assert 0o700 == new.stat().st_mode & 0o777


def test_no_folder_at_all_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names each folder with what is wrong with it, and what to do."""
    (tmp_path / "file").touch()
    monkeypatch.setattr(places, "runtime_folders", lambda: [str(tmp_path / "file" / "ctx")])
    monkeypatch.setattr(places, "SOCKET_PATH_BYTES_MAX", 400)
    with pytest.raises(CtxError, match=r"cannot be made.*set XDG_RUNTIME_DIR"):
        choose_place(str(tmp_path))


def test_other_systems_have_no_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a fork is not safe, start says so."""
    monkeypatch.setattr(front, "can_host", lambda: False)
    with pytest.raises(CtxError, match="needs Linux"):
        choose_place(str(tmp_path))
