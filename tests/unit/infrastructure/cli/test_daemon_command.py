"""`ctx daemon`: which settings a host keeps from its start, and what its status says of the index."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import pytest

from ctx.infrastructure.cli import daemon_command, reports
from ctx.infrastructure.cli.daemon_command import changed_settings, run_start, run_status, run_stop
from ctx.infrastructure.config import host_settings, load_config
from ctx.infrastructure.host.backend_link import BackendLink
from ctx.infrastructure.host.handover import installation
from ctx.infrastructure.host.places import HostPlace
from ctx.infrastructure.services import Services

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def _set(segment: Path, text: str) -> None:
    (segment / "_ctx").mkdir(exist_ok=True)
    (segment / "_ctx/config.toml").write_text(text)


def test_settings_that_a_host_keeps_are_named_when_they_change(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those it reads at its start, in the order of the table; what each command reads itself is not among them."""
    known = {"settings": host_settings(load_config(str(shop), {}))}
    assert [] == changed_settings(str(shop), known)
    _set(shop, '[lsp]\nenabled = false\n[search]\nlimit = 3\n[telemetry]\nlevel = "off"\n')
    assert [] == changed_settings(str(shop), known)
    _set(shop, '[daemon]\nidle_minutes = 5\n[lsp]\nwarm = ["ty"]\n[index]\nignore = ["*.min.js"]\n')
    assert ["index.ignore", "lsp.warm", "daemon.idle_minutes"] == changed_settings(str(shop), known)
    monkeypatch.setenv("CTX_LSP_WARM", "pyright:ty")
    monkeypatch.setenv("CTX_DAEMON_IDLE_MINUTES", "30")
    monkeypatch.setenv("CTX_INDEX_IGNORE", "")
    assert ["index.ignore", "lsp.warm"] == changed_settings(str(shop), known)


def test_nothing_is_said_of_settings_that_are_not_known(shop: Path) -> None:
    """Of a file that is no TOML others complain, and a host of an older release does not tell its settings."""
    assert [] == changed_settings(str(shop), {})
    _set(shop, "[lsp\n")
    assert [] == changed_settings(str(shop), {"settings": {"lsp.warm": ["ty"]}})


_INDEX = {"is_clean": False, "generation": "", "is_exact": False, "folders": 0, "updates": 0, "ended": ""}


@pytest.mark.parametrize(
    ("index", "said"),
    [
        ({}, "its first look is under way; commands look themselves meanwhile"),
        ({"generation": "1"}, "not watched; commands look themselves"),
        ({"updates": 1}, "not watched; commands look themselves"),
        ({"ended": "the disk is full"}, "not watched; commands look themselves"),
        ({"generation": "1", "is_exact": True}, "watched; being brought up to date"),
        ({"generation": "1", "is_exact": True, "is_clean": True}, "watched and up to date"),
    ],
)
def test_status_tells_a_first_look_from_a_watch_that_failed(
    shop: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    index: dict[str, Any],
    said: str,
) -> None:
    """A host that has just begun is not one without watches."""
    place = HostPlace(str(shop), "host")
    monkeypatch.setattr(daemon_command, "running_host", lambda _segment: (place, 7))
    monkeypatch.setattr(daemon_command, "_asked_status", lambda _place: {"front_pid": 7, "index": {**_INDEX, **index}})
    assert 0 == run_status(segment=str(shop), as_json=False)
    assert f"  index {said}" in capsys.readouterr().out.splitlines()


def test_a_start_that_failed_tells_its_own_reason(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What an earlier host wrote into the log is not taken for it."""
    _set(shop, "")
    (shop / "_ctx/daemon.log").write_text(
        "2026-01-01T00:00:00.000+00:00 front 11 ends: SIGTERM\n2026-01-01T00:00:01.000+00:00 front 4711 no room\n"
    )
    monkeypatch.setattr(daemon_command, "running_host", lambda _segment: (None, 0))
    monkeypatch.setattr(daemon_command, "spawn_host", lambda _segment: 4711)
    monkeypatch.setattr(daemon_command, "_wait_for_answer", lambda *_: None)
    monkeypatch.setattr("ctx.infrastructure.host.front.choose_place", lambda _segment: None)
    assert 3 == run_start(segment=str(shop), as_json=False)
    said = "the warm host ended at its start; its log ends with: 2026-01-01T00:00:01.000+00:00 front 4711 no room"
    assert f"ctx: {said}\n" == capsys.readouterr().err


@pytest.mark.parametrize("is_there", [True, False], ids=["it is about to end", "it has ended"])
def test_a_host_that_ends_all_the_same_is_not_told_as_running(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, is_there: bool
) -> None:
    """It was started for a face and has just lost the last one: another is started in its place."""

    class Ending(BackendLink):
        def call(self, verb: str, content: Mapping[str, Any], *, wait_s: float) -> dict[str, Any]:
            assert (verb, content, wait_s > 0) == ("keep", {}, True)
            return {"error": "it is about to end"}

    place = HostPlace(str(shop), "host")
    found = iter([(place, 7), (place, 7), (place, 7) if is_there else (None, 0), (place, 4_000_001)])
    known = iter([{"front_pid": 7, "installation": os.fsdecode(installation()), "is_kept": False}, {"front_pid": 8}])
    ended: list[int] = []
    monkeypatch.setattr(daemon_command, "running_host", lambda _segment: next(found))
    monkeypatch.setattr(daemon_command, "_asked_status", lambda _place: next(known))
    monkeypatch.setattr(daemon_command, "_end", ended.append)
    monkeypatch.setattr(daemon_command, "spawn_host", lambda _segment: 4_000_001)
    monkeypatch.setattr("ctx.infrastructure.host.front.choose_place", lambda _segment: None)
    monkeypatch.setattr(daemon_command, "BackendLink", Ending)
    assert 0 == run_start(segment=str(shop), as_json=False)
    said = capsys.readouterr()
    assert [7] == ended
    assert "is about to end; it is replaced" in said.err or (not is_there and "has ended; it is replaced" in said.err)
    assert "the warm host is started" in said.out


def test_doctor_tells_a_silent_host_from_none(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was stopped or is still starting runs all the same."""
    found = {}
    for pid in (0, 7):
        monkeypatch.setattr(reports, "host_status", lambda _segment: None)
        monkeypatch.setattr(reports, "running_host", lambda _segment, pid=pid: (None, pid))
        with Services(str(shop)) as services:
            checks = reports.doctor_document(services)["checks"]
        (found[pid],) = (check["found"] for check in checks if check["name"] == "warm host")
    assert "none runs (`ctx daemon start`); commands do their own work" == found[0]
    assert "runs (process 7) and does not answer; `ctx daemon stop` ends it" == found[7]


def test_a_host_that_cannot_be_made_is_told_as_such(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is not taken for an output that cannot be written."""

    def fail(_segment: str) -> int:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(daemon_command, "running_host", lambda _segment: (None, 0))
    monkeypatch.setattr(daemon_command, "spawn_host", fail)
    monkeypatch.setattr("ctx.infrastructure.host.front.choose_place", lambda _segment: None)
    assert 3 == run_start(segment=str(shop), as_json=False)
    said = "the warm host's process could not be made (Resource temporarily unavailable); commands work without"
    assert f"ctx: {said}\n" == capsys.readouterr().err


def test_stop_waits_for_a_host_that_has_not_said_which_process_it_is(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else it would run on, and be called stopped."""
    place = HostPlace(str(shop), "host")
    found = iter([(place, 0), (place, 0), (place, 4_000_001)])
    ended: list[int] = []
    monkeypatch.setattr(daemon_command, "running_host", lambda _segment: next(found))
    monkeypatch.setattr(daemon_command, "_end", ended.append)
    assert 0 == run_stop(segment=str(shop), as_json=False)
    assert [4_000_001] == ended
    assert "the warm host is stopped" in capsys.readouterr().out
