"""The folders ctx keeps things in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ctx.infrastructure.state_folder import make_ctx_folder, user_cache_dir, user_state_dir

if TYPE_CHECKING:
    from pathlib import Path


def test_folder_ignores_itself(tmp_path: Path) -> None:
    """All but the configuration is kept out of version control."""
    folder = make_ctx_folder(str(tmp_path))
    assert folder == str(tmp_path / "_ctx")
    assert make_ctx_folder(str(tmp_path)) == folder
    assert (tmp_path / "_ctx" / ".gitignore").read_text() == "*\n!.gitignore\n!config.toml\n"


def test_missing_segment_is_not_made(tmp_path: Path) -> None:
    """A directory removed during a run stays removed."""
    with pytest.raises(FileNotFoundError):
        make_ctx_folder(str(tmp_path / "gone"))
    assert list(tmp_path.iterdir()) == []


def test_link_named_gitignore_is_not_written_through(tmp_path: Path) -> None:
    """Somebody else's file at the end of a link stays as it is."""
    (tmp_path / "_ctx").mkdir()
    (tmp_path / "_ctx" / ".gitignore").symlink_to(tmp_path / "target")
    make_ctx_folder(str(tmp_path))
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize(
    ("variable", "function"), [("XDG_STATE_HOME", user_state_dir), ("XDG_CACHE_HOME", user_cache_dir)]
)
def test_xdg_variables_decide(variable: str, function: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """An absolute value is taken; a relative one is invalid by the specification and ignored."""
    assert callable(function)
    monkeypatch.setenv("HOME", "/h")
    below = {"XDG_STATE_HOME": "/h/.local/state/ctx", "XDG_CACHE_HOME": "/h/.cache/ctx"}[variable]
    for value, expected in (("/x", "/x/ctx"), ("relative", below), ("", below)):
        monkeypatch.setenv(variable, value)
        assert function() == expected


@pytest.mark.parametrize("name", ["", "telemetry", "index.db", "index.db-wal", "index.db.lock"])
def test_a_folder_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    """A repository may ship links where ctx writes."""
    outside = tmp_path / "outside"
    outside.mkdir()
    folder = tmp_path / "segment" / "_ctx"
    (folder if name else folder.parent).mkdir(parents=True)
    (folder / name if name else folder).symlink_to(outside)
    with pytest.raises(OSError, match="symbolic link"):
        make_ctx_folder(str(folder.parent))
    assert [] == list(outside.iterdir())
