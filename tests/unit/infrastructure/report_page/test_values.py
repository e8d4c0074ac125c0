"""Values that know where in the document they stand."""

from __future__ import annotations

from ctx.infrastructure.report_page.values import Value, name


def test_a_value_carries_its_pointer() -> None:
    """As RFC 6901 has it, with its two escapes."""
    value = Value({"a": [{"x/y~z": 5}]})["a"][0]["x/y~z"]
    assert (5, "/a/0/x~1y~0z") == (value.raw, value.pointer)
    assert '<span data-p="/a/0/x~1y~0z">5 B</span>' == value.shown(lambda number: f"{number} B")


def test_what_is_not_there_is_none() -> None:
    """Also below something that is not there; it has no items and no members."""
    missing = Value({})["a"]["b"]
    assert None is missing.raw
    assert not missing
    assert ([], []) == (list(missing), list(missing.members()))


def test_items_and_members_in_their_order() -> None:
    """With their places."""
    assert ["/0", "/1"] == [item.pointer for item in Value(["x", "y"])]
    assert [("b", 1), ("a", 2)] == [(key, item.raw) for key, item in Value({"b": 1, "a": 2}).members()]


def test_a_name_is_set_apart() -> None:
    """Its direction of writing stays inside; no name is said as such."""
    assert '<bdi class="name">&lt;b&gt;</bdi>' == name("<b>")
    assert '<span class="quiet">(none)</span>' == name("")
