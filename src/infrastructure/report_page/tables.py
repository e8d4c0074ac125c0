"""Tables of the page: captions, scopes, and cells that know which value of the document they show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .markup import Markup, tag
from .values import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True, slots=True)
class Column:
    """A heading; how a value of the document is written in it, when it is a number."""

    heading: str
    write: Callable[[Any], str] | None = None
    hint: str = ""
    is_sortable: bool = True


Cell = Value | Markup | str


def table(
    caption: str,
    columns: Sequence[Column],
    rows: Sequence[Sequence[Cell]],
    *,
    can_filter: bool = False,
    shows_caption: bool = False,
    class_: str = "",
) -> Markup:
    """Return a table in a box that scrolls by itself when it is wider than the page.

    The first cell of a row is its heading.
    """
    heads = [
        tag(
            "th",
            column.heading,
            scope="col",
            class_="number" if column.write else None,
            title=column.hint or None,
            data_sort=column.is_sortable,
        )
        for column in columns
    ]
    lines = [
        tag("tr", [_cell(column, cell, at) for at, (column, cell) in enumerate(zip(columns, row, strict=True))])
        for row in rows
    ]
    body = tag(
        "table",
        tag("caption", caption, class_=None if shows_caption else "hidden"),
        tag("thead", tag("tr", heads)),
        tag("tbody", lines),
        class_=class_ or None,
        data_filter=can_filter,
    )
    return tag("div", body, class_="scroll", tabindex=0, role="region", aria_label=caption)


def _cell(column: Column, cell: Cell, at: int) -> Markup:
    element = "td" if at else "th"
    scope = None if at else "row"
    if not isinstance(cell, Value):
        return tag(element, cell, scope=scope, class_="number" if column.write else None)
    if column.write is None:
        return tag(element, "" if cell.raw is None else str(cell.raw), scope=scope, data_p=cell.pointer)
    zero = "zero" if cell.raw in {0, None} else None
    classes = " ".join(word for word in ("number", zero) if word)
    return tag(element, column.write(cell.raw), scope=scope, class_=classes, data_p=cell.pointer)


def values_of_plot(caption: str, columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> Markup:
    """Return the table behind a plot, folded away."""
    summary = tag("summary", "Values", tag("span", f" of {caption}", class_="hidden"))
    return tag("details", summary, table(caption, columns, rows, class_="small"), class_="values")


def chips(label: str, parts: Sequence[tuple[object, Value]], write: Callable[[Any], str]) -> Markup:
    """Return a line of names with a figure each: `cli 431 · mcp 204`."""
    shown = [tag("li", tag("bdi", part), " ", tag("b", value.shown(write))) for part, value in parts]
    return tag("ul", shown, class_="chips", aria_label=label) if shown else tag("span", "none", class_="quiet")
