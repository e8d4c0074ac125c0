"""What the unit tests of the infrastructure share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def fresh_segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty segment of a user without settings, without the machine's language servers, warm host and width."""
    for name in [name for name in os.environ if name.startswith("CTX_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("CONFIG", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / "home" / name))
    monkeypatch.setenv("CTX_LSP_ENABLED", "0")
    monkeypatch.setenv("CTX_DAEMON", "off")
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("CTX_RESOLVE_DEADLINE_MS", "60000")  # however busy the machine
    segment = tmp_path / "segment"
    segment.mkdir()
    return segment


@pytest.fixture
def refuse_link(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Make a link one that may not be read, as those of another's process in /proc are."""
    read = os.readlink

    def refuse(link: Path) -> None:
        def readlink(path: str | bytes, **options: int) -> str | bytes:
            if os.fsdecode(path) == str(link):
                raise PermissionError(13, "Permission denied", path)
            return read(path, **options)

        monkeypatch.setattr(os, "readlink", readlink)

    return refuse
