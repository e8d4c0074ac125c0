"""Where a person wants something written."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from ctx.domain.errors import CtxError, UsageError
from ctx.infrastructure import output_file
from ctx.infrastructure.output_file import check_apart, check_target, interrupted_text, output_stream

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def write(
    path: Path,
    data: bytes,
    error: BaseException | type[BaseException] | None = None,
    meanwhile: Callable[[], object] = lambda: None,
) -> None:
    with output_stream(str(path), replaces=path.exists()) as stream:
        stream.write(data)
        meanwhile()
        if error is not None:
            raise error


def test_a_file_is_there_when_it_is_whole(tmp_path: Path) -> None:
    """Not before; nothing else stays."""
    path = tmp_path / "out.csv"
    with output_stream(str(path), replaces=False) as stream:
        stream.write(b"all")
        assert not path.exists()
    assert (b"all", ["out.csv"]) == (path.read_bytes(), os.listdir(tmp_path))


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, BrokenPipeError])
def test_an_interrupted_one_is_not_there(tmp_path: Path, error: type[BaseException]) -> None:
    """Nothing half-written stays, under no name, and what was there before is as it was."""
    path = tmp_path / "out.csv"
    path.write_bytes(b"before")
    with pytest.raises(error):
        write(path, b"half", error)
    assert (b"before", ["out.csv"]) == (path.read_bytes(), os.listdir(tmp_path))


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    """The reason and what to look at."""
    path = tmp_path / "out.csv"
    with pytest.raises(CtxError, match=r"out\.csv: cannot be written \(No space left on device\)"):
        write(path, b"half", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert [] == os.listdir(tmp_path)


def test_what_cannot_be_written_is_said_before_anything_is_read(tmp_path: Path) -> None:
    """A directory, a pipe, a folder that is not there, a file that is, an empty name."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "there").write_text("x")
    for name, message in {
        "": r"is a directory",
        "pipe": r"is no regular file",
        "no/file": r"there is no such directory",
        "there": r"is there already; give another name, or --force",
        "there/x": r"cannot be looked at|no such directory",
        "new/": r"there is no such directory",
    }.items():
        with pytest.raises(UsageError, match=message):
            check_target(f"{tmp_path}/{name}", replaces=False)
    with pytest.raises(UsageError, match="--output is empty"):
        check_target("", replaces=True)
    assert str(tmp_path / "there") == check_target(str(tmp_path / "there"), replaces=True)


def test_what_is_no_path_of_a_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real path of /dev/stdout at a pipe leads nowhere, and it is no regular file all the same."""
    os.mkfifo(tmp_path / "fifo")
    monkeypatch.setattr(os.path, "realpath", lambda _path: str(tmp_path / "pipe:[1]"))
    with pytest.raises(UsageError, match="is no regular file"):
        check_target(str(tmp_path / "fifo"), replaces=True)


@pytest.mark.parametrize("name", ["events.jsonl", "events.99.jsonl", "metrics.json"])
def test_a_telemetry_folder_is_for_events_alone(tmp_path: Path, name: str) -> None:
    """Whatever is written there would replace some, or pass for some; a link to there is no way around it."""
    telemetry = tmp_path / "_ctx" / "telemetry"
    telemetry.mkdir(parents=True)
    (telemetry / "events.jsonl").write_bytes(b"{}\n")
    (tmp_path / "link").symlink_to(telemetry)
    for folder in (telemetry, tmp_path / "link"):
        with pytest.raises(UsageError, match="is in a telemetry folder"):
            check_target(str(folder / name), replaces=True)
    assert b"{}\n" == (telemetry / "events.jsonl").read_bytes()


def test_what_is_read_is_not_written(tmp_path: Path) -> None:
    """By any of its names."""
    events = tmp_path / "taken.jsonl"
    events.write_bytes(b"{}\n")
    (tmp_path / "link").symlink_to(events)
    check_apart(str(tmp_path / "other"), [str(events)])
    for name in ("taken.jsonl", "link"):
        with pytest.raises(UsageError, match="is read for this"):
            check_apart(str(tmp_path / name), [str(events)])


def test_only_what_is_ones_own_is_replaced_unasked(tmp_path: Path) -> None:
    """A file of before that begins as what is written, and an empty one."""
    for name, data in (("own", b"[one"), ("empty", b""), ("else", b"def f")):
        (tmp_path / name).write_bytes(data)
    for name in ("own", "empty", "new"):
        assert str(tmp_path / name) == check_target(str(tmp_path / name), replaces=True, own=b"[")
    with pytest.raises(UsageError, match="is there already and is something else"):
        check_target(str(tmp_path / "else"), replaces=True, own=b"[")


def test_a_name_may_be_as_long_as_the_system_lets_it(tmp_path: Path) -> None:
    """In bytes, of which a letter may have several."""
    path = tmp_path / ("\N{LATIN SMALL LETTER E WITH ACUTE}" * 127)
    write(path, b"all")
    assert [path.name] == os.listdir(tmp_path)


def test_a_link_is_followed(tmp_path: Path) -> None:
    """Whoever names it means where it leads; the link stays one."""
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with output_stream(str(tmp_path / "link"), replaces=False) as stream:
        stream.write(b"x")
    assert (b"x", True) == ((tmp_path / "target").read_bytes(), (tmp_path / "link").is_symlink())


@pytest.mark.parametrize("has_links", [True, False])
def test_a_file_that_came_meanwhile_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool) -> None:
    """Also where a file cannot have two names."""
    if not has_links:
        monkeypatch.setattr(output_file.os, "link", _refuse)
    path = tmp_path / "out"
    with pytest.raises(UsageError, match="came to be there meanwhile"):
        write(path, b"mine", meanwhile=lambda: path.write_bytes(b"theirs"))
    assert (b"theirs", ["out"]) == (path.read_bytes(), os.listdir(tmp_path))


def test_without_second_names_a_file_is_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some file systems have none."""
    monkeypatch.setattr(output_file.os, "link", _refuse)
    with output_stream(str(tmp_path / "out"), replaces=False) as file:
        file.write(b"mine")
    assert ["out"] == os.listdir(tmp_path)


def _refuse(_source: str, _target: str) -> None:
    raise PermissionError(1, "Operation not permitted")


def test_what_a_killed_process_left_is_replaced(tmp_path: Path) -> None:
    """Process numbers come again."""
    (tmp_path / f".out.{os.getpid()}.part").write_bytes(b"left")
    with output_stream(str(tmp_path / "out"), replaces=False) as file:
        file.write(b"new")
    assert (["out"], b"new") == (os.listdir(tmp_path), (tmp_path / "out").read_bytes())


def test_what_others_left_goes_unless_they_live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By their number; a process of somebody else lives, too. Files of other names stay."""
    kept = [".out.csv.1.part", ".out.csv.77.part", ".out.csv.5.partly", ".other.csv.5.part", "out.csv.5.part"]
    for name in (
        *kept,
        ".out.csv.5.part",
        ".out.csv.5.part.rows",
        ".out.csv.5.part-journal",
        ".out.csv.9999999999.part",
    ):
        (tmp_path / name).write_bytes(b"half")
    errors = {1: PermissionError, 5: ProcessLookupError, 9_999_999_999: OverflowError}

    def kill(pid: int, _signal: int) -> None:
        if pid in errors:
            raise errors[pid]

    monkeypatch.setattr(os, "kill", kill)
    write(tmp_path / "out.csv", b"all")
    assert sorted([*kept, "out.csv"]) == sorted(os.listdir(tmp_path))


def test_a_folder_that_cannot_be_listed_is_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was left there before stays."""

    def refuse(_folder: str) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(os, "listdir", refuse)
        write(tmp_path / "out.csv", b"all")
    assert b"all" == (tmp_path / "out.csv").read_bytes()


def test_a_dash_is_standard_output(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Flushed, so that what is wrong with it is told here."""
    with output_stream("-", replaces=False) as stream:
        stream.write(b"x\n")
    assert b"x\n" == capfdbinary.readouterr().out


_OWN = b"<!-- ours"


def test_a_new_an_empty_and_an_own_file(tmp_path: Path) -> None:
    """All three may be written by what knows its own; a link stands for what it leads to."""
    new, empty, own = (tmp_path / name for name in ("new.html", "empty.html", "own.html"))
    empty.touch()
    own.write_bytes(_OWN + b" and more")
    (tmp_path / "link.html").symlink_to(own)
    (tmp_path / "dangling.html").symlink_to(new)

    def place(path: Path) -> str:
        return check_target(str(path), replaces=True, own=_OWN, option="--html")

    assert [str(new), str(empty), str(own)] == [place(path) for path in (new, empty, own)]
    assert [str(own), str(new)] == [place(tmp_path / name) for name in ("link.html", "dangling.html")]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "--html is empty; give a file$"),
        ("folder", "is a directory; give a file in it"),
        ("none/r.html", "there is no such directory"),
        ("none.html/", "there is no such directory"),
        ("other.html", "is there already and is something else; give another name"),
        ("fifo", "is no regular file; give a file$"),
        ("other.html/r.html", "cannot be looked at"),
        ("loop.html", "cannot be looked at"),
        ("n" * 300, "cannot be looked at"),
        ("null\0.html", "cannot be looked at"),
    ],
)
def test_other_places_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, why: str) -> None:
    """In one line that names the option and says what to do; nothing is touched."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "other.html").write_text("<!-- mine")
    os.mkfifo("fifo")
    (tmp_path / "loop.html").symlink_to("loop.html")
    with pytest.raises(UsageError, match=why) as raised:
        check_target(name, replaces=True, own=_OWN, option="--html")
    assert "\n" not in str(raised.value)
    with pytest.raises(UsageError) as again:
        check_target(name, replaces=True, own=_OWN)
    stdout = ", or - for standard output"
    assert str(raised.value) == str(again.value).replace("--output", "--html").removesuffix(stdout)
    assert "<!-- mine" == (tmp_path / "other.html").read_text()


def test_what_cannot_be_read_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not known to be of those that are written is kept."""
    path = tmp_path / "secret.html"
    path.write_bytes(_OWN)

    def refuse(_path: str, _flags: int) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(output_file, "open_regular", refuse)
    with pytest.raises(UsageError, match="is something else"):
        check_target(str(path), replaces=True, own=_OWN)


def test_in_a_deleted_directory_the_whole_path_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said is a way out; a whole path works there, too."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(UsageError, match="the current directory was deleted; change to one that exists, or give the"):
        check_target("r.html", replaces=True)
    assert str(tmp_path / "r.html") == check_target(str(tmp_path / "r.html"), replaces=True)


def test_what_came_meanwhile_is_kept(tmp_path: Path) -> None:
    """What is no file of ours when the writing begins is somebody else's, whatever was there at first."""
    path = tmp_path / "r.html"
    assert str(path) == check_target(str(path), replaces=True, own=_OWN)
    path.write_text("mine")
    with pytest.raises(UsageError, match="is something else"), output_stream(str(path), replaces=True, own=_OWN):
        pass
    assert "mine" == path.read_text()


def test_what_an_interrupt_leaves() -> None:
    """Of standard output nobody knows what was read."""
    assert ("interrupted", "interrupted; nothing was written") == (interrupted_text("-"), interrupted_text("a.csv"))
