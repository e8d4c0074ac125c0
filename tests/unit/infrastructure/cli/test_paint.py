"""Colour and control characters: on a terminal, in a pipe, and where colour is unwanted."""

from __future__ import annotations

import io

import pytest

from ctx.infrastructure.cli.paint import Painter


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _colourful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def test_colour_on_a_terminal() -> None:
    """The words stand between an escape sequence and its end."""
    painted = Painter(Terminal())("path", "a.py")
    assert painted.startswith("\x1b[")
    assert "a.py" in painted
    assert painted.endswith("\x1b[0m")


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_colour_where_it_is_unwanted(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """NO_COLOR with any value and a dumb terminal get plain words."""
    monkeypatch.setenv(name, value)
    assert "a.py" == Painter(Terminal())("path", "a.py")


def test_empty_no_color_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """By no-color.org an empty variable does not count."""
    monkeypatch.setenv("NO_COLOR", "")
    assert "\x1b[" in Painter(Terminal())("path", "a.py")


def test_a_pipe_gets_plain_words_and_whole_text() -> None:
    """In a pipe nothing is painted and nothing of a file's text is changed."""
    painter = Painter(io.StringIO())
    assert "a.py" == painter("path", "a.py")
    assert "\x1b[2J\x07\x00" == painter.safe("\x1b[2J\x07\x00")


@pytest.mark.parametrize("control", ["\x00", "\x07", "\x08", "\x0b", "\x0c", "\r", "\x1b", "\x7f", "\x85", "\x9b"])
def test_a_terminal_gets_no_control_characters(control: str) -> None:
    """What could move the cursor or set the title is shown as a replacement; tab and newline stay."""
    assert "a\N{REPLACEMENT CHARACTER}b\tc\n" == Painter(Terminal()).safe(f"a{control}b\tc\n")
    assert control not in Painter(Terminal())("path", f"a{control}b")[4:-4]


def test_numbers_are_painted_too() -> None:
    """Anything with a text form can be painted."""
    assert "12" == Painter(io.StringIO())("number", 12)
