"""Where a page may be written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests.fixtures.report_document import small_document

from ctx.domain.errors import UsageError
from ctx.infrastructure.report_page import page, page_place

if TYPE_CHECKING:
    from pathlib import Path


def test_a_new_an_empty_and_an_own_file(tmp_path: Path) -> None:
    """All three may be written; a link stands for what it leads to."""
    new, empty, own = (tmp_path / name for name in ("new.html", "empty.html", "own.html"))
    empty.touch()
    own.write_bytes(page(small_document()))
    (tmp_path / "link.html").symlink_to(own)
    (tmp_path / "dangling.html").symlink_to(new)
    assert [str(new), str(empty), str(own)] == [page_place(str(path)) for path in (new, empty, own)]
    assert [str(own), str(new)] == [page_place(str(tmp_path / name)) for name in ("link.html", "dangling.html")]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("-", "standard output has the report as text"),
        ("folder", "is a directory; name a file in it"),
        ("none/r.html", "there is no such directory"),
        ("none.html/", "there is no such directory"),
        ("other.html", "is there and is no report of ctx"),
        ("fifo", "is there and is no report of ctx"),
        ("other.html/r.html", "cannot be looked at"),
        ("loop.html", "cannot be looked at"),
        ("n" * 300, "cannot be looked at"),
        ("null\0.html", "cannot be looked at"),
    ],
)
def test_other_places_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, why: str) -> None:
    """In one line that says what to do; nothing is touched."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "other.html").write_text("<!DOCTYPE html>\n<title>Mine</title>")
    os.mkfifo("fifo")
    (tmp_path / "loop.html").symlink_to("loop.html")
    with pytest.raises(UsageError, match=why) as raised:
        page_place(name)
    assert "\n" not in str(raised.value)
    assert "<!DOCTYPE html>\n<title>Mine</title>" == (tmp_path / "other.html").read_text()


def test_a_file_that_cannot_be_read_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not known to be a report is kept."""
    path = tmp_path / "secret.html"
    path.write_bytes(page(small_document()))

    def refuse(_path: str, _flags: int) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("ctx.infrastructure.report_page.page_file.open_regular", refuse)
    with pytest.raises(UsageError, match="is no report of ctx"):
        page_place(str(path))


def test_a_pipe_is_no_place_for_a_page() -> None:
    """Such as /dev/stdout, whose real path is no path."""
    reader, writer = os.pipe()
    with pytest.raises(UsageError, match="is there and is no report of ctx"):
        page_place(f"/dev/fd/{writer}")
    os.close(reader)
    os.close(writer)


def test_in_a_deleted_directory_the_whole_path_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said is a way out; a whole path works there, too."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(UsageError, match="the current directory was deleted; change to one that exists, or name the"):
        page_place("r.html")
    assert str(tmp_path / "r.html") == page_place(str(tmp_path / "r.html"))


def test_a_telemetry_folder_is_for_events_alone(tmp_path: Path) -> None:
    """A page of that name would pass for events."""
    folder = tmp_path / "_ctx" / "telemetry"
    folder.mkdir(parents=True)
    with pytest.raises(UsageError, match=r"^--html .*: is in a telemetry folder, which is for events alone"):
        page_place(str(folder / "events.7.jsonl"))
