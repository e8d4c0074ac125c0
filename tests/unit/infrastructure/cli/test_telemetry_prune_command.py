"""`ctx telemetry prune`, in process."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from tests.event_lines import ToldRun, write_segment

from ctx.infrastructure.cli import telemetry_prune_command
from ctx.infrastructure.cli.telemetry_prune_command import PruneOptions, run_prune

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import ModuleType


@pytest.fixture
def telemetry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five rotated files of years ago and a live one."""
    monkeypatch.delenv("CTX_SEGMENT", raising=False)
    for name in ("STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / "home" / name))
    return write_segment(tmp_path / "segment", *[ToldRun().tell("a", at).events for at in range(6)])


def run(telemetry: Path, *, as_json: bool = False, **options: Any) -> int:
    default: dict[str, Any] = {
        "places": (),
        "keep": None,
        "older_than": "",
        "everything": False,
        "dry_run": False,
        "recursive": False,
    }
    return run_prune(PruneOptions(**default | options), segment=str(telemetry.parent.parent), as_json=as_json)


def test_what_was_removed_is_said(telemetry: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Each file with its bytes, the sum, and that there is no way back; then there is nothing left to remove."""
    sizes = [(telemetry / f"events.{number}.jsonl").stat().st_size for number in (1, 2)]
    assert 0 == run(telemetry)
    lines = capfd.readouterr().out.splitlines()
    assert [
        f"{telemetry}/events.1.jsonl  {sizes[0]} bytes",
        f"{telemetry}/events.2.jsonl  {sizes[1]} bytes",
        f"2 files, {sum(sizes)} bytes removed; they cannot be brought back",
    ] == lines
    assert 0 == run(telemetry)
    assert "nothing to remove\n" == capfd.readouterr().out


def test_a_dry_run_only_says_it(telemetry: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """As JSON, too."""
    assert 0 == run(telemetry, keep=4, dry_run=True)
    assert "1 file, " in (out := capfd.readouterr().out)
    assert "bytes would be removed; once removed, they cannot be brought back" in out
    assert 0 == run(telemetry, everything=True, dry_run=True, as_json=True)
    document = json.loads(capfd.readouterr().out)
    assert ("ctx.telemetry_prune/1", True, 6, 6, []) == (
        document["schema"],
        document["dry_run"],
        document["files"],
        len(document["removed"]),
        document["left"],
    )
    assert 6 == len([name for name in os.listdir(telemetry) if name.endswith(".jsonl")])


def test_an_age_takes_only_what_is_older(telemetry: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing is older than the beginning of time; together with --keep the newest stay."""
    for age in ("200000w", "99999999w"):
        assert 0 == run(telemetry, older_than=age, dry_run=True)
        assert "nothing to remove\n" == capfd.readouterr().out
    assert 0 == run(telemetry, older_than="1d", keep=2)
    assert "3 files" in capfd.readouterr().out
    assert 0 == run(telemetry, older_than="1d")
    assert ["events.jsonl", "events.jsonl.lock"] == sorted(os.listdir(telemetry))


def test_without_telemetry_there_is_nothing_to_do(tmp_path: Path, telemetry: Path) -> None:
    """No folder is made."""
    (tmp_path / "empty").mkdir()
    assert 0 == run(telemetry, places=(str(tmp_path / "empty"),), everything=True)
    assert [] == os.listdir(tmp_path / "empty")


def test_what_was_left_is_said_with_the_reason(telemetry: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Exit code 3."""
    (telemetry / "events.0.jsonl").symlink_to("/etc/passwd")
    assert 3 == run(telemetry)
    assert "events.0.jsonl: left as it is (is a link)" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"everything": True, "keep": 1}, "--all removes everything"),
        ({"everything": True, "older_than": "1d"}, "--all removes everything"),
        ({"older_than": "soon"}, "--older-than must be an age (12h, 7d, 2w), found 'soon'"),
    ],
)
def test_mistakes_are_one_line(
    telemetry: Path, capfd: pytest.CaptureFixture[str], options: dict[str, Any], message: str
) -> None:
    """Exit code 2, nothing removed."""
    assert 2 == run(telemetry, **options)
    assert message in capfd.readouterr().err
    assert 6 == len(os.listdir(telemetry))


def test_an_interrupt_a_closed_pipe_and_a_full_disk(
    telemetry: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    on_refusing_outputs: Callable[[Callable[[], int]], list[int]],
) -> None:
    """130, quiet, one line."""
    assert [0, 3] == on_refusing_outputs(lambda: run(telemetry, as_json=True))

    def interrupt(*_args: object, **_keys: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(telemetry_prune_command, "folders_of", interrupt)
    assert 130 == run(telemetry)
    assert "standard output: cannot be written" in capfd.readouterr().err


def test_what_cannot_be_read_is_not_said_to_be_the_output(
    telemetry: Path, says_unreadable: Callable[[ModuleType, str, Callable[[], int]], None]
) -> None:
    """A folder without permission: exit code 3 and the place."""
    says_unreadable(telemetry_prune_command, "folders_of", lambda: run(telemetry))
