"""Jupyter notebooks as text a person would read and search: their cells' source, without outputs and metadata.

Owns the view of a notebook and how it is cut into chunks. The view has the lines of the file: each line of a cell
stands on the line of the JSON that holds it, a `# %%` line (as in scripts with cells) on the one that opens the cell's
source, and everything else is blank. So line numbers are those of the file itself, as an editor or `git diff` shows
them. Format: nbformat 4 (https://nbformat.readthedocs.io/en/latest/format_description.html).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .source_files import NOTEBOOK
from .symbols import Definition, SkeletonMap

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CELL_QUALNAME = "cell"
"""What a cell goes by that declares nothing and has no heading."""

_SPACE = re.compile(r"[ \t\r\n]*")
_MARKER = re.compile(r"^# %% \[(\S*)\]$", re.MULTILINE)
_HEADING = re.compile(r"^#{1,6}[ \t]+(.*?)[ \t#]*$", re.MULTILINE)
_NOT_IN_ANCHOR = re.compile(r"[^\w\- ]+")
_COMMAND = re.compile(r"^[ \t]*[%!?].*$", re.MULTILINE)
"""Lines that IPython takes for itself; a cell magic (`%%bash`) makes the whole cell another language."""
_LINE_CHARS_MAX = 120
_decode = json.JSONDecoder().raw_decode


class NotebookError(ValueError):
    """A file that is no notebook in the format of today; the message is a phrase that says why."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell in the view: its kind (`markdown`, `raw` or a language) and its lines, marker included."""

    kind: str
    start_line: int
    end_line: int
    source: str


def notebook_view(text: str) -> str:
    """Return the view of a notebook's JSON, with as many lines.

    A notebook that was not written as Jupyter does (one JSON string to a line of source) has no lines of its own: its
    view holds the cells one below the other.

    Raises: NotebookError when it is no JSON, no notebook, or one of a format before 2015.
    """
    try:
        whole, _end = _decode(text, _after(text, 0))
    except ValueError as error:
        raise NotebookError(f"no JSON ({error})") from error
    except RecursionError:
        raise NotebookError("JSON nested too deeply") from None
    if not isinstance(whole, dict) or not isinstance(whole.get("cells"), list):
        raise NotebookError("no list of cells in it")
    language = _language(whole)
    in_place: list[str | None] | None = [None] * (text.count("\n") + 1)
    stacked: list[str] = []
    at, line = 0, 0
    for kind, source, start, strings in _sources(text):
        marker = f"# %% [{language if kind == 'code' else kind}]"
        stacked += [marker, *source.split("\n"), ""]
        line, at = line + text.count("\n", at, start), start
        in_place = in_place and _placed(in_place, line, marker)
        for value, place in strings:
            line, at = line + text.count("\n", at, place), place
            in_place = in_place and _placed(in_place, line, value.removesuffix("\n"))
    return "\n".join(stacked if in_place is None else [row or "" for row in in_place])


def notebook_cells(view: str) -> tuple[Cell, ...]:
    """Return the cells of a view, in order, blank lines at their ends left out."""
    marks = list(_MARKER.finditer(view))
    cells = []
    line, at = 1, 0
    for mark, end in zip(marks, [*(mark.start() for mark in marks[1:]), len(view)], strict=False):
        line, at = line + view.count("\n", at, mark.start()), mark.start()
        source = view[at:end].rstrip()
        cells.append(Cell(mark[1], line, line + source.count("\n"), source))
    return tuple(cells)


def python_of(view: str) -> str:
    """Return what Python's parser may see of a view: code cells in place, everything else blank."""
    rows = view.split("\n")
    kept = [""] * len(rows)
    for cell in notebook_cells(view):
        code = cell.source.partition("\n")[2]
        if cell.kind == "python" and code and not code.lstrip().startswith("%%"):
            kept[cell.start_line : cell.end_line] = _COMMAND.sub("", code).split("\n")
    return "\n".join(kept)


def notebook_outline(view: str, path: str, declared: Sequence[Definition] = ()) -> SkeletonMap:
    """Return a skeleton with one definition a cell, what the cells declare inside it, for `chunks.chunk_code`.

    `declared` are the definitions of `python_of(view)`, with the view's lines.
    """
    definitions: list[Definition] = []
    starts = _line_starts(view)
    for cell in notebook_cells(view):
        inside = [d for d in declared if cell.start_line <= d.start_line <= cell.end_line and d.parent == -1]
        qualname, title = _name_of(cell, inside)
        parent = len(definitions)
        definitions.append(
            Definition(
                "section",
                qualname,
                qualname,
                title,
                (),
                next((d.doc for d in inside if d.doc), ""),
                cell.start_line,
                cell.end_line,
                starts[cell.start_line - 1],
                starts[cell.start_line - 1] + len(cell.source.encode("utf-8", "surrogatepass")),
                cell.start_line,
                -1,
            )
        )
        definitions += [_inside(d, parent) for d in inside]
    return SkeletonMap(path, NOTEBOOK, "ok", tuple(definitions), (), len(view))


def _inside(d: Definition, parent: int) -> Definition:
    return Definition(
        d.kind,
        d.name,
        d.qualname,
        d.signature,
        d.decorators,
        d.doc,
        d.start_line,
        d.end_line,
        d.start_byte,
        d.end_byte,
        d.name_line,
        parent,
        d.has_body,
        d.name_column,
    )


def _name_of(cell: Cell, inside: Sequence[Definition]) -> tuple[str, str]:
    """Return what a cell goes by and a line that tells it: of its first function or class, its heading, its text."""
    body = cell.source.partition("\n")[2]
    told = next((d for d in inside if d.has_body), None)
    if told is not None:
        return told.qualname, told.signature
    heading = _HEADING.search(body) if cell.kind == "markdown" else None
    if heading is not None and heading[1]:
        anchor = _NOT_IN_ANCHOR.sub("", heading[1]).strip().lower().replace(" ", "-")
        return anchor or CELL_QUALNAME, heading[1][:_LINE_CHARS_MAX]
    lines = (line.strip() for line in body.split("\n"))
    return CELL_QUALNAME, next((line[:_LINE_CHARS_MAX] for line in lines if any(c.isalnum() for c in line)), "")


def _line_starts(view: str) -> list[int]:
    starts, at = [], 0
    for row in view.split("\n"):
        starts.append(at)
        at += len(row.encode("utf-8", "surrogatepass")) + 1
    return starts


def _placed(rows: list[str | None], line: int, text: str) -> list[str | None] | None:
    """Put a text on a line of its own; None when that is taken, or the text is more than one line."""
    if rows[line] is not None or "\n" in text:
        return None
    rows[line] = text
    return rows


def _language(notebook: dict[str, Any]) -> str:
    metadata = notebook.get("metadata")
    for section, key in (("language_info", "name"), ("kernelspec", "language")):
        part = metadata.get(section) if isinstance(metadata, dict) else None
        name = part.get(key) if isinstance(part, dict) else None
        if isinstance(name, str) and re.fullmatch(r"[\w+#.-]{1,40}", name):
            return name.lower()
    return "python"


def _sources(text: str) -> Iterator[tuple[str, str, int, list[tuple[str, int]]]]:
    """Yield each cell's kind, its source, where that begins, and the strings it is made of with their places."""
    for key, _value, start in _members(text, _after(text, 0)):
        if key != "cells":
            continue
        for cell, cell_start in _items(text, start):
            if not isinstance(cell, dict):
                continue
            kind = str(cell.get("cell_type", "raw"))
            for name, source, place in _members(text, cell_start):
                if name == "source" and isinstance(source, list) and all(isinstance(part, str) for part in source):
                    if source:
                        yield kind, "".join(source).rstrip("\n"), place, list(_items(text, place))
                elif name == "source" and isinstance(source, str) and source:
                    yield kind, source.rstrip("\n"), place, [(source, place)]


def _members(text: str, at: int) -> Iterator[tuple[str, Any, int]]:
    """Yield (key, value, where the value begins) of the JSON object at a place; the JSON is known to be sound."""
    at = _after(text, at + 1)
    while text[at] != "}":
        key, at = _decode(text, at)
        start = _after(text, _after(text, at) + 1)  # past the colon
        value, at = _decode(text, start)
        yield key, value, start
        at = _past_comma(text, at)


def _items(text: str, at: int) -> Iterator[tuple[Any, int]]:
    """Yield (value, where it begins) of the JSON array at a place."""
    at = _after(text, at + 1)
    while text[at] != "]":
        value, end = _decode(text, at)
        yield value, at
        at = _past_comma(text, end)


def _past_comma(text: str, at: int) -> int:
    at = _after(text, at)
    return _after(text, at + 1) if text[at] == "," else at


def _after(text: str, at: int) -> int:
    """Return the first place from `at` on that is no space."""
    match = _SPACE.match(text, at)
    assert match is not None
    return match.end()
