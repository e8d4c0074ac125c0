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
    figures.set("leases", 7)  # of a backend that died
    leases = Leases(figures)
    assert 0 == figures.get("leases")
    one, two = Holder(), Holder()
    leases.take(one, "lsp", 11)
    leases.take(two, "x" * 100, 12)
    leases.take(one, "lsp", 11)
    assert (2, [one, two]) == (figures.get("leases"), leases.holders())
    assert [("lsp", 11), ("x" * FACE_CHARS_MAX, 12)] == [(row["face"], row["pid"]) for row in leases.status()]
    assert (True, False) == (leases.release(one), leases.release(one))
    assert (1, False, True) == (figures.get("leases"), leases.has(one), leases.has(two))
