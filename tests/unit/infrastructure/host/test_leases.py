"""Who uses a host, and how the front learns of it."""

from __future__ import annotations

from typing import Any

from ctx.infrastructure.host.leases import FACE_CHARS_MAX, Leases
from ctx.infrastructure.host.shared_figures import SharedFigures


class Holder:
    """A connection that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def tell(self, content: dict[str, Any]) -> None:
        """Take it."""
        self.told.append(content)


def test_the_front_sees_how_many_there_are() -> None:
    """Each holder counts once; who lets go of nothing changes nothing."""
    figures = SharedFigures()
    leases = Leases(figures)
    assert (0, False) == (figures.get("leases"), leases.awaits_texts())
    one, two = Holder(), Holder()
    leases.take(one, "lsp", 11)
    leases.take(two, "x" * 100, 12)
    leases.take(one, "lsp", 11)
    assert (2, [one, two]) == (figures.get("leases"), leases.holders())
    assert [("lsp", 11), ("x" * FACE_CHARS_MAX, 12)] == [(row["face"], row["pid"]) for row in leases.status()]
    assert (True, False) == (leases.release(one), leases.release(one))
    assert (1, False, True) == (figures.get("leases"), leases.has(one), leases.has(two))


def test_those_of_a_backend_that_died_are_awaited_with_their_texts() -> None:
    """Each counts as one that uses the host until it is back and has given them, or is not expected any more."""
    figures = SharedFigures()
    figures.set("leases", 2)
    leases = Leases(figures)
    one, two, three = Holder(), Holder(), Holder()
    leases.take(one, "lsp", 11)
    assert (2, True) == (figures.get("leases"), leases.awaits_texts())
    for _ in range(2):
        leases.note_given(one)
        assert (1, True) == (figures.get("leases"), leases.awaits_texts())
    for holder in (two, three):
        leases.take(holder, "mcp", 12)
    leases.note_given(two)
    assert (3, False) == (figures.get("leases"), leases.awaits_texts())
    again = Leases(figures)
    assert (3, True) == (figures.get("leases"), again.awaits_texts())
    again._awaited_until_s = 0.0
    assert (False, 0) == (again.awaits_texts(), figures.get("leases"))


def test_who_leaves_a_backend_that_ends_is_awaited_by_the_next() -> None:
    """It leaves because the backend ends."""
    figures = SharedFigures()
    leases = Leases(figures)
    one = Holder()
    leases.take(one, "lsp", 11)
    leases.end()
    assert (True, []) == (leases.release(one), leases.holders())
    assert (1, True) == (figures.get("leases"), Leases(figures).awaits_texts())
