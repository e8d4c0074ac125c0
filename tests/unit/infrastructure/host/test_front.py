"""Where the front puts its socket; its life is in tests/integration/test_daemon.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ctx.domain.errors import CtxError
from ctx.infrastructure.host import front, places
from ctx.infrastructure.host.front import choose_place

if TYPE_CHECKING:
    from pathlib import Path


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
