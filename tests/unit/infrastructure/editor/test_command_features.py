"""Tests of ctx.infrastructure.editor.command_features: what a command is about, not what it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from lsprotocol import types
from tests.editor_parts import AskingEditor, RecordingRoot

from ctx.domain.errors import UsageError
from ctx.infrastructure.editor.command_features import CommandFeatures
from ctx.infrastructure.editor.options import options_of

if TYPE_CHECKING:
    from pathlib import Path


class Commanding(AskingEditor):
    """Two roots, `a.py` in the first of them, not open."""

    def __init__(self, folder: Path) -> None:
        self.first, self.second = RecordingRoot(folder), RecordingRoot(folder / "second")
        super().__init__(self.first, self.second)
        (folder / "a.py").write_text("on_disk = '🛒'; other = 1\n")
        self.uri = (folder / "a.py").as_uri()
        known: Any = self.roots
        self.features = CommandFeatures(self.client, self.documents, known, self.sync, self.questions)

    def execute(self, command: str, *arguments: Any) -> Any:
        return self.features.execute_command(types.ExecuteCommandParams(command, list(arguments)))

    def told(self) -> list[tuple[str, dict[str, Any]]]:
        """Return what the first root was asked, as telemetry is told of it."""
        return [(asked.cmd, asked.args) for asked, _work, _future in self.first.asked]


@pytest.fixture
def commanding(fresh_segment: Path) -> Commanding:
    """An editor without open documents."""
    return Commanding(fresh_segment)


def test_place_of_a_document_is_a_selector(commanding: Commanding) -> None:
    """In the client's units; of a file on disk, and of the text that is open."""
    commanding.execute("ctx.refs", {"uri": commanding.uri, "position": {"line": 0, "character": 17}})
    commanding.documents.open(commanding.uri, "python", 1, "\nopen = 1\n")
    commanding.execute("ctx.refs", {"uri": commanding.uri, "position": {"line": 1, "character": 2}})
    assert ["a.py:1:17", "a.py:2:3"] == [args["symbol_query"] for _cmd, args in commanding.told()]


def test_lens_hands_its_figures_back(commanding: Commanding) -> None:
    """The one argument of its command is the command's own, but for what it shows."""
    figures = {"refs": 1, "certain": 1, "complete": True, "tokens": 5}
    place = {"uri": commanding.uri, "position": {"line": 0, "character": 0}}
    commanding.execute("ctx.refs", {**place, "selector": "a.py:1:1", **figures})
    assert [("ctx.refs", {"symbol_query": "a.py:1:1"})] == commanding.told()


@pytest.mark.parametrize("place", [{"line": 0}, {"line": "0", "character": 0}, {"line": True, "character": 0}])
def test_place_that_is_none_is_refused(commanding: Commanding, place: dict[str, Any]) -> None:
    """As is one in a file that is not there."""
    with pytest.raises(UsageError):
        commanding.execute("ctx.refs", {"uri": commanding.uri, "position": place})
    with pytest.raises(UsageError):
        commanding.execute("ctx.refs", {"uri": commanding.uri + "x", "position": {"line": 0, "character": 0}})


def test_command_sees_every_text_as_it_is_now(commanding: Commanding) -> None:
    """What was typed a moment ago is told to the segment before it is asked."""
    document = commanding.documents.open(commanding.uri, "python", 1, "")
    commanding.documents.change(document.uri, 2, [types.TextDocumentContentChangeWholeDocument("x = 1\n")])
    commanding.execute("ctx.search", "x")
    assert ([("a.py", "x = 1\n")], 1) == (commanding.first.unsaved, len(commanding.first.asked))


def test_restart_is_of_one_root_or_of_all(commanding: Commanding) -> None:
    """It is answered when they are open again."""
    one = commanding.execute("ctx.restart", {"root": "segment"})
    every = commanding.execute("ctx.restart")
    assert (["segment"], ["segment", "second"]) == (one["restarted"], every["restarted"])
    assert [commanding.first, commanding.first, commanding.second] == commanding.roots.restarted


def test_what_is_no_command_is_refused(commanding: Commanding) -> None:
    """So is every one when they are switched off."""
    with pytest.raises(UsageError, match="is no command of ctx's"):
        commanding.execute("ctx.noSuchCommand")
    commanding.client.options = options_of({"commands": False})[0]
    with pytest.raises(UsageError):
        commanding.execute("ctx.search", "x")
