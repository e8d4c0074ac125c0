"""One holder at a time, seen without being disturbed, also in copies of the process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ctx.domain.errors import CtxError
from ctx.infrastructure.host.host_lock import HostLock, HostRunsError, holder_of


def test_one_holder_who_can_be_seen(tmp_path: Path) -> None:
    """The second is refused, whoever asks learns the process, and a released lock leaves no file."""
    path = str(tmp_path / "host.lock")
    assert holder_of(path) is None
    lock = HostLock(path)
    assert os.getpid() == holder_of(path)
    with pytest.raises(HostRunsError):
        HostLock(path)
    lock.release()
    assert holder_of(path) is None
    assert not Path(path).exists()
    HostLock(path).release()


def test_a_file_without_holder_is_taken_over(tmp_path: Path) -> None:
    """What a killed host left behind is no lock."""
    path = tmp_path / "host.lock"
    path.write_text("12345\n")
    assert holder_of(str(path)) is None
    lock = HostLock(str(path))
    assert f"{os.getpid()}\n" == path.read_text()
    lock.release()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """A lock that is a link is an error, and what it points to is not touched."""
    target = tmp_path / "target"
    target.write_text("precious")
    path = tmp_path / "host.lock"
    path.symlink_to(target)
    with pytest.raises(CtxError, match="is a link"):
        HostLock(str(path))
    assert holder_of(str(path)) is None
    assert "precious" == target.read_text()


def test_it_lives_as_long_as_a_copy_has_it(tmp_path: Path) -> None:
    """A copy of the process that keeps the descriptor keeps the lock; the front's copies close it for that reason."""
    path = str(tmp_path / "host.lock")
    lock = HostLock(path)
    copy = os.dup(lock.fd)
    os.close(lock.fd)
    assert holder_of(path) is not None
    os.close(copy)
    assert holder_of(path) is None


def test_release_leaves_the_file_of_the_next_holder(tmp_path: Path) -> None:
    """Whoever removes the folder of a host that runs can start another one, and the end of the first hides it not."""
    path = tmp_path / "host.lock"
    first = HostLock(str(path))
    path.unlink()
    second = HostLock(str(path))
    first.release()
    assert os.getpid() == holder_of(str(path))
    second.release()
    assert not path.exists()


def test_the_process_is_not_told_before_the_holder_wrote_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until then the file has that of a host that was killed, which may be anybody's now."""
    path = tmp_path / "host.lock"
    path.write_text("12345\n")
    seen = []
    ftruncate = os.ftruncate

    def slow(fd: int, length: int) -> None:
        seen.append(holder_of(str(path)))
        ftruncate(fd, length)

    monkeypatch.setattr(os, "ftruncate", slow)
    lock = HostLock(str(path))
    seen.append(holder_of(str(path)))
    lock.release()
    assert [0, os.getpid()] == seen
