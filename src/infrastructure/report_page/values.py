"""The report document, walked so that each value knows where in it it stands.

What a cell shows carries its place as a JSON Pointer (RFC 6901) in `data-p`: sorting in the page goes by the embedded
document, and a test can compare every number that is shown with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .markup import Markup, tag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Value:
    """A value of the document and its pointer; what is not there is None."""

    __slots__ = ("pointer", "raw")

    def __init__(self, raw: Any, pointer: str = "") -> None:
        self.raw = raw
        self.pointer = pointer

    def __getitem__(self, key: str | int) -> Value:
        """Return the member or item."""
        found = self.raw[key] if isinstance(key, int) else (self.raw or {}).get(key)
        return Value(found, f"{self.pointer}/{str(key).replace('~', '~0').replace('/', '~1')}")

    def __iter__(self) -> Iterator[Value]:
        """Yield the items of a list; none when it is not there."""
        return (self[at] for at in range(len(self.raw or ())))

    def __bool__(self) -> bool:
        return bool(self.raw)

    def members(self) -> Iterator[tuple[str, Value]]:
        """Yield the members of an object with their names."""
        return ((key, self[key]) for key in self.raw or ())

    def shown(self, write: Callable[[Any], str] = str) -> Markup:
        """Return the value as people read it, marked with its place."""
        return tag("span", write(self.raw), data_p=self.pointer)


def name(text: object, *, empty: str = "(none)") -> Markup:
    """Return a text of the user's, set apart so that its direction of writing touches nothing around it."""
    return tag("bdi", text, class_="name") if str(text) else tag("span", empty, class_="quiet")
