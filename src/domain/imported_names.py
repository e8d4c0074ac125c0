"""By what name a file can be imported, and which names a file imports: enough to tell that nobody imports a file.

Cheap enough for every search, where the import graph (`import_graph`) is not: two sets of words are compared and no
path is resolved. It errs on one side only: a file may pass as imported because another has its name.
"""

from __future__ import annotations

import re

FILE_IMPORT_LANGUAGES = frozenset({"python", "javascript", "typescript", "tsx"})
"""Languages whose files take from each other by import alone; in others a package or a build file joins them."""

_SEPARATOR = re.compile(r"[./\\]+")
_EXTENSIONS = frozenset({"js", "jsx", "mjs", "cjs", "ts", "tsx", "mts", "cts", "py"})
_FOLDER_FILES = frozenset({"__init__", "__main__", "index"})


def importable_name(path: str) -> str:
    """Return the word by which other files import this one: its stem, or its folder's name where it stands for it."""
    folder, _, name = path.rpartition("/")
    stem = name.partition(".")[0]
    return folder.rpartition("/")[2] if stem in _FOLDER_FILES else stem


def imported_names(language: str, statement: str) -> tuple[str, ...]:
    """Return the words of an import statement that may name a file: its modules' last parts and what it takes of them.

    Empty for the languages that are not `FILE_IMPORT_LANGUAGES`.
    """
    if language not in FILE_IMPORT_LANGUAGES:
        return ()
    from .imports import parse_import  # late: a search asks for file names only

    names: dict[str, None] = {}
    for taken in parse_import(language, statement):
        parts = [part for part in _SEPARATOR.split(taken.module) if part]
        if len(parts) > 1 and parts[-1] in _EXTENSIONS:
            parts.pop()
        names |= dict.fromkeys(parts[-1:])
        if parts and parts[-1] in _FOLDER_FILES:
            names |= dict.fromkeys(parts[-2:-1])
        if taken.name and taken.name != "*":
            names[taken.name] = None
    return tuple(names)
