"""metrics.json under its lock."""

from __future__ import annotations

import fcntl
from typing import TYPE_CHECKING

import pytest

from ctx.infrastructure import metrics_file
from ctx.infrastructure.metrics_file import add_counters, metrics_lock, read_counters

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def no_damage() -> Mapping[str, int]:
    pytest.fail("the file is whole")


def test_increments_are_added(tmp_path: Path) -> None:
    """To what is there; a counter of 0 is shown, one that did not move is kept."""
    add_counters(str(tmp_path), {"a": 1, "b": 0}, on_damage=no_damage)
    add_counters(str(tmp_path), {"a": 2, "b": 0, "c": 5}, on_damage=no_damage)
    assert read_counters(str(tmp_path)) == {"a": 3, "b": 0, "c": 5}


def test_no_file_is_no_damage(tmp_path: Path) -> None:
    """The first run starts from nothing."""
    assert read_counters(str(tmp_path)) == {}


@pytest.mark.parametrize("kind", ["link", "nesting"])
def test_what_is_not_ours_is_told_apart(tmp_path: Path, kind: str) -> None:
    """A link is not followed, absurd nesting not read."""
    if kind == "link":
        (tmp_path / "metrics.json").symlink_to("/etc/hostname")
    else:
        (tmp_path / "metrics.json").write_text("[" * 100_000)
    assert read_counters(str(tmp_path)) is None


def test_left_temporary_file_is_no_obstacle(tmp_path: Path) -> None:
    """A killed process leaves at most one, and the next replaces it."""
    (tmp_path / "metrics.json.tmp").write_text("half")
    add_counters(str(tmp_path), {"a": 1}, on_damage=no_damage)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["metrics.json"]


def test_lock_held_elsewhere_is_a_timeout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopped process does not stop others for ever."""
    monkeypatch.setattr(metrics_file, "LOCK_PATIENCE_NS", 1)
    with metrics_lock(str(tmp_path)), pytest.raises(TimeoutError), metrics_lock(str(tmp_path)):
        pytest.fail("held twice")
    with open(tmp_path / "metrics.json.lock", "rb") as free:
        fcntl.flock(free, fcntl.LOCK_EX | fcntl.LOCK_NB)
