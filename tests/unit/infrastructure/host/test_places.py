"""Where a host's sockets are, and which folders are trusted."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from ctx.infrastructure.host.places import SOCKET_PATH_BYTES_MAX, is_private, is_switched_on, places, runtime_folders

if TYPE_CHECKING:
    from pathlib import Path


def test_the_runtime_folder_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """XDG_RUNTIME_DIR when it is absolute, then /tmp; the names are device and inode in hexadecimal."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    found = tmp_path.stat()
    name = f"{found.st_dev:x}-{found.st_ino:x}"
    own = f"/tmp/ctx-{os.geteuid()}"
    assert [f"/run/user/7/ctx/{name}.sock", f"{own}/{name}.sock"] == [place.socket for place in places(found)]
    monkeypatch.setenv("XDG_RUNTIME_DIR", "run/user/7")
    assert [own] == runtime_folders()


def test_paths_that_fit_no_socket_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The longest name in a folder has to fit, counted in bytes."""
    found = tmp_path.stat()
    for folder in ("/" + "x" * 100, "/" + "ü" * 45):
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        assert 1 == len(places(found))
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/" + "x" * 60)
    assert 2 == len(places(found))
    for place in places(found):
        assert max(len(os.fsencode(path)) for path in (place.socket, place.backend)) <= SOCKET_PATH_BYTES_MAX


def test_only_a_folder_of_ours_alone_is_private(tmp_path: Path) -> None:
    """Not one that others may enter, no link to one, no file, nothing that is absent."""
    good = tmp_path / "good"
    good.mkdir(mode=0o700)
    assert is_private(str(good))
    open_one = tmp_path / "open"
    open_one.mkdir()
    open_one.chmod(0o750)
    link = tmp_path / "link"
    link.symlink_to(good)
    file = tmp_path / "file"
    file.touch(mode=0o600)
    for path in (open_one, link, file, tmp_path / "absent"):
        assert not is_private(str(path)), path


@pytest.mark.parametrize(("value", "is_on"), [("", True), ("on", True), ("off", False), ("OFF", False), ("0", False)])
def test_the_switch(value: str, is_on: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """CTX_DAEMON=off and its spellings switch hosts off."""
    monkeypatch.setenv("CTX_DAEMON", value)
    assert is_on == is_switched_on()
