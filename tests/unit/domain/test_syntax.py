"""Values of syntax: what a line is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ctx.domain.syntax import NameUse, first_name

if TYPE_CHECKING:
    from ctx.domain.syntax import Role


def use(name: str, role: Role) -> NameUse:
    return NameUse(name, role, 1, 1, 0, len(name))


def test_a_line_is_about_what_it_defines_then_calls_then_its_first_name() -> None:
    """A definition beats a call, a call beats what stands first; a line without names is about nothing."""
    first, call, definition = use("a", "other"), use("f", "call"), use("g", "definition")
    assert definition == first_name((first, call, definition))
    assert call == first_name((first, call))
    assert first == first_name((first,))
    assert first_name(()) is None
