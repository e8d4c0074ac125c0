"""The log is bounded, redacted, and never in the way."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ctx.infrastructure.host.host_log import HostLog

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_lines_and_redaction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line is time, who, process and text; paths are those of the segment, the home directory is not in it."""
    monkeypatch.setenv("HOME", "/home/somebody")
    log = HostLog(str(tmp_path), "/srv/segment")
    log.write("front", "reads /srv/segment/a.py and /home/somebody/.config/x\nin two lines")
    (line,) = log.tail(5)
    assert "front" in line
    assert "reads a.py and" in line
    assert line.endswith("in two lines")
    for secret in ("somebody", "/srv"):
        assert secret not in line


def test_a_full_log_is_rotated_once(tmp_path: Path) -> None:
    """Two files hold the latest lines, in order, and no more than twice the limit."""
    log = HostLog(str(tmp_path), "/srv/segment", bytes_max=2_000)
    for number in range(200):
        log.write("front", f"line {number}")
    assert {"daemon.log", "daemon.log.1"} >= {path.name for path in tmp_path.iterdir()}
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 4_500
    assert ["line 198", "line 199"] == [line.rpartition("  ")[2][-8:] for line in log.tail(2)]
    assert [] == log.tail(0)


def test_a_log_that_two_processes_find_full_is_rotated_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the second one would put aside is the log that was begun since, in place of the full one."""
    front, backend = (HostLog(str(tmp_path), "/srv/segment", bytes_max=2_000) for _ in range(2))
    for _ in range(10):
        front.write("front", "x" * 150)
    fstat, is_met = os.fstat, iter([True])

    def slow(fd: int) -> os.stat_result:
        found = fstat(fd)
        if found.st_size > 2_000 and next(is_met, False):
            backend.write("backend", "finds it full")
            backend.write("backend", "begins another")
        return found

    monkeypatch.setattr(os, "fstat", slow)
    front.write("front", "x" * 400)
    assert 13 == len(front.tail(99))


def test_a_log_that_cannot_be_written_is_lost(tmp_path: Path) -> None:
    """No folder, or a link in its place: the host goes on, and the link's target stays as it is."""
    HostLog(str(tmp_path / "absent"), "/srv/segment").write("front", "hello")
    target = tmp_path / "target"
    target.write_text("precious")
    (tmp_path / "daemon.log").symlink_to(target)
    HostLog(str(tmp_path), "/srv/segment").write("front", "hello")
    assert "precious" == target.read_text()


def test_a_pipe_in_its_place_is_not_waited_for(tmp_path: Path) -> None:
    """An archive can hold one."""
    os.mkfifo(tmp_path / "daemon.log")
    log = HostLog(str(tmp_path), "/srv/segment")
    log.write("front", "lost")
    assert [] == log.tail(5)
