"""Tests of ctx.infrastructure.editor.status, on a manual loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.editor_parts import HeardProtocol, ManualLoop, RecordingRoot

from ctx.infrastructure.editor.client import EditorClient
from ctx.infrastructure.editor.options import options_of
from ctx.infrastructure.editor.status import (
    INDEXING_SHOWN_AFTER_S,
    STATUS_AFTER_S,
    WARMING_LOOK_EVERY_S,
    StatusDisplay,
    status_of,
)

if TYPE_CHECKING:
    from pathlib import Path


class Shown:
    """A display with one root, and what the client hears of it."""

    def __init__(self, folder: Path) -> None:
        self.protocol, self.loop, self.root = HeardProtocol(), ManualLoop(), RecordingRoot(folder)
        self.client = EditorClient(self.protocol)  # type: ignore[arg-type]
        self.client.capabilities = {"window": {"workDoneProgress": True}}
        self.display = StatusDisplay(self.client, self.loop)  # type: ignore[arg-type]

    def add(self) -> None:
        self.display.add(self.root)  # type: ignore[arg-type]

    def changed(self) -> None:
        self.display.changed(self.root)  # type: ignore[arg-type]

    def states(self) -> list[str]:
        return [params["state"] for method, params in self.protocol.told if method == "ctx/status"]

    def progress(self) -> list[str]:
        """Return the kinds of progress; the client agrees to all of it."""
        for _method, _params, future in self.protocol.asked:
            if not future.done():
                future.set_result(None)
        return [params["value"]["kind"] for method, params in self.protocol.told if method == "$/progress"]


@pytest.fixture
def shown(tmp_path: Path) -> Shown:
    """A root that is indexed, and not added yet."""
    return Shown(tmp_path)


def test_status_is_told_when_it_changed(shown: Shown) -> None:
    """Once for several changes at a time, and not again while it stays what it is."""
    shown.add()
    shown.changed()
    shown.loop.advance_s(STATUS_AFTER_S)
    shown.changed()
    shown.loop.advance_s(STATUS_AFTER_S)
    shown.root.state = "fallback"
    shown.changed()
    shown.loop.advance_s(STATUS_AFTER_S)
    assert ["ready", "fallback"] == shown.states()


def test_status_that_is_not_wanted_is_not_told(shown: Shown) -> None:
    """The option is the editor's."""
    shown.client.options = options_of({"status": False})[0]
    shown.add()
    shown.loop.advance_s(STATUS_AFTER_S)
    assert [] == shown.states()


def test_first_index_is_shown_when_it_takes_long(shown: Shown) -> None:
    """One that is there at once is not worth a word; one that is not is ended by the root's own."""
    shown.root.is_indexed = False
    shown.add()
    assert [] == shown.progress()
    shown.loop.advance_s(INDEXING_SHOWN_AFTER_S)
    shown.display.index_progress(shown.root, 5, 10)  # type: ignore[arg-type]
    assert ["begin"] == shown.progress()
    shown.root.is_indexed = True
    shown.changed()
    assert ["begin", "end"] == shown.progress()


def test_warming_server_is_looked_at_until_it_is_ready(shown: Shown) -> None:
    """A host tells nobody that a server of its own is ready."""
    shown.add()
    shown.root.warming = "scripted"
    shown.changed()
    shown.changed()
    looks = []
    for warming in ("scripted", ""):
        shown.loop.advance_s(WARMING_LOOK_EVERY_S)
        looks.append(shown.root.looks)
        shown.root.warming = warming
        shown.changed()
    assert ([1, 2], ["begin", "end"]) == (looks, shown.progress())


def test_server_that_nobody_knows_of_is_looked_at_again(shown: Shown) -> None:
    """A host that does not answer may have one that is warming up; no look follows once it has answered."""
    shown.add()
    looks = []
    for knows in (False, False, True):
        shown.root.knows_servers = knows
        shown.changed()
        shown.loop.advance_s(WARMING_LOOK_EVERY_S)
        looks.append(shown.root.looks)
    assert [1, 2, 2] == looks


@pytest.mark.parametrize(("last_server", "looks"), [("not_ready", 1), ("timeout", 1), ("crashed", 0), ("", 0)])
def test_server_that_did_not_answer_is_looked_at(shown: Shown, last_server: str, looks: int) -> None:
    """It may be warming up anew."""
    shown.add()
    shown.root.last_server = last_server
    shown.changed()
    assert looks == shown.root.looks


def test_nothing_is_told_of_a_root_that_is_gone(shown: Shown) -> None:
    """What was due is left out, its progress ends."""
    shown.root.is_indexed = False
    shown.add()
    shown.display.index_progress(shown.root, 5, 10)  # type: ignore[arg-type]
    shown.display.drop(shown.root)  # type: ignore[arg-type]
    shown.changed()
    shown.display.index_progress(shown.root, 6, 10)  # type: ignore[arg-type]
    shown.loop.advance_s(10)
    assert ([], ["begin", "end"]) == (shown.states(), shown.progress())


@pytest.mark.parametrize(
    ("values", "detail", "server"),
    [
        ({"state": "indexing"}, "making the index; outlines are there", ""),
        ({"state": "warming", "warming": "scripted"}, "scripted is warming up", "scripted"),
        ({"state": "fallback", "failure": "the disk is gone"}, "the disk is gone", ""),
        ({"state": "fallback", "last_server": "crashed"}, "the language server failed (crashed)", ""),
        ({"state": "ready", "servers": [{"name": "scripted", "state": "ready"}]}, "scripted", "scripted"),
        ({"state": "ready"}, "Tree-sitter and the index answer", ""),
    ],
)
def test_status_says_what_a_state_means(shown: Shown, values: dict[str, Any], detail: str, server: str) -> None:
    """In words for a person, with the server that it is about."""
    for name, value in values.items():
        setattr(shown.root, name, value)
    status = status_of(shown.root)  # type: ignore[arg-type]
    assert ("ctx.status/1", values["state"], server) == (status["schema"], status["state"], status["server"])
    assert status["detail"].startswith(detail)
