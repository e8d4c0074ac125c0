"""Text for terminals: nothing in it steers one, everything else stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctx.domain.terminal_text import without_controls


@pytest.mark.parametrize(
    "steering", ["\x1b", "\x07", "\r", "\x9b", "\x7f", "\u202e", "\u2066", "\u200f", "\u061c", "\U000e0041"]
)
def test_what_steers_a_terminal_is_replaced(steering: str) -> None:
    """Escapes, returns to the line's start, and marks that reorder it."""
    assert "a\N{REPLACEMENT CHARACTER}b" == without_controls(f"a{steering}b")


@given(st.text(st.characters(categories=("L", "N", "P", "S", "Zs"))))
def test_text_stays(text: str) -> None:
    """Letters of any script, tabs and line ends."""
    assert f"\t{text}\n" == without_controls(f"\t{text}\n")
