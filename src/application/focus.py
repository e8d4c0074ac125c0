"""Focus: the files a person works on, from what they typed, and how near every other file is to them.

Near is what imports lead to in one step, in either direction. What nearness is worth is `domain.ranking` for a search
and `domain.repo_map` for a map.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..domain.errors import NotFoundError, UsageError
from ..domain.source_files import display_path
from .module_index import import_edges

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from ..domain.module_map import ModuleMap
    from ..domain.ports import IndexPort, SegmentFiles

NEAREST_PATHS = 3
IMPORTS_NEARNESS = 0.5
"""Of a file that a focus file imports, or that imports one; a focus file itself has 1."""


def nearness(focus_paths: Iterable[str], index: IndexPort, modules: Callable[[], ModuleMap]) -> dict[str, float]:
    """Return how near files are to the focus: 1.0 for the focus itself, 0.5 for its imports and importers.

    `focus_paths` are paths as the index prints them (see `focus_files`). Files further away are left out.
    """
    focus = dict.fromkeys(focus_paths, 1.0)
    if not focus:
        return {}
    near: dict[str, float] = {}
    for importer, targets in import_edges(index, modules).items():
        if importer in focus:
            near.update(dict.fromkeys(targets, IMPORTS_NEARNESS))
        elif not focus.keys().isdisjoint(targets):
            near[importer] = IMPORTS_NEARNESS
    return near | focus


def focus_files(typed: Iterable[str], known: Collection[str], files: SegmentFiles) -> tuple[str, ...]:
    """Return the indexed files that `--focus` names, each once, in the order given.

    Raises: OutsideSegmentError, NotFoundError (with what is spelled alike) or UsageError for what is no indexed file.
    """
    return tuple(dict.fromkeys(_focus_file(path, known, files) for path in typed))


def _focus_file(path: str, known: Collection[str], files: SegmentFiles) -> str:
    found = indexed_spelling(path, known, files)
    if found not in known:
        raise UsageError(f"--focus {path}: not an indexed file; give a file as `ctx search` prints it")
    return found


def indexed_spelling(path: str, known: Collection[str], files: SegmentFiles) -> str:
    """Return a path that a person typed as the index prints it, a folder's included; "" for the segment itself.

    Raises: OutsideSegmentError; NotFoundError, with what is spelled alike, when nothing is there.
    """
    try:
        return display_path(files.resolve_inside(path))
    except NotFoundError as error:
        nearest = nearest_paths(path, known)
        if not nearest:
            raise
        raise NotFoundError(f"{path}: no such file or folder here; the nearest: {', '.join(nearest)}") from error


def nearest_paths(path: str, known: Collection[str]) -> list[str]:
    """Return files and folders spelled most like a path: by the whole of it, else by its last part."""
    import difflib  # late: only a mistyped path needs it

    folders = {other[: at + 1] for other in known for at, letter in enumerate(other) if letter == "/"}
    places = sorted((*known, *folders))
    close = difflib.get_close_matches(path, places, n=NEAREST_PATHS, cutoff=0.6)
    if close:
        return close
    by_name: dict[str, list[str]] = {}
    for place in places:
        by_name.setdefault(place.rstrip("/").rpartition("/")[2], []).append(place)
    name = path.rstrip("/").rpartition("/")[2]
    named = [place for found in difflib.get_close_matches(name, by_name, n=NEAREST_PATHS) for place in by_name[found]]
    return named[:NEAREST_PATHS]
