"""The walk that the thin client and the commands share."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ctx.infrastructure.segment_walk import nearest_segment, real_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize("mark", ["_ctx", ".git"])
def test_the_nearest_mark_wins(tmp_path: Path, mark: str) -> None:
    """The directory that holds it is the segment of everything below; without any, it is the place itself."""
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "a" / mark).mkdir()
    assert str(tmp_path / "a") == nearest_segment(str(inner))
    (inner / ".git").touch()
    assert str(inner) == nearest_segment(str(inner))


def test_a_link_that_may_not_be_read_stays_one(tmp_path: Path, refuse_link: Callable[[Path], None]) -> None:
    """As some of /proc may not be, by root either; what is above it is resolved."""
    (tmp_path / "real").mkdir()
    (tmp_path / "way").symlink_to("real")
    (tmp_path / "real" / "link").symlink_to("nowhere")
    refuse_link(tmp_path / "real" / "link")
    assert str(tmp_path / "real" / "link") == real_path(str(tmp_path / "way" / "link"))
    assert bytes(tmp_path / "real" / "link" / "below") == real_path(bytes(tmp_path / "way" / "link" / "below"))
    assert str(tmp_path / "real" / "nowhere") == real_path(str(tmp_path / "way" / "nowhere"))


def test_the_client_imports_nothing_that_costs() -> None:
    """What a start loads before the host answers: no `typing`, `socket`, `json` or `signal`."""
    script = (
        "import sys; before = set(sys.modules)\n"
        "import ctx.infrastructure.cli.thin_client\n"
        "print(*sorted(set(sys.modules) - before))\n"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    foreign = [name for name in out if name.partition(".")[0] not in {"ctx", "_socket", "__future__"}]
    assert [] == foreign
